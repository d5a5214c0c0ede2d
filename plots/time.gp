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
x_texts = "tokens"; y_texts = "time"
load here."axes.gp"
# The slope of quadratic work, through the middle of the picture.
squared(k) = sqrt(Y_min * Y_max) * k**2 / (X_min * X_max)
more = ', squared(x) with lines ls 20 title (ascii ? "~ length^2" : "∝ length²")'
load here."lines.gp"
