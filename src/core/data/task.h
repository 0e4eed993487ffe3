// A task of a collection: its raw records and what its description says of them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/enum_names.h"
#include "core/base/json.h"

namespace trivium {

// One raw record. The fields that its task uses are strings or lists of strings; others may hold
// anything.
struct Record {
  Json fields;        // an object
  std::string where;  // "train.jsonl:12", for messages
};

enum class Split { kTrain, kDev, kTest };
const EnumNames<Split>& scored_split_names();  // those that train nothing: "test", "dev"

struct Task {
  std::string name;
  std::string family;               // "sentiment", "nli", …; "" when unknown
  std::string metric = "accuracy";  // a name that make_metric knows
  std::vector<std::string> inputs;  // the input fields, in order
  std::string target;               // the target field
  std::string accepted;             // field that lists every accepted answer; "" when there is none
  std::vector<std::string> labels;  // the label set of a classification task; empty otherwise
  std::string licence;
  std::string source;
  // The seed of the few-shot sample that train and dev are (CrossFit's "TASK_16_100"); nothing
  // where train is all that there is.
  std::optional<uint64_t> sample_seed;
  std::map<Split, std::vector<Record>> records;
};

// One text-to-text example, as the model sees it.
struct Example {
  std::string task;
  std::string input;
  std::vector<std::string> targets;  // every accepted answer, the usual one first
  std::vector<std::string> options;  // the closed set to rank or match against; empty when open
  std::string where;
  std::string written = {};          // what a model learns to write, where that is not targets[0]
  bool options_are_numbers = false;  // a ranking then answers with their mean, by their likelihoods

  const std::string& to_learn() const { return written.empty() ? targets.at(0) : written; }
};

}  // namespace trivium
