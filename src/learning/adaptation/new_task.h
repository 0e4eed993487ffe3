// A task that a trained checkpoint gets afterwards begins along the route of a vector among the
// known tasks' vectors (docs/spec/task_level.md, section 11).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/routes/task_route.h"
#include "learning/storage/checkpoint.h"

namespace trivium::learning {

// Known tasks with shares that sum to 1, the largest first.
using TaskMix = std::vector<std::pair<std::string, double>>;

// The `count` tasks nearest to the texts by the checkpoint's task finder; a share is the mean of
// the probabilities over the texts, scaled to sum to 1. Error kMissingInput where the checkpoint
// knows no tasks. At least one text.
TaskMix nearest_tasks(const Checkpoint& checkpoint, const std::vector<std::string>& texts,
                      size_t count = 3);

// One expert a layer for a task that is near to others: what the router makes of the convex
// combination of the known tasks' vectors; where the model has no router, the nearest task's route,
// and where it has no pools, the only one, with the nearest task's token gates. Of an empty mix the
// first task's.
TaskRoute mixed_route(const Checkpoint& checkpoint, const TaskMix& shares);

// What gives a new task's answers.
enum class AnswersBy {
  kDecoder,  // "decoder": what it writes; any answer can be learned
  kHead,     // "head": one of fixed labels, by the text's sentence vector (label_head.h)
};
const EnumNames<AnswersBy>& answers_by_names();

// The better of the two for a task: a head where its labels are fixed and the checkpoint has no
// token gates, which no own experts stand beside.
AnswersBy usual_answers(const Task& task, const Checkpoint& checkpoint);

// A task that nobody wrote a template for, as the catalog knows it: plain_template for a decoder,
// values_template for a head.
TaskEntry plain_entry(const Task& task, const std::string& description, AnswersBy answers);

}  // namespace trivium::learning
