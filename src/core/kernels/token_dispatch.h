// Token gates on CUDA: which feed-forward expert each row takes, and the tiles in which
// grouped_linear computes them. All of it stays on the device, so that a graph can hold it.
#pragma once

#include <cstdint>

#include "core/kernels/cuda_stream.h"
#include "core/kernels/grouped_linear.h"

namespace trivium::cuda {

constexpr int32_t kMaxTokenExperts = 32;

struct TokenGates {
  const float* weights = nullptr;  // W of every gate, [count, num_experts, depth]; device memory
  int64_t count = 1;
  int32_t num_experts = 1;  // at most kMaxTokenExperts
  int64_t depth = 0;
  // A row's factor is its gate's probability times this; 0: all factors are 1.
  float factor_scale = 0;
};

// Device pointers.
struct TokenDispatch {
  TokenGates gates;
  const float* input = nullptr;           // [rows, depth]
  const int32_t* gate_of_rows = nullptr;  // [rows]
  int32_t rows = 0;
  int32_t tile_rows = 16;  // as ExpertRows'
  // What is written. A row's expert is that of the largest of softmax(W x), the first of equals
  // (docs/spec/mt_tag.md, section 1).
  int32_t* experts = nullptr;   // [rows]
  float* factors = nullptr;     // [rows]
  int32_t* order = nullptr;     // [rows]: the rows of expert 0, then those of 1, ..., each in order
  ExpertTile* tiles = nullptr;  // [num_tiles()], of places in `order`; those left over are empty

  // As many tiles as any choice may need.
  int32_t num_tiles() const;
};

inline int32_t TokenDispatch::num_tiles() const {
  // Every expert has at most one tile that is not full.
  const int32_t most = rows / tile_rows + gates.num_experts;
  return most < rows ? most : rows;
}

void dispatch_tokens(Stream& stream, const TokenDispatch& dispatch);

}  // namespace trivium::cuda
