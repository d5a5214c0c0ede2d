/* tensor_map_make: describes a tensor in global memory to the TMA, on the host. Part of device.h.
 *
 * The encoding is the driver's secret, so its function is asked for at run time: the plug-in links
 * no libcuda, and loads on a machine that has none. */
#ifndef BENCH_CUDA_DEVICE_TENSOR_MAP_H
#define BENCH_CUDA_DEVICE_TENSOR_MAP_H

#include <cuda.h>

#include "cuda/device.h"
#include "cuda/device_tma.h"

#define TENSOR_RANK_MAX 5

static inline CUtensorMapDataType dev_tensor_type(bench_dtype dtype) {
  switch (dtype) {
    case BENCH_FP16:
      return CU_TENSOR_MAP_DATA_TYPE_FLOAT16;
    case BENCH_BF16:
      return CU_TENSOR_MAP_DATA_TYPE_BFLOAT16;
    default:
      return CU_TENSOR_MAP_DATA_TYPE_FLOAT32;
  }
}

static inline CUtensorMapSwizzle dev_tensor_swizzle(dev_swizzle swizzle) {
  switch (swizzle) {
    case SWIZZLE_128B:
      return CU_TENSOR_MAP_SWIZZLE_128B;
    case SWIZZLE_64B:
      return CU_TENSOR_MAP_SWIZZLE_64B;
    case SWIZZLE_32B:
      return CU_TENSOR_MAP_SWIZZLE_32B;
    default:
      return CU_TENSOR_MAP_SWIZZLE_NONE;
  }
}

/* dims and box count elements, innermost dimension first; strides_bytes[i] is the way from one
 * element to the next along dimension i + 1. `base` and the strides are multiples of 16, a box has
 * at most 256 elements a dimension, and the bytes of its innermost one are a multiple of 16 and at
 * most the span of the swizzle. BENCH_ERR_DEVICE if these rules are broken, or the driver is older
 * than sm_90. */
static inline bench_code tensor_map_make(dev_tensor_map *out, bench_dtype dtype, int rank,
                                         const void *base, const int64_t *dims,
                                         const int64_t *strides_bytes, const int32_t *box,
                                         dev_swizzle swizzle) {
  static_assert(sizeof(dev_tensor_map) == sizeof(CUtensorMap), "the driver fills it");
  if (rank < 1 || rank > TENSOR_RANK_MAX) {
    return BENCH_ERR_DEVICE;
  }
  void *function = nullptr;
  cudaDriverEntryPointQueryResult found;
  if (cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, 12000,
                                       cudaEnableDefault, &found) != cudaSuccess ||
      found != cudaDriverEntryPointSuccess) {
    return BENCH_ERR_DEVICE;
  }
  cuuint64_t size[TENSOR_RANK_MAX];
  cuuint64_t stride[TENSOR_RANK_MAX];
  cuuint32_t extent[TENSOR_RANK_MAX];
  cuuint32_t step[TENSOR_RANK_MAX];
  for (int i = 0; i < rank; i++) {
    size[i] = (cuuint64_t)dims[i];
    stride[i] = i + 1 < rank ? (cuuint64_t)strides_bytes[i] : 0;
    extent[i] = (cuuint32_t)box[i];
    step[i] = 1;
  }
  const CUresult result = reinterpret_cast<decltype(&cuTensorMapEncodeTiled)>(function)(
      reinterpret_cast<CUtensorMap *>(out), dev_tensor_type(dtype), (cuuint32_t)rank,
      const_cast<void *>(base), size, stride, extent, step, CU_TENSOR_MAP_INTERLEAVE_NONE,
      dev_tensor_swizzle(swizzle), CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
      CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  return result == CUDA_SUCCESS ? BENCH_OK : BENCH_ERR_DEVICE;
}

#endif
