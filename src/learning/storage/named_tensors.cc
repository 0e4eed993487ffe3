#include "learning/storage/named_tensors.h"

#include <memory>

#include "core/base/error.h"

namespace trivium::learning {

torch::Tensor as_torch(const HostTensor& tensor) {
  // What a checkpoint gives has no other owner, so that the tensor may be written to.
  auto* values = const_cast<float*>(tensor.values.get());
  return torch::from_blob(
      values, tensor.shape, [owner = tensor.values](void*) {}, torch::kFloat32);
}

HostTensor as_host(const torch::Tensor& tensor) {
  check(tensor.scalar_type() == torch::kFloat32, "weights are float32");
  const auto owner = std::make_shared<torch::Tensor>(tensor.detach().cpu().contiguous());
  return {std::shared_ptr<const float>(owner, owner->data_ptr<float>()), owner->sizes().vec()};
}

std::map<std::string, HostTensor> as_host(const NamedTensors& tensors) {
  std::map<std::string, HostTensor> host;
  for (const auto& [name, tensor] : tensors) host[name] = as_host(tensor);
  return host;
}

NamedTensors read_tensors(const std::filesystem::path& folder, const ChecksumsByFile& checksums) {
  const TensorFiles files(folder, checksums);
  NamedTensors tensors;
  for (const std::string& name : files.names()) tensors[name] = as_torch(files.read(name));
  return tensors;
}

std::vector<std::string> write_tensors(const std::filesystem::path& folder,
                                       const NamedTensors& tensors, StorageKind storage,
                                       int64_t max_file_bytes) {
  return write_tensor_files(folder, as_host(tensors), storage, max_file_bytes);
}

}  // namespace trivium::learning
