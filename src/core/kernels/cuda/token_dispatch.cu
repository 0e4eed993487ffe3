#include "core/kernels/cuda/launch.cuh"
#include "core/kernels/token_dispatch.h"

namespace trivium::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / kWarp;

// A warp a row. The softmax is found in one pass over the logits: `total` is the sum of
// exp(logit - largest).
__global__ void choose_kernel(TokenDispatch p) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int row = static_cast<int>(blockIdx.x) * kWarps + static_cast<int>(threadIdx.x) / kWarp;
  if (row >= p.rows) return;  // the whole warp
  const int64_t depth = p.gates.depth;
  const float* token = p.input + row * depth;
  const float* weights = p.gates.weights + p.gate_of_rows[row] * p.gates.num_experts * depth;
  float largest = 0, total = 0;
  int chosen = 0;
  for (int expert = 0; expert < p.gates.num_experts; ++expert, weights += depth) {
    float logit = 0;
    for (int64_t i = lane; i < depth; i += kWarp) logit += weights[i] * token[i];
    logit = warp_sum(logit);
    if (expert == 0 || logit > largest) {
      total = 1 + (expert == 0 ? 0 : total * expf(largest - logit));
      largest = logit;
      chosen = expert;
    } else {
      total += expf(logit - largest);
    }
  }
  if (lane > 0) return;
  p.experts[row] = chosen;
  p.factors[row] = p.gates.factor_scale == 0 ? 1.0f : p.gates.factor_scale / total;
}

__device__ int32_t smaller(int32_t a, int32_t b) { return a < b ? a : b; }

struct SortParameters {
  TokenDispatch dispatch;
  int32_t num_tiles;
};

// One block: sorts the rows by expert. A thread has neighbouring rows, so that order is kept
// without atomic operations, and every run writes the same.
__global__ void sort_kernel(SortParameters parameters) {
  const TokenDispatch& p = parameters.dispatch;
  const int experts = p.gates.num_experts, thread = static_cast<int>(threadIdx.x);
  auto* places = reinterpret_cast<int32_t*>(shared_bytes);  // [kThreads][experts]
  int32_t* begins = places + kThreads * experts;            // [experts + 1]
  int32_t* first_tiles = begins + experts + 1;              // [experts + 1]
  const int share = (p.rows + kThreads - 1) / kThreads;
  const int first = smaller(thread * share, p.rows), end = smaller(first + share, p.rows);
  int32_t* own = places + thread * experts;
  for (int e = 0; e < experts; ++e) own[e] = 0;
  for (int row = first; row < end; ++row) ++own[p.experts[row]];
  __syncthreads();
  if (thread < experts) {  // counts become places within the expert
    int32_t sum = 0;
    for (int t = 0; t < kThreads; ++t) {
      const int32_t count = places[t * experts + thread];
      places[t * experts + thread] = sum;
      sum += count;
    }
    begins[thread + 1] = sum;
  }
  __syncthreads();
  if (thread == 0) {
    begins[0] = first_tiles[0] = 0;
    for (int e = 0; e < experts; ++e) {
      first_tiles[e + 1] = first_tiles[e] + (begins[e + 1] + p.tile_rows - 1) / p.tile_rows;
      begins[e + 1] += begins[e];
    }
  }
  __syncthreads();
  for (int row = first; row < end; ++row) {
    const int32_t expert = p.experts[row];
    p.order[begins[expert] + own[expert]++] = row;
  }
  for (int tile = thread; tile < parameters.num_tiles; tile += kThreads) {
    ExpertTile made = {0, 0, 0};
    for (int e = 0; e < experts; ++e) {
      if (tile < first_tiles[e] || tile >= first_tiles[e + 1]) continue;
      const int32_t begin = begins[e] + (tile - first_tiles[e]) * p.tile_rows;
      made = {e, begin, smaller(p.tile_rows, begins[e + 1] - begin)};
    }
    p.tiles[tile] = made;
  }
}

}  // namespace

void dispatch_tokens(Stream& stream, const TokenDispatch& dispatch) {
  launch(stream, "choose_experts", choose_kernel,
         dim3(static_cast<unsigned>((dispatch.rows + kWarps - 1) / kWarps)), kThreads, 0, dispatch);
  const auto experts = static_cast<size_t>(dispatch.gates.num_experts);
  const size_t shared = (kThreads * experts + 2 * (experts + 1)) * sizeof(int32_t);
  launch(stream, "sort_by_expert", sort_kernel, dim3(1), kThreads, shared,
         SortParameters{dispatch, dispatch.num_tiles()});
}

}  // namespace trivium::cuda
