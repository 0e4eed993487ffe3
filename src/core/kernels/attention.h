// Attention of one head on the CPU: whole sequences through packed keys and values (the encoder,
// and the decoder over its source), and one position after another through a cache (the decoder
// over what it has written).
#pragma once

#include <cstdint>
#include <span>

#include "core/kernels/aligned_buffer.h"
#include "core/kernels/block_kernels.h"
#include "core/kernels/packed_matrix.h"

namespace trivium {

// The number type of attention: int8 models attend in bfloat16.
inline ComputeType attention_type(ComputeType type) {
  return type == ComputeType::kFloat32 ? type : ComputeType::kBfloat16;
}

// Keys and values of all heads of one sequence, laid out as PackedMatrix lays out weights: of each
// head, keys as [len columns, head_dim deep] and values as [head_dim columns, len deep], so that
// scores and mixtures are products of the block kernels.
class PackedKeysValues {
 public:
  explicit PackedKeysValues(ComputeType type) : type_(type) {}

  // Room for `len` positions; what was there is lost.
  void resize(int64_t len, int64_t num_heads, int64_t head_dim);
  // Packs one head, by any thread; keys and values: float32, `stride` elements from one position to
  // the next, pointing to the head's first value of the first position.
  void pack_head(int64_t head, const float* keys, const float* values, int64_t stride);

  int64_t len() const { return len_; }
  const std::byte* key_group(int64_t head, int64_t group) const;
  const std::byte* value_group(int64_t head, int64_t group) const;
  ComputeType type() const { return type_; }
  int64_t bytes() const { return keys_.size() + values_.size(); }

 private:
  ComputeType type_;
  int64_t len_ = 0, head_dim_ = 0;
  int64_t key_bytes_ = 0, value_bytes_ = 0;  // of one head
  AlignedBuffer<std::byte> keys_, values_;
};

// What a thread needs while it attends; grows, never shrinks. The functions below take the room
// that they find and allocate nothing, so the caller makes it before a loop of several threads.
struct AttentionScratch {
  // Room for attend_packed by `kernels` over up to `len` keys and values of `type`, and for
  // attend_cached over up to `len` cells.
  void reserve_packed(const BlockKernels& kernels, ComputeType type, int64_t head_dim, int64_t len);
  void reserve_cached(int64_t len) { row.reserve(len); }

  AlignedBuffer<std::byte> queries;  // 32 rows of head_dim
  AlignedBuffer<float> scores;       // 32 rows of len
  AlignedBuffer<std::byte> weights;  // the same after the softmax, in the attention's type
  AlignedBuffer<float> row;          // one row of scores over a cache
};

// Row i: out[i] = softmax(query[i] K^T / sqrt(head_dim)) V of head `head`, for `count` queries.
// queries and out: float32, `stride` elements from one row to the next, pointing to the head's
// first value. A scratch without room for it is a bug.
void attend_packed(const BlockKernels& kernels, const PackedKeysValues& memory, int64_t head,
                   int64_t head_dim, const float* queries, int64_t query_stride, int64_t count,
                   float* out, int64_t out_stride, AttentionScratch& scratch);

// The same for one query over cached positions: cell c of the cache holds the keys of a position at
// cache + c * cell_stride and its values `value_offset` elements behind, in `type` (float32 or
// bfloat16), pointing to the head's first value. A scratch without room for it is a bug.
void attend_cached(ComputeType type, const void* cache, int64_t cell_stride, int64_t value_offset,
                   std::span<const int32_t> cells, int64_t head_dim, const float* query, float* out,
                   AttentionScratch& scratch);

// Stores keys (or values) [count] float32 into a cell.
void store_cached(ComputeType type, const float* values, int64_t count, void* place);

}  // namespace trivium
