# The texts around a figure: set `headline` before and, if the footer has more to say, `remark`, and
# read the points.

if (!exists("remark")) { remark = "" }
footer = join(join(bars, remark, between), origin, "\n")
set label 1 headline at screen 0.014, (ascii ? 1 - 0.5 / rows : 0.962) font title_font
set label 2 broken(slice) at screen 0.014, slice_at font small_font tc ls 22
set label 3 footer at screen 0.014, (ascii ? 2.5 / rows : 0.057) font small_font tc ls 22
