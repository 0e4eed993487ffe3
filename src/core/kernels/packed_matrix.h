// A weight matrix laid out once for the block kernels (block_kernels.h): read from front to back,
// exactly once for up to 32 rows of activations.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "core/kernels/aligned_buffer.h"

namespace trivium {

// In what numbers products are computed. Sums are float32 (int8: int32) in all.
enum class ComputeType {
  kFloat32,
  kBfloat16,  // both factors rounded to bfloat16
  kInt8,      // weights symmetric with one scale an output, activations with one scale a row
};

// "float32", "bfloat16", "int8"; Error kUsage for another name.
ComputeType compute_type(const std::string& name);
const char* name_of(ComputeType type);
int64_t size_of(ComputeType type);  // bytes of one weight

// Columns in a group, which is also the number of rows a block kernel takes at most.
constexpr int64_t kBlock = 32;

// Depth to which rows are padded with zeros: what one AMX tile holds.
int64_t depth_step(ComputeType type);
int64_t padded_depth(ComputeType type, int64_t depth);

// W [columns, depth] (a linear layer's weight; y = x W^T) as groups of 32 columns. In a group, with
// `pack` = 1 (float32), 2 (bfloat16) or 4 (int8) weights of one column side by side:
//   float32:         [depth][32]
//   bfloat16, int8:  [depth / depth_step][2 halves][16][16 columns][pack], the halves being AMX
//                    tiles and their rows AVX-512 registers.
// The last group's missing columns are zeros.
class PackedMatrix {
 public:
  PackedMatrix() = default;
  PackedMatrix(ComputeType type, int64_t columns, int64_t depth);

  // Packs `rows` [count, depth] as columns first..first+count-1. `row_stride` in elements.
  void set_columns(int64_t first, int64_t count, const float* rows, int64_t row_stride);
  // What column `column` computes with, as float32 [depth].
  void get_column(int64_t column, float* row) const;

  ComputeType type() const { return type_; }
  int64_t columns() const { return columns_; }
  int64_t depth() const { return depth_; }
  int64_t num_groups() const { return (columns_ + kBlock - 1) / kBlock; }
  const std::byte* group(int64_t index) const { return data_.data() + index * group_bytes_; }
  int64_t group_bytes() const { return group_bytes_; }
  // int8 only, [num_groups * 32]: a weight is its integer times the scale; sums of the integers.
  const float* scales() const { return scales_.data(); }
  const int32_t* column_sums() const { return column_sums_.data(); }
  int64_t bytes() const;
  // The same of a matrix that is not there.
  static int64_t bytes_of(ComputeType type, int64_t columns, int64_t depth);

 private:
  void set_float_columns(int64_t first, int64_t count, const float* rows, int64_t row_stride);
  ComputeType type_ = ComputeType::kFloat32;
  int64_t columns_ = 0, depth_ = 0, group_bytes_ = 0;
  AlignedBuffer<std::byte> data_;
  AlignedBuffer<float> scales_;
  AlignedBuffer<int32_t> column_sums_;
};

}  // namespace trivium
