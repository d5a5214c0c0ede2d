/* Inputs as files, outputs from files. */
#include "src/worker_peer.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/mask.h"

static void path_of(const char *folder, const char *name, int64_t layer, char path[4096]) {
  snprintf(path, 4096, "%s/%s%" PRId64 ".bin", folder, name, layer);
}

static bench_code write_array(const char *folder, const char *name, int64_t layer,
                              const void *array, size_t bytes, bench_error *error) {
  char path[4096];
  path_of(folder, name, layer, path);
  FILE *file = fopen(path, "wb");
  bool good = file != NULL && fwrite(array, 1, bytes, file) == bytes;
  good = (file == NULL || fclose(file) == 0) && good;
  return good ? BENCH_OK
              : bench_fail(error, BENCH_ERR_ENV, "%s: cannot write: %s", path, strerror(errno));
}

static bench_code write_list(const bench_blocklist *list, const char *folder, int64_t layer,
                             bench_error *error) {
  bench_code code =
      write_array(folder, "row_begin", layer, list->row_begin,
                  (size_t)(list->patterns * list->rows + 1) * sizeof *list->row_begin, error);
  if (code == BENCH_OK) {
    code = write_array(folder, "column", layer, list->column,
                       (size_t)list->blocks * sizeof *list->column, error);
  }
  if (code == BENCH_OK && list->pattern != NULL) {
    code = write_array(folder, "pattern", layer, list->pattern,
                       (size_t)list->heads * sizeof *list->pattern, error);
  }
  return code;
}

bench_code bench_peer_export(const bench_work *work, const char *folder, bench_error *error) {
  const size_t item = bench_dtype_bytes(work->attn.dtype);
  const size_t q = (size_t)bench_attn_q_elements(&work->attn) * item;
  const size_t kv = (size_t)bench_attn_kv_elements(&work->attn) * item;
  bench_code code = BENCH_OK;
  for (int64_t l = 0; code == BENCH_OK && l < work->layers_distinct; l++) {
    const bench_layer *layer = &work->layers[l];
    const bench_blocklist *list = bench_segment_list(layer->segment);
    code = write_array(folder, "q", l, layer->host_q, q, error);
    if (code == BENCH_OK) {
      code = write_array(folder, "k", l, layer->host_k, kv, error);
    }
    if (code == BENCH_OK) {
      code = write_array(folder, "v", l, layer->host_v, kv, error);
    }
    if (code == BENCH_OK && list != NULL && bench_mask_block(&layer->segment->attn) > 0) {
      code = write_list(list, folder, l, error);
    }
  }
  return code;
}

/* Reads a whole file of `bytes` bytes; `why` is filled where there is none. */
static bool read_array(const char *path, void *array, size_t bytes, char why[256]) {
  struct stat found;
  FILE *file = fopen(path, "rb");
  if (file == NULL || fstat(fileno(file), &found) != 0) {
    snprintf(why, 256, "the peer left no %.200s", strrchr(path, '/') + 1);
  } else if ((uint64_t)found.st_size != bytes) {
    snprintf(why, 256, "the peer's %.100s has %" PRId64 " bytes where %zu belong",
             strrchr(path, '/') + 1, (int64_t)found.st_size, bytes);
  } else if (fread(array, 1, bytes, file) != bytes) {
    snprintf(why, 256, "the peer's %.200s cannot be read", strrchr(path, '/') + 1);
  } else {
    why[0] = '\0';
  }
  if (file != NULL) {
    fclose(file);
  }
  return why[0] == '\0';
}

/* One layer's outputs to where a kernel would have left them. *right is false, and `why` filled, if
 * they are not there as they should be. */
static bench_code take_layer(bench_work *work, const char *folder, int64_t l, void *bounce,
                             bool *lse, bool *right, char why[256], bench_error *error) {
  const bench_layer *layer = &work->layers[l];
  const size_t o_bytes =
      (size_t)bench_attn_q_elements(&work->attn) * bench_dtype_bytes(work->attn.dtype);
  const size_t lse_bytes = (size_t)bench_attn_rows(&work->attn) * sizeof(float);
  char path[4096];
  path_of(folder, "o", l, path);
  *right = read_array(path, bounce, o_bytes, why);
  if (!*right) {
    return BENCH_OK;
  }
  bench_code code = work->backend->upload(work->context, layer->o, bounce, o_bytes, error);
  path_of(folder, "lse", l, path);
  *lse = *lse && access(path, F_OK) == 0;
  if (code == BENCH_OK && *lse) {
    *right = read_array(path, bounce, lse_bytes, why);
    if (*right) {
      code = work->backend->upload(work->context, layer->lse, bounce, lse_bytes, error);
    }
  }
  return code;
}

bench_code bench_peer_judge(bench_work *work, const char *folder, bool whole,
                            bench_verdict *verdict, bench_error *error) {
  const size_t o_bytes =
      (size_t)bench_attn_q_elements(&work->attn) * bench_dtype_bytes(work->attn.dtype);
  const size_t lse_bytes = (size_t)bench_attn_rows(&work->attn) * sizeof(float);
  void *bounce = malloc(o_bytes > lse_bytes ? o_bytes : lse_bytes);
  bool lse = true;
  bool right = true;
  char why[256] = "";
  bench_code code = bounce != NULL
                        ? bench_work_poison(work, error)
                        : bench_fail(error, BENCH_ERR_NOMEM, "no memory for a peer's output");
  for (int64_t l = 0; code == BENCH_OK && right && l < work->layers_distinct; l++) {
    code = take_layer(work, folder, l, bounce, &lse, &right, why, error);
  }
  free(bounce);
  if (code == BENCH_OK) {
    code = work->backend->sync(work->context, error);
  }
  if (code == BENCH_OK && !right) {
    *verdict = (bench_verdict){
        .right = false, .err_max_abs = NAN, .err_rel_l2 = NAN, .err_tolerance = NAN};
    snprintf(verdict->reason, sizeof verdict->reason, "%s", why);
    return BENCH_OK;
  }
  return code == BENCH_OK ? bench_verify_outputs(work, lse, whole, verdict, error) : code;
}
