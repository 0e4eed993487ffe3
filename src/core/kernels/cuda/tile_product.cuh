// The innermost product of the CUDA kernels: up to 64 rows by 16 columns of a matrix, by the eight
// warps of a block. Each warp takes every eighth piece of the depth, so that even a matrix of few
// columns keeps many warps reading; their sums are added up in shared memory. The matrix is read
// once, in loads of 16 bytes, a piece ahead of its use.
#pragma once

#include <mma.h>

#include "core/kernels/cuda/launch.cuh"
#include "core/kernels/grouped_linear.h"

namespace trivium::cuda {

constexpr int kTileWarps = 8;
constexpr int kTileThreads = kTileWarps * kWarp;
// A piece is 64 bytes of every row; 16 bytes more a row let neighbouring rows lie in other banks.
constexpr int kPieceStride = static_cast<int>(kDepthBytes) + 16;

// Bytes of shared memory for tiles of 16 * kFragments rows: the pieces, and later the warps' sums.
template <int kFragments>
constexpr int kWarpBytes = (kFragments + 1) * 16 * kPieceStride;
template <int kFragments>
constexpr int kTileBytes = kTileWarps* kWarpBytes<kFragments>;

// What one warp adds up: [16 * kFragments rows][16 columns] of rows and columns in shared memory.
template <typename T, int kFragments>
class WarpSums;

template <int kFragments>
class WarpSums<float, kFragments> {
 public:
  static constexpr int kStride = kPieceStride / 4;

  // A lane has one column and every second row.
  __device__ void add(const float* rows, const float* columns) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    const float* column = columns + lane % 16 * kStride;
    for (int k = 0; k < kDepthBytes / 4; k += 4) {
      const float4 w = *reinterpret_cast<const float4*>(column + k);
#pragma unroll
      for (int i = 0; i < 8 * kFragments; ++i) {
        const float4 a = *reinterpret_cast<const float4*>(rows + (lane / 16 + 2 * i) * kStride + k);
        sums_[i] = fmaf(a.x, w.x, sums_[i]);
        sums_[i] = fmaf(a.y, w.y, sums_[i]);
        sums_[i] = fmaf(a.z, w.z, sums_[i]);
        sums_[i] = fmaf(a.w, w.w, sums_[i]);
      }
    }
  }

  __device__ void write(float* out) const {
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
#pragma unroll
    for (int i = 0; i < 8 * kFragments; ++i) out[(lane / 16 + 2 * i) * 16 + lane % 16] = sums_[i];
  }

 private:
  float sums_[8 * kFragments] = {};
};

// On tensor cores.
template <int kFragments>
class WarpSums<__nv_bfloat16, kFragments> {
 public:
  static constexpr int kStride = kPieceStride / 2;

  __device__ WarpSums() {
    for (auto& sums : sums_) nvcuda::wmma::fill_fragment(sums, 0.0f);
  }

  __device__ void add(const __nv_bfloat16* rows, const __nv_bfloat16* columns) {
    using namespace nvcuda::wmma;
    for (int k = 0; k < kDepthBytes / 2; k += 16) {
      fragment<matrix_b, 16, 16, 16, __nv_bfloat16, col_major> b;
      load_matrix_sync(b, columns + k, kStride);
#pragma unroll
      for (int i = 0; i < kFragments; ++i) {
        fragment<matrix_a, 16, 16, 16, __nv_bfloat16, row_major> a;
        load_matrix_sync(a, rows + i * 16 * kStride + k, kStride);
        mma_sync(sums_[i], a, b, sums_[i]);
      }
    }
  }

  __device__ void write(float* out) const {
    for (int i = 0; i < kFragments; ++i) {
      nvcuda::wmma::store_matrix_sync(out + i * 256, sums_[i], 16, nvcuda::wmma::mem_row_major);
    }
  }

 private:
  nvcuda::wmma::fragment<nvcuda::wmma::accumulator, 16, 16, 16, float> sums_[kFragments];
};

// Rows first..first+count-1 of a product, count at most 16 * kFragments.
struct TileRows {
  const float* values;   // [..., depth]
  const int32_t* index;  // as GroupedLinear::input_rows
  int64_t depth;
  int32_t first, count;
};

// Rounds one piece of the rows into shared memory, zeros beyond the rows and the depth.
template <typename T, int kFragments>
__device__ void stage_rows(const TileRows& rows, int64_t begin, T* place) {
  constexpr int kQuads = static_cast<int>(kDepthBytes / sizeof(T)) / 4;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
#pragma unroll
  for (int i = lane; i < 16 * kFragments * kQuads; i += kWarp) {
    const int row = i / kQuads, k = i % kQuads * 4;
    float4 value = {0, 0, 0, 0};
    if (row < rows.count && begin + k < rows.depth) {
      const int64_t from = rows.index ? rows.index[rows.first + row] : rows.first + row;
      value = *reinterpret_cast<const float4*>(rows.values + from * rows.depth + begin + k);
    }
    store4(place + row * (kPieceStride / static_cast<int>(sizeof(T))) + k, value);
  }
}

// The 16 columns that begin at `columns`, [16][padded_depth], times the rows. Leaves each warp's
// sums in `shared` (tile_value reads them); begins and ends with the block's barrier.
template <typename T, int kFragments>
__device__ void multiply_tile(const TileRows& rows, const T* columns, int64_t padded_depth,
                              unsigned char* shared) {
  constexpr int kPiece = static_cast<int>(kDepthBytes / sizeof(T));
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  unsigned char* own = shared + warp * kWarpBytes<kFragments>;
  T* row_piece = reinterpret_cast<T*>(own);
  unsigned char* column_piece = own + kFragments * 16 * kPieceStride;
  const int64_t pieces = padded_depth / kPiece;
  // Of the 64 parts of 16 bytes, four a column, a lane moves two.
  const auto* from = reinterpret_cast<const unsigned char*>(columns);
  const int64_t column_bytes = padded_depth * static_cast<int64_t>(sizeof(T));
  const unsigned char* sources[2];
  unsigned char* places[2];
  for (int i = 0; i < 2; ++i) {
    const int part = lane + i * kWarp;
    sources[i] = from + part / 4 * column_bytes + part % 4 * 16;
    places[i] = column_piece + part / 4 * kPieceStride + part % 4 * 16;
  }
  uint4 ahead[2] = {};
  const auto read = [&](int64_t piece) {
    for (int i = 0; i < 2; ++i) {
      ahead[i] = *reinterpret_cast<const uint4*>(sources[i] + piece * kDepthBytes);
    }
  };
  __syncthreads();
  WarpSums<T, kFragments> sums;
  if (warp < pieces) read(warp);
  for (int64_t piece = warp; piece < pieces; piece += kTileWarps) {
    stage_rows<T, kFragments>(rows, piece * kPiece, row_piece);
    for (int i = 0; i < 2; ++i) *reinterpret_cast<uint4*>(places[i]) = ahead[i];
    __syncwarp();
    if (piece + kTileWarps < pieces) read(piece + kTileWarps);
    sums.add(row_piece, reinterpret_cast<const T*>(column_piece));
    __syncwarp();
  }
  sums.write(reinterpret_cast<float*>(own));
  __syncthreads();
}

// The product of row `row` of the tile and column `column`.
template <int kFragments>
__device__ float tile_value(const unsigned char* shared, int row, int column) {
  float sum = 0;
  for (int warp = 0; warp < kTileWarps; ++warp) {
    sum +=
        reinterpret_cast<const float*>(shared + warp * kWarpBytes<kFragments>)[row * 16 + column];
  }
  return sum;
}

__device__ inline ExpertTile tile_of(const ExpertRows& rows, int index) {
  if (rows.tiles) return rows.tiles[index];
  const int32_t first = index * rows.tile_rows;
  const int32_t left = rows.rows - first;
  return {0, first, left < rows.tile_rows ? left : rows.tile_rows};
}

}  // namespace trivium::cuda
