// CrossFit's TSV files and P3-style JSONL, read as tasks with the fields input, target and targets.
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/data/gym.h"
#include "core/data/jsonl_records.h"

namespace trivium {
namespace {

namespace fs = std::filesystem;

std::optional<uint64_t> number_of(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

constexpr std::string_view kTrainFile = "_train.tsv";

// The beginning that a sample's three files share: "glue-sst2_16_100".
struct CrossfitStem {
  std::string text;
  std::string task;    // "glue-sst2"
  uint64_t count = 0;  // examples a label (k); 0 where the stem is the task's name alone
  std::optional<uint64_t> seed;
};

CrossfitStem parse_stem(const std::string& text) {
  CrossfitStem stem{text, text, 0, std::nullopt};
  const size_t second = text.rfind('_');
  if (second == std::string::npos || second == 0) return stem;
  const size_t first = text.rfind('_', second - 1);
  if (first == std::string::npos || first == 0) return stem;
  const auto count = number_of(std::string_view(text).substr(first + 1, second - first - 1));
  const auto seed = number_of(std::string_view(text).substr(second + 1));
  if (count && seed) stem = {text, text.substr(0, first), *count, seed};
  return stem;
}

std::vector<CrossfitStem> stems_in(const fs::path& folder) {
  std::set<std::string> names;
  for (const fs::directory_entry& entry :
       fs::directory_iterator(folder, fs::directory_options::skip_permission_denied)) {
    const std::string name = entry.path().filename().string();
    if (name.size() > kTrainFile.size() && name.ends_with(kTrainFile)) {
      names.insert(name.substr(0, name.size() - kTrainFile.size()));
    }
  }
  std::vector<CrossfitStem> stems;
  for (const std::string& name : names) stems.push_back(parse_stem(name));
  return stems;
}

// The stem of the only sample of `task`, or of the one that it names.
CrossfitStem find_stem(const fs::path& folder, const std::string& task) {
  if (!fs::is_directory(folder))
    throw Error(ExitCode::kMissingInput, "there is no folder " + folder.string());
  std::vector<CrossfitStem> samples;
  for (const CrossfitStem& stem : stems_in(folder)) {
    if (stem.text == task) return stem;
    if (stem.task == task) samples.push_back(stem);
  }
  if (samples.empty()) {
    throw Error(ExitCode::kMissingInput,
                folder.string() + " has no file " + task + "_<k>_<seed>_train.tsv");
  }
  if (samples.size() > 1) {
    throw Error(ExitCode::kUsage, folder.string() + " holds " + std::to_string(samples.size()) +
                                      " samples of " + task + "; name one, for example " +
                                      samples.front().text);
  }
  return samples.front();
}

// The train file's targets, where each of them is there k times; else none.
std::vector<std::string> labels_of(const std::vector<Record>& train, uint64_t count) {
  std::map<std::string, uint64_t> counts;
  for (const Record& record : train) {
    if (record.fields.at("targets").size() > 1) return {};
    ++counts[record.fields.at("target").get<std::string>()];
  }
  std::vector<std::string> labels;
  for (const auto& [target, times] : counts) {
    if (times != count) return {};
    labels.push_back(target);
  }
  return labels.size() > 1 ? labels : std::vector<std::string>();
}

Record crossfit_record(const std::string& text, const std::string& where) {
  const std::vector<std::string> columns = split(text, '\t');
  if (columns.size() < 2) {
    bad_data(where, "1 column; expected input TAB target [TAB target...]");
  }
  for (size_t i = 0; i < columns.size(); ++i) {
    if (trim(columns[i]).empty()) {
      bad_data(where, "column " + std::to_string(i + 1) + " of " + std::to_string(columns.size()) +
                          " is empty; is there a stray tab?");
    }
  }
  Record record{Json::object(), where};
  record.fields["input"] = columns[0];
  record.fields["target"] = columns[1];
  record.fields["targets"] = std::vector<std::string>(columns.begin() + 1, columns.end());
  return record;
}

// P3's own files hold token ids under the plain names, and the texts under these.
std::string p3_field(const Record& raw, const std::string& name) {
  const std::string text = name + "_pretokenized";
  return raw.fields.contains(text) ? text : name;
}

Record p3_record(Record raw) {
  const std::string input = p3_field(raw, "inputs"), target = p3_field(raw, "targets");
  require_text(raw, input);
  require_text(raw, target);
  const Json& targets = raw.fields.at(target);
  if (!raw.fields.at(input).is_string()) bad_data(raw.where, "\"" + input + "\" is not text");
  if (targets.is_array() && targets.empty()) bad_data(raw.where, "\"" + target + "\" is empty");
  Record record{Json::object(), raw.where};
  record.fields["input"] = raw.fields.at(input);
  record.fields["target"] = targets.is_array() ? targets.front() : targets;
  record.fields["targets"] = targets.is_array() ? targets : Json::array({targets});
  const auto choices = raw.fields.find("answer_choices");
  if (choices != raw.fields.end() && !choices->is_null()) record.fields["choices"] = *choices;
  return record;
}

bool is_wrong_answer(const Record& raw) {
  const auto mark = raw.fields.find("is_correct");
  return mark != raw.fields.end() && mark->is_boolean() && !mark->get<bool>();
}

void read_p3_file(const fs::path& path, Split split, size_t limit, Task& task) {
  for (Record& raw : read_jsonl_records(path, {}, limit)) {
    if (is_wrong_answer(raw)) continue;
    task.records[split].push_back(p3_record(std::move(raw)));
    check_target(task, task.records[split].back());
  }
}

}  // namespace

Task plain_task(const std::string& name) {
  Task task;
  task.name = name;
  task.inputs = {"input"};
  task.target = "target";
  task.accepted = "targets";
  return task;
}

std::vector<std::string> crossfit_tasks(const fs::path& folder) {
  const std::vector<CrossfitStem> stems = stems_in(folder);
  std::map<std::string, int> samples;
  for (const CrossfitStem& stem : stems) ++samples[stem.task];
  std::vector<std::string> names;
  for (const CrossfitStem& stem : stems) {
    names.push_back(samples[stem.task] > 1 ? stem.text : stem.task);
  }
  return names;
}

Task load_crossfit_task(const fs::path& folder, const std::string& task_name, size_t limit) {
  const CrossfitStem stem = find_stem(folder, task_name);
  Task task = plain_task(task_name);
  task.sample_seed = stem.seed;
  const std::array<std::pair<Split, const char*>, 3> files = {
      {{Split::kTrain, "_train.tsv"}, {Split::kDev, "_dev.tsv"}, {Split::kTest, "_test.tsv"}}};
  for (const auto& [split, suffix] : files) {
    std::vector<Record>& records = task.records[split];
    for_each_line(folder / (stem.text + suffix), split == Split::kTrain ? 0 : limit,
                  [&](const std::string& text, const std::string& where) {
                    records.push_back(crossfit_record(text, where));
                  });
  }
  std::vector<Record>& train = task.records[Split::kTrain];
  task.labels = labels_of(train, stem.count);
  if (task.labels.empty()) task.metric = "em";
  if (limit > 0 && train.size() > limit) train.resize(limit);
  return task;
}

Task load_p3_task(const fs::path& path, const std::string& task_name, size_t limit) {
  Task task = plain_task(task_name);
  const std::array<std::pair<Split, const char*>, 4> files = {{{Split::kTrain, "train.jsonl"},
                                                               {Split::kDev, "dev.jsonl"},
                                                               {Split::kDev, "validation.jsonl"},
                                                               {Split::kTest, "test.jsonl"}}};
  if (!fs::is_directory(path)) {
    Split split = Split::kTrain;
    for (const auto& [candidate, name] : files) {
      if (path.filename() == name) split = candidate;
    }
    read_p3_file(path, split, limit, task);
    return task;
  }
  for (const auto& [split, name] : files) {
    if (fs::exists(path / name)) read_p3_file(path / name, split, limit, task);
  }
  if (task.records.empty()) {
    throw Error(
        ExitCode::kMissingInput,
        path.string() + " has none of train.jsonl, dev.jsonl, validation.jsonl, test.jsonl");
  }
  return task;
}

}  // namespace trivium
