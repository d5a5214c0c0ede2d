/* The backends and the kernel families of this process: explicit tables, for a constructor in a
 * static library vanishes without a word. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "backends/cpu.h"
#include "backends/plugin.h"
#include "bench/backend.h"

const char *const bench_families[] = {"reference", "naive",  "blas",   "flash", "sparse",
                                      "decode",    "vendor", "memory", "null"};
const size_t bench_family_count = sizeof bench_families / sizeof bench_families[0];

bool bench_family_computes(const char *name) {
  return !bench_name_is_of(name, "memory") && !bench_name_is_of(name, "null");
}

/* The order of bench_backend_at(). `backend` is NULL where `why_not` says why. */
typedef struct slot {
  const char *name;
  const char *file; /* of the plug-in; NULL: compiled in */
  const char *what;
  bool for_tests; /* no word of it where its plug-in is absent */
  const bench_backend *backend;
  bench_error why_not;
} slot;

static slot slots[] = {
    {.name = "cpu"},
    {.name = "cuda", .file = "libbench_cuda.so", .what = "CUDA"},
    {.name = "emu", .file = "libbench_emu.so", .what = "emulation", .for_tests = true},
};
#define SLOT_COUNT (sizeof slots / sizeof slots[0])

static void fill_slots(void) {
  for (size_t i = 0; i < SLOT_COUNT; i++) {
    slot *each = &slots[i];
    if (each->file != NULL) {
      each->backend = bench_plugin_beside(each->file, each->what, &each->why_not);
    } else if (bench_backend_check(bench_backend_cpu(), &each->why_not) == BENCH_OK) {
      each->backend = bench_backend_cpu();
    }
  }
}

static const slot *filled_slots(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, fill_slots);
  return slots;
}

size_t bench_backend_count(void) {
  size_t count = 0;
  for (size_t i = 0; i < SLOT_COUNT; i++) {
    count += filled_slots()[i].backend != NULL;
  }
  return count;
}

const bench_backend *bench_backend_at(size_t index) {
  for (size_t i = 0; i < SLOT_COUNT; i++) {
    const bench_backend *backend = filled_slots()[i].backend;
    if (backend != NULL && index-- == 0) {
      return backend;
    }
  }
  return NULL;
}

const char *bench_backend_name_at(size_t index) {
  for (size_t i = 0; i < SLOT_COUNT; i++) {
    const slot *each = &filled_slots()[i];
    if ((each->backend != NULL || !each->for_tests) && index-- == 0) {
      return each->name;
    }
  }
  return NULL;
}

/* "cpu, cuda and emu" */
static void list_names(char *text, size_t bytes) {
  size_t used = 0;
  const char *name = bench_backend_name_at(0);
  for (size_t i = 0; name != NULL && used < bytes; i++) {
    const char *next = bench_backend_name_at(i + 1);
    const bool is_last = next == NULL && i > 0;
    used += (size_t)snprintf(text + used, bytes - used, "%s%s",
                             i == 0    ? ""
                             : is_last ? " and "
                                       : ", ",
                             name);
    name = next;
  }
}

const bench_backend *bench_backend_find(const char *name, bench_error *why_not) {
  for (size_t i = 0; i < SLOT_COUNT; i++) {
    const slot *candidate = &filled_slots()[i];
    if (strcmp(candidate->name, name) == 0) {
      if (candidate->backend == NULL && why_not != NULL) {
        *why_not = candidate->why_not;
      }
      return candidate->backend;
    }
  }
  char names[128];
  list_names(names, sizeof names);
  bench_fail(why_not, BENCH_ERR_USAGE, "backend \"%.100s\" is unknown: there are %s", name, names);
  return NULL;
}

/* Layers that between them have every mask of the problem. */
static size_t layers_of_masks(const bench_attn *attn, bench_attn layers[2]) {
  layers[0] = bench_attn_layer(attn, 0);
  if (attn->mask.kind != BENCH_MASK_HYBRID || attn->mask.over != BENCH_HYBRID_LAYERS ||
      attn->layers <= attn->mask.share[0]) {
    return 1;
  }
  layers[1] = bench_attn_layer(attn, attn->mask.share[0]);
  return 2;
}

const char *bench_kernel_why_not(const bench_kernel *kernel, const bench_attn *attn,
                                 const bench_device *device) {
  bench_attn layers[2];
  const size_t count = layers_of_masks(attn, layers);
  const char *reason = NULL;
  for (size_t i = 0; i < count && reason == NULL; i++) {
    reason = kernel->why_not(&layers[i], device);
  }
  return reason;
}

size_t bench_kernel_workspace_bytes(const bench_kernel *kernel, const bench_attn *attn,
                                    const bench_device *device) {
  bench_attn layers[2];
  const size_t count = kernel->workspace_bytes == NULL ? 0 : layers_of_masks(attn, layers);
  size_t most = 0;
  for (size_t i = 0; i < count; i++) {
    const size_t bytes = kernel->workspace_bytes(&layers[i], device);
    most = bytes > most ? bytes : most;
  }
  return most;
}

bool bench_name_is_of(const char *name, const char *family) {
  const size_t length = strlen(family);
  return strncmp(name, family, length) == 0 && (name[length] == '\0' || name[length] == '/');
}

bool bench_kernel_is_named(const bench_kernel *kernel, const char *name) {
  const char *variant = strchr(name, '/');
  return bench_name_is_of(name, kernel->family) &&
         (variant == NULL || strcmp(variant + 1, kernel->variant) == 0);
}

const bench_kernel_entry *bench_backend_kernel(const bench_backend *backend, const char *name,
                                               const bench_attn *attn, const bench_device *device,
                                               const char **why_not) {
  const char *reason = strchr(name, '/') == NULL
                           ? "this backend has no kernel of the family in this build"
                           : "this backend has no kernel of the family and variant in this build";
  bool is_last = true;
  for (size_t i = backend->kernel_count; i-- > 0;) {
    const bench_kernel *kernel = backend->kernels[i].kernel;
    if (!bench_kernel_is_named(kernel, name)) {
      continue;
    }
    const char *refusal = bench_kernel_why_not(kernel, attn, device);
    if (refusal == NULL) {
      return &backend->kernels[i];
    }
    if (is_last) {
      reason = refusal;
      is_last = false;
    }
  }
  *why_not = reason;
  return NULL;
}
