// Arrays in the memory of either device, so that one test body serves both.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "kernels/backend.h"

namespace trivium {

// The device's name in the names of tests.
inline void PrintTo(Device device, std::ostream* out) {
  *out << (device == Device::kCpu ? "Cpu" : "Cuda");
}

// Floats in the memory of `device`; starts `offset` floats after an address that is a multiple
// of 64.
class DeviceArray {
 public:
  DeviceArray(Device device, const std::vector<float>& values, size_t offset = 0);

  float* data() const { return memory_.get() + offset_; }
  std::vector<float> to_host() const;  // waits for the device's queued work

 private:
  Device device_;
  size_t size_;
  size_t offset_;
  std::shared_ptr<float> memory_;
};

// `count` floats of CUDA memory (16-byte aligned or better) and copies to and from it.
std::shared_ptr<float> allocate_on_cuda(size_t count);
void copy_to_cuda(float* device, const float* host, size_t count);
void copy_from_cuda(float* host, const float* device, size_t count);

// Why a test on `device` cannot run here, or "" when it can. The environment variable
// TRIVIUM_REQUIRE_CUDA=1 says that this machine must have a GPU: then the test fails instead.
std::string why_not_on(Device device);
bool cuda_is_required();

// Begins a test on `device`: skips it, with the reason, where the device is missing.
#define TRIVIUM_SKIP_WITHOUT(device)                            \
  do {                                                          \
    const std::string reason = ::trivium::why_not_on(device);   \
    if (!reason.empty() && ::trivium::cuda_is_required()) {     \
      FAIL() << "TRIVIUM_REQUIRE_CUDA=1, but " << reason;       \
    }                                                           \
    if (!reason.empty()) GTEST_SKIP() << "skipped: " << reason; \
  } while (false)

}  // namespace trivium
