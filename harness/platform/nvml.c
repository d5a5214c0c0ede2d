/* NVML, opened lazily: see nvml.h. */
#include "platform/nvml.h"

#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIBRARY "libnvidia-ml.so.1"
#define NVML_SUCCESS 0
#define NVML_CLOCK_SM 1
#define NVML_TEMPERATURE_GPU 0

typedef struct nvml_device *nvml_handle;

/* As NVIDIA documents them; nvmlReturn_t and the enums are int. */
static struct {
  int (*init)(void);
  int (*handle_by_uuid)(const char *uuid, nvml_handle *device);
  int (*clock)(nvml_handle device, int type, unsigned *mhz);
  int (*temperature)(nvml_handle device, int sensor, unsigned *celsius);
  int (*power)(nvml_handle device, unsigned *milliwatts);
  int (*energy)(nvml_handle device, unsigned long long *millijoules);
  int (*throttle)(nvml_handle device, unsigned long long *reasons);
  const char *(*error)(int code);
} nvml;
static bench_error nvml_why_not; /* message "": it is there */

struct bench_nvml {
  nvml_handle handle;
};

/* The newer name of a function is looked for first. */
static void *find(void *library, const char *name, const char *older) {
  void *function = dlsym(library, name);
  return function == NULL && older != NULL ? dlsym(library, older) : function;
}

static void open_library(void) {
  void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    bench_fail(&nvml_why_not, BENCH_ERR_UNSUPPORTED, "%s is not installed", LIBRARY);
    return;
  }
  const struct {
    void **function;
    const char *name;
    const char *older;
  } functions[] = {
      {(void **)&nvml.init, "nvmlInit_v2", NULL},
      {(void **)&nvml.handle_by_uuid, "nvmlDeviceGetHandleByUUID", NULL},
      {(void **)&nvml.clock, "nvmlDeviceGetClockInfo", NULL},
      {(void **)&nvml.temperature, "nvmlDeviceGetTemperature", NULL},
      {(void **)&nvml.power, "nvmlDeviceGetPowerUsage", NULL},
      {(void **)&nvml.energy, "nvmlDeviceGetTotalEnergyConsumption", NULL},
      {(void **)&nvml.throttle, "nvmlDeviceGetCurrentClocksEventReasons",
       "nvmlDeviceGetCurrentClocksThrottleReasons"},
      {(void **)&nvml.error, "nvmlErrorString", NULL},
  };
  for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
    *functions[i].function = find(library, functions[i].name, functions[i].older);
    if (*functions[i].function == NULL) {
      bench_fail(&nvml_why_not, BENCH_ERR_UNSUPPORTED, "%s has no %s", LIBRARY, functions[i].name);
      return;
    }
  }
  const int code = nvml.init();
  if (code != NVML_SUCCESS) {
    bench_fail(&nvml_why_not, BENCH_ERR_UNSUPPORTED, "NVML does not start: %s", nvml.error(code));
  }
}

bench_code bench_nvml_open(const char *uuid, bench_nvml **out, bench_error *why_not) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  nvml_handle handle = NULL;
  pthread_once(&once, open_library);
  if (nvml_why_not.message[0] != '\0') {
    return bench_fail(why_not, nvml_why_not.code, "%.1000s", nvml_why_not.message);
  }
  const int code = nvml.handle_by_uuid(uuid, &handle);
  if (code != NVML_SUCCESS) {
    return bench_fail(why_not, BENCH_ERR_UNSUPPORTED, "NVML does not know %.100s: %s", uuid,
                      nvml.error(code));
  }
  *out = malloc(sizeof **out);
  if (*out == NULL) {
    return bench_fail(why_not, BENCH_ERR_NOMEM, "no memory for NVML");
  }
  **out = (bench_nvml){handle};
  return BENCH_OK;
}

void bench_nvml_close(bench_nvml *device) {
  free(device);
}

void bench_nvml_read(const bench_nvml *device, bench_nvml_state *out) {
  unsigned value;
  unsigned long long wide;
  *out = (bench_nvml_state){.sm_mhz = NAN, .temp_c = NAN, .power_w = NAN, .energy_j = NAN};
  if (nvml.clock(device->handle, NVML_CLOCK_SM, &value) == NVML_SUCCESS) {
    out->sm_mhz = value;
  }
  if (nvml.temperature(device->handle, NVML_TEMPERATURE_GPU, &value) == NVML_SUCCESS) {
    out->temp_c = value;
  }
  if (nvml.power(device->handle, &value) == NVML_SUCCESS) {
    out->power_w = value * 1e-3;
  }
  if (nvml.energy(device->handle, &wide) == NVML_SUCCESS) {
    out->energy_j = (double)wide * 1e-3;
  }
  if (nvml.throttle(device->handle, &wide) == NVML_SUCCESS) {
    out->throttle = wide;
  }
}

static const struct {
  uint64_t bit;
  const char *name;
  bool is_fault;
} reasons[] = {
#define REASON(bit, name, is_fault) {bit, #name, is_fault},
    BENCH_THROTTLES(REASON)
#undef REASON
};
#define REASON_COUNT (sizeof reasons / sizeof reasons[0])

void bench_throttle_format(uint64_t bits, char *text, size_t capacity) {
  size_t length = 0;
  text[0] = '\0';
  for (size_t i = 0; i < REASON_COUNT; i++) {
    if ((bits & reasons[i].bit) != 0 && length < capacity) {
      length += (size_t)snprintf(text + length, capacity - length, "%s%s", length > 0 ? "|" : "",
                                 reasons[i].name);
    }
  }
}

bool bench_throttle_is_fault(uint64_t bits) {
  for (size_t i = 0; i < REASON_COUNT; i++) {
    if ((bits & reasons[i].bit) != 0 && reasons[i].is_fault) {
      return true;
    }
  }
  return false;
}
