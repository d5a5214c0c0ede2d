# Memory against sequence length: measured peak as points, predicted as lines.
# By hand, on a result that `bench plot` has been run on; style.gp lists the variables:
#   gnuplot -e "dir='results/x'" plots/memory.gp
# Columns: panel kernel seq_kv mem_peak_bytes mem_predicted_bytes.

figure = "memory"
here = ARG0[1:strlen(ARG0) - strlen(figure.".gp")]
load here."style.gp"

panel = 0
x_name = "seq_kv"; y_name = "mem_predicted_bytes"; y_lo = ""
line_of(k) = strcol("kernel")
load here."points.gp"
measured = 0
least(a, b) = a < b ? a : b
stats data using (strcol("mem_peak_bytes") eq "" ? 0 : (measured = 1, \
                  Y_min = least(Y_min, column("mem_peak_bytes")), \
                  Y_max = -least(-Y_max, -column("mem_peak_bytes")), 0)) nooutput

headline = "Memory by sequence length"
remark = (measured ? "points: measured peak" : "peak: not measured")."; lines: predicted"
load here."caption.gp"
x_texts = "tokens"; y_texts = "bytes"
load here."axes.gp"
set ylabel "memory"
# Kernels of the same memory stand side by side.
moved(x, name) = x * 1.05**(index_of(name) - (words(lines) + 1) / 2.0)
peak_at(name) = here_is(name) ? moved(column(x_name), name) : NaN
peaks = ', for [name in lines] data using (peak_at(name)):(column("mem_peak_bytes")) ' \
  .'with points ls look(name) notitle'
if (!measured) { peaks = "" }
plot for [name in lines] data using (here_is(name) ? column(x_name) : NaN):(column(y_name)) \
       with lines ls look(name) notitle @peaks, \
     for [name in lines] keyentry with linespoints ls look(name) title name
