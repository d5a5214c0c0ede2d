/* The rules of --resume. */
#include "src/resume.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sinks/folder.h"

bench_code bench_resume_plan_whole(bench_resume *resume, const bench_plan *plan,
                                   bench_error *error) {
  return bench_plan_index_build(plan, &resume->whole, error);
}

bench_code bench_resume_plan_selected(bench_resume *resume, const bench_plan *plan,
                                      const bench_target *target, bench_error *error) {
  resume->plan = plan;
  resume->target = target;
  return bench_plan_index_build(plan, &resume->selected, error);
}

void bench_resume_free(bench_resume *resume) {
  bench_plan_index_free(&resume->whole);
  bench_plan_index_free(&resume->selected);
  bench_base_times_free(&resume->base);
}

/* Whether this run would only find again what the row says. */
static bool is_settled(const bench_resume *resume, const bench_plan_place *place,
                       const bench_row *row) {
  if (strcmp(row->status, "ok") == 0) {
    return true;
  }
  if (strcmp(row->status, "skipped") != 0) {
    return false;
  }
  const bench_case *planned = &resume->plan->cases[place->case_index];
  const char *why_not = bench_plan_why_not(planned, place->mode, resume->target);
  char reason[sizeof row->reason]; /* as a row would have it */
  bench_text_copy(reason, sizeof reason, why_not == NULL ? "" : why_not);
  return why_not != NULL && strcmp(reason, row->reason) == 0;
}

/* What stands beside new rows as a measurement must be of the same kind. */
static bench_code check_origin(const bench_resume *resume, const bench_row *row,
                               bench_error *error) {
  const bench_device *device = &resume->target->device;
  char schema[32];
  char own_schema[32];
  snprintf(schema, sizeof schema, "%" PRId64, row->schema_version);
  snprintf(own_schema, sizeof own_schema, "%d", BENCH_SCHEMA_VERSION);
  const struct {
    const char *what;
    const char *there;
    const char *here;
  } same[] = {
      {"schema", schema, own_schema},
      {"commit", row->git_commit, resume->commit},
      {"backend", row->backend, device->backend},
      {"device", row->device, device->name},
      {"device", row->gpu_uuid, device->uuid},
  };
  for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
    if (strcmp(same[i].there, same[i].here) != 0) {
      return bench_fail(error, BENCH_ERR_UNSUPPORTED,
                        "%s: has rows of %s \"%s\", not \"%s\"; give --force to mix them",
                        resume->folder, same[i].what, same[i].there, same[i].here);
    }
  }
  return BENCH_OK;
}

/* Two builds of changes that were never committed have one commit, but not one code. What the plan
 * does not run with a kernel of ours, such as a peer's, has no code to compare. */
static bench_code check_kernel(const bench_resume *resume, const bench_kernel_entry *kernel,
                               const bench_row *row, bench_error *error) {
  if (kernel == NULL || strcmp(kernel->code_hash, row->kernel_hash) == 0) {
    return BENCH_OK;
  }
  return bench_fail(error, BENCH_ERR_UNSUPPORTED,
                    "%s: has rows of kernel %s with code \"%s %s\", not \"%s %s\"; give --force to "
                    "mix them",
                    resume->folder, row->kernel, row->variant, row->kernel_hash,
                    kernel->kernel->variant, kernel->code_hash);
}

bench_code bench_resume_judge(void *context, const bench_row *row, bool *stays,
                              bench_error *error) {
  bench_resume *resume = context;
  const uint64_t id = bench_folder_row_id(row->case_id, row->mode);
  const bench_plan_place *planned = bench_plan_index_find(&resume->whole, id);
  if (!resume->force && planned == NULL) {
    return bench_fail(error, BENCH_ERR_UNSUPPORTED,
                      "%s: has rows that are not of this plan (case %s, mode %s): give the same "
                      "config, --set and --seed, or --force to keep them",
                      resume->folder, row->case_id, row->mode);
  }
  const bench_plan_place *place = bench_plan_index_find(&resume->selected, id);
  *stays = place == NULL || is_settled(resume, place, row);
  if (!*stays) {
    return BENCH_OK;
  }
  if (!resume->force && strcmp(row->status, "skipped") != 0) {
    bench_code code = check_origin(resume, row, error);
    if (code == BENCH_OK) {
      code = check_kernel(resume, planned->kernel, row, error);
    }
    if (code != BENCH_OK) {
      return code;
    }
  }
  bench_base_times_note(&resume->base, row);
  if (strcmp(row->status, "oom") == 0) {
    bench_oom_rule_note(&resume->oom, row);
  }
  return BENCH_OK;
}
