#include "kernels/expert_mix.h"

#include <algorithm>
#include <array>

namespace trivium::cpu {
namespace {

// The experts of one row whose weight is not 0.
struct Terms {
  std::array<const float*, kMaxMixedExperts> values;  // each [width]
  std::array<float, kMaxMixedExperts> weights;
  int count = 0;
};

// Values per block: 4 KiB of `out` stay in the first-level cache while the experts are added to it,
// so that `out` goes to memory once.
constexpr int64_t kBlock = 1024;

// out[i] = sum of terms, for i in [0, width), in the order of the terms.
TRIVIUM_CPU_CLONES
void mix_row(float* __restrict out, const Terms& terms, int64_t width) {
  for (int64_t begin = 0; begin < width; begin += kBlock) {
    const int64_t end = std::min(begin + kBlock, width);
    const float* first = terms.values[0];
    const float first_weight = terms.weights[0];
    for (int64_t i = begin; i < end; ++i) out[i] = first_weight * first[i];
    for (int t = 1; t < terms.count; ++t) {
      const float* values = terms.values[t];
      const float weight = terms.weights[t];
      for (int64_t i = begin; i < end; ++i) out[i] += weight * values[i];
    }
  }
}

}  // namespace

void mix_expert_outputs(const ExpertMix& mix) {
  for (int64_t row = 0; row < mix.rows; ++row) {
    const float* weights = mix.weights + row * mix.num_experts;
    float* out = mix.out + row * mix.width;
    Terms terms;
    for (int expert = 0; expert < mix.num_experts; ++expert) {
      if (weights[expert] == 0) continue;
      terms.values[terms.count] = mix.experts[expert] + row * mix.width;
      terms.weights[terms.count] = weights[expert];
      ++terms.count;
    }
    if (terms.count == 0) {
      std::fill_n(out, mix.width, 0.0F);
    } else {
      mix_row(out, terms, mix.width);
    }
  }
}

}  // namespace trivium::cpu
