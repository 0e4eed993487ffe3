// Attention of single queries on CUDA: of a decoding step over cached positions or over a source,
// and of every position of whole sequences.
#pragma once

#include <cstdint>

#include "core/kernels/cuda_stream.h"
#include "core/kernels/packed_matrix.h"

namespace trivium::cuda {

constexpr int64_t kMaxHeadDim = 256;

// out[q] = softmax(query[q] K^T / sqrt(head_dim)) V for every head and query, in one pass over the
// positions (online softmax). With s = sequences ? sequences[q] : q, position i of q is place
// begins[q] + (cells ? cells[s * cells_stride + i] : i), i < lengths[s]; a place holds a position's
// keys, all heads side by side, and its values value_offset elements behind. Device pointers.
struct RowAttention {
  const float* queries = nullptr;  // [num_queries], query_stride elements apart
  int64_t query_stride = 0;
  // Whether the query's own keys and values stand d_model and 2 * d_model behind it; they are
  // stored as its last position first. Queries must not share that place.
  bool store_own = false;
  ComputeType type = ComputeType::kFloat32;  // of keys and values; or kBfloat16
  void* places = nullptr;
  int64_t place_stride = 0, value_offset = 0;  // even
  const int32_t* begins = nullptr;             // [num_queries]
  const int32_t* sequences = nullptr;          // [num_queries], or null
  const int32_t* lengths = nullptr;            // of the sequences, at least 1
  const int32_t* cells = nullptr;              // [sequences, cells_stride], or null
  int64_t cells_stride = 0;
  float* out = nullptr;  // [num_queries, num_heads * head_dim]
  int64_t num_queries = 0, num_heads = 0;
  int64_t head_dim = 0;  // even, at most kMaxHeadDim
};
void attend_rows(Stream& stream, const RowAttention& attention);

}  // namespace trivium::cuda
