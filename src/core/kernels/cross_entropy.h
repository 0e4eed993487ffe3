// The training loss of one token, and its gradient in place of the logits.
#pragma once

#include <cstdint>

namespace trivium {

// Label-smoothed cross-entropy of one row of logits (docs/spec/task_level.md, section 5):
// (1 - smoothing) * -log p_label + smoothing / count * sum_v -log p_v, in float32, sums in double.
// Afterwards `logits` [count] holds the gradient of scale * loss by them. Values that are not
// finite make the loss so.
float cross_entropy_row(float* logits, int64_t count, int64_t label, float smoothing, float scale);
// The same of bfloat16 logits, to which the gradient is rounded.
float cross_entropy_row(uint16_t* logits, int64_t count, int64_t label, float smoothing,
                        float scale);

}  // namespace trivium
