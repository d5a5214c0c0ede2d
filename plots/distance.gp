# Mean attention distance by layer, over all keys (left) and without key 0 (right).
# By hand, on a result that `bench plot` has been run on; style.gp lists the variables:
#   gnuplot -e "dir='results/x'" plots/distance.gp
# Columns: panel model mask layer distance_tokens distance_nosink_tokens, and _min and _max of both.

figure = "distance"
here = ARG0[1:strlen(ARG0) - strlen(figure.".gp")]
load here."style.gp"
load here."heads.gp"
of(c) = sprintf('y_name = "%s"; y_lo = "%s_min"; y_hi = "%s_max"', c, c, c)
count = 2
setup_1 = of("distance_tokens").'; heading = "all keys"'
setup_2 = of("distance_nosink_tokens").'; heading = "without key 0, the rest renormalised"'

# One scale for both.
stats data using (column("distance_tokens_max")) name "A" nooutput
stats data using (column("distance_nosink_tokens_max")) name "B" nooutput
farthest = A_max > B_max ? A_max : B_max

headline = "Mean attention distance".of_model." by layer"
setup_y = 'set yrange [0:farthest * 1.05]'
set ylabel "distance |i - j| (tokens)"
load here."panels.gp"
