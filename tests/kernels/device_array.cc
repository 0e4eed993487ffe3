#include "kernels/device_array.h"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <string_view>

namespace trivium {
namespace {

constexpr std::align_val_t kAlignment{64};

std::shared_ptr<float> allocate(Device device, size_t count) {
  if (device == Device::kCuda) return allocate_on_cuda(count);
  auto* memory = static_cast<float*>(::operator new(count * sizeof(float), kAlignment));
  return {memory, [](float* pointer) { ::operator delete(pointer, kAlignment); }};
}

}  // namespace

DeviceArray::DeviceArray(Device device, const std::vector<float>& values, size_t offset)
    : device_(device),
      size_(values.size()),
      offset_(offset),
      memory_(allocate(device, values.size() + offset)) {
  if (device_ == Device::kCuda) {
    copy_to_cuda(data(), values.data(), size_);
  } else {
    std::copy(values.begin(), values.end(), data());
  }
}

std::vector<float> DeviceArray::to_host() const {
  std::vector<float> values(size_);
  if (device_ == Device::kCuda) {
    copy_from_cuda(values.data(), data(), size_);
  } else {
    std::copy_n(data(), size_, values.begin());
  }
  return values;
}

std::string why_not_on(Device device) {
  if (device == Device::kCpu || cuda_device_count() > 0) return "";
  return "no CUDA device is usable here (no GPU, no driver, or a build without nvcc)";
}

bool cuda_is_required() {
  const char* value = std::getenv("TRIVIUM_REQUIRE_CUDA");
  return value != nullptr && std::string_view(value) == "1";
}

}  // namespace trivium
