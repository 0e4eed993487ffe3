// Weights as torch tensors by name, from and to the files of a folder.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/base/host_tensor.h"
#include "core/checkpoint/tensor_files.h"

namespace trivium::learning {

using NamedTensors = std::map<std::string, torch::Tensor>;

// The same memory as a torch tensor, which keeps it alive; float32 on the CPU.
torch::Tensor as_torch(const HostTensor& tensor);
// The tensor as contiguous float32 on the host, sharing its memory where it is that already.
HostTensor as_host(const torch::Tensor& tensor);
std::map<std::string, HostTensor> as_host(const NamedTensors& tensors);

// Every tensor of the folder as contiguous float32, checked by `checksums`. Errors as TensorFiles.
NamedTensors read_tensors(const std::filesystem::path& folder,
                          const ChecksumsByFile& checksums = {});

// As write_tensor_files.
std::vector<std::string> write_tensors(const std::filesystem::path& folder,
                                       const NamedTensors& tensors, StorageKind storage,
                                       int64_t max_file_bytes);

}  // namespace trivium::learning
