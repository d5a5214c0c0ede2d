# Median time by kernel against sequence length; bars where there is one length only.
# By hand, on a result that `bench plot` has been run on; style.gp lists the variables:
#   gnuplot -e "dir='results/x'" plots/time.gp
# Columns: panel kernel seq_kv time_ns_median time_ns_lo time_ns_hi.

figure = "time"
here = ARG0[1:strlen(ARG0) - strlen(figure.".gp")]
load here."style.gp"

panel = 0
x_name = "seq_kv"; y_name = "time_ns_median"; y_lo = "time_ns_lo"; y_hi = "time_ns_hi"
line_of(k) = strcol("kernel")
load here."points.gp"
one_length = X_min == X_max

headline = "Attention time ".(one_length ? "at ".tokens_text(X_min)." tokens" \
                                         : "by sequence length")
load here."caption.gp"
set ylabel "median time"
if (one_length) load here."time_bars.gp"; exit
# The exponent of each kernel's time: the slope of a straight line through the logarithms, from 1024
# tokens up, where what does not grow with the length no longer counts. It takes three lengths.
array exponent[words(lines)]
long_enough(name) = here_is(name) && column(x_name) >= 1024
do for [i = 1:words(lines)] {
  points = 0
  stats data using (points = points + long_enough(word(lines, i)), 0) nooutput
  exponent[i] = NaN
  if (points >= 3) {
    stats data using (long_enough(word(lines, i)) ? log(column(x_name)) : NaN): \
      (log(column(y_name))) name "P" nooutput
    exponent[i] = P_slope
  }
}
legend(name) = name.(exponent[index_of(name)] == exponent[index_of(name)] ? \
                     sprintf(" %.2f", exponent[index_of(name)]) : "")
if (sum [i = 1:words(lines)] (exponent[i] == exponent[i]) > 0) \
  remark = "numbers: n of time ~ length^n, from 1k tokens"; load here."caption.gp"; \
  plot_right = plot_right - 0.02; set rmargin at screen plot_right; \
  set key at screen key_left(plot_right), screen plot_top
x_texts = "tokens"; y_texts = "time"
load here."axes.gp"
# The slope of quadratic work, through the middle of the picture.
squared(k) = sqrt(Y_min * Y_max) * k**2 / (X_min * X_max)
more = ', squared(x) with lines ls 20 title (ascii ? "~ length^2" : "∝ length²")'
load here."lines.gp"
