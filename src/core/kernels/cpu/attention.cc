#include "core/kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/base/error.h"
#include "core/kernels/activations.h"
#include "core/kernels/elementary.h"

namespace trivium {
namespace {

constexpr int64_t kLanes = 16;

int64_t padded_to_block(int64_t count) { return (count + kBlock - 1) / kBlock * kBlock; }

// Scores of one row become weights: exp(score - max) / sum for the first `len`, 0 up to `padded`.
TRIVIUM_CPU_CLONES
void softmax_row(float* scores, int64_t len, int64_t padded) {
  float lanes[kLanes];
  for (int64_t j = 0; j < kLanes; ++j) lanes[j] = scores[0];
  int64_t i = 0;
  for (; i + kLanes <= len; i += kLanes) {
    for (int64_t j = 0; j < kLanes; ++j) {
      lanes[j] = scores[i + j] > lanes[j] ? scores[i + j] : lanes[j];
    }
  }
  float largest = scores[0];
  for (; i < len; ++i) largest = std::max(largest, scores[i]);
  for (float lane : lanes) largest = std::max(largest, lane);
  for (i = 0; i < len; ++i) scores[i] = exp_of_nonpositive(scores[i] - largest);
  for (int64_t j = 0; j < kLanes; ++j) lanes[j] = 0;
  for (i = 0; i + kLanes <= len; i += kLanes) {
    for (int64_t j = 0; j < kLanes; ++j) lanes[j] += scores[i + j];
  }
  float sum = 0;
  for (; i < len; ++i) sum += scores[i];
  for (float lane : lanes) sum += lane;
  const float inverse = 1 / sum;
  for (i = 0; i < len; ++i) scores[i] *= inverse;
  for (; i < padded; ++i) scores[i] = 0;
}

TRIVIUM_CPU_CLONES
void scale_to_bfloat16(const float* values, int64_t count, float scale, uint16_t* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = to_bfloat16(values[i] * scale);
}

TRIVIUM_CPU_CLONES
void scale_to_float32(const float* values, int64_t count, float scale, float* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = values[i] * scale;
}

TRIVIUM_CPU_CLONES
void scale_and_round(const float* values, int64_t count, float scale, float* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = from_bfloat16(to_bfloat16(values[i] * scale));
}

void store_scaled(ComputeType type, RowFormat format, const float* values, int64_t count,
                  float scale, void* place) {
  if (type == ComputeType::kFloat32) {
    scale_to_float32(values, count, scale, static_cast<float*>(place));
  } else if (format == RowFormat::kBfloat16) {
    scale_to_bfloat16(values, count, scale, static_cast<uint16_t*>(place));
  } else {
    scale_and_round(values, count, scale, static_cast<float*>(place));
  }
}

// The packed layouts of packed_matrix.h, from `rows` [len, head_dim] of one head. Positions beyond
// len and dimensions beyond head_dim are left as they are.

// Positions as columns.
void pack_keys_float32(const float* rows, int64_t stride, int64_t len, int64_t head_dim,
                       float* packed) {
  for (int64_t position = 0; position < len; ++position) {
    const float* row = rows + position * stride;
    float* column = packed + position / kBlock * head_dim * kBlock + position % kBlock;
    for (int64_t d = 0; d < head_dim; ++d) column[d * kBlock] = row[d];
  }
}

// Positions as depth.
void pack_values_float32(const float* rows, int64_t stride, int64_t len, int64_t head_dim,
                         float* packed) {
  const int64_t group_size = padded_to_block(len) * kBlock;
  for (int64_t first = 0; first < head_dim; first += kBlock) {
    const int64_t columns = std::min(kBlock, head_dim - first);
    float* group = packed + first / kBlock * group_size;
    for (int64_t position = 0; position < len; ++position) {
      std::copy_n(rows + position * stride + first, columns, group + position * kBlock);
    }
  }
}

constexpr int64_t kTile = 512;  // bfloat16 values in an AMX tile: 16 pairs of 16 columns

TRIVIUM_CPU_CLONES
void pack_keys_bfloat16(const float* rows, int64_t stride, int64_t len, int64_t head_dim,
                        uint16_t* packed) {
  const int64_t group_size = padded_depth(ComputeType::kBfloat16, head_dim) * kBlock;
  for (int64_t position = 0; position < len; ++position) {
    const float* row = rows + position * stride;
    uint16_t* column = packed + position / kBlock * group_size + position % kBlock / 16 * kTile +
                       position % 16 * 2;
    for (int64_t first = 0; first < head_dim; first += 32, column += 2 * kTile) {
      uint16_t values[32] = {};
      if (first + 32 <= head_dim) {
        for (int64_t d = 0; d < 32; ++d) values[d] = to_bfloat16(row[first + d]);
      } else {
        for (int64_t d = 0; first + d < head_dim; ++d) values[d] = to_bfloat16(row[first + d]);
      }
      for (int64_t pair = 0; pair < 16; ++pair) {
        std::memcpy(column + pair * 32, values + 2 * pair, 2 * sizeof(uint16_t));
      }
    }
  }
}

TRIVIUM_CPU_CLONES
void pack_values_bfloat16(const float* rows, int64_t stride, int64_t len, int64_t head_dim,
                          uint16_t* packed) {
  const int64_t group_size = padded_to_block(len) * kBlock;
  for (int64_t first = 0; first < head_dim; first += 16) {
    const int64_t columns = std::min<int64_t>(16, head_dim - first);
    uint16_t* half = packed + first / kBlock * group_size + first % kBlock / 16 * kTile;
    for (int64_t position = 0; position < len; ++position) {
      const float* row = rows + position * stride + first;
      uint16_t* pair = half + position / 32 * 2 * kTile + position % 32 / 2 * 32 + position % 2;
      if (columns == 16) {
        for (int64_t c = 0; c < 16; ++c) pair[2 * c] = to_bfloat16(row[c]);
      } else {
        for (int64_t c = 0; c < columns; ++c) pair[2 * c] = to_bfloat16(row[c]);
      }
    }
  }
}

template <typename T>
TRIVIUM_ALWAYS_INLINE void cached_head(const T* cache, int64_t cell_stride, int64_t value_offset,
                                       std::span<const int32_t> cells, int64_t head_dim,
                                       const float* query, float* out, float* scores) {
  const auto len = static_cast<int64_t>(cells.size());
  const int64_t whole = head_dim / kLanes * kLanes;
  const float scale = 1.0f / std::sqrt(static_cast<float>(head_dim));
  float largest = -INFINITY;
  for (int64_t i = 0; i < len; ++i) {
    const T* key = cache + cells[i] * cell_stride;
    float lanes[kLanes] = {};
    for (int64_t d = 0; d < whole; d += kLanes) {
      for (int64_t j = 0; j < kLanes; ++j) lanes[j] += query[d + j] * value_of(key[d + j]);
    }
    for (int64_t d = whole; d < head_dim; ++d) lanes[0] += query[d] * value_of(key[d]);
    for (int64_t width = kLanes / 2; width > 0; width /= 2) {
      for (int64_t j = 0; j < width; ++j) lanes[j] += lanes[j + width];
    }
    scores[i] = lanes[0] * scale;
    largest = std::max(largest, scores[i]);
  }
  float total = 0;
  for (int64_t i = 0; i < len; ++i) {
    scores[i] = exp_of_nonpositive(scores[i] - largest);
    total += scores[i];
  }
  const float inverse = 1 / total;
  for (int64_t d = whole; d < head_dim; ++d) {
    float sum = 0;
    for (int64_t i = 0; i < len; ++i) {
      sum += scores[i] * value_of(cache[cells[i] * cell_stride + value_offset + d]);
    }
    out[d] = sum * inverse;
  }
  for (int64_t d = 0; d < whole; d += kLanes) {
    float lanes[kLanes] = {};
    for (int64_t i = 0; i < len; ++i) {
      const T* value = cache + cells[i] * cell_stride + value_offset + d;
      const float weight = scores[i];
      for (int64_t j = 0; j < kLanes; ++j) lanes[j] += weight * value_of(value[j]);
    }
    for (int64_t j = 0; j < kLanes; ++j) out[d + j] = lanes[j] * inverse;
  }
}

TRIVIUM_CPU_CLONES
void cached_head_float32(const float* cache, int64_t cell_stride, int64_t value_offset,
                         std::span<const int32_t> cells, int64_t head_dim, const float* query,
                         float* out, float* scores) {
  cached_head(cache, cell_stride, value_offset, cells, head_dim, query, out, scores);
}

TRIVIUM_CPU_CLONES
void cached_head_bfloat16(const uint16_t* cache, int64_t cell_stride, int64_t value_offset,
                          std::span<const int32_t> cells, int64_t head_dim, const float* query,
                          float* out, float* scores) {
  cached_head(cache, cell_stride, value_offset, cells, head_dim, query, out, scores);
}

}  // namespace

void PackedKeysValues::resize(int64_t len, int64_t num_heads, int64_t head_dim) {
  check(type_ != ComputeType::kInt8, "attention is not in int8");
  len_ = len;
  head_dim_ = head_dim;
  key_bytes_ = padded_to_block(len) * padded_depth(type_, head_dim) * size_of(type_);
  value_bytes_ = padded_to_block(head_dim) * padded_to_block(len) * size_of(type_);
  keys_.reserve(num_heads * key_bytes_);
  values_.reserve(num_heads * value_bytes_);
}

void PackedKeysValues::pack_head(int64_t head, const float* keys, const float* values,
                                 int64_t stride) {
  std::byte* key_place = keys_.data() + head * key_bytes_;
  std::byte* value_place = values_.data() + head * value_bytes_;
  // The padding must be zeros, and an earlier sequence had it elsewhere.
  if (len_ % kBlock != 0 || head_dim_ % kBlock != 0) {
    std::memset(key_place, 0, static_cast<size_t>(key_bytes_));
    std::memset(value_place, 0, static_cast<size_t>(value_bytes_));
  }
  if (type_ == ComputeType::kFloat32) {
    pack_keys_float32(keys, stride, len_, head_dim_, reinterpret_cast<float*>(key_place));
    pack_values_float32(values, stride, len_, head_dim_, reinterpret_cast<float*>(value_place));
  } else {
    pack_keys_bfloat16(keys, stride, len_, head_dim_, reinterpret_cast<uint16_t*>(key_place));
    pack_values_bfloat16(values, stride, len_, head_dim_, reinterpret_cast<uint16_t*>(value_place));
  }
}

const std::byte* PackedKeysValues::key_group(int64_t head, int64_t group) const {
  const int64_t group_bytes = kBlock * padded_depth(type_, head_dim_) * size_of(type_);
  return keys_.data() + head * key_bytes_ + group * group_bytes;
}

const std::byte* PackedKeysValues::value_group(int64_t head, int64_t group) const {
  const int64_t group_bytes = kBlock * padded_to_block(len_) * size_of(type_);
  return values_.data() + head * value_bytes_ + group * group_bytes;
}

void AttentionScratch::reserve_packed(const BlockKernels& kernels, ComputeType type,
                                      int64_t head_dim, int64_t len) {
  const int64_t bytes = size_of(kernels.rows_of(type));
  queries.reserve(kBlock * padded_depth(type, head_dim) * bytes);
  scores.reserve(kBlock * padded_to_block(len));
  weights.reserve(kBlock * padded_to_block(len) * bytes);
}

void attend_packed(const BlockKernels& kernels, const PackedKeysValues& memory, int64_t head,
                   int64_t head_dim, const float* queries, int64_t query_stride, int64_t count,
                   float* out, int64_t out_stride, AttentionScratch& scratch) {
  const ComputeType type = memory.type();
  const BlockKernel kernel = kernels.of(type);
  const RowFormat format = kernels.rows_of(type);
  const int64_t depth = padded_depth(type, head_dim), bytes = size_of(format);
  const int64_t len = memory.len(), padded_len = padded_to_block(len);
  const float scale = 1.0f / std::sqrt(static_cast<float>(head_dim));
  check(scratch.queries.size() >= kBlock * depth * bytes &&
            scratch.scores.size() >= kBlock * padded_len &&
            scratch.weights.size() >= kBlock * padded_len * bytes,
        "attention has room for its scores");
  std::byte* query_rows = scratch.queries.data();
  float* scores = scratch.scores.data();
  std::byte* weights = scratch.weights.data();
  alignas(64) float block[kBlock * kBlock];
  for (int64_t first = 0; first < count; first += kBlock) {
    const int64_t rows = std::min(kBlock, count - first);
    for (int64_t r = 0; r < rows; ++r) {
      std::byte* place = query_rows + r * depth * bytes;
      store_scaled(type, format, queries + (first + r) * query_stride, head_dim, scale, place);
      std::memset(place + head_dim * bytes, 0, static_cast<size_t>((depth - head_dim) * bytes));
    }
    for (int64_t group = 0; group < padded_len / kBlock; ++group) {
      kernel({query_rows, depth * bytes, rows}, memory.key_group(head, group), depth, nullptr,
             block);
      for (int64_t r = 0; r < rows; ++r) {
        std::memcpy(scores + r * padded_len + group * kBlock, block + r * kBlock,
                    kBlock * sizeof(float));
      }
    }
    for (int64_t r = 0; r < rows; ++r) {
      softmax_row(scores + r * padded_len, len, padded_len);
      store_scaled(type, format, scores + r * padded_len, padded_len, 1.0f,
                   weights + r * padded_len * bytes);
    }
    for (int64_t group = 0; group * kBlock < head_dim; ++group) {
      const int64_t columns = std::min(kBlock, head_dim - group * kBlock);
      kernel({weights, padded_len * bytes, rows}, memory.value_group(head, group), padded_len,
             nullptr, block);
      for (int64_t r = 0; r < rows; ++r) {
        std::memcpy(out + (first + r) * out_stride + group * kBlock, block + r * kBlock,
                    static_cast<size_t>(columns) * sizeof(float));
      }
    }
  }
}

void attend_cached(ComputeType type, const void* cache, int64_t cell_stride, int64_t value_offset,
                   std::span<const int32_t> cells, int64_t head_dim, const float* query, float* out,
                   AttentionScratch& scratch) {
  check(scratch.row.size() >= static_cast<int64_t>(cells.size()),
        "attention has room for its scores");
  float* scores = scratch.row.data();
  if (type == ComputeType::kFloat32) {
    cached_head_float32(static_cast<const float*>(cache), cell_stride, value_offset, cells,
                        head_dim, query, out, scores);
  } else {
    cached_head_bfloat16(static_cast<const uint16_t*>(cache), cell_stride, value_offset, cells,
                         head_dim, query, out, scores);
  }
}

void store_cached(ComputeType type, const float* values, int64_t count, void* place) {
  const auto format = type == ComputeType::kFloat32 ? RowFormat::kFloat32 : RowFormat::kBfloat16;
  round_row(type, format, values, count, place);
}

}  // namespace trivium
