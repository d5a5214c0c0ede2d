# The look that all figures share, and the words they share. Loaded first by every script, which has
# set `figure` to its name and `here` to its folder. Variables that may be set before, with -e:
#
#   dir      a result that `bench plot` has been run on     (by hand: this one is enough)
#   data     the figure's points                            (dir/plots/FIGURE.csv)
#   term     png, svg or ascii                              (png)
#   out      the picture; "" is standard output             (dir/plots/FIGURE.png, .svg; "")
#   columns, rows    of an ascii picture                    (79, 24)

if (!exists("term")) term = "png"
if (!exists("data")) data = dir."/plots/".figure.".csv"
if (!exists("columns")) columns = 79
if (!exists("rows") || rows == 0) rows = 24
ascii = term eq "ascii"
if (!exists("out")) out = ascii ? "" : dir."/plots/".figure.".".term

set encoding utf8
if (term eq "png") set terminal pngcairo noenhanced size 900,560 font "sans,11" \
  background "#ffffff"
if (term eq "svg") set terminal svg noenhanced size 900,560 dynamic font "sans-serif,13" \
  dashlength 0.6 background "#ffffff"
if (ascii) set terminal dumb noenhanced size columns,rows nofeed mono
if (out ne "") set output out

set datafile separator comma
set datafile columnheaders
set datafile commentschars ""
set datafile missing NaN   # a row that counts not for a line does not break it

# One colour, marker and dash for a kernel family, everywhere. Colours of Okabe and Ito, which those
# who see few colours can tell apart; markers and dashes tell them apart in black and white.
families = "reference naive blas flash sparse decode vendor null"
set style line 1 lc rgb "#000000" pt 2  dt 1             # reference
set style line 2 lc rgb "#E69F00" pt 5  dt (18,6)        # naive
set style line 3 lc rgb "#56B4E9" pt 9  dt (14,4,3,4)    # blas
set style line 4 lc rgb "#D55E00" pt 7  dt 1             # flash
set style line 5 lc rgb "#009E73" pt 13 dt (6,4)         # sparse
set style line 6 lc rgb "#CC79A7" pt 11 dt (24,4,6,4)    # decode
set style line 7 lc rgb "#0072B2" pt 4  dt 1             # vendor
set style line 8 lc rgb "#7F7F7F" pt 1  dt (3,4)         # null
set style line 9 lc rgb "#000000" pt 8  dt (3,4)         # any other
family_index(name) = sum [i = 1:words(families)] (word(families, i) eq name ? i : 0)
look_of_kernel(name) = family_index(name) > 0 ? family_index(name) : 9
# Lines that are no kernels take the looks in an order that keeps neighbours apart.
looks = "7 4 5 2 6 3 1 8 9"
index_of(name) = sum [i = 1:words(lines)] (word(lines, i) eq name ? i : 0)
look_of_index(i) = i < 1 ? 9 : int(word(looks, (i - 1) % words(looks) + 1))
set for [i = 1:9] style line i lw 2 ps (term eq "svg" ? 0.75 : 1.1)
letters = "R N B F S D V 0 X"
if (ascii) set for [i = 1:9] style line i pt word(letters, i)

set style line 20 lc rgb "#9A9A9A" lw 1 dt 1   # guides
set style line 21 lc rgb "#E4E4E4" lw 1 dt 1   # grid
set style line 22 lc rgb "#404040" lw 1 dt 1   # frame and small texts
if (ascii) set tics nomirror scale 0; else set border 3 ls 22; set tics nomirror out scale 0.6; \
  set grid x y ls 21
set errorbars 1.4

# Where the plot stands in the picture, in parts of it; around it are the texts. Panels beside each
# other, i of n from 0, share that place.
plot_left = 0.125; plot_right = 0.833; plot_top = 0.855; plot_bottom = 0.185
gap = 0.085
if (ascii) plot_left = 10.0 / columns; plot_right = 1 - 17.0 / columns; \
  plot_top = 1 - 3.5 / rows; plot_bottom = 5.0 / rows; gap = 9.0 / columns
panel_width(n) = (plot_right - plot_left - (n - 1) * gap) / n
panel_left(i, n) = plot_left + i * (panel_width(n) + gap)
set tmargin at screen plot_top
set bmargin at screen plot_bottom
set lmargin at screen plot_left
set rmargin at screen plot_right
key_left(right) = right + (ascii ? 1.0 / columns : 0.02)
set key at screen key_left(plot_right), screen plot_top left top vertical Left reverse \
  samplen 3.2 spacing 1.25
slice_at = ascii ? 1 - 1.5 / rows : 0.912

title_font = term eq "svg" ? ",17" : ",14"
small_font = term eq "svg" ? ",12" : ",9"
between = ascii ? "\n" : " · "
join(a, b, separator) = a eq "" || b eq "" ? a.b : a.separator.b
# A slice has | where its line is full.
broken_at(s, i) = i == 0 ? s : s[1:i - 1]."\n".broken_at(s[i + 1:*], strstrt(s[i + 1:*], "|"))
broken(s) = broken_at(s, strstrt(s, "|"))

# Texts of numbers: 4k tokens, 1.5 ms, 64 MiB, 410M parameters.
micro = ascii ? "us" : "µs"
tokens_text(n) = n < 1024 ? sprintf("%g", n) : \
                 n < 1048576 ? sprintf("%gk", n / 1024.0) : sprintf("%gM", n / 1048576.0)
time_text(ns) = ns == 0 ? "0" : ns < 1e3 ? sprintf("%.3g ns", ns) : \
                ns < 1e6 ? sprintf("%.3g ".micro, ns / 1e3) : \
                ns < 1e9 ? sprintf("%.3g ms", ns / 1e6) : sprintf("%.3g s", ns / 1e9)
bytes_text(b) = b == 0 ? "0" : b < 2**20 ? sprintf("%g KiB", b / 2.0**10) : \
                b < 2**30 ? sprintf("%g MiB", b / 2.0**20) : sprintf("%g GiB", b / 2.0**30)
count_text(n) = n < 1e3 ? sprintf("%g", n) : n < 1e6 ? sprintf("%gk", n / 1e3) : \
                n < 1e9 ? sprintf("%gM", n / 1e6) : sprintf("%gB", n / 1e9)

# Ticks of a logarithmic axis: powers of two, at most about nine of them; or these parts of each
# power of ten, fewer where the axis is long.
log2_low(v) = floor(log(v) / log(2) + 1e-6)
log2_high(v) = ceil(log(v) / log(2) - 1e-6)
log2_step(from, to) = ceil((log2_high(to) - log2_low(from) + 1) / 9.0)
log10_low(v) = floor(log10(v))
log10_parts(from, to) = log10(to / from) > 4 ? "1" : log10(to / from) > 1.7 ? "1 3" : "1 2 5"

# A list of names, each in quotes, and one more that may be in it already.
added(list, name) = strstrt(list, '"'.name.'"') ? list : list.' "'.name.'"'

# What lines.gp draws unless a script says otherwise: kernels, where they are, and nothing more.
look(name) = look_of_kernel(name)
legend(name) = name
moved(x, name) = x
more = ""
