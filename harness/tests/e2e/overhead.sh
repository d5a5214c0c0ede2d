#!/usr/bin/env bash
# overhead.sh BENCH: what a case costs beside the kernel, its verification and its set-up: in the
# sweep's own process, and in the worker. The aim is two milliseconds; a time of a shared machine
# decides nothing, so instructions are counted, which are the same on every machine: a million is
# about a millisecond where the code is as cold as here (ci/overhead shows both). Of cases that
# differ in nothing but how many they are. Exits with 77 without valgrind.
set -euo pipefail
bench=$1
few=20
many=60
workers=10 # cases of which the worker is looked at: each has a process that learns its memory too
limit=3000000
command -v valgrind >/dev/null || { echo "valgrind is not installed"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# sweep CASES [OPTION of valgrind]: leaves the profile of each process, $work/CASES.PID
sweep() {
  local cases=$1
  shift
  printf '%s\n' '[sweep]' 'kernels = ["null"]' 'modes = ["warm"]' \
    'budget = { case_s = 0.0001 }' '[[grid]]' "seq = [$(seq -s, 100 $((99 + cases)))]" \
    'heads = [1]' 'head_dim = [32]' '[stats]' 'set = "none"' >"$work/$cases.toml"
  BENCH_WORKER=$bench BENCH_UNSTEADY=allow valgrind --tool=callgrind "$@" \
    --callgrind-out-file="$work/$cases.%p" "$bench" sweep "$work/$cases.toml" --backend cpu \
    -o "$work/$cases" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
  [ "$(grep -c ',ok,' "$work/$cases/sweep.csv")" = "$cases" ] ||
    { echo "not all rows are ok" >&2; exit 1; }
}

# parent CASES: instructions of a sweep's own process
parent() {
  sweep "$1"
  sed -n 's/^summary: \([0-9]*\).*/\1/p' "$work/$1".*[0-9]
}

# calls PROFILE FUNCTION: instructions of a function and what it calls, none if it never ran
calls() {
  callgrind_annotate --inclusive=yes --threshold=100 "$1" 2>/dev/null |
    awk -v name=":$2" '$0 ~ name " \\[" { gsub(",", "", $1); n = $1 } END { print n + 0 }'
}

# The worker measures; those that only learn a case's memory do not.
worker() {
  local profile
  sweep $workers --trace-children=yes
  for profile in "$work/$workers".*[0-9]; do
    [ "$(calls "$profile" bench_measure)" -gt 0 ] || continue
    echo $((($(calls "$profile" bench_worker_case) - $(calls "$profile" bench_work_open) - $(
      calls "$profile" bench_verify)) / workers))
    return
  done
  echo "no profile has a measurement" >&2
  exit 1
}

a=$(parent $few)
b=$(parent $many)
of_parent=$(((b - a) / (many - few)))
of_worker=$(worker)
samples=$(($(wc -l <"$work/$many/samples.csv") / many))
echo "$of_parent instructions a case in the parent and $of_worker in the worker, with $samples" \
  "samples; together at most $limit"
[ "$of_parent" -gt 10000 ] && [ "$of_worker" -gt 10000 ] &&
  [ $((of_parent + of_worker)) -le "$limit" ]
