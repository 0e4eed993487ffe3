// Training of classifiers: many tasks in heterogeneous batches, then one task (docs/spec/mt_tag.md,
// sections 5 and 6).
#pragma once

#include <torch/torch.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "learning/examples/batch_sampler.h"
#include "learning/settings/classifier_settings.h"
#include "learning/storage/classifier_checkpoint.h"
#include "learning/training/route_watch.h"
#include "learning/training/training_loop.h"

namespace trivium::learning {

struct ClassifierTrainerOptions {
  OptimiserSettings optimiser;
  int64_t batch_tokens = 8192, batch_examples = 128;
  TaskShares shares = TaskShares::kNatural;
  double uniform_share = 0.5;
  Json record = nullptr;  // as TrainerOptions::record
};
// Of a training on many tasks.
ClassifierTrainerOptions trainer_options(const ClassifierSettings& settings);

class ClassifierTrainer : public TrainingLoop {
 public:
  // Moves the checkpoint's model, which must outlive the trainer. With optimiser.steps 0, it is set
  // to `epochs` times the batches of an epoch.
  ClassifierTrainer(ClassifierCheckpoint& checkpoint, std::vector<LabelledExample> examples,
                    const ClassifierTrainerOptions& options, int64_t epochs = 0);

  // Writes the classifier with all that the training needs to go on.
  void save_snapshot(const std::filesystem::path& folder) const;
  // Writes the classifier of a training that is done, and what it was begun with.
  void save_finished(const std::filesystem::path& folder) const;
  // Goes on from there; of a finished training, which may have no more than its end, with the end:
  // done(). Error kMissingInput when there is no snapshot, kExists when it is of another
  // training (refuse_other_run), kConfig when it is of another model, kBadModel when it is damaged
  // or of other data.
  void resume(const std::filesystem::path& folder);

  // Mean over the steps so far of the last tenth; 0 before it.
  double last_loss() const { return mean_loss(); }
  // Warns where the routes of the last step have collapsed (RouteWatch).
  void watch_routes();
  int64_t batches_in_epoch() const { return static_cast<int64_t>(main_.batches_in_epoch()); }

 private:
  // The mean of the losses of a batch of mixed tasks, which is the sum of the paper's equations 9
  // and 10 up to a constant (docs/spec/mt_tag.md, section 5).
  StepResult add_gradients() override;
  std::string task_name(int64_t task) const override;
  ClassifierTrainer(ClassifierCheckpoint& checkpoint, std::vector<LabelledExample>&& examples,
                    const ClassifierTrainerOptions& options, int64_t epochs, BatchSampler main);
  BatchSampler& sampler();

  ClassifierCheckpoint& checkpoint_;
  std::vector<LabelledExample> examples_;
  ClassifierTrainerOptions options_;
  BatchSampler main_;
  std::optional<BatchSampler> first_;  // of kUniformThenNatural
  RouteWatch watch_;
  LabelledBatch last_batch_;  // of a model with token gates
};

// Fine-tuning on one task with early stopping: trains for `epochs`, and keeps the weights of the
// epoch whose score on dev is the best (the first of equals).
struct FineTuneData {
  std::vector<LabelledExample> train, dev;
  std::string metric;
};
struct FineTuneResult {
  double dev_score = 0;
  int64_t best_epoch = 0;  // from 1
};
// Returns nothing when it was stopped.
std::optional<FineTuneResult> fine_tune(ClassifierCheckpoint& checkpoint, const FineTuneData& data,
                                        const ClassifierTrainerOptions& options, int64_t epochs,
                                        const std::atomic<bool>* stop);

// The model that the settings describe, at its start: the encoder, experts, gates and heads for
// `tasks`.
ClassifierCheckpoint new_classifier(const ClassifierSettings& settings,
                                    const std::vector<LabelledTaskInfo>& tasks);

}  // namespace trivium::learning
