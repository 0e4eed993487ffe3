// The comparison of ways to route: trains every method on the seen tasks and scores it on seen and
// unseen ones (docs/spec/task_level.md, sections 10 to 12).
#pragma once

#include <atomic>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "learning/adaptation/few_shot.h"
#include "learning/settings/train_settings.h"
#include "learning/storage/checkpoint.h"
#include "learning/training/task_mixture.h"
#include "research/settings/experiment_settings.h"
#include "research/studies/method_run.h"
#include "research/studies/tried_setting.h"

namespace trivium::research {

class TaskLevelExperiment {
 public:
  // Reads the checkpoint to start from and all of the methods' settings. Every method learns the
  // mixture that the first one's [data] describes. Error kConfig, kMissingInput.
  TaskLevelExperiment(const TaskLevelSettings& settings, const std::atomic<bool>* stop);

  // Does what is not done yet: a method's results are kept in OUTPUT/METHOD-SEED/results.json, and
  // a training that was cut off goes on from its snapshot. The gym is read where something is to be
  // done. Returns false when it was stopped. Error kConfig where a folder's settings are others.
  bool run();

  // One a method and seed that is done: kDirect, then the methods and the tried settings (seen
  // tasks only) in the settings' order.
  const std::vector<MethodRun>& runs() const { return runs_; }
  const std::vector<TriedSetting>& tried() const { return tried_; }
  // The trained checkpoint of a method and the first seed.
  learning::Checkpoint trained(const std::string& method) const;

 private:
  // Text vectors of seen and unseen tasks together, so that a router that learned the seen ones'
  // can read the unseen ones'.
  void make_task_vectors(const Gym& gym, const PromptLibrary& prompts,
                         const learning::TrainSettings& settings);
  void read_tasks();  // once
  std::filesystem::path vectors_file() const;
  learning::TrainSettings training_settings(const TriedSetting& setting, int64_t seed) const;
  std::filesystem::path run_folder(const std::string& name, int64_t seed) const;
  // Notes in the folder what its results are made with, or finds the same noted there.
  void note_settings(const std::filesystem::path& folder, learning::TrainSettings training) const;
  // Nothing when they were stopped.
  std::optional<MethodRun> run_direct();
  std::optional<MethodRun> run_setting(const TriedSetting& setting, int64_t seed, bool seen_only);
  void score_seen(const learning::Checkpoint& trained, const learning::TrainSettings& settings,
                  MethodRun& run) const;
  // Zero-shot and few-shot; false when it was stopped.
  bool score_unseen(const learning::Checkpoint& trained, const learning::TrainSettings& settings,
                    MethodRun& run) const;
  void score_zero_shot(const learning::Checkpoint& trained, const learning::TrainSettings& settings,
                       MethodRun& run) const;
  void tune_few_shot(const learning::Checkpoint& trained, const learning::TrainSettings& settings,
                     MethodRun& run) const;
  // What an unseen task takes: for a learned model the router's choice by the task's vector.
  TaskRoute unseen_route(const learning::Checkpoint& trained,
                         const learning::TrainSettings& settings, int64_t seed, size_t task) const;

  TaskLevelSettings settings_;
  const std::atomic<bool>* stop_;
  learning::Checkpoint start_;
  learning::TaskMixture mixture_;
  std::vector<EvaluationTask> seen_tests_;
  std::vector<learning::FewShotTask> unseen_;
  torch::Tensor unseen_vectors_;  // [unseen tasks, d_model]
  std::vector<TriedSetting> methods_, tried_;
  std::vector<MethodRun> runs_;
};

}  // namespace trivium::research
