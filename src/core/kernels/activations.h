// Rows of activations in the numbers that the next product takes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/kernels/aligned_buffer.h"
#include "core/kernels/block_kernels.h"
#include "core/kernels/packed_matrix.h"

namespace trivium {

// Rounds `values` [count] to `type`, float32 or bfloat16, and stores them in `format`.
void round_row(ComputeType type, RowFormat format, const float* values, int64_t count, void* place);

// Rounds `values` [count] to integers between -127 and 127 and returns the scale, max |value| /
// 127; where a value is not finite, zeros and NaN.
float round_to_int8(const float* values, int64_t count, int8_t* out);

class Activations {
 public:
  // Rows as `kernels` read them.
  Activations(ComputeType type, const BlockKernels& kernels)
      : type_(type), format_(kernels.rows_of(type)) {}

  // Room for `rows` rows of `depth` values. What was there is lost.
  void resize(int64_t rows, int64_t depth);

  // Rounds `values` [depth] into row `row`: to bfloat16, or to int8 with the scale max |value| /
  // 127. Different rows may be set by different threads.
  void set_row(int64_t row, const float* values);

  ComputeType type() const { return type_; }
  RowFormat format() const { return format_; }
  int64_t rows() const { return rows_; }
  int64_t depth() const { return depth_; }
  BlockInput block(int64_t first, int64_t count) const {
    return {data_.data() + first * row_bytes_, row_bytes_, count};
  }
  const float* scales() const { return scales_.data(); }  // [rows], int8 only

 private:
  ComputeType type_;
  RowFormat format_;
  int64_t rows_ = 0, depth_ = 0, row_bytes_ = 0;
  AlignedBuffer<std::byte> data_;
  AlignedBuffer<float> scales_;
};

}  // namespace trivium
