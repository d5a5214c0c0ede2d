#!/bin/sh
# code_hash.sh CODE_HASH COMPILER SOURCE_DIR [NVCC]: the hash of a kernel's machine code does not change
# with the place or the time of the build, and does with the code, down to a constant.
set -eu
code_hash=$1 compiler=$2 source=$3 nvcc=${4:-}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# hash FOLDER FLAG...: of kernels/cpu/flash.c as it stands in a folder
hash() {
  folder=$1
  shift
  (cd "$folder" && "$compiler" -std=c17 -D_GNU_SOURCE -O2 -fopenmp -fPIC -DBENCH_VARIANT=test "$@" \
    -I. -I"$source/harness/include" -c "$folder/cpu/flash.c" -o "$folder/flash.o")
  "$code_hash" "$folder/hashes.h" test "$folder/flash.o"
  sed -n 's/^#define CODE_HASH_test "\([0-9a-f]\{16\}\)"$/\1/p' "$folder/hashes.h"
}

for folder in here "a/place further/down"; do
  mkdir -p "$scratch/$folder"
  cp -r "$source/kernels/cpu" "$scratch/$folder/"
done
here=$(hash "$scratch/here")
sleep 1.1 # another second, for whatever writes the time
there=$(hash "$scratch/a/place further/down")
debug=$(hash "$scratch/here" -g)
[ -n "$here" ] && [ "$here" = "$there" ] || { echo "the place changes it: $here $there"; exit 1; }
[ "$here" = "$debug" ] || { echo "debug information changes it: $here $debug"; exit 1; }

fast=$(hash "$scratch/here" -O1)
[ "$here" != "$fast" ] || { echo "other code has the same hash"; exit 1; }
# The leading digit of the first constant: a last one may vanish when the compiler rounds to a float.
sed -i '0,/0\.[0-9]\{4,\}/s/0\.\([0-9]\{4,\}\)/0.1\1/' "$scratch/here/cpu/exp2.h"
cmp -s "$scratch/here/cpu/exp2.h" "$source/kernels/cpu/exp2.h" && { echo "nothing to change"; exit 1; }
constant=$(hash "$scratch/here")
[ "$here" != "$constant" ] || { echo "another constant has the same hash"; exit 1; }

# cuda_hash FOLDER FLAG...: of kernels/cuda/naive.cu, its cubin
cuda_hash() {
  folder=$1
  shift
  (cd "$folder" && "$nvcc" -std=c++17 -DBENCH_VARIANT=test -DBENCH_ARCHS='"80"' "$@" \
    -gencode arch=compute_80,code=sm_80 -I. -I"$source/harness/include" \
    -c "$folder/cuda/naive.cu" -o "$folder/naive.o")
  "$code_hash" "$folder/hashes.h" test "$folder/naive.o" && cat "$folder/hashes.h"
}
if [ -n "$nvcc" ]; then
  mkdir -p "$scratch/b" "$scratch/cuda place"
  cp -r "$source/kernels/cuda" "$scratch/b/"
  cp -r "$source/kernels/cuda" "$scratch/cuda place/"
  here=$(cuda_hash "$scratch/b" -no-compress)
  there=$(cuda_hash "$scratch/cuda place" -no-compress)
  [ "$here" = "$there" ] || { echo "the place changes a cubin's hash: $here $there"; exit 1; }
  if cuda_hash "$scratch/b" --compress-mode=size 2>/dev/null; then
    echo "a compressed cubin is hashed"
    exit 1
  fi
fi

: >"$scratch/empty.o"
if "$code_hash" "$scratch/hashes.h" test "$scratch/empty.o" 2>/dev/null; then
  echo "a file without code is hashed"
  exit 1
fi
