# TFLOP/s against sequence length, a line per kernel, and the measured roof.
# By hand, on a result that `bench plot` has been run on; style.gp lists the variables:
#   gnuplot -e "dir='results/x'" plots/throughput.gp
# Columns: panel kernel seq_kv tflops tflops_lo tflops_hi roof_tflops.

figure = "throughput"
here = ARG0[1:strlen(ARG0) - strlen(figure.".gp")]
load here."style.gp"

panel = 0
x_name = "seq_kv"; y_name = "tflops"; y_lo = "tflops_lo"; y_hi = "tflops_hi"
line_of(k) = strcol("kernel")
load here."points.gp"
roof = 0
higher(v) = v > roof ? v : roof
stats data using (roof = strcol("roof_tflops") eq "" ? roof : higher(column("roof_tflops")), 0) \
  nooutput

headline = "Attention throughput by sequence length"
remark = roof > 0 ? "roof: measured" : "roof: not measured"
load here."caption.gp"
x_texts = "tokens"; y_texts = ""
load here."axes.gp"
set ylabel "throughput (TFLOP/s)"
set yrange [0:*]
# A roof far above the kernels would press them to the ground.
if (roof > 10 * Y_max) set logscale y; set yrange [Y_min / 2:roof * 2]; set format y "%g"
more = ', data using (column(x_name)):(column("roof_tflops")) smooth unique ' \
  .'with lines ls 20 lw 3 title "roof"'
if (roof == 0) { more = "" }
load here."lines.gp"
