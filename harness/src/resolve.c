/* Resolves a problem's mask: to one segment for all layers, to one for each part of a mask that
 * alternates over layers, or to one for each layer where the mask follows from its Q and K. What
 * kernels launch with is made here too, since a block list belongs to a segment. */
#include <math.h>
#include <stdlib.h>

#include "platform/proc.h"
#include "src/work.h"

/* For masks that leave the size to the kernel, where a kernel has no wish. */
#define BLOCK_DEFAULT 64

/* Whether the mask of some layer follows from its Q and K. */
static bool some_layer_needs_input(const bench_work *work) {
  bool needs = false;
  for (int64_t l = 0; l < work->layers_distinct && !needs; l++) {
    const bench_attn own = bench_attn_layer(&work->attn, l);
    needs = bench_mask_needs_input(&own);
  }
  return needs;
}

static bench_code build_list(const bench_segment *segment, int64_t block, bench_blocklist *list,
                             double *time_ns, bench_error *error) {
  const int64_t begin = bench_proc_monotonic_ns();
  const bench_code code = bench_blocklist_build(&segment->attn, block, segment->layer->host_q,
                                                segment->layer->host_k, list, error);
  *time_ns = (double)(bench_proc_monotonic_ns() - begin);
  return code;
}

/* Makes the segment of distinct layer l, unless an earlier layer has made it. */
static bench_code resolve(const bench_work *work, bench_segment *segment, int64_t l,
                          bench_error *error) {
  if (segment->layer != NULL) {
    return BENCH_OK;
  }
  segment->layer = &work->layers[l];
  segment->attn = bench_attn_layer(&work->attn, l);
  if (bench_mask_is_simple(&segment->attn.mask)) {
    return BENCH_OK;
  }
  const int64_t block = bench_mask_block(&segment->attn);
  return build_list(segment, block > 0 ? block : BLOCK_DEFAULT, &segment->mask_list,
                    &segment->mask_list_ns, error);
}

bench_code bench_work_resolve_masks(bench_work *work, bench_error *error) {
  const bool own = some_layer_needs_input(work);
  const bool by_layer =
      work->attn.mask.kind == BENCH_MASK_HYBRID && work->attn.mask.over == BENCH_HYBRID_LAYERS;
  const int64_t count = own ? work->layers_distinct : by_layer ? 2 : 1;
  work->segments = calloc((size_t)count, sizeof *work->segments);
  if (work->segments == NULL) {
    return bench_fail(error, BENCH_ERR_NOMEM, "no memory for the masks' table");
  }
  work->segment_count = count;
  bench_code code = BENCH_OK;
  for (int64_t l = 0; code == BENCH_OK && l < work->layers_distinct; l++) {
    bench_segment *segment = &work->segments[own        ? l
                                             : by_layer ? bench_mask_part(&work->attn.mask, l)
                                                        : 0];
    work->layers[l].segment = segment;
    code = resolve(work, segment, l, error);
  }
  return code;
}

static void free_device_list(const bench_work *work, bench_segment *segment) {
  if (!work->backend->host_memory) {
    work->backend->free(work->context, segment->device_list.row_begin);
    work->backend->free(work->context, segment->device_list.column);
    work->backend->free(work->context, segment->device_list.tile);
    work->backend->free(work->context, segment->device_list.tiles);
    work->backend->free(work->context, segment->device_list.pattern);
  }
  segment->device_list = (bench_blocklist){0};
  segment->launch_list = NULL;
}

void bench_work_free_masks(bench_work *work) {
  for (int64_t s = 0; s < work->segment_count; s++) {
    free_device_list(work, &work->segments[s]);
    bench_blocklist_free(&work->segments[s].list);
    bench_blocklist_free(&work->segments[s].mask_list);
  }
  free(work->segments);
  work->segments = NULL;
  work->segment_count = 0;
}

/* One array of a list into memory of the backend; to NULL where the list has none. */
static bench_code upload_array(const bench_work *work, const void *from, size_t bytes, void **to,
                               bench_error *error) {
  *to = NULL;
  if (from == NULL) {
    return BENCH_OK;
  }
  bench_code code = work->backend->alloc(work->context, bytes > 0 ? bytes : 8, to, error);
  if (code == BENCH_OK && bytes > 0) {
    code = work->backend->upload(work->context, *to, from, bytes, error);
  }
  return code;
}

static bench_code upload_list(const bench_work *work, const bench_blocklist *list,
                              bench_blocklist *device, bench_error *error) {
  *device = *list;
  if (work->backend->host_memory) {
    return BENCH_OK;
  }
  const struct {
    const void *from;
    size_t bytes;
    void **to;
  } arrays[] = {
      {list->row_begin, (size_t)(list->patterns * list->rows + 1) * 8, (void **)&device->row_begin},
      {list->column, (size_t)list->blocks * 4, (void **)&device->column},
      {list->tile, (size_t)list->blocks * 4, (void **)&device->tile},
      {list->tiles, (size_t)(list->tile_count * list->block * list->words) * 8,
       (void **)&device->tiles},
      {list->pattern, (size_t)list->heads * 4, (void **)&device->pattern},
  };
  enum { ARRAYS = sizeof arrays / sizeof arrays[0] };
  for (int i = 0; i < ARRAYS; i++) {
    *arrays[i].to = NULL; /* until it is its own, for whoever frees after a failure */
  }
  bench_code code = BENCH_OK;
  for (int i = 0; code == BENCH_OK && i < ARRAYS; i++) {
    code = upload_array(work, arrays[i].from, arrays[i].bytes, arrays[i].to, error);
  }
  return code;
}

static bench_code segment_blocks(const bench_work *work, bench_segment *segment,
                                 const bench_kernel *kernel, bench_error *error) {
  const bool simple = bench_mask_is_simple(&segment->attn.mask);
  segment->launch_list = NULL;
  if (simple && !kernel->wants_blocks) {
    return BENCH_OK;
  }
  const int64_t fixed = bench_mask_block(&segment->attn);
  const int64_t wish = kernel->wants_blocks ? kernel->block : BLOCK_DEFAULT;
  const int64_t block = fixed > 0 ? fixed : wish;
  bench_code code = BENCH_OK;
  if (segment->device_list.block != block) {
    free_device_list(work, segment);
    bench_blocklist_free(&segment->list);
    const bench_blocklist *list = &segment->mask_list;
    if (list->block != block) {
      code = build_list(segment, block, &segment->list, &segment->list_ns, error);
      list = &segment->list;
    }
    if (code == BENCH_OK) {
      const int64_t begin = bench_proc_monotonic_ns();
      code = upload_list(work, list, &segment->device_list, error);
      segment->device_list_ns =
          (list == &segment->list ? segment->list_ns : segment->mask_list_ns) +
          (double)(bench_proc_monotonic_ns() - begin);
    }
    if (code != BENCH_OK) {
      free_device_list(work, segment);
    }
  }
  segment->launch_list = code == BENCH_OK ? &segment->device_list : NULL;
  return code;
}

bench_code bench_work_blocks(bench_work *work, const bench_kernel *kernel, bench_error *error) {
  bench_code code = BENCH_OK;
  for (int64_t s = 0; code == BENCH_OK && s < work->segment_count; s++) {
    code = segment_blocks(work, &work->segments[s], kernel, error);
  }
  return code;
}

double bench_work_list_ns(const bench_work *work) {
  double time_ns = 0;
  bool some = false;
  for (int64_t s = 0; s < work->segment_count; s++) {
    if (work->segments[s].launch_list != NULL) {
      time_ns += work->segments[s].device_list_ns;
      some = true;
    }
  }
  return some ? time_ns : NAN;
}
