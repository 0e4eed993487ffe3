// CUDA C++'s keywords, vector types and built-ins (README.md).
#pragma once

#include <cmath>
#include <cstring>
#include <source_location>
#include <string>
#include <type_traits>

#include "cuda_runtime_api.h"

#define __global__
#define __device__
#define __host__
#define __shared__
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __launch_bounds__(threads)

struct uint3 {
  unsigned x, y, z;
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};

// Of the thread that runs; set by fibers.cc.
extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;

namespace cuda_on_host {

using Place = std::source_location;

// Ends the block that runs, and its launch, with an error.
void stop_block(const std::string& problem);
void block_barrier(const Place& place);
// Gives every lane of the warp what each has given: 32 words. The whole warp must take part.
const uint64_t* warp_exchange(unsigned mask, uint64_t word, const Place& place);

}  // namespace cuda_on_host

inline void __syncthreads(cuda_on_host::Place place = cuda_on_host::Place::current()) {
  cuda_on_host::block_barrier(place);
}
inline void __syncwarp(unsigned mask = 0xFFFFFFFFu,
                       cuda_on_host::Place place = cuda_on_host::Place::current()) {
  cuda_on_host::warp_exchange(mask, 0, place);
}
template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int lanes,
                  cuda_on_host::Place place = cuda_on_host::Place::current()) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8);
  uint64_t word = 0;
  std::memcpy(&word, &value, sizeof(T));
  const uint64_t* words = cuda_on_host::warp_exchange(mask, word, place);
  std::memcpy(&value, &words[(threadIdx.x % 32) ^ static_cast<unsigned>(lanes)], sizeof(T));
  return value;
}
