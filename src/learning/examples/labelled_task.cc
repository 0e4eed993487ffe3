#include "learning/examples/labelled_task.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/text.h"

namespace trivium::learning {
namespace {

const std::vector<std::string> kWordPairInputs = {"word", "sentence1", "sentence2"};

bool contains(const std::vector<std::string>& list, const std::string& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

std::string text_of(const Record& record, const std::string& field) {
  const auto found = record.fields.find(field);
  if (found == record.fields.end() || !found->is_string()) {
    throw Error(ExitCode::kBadData,
                record.where + ": field \"" + field + "\" must be a text for a classifier");
  }
  return std::string(trim(found->get<std::string>()));
}

// The label as text; booleans and numbers as JSON writes them.
std::string answer_of(const Record& record, const std::string& field) {
  const auto found = record.fields.find(field);
  if (found == record.fields.end()) {
    throw Error(ExitCode::kBadData, record.where + ": field \"" + field + "\" is missing");
  }
  return found->is_string() ? std::string(trim(found->get<std::string>())) : found->dump();
}

double number_of(const Record& record, const std::string& field) {
  const auto found = record.fields.find(field);
  if (found != record.fields.end() && found->is_number()) return found->get<double>();
  try {
    return std::stod(answer_of(record, field));
  } catch (const std::logic_error&) {
    throw Error(ExitCode::kBadData, record.where + ": field \"" + field + "\" must be a number");
  }
}

int64_t label_index(const LabelledTaskInfo& info, const Record& record, const std::string& field) {
  const std::string answer = answer_of(record, field);
  const auto found = std::find(info.labels.begin(), info.labels.end(), answer);
  if (found == info.labels.end()) {
    throw Error(ExitCode::kBadData,
                record.where + ": \"" + answer + "\" is none of the task's labels");
  }
  return found - info.labels.begin();
}

// The texts of `fields`, joined, the first last.
std::string joined(const Record& record, const std::vector<std::string>& fields) {
  std::string text;
  for (auto field = fields.rbegin(); field != fields.rend(); ++field) {
    text += (text.empty() ? "" : " ") + text_of(record, *field);
  }
  return text;
}

LabelledRecord pair_record(const Task& task, const Record& record) {
  LabelledRecord result;
  if (task.inputs.size() == 1) {
    result.first = text_of(record, task.inputs[0]);
    return result;
  }
  result.first = joined(record, {task.inputs.begin(), task.inputs.end() - 1});
  result.second = text_of(record, task.inputs.back());
  return result;
}

void add_choices(const Task& task, const LabelledTaskInfo& info, const Record& record,
                 int64_t group, std::vector<LabelledRecord>& out) {
  std::vector<std::string> context;
  for (auto field = task.inputs.rbegin(); field != task.inputs.rend(); ++field) {
    if (!contains(info.labels, *field)) context.push_back(*field);
  }
  const int64_t right = label_index(info, record, task.target);
  for (size_t c = 0; c < info.labels.size(); ++c) {
    LabelledRecord choice;
    choice.first = joined(record, context);
    choice.second = text_of(record, info.labels[c]);
    choice.label = static_cast<int64_t>(c) == right;
    choice.group = group;
    out.push_back(std::move(choice));
  }
}

}  // namespace

int64_t LabelledTaskInfo::outputs() const {
  if (kind == AnswerKind::kNumber) return 1;
  return kind == AnswerKind::kChoice ? 2 : static_cast<int64_t>(labels.size());
}

LabelledTaskInfo labelled_task_info(const Task& task) {
  LabelledTaskInfo info{task.name, task.family, task.metric, AnswerKind::kLabel, task.labels};
  if (task.labels.empty()) {
    if (task.metric.find("pearson") == std::string::npos &&
        task.metric.find("spearman") == std::string::npos) {
      throw Error(ExitCode::kBadData, "task " + task.name +
                                          " has open answers: a classifier needs "
                                          "a set of labels or a number");
    }
    info.kind = AnswerKind::kNumber;
  } else if (std::all_of(task.labels.begin(), task.labels.end(),
                         [&](const std::string& label) { return contains(task.inputs, label); })) {
    info.kind = AnswerKind::kChoice;
  } else if (task.inputs == kWordPairInputs) {
    info.kind = AnswerKind::kWordPair;
  }
  return info;
}

LabelledTask labelled_task(const Task& task) {
  LabelledTask result{labelled_task_info(task), {}};
  const LabelledTaskInfo& info = result.info;
  for (const auto& [split, records] : task.records) {
    std::vector<LabelledRecord>& out = result.records[split];
    for (const Record& record : records) {
      const auto group = static_cast<int64_t>(out.size());
      if (info.kind == AnswerKind::kChoice) {
        add_choices(task, info, record, group, out);
        continue;
      }
      LabelledRecord labelled;
      if (info.kind == AnswerKind::kWordPair) {
        labelled = {text_of(record, "sentence1"),
                    text_of(record, "sentence2"),
                    text_of(record, "word"),
                    0,
                    0,
                    0};
      } else {
        labelled = pair_record(task, record);
      }
      if (info.kind == AnswerKind::kNumber) {
        labelled.value = number_of(record, task.target);
      } else {
        labelled.label = label_index(info, record, task.target);
      }
      labelled.group = group;
      out.push_back(std::move(labelled));
    }
  }
  return result;
}

}  // namespace trivium::learning
