#include "core/kernels/cuda/launch.cuh"
#include "core/kernels/row_norm.h"

namespace trivium::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / kWarp;

// The sum of all threads' values, for all of them. `parts` [kWarps] is the block's.
__device__ float block_sum(float value, float* parts) {
  const int thread = static_cast<int>(threadIdx.x);
  value = warp_sum(value);
  __syncthreads();  // parts may still be read
  if (thread % kWarp == 0) parts[thread / kWarp] = value;
  __syncthreads();
  float sum = 0;
  for (int warp = 0; warp < kWarps; ++warp) sum += parts[warp];
  return sum;
}

// What LayerNorm takes from a row: (x - mean) * scale. Each thread has written the elements of the
// row, from its own number on in steps of kThreads, and reads them again.
struct RowMoments {
  float mean, scale;
};
__device__ RowMoments moments_of(const float* row, int64_t width, float eps, float* parts) {
  float sum = 0;
  for (int64_t i = threadIdx.x; i < width; i += kThreads) sum += row[i];
  const float mean = block_sum(sum, parts) / static_cast<float>(width);
  float squares = 0;
  for (int64_t i = threadIdx.x; i < width; i += kThreads) {
    const float apart = row[i] - mean;
    squares += apart * apart;
  }
  const float variance = block_sum(squares, parts) / static_cast<float>(width);
  return {mean, 1.0f / sqrtf(variance + eps)};
}

// One block a row.
__global__ void norm_kernel(RowNorm p) {
  auto* parts = reinterpret_cast<float*>(shared_bytes);
  float* mixed = parts + kWarps;  // [width]
  float* row = mixed + p.width;   // [width]
  const auto index = static_cast<int64_t>(blockIdx.x);
  for (int64_t i = threadIdx.x; i < p.width; i += kThreads) mixed[i] = 0;
  for (int slot = 0; slot < p.slots; ++slot) {
    const int64_t use = p.uses ? p.uses[index * p.slots + slot] : index;
    if (use < 0) continue;  // the same for the whole block
    for (int64_t i = threadIdx.x; i < p.width; i += kThreads) row[i] = p.in[use * p.width + i];
    const RowMoments moments = moments_of(row, p.width, p.norm.eps, parts);
    const int64_t expert = p.experts ? p.experts[use] : 0;
    const float weight = p.uses ? p.weights[use] : 1.0f;
    for (int64_t i = threadIdx.x; i < p.width; i += kThreads) {
      const int64_t at = expert * p.width + i;
      mixed[i] +=
          weight * ((row[i] - moments.mean) * moments.scale * p.norm.gamma[at] + p.norm.beta[at]);
    }
  }
  for (int64_t i = threadIdx.x; i < p.width; i += kThreads) p.out[index * p.width + i] = mixed[i];
}

template <typename T>
__global__ void embed_kernel(RowEmbedding p) {
  auto* parts = reinterpret_cast<float*>(shared_bytes);
  float* row = parts + kWarps;  // [width]
  const auto index = static_cast<int64_t>(blockIdx.x);
  const T* token = static_cast<const T*>(p.table) + p.ids[index] * p.table_stride;
  const float* position = p.position_table + p.positions[index] * p.width;
  for (int64_t i = threadIdx.x; i < p.width; i += kThreads) {
    row[i] = as_float(token[i]) * p.scale + position[i];
  }
  const RowMoments moments = moments_of(row, p.width, p.norm.eps, parts);
  for (int64_t i = threadIdx.x; i < p.width; i += kThreads) {
    p.out[index * p.width + i] =
        (row[i] - moments.mean) * moments.scale * p.norm.gamma[i] + p.norm.beta[i];
  }
}

}  // namespace

void norm_rows(Stream& stream, const RowNorm& norm) {
  const size_t shared = (kWarps + 2 * static_cast<size_t>(norm.width)) * sizeof(float);
  launch(stream, "norm_rows", norm_kernel, dim3(static_cast<unsigned>(norm.rows)), kThreads, shared,
         norm);
}

void embed_rows(Stream& stream, const RowEmbedding& embedding) {
  const size_t shared = (kWarps + static_cast<size_t>(embedding.width)) * sizeof(float);
  const auto kernel =
      embedding.type == ComputeType::kFloat32 ? embed_kernel<float> : embed_kernel<__nv_bfloat16>;
  launch(stream, "embed_rows", kernel, dim3(static_cast<unsigned>(embedding.rows)), kThreads,
         shared, embedding);
}

}  // namespace trivium::cuda
