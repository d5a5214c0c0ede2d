/* NVTX ranges: see nvtx.h. The only file that knows whether NVTX is there. */
#include "platform/nvtx.h"

#ifdef BENCH_HAVE_NVTX

#include <nvtx3/nvToolsExt.h>
#include <pthread.h>

static pthread_once_t domain_once = PTHREAD_ONCE_INIT;
static nvtxDomainHandle_t domain; /* lives as long as the process: a tool reads it at exit */

static void create_domain(void) {
  domain = nvtxDomainCreateA("bench");
}

bool bench_nvtx_available(void) {
  return true;
}

void bench_nvtx_push(const char *name) {
  pthread_once(&domain_once, create_domain);
  nvtxEventAttributes_t range = {0};
  range.version = NVTX_VERSION;
  range.size = NVTX_EVENT_ATTRIB_STRUCT_SIZE;
  range.messageType = NVTX_MESSAGE_TYPE_ASCII;
  range.message.ascii = name;
  nvtxDomainRangePushEx(domain, &range);
}

void bench_nvtx_pop(void) {
  pthread_once(&domain_once, create_domain);
  nvtxDomainRangePop(domain);
}

#else

bool bench_nvtx_available(void) {
  return false;
}

void bench_nvtx_push(const char *name) {
  (void)name;
}

void bench_nvtx_pop(void) {}

#endif
