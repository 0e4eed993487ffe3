// What one multi-task training and the fine-tunings from it came to.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/base/json.h"
#include "core/metrics/metric.h"

namespace trivium::research {

struct FineTuneRun {
  std::string job;  // FineTuneJob::key()
  std::string task, metric;
  int64_t seed = 0;
  double dev = 0;          // the best epoch's
  int64_t best_epoch = 0;  // from 1
  std::string gates;       // the task whose gates it began with; "" for new ones, or none
  // On the test lines: answers in their order, by perturbation ("": as they are).
  std::map<std::string, std::vector<std::string>> answers;
};

struct MtTagRun {
  std::string variant;
  int64_t training_seed = 0;
  double training_seconds = 0;
  int64_t training_examples = 0, training_steps = 0;
  double last_loss = 0;  // mean over the last tenth of the steps
  // After the multi-task training: the share of a task's dev tokens that each expert of each layer
  // gets, by task: [layers][experts].
  std::map<std::string, std::vector<std::vector<double>>> use;
  std::vector<FineTuneRun> runs;
  std::map<std::string, std::vector<std::string>> golds;  // of the test lines, by task
};

Json to_json(const MtTagRun& run);
// Error kBadData, beginning with `where`, for anything else.
MtTagRun mt_tag_run_from_json(const Json& json, const std::string& where);

// The answers beside the right ones.
std::vector<Scored> scored_items(const MtTagRun& run, const FineTuneRun& fine_tuned,
                                 const std::string& perturbation);

}  // namespace trivium::research
