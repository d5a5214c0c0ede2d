/* One line of heads.csv from one head's statistics. */
#include "src/head_row.h"

#include <inttypes.h>
#include <stdio.h>

void bench_head_row_fill(const bench_attn *attn, uint64_t problem_id, int64_t layer, int64_t head,
                         const bench_stat_core *from, bench_head_row *row) {
  char mask[BENCH_MASK_TEXT_MAX];
  bench_table_clear(&bench_head_table, row);
  bench_mask_format(&attn->mask, attn->part, mask);
  snprintf(row->problem_id, sizeof row->problem_id, "%016" PRIx64, problem_id);
  bench_text_copy(row->model, sizeof row->model, attn->model);
  bench_text_copy(row->mask, sizeof row->mask, mask);
  bench_attn_input_text(attn, row->input, sizeof row->input);
  row->layer = layer;
  row->head = head;
  row->seq_q = attn->seq_q;
  row->seq_kv = attn->seq_kv;
  row->rows = from->rows;
  row->lse = from->lse;
  row->max_logit = from->max_logit;
  row->entropy_nats = from->entropy_nats;
  row->entropy_norm = from->entropy_norm;
  row->sum_p2 = from->sum_p2;
  row->p_max = from->p_max;
  row->distance_tokens = from->distance_tokens;
  row->distance_nosink_tokens = from->distance_nosink_tokens;
  row->distance_rms_tokens = from->distance_rms_tokens;
  row->window16_mass = from->window16_mass;
  row->window64_mass = from->window64_mass;
  row->window256_mass = from->window256_mass;
  row->window1024_mass = from->window1024_mass;
  row->sink_mass = from->sink_mass;
  row->sink4_mass = from->sink4_mass;
}
