// A folder's weights by name: model.safetensors, or its shards and their index.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/host_tensor.h"
#include "core/checkpoint/checkpoint_folder.h"

namespace trivium {

// How weights lie on the disk. They are always float32 in memory.
enum class StorageKind {
  kFloat32,
  kBFloat16,
  // Symmetric int8 with one float32 scale per row: `X` is I8 and `X.row_scale` F32 [rows]; only for
  // matrices of at least 2^14 elements, the rest stays float32. (The small ones, the router and the
  // task vectors, decide routes and save nothing.)
  kInt8,
};

// "float32", "bfloat16", "int8"; Error kUsage for another name.
StorageKind storage_kind(const std::string& name);

// A folder's tensors, read one at a time. Reading is const and thread-safe.
class TensorFiles {
 public:
  // Reads the headers. Error kMissingInput when the folder has no safetensors, kBadModel when they
  // are malformed or when it has only a pickle, which is never opened. Headers and tensors are
  // checked by `checksums` when they are read.
  explicit TensorFiles(const std::filesystem::path& folder, const ChecksumsByFile& checksums = {});
  ~TensorFiles();

  std::vector<std::string> names() const;  // sorted
  bool has(const std::string& name) const;
  // An unknown name is a bug.
  std::vector<int64_t> shape(const std::string& name) const;
  // The elements of all tensors together. A double, since a hostile header overflows an integer.
  double elements() const;
  // Error kBadModel when the file has shrunk since it was opened, or the bytes are damaged. An
  // unknown name is a bug.
  HostTensor read(const std::string& name) const;

 private:
  struct Places;
  std::unique_ptr<Places> places_;
};

// Writes `tensors` to model.safetensors, or, where that would be longer than max_file_bytes, to
// shards no longer than that (a single longer tensor has a shard of its own) and
// model.safetensors.index.json. The same tensors give the same bytes. Returns the files' names.
std::vector<std::string> write_tensor_files(const std::filesystem::path& folder,
                                            const std::map<std::string, HostTensor>& tensors,
                                            StorageKind storage, int64_t max_file_bytes);

// Whether no value is a NaN or an infinity.
bool is_finite(const HostTensor& tensor);

// "[3, 128]"
std::string shape_text(const std::vector<int64_t>& shape);

}  // namespace trivium
