/* BENCH_CLONES before a function: it is compiled for several vector extensions, and the first call
 * takes the best that the machine has. For loops over integers, whose results are the same in all.
 * Left out where a sanitizer runs, which would be called before it is ready. */
#ifndef BENCH_PLATFORM_CLONES_H
#define BENCH_PLATFORM_CLONES_H

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define BENCH_CLONES __attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#else
#define BENCH_CLONES
#endif

#endif
