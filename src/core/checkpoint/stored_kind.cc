#include "core/checkpoint/stored_kind.h"

#include "core/checkpoint/safetensors.h"
#include "core/checkpoint/tensor_file_names.h"

namespace trivium {

StorageKind stored_kind(const std::filesystem::path& folder) {
  StorageKind kind = StorageKind::kFloat32;
  for (const std::filesystem::directory_entry& file : std::filesystem::directory_iterator(folder)) {
    if (file.path().extension() != ".safetensors") continue;
    const SafetensorsReader reader(file.path());
    for (const TensorEntry& entry : reader.entries()) {
      if (entry.name.ends_with(kScaleSuffix)) return StorageKind::kInt8;
      if (entry.dtype == Dtype::kBf16) kind = StorageKind::kBFloat16;
    }
  }
  return kind;
}

}  // namespace trivium
