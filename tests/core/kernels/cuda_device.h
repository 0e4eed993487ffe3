// What tests of CUDA's kernels need: a device, or the reason why there is none, and arrays on it.
// The same tests run on tests/kernels/cuda_on_host, where the host stands in for the device.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "core/kernels/backend.h"
#include "core/kernels/cuda_stream.h"

namespace trivium {

// The environment variable TRIVIUM_REQUIRE_CUDA=1 says that this machine must have a GPU.
inline bool cuda_is_required() {
  const char* value = std::getenv("TRIVIUM_REQUIRE_CUDA");
  return value != nullptr && std::string_view(value) == "1";
}

// Begins a test that needs a GPU: skips it where there is none, or fails where there must be one.
#define TRIVIUM_NEEDS_CUDA()                                                                 \
  do {                                                                                       \
    if (::trivium::cuda_device_count() == 0) {                                               \
      const char* reason =                                                                   \
          "no CUDA device is usable here (no GPU, no driver, or a build without nvcc)";      \
      if (::trivium::cuda_is_required()) FAIL() << "TRIVIUM_REQUIRE_CUDA=1, but " << reason; \
      GTEST_SKIP() << "skipped: " << reason;                                                 \
    }                                                                                        \
  } while (false)

// Values in the device's memory.
template <typename T>
class OnDevice {
 public:
  OnDevice(cuda::Stream& stream, const std::vector<T>& values)
      : stream_(stream), size_(values.size()), memory_(std::max<size_t>(1, size_) * sizeof(T)) {
    stream_.copy_to_device(memory_.as<T>(), values.data(), size_ * sizeof(T));
    stream_.synchronize();
  }
  // Not initialised.
  OnDevice(cuda::Stream& stream, size_t size)
      : stream_(stream), size_(size), memory_(std::max<size_t>(1, size_) * sizeof(T)) {}

  T* get() const { return memory_.as<T>(); }
  std::vector<T> to_host() const {  // waits for what is queued
    std::vector<T> values(size_);
    stream_.copy_to_host(values.data(), memory_.as<T>(), size_ * sizeof(T));
    stream_.synchronize();
    return values;
  }

 private:
  cuda::Stream& stream_;
  size_t size_;
  cuda::DeviceMemory memory_;
};

}  // namespace trivium
