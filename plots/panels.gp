# Draws `count` panels beside each other. Panel i is what the text setup_i sets: panel, x_name,
# y_name, y_lo, y_hi, x_texts, y_texts, heading. `setup_y` sets the y axis of each; `headline` and
# `remark` are of the picture.

plot_top = ascii ? 1 - 5.5 / rows : 0.81
set tmargin at screen plot_top
set key at screen key_left(plot_right), screen plot_top
first_lines = ""
first_slice = ""
set multiplot
do for [n = 1:count] {
  left = panel_left(n - 1, count)
  eval value(sprintf("setup_%d", n))
  load here."points.gp"
  load here."caption.gp"
  if (n > 1) {
    other_slice = slice eq first_slice ? "" : broken(slice)
    set label 2 other_slice at screen left - gap / 2, slice_at
    unset label 1
    unset label 3
    unset ylabel
  }
  set label 4 heading at screen left, plot_top + (ascii ? 0.5 / rows : 0.022) font small_font
  load here."axes.gp"
  eval setup_y
  set lmargin at screen left
  set rmargin at screen left + panel_width(count)
  # The last panel has the legend, also of what only the first one draws.
  if (n < count) { set key off } else { set key on }
  only_first = ""
  do for [name in first_lines] {
    if (strstrt(lines, '"'.name.'"') == 0) { only_first = added(only_first, name) }
  }
  more = ', for [name in only_first] keyentry ' \
    .'with linespoints ls look(name) title legend(name)'
  if (only_first eq "") { more = "" }
  load here."lines.gp"
  first_lines = lines
  first_slice = slice
}
unset multiplot
