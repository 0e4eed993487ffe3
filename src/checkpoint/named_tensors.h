// A folder's weights as torch tensors by name: model.safetensors, or its shards and their index.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace trivium {

using NamedTensors = std::map<std::string, torch::Tensor>;

// How weights lie on the disk. They are always float32 in memory.
enum class StorageKind {
  kFloat32,
  kBFloat16,
  // Symmetric int8 with one float32 scale a row: `X` is I8 and `X.row_scale` F32 [rows]; only for
  // matrices of at least 2^14 elements, the rest stays float32. (The small ones, the router and the
  // task vectors, decide routes and save nothing.)
  kInt8,
};

// "float32", "bfloat16", "int8"; Error kUsage for another name.
StorageKind storage_kind(const std::string& name);

// A folder's tensors, read one at a time: for those who need not hold all.
class TensorFiles {
 public:
  // Reads the headers. Errors as read_tensors.
  explicit TensorFiles(const std::filesystem::path& folder);
  ~TensorFiles();

  std::vector<std::string> names() const;  // sorted
  std::vector<int64_t> shape(const std::string& name) const;
  // The tensor as contiguous float32. An unknown name is a bug.
  torch::Tensor read(const std::string& name) const;

 private:
  struct Places;
  std::unique_ptr<Places> places_;
};

// Every tensor of the folder as contiguous float32. Error kMissingInput when it has no safetensors,
// kBadModel when they are malformed or when it has only a pickle, which is never opened.
NamedTensors read_tensors(const std::filesystem::path& folder);

// Writes float32 `tensors` to model.safetensors, or, where that would be longer than
// max_file_bytes, to shards no longer than that (a single longer tensor has a shard of its own) and
// model.safetensors.index.json. The same tensors give the same bytes. Returns the files' names.
std::vector<std::string> write_tensors(const std::filesystem::path& folder,
                                       const NamedTensors& tensors, StorageKind storage,
                                       int64_t max_file_bytes);

}  // namespace trivium
