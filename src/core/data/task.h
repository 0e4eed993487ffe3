// A task of a collection: its raw records and what its description says of them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/base/json.h"

namespace trivium {

// One raw record: field name -> string or list of strings.
struct Record {
  Json fields;        // an object
  std::string where;  // "train.jsonl:12", for messages
};

enum class Split { kTrain, kDev, kTest };

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
  std::map<Split, std::vector<Record>> records;
};

// One text-to-text example, as the model sees it.
struct Example {
  std::string task;
  std::string input;
  std::vector<std::string> targets;  // every accepted answer; the first is the one to train on
  std::vector<std::string> options;  // the closed set to rank or match against; empty when open
  std::string where;
};

}  // namespace trivium
