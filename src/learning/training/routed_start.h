// What a multi-task training starts from: pools, a router and task vectors around a dense model.
#pragma once

#include <string>
#include <vector>

#include "learning/model/batch.h"
#include "learning/settings/train_settings.h"
#include "learning/storage/checkpoint.h"

namespace trivium::learning {

// A dense `start` gets the experts, router and task vectors that the settings ask for; a routed one
// goes on with its own. What the settings freeze no longer asks for a gradient, so that it counts
// in no norm and moves by no momentum (docs/spec/parity.md, A6 and A7). `tasks` are those of the
// examples, in order. The result's weights are its own: training it leaves `start` as it is. Error
// kConfig when `start`, or a file of task vectors, does not fit.
Checkpoint routed_start(const Checkpoint& start, const TrainSettings& settings,
                        const std::vector<EncodedExample>& examples,
                        const std::vector<std::string>& tasks);

}  // namespace trivium::learning
