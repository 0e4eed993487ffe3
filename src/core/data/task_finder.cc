#include "core/data/task_finder.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <map>
#include <unordered_map>

#include "core/base/error.h"
#include "core/base/text.h"

namespace trivium {
namespace {

constexpr double kStep = 0.15;
constexpr int kMaxStep = 45;
constexpr char kZeroStep = 'P';  // '#' is -45 and '}' is 45, all printable
constexpr uint32_t kMinCount =
    3;  // texts of a task that hold a word, for the word to be considered
constexpr double kSmoothing = 500;  // words drawn from all tasks together, added to each task's
constexpr size_t kDescriptionWeight = 5;
constexpr size_t kMaxWords = 4000;                  // read of a prompt
constexpr const char* kLengthPrefix = "<length> ";  // no pair of words begins so: "<" is a word

bool is_word_byte(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c >= 0x80;
}

// Runs of letters and digits, and every other character that is not white space by itself.
std::vector<std::string> split_words(std::string_view text) {
  const std::string lower = to_lower_ascii(text);
  std::vector<std::string> words;
  for (size_t begin = 0, end; begin < lower.size() && words.size() < kMaxWords; begin = end) {
    end = begin + 1;
    if (is_word_byte(static_cast<unsigned char>(lower[begin]))) {
      while (end < lower.size() && is_word_byte(static_cast<unsigned char>(lower[end]))) ++end;
    } else if (static_cast<unsigned char>(lower[begin]) <= ' ') {
      continue;
    }
    words.push_back(lower.substr(begin, end - begin));
  }
  return words;
}

// The text's words, pairs and length class (half powers of two), each once, sorted.
std::vector<std::string> features_of(std::string_view text) {
  std::vector<std::string> features = split_words(text);
  const size_t count = features.size();
  for (size_t i = 1; i < count; ++i) features.push_back(features[i - 1] + " " + features[i]);
  const size_t squared = (count + 1) * (count + 1);
  features.push_back(kLengthPrefix + std::to_string(std::bit_width(squared) - 1));
  std::sort(features.begin(), features.end());
  features.erase(std::unique(features.begin(), features.end()), features.end());
  return features;
}

// How often each task's texts hold each word.
struct Counts {
  std::map<std::string, std::vector<uint32_t>> by_word;  // [num_tasks]
  std::vector<double> texts;                             // per task
  std::vector<double> words;                             // per task, all words
};

Counts count_words(const std::vector<TaskFinder::TaskTexts>& tasks) {
  Counts counts;
  for (size_t t = 0; t < tasks.size(); ++t) {
    std::unordered_map<std::string, uint32_t> of_task;
    double total = 0;
    for (const std::string& text : tasks[t].texts) {
      std::vector<std::string> features = features_of(text);
      total += static_cast<double>(features.size());
      for (std::string& feature : features) ++of_task[std::move(feature)];
    }
    for (const auto& [word, count] : of_task) {
      if (count < kMinCount) continue;
      auto& row = counts.by_word[word];
      row.resize(tasks.size());
      row[t] = count;
    }
    counts.texts.push_back(static_cast<double>(std::max<size_t>(1, tasks[t].texts.size())));
    counts.words.push_back(std::max(1.0, total));
  }
  return counts;
}

// How much the word's presence in a text says of the task, all tasks equally likely (mutual
// information).
double information(const std::vector<uint32_t>& row, const std::vector<double>& texts) {
  double mean = 0;
  for (size_t t = 0; t < row.size(); ++t)
    mean += row[t] / texts[t] / static_cast<double>(row.size());
  const auto term = [](double p, double q) { return p > 0 && q > 0 ? p * std::log(p / q) : 0.0; };
  double sum = 0;
  for (size_t t = 0; t < row.size(); ++t) {
    const double p = row[t] / texts[t];
    sum += term(p, mean) + term(1 - p, 1 - mean);
  }
  return sum;
}

std::vector<int8_t> log_odds(const std::vector<uint32_t>& row, const std::vector<double>& words) {
  double background = 0;
  for (size_t t = 0; t < row.size(); ++t)
    background += row[t] / words[t] / static_cast<double>(row.size());
  std::vector<int8_t> steps;
  for (size_t t = 0; t < row.size(); ++t) {
    const double p = (row[t] + kSmoothing * background) / (words[t] + kSmoothing);
    const double step = std::round(std::log(p / background) / kStep);
    steps.push_back(static_cast<int8_t>(std::clamp<double>(step, -kMaxStep, kMaxStep)));
  }
  return steps;
}

std::string in_words(const std::string& feature) {
  return feature.starts_with(kLengthPrefix) ? "its length" : '"' + feature + '"';
}

std::string two_decimals(double value) {
  char text[16];
  std::snprintf(text, sizeof text, "%.2f", value);
  return text;
}

}  // namespace

TaskFinder TaskFinder::train(const std::vector<TaskTexts>& tasks, size_t vocabulary) {
  check(!tasks.empty(), "a finder needs tasks");
  const Counts counts = count_words(tasks);
  std::vector<std::pair<double, const std::string*>> ranked;
  for (const auto& [word, row] : counts.by_word)
    ranked.emplace_back(-information(row, counts.texts), &word);
  std::sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first : *a.second < *b.second;
  });
  ranked.resize(std::min(ranked.size(), vocabulary));
  TaskFinder finder;
  for (const TaskTexts& task : tasks) finder.tasks_.push_back(task.task);
  for (const auto& [score, word] : ranked)
    finder.add_word(*word, log_odds(counts.by_word.at(*word), counts.words));
  return finder;
}

void TaskFinder::add_word(const std::string& word, const std::vector<int8_t>& steps) {
  index_[word] = words_.size();
  words_.push_back(word);
  steps_.insert(steps_.end(), steps.begin(), steps.end());
}

std::vector<TaskGuess> TaskFinder::find(std::string_view text, size_t count) const {
  std::vector<size_t> known;
  for (const std::string& feature : features_of(text)) {
    const auto found = index_.find(feature);
    if (found != index_.end()) known.push_back(found->second);
  }
  const size_t num_tasks = tasks_.size();
  std::vector<double> scores(num_tasks);
  for (const size_t word : known) {
    for (size_t t = 0; t < num_tasks; ++t) scores[t] += kStep * steps_[word * num_tasks + t];
  }
  for (double& score : scores)
    score /= std::sqrt(static_cast<double>(std::max<size_t>(1, known.size())));
  const double best = *std::max_element(scores.begin(), scores.end());
  double total = 0;
  for (const double score : scores) total += std::exp(score - best);

  std::vector<size_t> order(num_tasks);
  for (size_t t = 0; t < num_tasks; ++t) order[t] = t;
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return scores[a] > scores[b]; });
  order.resize(std::min(count, num_tasks));
  std::vector<TaskGuess> guesses;
  for (const size_t t : order) {
    TaskGuess guess{tasks_[t], std::exp(scores[t] - best) / total, {}};
    std::stable_sort(known.begin(), known.end(), [&](size_t a, size_t b) {
      return steps_[a * num_tasks + t] > steps_[b * num_tasks + t];
    });
    for (size_t i = 0; i < std::min<size_t>(3, known.size()); ++i) {
      const int step = steps_[known[i] * num_tasks + t];
      if (step > 0) guess.words.emplace_back(in_words(words_[known[i]]), kStep * step);
    }
    guesses.push_back(std::move(guess));
  }
  return guesses;
}

Json TaskFinder::to_json() const {
  std::vector<std::string> rows;
  for (size_t w = 0; w < words_.size(); ++w) {
    std::string row;
    for (size_t t = 0; t < tasks_.size(); ++t) {
      row += static_cast<char>(kZeroStep + steps_[w * tasks_.size() + t]);
    }
    rows.push_back(std::move(row));
  }
  return {{"version", 1}, {"tasks", tasks_}, {"words", words_}, {"rows", rows}};
}

TaskFinder TaskFinder::from_json(const Json& json, const std::string& where) {
  TaskFinder finder;
  const auto require = [&](bool condition, const char* problem) {
    if (!condition) throw Error(ExitCode::kBadModel, where + ": " + problem);
  };
  try {
    require(json_get<int>(json, "version", where) == 1, "the version is not 1");
    finder.tasks_ = json_get<std::vector<std::string>>(json, "tasks", where);
    const auto words = json_get<std::vector<std::string>>(json, "words", where);
    const auto rows = json_get<std::vector<std::string>>(json, "rows", where);
    require(!finder.tasks_.empty(), "there are no tasks");
    require(words.size() == rows.size(), "words and rows differ in number");
    for (size_t w = 0; w < words.size(); ++w) {
      require(rows[w].size() == finder.tasks_.size(), "a row does not have one character a task");
      std::vector<int8_t> steps;
      for (const char c : rows[w]) {
        require(std::abs(c - kZeroStep) <= kMaxStep, "a row has a character out of range");
        steps.push_back(static_cast<int8_t>(c - kZeroStep));
      }
      finder.add_word(words[w], steps);
    }
  } catch (const Error& e) {
    throw Error(ExitCode::kBadModel, e.what());
  }
  return finder;
}

TaskFinder::TaskTexts finder_texts(
    const Task& task, const std::vector<std::shared_ptr<const PromptTemplate>>& templates,
    const std::string& description, size_t max_records) {
  TaskFinder::TaskTexts result{task.name,
                               std::vector<std::string>(kDescriptionWeight, description)};
  const std::vector<Record>& records = task.records.at(Split::kTrain);
  // Evenly over the split, whose neighbours may be alike.
  const size_t stride = std::max<size_t>(1, (records.size() + max_records - 1) / max_records);
  for (size_t i = 0, turn = 0; i < records.size(); i += stride, ++turn) {
    result.texts.push_back(templates[turn % templates.size()]->render_input(records[i].fields));
    result.texts.push_back(bare_input(task, records[i].fields));
  }
  return result;
}

std::string bare_input(const Task& task, const Json& fields) {
  std::string text;
  for (const std::string& name : task.inputs) {
    const Json& value = fields.at(name);
    for (const Json& part : value.is_array() ? value : Json::array({value})) {
      if (!text.empty()) text += ' ';
      text += part.get<std::string>();
    }
  }
  return text;
}

std::string describe_guesses(const std::vector<TaskGuess>& guesses) {
  if (guesses.empty()) return "";
  std::string text =
      "nearest known task: " + guesses[0].task + " (" + two_decimals(guesses[0].probability);
  if (guesses[0].words.empty()) {
    text += "; no word of the prompt is telling";
  } else {
    text += "; words: ";
    for (size_t i = 0; i < guesses[0].words.size(); ++i)
      text += (i > 0 ? ", " : "") + guesses[0].words[i].first;
  }
  text += ")";
  for (size_t i = 1; i < guesses.size(); ++i) {
    text +=
        (i == 1 ? "; next: " : ", ") + guesses[i].task + " " + two_decimals(guesses[i].probability);
  }
  return text;
}

}  // namespace trivium
