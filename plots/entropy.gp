# Normalised attention entropy by layer: the mean over heads, and the least and greatest head.
# By hand, on a result that `bench plot` has been run on; style.gp lists the variables:
#   gnuplot -e "dir='results/x'" plots/entropy.gp
# Columns: panel model mask layer entropy_norm entropy_norm_min entropy_norm_max.

figure = "entropy"
here = ARG0[1:strlen(ARG0) - strlen(figure.".gp")]
load here."style.gp"
load here."heads.gp"
y_name = "entropy_norm"; y_lo = "entropy_norm_min"; y_hi = "entropy_norm_max"
load here."points.gp"

headline = "Attention entropy".of_model." by layer"
load here."caption.gp"
load here."axes.gp"
set yrange [0:1.02]
set ylabel "entropy / log(visible keys)"
load here."lines.gp"
