#include "core/checkpoint/tensor_files.h"

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <set>
#include <stdexcept>
#include <utility>

#include "core/base/aligned_memory.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/checkpoint/safetensors.h"
#include "core/checkpoint/safetensors_header.h"
#include "core/checkpoint/tensor_file_names.h"

namespace trivium {
namespace {

namespace fs = std::filesystem;

// IEEE 754 binary16, which has no type in C++20.
float from_float16(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  const uint32_t exponent = (half >> 10) & 0x1Fu, fraction = half & 0x3FFu;
  if (exponent == 0x1F) return std::bit_cast<float>(sign | 0x7F800000u | (fraction << 13));
  if (exponent != 0)
    return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (fraction << 13));
  const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
  return sign != 0 ? -magnitude : magnitude;
}

// The elements of type T at `bytes`, which need not be aligned for T, as convert(element).
template <typename T, typename Convert>
void widen(const std::byte* bytes, int64_t count, float* out, const Convert& convert) {
  for (int64_t i = 0; i < count; ++i) {
    T element;
    std::memcpy(&element, bytes + static_cast<size_t>(i) * sizeof(T), sizeof(T));
    out[i] = convert(element);
  }
}

void to_float32(Dtype dtype, const std::byte* bytes, int64_t count, float* out) {
  const auto plain = [](auto element) { return static_cast<float>(element); };
  switch (dtype) {
    case Dtype::kBool:
      return widen<uint8_t>(bytes, count, out, [](uint8_t x) { return x != 0 ? 1.0f : 0.0f; });
    case Dtype::kU8:
      return widen<uint8_t>(bytes, count, out, plain);
    case Dtype::kI8:
      return widen<int8_t>(bytes, count, out, plain);
    case Dtype::kI16:
      return widen<int16_t>(bytes, count, out, plain);
    case Dtype::kF16:
      return widen<uint16_t>(bytes, count, out, from_float16);
    case Dtype::kBf16:
      return widen<uint16_t>(bytes, count, out, [](uint16_t x) {
        return std::bit_cast<float>(static_cast<uint32_t>(x) << 16);
      });
    case Dtype::kI32:
      return widen<int32_t>(bytes, count, out, plain);
    case Dtype::kF32:
      std::memcpy(out, bytes, static_cast<size_t>(count) * sizeof(float));
      return;
    case Dtype::kF64:
      return widen<double>(bytes, count, out, plain);
    case Dtype::kI64:
      return widen<int64_t>(bytes, count, out, plain);
  }
  throw std::logic_error("unknown dtype");
}

}  // namespace

// A tensor's place: which open file, which entry.
struct StoredTensor {
  std::shared_ptr<SafetensorsReader> reader;
  const TensorEntry* entry = nullptr;

  std::shared_ptr<std::byte[]> bytes() const {
    std::shared_ptr<std::byte[]> bytes = uninitialised<std::byte>(entry->size());
    reader->read(*entry, {bytes.get(), entry->size()});
    return bytes;
  }

  int64_t elements() const { return static_cast<int64_t>(entry->size() / size_of(entry->dtype)); }

  std::shared_ptr<float[]> read() const {
    std::shared_ptr<float[]> values = uninitialised<float>(static_cast<size_t>(elements()));
    if (entry->dtype == Dtype::kF32) {
      reader->read(*entry, {reinterpret_cast<std::byte*>(values.get()), entry->size()});
    } else {
      to_float32(entry->dtype, bytes().get(), elements(), values.get());
    }
    return values;
  }
};
using PlacesByName = std::map<std::string, StoredTensor>;

namespace {

void add_file(const fs::path& file, const ChecksumsByFile& checksums, PlacesByName& places) {
  const auto expected = checksums.find(file.filename());
  auto reader = expected == checksums.end()
                    ? std::make_shared<SafetensorsReader>(file)
                    : std::make_shared<SafetensorsReader>(file, expected->second);
  for (const TensorEntry& entry : reader->entries()) {
    if (!places.emplace(entry.name, StoredTensor{reader, &entry}).second) {
      throw Error(ExitCode::kBadModel, file.string() + ": tensor " + quoted_name(entry.name) +
                                           " is also in another shard");
    }
  }
}

PlacesByName open_shards(const fs::path& index_file, const ChecksumsByFile& checksums) {
  const std::string where = index_file.string();
  const Json index = read_json_file(index_file, ExitCode::kBadModel);
  if (!index.is_object() || !index.contains("weight_map") || !index.at("weight_map").is_object()) {
    throw Error(ExitCode::kBadModel, where + ": key \"weight_map\" must be an object");
  }
  PlacesByName places;
  std::set<std::string> opened, listed;
  const Json& weight_map = index.at("weight_map");
  for (const auto& [tensor, shard] : weight_map.items()) {
    const std::string name = shard.is_string() ? shard.get<std::string>() : "";
    // A shard is a plain file of the same folder: the index may not lead elsewhere.
    if (name.find('/') != name.npos || name.starts_with('.') || !name.ends_with(".safetensors")) {
      throw Error(ExitCode::kBadModel, where + ": the shard of tensor " + quoted_name(tensor) +
                                           " must be the name of a .safetensors file beside it");
    }
    if (opened.insert(name).second) {
      add_file(index_file.parent_path() / name, checksums, places);
    }
    const auto place = places.find(tensor);
    if (place == places.end() || place->second.reader->file().filename() != name) {
      throw Error(ExitCode::kBadModel,
                  where + ": tensor " + quoted_name(tensor) + " is not in " + quoted_name(name));
    }
    listed.insert(tensor);
  }
  for (const auto& [tensor, place] : places) {
    if (listed.contains(tensor)) continue;
    throw Error(ExitCode::kBadModel, place.reader->file().string() + ": tensor " +
                                         quoted_name(tensor) + " is not in " + kIndexFile);
  }
  return places;
}

[[noreturn]] void throw_no_weights(const fs::path& folder) {
  for (const char* pickle : {"pytorch_model.bin", "pytorch_model.bin.index.json", "model.pt"}) {
    if (!fs::exists(folder / pickle)) continue;
    throw Error(
        ExitCode::kBadModel,
        (folder / pickle).string() +
            " is a pickle, which can run code and is never opened; convert it where you trust "
            "it: python -c \"from transformers import AutoModel; AutoModel.from_pretrained("
            "'FOLDER').save_pretrained('OUT', safe_serialization=True)\"");
  }
  throw Error(ExitCode::kMissingInput, folder.string() + " has no " + kWeightsFile + " and no " +
                                           kIndexFile + ": it is not a model folder");
}

PlacesByName open_folder(const fs::path& folder, const ChecksumsByFile& checksums) {
  if (!fs::is_directory(folder)) {
    throw Error(ExitCode::kMissingInput, "there is no model folder " + folder.string());
  }
  PlacesByName places;
  if (fs::exists(folder / kWeightsFile)) {
    add_file(folder / kWeightsFile, checksums, places);
    return places;
  }
  if (fs::exists(folder / kIndexFile)) return open_shards(folder / kIndexFile, checksums);
  throw_no_weights(folder);
}

// Float32 from int8 values [rows, ...] and their scales [rows].
std::shared_ptr<float[]> dequantize(const std::string& name, const StoredTensor& values,
                                    const StoredTensor& scales) {
  const std::vector<int64_t>& shape = values.entry->shape;
  if (values.entry->dtype != Dtype::kI8 || scales.entry->dtype != Dtype::kF32 || shape.empty() ||
      scales.entry->shape != std::vector<int64_t>{shape[0]}) {
    throw Error(ExitCode::kBadModel, scales.reader->file().string() + ": tensor " +
                                         quoted_name(name + kScaleSuffix) +
                                         " must have one F32 for each row of an I8 matrix");
  }
  const std::shared_ptr<std::byte[]> bytes = values.bytes();
  const auto* quantized = reinterpret_cast<const int8_t*>(bytes.get());
  const std::shared_ptr<float[]> factors = scales.read();
  const int64_t columns = shape[0] == 0 ? 0 : values.elements() / shape[0];
  std::shared_ptr<float[]> result = uninitialised<float>(values.entry->size());
  for (int64_t row = 0; row < shape[0]; ++row) {
    const float scale = factors[row];
    const int8_t* from = quantized + row * columns;
    float* to = result.get() + row * columns;
    for (int64_t i = 0; i < columns; ++i) to[i] = static_cast<float>(from[i]) * scale;
  }
  return result;
}

}  // namespace

StorageKind storage_kind(const std::string& name) {
  if (name == "float32") return StorageKind::kFloat32;
  if (name == "bfloat16") return StorageKind::kBFloat16;
  if (name == "int8") return StorageKind::kInt8;
  throw Error(ExitCode::kUsage,
              "unknown storage " + quoted_name(name) + ": it must be float32, bfloat16 or int8");
}

struct TensorFiles::Places {
  PlacesByName all;  // matrices and their scales
};

TensorFiles::TensorFiles(const fs::path& folder, const ChecksumsByFile& checksums)
    : places_(std::make_unique<Places>(Places{open_folder(folder, checksums)})) {
  for (const auto& [name, place] : places_->all) {
    if (name.ends_with(kScaleSuffix)) {
      const std::string matrix = name.substr(0, name.size() - std::string(kScaleSuffix).size());
      if (!places_->all.contains(matrix)) {
        throw Error(ExitCode::kBadModel, place.reader->file().string() + ": tensor " +
                                             quoted_name(name) + " has no matrix to scale");
      }
    } else if (place.entry->dtype == Dtype::kI8 && !places_->all.contains(name + kScaleSuffix)) {
      throw Error(ExitCode::kBadModel, place.reader->file().string() + ": tensor " +
                                           quoted_name(name) + " is I8 and lacks " +
                                           quoted_name(name + kScaleSuffix));
    }
  }
}

TensorFiles::~TensorFiles() = default;

std::vector<std::string> TensorFiles::names() const {
  std::vector<std::string> names;
  for (const auto& [name, place] : places_->all) {
    if (!name.ends_with(kScaleSuffix)) names.push_back(name);
  }
  return names;
}

bool TensorFiles::has(const std::string& name) const {
  return places_->all.contains(name) && !name.ends_with(kScaleSuffix);
}

std::vector<int64_t> TensorFiles::shape(const std::string& name) const {
  return places_->all.at(name).entry->shape;
}

double TensorFiles::elements() const {
  double elements = 0;
  for (const std::string& name : names()) {
    double size = 1;
    for (const int64_t length : shape(name)) size *= static_cast<double>(length);
    elements += size;
  }
  return elements;
}

HostTensor TensorFiles::read(const std::string& name) const {
  const StoredTensor& place = places_->all.at(name);
  const auto scales = places_->all.find(name + kScaleSuffix);
  const std::shared_ptr<float[]> values =
      scales != places_->all.end() ? dequantize(name, place, scales->second) : place.read();
  return {std::shared_ptr<const float>(values, values.get()), place.entry->shape};
}

bool is_finite(const HostTensor& tensor) {
  // By the bits of the exponent, since compilers make vector code of that.
  const float* values = tensor.values.get();
  const int64_t count = tensor.size();
  uint32_t found = 0;
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t exponent = std::bit_cast<uint32_t>(values[i]) & 0x7F800000u;
    found |= static_cast<uint32_t>(exponent == 0x7F800000u);
  }
  return found == 0;
}

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text;
  for (const int64_t size : shape) text += (text.empty() ? "" : ", ") + std::to_string(size);
  return "[" + text + "]";
}

}  // namespace trivium
