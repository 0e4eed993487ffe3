// The settings of `trivium experiment mt-tag`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/config/settings.h"
#include "learning/settings/classifier_settings.h"

namespace trivium::research {

// The comparison of token gates: multi-task training, then fine-tuning on each task
// (docs/spec/mt_tag.md, sections 6 to 10).
struct MtTagSettings : Settings {
  // [experiment]
  std::string init;  // a BERT-family folder
  std::string gym = "../shared/gym";
  std::string methods_folder = "configs/mt_tag";
  std::string plan;  // a file as studies/mt_tag_plan.h reads it; "": the shipped one
  std::vector<std::string> tables = {"T1", "T2", "T3", "T4",    "T5",
                                     "T6", "T7", "T8", "scale", "gates"};
  std::vector<std::string> overrides;
  std::vector<int64_t> layers = {2, 4, 6};
  std::vector<int64_t> experts = {2, 4, 6};
  std::vector<std::string> gates = {"random", "sst2", "rte", "mnli", "nearest"};
  std::vector<std::string> scales = {"probability", "none"};
  int64_t dev_examples = 0, test_examples = 0;
  int64_t max_length = 128;
  std::vector<int64_t> training_seeds = {42};
  int64_t threads = 0;
  std::string output = "runs/mt_tag";
  // [fine_tune]
  std::vector<int64_t> seeds = {1, 2, 3};
  int64_t epochs = 5;
  int64_t examples_per_task = 0;
  learning::ClassifierStepSettings fine_tune;
  void visit(SettingsVisitor& visitor) override;
};

}  // namespace trivium::research
