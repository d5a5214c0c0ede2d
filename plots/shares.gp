# Shares of attention (left) and of the projections (right) in the time of a block, by parameters.
# By hand, on a result that `bench plot` has been run on; style.gp lists the variables:
#   gnuplot -e "dir='results/x'" plots/shares.gp
# Columns: panel kernel params attention_share projection_share.

figure = "shares"
here = ARG0[1:strlen(ARG0) - strlen(figure.".gp")]
load here."style.gp"

panel = 0
line_of(k) = strcol("kernel")
x_name = "params"; y_lo = ""; y_hi = ""
count = 2
setup_1 = 'y_name = "attention_share"; heading = "attention"'
setup_2 = 'y_name = "projection_share"; heading = "QKV and output projections"'

headline = "Where the time of a block goes, by parameters"
x_texts = "parameters"; y_texts = ""
setup_y = 'set yrange [0:1]; ' \
  .'set ytics ("0 %%" 0, "20 %%" 0.2, "40 %%" 0.4, "60 %%" 0.6, "80 %%" 0.8, "100 %%" 1)'
set ylabel "share of the block's time"
load here."panels.gp"
