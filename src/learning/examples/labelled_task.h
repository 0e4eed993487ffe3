// Tasks whose answers are a class, a number or one of two choices, as records of one text or a pair
// of texts (docs/spec/mt_tag.md, section 3).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/data/task.h"

namespace trivium::learning {

enum class AnswerKind {
  kLabel,     // a class of a text or a pair
  kNumber,    // a number
  kWordPair,  // a class of one word in two sentences (WiC)
  kChoice,    // which of several choices: each a pair of its own, right or wrong (COPA)
};

struct LabelledRecord {
  std::string first, second;  // second is "" for a single text
  std::string word;           // of a kWordPair
  int64_t label = 0;          // the index among the task's labels; of a kChoice 1 where it is right
  double value = 0;           // of a kNumber
  int64_t group = 0;          // the records of one kChoice question share it
};

// What a head needs to know of its task.
struct LabelledTaskInfo {
  std::string name, family, metric;
  AnswerKind kind = AnswerKind::kLabel;
  std::vector<std::string> labels;  // of a kChoice: the names of the choices; of a kNumber: none
  // The outputs of its head: classes, 1 for a number, 2 (wrong, right) for a choice.
  int64_t outputs() const;
  bool operator==(const LabelledTaskInfo&) const = default;
};

struct LabelledTask {
  LabelledTaskInfo info;
  std::map<Split, std::vector<LabelledRecord>> records;
};

// The kind follows from the description: the labels are names of input fields: choices, and the
// other inputs are their context; inputs word, sentence1, sentence2: a word pair; no labels and a
// correlation for a metric: a number; else classes. Of more than two inputs the last is the second
// text, and the others are joined, the first field last, so that cutting a long passage on the
// right does not cost the question. Error kBadData for an open task, a field that is a list, a
// label that is not in the set.
LabelledTask labelled_task(const Task& task);
LabelledTaskInfo labelled_task_info(const Task& task);

}  // namespace trivium::learning
