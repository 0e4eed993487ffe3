// What a classifier answers, and how good that is.
#pragma once

#include <string>
#include <vector>

#include "core/evaluation/evaluator.h"
#include "learning/storage/classifier_checkpoint.h"

namespace trivium::learning {

// The head's outputs for every example, in order; the examples may belong to different tasks. The
// model must be in evaluation mode. `bf16`: matrix products in bfloat16.
std::vector<std::vector<float>> classifier_outputs(EncoderClassifier& model,
                                                   const std::vector<LabelledExample>& examples,
                                                   int32_t pad_id, bool bf16);

// The answers to a task's examples beside the right ones, as texts: the label of the largest
// output; the number; of a ranking, one answer a group: the choice whose pair is the most "right".
std::vector<Scored> classifier_answers(const LabelledTaskInfo& task,
                                       const std::vector<LabelledExample>& examples,
                                       const std::vector<std::vector<float>>& outputs);

// The score of examples that all belong to task `task` of the checkpoint, by `metric`. Intervals
// are left out when resamples is 0.
TaskScore score_classifier(ClassifierCheckpoint& checkpoint, int64_t task,
                           const std::vector<LabelledExample>& examples, const std::string& metric,
                           bool bf16, int resamples);

}  // namespace trivium::learning
