#include "core/analysis/task_features.h"

#include <toml++/toml.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "core/base/toml_depth.h"
#include "core/metrics/quantile.h"

namespace trivium {
namespace {

constexpr size_t kRecords = 500;  // enough for medians and shares

// What the features are counted from.
struct Statistics {
  bool has_fixed_options = false;  // the task has labels, the same for every record
  bool options_differ = false;     // some records have other options than others
  size_t num_labels = 0;
  double input_words = 0;       // median
  size_t text_fields = 0;       // input fields of 4 words or more in the median
  double target_words = 0;      // median
  double share_in_input = 0;    // of the targets that the input says word for word
  double share_of_numbers = 0;  // of the targets
};

std::string text_of(const Json& field) {
  if (field.is_string()) return field.get<std::string>();
  std::string text;
  if (field.is_array()) {
    for (const Json& item : field) {
      if (!text.empty()) text += ' ';
      text += text_of(item);
    }
  } else if (!field.is_null()) {
    text = field.dump();
  }
  return text;
}

double words_in(const std::string& text) {
  double words = 0;
  bool inside = false;
  for (const char c : text) {
    const bool is_space = c == ' ' || (c >= '\t' && c <= '\r');
    words += inside && is_space;
    inside = !is_space;
  }
  return words + inside;
}

bool is_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && std::isfinite(value);
}

Statistics statistics_of(const Task& task, const PromptTemplate& prompt) {
  Statistics result;
  result.num_labels = task.labels.size();
  std::map<std::string, std::vector<double>> field_words;
  std::vector<double> input_words, target_words;
  std::vector<std::string> first_options;
  const std::vector<Record>& records = task.records.at(Split::kTrain);
  const size_t count = std::min(kRecords, records.size());
  double in_input = 0, numbers = 0;
  for (size_t i = 0; i < count; ++i) {
    const Example example = prompt.render(task, records[i]);
    const std::string& target = example.targets.at(0);
    std::string input;
    for (const std::string& field : task.inputs) {
      const std::string text = text_of(records[i].fields.value(field, Json()));
      field_words[field].push_back(words_in(text));
      input += text + ' ';
    }
    input_words.push_back(words_in(input));
    target_words.push_back(words_in(target));
    in_input += to_lower_ascii(input).find(to_lower_ascii(target)) != std::string::npos;
    numbers += is_number(trim(target));
    if (i == 0) first_options = example.options;
    result.options_differ = result.options_differ || example.options != first_options;
  }
  result.has_fixed_options = !task.labels.empty() && !result.options_differ;
  result.input_words = median(input_words);
  result.target_words = median(target_words);
  for (const auto& [field, words] : field_words) result.text_fields += median(words) >= 4;
  result.share_in_input = count > 0 ? in_input / static_cast<double>(count) : 0;
  result.share_of_numbers = count > 0 ? numbers / static_cast<double>(count) : 0;
  return result;
}

struct CountedFeature {
  const char* name;
  const char* meaning;
  bool (*test)(const Statistics& s);
};

bool is_open(const Statistics& s) { return !s.has_fixed_options && !s.options_differ; }

constexpr CountedFeature kCounted[] = {
    {"classification", "one of a fixed set of labels",
     [](const Statistics& s) { return s.has_fixed_options; }},
    {"binary", "one of 2 labels",
     [](const Statistics& s) { return s.has_fixed_options && s.num_labels == 2; }},
    {"many_labels", "one of 6 labels or more",
     [](const Statistics& s) { return s.has_fixed_options && s.num_labels >= 6; }},
    {"multiple_choice", "the options differ between records",
     [](const Statistics& s) { return s.options_differ; }},
    {"open_answer", "no options: the answer is written freely", is_open},
    {"generation", "written freely, 4 words or more in the median",
     [](const Statistics& s) { return is_open(s) && s.target_words >= 4; }},
    {"extractive", "no fixed labels, and the input has over 60 % of the answers in it",
     [](const Statistics& s) { return !s.has_fixed_options && s.share_in_input > 0.6; }},
    {"numeric_answer", "over 90 % of the answers are numbers",
     [](const Statistics& s) { return s.share_of_numbers > 0.9; }},
    {"one_word_answer", "answers of one word in the median",
     [](const Statistics& s) { return s.target_words == 1; }},
    {"short_input", "20 words or fewer in the median",
     [](const Statistics& s) { return s.input_words <= 20; }},
    {"long_input", "60 words or more in the median",
     [](const Statistics& s) { return s.input_words >= 60; }},
    {"text_pair", "two or more input fields of 4 words or more in the median",
     [](const Statistics& s) { return s.text_fields >= 2; }},
};

}  // namespace

size_t TaskFeature::count() const {
  return static_cast<size_t>(std::count(has.begin(), has.end(), true));
}

HandLabels::HandLabels(const std::filesystem::path& file) : file_(file) {
  const auto bad = [&](const toml::source_region& at, const std::string& what) {
    throw Error(ExitCode::kConfig,
                file.string() + ":" + std::to_string(at.begin.line) + ": " + what);
  };
  toml::table document;
  try {
    document = parse_guarded_toml(read_file(file), file.string());
  } catch (const toml::parse_error& e) {
    bad(e.source(), std::string(e.description()));
  }
  const toml::table* features = document["features"].as_table();
  const toml::table* tasks = document["tasks"].as_table();
  if (features == nullptr || tasks == nullptr || document.size() != 2) {
    bad(document.source(), "write the tables [features] and [tasks] and nothing else");
  }
  for (const auto& [name, meaning] : *features) {
    if (!meaning.is_string()) bad(meaning.source(), "a feature's meaning must be a string");
    features_.emplace_back(name.str(), meaning.as_string()->get());
  }
  for (const auto& [task, names] : *tasks) {
    std::vector<std::string>& list = tasks_[std::string(task.str())];
    if (!names.is_array()) bad(names.source(), "a task's features must be a list of strings");
    for (const toml::node& name : *names.as_array()) {
      if (!name.is_string() || !features->contains(name.as_string()->get())) {
        bad(name.source(), "a task's features must be names of the table [features]");
      }
      list.push_back(name.as_string()->get());
    }
  }
}

bool HandLabels::has(const std::string& task, const std::string& feature) const {
  const auto found = tasks_.find(task);
  if (found == tasks_.end()) {
    throw Error(ExitCode::kConfig, "task " + task + " has no hand labels; add a line \"" + task +
                                       " = [...]\" to [tasks] of " + file_.string());
  }
  return std::find(found->second.begin(), found->second.end(), feature) != found->second.end();
}

const std::vector<std::pair<std::string, std::string>>& counted_features() {
  static const std::vector<std::pair<std::string, std::string>> list = [] {
    std::vector<std::pair<std::string, std::string>> names;
    for (const CountedFeature& feature : kCounted)
      names.emplace_back(feature.name, feature.meaning);
    return names;
  }();
  return list;
}

std::vector<bool> count_features(const Task& task, const PromptTemplate& prompt) {
  const Statistics statistics = statistics_of(task, prompt);
  std::vector<bool> has;
  for (const CountedFeature& feature : kCounted) has.push_back(feature.test(statistics));
  return has;
}

FeatureTable task_features(const std::vector<Task>& tasks, const PromptLibrary& prompts,
                           const HandLabels& labels) {
  FeatureTable table;
  for (const auto& [name, meaning] : counted_features()) {
    table.features.push_back({name, meaning, true, {}});
  }
  for (const Task& task : tasks) {
    table.tasks.push_back(task.name);
    const std::vector<bool> has = count_features(task, *prompts.templates_of(task).at(0));
    for (size_t f = 0; f < has.size(); ++f) table.features[f].has.push_back(has[f]);
  }
  for (const auto& [name, meaning] : labels.features()) {
    TaskFeature feature{name, meaning, false, {}};
    for (const Task& task : tasks) feature.has.push_back(labels.has(task.name, name));
    table.features.push_back(std::move(feature));
  }
  return table;
}

FeatureTable task_features(const Gym& gym, const std::vector<std::string>& tasks,
                           const PromptLibrary& prompts, const HandLabels& labels) {
  std::vector<Task> read;
  for (const std::string& task : tasks) read.push_back(gym.load_task(task, kRecords));
  return task_features(read, prompts, labels);
}

}  // namespace trivium
