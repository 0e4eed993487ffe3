// Linear layers of many experts at once, on CUDA: one launch computes every row with its expert's
// matrix. A dense layer is the case of one expert.
#pragma once

#include <cstdint>

#include "core/kernels/cuda_stream.h"
#include "core/kernels/packed_matrix.h"

namespace trivium::cuda {

constexpr int64_t kTileColumns = 16;  // columns of a matrix are padded to a multiple of this
constexpr int64_t kMaxTileRows = 64;  // rows that one read of a matrix serves
constexpr int64_t kDepthBytes = 64;   // a column is padded with zeros to a multiple of this

// W of every expert, [experts][columns][depth] with both padded by zeros; device memory.
struct ExpertMatrices {
  ComputeType type = ComputeType::kFloat32;  // or kBfloat16
  const void* weights = nullptr;
  const float* bias = nullptr;  // [experts][columns], not padded
  int64_t columns = 0;
  int64_t depth = 0;  // a multiple of 4

  int64_t padded_columns() const {
    return (columns + kTileColumns - 1) / kTileColumns * kTileColumns;
  }
  int64_t padded_depth() const {
    const int64_t step = kDepthBytes / (type == ComputeType::kFloat32 ? 4 : 2);
    return (depth + step - 1) / step * step;
  }
};

// Rows first..first+count-1 take expert `expert`; a tile may be empty.
struct ExpertTile {
  int32_t expert = 0, first = 0, count = 0;
};

// The rows of a product and their experts. Device memory.
struct ExpertRows {
  // [num_tiles], each of at most tile_rows rows; null: rows 0..rows-1 take expert 0, and num_tiles
  // is (rows + tile_rows - 1) / tile_rows.
  const ExpertTile* tiles = nullptr;
  int32_t num_tiles = 0;
  int32_t tile_rows = 16;  // 16, 32 or 64
  int32_t rows = 0;
};

// The smallest tile for `most_rows` rows of one expert: 16, 32 or 64.
inline int32_t tile_rows_for(int64_t most_rows) {
  return most_rows <= 16 ? 16 : most_rows <= 32 ? 32 : static_cast<int32_t>(kMaxTileRows);
}
// `rows` rows of one expert.
inline ExpertRows dense_rows(int64_t rows) {
  const int32_t tile = tile_rows_for(rows);
  return {nullptr, static_cast<int32_t>((rows + tile - 1) / tile), tile,
          static_cast<int32_t>(rows)};
}

// out[row] = f(W_e in[row] + b_e), e being the row's expert, f: GELU (exact), then the factor, then
// the residual.
// Factors in the matrices' type, sums in float32. The order of summation does not depend on the
// rows beside a row. Device pointers; in and residual are float32 and aligned to 16 bytes.
struct GroupedLinear {
  ExpertMatrices matrices;
  ExpertRows rows;
  const float* input = nullptr;         // [..., depth]
  const int32_t* input_rows = nullptr;  // [rows]: which row of `input`; null: its own number
  void* out = nullptr;                  // [rows, columns]
  const int32_t* out_rows = nullptr;    // as input_rows, each once
  bool narrow_out = false;              // out is of the matrices' type instead of float32
  bool gelu = false;
  const float* factors = nullptr;  // [rows], by the row of `out`; null: 1
  // [..., columns], or null; `out` itself only where residual_rows is out_rows.
  const float* residual = nullptr;
  const int32_t* residual_rows = nullptr;  // as input_rows
};
void grouped_linear(Stream& stream, const GroupedLinear& linear);

}  // namespace trivium::cuda
