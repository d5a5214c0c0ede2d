# Reads the points of one panel: set `panel`, x_name, y_name, y_lo (columns; y_lo may be ""), and
# line_of(k), which names a row's line, before. Sets
#   lines                the lines' names, in the order of the file
#   barred               those with error bars
#   slice, bars, origin  the panel's texts
#   X_min, X_max, Y_min, Y_max
# With here_is(name) in a `using`, a row counts only for its own line.

set autoscale
unset logscale
lines = ""
barred = ""
in_panel(k) = column("panel") == panel
here_is(name) = in_panel(0) && line_of(0) eq name
has_bar(k) = y_lo eq "" ? 0 : strcol(y_lo) ne ""
stats data using (in_panel(0) ? (lines = added(lines, line_of(0)), slice = strcol("slice"), \
                  bars = strcol("bars"), origin = strcol("origin"), 0) : NaN) nooutput
stats data using (barred = in_panel(0) && has_bar(0) ? added(barred, line_of(0)) : barred, 0) \
  nooutput
stats data using (in_panel(0) ? column(x_name) : NaN) name "X" nooutput
stats data using (in_panel(0) ? column(y_name) : NaN) name "Y" nooutput
