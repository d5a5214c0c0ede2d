/* The worker protocol: one JSON object per line, both ways, on the worker's stdin and stdout.
 * A worker is any program that speaks it: `bench --worker`, another build of bench, or a script.
 *
 * Requests (parent to worker)
 *   {"op":"hello","protocol":1,"backend":"cpu","device":0,"threads":0}
 *   {"op":"case", "problem_id":"..", "kernel":"flash", "mode":"cold", "case_s":0.5,
 *    "verify":"auto"|"whole", "stats":true, "check_lse":false, "layers_distinct":2, "attn":{...},
 *    "number":7,                                     of the case in the plan, for planted faults
 *    "model_path":"..", "text_path":".."}            the last two only with a model input
 *   {"op":"selftest"}, {"op":"calibrate"}            worker_probe.h
 *   In modes "export" and "judge" a case has "folder" besides: worker_peer.h.
 *   {"op":"quit"}
 *
 * Events (worker to parent). Any number of progress events, then exactly one that ends the request
 * (`hello`, `result` or `error`).
 *   {"ev":"hello","protocol":1,"device":{..}}        of a peer: "kernels":["torch/flash", ..]
 *   {"ev":"phase","name":"prepare"|"statistics"|"verify"|"measure"}
 *   {"ev":"head","values":{layer, head, rows, ...}}   once per problem, where stats were asked for
 *   {"ev":"result","status":"ok","reason":"","columns":{..},"samples":[ns, ..],
 *    "sm_mhz":[MHz or null, ..]}                     of each sample; may be left out
 *   {"ev":"error","reason":"..","usage":false}        the request itself could not be served; by
 *                                                     the user's fault if `usage`
 * `columns` holds columns of sweep.csv by name; `values` columns of heads.csv.
 * The keys of "attn" are the fields of bench_attn, enums and the mask as their text; input_hash
 * is 16 hex digits.
 *
 * A peer (bench sweep --peer COMMAND) is a worker that only computes and times: "backend", "device"
 * and "threads" of its hello say where; a case's "folder" has the inputs as files and takes O, and
 * LSE if there is one (worker_peer.h), which are judged like any kernel's before its time counts.
 * It answers status "skipped" with a reason to what it cannot do. Its samples are of `layers`
 * launches, one after the other, layer l with the tensors of distinct layer l modulo
 * layers_distinct, as many as case_s seconds allow; in mode "cold" with the last-level cache
 * emptied before each. "columns" may have variant, workspace_bytes, mem_peak_bytes, stop_reason. */
#ifndef BENCH_PROTOCOL_H
#define BENCH_PROTOCOL_H

#include <jansson.h>

#include "bench/attn.h"
#include "bench/config.h"
#include "bench/kernel.h"
#include "bench/row.h"

#define BENCH_PROTOCOL 1

/* New references; NULL when memory is out. */
json_t *bench_attn_to_json(const bench_attn *attn);
json_t *bench_device_to_json(const bench_device *device);

/* Errors name the field. A missing field is an error, an unknown one is not. */
bench_code bench_attn_from_json(const json_t *json, bench_attn *out, bench_error *error);
bench_code bench_device_from_json(const json_t *json, bench_device *out, bench_error *error);

/* Fields that are present in a row, as an object; and an object's members that are columns of the
 * table with the right type, into a row. */
json_t *bench_fields_to_json(const bench_table *table, const void *row);
void bench_fields_from_json(const bench_table *table, const json_t *json, void *row);

#endif
