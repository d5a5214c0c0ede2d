/* What a peer, a foreign worker that cannot make our inputs and is not its own judge, needs of
 * ours: the inputs as files and a verdict on its outputs.
 *
 * All files lie in one folder and hold an array without a header, as attn.h lays it out, in the
 * byte order of the machine. L counts distinct layers from 0.
 *   qL.bin kL.bin vL.bin     in the problem's dtype
 *   row_beginL.bin           where the mask is BLOCK, BIGBIRD or TOPK: int64 [patterns * rows + 1],
 *   columnL.bin              int32, the kept block columns of each block row,
 *   patternL.bin             int32 [batch * heads_q], the pattern of each head (absent: all 0).
 *                            A key is seen if its block is kept and it is not behind the row
 *                            (causal).
 *   oL.bin                   the peer's output, in the dtype
 *   lseL.bin                 float, natural log; may be left out, then it is not compared */
#ifndef BENCH_WORKER_PEER_H
#define BENCH_WORKER_PEER_H

#include "src/work.h"

/* Writes the inputs of every distinct layer. */
bench_code bench_peer_export(const bench_work *work, const char *folder, bench_error *error);

/* Compares the outputs. A file that is missing or has another size makes the verdict wrong. */
bench_code bench_peer_judge(bench_work *work, const char *folder, bool whole,
                            bench_verdict *verdict, bench_error *error);

#endif
