// Launches, shared memory and warps: what the kernels of this folder have in common.
#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <cstdint>

#include "core/kernels/cuda/check.h"
#include "core/kernels/cuda_stream.h"

namespace trivium::cuda {

constexpr int kWarp = 32;
constexpr unsigned kWholeWarp = 0xFFFFFFFFu;
constexpr size_t kDefaultShared = 48 * 1024;  // a block may have more, where a kernel asks for it

// All shared memory is the launch's.
extern __shared__ __align__(128) unsigned char shared_bytes[];

// Queues kernel(parameters) with `threads` threads a block and `shared` bytes a block.
template <typename Parameters>
void launch(Stream& stream, const char* name, void (*kernel)(Parameters), dim3 grid, int threads,
            size_t shared, const Parameters& parameters) {
  if (shared > kDefaultShared) {
    check_cuda(
        cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                             cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared)),
        name);
  }
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = dim3(static_cast<unsigned>(threads));
  config.dynamicSmemBytes = shared;
  config.stream = static_cast<cudaStream_t>(stream.handle());
  check_cuda(cudaLaunchKernelEx(&config, kernel, parameters), name);
}

template <typename T>
__device__ T warp_sum(T value) {
  for (int step = kWarp / 2; step > 0; step /= 2) value += __shfl_xor_sync(kWholeWarp, value, step);
  return value;
}

__device__ inline float warp_max(float value) {
  for (int step = kWarp / 2; step > 0; step /= 2) {
    value = fmaxf(value, __shfl_xor_sync(kWholeWarp, value, step));
  }
  return value;
}

__device__ inline float as_float(float value) { return value; }
__device__ inline float as_float(__nv_bfloat16 value) { return __bfloat162float(value); }
__device__ inline float2 as_float(float2 value) { return value; }
__device__ inline float2 as_float(__nv_bfloat162 value) { return __bfloat1622float2(value); }

__device__ inline void store(float* place, float value) { *place = value; }
__device__ inline void store(__nv_bfloat16* place, float value) {
  *place = __float2bfloat16(value);
}
__device__ inline void store4(float* place, float4 value) {
  *reinterpret_cast<float4*>(place) = value;
}
__device__ inline void store4(__nv_bfloat16* place, float4 value) {
  auto* pairs = reinterpret_cast<__nv_bfloat162*>(place);
  pairs[0] = __floats2bfloat162_rn(value.x, value.y);
  pairs[1] = __floats2bfloat162_rn(value.z, value.w);
}

}  // namespace trivium::cuda
