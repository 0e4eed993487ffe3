// Whether CUDA's kernels can run here. A kernel is a function of raw pointers and sizes; each has
// one header in this folder, its CPU code in cpu/ or its CUDA code in cuda/. A build without nvcc
// links cuda/unavailable.cc instead.
#pragma once

namespace trivium {

// Number of CUDA devices that this build and this machine can use: 0 in a CPU-only build, without a
// driver, or with a driver that is older than the CUDA runtime. Does not throw.
int cuda_device_count();

}  // namespace trivium
