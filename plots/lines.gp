# Draws the points read: a line for each of `lines`, its error bars below it, and `more` behind. Set
# y_hi (the name of a column) before. A part of a plot that has no points is left out, not empty:
# gnuplot would warn of it.

x_of(name) = here_is(name) ? moved(column(x_name), name) : NaN
error_bars = 'for [name in barred] ' \
  .'data using (x_of(name)):(column(y_name)):(column(y_lo)):(column(y_hi)) ' \
  .'with yerrorbars ls look(name) dt 1 lw 1.3 pt -1 notitle, '
if (barred eq "") { error_bars = "" }
plot @error_bars for [name in lines] data using (x_of(name)):(column(y_name)) \
       with linespoints ls look(name) title legend(name) @more
