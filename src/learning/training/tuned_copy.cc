#include "learning/training/tuned_copy.h"

#include "core/base/error.h"
#include "learning/training/multi_task_stream.h"
#include "learning/training/trainer.h"

namespace trivium::learning {

Checkpoint copy_of(const Checkpoint& original) {
  Checkpoint copy = original;
  copy.model = model_from_tensors(original.config(), copied_tensors(original.model), "a copy");
  return copy;
}

Checkpoint tuned_copy(const Checkpoint& dense, const std::vector<EncodedExample>& examples,
                      int64_t batch_size, const OptimiserSettings& settings) {
  check(!dense.model->is_routed(), "a dense model is tuned");
  Checkpoint tuned = copy_of(dense);
  TrainerOptions options;
  options.optimiser = settings;
  MultiTaskStream stream =
      one_task_stream(examples, batch_size, static_cast<uint64_t>(settings.seed));
  Trainer trainer(tuned, stream, options, /*validator=*/{});
  for (int64_t step = 0; step < settings.steps; ++step) trainer.step();
  tuned.model->eval();
  return tuned;
}

}  // namespace trivium::learning
