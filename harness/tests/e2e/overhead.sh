#!/usr/bin/env bash
# overhead.sh BENCH: what a case costs the sweep's own process beside the kernel, its verification
# and its set-up, which are another process's. The aim is two milliseconds; a time of a shared
# machine decides nothing, so instructions are counted, which are the same on every machine: a
# million is about a millisecond where the code is as cold as here (ci/overhead shows both). Of
# cases that differ in nothing but how many they are. Exits with 77 without valgrind.
set -euo pipefail
bench=$1
few=20
many=60
limit=3000000
command -v valgrind >/dev/null || { echo "valgrind is not installed"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# instructions CASES
instructions() {
  printf '%s\n' '[sweep]' 'kernels = ["null"]' 'modes = ["warm"]' \
    'budget = { case_s = 0.0001 }' '[[grid]]' "seq = [$(seq -s, 100 $((99 + $1)))]" \
    'heads = [1]' 'head_dim = [32]' '[stats]' 'set = "none"' >"$work/$1.toml"
  BENCH_WORKER=$bench BENCH_UNSTEADY=allow valgrind --tool=callgrind \
    --callgrind-out-file="$work/$1.profile" "$bench" sweep "$work/$1.toml" --backend cpu \
    -o "$work/$1" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
  [ "$(grep -c ',ok,' "$work/$1/sweep.csv")" = "$1" ] || { echo "not all rows are ok"; exit 1; }
  sed -n 's/^summary: \([0-9]*\).*/\1/p' "$work/$1.profile"
}

a=$(instructions $few)
b=$(instructions $many)
each=$(((b - a) / (many - few)))
samples=$(($(wc -l <"$work/$many/samples.csv") / many))
echo "$each instructions a case with $samples samples (at most $limit)"
[ "$each" -gt 10000 ] && [ "$each" -le "$limit" ]
