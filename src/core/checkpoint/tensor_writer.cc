#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <utility>

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/checkpoint/safetensors.h"
#include "core/checkpoint/tensor_file_names.h"
#include "core/checkpoint/tensor_files.h"

namespace trivium {
namespace {

constexpr int64_t kMinQuantizedElements = int64_t{1} << 14;

// A tensor as it goes to the disk; it owns its bytes, or shares those of the float32 tensor.
struct Stored {
  std::string name;
  Dtype dtype;
  std::vector<int64_t> shape;
  std::shared_ptr<const std::byte> bytes;
  size_t size = 0;  // bytes

  TensorToWrite view() const { return {name, dtype, shape, {bytes.get(), size}}; }
};

template <typename T>
Stored stored(std::string name, Dtype dtype, std::vector<int64_t> shape, std::vector<T> values) {
  const auto owner = std::make_shared<std::vector<T>>(std::move(values));
  return {
      std::move(name), dtype, std::move(shape),
      std::shared_ptr<const std::byte>(owner, reinterpret_cast<const std::byte*>(owner->data())),
      owner->size() * sizeof(T)};
}

Stored as_float32(const std::string& name, const HostTensor& tensor) {
  return {name, Dtype::kF32, tensor.shape,
          std::shared_ptr<const std::byte>(tensor.values,
                                           reinterpret_cast<const std::byte*>(tensor.values.get())),
          static_cast<size_t>(tensor.size()) * sizeof(float)};
}

// To the nearest bfloat16, ties to even; a NaN stays one.
uint16_t rounded(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value)) return 0x7FC0;
  return static_cast<uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

Stored as_bfloat16(const std::string& name, const HostTensor& tensor) {
  std::vector<uint16_t> values(static_cast<size_t>(tensor.size()));
  for (size_t i = 0; i < values.size(); ++i) values[i] = rounded(tensor.values.get()[i]);
  return stored(name, Dtype::kBf16, tensor.shape, std::move(values));
}

// The scale of a row of int8 values: its largest magnitude over 127, rounded up to 17 significant
// bits, so that no value passes 127 and scale * 127 is exact: quantising a loaded checkpoint again
// gives the same bytes.
float scale_of(const float* row, int64_t columns) {
  float most = 0;
  for (int64_t i = 0; i < columns; ++i) most = std::max(most, std::abs(row[i]));
  const uint32_t bits = std::bit_cast<uint32_t>(most / 127);
  return std::bit_cast<float>((bits + 0x7Fu) & ~0x7Fu);
}

std::vector<Stored> quantize(const std::string& name, const HostTensor& matrix) {
  const int64_t rows = matrix.shape[0], columns = matrix.size() / rows;
  std::vector<float> scales(static_cast<size_t>(rows));
  std::vector<int8_t> values(static_cast<size_t>(rows * columns));
  for (int64_t row = 0; row < rows; ++row) {
    const float* from = matrix.values.get() + row * columns;
    const float scale = scale_of(from, columns), divisor = scale > 0 ? scale : 1.0f;
    scales[static_cast<size_t>(row)] = scale;
    int8_t* to = values.data() + row * columns;
    for (int64_t i = 0; i < columns; ++i) {
      to[i] = static_cast<int8_t>(std::nearbyint(from[i] / divisor));
    }
  }
  return {stored(name, Dtype::kI8, matrix.shape, std::move(values)),
          stored(name + kScaleSuffix, Dtype::kF32, {rows}, std::move(scales))};
}

std::vector<Stored> store(const std::string& name, const HostTensor& tensor, StorageKind kind) {
  if (kind == StorageKind::kBFloat16) return {as_bfloat16(name, tensor)};
  if (kind == StorageKind::kInt8 && tensor.shape.size() >= 2 && tensor.shape[0] >= 2 &&
      tensor.size() >= kMinQuantizedElements) {
    return quantize(name, tensor);
  }
  return {as_float32(name, tensor)};
}

// The bytes that a tensor adds to a file: its data and, generously, its entry in the header.
int64_t file_bytes(const Stored& stored) {
  constexpr int64_t kEntryBytes = 192;
  return static_cast<int64_t>(stored.size + stored.name.size()) + kEntryBytes;
}

// Groups tensors, in the order of their names, into files of at most max_file_bytes. A matrix and
// its scales stay together.
std::vector<std::vector<std::string>> plan_shards(
    const std::map<std::string, std::vector<Stored>>& stored, int64_t max_file_bytes) {
  std::vector<std::vector<std::string>> shards;
  int64_t room = 0;
  for (const auto& [name, parts] : stored) {
    int64_t bytes = 0;
    for (const Stored& part : parts) bytes += file_bytes(part);
    if (shards.empty() || bytes > room) {
      shards.emplace_back();
      room = max_file_bytes;
    }
    shards.back().push_back(name);
    room -= bytes;
  }
  if (shards.empty()) shards.emplace_back();
  return shards;
}

std::string shard_name(size_t index, size_t count) {
  if (count == 1) return kWeightsFile;
  char name[64];
  std::snprintf(name, sizeof name, "model-%05zu-of-%05zu.safetensors", index + 1, count);
  return name;
}

}  // namespace

std::vector<std::string> write_tensor_files(const std::filesystem::path& folder,
                                            const std::map<std::string, HostTensor>& tensors,
                                            StorageKind storage, int64_t max_file_bytes) {
  std::map<std::string, std::vector<Stored>> stored;
  for (const auto& [name, tensor] : tensors) stored[name] = store(name, tensor, storage);
  const auto shards = plan_shards(stored, max_file_bytes);
  Json weight_map = Json::object();
  uint64_t total_size = 0;
  std::vector<std::string> files;
  for (size_t i = 0; i < shards.size(); ++i) {
    files.push_back(shard_name(i, shards.size()));
    std::vector<TensorToWrite> contents;
    for (const std::string& name : shards[i]) {
      for (const Stored& part : stored.at(name)) {
        contents.push_back(part.view());
        weight_map[part.name] = files.back();
        total_size += part.size;
      }
    }
    write_safetensors(folder / files.back(), contents, {{"format", "pt"}});
  }
  if (files.size() > 1) {
    const Json index = {{"metadata", {{"total_size", total_size}}}, {"weight_map", weight_map}};
    write_file_atomically(folder / kIndexFile, index.dump(1) + "\n");
    files.emplace_back(kIndexFile);
  }
  return files;
}

}  // namespace trivium
