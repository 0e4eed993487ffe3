// Tensors of random numbers, and tensors of given ones.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "core/base/host_tensor.h"
#include "core/base/rng.h"

namespace trivium {

// `values` in row-major order; as many as `shape` has elements.
inline HostTensor tensor_of(std::vector<float> values, std::vector<int64_t> shape) {
  const auto owner = std::make_shared<std::vector<float>>(std::move(values));
  return {std::shared_ptr<const float>(owner, owner->data()), std::move(shape)};
}

inline std::vector<float> values_of(const HostTensor& tensor) {
  return {tensor.values.get(), tensor.values.get() + tensor.size()};
}

// mean + deviation * N(0, 1).
inline HostTensor random_tensor(Rng& rng, std::vector<int64_t> shape, double deviation = 1,
                                double mean = 0) {
  std::vector<float> values(static_cast<size_t>(HostTensor{nullptr, shape}.size()));
  for (float& value : values) value = static_cast<float>(mean + deviation * rng.normal());
  return tensor_of(std::move(values), std::move(shape));
}

}  // namespace trivium
