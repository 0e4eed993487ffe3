// The experiment on token gates: multi-task training of each method, then fine-tuning on each task
// (docs/spec/mt_tag.md, sections 6 and 10).
#pragma once

#include <atomic>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/data/gym.h"
#include "learning/storage/classifier_checkpoint.h"
#include "learning/training/classifier_training.h"
#include "research/settings/mt_tag_settings.h"
#include "research/studies/mt_tag_plan.h"
#include "research/studies/mt_tag_run.h"

namespace trivium::research {

class MtTagExperiment {
 public:
  // Reads the plan, which the settings must name, and all settings of its variants. Error kConfig,
  // kMissingInput.
  MtTagExperiment(const MtTagSettings& settings, const std::atomic<bool>* stop);

  // Does what is not done yet: a training's model is kept in OUTPUT/VARIANT/seedN/multi_task, its
  // snapshots until then in unfinished beside it, and the results of every fine-tuning in
  // results.json. Returns false when it was stopped.
  // Error kConfig where results of other settings are there.
  bool run();

  // Those of the plan that the settings ask for.
  const std::vector<ResultTable>& tables() const { return tables_; }
  // One a variant and seed of training that are done, in the plan's order. A variant that is
  // trained on no mixture has one.
  const std::vector<MtTagRun>& runs() const { return runs_; }

 private:
  // A task's lines as ids, encoded once; `task` of the examples is 0.
  struct TaskData {
    learning::LabelledTaskInfo info;
    std::vector<learning::LabelledExample> train, dev;
    std::map<std::string, std::vector<learning::LabelledExample>>
        test;  // by perturbation; "": as they are
  };

  const TaskData& data_of(const std::string& task);
  learning::ClassifierSettings training_settings(const MtTagVariant& variant, int64_t seed) const;
  std::filesystem::path folder_of(const MtTagRun& run) const;
  // Keeps beside a run's results what they depend on. Error kConfig where that is kept already and
  // has changed since.
  void check_settings(const MtTagVariant& variant, const MtTagRun& run) const;
  // The trained model: as it was kept, or trained now. Nothing when it was stopped.
  std::optional<learning::ClassifierCheckpoint> multi_task_model(const MtTagVariant& variant,
                                                                 MtTagRun& run);
  // `unfinished`: where the training leaves its snapshots, and goes on from.
  bool train(const learning::ClassifierSettings& settings, const std::filesystem::path& unfinished,
             learning::ClassifierCheckpoint& model, MtTagRun& run);
  void count_use(learning::ClassifierCheckpoint& model, MtTagRun& run);
  bool run_variant(const MtTagVariant& variant, int64_t training_seed);
  // A job and seed; false when it was stopped.
  bool run_job(const MtTagVariant& variant, const FineTuneJob& job, int64_t seed,
               std::optional<learning::ClassifierCheckpoint>& model, MtTagRun& run);
  // The row of the model's gates that a job begins with; nothing: new ones.
  std::optional<int64_t> gate_row(const learning::ClassifierCheckpoint& model,
                                  const FineTuneJob& job);
  std::vector<std::string> perturbations_of(const FineTuneJob& job) const;
  learning::FineTuneData fine_tune_data(const FineTuneJob& job);

  MtTagSettings settings_;
  const std::atomic<bool>* stop_;
  Gym gym_;
  MtTagPlan plan_;
  std::vector<ResultTable> tables_;
  std::vector<MtTagVariant> variants_;
  std::shared_ptr<Tokenizer> tokenizer_;
  std::map<std::string, TaskData> data_;
  std::vector<MtTagRun> runs_;
};

}  // namespace trivium::research
