// CUDA Runtime errors as exceptions.
#pragma once

#include <cuda_runtime_api.h>

namespace trivium::cuda {

// Error kUnavailable, with the call's text and CUDA's reason, unless `status` is cudaSuccess.
void check_cuda(cudaError_t status, const char* call);

}  // namespace trivium::cuda
