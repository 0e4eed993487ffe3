#include "core/kernels/token_gate.h"

#include "core/kernels/elementary.h"

namespace trivium {

TRIVIUM_CPU_CLONES
GateChoice choose_expert(const float* token, int64_t depth, const float* weights,
                         int64_t num_experts) {
  constexpr int64_t kLanes = 16;
  GateChoice choice;
  float largest = 0, total = 0;  // total: the sum of exp(logit - largest)
  for (int64_t e = 0; e < num_experts; ++e, weights += depth) {
    float lanes[kLanes] = {};
    int64_t i = 0;
    for (; i + kLanes <= depth; i += kLanes) {
      for (int64_t j = 0; j < kLanes; ++j) lanes[j] += weights[i + j] * token[i + j];
    }
    float logit = 0;
    for (; i < depth; ++i) logit += weights[i] * token[i];
    for (int64_t j = 0; j < kLanes; ++j) logit += lanes[j];
    if (e == 0 || logit > largest) {
      total = 1 + (e == 0 ? 0 : total * exp_of_nonpositive(largest - logit));
      largest = logit;
      choice.expert = static_cast<int32_t>(e);
    } else {
      total += exp_of_nonpositive(logit - largest);
    }
  }
  choice.probability = 1 / total;
  return choice;
}

}  // namespace trivium
