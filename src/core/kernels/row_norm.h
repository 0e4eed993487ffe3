// LayerNorm of rows on CUDA, with what stands before and after it in a decoding step.
#pragma once

#include <cstdint>

#include "core/kernels/cuda_stream.h"
#include "core/kernels/packed_matrix.h"

namespace trivium::cuda {

// Device pointers; rows are contiguous.
struct NormWeights {
  const float* gamma = nullptr;  // [experts, width]
  const float* beta = nullptr;
  float eps = 1e-5f;
};

// out[row] = sum over the row's uses u, in order, of weights[u] * norm(in[u]) with the weights of
// u's expert: the end of a layer, and of a pool whose experts are whole layers. Mean and variance
// in two passes. Where `uses` is null, row r has the one use r of weight 1, and out may be `in`.
struct RowNorm {
  const float* in = nullptr;  // [uses, width]
  float* out = nullptr;       // [rows, width]
  NormWeights norm;
  const int32_t* experts = nullptr;  // [uses]; null: expert 0
  const int32_t* uses = nullptr;     // [rows, slots], -1 for none
  const float* weights = nullptr;    // [uses]; with `uses` only
  int32_t slots = 1;
  int64_t rows = 0;
  int64_t width = 0;
};
void norm_rows(Stream& stream, const RowNorm& norm);

// out[row] = norm(scale * table[ids[row]] + position_table[positions[row]]). The table is of `type`
// with `table_stride` elements a row.
struct RowEmbedding {
  ComputeType type = ComputeType::kFloat32;  // or kBfloat16
  const void* table = nullptr;
  int64_t table_stride = 0;
  const float* position_table = nullptr;  // [..., width]
  const int32_t* ids = nullptr;           // [rows]
  const int32_t* positions = nullptr;     // [rows]
  float scale = 1;
  NormWeights norm;  // of one expert
  float* out = nullptr;
  int64_t rows = 0;
  int64_t width = 0;
};
void embed_rows(Stream& stream, const RowEmbedding& embedding);

}  // namespace trivium::cuda
