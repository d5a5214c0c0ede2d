/* The injection library of nvtx_probe.h. NVTX finds it by NVTX_INJECTION64_PATH and calls
 * InitializeInjectionNvtx2 at the first NVTX call of the process; it then writes its functions
 * into NVTX's tables. */
#include "nvtx_probe.h"

#include <nvtx3/nvToolsExt.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { MAX_EVENTS = 4096, MAX_DOMAINS = 16 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static nvtx_probe_event events[MAX_EVENTS];
static int event_count; /* counts on beyond MAX_EVENTS */
static int attached;
static int depth;
static int is_timed;
static int violation_count;
static char domain_names[MAX_DOMAINS][sizeof events[0].domain];
static int domain_count;

static const char *domain_name(nvtxDomainHandle_t domain) {
  return domain != NULL ? (const char *)(void *)domain : "";
}

static int record(nvtx_probe_kind kind, const char *domain, const char *message) {
  pthread_mutex_lock(&mutex);
  violation_count += is_timed != 0;
  if (kind == NVTX_PROBE_POP) {
    violation_count += depth == 0;
    depth -= depth > 0;
  }
  int at = depth;
  if (event_count < MAX_EVENTS) {
    nvtx_probe_event *event = &events[event_count];
    *event = (nvtx_probe_event){.kind = kind, .depth = at, .timed = is_timed};
    snprintf(event->domain, sizeof event->domain, "%s", domain);
    snprintf(event->message, sizeof event->message, "%s", message);
  }
  event_count++;
  if (kind == NVTX_PROBE_PUSH) {
    depth++;
  }
  pthread_mutex_unlock(&mutex);
  return at;
}

static const char *text_of(const nvtxEventAttributes_t *attributes) {
  return attributes->messageType == NVTX_MESSAGE_TYPE_ASCII ? attributes->message.ascii : "";
}

static nvtxDomainHandle_t on_domain_create(const char *name) {
  pthread_mutex_lock(&mutex);
  char *slot = domain_names[domain_count % MAX_DOMAINS];
  domain_count++;
  snprintf(slot, sizeof domain_names[0], "%s", name);
  pthread_mutex_unlock(&mutex);
  return (nvtxDomainHandle_t)(void *)slot;
}

static int on_domain_push(nvtxDomainHandle_t domain, const nvtxEventAttributes_t *attributes) {
  return record(NVTX_PROBE_PUSH, domain_name(domain), text_of(attributes));
}

static int on_domain_pop(nvtxDomainHandle_t domain) {
  return record(NVTX_PROBE_POP, domain_name(domain), "");
}

static nvtxRangeId_t on_domain_start(nvtxDomainHandle_t domain,
                                     const nvtxEventAttributes_t *attributes) {
  return (nvtxRangeId_t)record(NVTX_PROBE_START, domain_name(domain), text_of(attributes));
}

static void on_domain_end(nvtxDomainHandle_t domain, nvtxRangeId_t id) {
  (void)id;
  record(NVTX_PROBE_END, domain_name(domain), "");
}

static void on_domain_mark(nvtxDomainHandle_t domain, const nvtxEventAttributes_t *attributes) {
  record(NVTX_PROBE_MARK, domain_name(domain), text_of(attributes));
}

static int on_push(const char *message) {
  return record(NVTX_PROBE_PUSH, "", message);
}

static int on_push_ex(const nvtxEventAttributes_t *attributes) {
  return record(NVTX_PROBE_PUSH, "", text_of(attributes));
}

static int on_pop(void) {
  return record(NVTX_PROBE_POP, "", "");
}

static nvtxRangeId_t on_start(const char *message) {
  return (nvtxRangeId_t)record(NVTX_PROBE_START, "", message);
}

static nvtxRangeId_t on_start_ex(const nvtxEventAttributes_t *attributes) {
  return (nvtxRangeId_t)record(NVTX_PROBE_START, "", text_of(attributes));
}

static void on_end(nvtxRangeId_t id) {
  (void)id;
  record(NVTX_PROBE_END, "", "");
}

static void on_mark(const char *message) {
  record(NVTX_PROBE_MARK, "", message);
}

static void on_mark_ex(const nvtxEventAttributes_t *attributes) {
  record(NVTX_PROBE_MARK, "", text_of(attributes));
}

typedef struct hook {
  unsigned id;
  NvtxFunctionPointer function;
} hook;

#define HOOK(id_, function_) \
  { .id = (id_), .function = (NvtxFunctionPointer)(function_) }

static int install(const NvtxExportTableCallbacks *callbacks, NvtxCallbackModule module,
                   const hook *hooks, size_t count) {
  NvtxFunctionTable table = NULL;
  unsigned size = 0;
  if (callbacks->GetModuleFunctionTable(module, &table, &size) == 0) {
    return 0;
  }
  for (size_t i = 0; i < count; i++) {
    if (hooks[i].id >= size) {
      return 0;
    }
    *table[hooks[i].id] = hooks[i].function;
  }
  return 1;
}

/* Called by NVTX; the answer 1 says that we are attached. */
int InitializeInjectionNvtx2(NvtxGetExportTableFunc_t get_export_table);
int InitializeInjectionNvtx2(NvtxGetExportTableFunc_t get_export_table) {
  static const hook core[] = {
      HOOK(NVTX_CBID_CORE_MarkEx, on_mark_ex),        HOOK(NVTX_CBID_CORE_MarkA, on_mark),
      HOOK(NVTX_CBID_CORE_RangeStartEx, on_start_ex), HOOK(NVTX_CBID_CORE_RangeStartA, on_start),
      HOOK(NVTX_CBID_CORE_RangeEnd, on_end),          HOOK(NVTX_CBID_CORE_RangePushEx, on_push_ex),
      HOOK(NVTX_CBID_CORE_RangePushA, on_push),       HOOK(NVTX_CBID_CORE_RangePop, on_pop),
  };
  static const hook domains[] = {
      HOOK(NVTX_CBID_CORE2_DomainMarkEx, on_domain_mark),
      HOOK(NVTX_CBID_CORE2_DomainRangeStartEx, on_domain_start),
      HOOK(NVTX_CBID_CORE2_DomainRangeEnd, on_domain_end),
      HOOK(NVTX_CBID_CORE2_DomainRangePushEx, on_domain_push),
      HOOK(NVTX_CBID_CORE2_DomainRangePop, on_domain_pop),
      HOOK(NVTX_CBID_CORE2_DomainCreateA, on_domain_create),
  };
  const NvtxExportTableCallbacks *callbacks = get_export_table(NVTX_ETID_CALLBACKS);
  attached = callbacks != NULL &&
             install(callbacks, NVTX_CB_MODULE_CORE, core, sizeof core / sizeof core[0]) &&
             install(callbacks, NVTX_CB_MODULE_CORE2, domains, sizeof domains / sizeof domains[0]);
  return attached;
}

int nvtx_probe_attached(void) {
  return attached;
}

int nvtx_probe_depth(void) {
  return depth;
}

void nvtx_probe_set_timed(int timed) {
  is_timed = timed;
}

int nvtx_probe_violations(void) {
  return violation_count;
}

int nvtx_probe_event_count(void) {
  return event_count < MAX_EVENTS ? event_count : MAX_EVENTS;
}

const nvtx_probe_event *nvtx_probe_event_at(int index) {
  return index >= 0 && index < nvtx_probe_event_count() ? &events[index] : NULL;
}

void nvtx_probe_reset(void) {
  event_count = 0;
  depth = 0;
  is_timed = 0;
  violation_count = 0;
}
