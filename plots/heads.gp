# What entropy.gp and distance.gp share: a line for each model and mask, by layer, a little apart so
# that the bars of one do not hide those of the next.

line_of(k) = strcol("model").(strcol("model") eq "" ? "" : " ").strcol("mask")
look(name) = look_of_index(index_of(name))
apart(n) = n > 6 ? 0.6 / n : 0.08
moved(x, name) = x + (index_of(name) - (words(lines) + 1) / 2.0) * apart(words(lines))
x_name = "layer"
x_texts = "layer"; y_texts = ""
panel = 0

# One model goes to the headline, and the legend is of masks alone; their words are cut out of it.
models = ""
stats data using (models = added(models, strcol("model")), 0) nooutput
one_model = words(models) == 1 ? word(models, 1) : ""
of_model = one_model eq "" ? "" : " of ".one_model
cut(s, from, n) = from == 0 ? s : s[1:from - 1].s[from + n:*]
without(s, part) = cut(s, strstrt(s, part), strlen(part))
short(s) = without(without(without(s, "density="), "size="), "layout=")
mask_of(name) = one_model eq "" ? name : name[strlen(one_model) + 2:*]
legend(name) = ascii ? short(mask_of(name))[1:20] : short(mask_of(name))

# The legend takes the room that its texts need.
longest = 0
longer(n) = n > longest ? n : longest
stats data using (longest = longer(strlen(legend(line_of(0)))), 0) nooutput
plot_right = ascii ? 1 - (8.0 + longest) / columns \
                   : 1 - (90 + 6.6 * (longest > 50 ? 50 : longest)) / 900.0
set rmargin at screen plot_right
set key font small_font at screen key_left(plot_right), screen plot_top
