// Few-shot tuning of a checkpoint on one task: a grid of learning rates and batch sizes for every
// data sample, the best step and cell chosen on dev (docs/spec/task_level.md, section 11).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/base/enum_names.h"
#include "core/base/json.h"
#include "core/evaluation/arg.h"
#include "learning/adaptation/few_shot_sample.h"
#include "learning/settings/train_settings.h"
#include "learning/storage/checkpoint.h"

namespace trivium::learning {

// The optimiser of the protocol: 1000 steps, 10 % warm-up, clip 0.1, weight decay 0.01. Its
// learning rate and seed come from the grid and the sample.
OptimiserSettings few_shot_optimiser();

// How much is spent on a task.
enum class FewShotPreset {
  kQuick,  // "quick": differences of low rank, one run a sample: a minute or less
  kPaper,  // "paper": all weights of the start, the source's grid: nine runs of 1000 steps a sample
};
const EnumNames<FewShotPreset>& few_shot_preset_names();

struct FewShotSettings {
  std::vector<uint64_t> seeds = {100, 13, 21, 42, 87};  // one data sample each
  int64_t per_class = 16;  // train examples a label, and as many for dev
  int64_t total = 32;      // the same for a task without fixed labels
  std::vector<double> learning_rates = {1e-5, 2e-5, 5e-5};
  std::vector<int64_t> batch_sizes = {2, 4, 8};  // examples
  int64_t eval_every = 100;                      // steps between scores on dev
  // Of the differences that are tuned (own_experts.h), of a dense start; 0: all weights are.
  int64_t rank = 0;
  int64_t max_source_length = 128, max_target_length = 64;
  EvaluationMode mode = EvaluationMode::kGeneration;
  OptimiserSettings optimiser = few_shot_optimiser();
  torch::Device device = torch::kCPU;
  const std::atomic<bool>* stop = nullptr;  // ends the tuning between two steps: Error kInterrupted
};

// The settings of a preset; those of the paper are FewShotSettings' defaults.
FewShotSettings few_shot_settings(FewShotPreset preset);

// The seeds of the task's data samples: its own where it comes as one sample (CrossFit's).
std::vector<uint64_t> seeds_of(const FewShotTask& task, const FewShotSettings& settings);

// One run of the grid at its best step, the first of equals.
struct GridCell {
  double learning_rate = 0;
  int64_t batch_size = 0;
  double dev_score = 0;
  int64_t step = 0;       // of the best dev score; 0: the start
  bool diverged = false;  // stopped being finite; the best step before that, or the start, counts
};

struct TunedModel {
  GridCell cell;
  Checkpoint checkpoint;  // the weights at the best step, on the CPU
};

// Tunes a copy of `start`, all of its weights or differences of its layers: a dense checkpoint, or
// one with a single fixed route (with_fixed_route), of which only the experts on the route move.
TunedModel tune(const Checkpoint& start, const FewShotTask& task, const FewShotSample& sample,
                double learning_rate, int64_t batch_size, const FewShotSettings& settings);

struct SampleResult {
  uint64_t seed = 0;
  size_t train_examples = 0, dev_examples = 0;
  std::vector<GridCell> cells;
  size_t best = 0;        // of `cells`: the strictly best dev score, the first of equals
  double test_score = 0;  // of the best cell; no other cell sees the test split
};

struct FewShotResult {
  std::string task, family, metric;
  double majority = 0;     // of the test split, by the first sample's train examples
  double start_score = 0;  // the test score before any tuning
  std::vector<std::vector<std::string>> indistinguishable;  // as TaskScore's
  std::vector<SampleResult> samples;

  double mean() const;       // of the samples' test scores
  double deviation() const;  // their population standard deviation
};

// Every sample and cell; where the task comes as one sample (CrossFit's), that one. Each cell
// starts from the same weights and seed (docs/spec/parity.md, A23), so that no result depends on
// the order. `on_sample` gets each sample's result and its best model.
using SampleDone = std::function<void(const SampleResult&, const Checkpoint&)>;
FewShotResult adapt_to_task(const Checkpoint& start, const FewShotTask& task,
                            const FewShotSettings& settings, const SampleDone& on_sample = {});

// The test scores of the samples, for ARG.
SampleScores sample_scores(const FewShotResult& result);

// {"task", "family", "metric", "mean", "std", "start", "majority", "indistinguishable", "samples":
// [{"seed", "train", "dev", "test", "best", "cells": [{"learning_rate", "batch_size", "dev",
// "step", "diverged"}]}]}
Json to_json(const FewShotResult& result);

}  // namespace trivium::learning
