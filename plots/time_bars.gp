# time.gp for one sequence length: a bar per kernel, with its time above. Error bars are vectors, as
# with yerrorbars gnuplot leaves a white hole where the point would be.

set xrange [0.4:words(lines) + 0.6]
set xtics ()
set for [i = 1:words(lines)] xtics add (word(lines, i) i)
set xlabel "kernel"
set grid noxtics
set yrange [0:Y_max * 1.15]
set ytics ()
tick = 10**floor(log10(Y_max)) * (Y_max / 10**floor(log10(Y_max)) > 4 ? 1 : 0.5)
set for [i = 0:int(Y_max * 1.15 / tick)] ytics add (time_text(i * tick) i * tick)
set boxwidth 0.6
set rmargin at screen 0.97
unset key
above(k) = has_bar(0) ? column(y_hi) : column(y_name)
bar_at(name) = here_is(name) ? index_of(name) : NaN
error_bars = ', for [name in barred] ' \
  .'data using (bar_at(name)):(column(y_lo)):(0):(column(y_hi) - column(y_lo)) ' \
  .'with vectors heads size screen 0.009, 90 ls 22 lw 1.5'
if (barred eq "") { error_bars = "" }
plot for [name in lines] data using (bar_at(name)):(column(y_name)) \
       with boxes fs solid 0.75 border ls look(name) dt 1, \
     for [name in lines] data using (bar_at(name)):(above(0)):(time_text(column(y_name))) \
       with labels offset 0, 0.8 font small_font @error_bars
