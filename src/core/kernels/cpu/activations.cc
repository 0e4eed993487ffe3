#include "core/kernels/activations.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "core/kernels/bfloat16.h"
#include "core/kernels/elementary.h"

namespace trivium {
namespace {

constexpr int64_t kTileRows = 16;  // AMX reads whole tiles
constexpr int64_t kLine = 64;      // bytes of the cache

// The integers of int8, in its own width or in int16. Returns the scale; a value that is not finite
// makes it NaN, and with it every product of the row.
template <typename Integer>
TRIVIUM_ALWAYS_INLINE float round_to_integers(const float* values, int64_t count, Integer* out) {
  // Without their signs, floats are ordered as their bits are, NaN above infinity above the rest.
  uint32_t largest_bits = 0;
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t bits = std::bit_cast<uint32_t>(values[i]) & 0x7FFFFFFFu;
    largest_bits = bits > largest_bits ? bits : largest_bits;
  }
  constexpr uint32_t kInfinity = 0x7F800000u;
  if (largest_bits >= kInfinity) {
    std::fill_n(out, count, Integer{0});
    return std::numeric_limits<float>::quiet_NaN();
  }
  const float largest = std::bit_cast<float>(largest_bits);
  const float inverse = largest > 0 ? 127 / largest : 0;
  // A sum with 1.5 * 2^23 has the nearest integer in its lowest bits.
  constexpr float kRound = 12582912.0f;
  for (int64_t i = 0; i < count; ++i) {
    out[i] = static_cast<Integer>(std::bit_cast<int32_t>(values[i] * inverse + kRound));
  }
  return largest / 127;
}

TRIVIUM_CPU_CLONES
float round_to_int16(const float* values, int64_t count, int16_t* out) {
  return round_to_integers(values, count, out);
}

}  // namespace

TRIVIUM_CPU_CLONES
float round_to_int8(const float* values, int64_t count, int8_t* out) {
  return round_to_integers(values, count, out);
}

void round_row(ComputeType type, RowFormat format, const float* values, int64_t count,
               void* place) {
  if (type == ComputeType::kFloat32) {
    std::memcpy(place, values, static_cast<size_t>(count) * sizeof(float));
  } else if (format == RowFormat::kBfloat16) {
    narrow_to_bfloat16(values, count, static_cast<uint16_t*>(place));
  } else {
    round_to_bfloat16(values, count, static_cast<float*>(place));
  }
}

void Activations::resize(int64_t rows, int64_t depth) {
  // A line more, so that rows a multiple of 4 KiB apart do not all fall on one set of the cache.
  const int64_t row_bytes = padded_depth(type_, depth) * size_of(format_) + kLine;
  // A smaller depth leaves old values where the new rows' padding is.
  if (depth != depth_) data_.clear();
  rows_ = rows;
  depth_ = depth;
  row_bytes_ = row_bytes;
  const int64_t padded_rows = (rows + kTileRows - 1) / kTileRows * kTileRows;
  data_.reserve(padded_rows * row_bytes);
  if (type_ == ComputeType::kInt8) scales_.reserve(padded_rows);
}

void Activations::set_row(int64_t row, const float* values) {
  std::byte* place = data_.data() + row * row_bytes_;
  if (type_ != ComputeType::kInt8) {
    round_row(type_, format_, values, depth_, place);
  } else if (format_ == RowFormat::kInt16) {
    scales_.data()[row] = round_to_int16(values, depth_, reinterpret_cast<int16_t*>(place));
  } else {
    scales_.data()[row] = round_to_int8(values, depth_, reinterpret_cast<int8_t*>(place));
  }
}

}  // namespace trivium
