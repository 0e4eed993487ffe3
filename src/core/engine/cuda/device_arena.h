// Small arrays that go to the CUDA device together, in one copy.
#pragma once

#include <cstddef>
#include <cstring>
#include <vector>

#include "core/base/error.h"
#include "core/kernels/cuda_stream.h"

namespace trivium {

class DeviceArena {
 public:
  // Forgets what was added; room for `bytes`, 16 more for each array. What was uploaded before must
  // have been waited for.
  void begin(size_t bytes) {
    used_ = 0;
    if (bytes > host_.bytes()) {
      host_.reserve(2 * bytes);
      device_.reserve(2 * bytes);
    }
  }

  // Where `values` will lie on the device.
  template <typename T>
  const T* add(const std::vector<T>& values) {
    const size_t bytes = values.size() * sizeof(T), at = used_;
    check(at + bytes <= host_.bytes(), "the arena has the room that was asked for");
    if (bytes > 0) std::memcpy(host_.as<std::byte>() + at, values.data(), bytes);
    used_ = (at + bytes + 15) / 16 * 16;
    return reinterpret_cast<const T*>(device_.as<std::byte>() + at);
  }

  void upload(cuda::Stream& stream) {
    stream.copy_to_device(device_.as<std::byte>(), host_.as<std::byte>(), used_);
  }

 private:
  cuda::PinnedMemory host_;
  cuda::DeviceMemory device_;
  size_t used_ = 0;
};

}  // namespace trivium
