#include <cuda_runtime_api.h>

#include "kernels/cuda/check.h"
#include "kernels/device_array.h"

namespace trivium {

std::shared_ptr<float> allocate_on_cuda(size_t count) {
  void* memory = nullptr;
  cuda::check_cuda(cudaMalloc(&memory, count * sizeof(float)), "cudaMalloc");
  return {static_cast<float*>(memory), [](float* pointer) { cudaFree(pointer); }};
}

void copy_to_cuda(float* device, const float* host, size_t count) {
  cuda::check_cuda(cudaMemcpy(device, host, count * sizeof(float), cudaMemcpyHostToDevice),
                   "cudaMemcpy");
}

void copy_from_cuda(float* host, const float* device, size_t count) {
  cuda::check_cuda(cudaMemcpy(host, device, count * sizeof(float), cudaMemcpyDeviceToHost),
                   "cudaMemcpy");
}

}  // namespace trivium
