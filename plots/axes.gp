# Axes with texts that people read. Set what is wanted before: x_texts is tokens, layers,
# parameters, density (all logarithmic), layer, or "" (as it is); y_texts is time, bytes or "".
# Wants the points' ranges.

set xtics ()
if (x_texts eq "tokens" || x_texts eq "layers" || x_texts eq "density") {
  set logscale x 2
  set for [i = log2_low(X_min):log2_high(X_max):log2_step(X_min, X_max)] \
    xtics add (tokens_text(2.0**i) 2.0**i)
  set xrange [X_min / 1.25:X_max * 1.25]
}
if (x_texts eq "parameters") {
  set logscale x 10
  # Half as wide, an axis has room for half as many texts.
  parts = log10_parts(X_min, exists("count") && count > 1 ? 100 * X_max : X_max)
  set for [i = log10_low(X_min):log10_low(X_max)] for [m in parts] \
    xtics add (count_text(m * 10.0**i) m * 10.0**i)
  set xrange [X_min / 1.4:X_max * 1.4]
}
if (x_texts eq "layer") {
  set for [i = int(X_min):int(X_max):ceil((X_max - X_min + 1) / 12.0)] \
    xtics add (sprintf("%d", i) i)
  set xrange [X_min - 0.5:X_max + 0.5]
}
x_label = x_texts eq "tokens" ? "sequence length (tokens)" : \
          x_texts eq "parameters" ? "parameters of the model" : \
          x_texts eq "density" ? "density of the mask (visible pairs / all pairs)" : x_texts
set xlabel x_label offset 0, (term eq "svg" ? 0.5 : 0)

if (y_texts eq "time") {
  set logscale y 10
  set ytics ()
  set for [i = log10_low(Y_min):log10_low(Y_max) + 1] for [m in log10_parts(Y_min, Y_max)] \
    ytics add (time_text(m * 10.0**i) m * 10.0**i)
  set yrange [Y_min / 1.6:Y_max * 1.6]
}
# Less than two powers of two apart, amounts of memory stand on a line from 0.
if (y_texts eq "bytes" && Y_max < 4 * Y_min) {
  set ytics ()
  step = 2.0**(log2_high(Y_max) - 3)
  set for [i = 0:ceil(Y_max / step) + 1] ytics add (bytes_text(i * step) i * step)
  set yrange [0:Y_max * 1.25]
}
if (y_texts eq "bytes" && Y_max >= 4 * Y_min) {
  set logscale y 2
  set ytics ()
  set for [i = log2_low(Y_min) - 1:log2_high(Y_max) + 1:log2_step(Y_min, Y_max)] \
    ytics add (bytes_text(2.0**i) 2.0**i)
  set yrange [Y_min / 1.6:Y_max * 1.6]
}
