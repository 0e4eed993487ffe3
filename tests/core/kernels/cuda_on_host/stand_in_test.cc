// That the stand-in runs what CUDA would, and that it finds the mistakes which it is there to find.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/base/error.h"
#include "core/kernels/cuda/launch.cuh"
#include "mma.h"

namespace trivium::cuda {
namespace {

struct Numbers {
  float* out;
};

void run(void (*kernel)(Numbers), int threads, size_t shared, Numbers numbers, dim3 grid = {1}) {
  Stream stream(0);
  launch(stream, "kernel", kernel, grid, threads, shared, numbers);
  stream.synchronize();
}

__global__ void reverse_kernel(Numbers numbers) {
  auto* shared = reinterpret_cast<float*>(shared_bytes);
  shared[threadIdx.x] = static_cast<float>(threadIdx.x + 1000 * blockIdx.x);
  __syncthreads();
  numbers.out[blockIdx.x * blockDim.x + threadIdx.x] = shared[blockDim.x - 1 - threadIdx.x];
}

TEST(CudaOnHostTest, BlocksAndThreadsMeetAtBarriers) {
  std::vector<float> out(3 * 96);
  run(reverse_kernel, 96, 96 * sizeof(float), {out.data()}, dim3(3));
  for (size_t i = 0; i < out.size(); ++i) {
    EXPECT_EQ(out[i], static_cast<float>(1000 * (i / 96) + 95 - i % 96));
  }
}

__global__ void sums_kernel(Numbers numbers) {
  const float sum = warp_sum(static_cast<float>(threadIdx.x));
  const float max = warp_max(static_cast<float>(threadIdx.x % 7));
  numbers.out[threadIdx.x] = sum + max / 10;
}

TEST(CudaOnHostTest, WarpsExchangeValues) {
  std::vector<float> out(64);
  run(sums_kernel, 64, 0, {out.data()});
  for (size_t i = 0; i < out.size(); ++i) {
    EXPECT_FLOAT_EQ(out[i], (i < 32 ? 496.0f : 1520.0f) + 0.6f);
  }
}

__global__ void lone_barrier_kernel(Numbers) {
  if (threadIdx.x < 40) __syncthreads();
}
__global__ void two_barriers_kernel(Numbers) {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}
__global__ void lone_shuffle_kernel(Numbers numbers) {
  if (threadIdx.x != 5) numbers.out[0] = warp_sum(1.0f);
}
__global__ void overrun_kernel(Numbers) {
  reinterpret_cast<float*>(shared_bytes)[threadIdx.x + 1] = 1;
}
__global__ void misaligned_kernel(Numbers) {
  nvcuda::wmma::fragment<nvcuda::wmma::matrix_a, 16, 16, 16, __nv_bfloat16, nvcuda::wmma::row_major>
      a;
  nvcuda::wmma::load_matrix_sync(a, reinterpret_cast<const __nv_bfloat16*>(shared_bytes) + 8, 16);
}
__global__ void unset_kernel(Numbers numbers) {
  numbers.out[threadIdx.x] = reinterpret_cast<const float*>(shared_bytes)[threadIdx.x];
}

TEST(CudaOnHostTest, FindsMistakes) {
  std::vector<float> out(64);
  EXPECT_THROW(run(lone_barrier_kernel, 64, 0, {out.data()}), Error);
  EXPECT_THROW(run(two_barriers_kernel, 64, 0, {out.data()}), Error);
  EXPECT_THROW(run(lone_shuffle_kernel, 32, 0, {out.data()}), Error);
  EXPECT_THROW(run(overrun_kernel, 32, 32 * sizeof(float), {out.data()}), Error);
  EXPECT_THROW(run(misaligned_kernel, 32, 1024, {out.data()}), Error);
  EXPECT_THROW(run(unset_kernel, 2048, 0, {out.data()}), Error);
  EXPECT_THROW(run(unset_kernel, 32, 228 * 1024, {out.data()}), Error);
  run(unset_kernel, 32, 32 * sizeof(float), {out.data()});
  EXPECT_TRUE(std::isnan(out[3])) << "shared memory has no value before it is set";
}

__global__ void add_kernel(Numbers numbers) { numbers.out[threadIdx.x] += 1; }

TEST(CudaOnHostTest, AGraphRunsWhenItIsLaunchedAndNotBefore) {
  Stream stream(0);
  std::vector<float> host(32, 1.0f), back(32, 0.0f);
  const DeviceMemory memory(32 * sizeof(float));
  const Graph graph = stream.record([&] {
    stream.copy_to_device(memory.as<float>(), host.data(), 32 * sizeof(float));
    launch(stream, "add", add_kernel, dim3(1), 32, 0, Numbers{memory.as<float>()});
    stream.copy_to_host(back.data(), memory.as<float>(), 32 * sizeof(float));
  });
  stream.synchronize();
  EXPECT_EQ(back[0], 0);
  for (const float value : {5.0f, 8.0f}) {
    host.assign(32, value);
    stream.launch(graph);
    const float before = back[31];
    stream.synchronize();
    EXPECT_NE(before, value + 1) << "work ran before somebody waited for it";
    EXPECT_EQ(back[31], value + 1);
  }
}

}  // namespace
}  // namespace trivium::cuda
