#include "core/kernels/cuda/tile_product.cuh"
#include "core/kernels/vocabulary_scan.h"

namespace trivium::cuda {
namespace {

constexpr int kColumns = static_cast<int>(kScanColumns);
constexpr int kStride = kColumns + 4;      // of a row of logits in shared memory
constexpr int kOfLane = kColumns / kWarp;  // logits of a row that a lane has
constexpr int kMergeThreads = 256;
constexpr int kMergeWarps = kMergeThreads / kWarp;

struct TileSum {
  float max, sum;
};

struct Parameters {
  VocabularyScan scan;
  ExpertRows rows;
  int64_t padded_columns, padded_depth;
  int num_tiles;           // of tokens
  TileSum* tile_sums;      // [rows][num_tiles]
  ScoredToken* tile_best;  // [rows][num_tiles][count]
};

__device__ bool is_better(const ScoredToken& a, const ScoredToken& b) {
  if (b.token < 0) return a.token >= 0;
  return a.token >= 0 && (a.logit > b.logit || (a.logit == b.logit && a.token < b.token));
}

__device__ ScoredToken warp_best(ScoredToken best) {
  for (int step = kWarp / 2; step > 0; step /= 2) {
    ScoredToken other;
    other.logit = __shfl_xor_sync(kWholeWarp, best.logit, step);
    other.token = __shfl_xor_sync(kWholeWarp, best.token, step);
    if (is_better(other, best)) best = other;
  }
  return best;
}

__device__ bool contains(const int32_t* begin, const int32_t* end, int32_t token) {
  while (begin < end) {
    const int32_t* middle = begin + (end - begin) / 2;
    if (*middle == token) return true;
    if (*middle < token) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  return false;
}

// One row's logits of a tile of tokens, by one warp.
__device__ void reduce_row(const Parameters& p, const float* logits, int64_t row, int tile) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const auto vocab_size = static_cast<int32_t>(p.scan.matrices.columns);
  const int32_t* bans = p.scan.banned + p.scan.ban_begins[row];
  const int32_t* bans_end = p.scan.banned + p.scan.ban_begins[row + 1];
  ScoredToken own[kOfLane];
  float max = -INFINITY;
#pragma unroll
  for (int i = 0; i < kOfLane; ++i) {
    const int32_t token = tile * kColumns + lane + i * kWarp;
    own[i] = {token < vocab_size ? logits[lane + i * kWarp] : -INFINITY, token};
    max = fmaxf(max, own[i].logit);
  }
  max = warp_max(max);
  float sum = 0;
#pragma unroll
  for (int i = 0; i < kOfLane; ++i) {
    // What is not a number gets through to the sum.
    if (own[i].logit != -INFINITY) sum += expf(own[i].logit - max);
    const bool is_candidate = own[i].logit > -INFINITY && !contains(bans, bans_end, own[i].token);
    if (!is_candidate) own[i].token = -1;
  }
  sum = warp_sum(sum);
  if (lane == 0) p.tile_sums[row * p.num_tiles + tile] = {max, sum};
  ScoredToken* best_of_tile = p.tile_best + (row * p.num_tiles + tile) * p.scan.count;
  for (int n = 0; n < p.scan.count; ++n) {
    ScoredToken best = own[0];
#pragma unroll
    for (int i = 1; i < kOfLane; ++i) {
      if (is_better(own[i], best)) best = own[i];
    }
    best = warp_best(best);
    if (lane == 0) best_of_tile[n] = best;
#pragma unroll
    for (int i = 0; i < kOfLane; ++i) {
      if (own[i].token == best.token) own[i].token = -1;
    }
  }
}

// Blocks: x over the tiles of tokens, y over the tiles of rows.
template <typename T, int kFragments>
__global__ void __launch_bounds__(kTileThreads) scan_kernel(Parameters p) {
  const ExpertTile rows = tile_of(p.rows, static_cast<int>(blockIdx.y));
  const int tile = static_cast<int>(blockIdx.x);
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  const auto* weights = static_cast<const T*>(p.scan.matrices.weights);
  auto* logits = reinterpret_cast<float*>(shared_bytes + kTileBytes<kFragments>);
  for (int part = 0; part < kColumns; part += static_cast<int>(kTileColumns)) {
    const int64_t first = static_cast<int64_t>(tile) * kColumns + part;
    if (first >= p.padded_columns) break;  // the same for the whole block
    multiply_tile<T, kFragments>(
        {p.scan.input, nullptr, p.scan.matrices.depth, rows.first, rows.count},
        weights + first * p.padded_depth, p.padded_depth, shared_bytes);
    for (int i = static_cast<int>(threadIdx.x); i < rows.count * 16; i += kTileThreads) {
      const int r = i / 16, c = i % 16;
      if (first + c >= p.scan.matrices.columns) continue;
      logits[r * kStride + part + c] =
          tile_value<kFragments>(shared_bytes, r, c) + p.scan.matrices.bias[first + c];
    }
  }
  __syncthreads();
  for (int r = warp; r < rows.count; r += kTileWarps) {
    reduce_row(p, logits + r * kStride, rows.first + r, tile);
  }
}

__device__ ExpSum block_sum(const Parameters& p, int64_t row, unsigned char* shared) {
  const int thread = static_cast<int>(threadIdx.x);
  auto* maxima = reinterpret_cast<float*>(shared);                      // [kMergeWarps]
  auto* sums = reinterpret_cast<double*>(shared + 8 * sizeof(double));  // [kMergeWarps]
  const TileSum* tiles = p.tile_sums + row * p.num_tiles;
  float max = -INFINITY;
  for (int t = thread; t < p.num_tiles; t += kMergeThreads) max = fmaxf(max, tiles[t].max);
  max = warp_max(max);
  if (thread % kWarp == 0) maxima[thread / kWarp] = max;
  __syncthreads();
  for (int warp = 0; warp < kMergeWarps; ++warp) max = fmaxf(max, maxima[warp]);
  double sum = 0;
  for (int t = thread; t < p.num_tiles; t += kMergeThreads) {
    if (tiles[t].max > -INFINITY) {
      sum += static_cast<double>(tiles[t].sum) * exp(static_cast<double>(tiles[t].max) - max);
    } else {
      sum += tiles[t].sum;  // 0, or not a number
    }
  }
  sum = warp_sum(sum);
  if (thread % kWarp == 0) sums[thread / kWarp] = sum;
  __syncthreads();
  double total = 0;
  for (int warp = 0; warp < kMergeWarps; ++warp) total += sums[warp];
  return {max, total};
}

// One block a row. The tiles' lists are sorted, so that the next best token is at the head of one.
__global__ void merge_kernel(Parameters p) {
  const auto row = static_cast<int64_t>(blockIdx.x);
  const int thread = static_cast<int>(threadIdx.x);
  const ExpSum sum = block_sum(p, row, shared_bytes);
  if (thread == 0) p.scan.sums[row] = sum;
  auto* parts = reinterpret_cast<ScoredToken*>(shared_bytes + 16 * sizeof(double));  // [warps]
  auto* heads = reinterpret_cast<int*>(parts + kMergeWarps);                         // [num_tiles]
  const ScoredToken* lists = p.tile_best + row * p.num_tiles * p.scan.count;
  for (int t = thread; t < p.num_tiles; t += kMergeThreads) heads[t] = 0;
  for (int n = 0; n < p.scan.count; ++n) {
    ScoredToken best;
    for (int t = thread; t < p.num_tiles; t += kMergeThreads) {
      if (heads[t] == p.scan.count) continue;
      const ScoredToken& head = lists[t * p.scan.count + heads[t]];
      if (is_better(head, best)) best = head;
    }
    best = warp_best(best);
    if (thread % kWarp == 0) parts[thread / kWarp] = best;
    __syncthreads();
    best = parts[0];
    for (int warp = 1; warp < kMergeWarps; ++warp) {
      if (is_better(parts[warp], best)) best = parts[warp];
    }
    if (thread == 0) p.scan.best[row * p.scan.count + n] = best;
    if (best.token >= 0) {
      const int tile = best.token / kColumns;
      if (tile % kMergeThreads == thread) ++heads[tile];
    }
    __syncthreads();
  }
}

int tiles_of(int64_t vocab_size) {
  return static_cast<int>((vocab_size + kScanColumns - 1) / kScanColumns);
}

template <typename T, int kFragments>
void launch_scan(Stream& stream, const Parameters& p) {
  constexpr size_t kShared = kTileBytes<kFragments> + 16 * kFragments * kStride * sizeof(float);
  launch(stream, "vocabulary_scan", scan_kernel<T, kFragments>,
         dim3(static_cast<unsigned>(p.num_tiles), static_cast<unsigned>(p.rows.num_tiles)),
         kTileThreads, kShared, p);
}

template <typename T>
void launch_type(Stream& stream, const Parameters& p) {
  if (p.rows.tile_rows == 16) {
    launch_scan<T, 1>(stream, p);
  } else if (p.rows.tile_rows == 32) {
    launch_scan<T, 2>(stream, p);
  } else {
    launch_scan<T, 4>(stream, p);
  }
}

}  // namespace

int64_t vocabulary_scan_scratch(int64_t vocab_size, int64_t rows, int64_t count) {
  return rows * tiles_of(vocab_size) *
         static_cast<int64_t>(sizeof(TileSum) + count * sizeof(ScoredToken));
}

void vocabulary_scan(Stream& stream, const VocabularyScan& scan) {
  Parameters p = {scan,
                  dense_rows(scan.rows),
                  scan.matrices.padded_columns(),
                  scan.matrices.padded_depth(),
                  tiles_of(scan.matrices.columns),
                  static_cast<TileSum*>(scan.scratch),
                  nullptr};
  p.tile_best =
      reinterpret_cast<ScoredToken*>(p.tile_sums + static_cast<int64_t>(scan.rows) * p.num_tiles);
  if (scan.matrices.type == ComputeType::kFloat32) {
    launch_type<float>(stream, p);
  } else {
    launch_type<__nv_bfloat16>(stream, p);
  }
  const size_t shared = 16 * sizeof(double) + kMergeWarps * sizeof(ScoredToken) +
                        static_cast<size_t>(p.num_tiles) * sizeof(int);
  launch(stream, "merge of vocabulary_scan", merge_kernel, dim3(static_cast<unsigned>(scan.rows)),
         kMergeThreads, shared, p);
}

}  // namespace trivium::cuda
