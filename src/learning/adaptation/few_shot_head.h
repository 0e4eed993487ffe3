// Few-shot tuning of a head over an encoder, and what it has to beat: the same of an encoder that
// is left as it is.
#pragma once

#include "learning/adaptation/few_shot.h"
#include "learning/adaptation/head_tuning.h"

namespace trivium::learning {

// Learns each data sample of a task with fixed labels (head_tuning.h) and scores it on the test
// split. Prompts are the values of the task's fields, without words of a template.
//
// `dense` is a model without pools. Of `settings` the samples and the grid count, with the steps,
// the rank, max_source_length and the stop; with 0 steps the encoder stays as it is, and there is
// one cell. In the result, the start's score is the majority's.
//
// Error kUsage for a task whose labels are not fixed, and for another device.
FewShotResult adapt_head(const Checkpoint& dense, const FewShotTask& task,
                         const FewShotSettings& settings);

}  // namespace trivium::learning
