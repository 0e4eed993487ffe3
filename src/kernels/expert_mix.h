// The mix of a routed layer's experts by each row's route (task-level mixture of experts: the
// outputs of whole-layer experts are averaged, not their parameters).
#pragma once

#include <cstdint>

#include "kernels/backend.h"

namespace trivium {

inline constexpr int kMaxMixedExperts = 64;

// out[row, i] = sum over experts e, in ascending order, of weights[row, e] * experts[e][row, i].
// A row is one sequence, or one step of it in decoding; its width is positions * d_model.
struct ExpertMix {
  float* out = nullptr;                   // [rows, width]; overlaps no input
  const float* const* experts = nullptr;  // host array of num_experts pointers to [rows, width]
  const float* weights = nullptr;         // [rows, num_experts]
  int num_experts = 0;                    // 1 to kMaxMixedExperts
  int64_t rows = 0;
  int64_t width = 0;
};

// Every pointer except the array `experts` itself is memory of `device`. Where a weight is 0 the
// expert is not read: its row may hold anything, and its pointer may be null when its weight is 0
// in every row. A row whose weights are all 0 becomes 0. On the CPU this runs in the calling thread
// and gives the same bits on every processor; on CUDA it is queued on the current device's default
// stream. Error kUnavailable when the device is not there or refuses the launch.
void mix_expert_outputs(Device device, const ExpertMix& mix);

namespace cpu {
void mix_expert_outputs(const ExpertMix& mix);
}  // namespace cpu

namespace cuda {
void mix_expert_outputs(const ExpertMix& mix);
}  // namespace cuda

}  // namespace trivium
