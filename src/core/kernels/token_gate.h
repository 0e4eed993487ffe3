// The gate of a token: which expert it takes, and how surely.
#pragma once

#include <cstdint>

namespace trivium {

struct GateChoice {
  int32_t expert = 0;
  float probability = 1;
};

// The largest of softmax(W x), the first of equals (docs/spec/mt_tag.md, section 1). token: x
// [depth]; weights: W [num_experts, depth].
GateChoice choose_expert(const float* token, int64_t depth, const float* weights,
                         int64_t num_experts);

}  // namespace trivium
