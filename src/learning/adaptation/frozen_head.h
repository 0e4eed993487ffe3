// What few-shot tuning has to beat: a logistic regression over the sentence vectors of an encoder
// that is left as it is.
#pragma once

#include "learning/adaptation/few_shot.h"

namespace trivium::learning {

// Learns each data sample of a task with fixed labels and scores it on the test split. A text's
// vector is the mean of the encoder's last states over its tokens, scaled to length 1. A task of
// one input field is learned from its vector u; of the first two fields, [u, v, |u - v|, u * v].
// The regression minimises 10 times the summed cross-entropy and half the squared weights.
//
// `dense` is a model without pools. Of the settings count the samples and max_source_length. In the
// result, the start's score is the majority's, and a sample has one cell, without a rate.
//
// Error kUsage for a task whose labels are not fixed.
FewShotResult adapt_frozen_head(const Checkpoint& dense, const FewShotTask& task,
                                const FewShotSettings& settings);

}  // namespace trivium::learning
