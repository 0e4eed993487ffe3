#include <cuda_runtime_api.h>

#include "core/kernels/backend.h"

namespace trivium {

int cuda_device_count() {
  int count = 0;
  if (cudaGetDeviceCount(&count) == cudaSuccess) return count;
  cudaGetLastError();  // no driver, or too old a one: not an error of the next call
  return 0;
}

}  // namespace trivium
