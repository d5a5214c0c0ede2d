# PTX to what can be compared: of every kernel golden_NAME the inline assembly alone, with registers
# by where they come from instead of by number:
#   arg1        parameter 1
#   arg1[3]     the word at index 3 of what parameter 1 points to
#   new0, new1  what the assembly gives, in the order of its text
# Runs of words in a row shrink: arg0[0], arg0[1], arg0[2] becomes arg0[0..2]. A store of a new value
# is printed as "store arg0[1] = new1"; a store of a word of arg0 to another place of it is printed
# too, and so shows as a difference.

function name_of(register) {
  if (register in origin) return origin[register]
  origin[register] = "new" news++
  return origin[register]
}

# The text with every %register replaced.
function named(text,   out, register) {
  out = ""
  while (match(text, /%[a-z]+[0-9]+/)) {
    register = substr(text, RSTART, RLENGTH)
    out = out substr(text, 1, RSTART - 1) name_of(register)
    text = substr(text, RSTART + RLENGTH)
  }
  return out text
}

# "[%rd1+12]" to "arg0[3]".
function word(address,   base, offset) {
  gsub(/[\[\];]/, "", address)
  base = address
  sub(/\+.*/, "", base)
  offset = address ~ /\+/ ? substr(address, index(address, "+") + 1) : 0
  return name_of(base) "[" offset / 4 "]"
}

function shrink(text,   before, list, parts, count, i, base, first, last) {
  if (!match(text, /{arg[0-9]+\[[^}]*}/)) return text
  before = substr(text, 1, RSTART)
  list = substr(text, RSTART + 1, RLENGTH - 2)
  text = substr(text, RSTART + RLENGTH - 1)
  count = split(list, parts, /, */)
  base = parts[1]
  sub(/\[.*/, "", base)
  for (i = 1; i <= count; i++) if (parts[i] != base "[" i - 1 "]") return before list shrink(text)
  return before base "[0.." count - 1 "]" shrink(text)
}

/^\.visible \.entry golden_/ {
  kernel = $3
  sub(/^golden_/, "", kernel)
  sub(/\(.*/, "", kernel)
  split("", origin)
  news = 0
  print kernel
  next
}
/begin inline asm/ { inline = 1; next }
/end inline asm/ { inline = 0; next }
inline {
  sub(/^[ \t]+/, "")
  sub(/[ \t]+$/, "")
  if ($0 != "" && $0 !~ /^([{}]|\.reg .*)$/) print "  " shrink(named($0))
  next
}
/^[ \t]*ld\.param/ {
  parameter = $3
  sub(/.*_param_/, "", parameter)
  sub(/\].*/, "", parameter)
  sub(/,/, "", $2)
  origin[$2] = "arg" parameter
  next
}
/^[ \t]*ld\.global/ {
  sub(/,/, "", $2)
  origin[$2] = word($3)
  next
}
/^[ \t]*st\.global/ {
  sub(/,/, "", $2)
  sub(/;/, "", $3)
  to = word($2)
  if (name_of($3) != to) print "  store " to " = " name_of($3)
  next
}
# Anything else of one register passes its name on: a conversion, a comparison with a constant.
/^[ \t]*[a-z0-9.]+[ \t]+%/ {
  count = split($0, parts, /%/)
  if (count == 3) {
    for (i = 2; i <= 3; i++) sub(/[^a-z0-9].*/, "", parts[i])
    if (("%" parts[3]) in origin) origin["%" parts[2]] = origin["%" parts[3]]
  } else if (count == 4) { # selp of two constants by a predicate
    print "  unexpected: " $0
  }
}
