# Time against layers (left) and against parameters (right), one colour a kernel.
# By hand, on a result that `bench plot` has been run on; style.gp lists the variables:
#   gnuplot -e "dir='results/x'" plots/scaling.gp
# Columns: panel kernel layers params time_ns_median time_ns_lo time_ns_hi.

figure = "scaling"
here = ARG0[1:strlen(ARG0) - strlen(figure.".gp")]
load here."style.gp"

y_name = "time_ns_median"; y_lo = "time_ns_lo"; y_hi = "time_ns_hi"
line_of(k) = strcol("kernel")
layers = 0; parameters = 0
stats data using (layers = layers || column("panel") == 0, \
                  parameters = parameters || column("panel") == 1, 0) nooutput
by_layers = 'panel = 0; x_name = "layers"; x_texts = "layers"'
by_parameters = 'panel = 1; x_name = "params"; x_texts = "parameters"'
setup_1 = layers ? by_layers : by_parameters
setup_2 = by_parameters
count = layers + parameters

what = count == 2 ? "layers and by parameters" : layers ? "layers" : "parameters"
headline = "Attention time by ".what
heading = ""
y_texts = "time"
setup_y = ""
set ylabel "median time"
load here."panels.gp"
