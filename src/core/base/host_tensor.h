// A tensor in memory, and where tensors come from by name.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace trivium {

// Contiguous float32 in row-major order.
struct HostTensor {
  std::shared_ptr<const float> values;
  std::vector<int64_t> shape;  // empty: a scalar

  int64_t size() const {
    int64_t elements = 1;
    for (const int64_t length : shape) elements *= length;
    return elements;
  }
};

// A model's tensor by its name in the checkpoint ("encoder.layers.0.experts.2.fc1.weight"). Each is
// asked for once and let go after it is used, so that a reader may fetch it from the disk.
using TensorReader = std::function<HostTensor(const std::string& name)>;

}  // namespace trivium
