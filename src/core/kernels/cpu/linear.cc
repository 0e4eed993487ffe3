#include "core/kernels/linear.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/kernels/elementary.h"

namespace trivium {
namespace {

// Activations that stay in the second-level cache while all groups of weights pass by.
constexpr int64_t kChunkBytes = 512 * 1024;

TRIVIUM_CPU_CLONES
void scale_block(const int32_t* sums, int64_t count, const float* row_scales,
                 const float* column_scales, float* block) {
  for (int64_t r = 0; r < count; ++r) {
    const float row_scale = row_scales[r];
    for (int64_t c = 0; c < kBlock; ++c) {
      block[r * kBlock + c] =
          static_cast<float>(sums[r * kBlock + c]) * (row_scale * column_scales[c]);
    }
  }
}

// Where a block goes: `out` and `residual` point to its first element.
struct Place {
  float* out;
  const float* residual;
  const float* bias;  // of the block's columns
  int64_t stride;
  bool gelu;
};

TRIVIUM_CPU_CLONES
void finish_full_block(const float* block, int64_t count, const Place& place) {
  for (int64_t r = 0; r < count; ++r) {
    float row[kBlock];
    for (int64_t c = 0; c < kBlock; ++c) row[c] = block[r * kBlock + c];
    if (place.bias != nullptr) {
      for (int64_t c = 0; c < kBlock; ++c) row[c] += place.bias[c];
    }
    if (place.gelu) {
      for (int64_t c = 0; c < kBlock; ++c) row[c] = gelu(row[c]);
    }
    if (place.residual != nullptr) {
      for (int64_t c = 0; c < kBlock; ++c) row[c] += place.residual[r * place.stride + c];
    }
    for (int64_t c = 0; c < kBlock; ++c) place.out[r * place.stride + c] = row[c];
  }
}

void finish_partial_block(const float* block, int64_t count, int64_t columns, const Place& place) {
  for (int64_t r = 0; r < count; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      float value = block[r * kBlock + c];
      if (place.bias != nullptr) value += place.bias[c];
      if (place.gelu) value = gelu(value);
      if (place.residual != nullptr) value += place.residual[r * place.stride + c];
      place.out[r * place.stride + c] = value;
    }
  }
}

}  // namespace

void scaled_block(const BlockKernels& kernels, const Activations& input, int64_t first_row,
                  int64_t count, const PackedMatrix& weights, int64_t group, float* block) {
  const int64_t depth = padded_depth(weights.type(), weights.depth());
  const BlockInput rows = input.block(first_row, count);
  const BlockKernel kernel = kernels.of(weights.type());
  if (weights.type() != ComputeType::kInt8) {
    kernel(rows, weights.group(group), depth, nullptr, block);
    return;
  }
  alignas(64) int32_t sums[kBlock * kBlock];
  kernel(rows, weights.group(group), depth, weights.column_sums() + group * kBlock, sums);
  scale_block(sums, count, input.scales() + first_row, weights.scales() + group * kBlock, block);
}

namespace {

// Columns [begin, end) in groups of 32, of `part`, whose first row is `first`.
void multiply(const BlockKernels& kernels, const Activations& input, int64_t first,
              const LinearPart& part, int64_t begin, int64_t end, const LinearOutput& output) {
  const PackedMatrix& weights = *part.weights;
  const int64_t row_bytes = padded_depth(weights.type(), weights.depth()) * size_of(input.format());
  const int64_t chunk = std::max(kernels.least_rows, kChunkBytes / row_bytes / kBlock * kBlock);
  alignas(64) float block[kBlock * kBlock];
  for (int64_t start = first; start < first + part.rows; start += chunk) {
    const int64_t stop = std::min(start + chunk, first + part.rows);
    for (int64_t group = begin; group < end; ++group) {
      const int64_t column = group * kBlock;
      const int64_t columns = std::min(kBlock, weights.columns() - column);
      for (int64_t row = start; row < stop; row += kBlock) {
        const int64_t count = std::min(kBlock, stop - row);
        scaled_block(kernels, input, row, count, weights, group, block);
        const int64_t offset = row * output.stride + column;
        const Place place = {
            output.out + offset, output.residual == nullptr ? nullptr : output.residual + offset,
            part.bias == nullptr ? nullptr : part.bias + column, output.stride, output.gelu};
        if (columns == kBlock) {
          finish_full_block(block, count, place);
        } else {
          finish_partial_block(block, count, columns, place);
        }
      }
    }
  }
}

}  // namespace

void linear(const CpuContext& context, const Activations& input, std::span<const LinearPart> parts,
            const LinearOutput& output) {
  if (parts.empty()) return;
  const PackedMatrix& shape = *parts.front().weights;
  int64_t rows = 0;
  for (const LinearPart& part : parts) {
    check(input.type() == part.weights->type() && input.depth() == part.weights->depth() &&
              part.weights->columns() == shape.columns(),
          "activations are of the weights' type and depth");
    rows += part.rows;
  }
  check(rows == input.rows(), "every row is of a part");
  check(input.format() == context.blocks->rows_of(input.type()), "rows are those of the kernels");
  // Each thread takes the same columns of all parts, so that all have as much to do.
  context.threads->for_ranges(shape.num_groups(), rows * shape.columns() * shape.depth(),
                              [&](int, int64_t begin, int64_t end) {
                                context.blocks->begin();
                                int64_t first = 0;
                                for (const LinearPart& part : parts) {
                                  multiply(*context.blocks, input, first, part, begin, end, output);
                                  first += part.rows;
                                }
                                context.blocks->end();
                              });
}

}  // namespace trivium
