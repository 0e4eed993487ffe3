// A checkpoint's weights copied, and trained on for a while.
#pragma once

#include <vector>

#include "learning/model/batch.h"
#include "learning/settings/train_settings.h"
#include "learning/storage/checkpoint.h"

namespace trivium::learning {

// The same weights in memory of their own.
Checkpoint copy_of(const Checkpoint& original);

// A copy of a dense checkpoint after settings.steps steps on `examples`, `batch_size` at a time.
Checkpoint tuned_copy(const Checkpoint& dense, const std::vector<EncodedExample>& examples,
                      int64_t batch_size, const OptimiserSettings& settings);

}  // namespace trivium::learning
