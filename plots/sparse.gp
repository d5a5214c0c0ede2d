# Fraction of the ideal speed-up against density: what a mask saves of the work it leaves out.
# By hand, on a result that `bench plot` has been run on; style.gp lists the variables:
#   gnuplot -e "dir='results/x'" plots/sparse.gp
# Columns: panel kernel mask kind density fraction_of_ideal fraction_of_ideal_lo
# fraction_of_ideal_hi label label_at.

figure = "sparse"
here = ARG0[1:strlen(ARG0) - strlen(figure.".gp")]
load here."style.gp"

panel = 0
x_name = "density"; y_name = "fraction_of_ideal"
y_lo = "fraction_of_ideal_lo"; y_hi = "fraction_of_ideal_hi"
# A line is a kernel on the masks of one kind; the legend has the kernel once.
line_of(k) = strcol("kernel")."|".strcol("kind")
kernel_of(name) = name[1:strstrt(name, "|") - 1]
look(name) = look_of_kernel(kernel_of(name))
is_first(name) = strstrt(lines, '"'.kernel_of(name)."|") == strstrt(lines, '"'.name.'"')
legend(name) = is_first(name) ? kernel_of(name) : ""
load here."points.gp"
kernels = ""
do for [name in lines] { kernels = added(kernels, kernel_of(name)) }
kernel_index(kernel) = sum [i = 1:words(kernels)] (word(kernels, i) eq kernel ? i : 0)

headline = "Fraction of the ideal speed-up by mask density"
remark = "ideal: time of the full mask x density"
load here."caption.gp"
x_texts = "density"; y_texts = ""
load here."axes.gp"
set ylabel "fraction of ideal"
top = Y_max > 1 ? 1.1 * Y_max : 1.1
set yrange [0:top]
# Kernels stand side by side; the masks' names stand above, slanted, where there is room for them.
step = X_max > X_min ? (X_max / X_min)**0.01 : 1.02
moved(x, name) = x * step**(kernel_index(kernel_of(name)) - (words(kernels) + 1) / 2.0)
more = ', 1 with lines ls 20 lw 1.5 title "ideal"'
label_x(k) = X_min * (X_max / X_min)**column("label_at")
if (!ascii) {
  plot_top = 0.69
  set tmargin at screen plot_top
  set key at screen key_left(plot_right), screen plot_top - 0.01 # below the last names
  more = more.', data using (label_x(0)):(top):(strcol("label")) ' \
    .'with labels left rotate by 28 offset 0, 0.7 font small_font tc ls 22 notitle'
}
load here."lines.gp"
