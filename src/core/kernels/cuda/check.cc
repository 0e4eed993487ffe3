#include "core/kernels/cuda/check.h"

#include <string>

#include "core/base/error.h"

namespace trivium::cuda {

void check_cuda(cudaError_t status, const char* call) {
  if (status == cudaSuccess) return;
  throw Error(ExitCode::kUnavailable, std::string("CUDA: ") + call +
                                          " failed: " + cudaGetErrorString(status) + " (" +
                                          cudaGetErrorName(status) + "); try --device cpu");
}

}  // namespace trivium::cuda
