#include "core/kernels/packed_matrix.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <vector>

#include "core/base/error.h"
#include "core/kernels/activations.h"
#include "core/kernels/bfloat16.h"
#include "core/kernels/elementary.h"

namespace trivium {

ComputeType compute_type(const std::string& name) {
  if (name == "float32") return ComputeType::kFloat32;
  if (name == "bfloat16") return ComputeType::kBfloat16;
  if (name == "int8") return ComputeType::kInt8;
  throw Error(ExitCode::kUsage,
              "unknown compute type " + name + ": it must be float32, bfloat16 or int8");
}

const char* name_of(ComputeType type) {
  switch (type) {
    case ComputeType::kFloat32:
      return "float32";
    case ComputeType::kBfloat16:
      return "bfloat16";
    case ComputeType::kInt8:
      break;
  }
  return "int8";
}

int64_t size_of(ComputeType type) {
  return type == ComputeType::kFloat32 ? 4 : type == ComputeType::kBfloat16 ? 2 : 1;
}

int64_t depth_step(ComputeType type) {
  return type == ComputeType::kFloat32 ? 1 : type == ComputeType::kBfloat16 ? 32 : 64;
}

int64_t padded_depth(ComputeType type, int64_t depth) {
  const int64_t step = depth_step(type);
  return (depth + step - 1) / step * step;
}

namespace {

// Where a column's values lie in a group: runs of `pack` values, one run every 64 bytes (float32:
// every 128), and after depth_step values on in the next pair of tiles. Byte: std::byte, const
// where the values are only read.
template <typename Byte>
struct ColumnPlaces {
  Byte* first;
  int64_t pack, run_stride, step, step_stride;

  ColumnPlaces(ComputeType type, Byte* group, int64_t column) {
    if (type == ComputeType::kFloat32) {
      *this = {group + column * 4, 1, 0, 1, kBlock * 4};
    } else {
      *this = {group + (column / 16 * 1024 + column % 16 * 4), 4 / size_of(type), 64,
               depth_step(type), 2048};
    }
  }
  ColumnPlaces(Byte* place, int64_t run, int64_t stride, int64_t depth, int64_t tiles_stride)
      : first(place), pack(run), run_stride(stride), step(depth), step_stride(tiles_stride) {}

  // Stores a column of bfloat16 or int8 values, with zeros behind them up to the padded depth.
  void put_runs(int64_t depth, const std::byte* values) const {
    for (int64_t start = 0; start < depth; start += step) {
      Byte* run = first + start / step * step_stride;
      for (int64_t i = 0; i < 16; ++i, run += run_stride, values += 4) std::memcpy(run, values, 4);
    }
  }

  // Calls use(k, place) for every k in [0, depth); `bytes` is the size of a value.
  template <typename Use>
  void for_each(int64_t depth, int64_t bytes, Use&& use) const {
    for (int64_t start = 0; start < depth; start += step) {
      Byte* run = first + start / step * step_stride;
      const int64_t stop = std::min(step, depth - start);
      for (int64_t k = 0; k < stop; k += pack, run += run_stride) {
        for (int64_t i = 0; i < std::min(pack, stop - k); ++i) use(start + k + i, run + i * bytes);
      }
    }
  }
};

template <typename T>
T get(const std::byte* place) {
  T value;
  std::memcpy(&value, place, sizeof(T));
  return value;
}

}  // namespace

PackedMatrix::PackedMatrix(ComputeType type, int64_t columns, int64_t depth)
    : type_(type),
      columns_(columns),
      depth_(depth),
      group_bytes_(padded_depth(type, depth) * kBlock * size_of(type)) {
  check(columns > 0 && depth > 0, "a matrix has columns and depth");
  data_.reserve(num_groups() * group_bytes_);
  if (type == ComputeType::kInt8) {
    scales_.reserve(num_groups() * kBlock);
    column_sums_.reserve(num_groups() * kBlock);
  }
}

void PackedMatrix::set_columns(int64_t first, int64_t count, const float* rows,
                               int64_t row_stride) {
  check(first >= 0 && first + count <= columns_, "the columns are the matrix's");
  if (type_ == ComputeType::kFloat32) return set_float_columns(first, count, rows, row_stride);
  std::vector<std::byte> rounded(static_cast<size_t>(padded_depth(type_, depth_) * size_of(type_)));
  for (int64_t i = 0; i < count; ++i) {
    const float* row = rows + i * row_stride;
    const int64_t column = first + i;
    const ColumnPlaces places(type_, data_.data() + column / kBlock * group_bytes_,
                              column % kBlock);
    if (type_ == ComputeType::kBfloat16) {
      narrow_to_bfloat16(row, depth_, reinterpret_cast<uint16_t*>(rounded.data()));
      places.put_runs(depth_, rounded.data());
    } else {
      auto* integers = reinterpret_cast<int8_t*>(rounded.data());
      scales_.data()[column] = round_to_int8(row, depth_, integers);
      column_sums_.data()[column] = std::accumulate(integers, integers + depth_, 0);
      places.put_runs(depth_, rounded.data());
    }
  }
}

// Written out, since here the time goes that a model takes to be loaded: by tiles of a group's
// columns and some depth, so that a tile's lines stay in the first cache until they are full.
void PackedMatrix::set_float_columns(int64_t first, int64_t count, const float* rows,
                                     int64_t row_stride) {
  constexpr int64_t kTileDepth = 64;
  const int64_t stop = first + count;
  for (int64_t begin = first; begin < stop;) {
    const int64_t end = std::min(stop, (begin / kBlock + 1) * kBlock);
    auto* group = reinterpret_cast<float*>(data_.data() + begin / kBlock * group_bytes_);
    for (int64_t tile = 0; tile < depth_; tile += kTileDepth) {
      const int64_t tile_end = std::min(depth_, tile + kTileDepth);
      for (int64_t column = begin; column < end; ++column) {
        const float* row = rows + (column - first) * row_stride;
        float* place = group + column % kBlock;
        for (int64_t k = tile; k < tile_end; ++k) place[k * kBlock] = row[k];
      }
    }
    begin = end;
  }
}

void PackedMatrix::get_column(int64_t column, float* row) const {
  const ColumnPlaces places(type_, group(column / kBlock), column % kBlock);
  if (type_ == ComputeType::kFloat32) {
    places.for_each(depth_, 4,
                    [&](int64_t k, const std::byte* place) { row[k] = get<float>(place); });
  } else if (type_ == ComputeType::kBfloat16) {
    places.for_each(depth_, 2, [&](int64_t k, const std::byte* place) {
      row[k] = from_bfloat16(get<uint16_t>(place));
    });
  } else {
    const float scale = scales_.data()[column];
    places.for_each(depth_, 1, [&](int64_t k, const std::byte* place) {
      row[k] = static_cast<float>(get<int8_t>(place)) * scale;
    });
  }
}

int64_t PackedMatrix::bytes_of(ComputeType type, int64_t columns, int64_t depth) {
  const int64_t padded = (columns + kBlock - 1) / kBlock * kBlock;
  const int64_t per_column = type == ComputeType::kInt8 ? 8 : 0;  // its scale and sum
  return padded * (padded_depth(type, depth) * size_of(type) + per_column);
}

int64_t PackedMatrix::bytes() const {
  return data_.size() + 4 * (scales_.size() + column_sums_.size());
}

}  // namespace trivium
