#include "checkpoint/named_tensors.h"

#include <array>
#include <iomanip>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/safetensors_header.h"

namespace trivium {
namespace {

namespace fs = std::filesystem;

constexpr const char* kWeightsFile = "model.safetensors";
constexpr const char* kIndexFile = "model.safetensors.index.json";
constexpr const char* kScaleSuffix = ".row_scale";
constexpr int64_t kMinQuantizedElements = int64_t{1} << 14;

torch::ScalarType torch_type(Dtype dtype) {
  switch (dtype) {
    case Dtype::kBool:
      return torch::kBool;
    case Dtype::kU8:
      return torch::kUInt8;
    case Dtype::kI8:
      return torch::kInt8;
    case Dtype::kI16:
      return torch::kInt16;
    case Dtype::kF16:
      return torch::kFloat16;
    case Dtype::kBf16:
      return torch::kBFloat16;
    case Dtype::kI32:
      return torch::kInt32;
    case Dtype::kF32:
      return torch::kFloat32;
    case Dtype::kF64:
      return torch::kFloat64;
    case Dtype::kI64:
      return torch::kInt64;
  }
  throw std::logic_error("unknown dtype");
}

// A tensor's place: which open file, which entry.
struct Place {
  std::shared_ptr<SafetensorsReader> reader;
  const TensorEntry* entry = nullptr;

  torch::Tensor read() const {
    torch::Tensor tensor = torch::empty(entry->shape, torch_type(entry->dtype));
    reader->read(*entry, {static_cast<std::byte*>(tensor.data_ptr()), tensor.nbytes()});
    return tensor;
  }
};
using PlacesByName = std::map<std::string, Place>;

void add_file(const fs::path& file, PlacesByName& places) {
  auto reader = std::make_shared<SafetensorsReader>(file);
  for (const TensorEntry& entry : reader->entries()) {
    if (!places.emplace(entry.name, Place{reader, &entry}).second) {
      throw Error(ExitCode::kBadModel, file.string() + ": tensor " + quoted_name(entry.name) +
                                           " is also in another shard");
    }
  }
}

PlacesByName open_shards(const fs::path& index_file) {
  const std::string where = index_file.string();
  const Json index = read_json_file(index_file, ExitCode::kBadModel);
  if (!index.is_object() || !index.contains("weight_map") || !index.at("weight_map").is_object()) {
    throw Error(ExitCode::kBadModel, where + ": key \"weight_map\" must be an object");
  }
  PlacesByName places;
  std::set<std::string> opened;
  const Json& weight_map = index.at("weight_map");
  for (const auto& [tensor, shard] : weight_map.items()) {
    const std::string name = shard.is_string() ? shard.get<std::string>() : "";
    // A shard is a plain file of the same folder: the index may not lead elsewhere.
    if (name.find('/') != name.npos || name.starts_with('.') || !name.ends_with(".safetensors")) {
      throw Error(ExitCode::kBadModel, where + ": the shard of tensor " + quoted_name(tensor) +
                                           " must be the name of a .safetensors file beside it");
    }
    if (opened.insert(name).second) add_file(index_file.parent_path() / name, places);
    const auto place = places.find(tensor);
    if (place == places.end() || place->second.reader->file().filename() != name) {
      throw Error(ExitCode::kBadModel,
                  where + ": tensor " + quoted_name(tensor) + " is not in " + quoted_name(name));
    }
  }
  for (const auto& [tensor, place] : places) {
    if (weight_map.contains(tensor)) continue;
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

PlacesByName open_folder(const fs::path& folder) {
  if (!fs::is_directory(folder)) {
    throw Error(ExitCode::kMissingInput, "there is no model folder " + folder.string());
  }
  PlacesByName places;
  if (fs::exists(folder / kWeightsFile)) {
    add_file(folder / kWeightsFile, places);
    return places;
  }
  if (fs::exists(folder / kIndexFile)) return open_shards(folder / kIndexFile);
  throw_no_weights(folder);
}

// Float32 from int8 values [rows, ...] and their scales [rows].
torch::Tensor dequantize(const std::string& name, const Place& values, const Place& scales) {
  const std::vector<int64_t>& shape = values.entry->shape;
  if (values.entry->dtype != Dtype::kI8 || scales.entry->dtype != Dtype::kF32 || shape.empty() ||
      scales.entry->shape != std::vector<int64_t>{shape[0]}) {
    throw Error(ExitCode::kBadModel, scales.reader->file().string() + ": tensor " +
                                         quoted_name(name + kScaleSuffix) +
                                         " must have one F32 for each row of an I8 matrix");
  }
  std::vector<int64_t> column(shape.size(), 1);
  column[0] = shape[0];
  return values.read().to(torch::kFloat32).mul_(scales.read().view(column));
}

// A tensor as it goes to the disk; `storage` keeps the bytes alive.
struct Stored {
  std::string name;
  Dtype dtype;
  torch::Tensor storage;

  TensorToWrite view() const {
    return {name,
            dtype,
            storage.sizes().vec(),
            {static_cast<const std::byte*>(storage.data_ptr()), storage.nbytes()}};
  }
};

std::vector<Stored> quantize(const std::string& name, const torch::Tensor& matrix) {
  const torch::Tensor rows = matrix.flatten(1);
  // The scale has 17 significant bits, so that scale * 127 is exact: quantising a loaded checkpoint
  // again gives the same bytes. Rounded up, so that no value passes 127.
  torch::Tensor bits = (rows.abs().amax(1) / 127).contiguous().view(torch::kInt32);
  const torch::Tensor scale = ((bits + 0x7F).bitwise_and(~0x7F)).view(torch::kFloat32);
  const torch::Tensor divisor = torch::where(scale > 0, scale, torch::ones_like(scale));
  torch::Tensor values = (rows / divisor.unsqueeze(1)).round_().to(torch::kInt8);
  return {{name, Dtype::kI8, values.view(matrix.sizes()).contiguous()},
          {name + kScaleSuffix, Dtype::kF32, scale.contiguous()}};
}

std::vector<Stored> store(const std::string& name, const torch::Tensor& tensor, StorageKind kind) {
  check(tensor.scalar_type() == torch::kFloat32, "write_tensors takes float32 tensors");
  const torch::Tensor value = tensor.detach().cpu().contiguous();
  if (kind == StorageKind::kBFloat16) {
    return {{name, Dtype::kBf16, value.to(torch::kBFloat16)}};
  }
  if (kind == StorageKind::kInt8 && value.dim() >= 2 && value.size(0) >= 2 &&
      value.numel() >= kMinQuantizedElements) {
    return quantize(name, value);
  }
  return {{name, Dtype::kF32, value}};
}

// The bytes that a tensor adds to a file: its data and, generously, its entry in the header.
int64_t file_bytes(const Stored& stored) {
  constexpr int64_t kEntryBytes = 192;
  return static_cast<int64_t>(stored.storage.nbytes() + stored.name.size()) + kEntryBytes;
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
  std::ostringstream name;
  name << "model-" << std::setfill('0') << std::setw(5) << index + 1 << "-of-" << std::setw(5)
       << count << ".safetensors";
  return name.str();
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

TensorFiles::TensorFiles(const fs::path& folder)
    : places_(std::make_unique<Places>(Places{open_folder(folder)})) {
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

std::vector<int64_t> TensorFiles::shape(const std::string& name) const {
  return places_->all.at(name).entry->shape;
}

torch::Tensor TensorFiles::read(const std::string& name) const {
  const Place& place = places_->all.at(name);
  const auto scales = places_->all.find(name + kScaleSuffix);
  if (scales != places_->all.end()) return dequantize(name, place, scales->second);
  return place.read().to(torch::kFloat32);
}

NamedTensors read_tensors(const fs::path& folder) {
  const TensorFiles files(folder);
  NamedTensors tensors;
  for (const std::string& name : files.names()) tensors[name] = files.read(name);
  return tensors;
}

std::vector<std::string> write_tensors(const fs::path& folder, const NamedTensors& tensors,
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
        total_size += part.storage.nbytes();
      }
    }
    write_safetensors(folder / files.back(), contents, {{"format", "pt"}});
  }
  if (files.size() > 1) {
    const Json index = {{"metadata", {{"total_size", total_size}}}, {"weight_map", weight_map}};
    write_file_atomically(folder / kIndexFile, index.dump(1) + "\n");
    files.push_back(kIndexFile);
  }
  return files;
}

}  // namespace trivium
