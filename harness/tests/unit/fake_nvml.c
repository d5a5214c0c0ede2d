/* A libnvidia-ml.so.1 with one GPU, whose energy counter grows by 500 J at each reading. */
#include <string.h>

int nvmlInit_v2(void);
int nvmlDeviceGetHandleByUUID(const char *uuid, void **device);
int nvmlDeviceGetClockInfo(void *device, int type, unsigned *mhz);
int nvmlDeviceGetTemperature(void *device, int sensor, unsigned *celsius);
int nvmlDeviceGetPowerUsage(void *device, unsigned *milliwatts);
int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *millijoules);
int nvmlDeviceGetCurrentClocksThrottleReasons(void *device, unsigned long long *reasons);
const char *nvmlErrorString(int code);

static int gpu;

int nvmlInit_v2(void) {
  return 0;
}

int nvmlDeviceGetHandleByUUID(const char *uuid, void **device) {
  *device = &gpu;
  return strcmp(uuid, "GPU-fake") == 0 ? 0 : 6;
}

int nvmlDeviceGetClockInfo(void *device, int type, unsigned *mhz) {
  *mhz = device == &gpu && type == 1 ? 1755 : 0;
  return 0;
}

int nvmlDeviceGetTemperature(void *device, int sensor, unsigned *celsius) {
  *celsius = 61;
  return device == &gpu && sensor == 0 ? 0 : 2;
}

int nvmlDeviceGetPowerUsage(void *device, unsigned *milliwatts) {
  (void)device;
  (void)milliwatts;
  return 3; /* not supported */
}

int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *millijoules) {
  static unsigned long long counter = 1000000;
  (void)device;
  *millijoules = counter;
  counter += 500000;
  return 0;
}

/* The name that drivers before CUDA 12.2 have. */
int nvmlDeviceGetCurrentClocksThrottleReasons(void *device, unsigned long long *reasons) {
  (void)device;
  *reasons = 0x44;
  return 0;
}

const char *nvmlErrorString(int code) {
  return code == 6 ? "Not Found" : "Unknown Error";
}
