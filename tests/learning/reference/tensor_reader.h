// The engine's view of a LibTorch model that is not on the disk.
#pragma once

#include <memory>

#include "core/base/host_tensor.h"
#include "learning/storage/checkpoint.h"

namespace trivium::learning {

inline TensorReader reader_of(const Seq2SeqModel& model) {
  return [tensors = model_tensors(model)](const std::string& name) {
    const auto owner = std::make_shared<torch::Tensor>(tensors.at(name));
    return HostTensor{std::shared_ptr<const float>(owner, owner->data_ptr<float>()),
                      owner->sizes().vec()};
  };
}

}  // namespace trivium::learning
