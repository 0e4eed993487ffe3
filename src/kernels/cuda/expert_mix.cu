#include <algorithm>

#include "kernels/cuda/check.h"
#include "kernels/expert_mix.h"

namespace trivium::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kMaxGridRows = 65535;  // the limit of gridDim.y

// A launch's arguments travel by value, which saves a copy of the pointers to the device.
struct ExpertPointers {
  const float* values[kMaxMixedExperts];  // each [rows, width]
};

__device__ void add_scaled(float& sum, float weight, float value) { sum += weight * value; }
__device__ void add_scaled(float4& sum, float weight, float4 value) {
  sum.x += weight * value.x;
  sum.y += weight * value.y;
  sum.z += weight * value.z;
  sum.w += weight * value.w;
}

// Vector is float or float4; `width` counts Vectors. Blocks: x over the width, y over the rows. A
// weight is the same for all threads of a block, so skipping an expert splits no warp.
template <typename Vector>
__global__ void mix_kernel(Vector* out, ExpertPointers experts, const float* weights,
                           int num_experts, int64_t rows, int64_t width) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= width) return;
  for (int64_t row = blockIdx.y; row < rows; row += gridDim.y) {
    Vector sum = {};
    for (int expert = 0; expert < num_experts; ++expert) {
      const float weight = weights[row * num_experts + expert];
      if (weight == 0) continue;
      const auto* values = reinterpret_cast<const Vector*>(experts.values[expert]);
      add_scaled(sum, weight, values[row * width + i]);
    }
    out[row * width + i] = sum;
  }
}

bool is_aligned(const void* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer) % sizeof(float4) == 0;
}

template <typename Vector>
void launch(const ExpertMix& mix, const ExpertPointers& experts) {
  const int64_t width = mix.width / static_cast<int64_t>(sizeof(Vector) / sizeof(float));
  const dim3 grid(static_cast<unsigned>((width + kThreads - 1) / kThreads),
                  static_cast<unsigned>(std::min(mix.rows, kMaxGridRows)));
  mix_kernel<<<grid, kThreads>>>(reinterpret_cast<Vector*>(mix.out), experts, mix.weights,
                                 mix.num_experts, mix.rows, width);
  check_cuda(cudaGetLastError(), "mix_kernel");
}

}  // namespace

void mix_expert_outputs(const ExpertMix& mix) {
  ExpertPointers experts = {};
  std::copy_n(mix.experts, mix.num_experts, experts.values);
  // 16-byte loads need every row of every tensor to begin on a multiple of 16 bytes.
  const bool vectorised = mix.width % 4 == 0 && is_aligned(mix.out) &&
                          std::all_of(mix.experts, mix.experts + mix.num_experts, is_aligned);
  if (vectorised) {
    launch<float4>(mix, experts);
  } else {
    launch<float>(mix, experts);
  }
}

}  // namespace trivium::cuda
