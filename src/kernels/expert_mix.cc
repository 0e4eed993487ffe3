#include "kernels/expert_mix.h"

#include "base/error.h"

namespace trivium {

void mix_expert_outputs(Device device, const ExpertMix& mix) {
  check(mix.num_experts >= 1 && mix.num_experts <= kMaxMixedExperts,
        "mix_expert_outputs: num_experts is out of range");
  check(mix.rows >= 0 && mix.width >= 0, "mix_expert_outputs: a size is negative");
  if (mix.rows == 0 || mix.width == 0) return;
  if (device == Device::kCuda) {
    cuda::mix_expert_outputs(mix);
  } else {
    cpu::mix_expert_outputs(mix);
  }
}

}  // namespace trivium
