/* Peers: foreign workers whose kernels are measured beside ours, case by case. What a peer must do
 * stands in protocol.h. */
#ifndef BENCH_PEERS_H
#define BENCH_PEERS_H

#include "bench/plan.h"
#include "src/supervisor.h"

typedef struct bench_peers bench_peers;

/* Starts each command and asks for its kernels, whose names go into target->peer_kernels, valid
 * until the peers are closed. `own` is the worker that makes inputs and judges; it must outlive
 * them. */
bench_code bench_peers_open(const char *const *commands, size_t count, bench_supervisor *own,
                            bench_target *target, bench_peers **out, bench_error *error);
void bench_peers_close(bench_peers *peers); /* NULL is fine */

/* Where inputs and outputs are to lie while a sweep runs: in a folder inside `folder`. */
bench_code bench_peers_at(bench_peers *peers, const char *folder, bench_error *error);

/* From now on peers are waited for as `own` now is: with its patience and what it does when idle.
 */
void bench_peers_wait_like_own(bench_peers *peers);

/* `peer` is that of a case: 1 .. target->peer_kernel_count. */
bench_supervisor *bench_peers_supervisor(bench_peers *peers, size_t peer);

/* As bench_supervisor_request, with the inputs laid out before and the outputs judged after: a
 * result is wrong, whatever the peer says, if they are. `limit_s` holds for each of the steps. */
bench_answer bench_peers_case(bench_peers *peers, size_t peer, const bench_problem *problem,
                              const json_t *request, double limit_s, json_t **result,
                              char reason[512]);

#endif
