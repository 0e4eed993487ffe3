#include <cmath>

#include "core/kernels/cuda/launch.cuh"
#include "core/kernels/row_attention.h"

namespace trivium::cuda {
namespace {

constexpr int kWarps = 4;
constexpr int kThreads = kWarps * kWarp;
constexpr int kKeys = 4;  // positions that a warp reads before it looks at any, to hide the memory

template <typename T>
struct PairOf;
template <>
struct PairOf<float> {
  using Type = float2;
};
template <>
struct PairOf<__nv_bfloat16> {
  using Type = __nv_bfloat162;
};

struct Parameters {
  RowAttention attention;
  float scale;
};

// What a warp knows of the softmax over the positions it has seen.
template <int kPairs>
struct Online {
  float max = -INFINITY, sum = 0;
  float2 mixed[kPairs] = {};

  __device__ void rescale(float new_max) {
    const float factor = expf(max - new_max);  // 0 for the first positions
    max = new_max;
    sum *= factor;
    for (int i = 0; i < kPairs; ++i) mixed[i] = {mixed[i].x * factor, mixed[i].y * factor};
  }
};

// Lane l has the head's elements 2 * (l + 32 i) and the one behind, i < kPairs; `pairs` of them
// all.
template <typename T, int kPairs>
__device__ void attend_warp(const RowAttention& p, const T* head, int64_t begin,
                            const int32_t* cells, int length, const float2* query, int pairs,
                            Online<kPairs>& online) {
  using Pair = typename PairOf<T>::Type;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  for (int first = warp * kKeys; first < length; first += kWarps * kKeys) {
    float2 keys[kKeys][kPairs] = {}, values[kKeys][kPairs] = {};
    for (int j = 0; j < kKeys; ++j) {
      const int position = first + j;
      if (position >= length) continue;
      const T* place = head + (begin + (cells ? cells[position] : position)) * p.place_stride;
      for (int i = 0; i < kPairs; ++i) {
        const int pair = lane + i * kWarp;
        if (pair >= pairs) continue;
        keys[j][i] = as_float(reinterpret_cast<const Pair*>(place)[pair]);
        values[j][i] = as_float(reinterpret_cast<const Pair*>(place + p.value_offset)[pair]);
      }
    }
    float scores[kKeys];
    float max = online.max;
    for (int j = 0; j < kKeys; ++j) {
      float score = 0;
      for (int i = 0; i < kPairs; ++i) {
        score += query[i].x * keys[j][i].x + query[i].y * keys[j][i].y;
      }
      score = warp_sum(score);
      scores[j] = first + j < length ? score : -INFINITY;
      max = fmaxf(max, scores[j]);
    }
    online.rescale(max);
    for (int j = 0; j < kKeys; ++j) {
      const float weight = expf(scores[j] - max);
      online.sum += weight;
      for (int i = 0; i < kPairs; ++i) {
        online.mixed[i].x += weight * values[j][i].x;
        online.mixed[i].y += weight * values[j][i].y;
      }
    }
  }
}

// Blocks: x over the queries, y over the heads. A block's warps share the positions.
template <typename T, int kPairs>
__global__ void attention_kernel(Parameters parameters) {
  const RowAttention& p = parameters.attention;
  const auto query_index = static_cast<int64_t>(blockIdx.x);
  const int64_t offset = static_cast<int64_t>(blockIdx.y) * p.head_dim;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  const int64_t sequence = p.sequences ? p.sequences[query_index] : query_index;
  const int32_t* cells = p.cells ? p.cells + sequence * p.cells_stride : nullptr;
  const int length = p.lengths[sequence];
  const int64_t begin = p.begins[query_index];
  T* head = static_cast<T*>(p.places) + offset;
  const float* row = p.queries + query_index * p.query_stride + offset;
  if (p.store_own) {
    T* own = head + (begin + (cells ? cells[length - 1] : length - 1)) * p.place_stride;
    const int64_t width = p.num_heads * p.head_dim;
    for (int64_t i = threadIdx.x; i < p.head_dim; i += kThreads) {
      store(own + i, row[width + i]);
      store(own + p.value_offset + i, row[2 * width + i]);
    }
  }
  __syncthreads();
  const int pairs = static_cast<int>(p.head_dim / 2);
  float2 query[kPairs] = {};
  for (int i = 0; i < kPairs; ++i) {
    const int pair = lane + i * kWarp;
    if (pair >= pairs) continue;
    query[i] = {row[2 * pair] * parameters.scale, row[2 * pair + 1] * parameters.scale};
  }
  Online<kPairs> online;
  attend_warp<T, kPairs>(p, head, begin, cells, length, query, pairs, online);

  auto* maxima = reinterpret_cast<float*>(shared_bytes);  // [kWarps]
  float* sums = maxima + kWarps;                          // [kWarps]
  float* mixed = sums + kWarps;                           // [kWarps][head_dim]
  if (lane == 0) {
    maxima[warp] = online.max;
    sums[warp] = online.sum;
  }
  for (int i = 0; i < kPairs; ++i) {
    const int pair = lane + i * kWarp;
    if (pair >= pairs) continue;
    mixed[warp * p.head_dim + 2 * pair] = online.mixed[i].x;
    mixed[warp * p.head_dim + 2 * pair + 1] = online.mixed[i].y;
  }
  __syncthreads();
  float max = -INFINITY, sum = 0;
  for (int w = 0; w < kWarps; ++w) max = fmaxf(max, maxima[w]);
  for (int w = 0; w < kWarps; ++w) sum += sums[w] * expf(maxima[w] - max);
  float* out = p.out + query_index * p.num_heads * p.head_dim + offset;
  for (int64_t i = threadIdx.x; i < p.head_dim; i += kThreads) {
    float value = 0;
    for (int w = 0; w < kWarps; ++w) value += mixed[w * p.head_dim + i] * expf(maxima[w] - max);
    out[i] = value / sum;
  }
}

template <typename T>
void launch_type(Stream& stream, const RowAttention& attention) {
  const Parameters parameters = {attention,
                                 1.0f / std::sqrt(static_cast<float>(attention.head_dim))};
  const dim3 grid(static_cast<unsigned>(attention.num_queries),
                  static_cast<unsigned>(attention.num_heads));
  const size_t shared = kWarps * (2 + static_cast<size_t>(attention.head_dim)) * sizeof(float);
  const auto kernel = attention.head_dim <= 64    ? attention_kernel<T, 1>
                      : attention.head_dim <= 128 ? attention_kernel<T, 2>
                                                  : attention_kernel<T, 4>;
  launch(stream, "attend_rows", kernel, grid, kThreads, shared, parameters);
}

}  // namespace

void attend_rows(Stream& stream, const RowAttention& attention) {
  if (attention.type == ComputeType::kFloat32) {
    launch_type<float>(stream, attention);
  } else {
    launch_type<__nv_bfloat16>(stream, attention);
  }
}

}  // namespace trivium::cuda
