#include "core/data/task_finder.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <numeric>
#include <set>

#include "core/base/error.h"
#include "core/base/rng.h"
#include "core/data/text_features.h"

namespace trivium {
namespace {

constexpr int kMaxStep = 45;
constexpr double kMostStep = 1000;
constexpr char kZeroStep = 'P';  // '#' is -45 and '}' is 45, all printable
constexpr size_t kDescriptionWeight = 5;
constexpr size_t kMostPlaces = size_t{1} << 15, kFewestPlaces = size_t{1} << 13;
constexpr size_t kUsualWeights = size_t{1} << 21;  // of the table, where it has the most places
constexpr size_t kRecordsRendered = 4;  // one of so many: a template's words are soon learned
constexpr size_t kWordsShown = 3;
constexpr const char* kNoFamily =
    "other";  // what collections call tasks that are unlike each other

std::string two_decimals(double value) {
  char text[16];
  std::snprintf(text, sizeof text, "%.2f", value);
  return text;
}

size_t places_for(size_t tasks) {
  size_t places = kMostPlaces;
  while (places > kFewestPlaces && places * tasks > kUsualWeights) places /= 2;
  return places;
}

void softmax(std::vector<double>& logits) {
  const double best = *std::max_element(logits.begin(), logits.end());
  double total = 0;
  for (double& logit : logits) total += logit = std::exp(logit - best);
  for (double& logit : logits) logit /= total;
}

// Weights of a logistic regression [places, tasks], moved by AdaGrad with one rate for all weights
// of a place.
class Regression {
 public:
  Regression(size_t places, size_t tasks)
      : tasks_(tasks), weights_(places * tasks), squares_(places), logits_(tasks), errors_(tasks) {}

  void learn(const FeatureCounter::Values& text, size_t task, double weight) {
    std::fill(logits_.begin(), logits_.end(), 0.0);
    for (const auto& [place, value] : text) {
      const float* row = &weights_[place * tasks_];
      for (size_t t = 0; t < tasks_; ++t) logits_[t] += static_cast<double>(value * row[t]);
    }
    softmax(logits_);
    logits_[task] -= 1;
    float length = 0;
    for (size_t t = 0; t < tasks_; ++t) {
      errors_[t] = static_cast<float>(logits_[t] * weight);
      length += errors_[t] * errors_[t];
    }
    for (const auto& [place, value] : text) {
      squares_[place] += value * value * length;
      const float rate = kRate * value / std::sqrt(squares_[place] + kTiny);
      float* row = &weights_[place * tasks_];
      for (size_t t = 0; t < tasks_; ++t) row[t] -= rate * errors_[t];
    }
  }

  const std::vector<float>& weights() const { return weights_; }

 private:
  static constexpr float kRate = 2.0f, kTiny = 1e-12f;
  size_t tasks_;
  std::vector<float> weights_, squares_;
  std::vector<double> logits_;
  std::vector<float> errors_;
};

}  // namespace

TaskFinder::TaskFinder(std::vector<std::string> tasks, std::vector<std::string> families,
                       size_t places)
    : tasks_(std::move(tasks)),
      families_(std::move(families)),
      places_(places),
      steps_(places * tasks_.size()) {
  for (size_t t = 0; t < tasks_.size(); ++t) {
    if (families_[t].empty()) families_[t] = tasks_[t];
  }
}

TaskFinder TaskFinder::train(const std::vector<TaskTexts>& tasks) {
  check(!tasks.empty(), "a finder needs tasks");
  constexpr size_t kEpochs = 2, kFewestSteps = 2000;
  std::vector<std::string> names, families;
  std::vector<std::pair<size_t, size_t>> order;  // task, text
  for (size_t t = 0; t < tasks.size(); ++t) {
    names.push_back(tasks[t].task);
    families.push_back(tasks[t].family);
    for (size_t i = 0; i < tasks[t].texts.size(); ++i) order.emplace_back(t, i);
  }
  TaskFinder finder(std::move(names), std::move(families), places_for(tasks.size()));
  Regression regression(finder.places_, tasks.size());
  FeatureCounter counter(finder.places_);
  Rng rng(1);
  const double mean = static_cast<double>(order.size()) / static_cast<double>(tasks.size());
  const size_t epochs = std::max(kEpochs, kFewestSteps / std::max<size_t>(1, order.size()));
  for (size_t epoch = 0; epoch < epochs; ++epoch) {
    rng.shuffle(order);
    for (const auto& [task, i] : order) {
      regression.learn(counter.count(features_of(tasks[task].texts[i])), task,
                       mean / static_cast<double>(tasks[task].texts.size()));
    }
  }
  const std::vector<float>& weights = regression.weights();
  float largest = 0;
  for (const float weight : weights) largest = std::max(largest, std::abs(weight));
  finder.step_ = largest / kMaxStep;
  for (size_t i = 0; largest > 0 && i < weights.size(); ++i) {
    finder.steps_[i] = static_cast<int8_t>(std::lround(weights[i] / finder.step_));
  }
  return finder;
}

// What a text's features say, weighed once for all tasks.
struct TaskFinder::Evidence {
  struct Piece {
    const int8_t* steps;  // [tasks]
    double weight, mean;  // of the steps, over the tasks
    std::string_view word;
  };
  std::vector<double> shares;  // [tasks]
  std::vector<Piece> pieces;   // in the text's order
};

TaskFinder::Evidence TaskFinder::weigh(std::string_view text) const {
  const TextFeatures features = features_of(text);
  FeatureCounter counter(places_);
  Evidence evidence{std::vector<double>(tasks_.size()), {}};
  std::vector<float> value_of(places_);
  for (const auto& [place, value] : counter.count(features)) {
    value_of[place] = value;
    for (size_t t = 0; t < tasks_.size(); ++t) {
      evidence.shares[t] += value * step_ * row(place)[t];
    }
  }
  softmax(evidence.shares);
  std::vector<int> times(places_);
  for (const TextFeature& feature : features.features) ++times[counter.place_of(feature)];
  for (const TextFeature& feature : features.features) {
    const uint32_t place = counter.place_of(feature);
    const int8_t* steps = row(place);
    const double mean = static_cast<double>(std::accumulate(steps, steps + tasks_.size(), 0)) /
                        static_cast<double>(tasks_.size());
    evidence.pieces.push_back({steps, value_of[place] / static_cast<float>(times[place]) * step_,
                               mean, features.words[feature.word]});
  }
  return evidence;
}

// What each word's features add to the logit of the task over the average task's.
std::vector<std::pair<std::string, double>> TaskFinder::telling_words(const Evidence& evidence,
                                                                      size_t task) {
  std::map<std::string_view, double> shares;
  for (const Evidence::Piece& piece : evidence.pieces) {
    shares[piece.word] += piece.weight * (piece.steps[task] - piece.mean);
  }
  std::vector<std::pair<std::string_view, double>> ranked(shares.begin(), shares.end());
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  std::vector<std::pair<std::string, double>> words;
  for (const auto& [word, share] : ranked) {
    if (share <= 0 || words.size() == kWordsShown) break;
    words.emplace_back('"' + std::string(word) + '"', share);
  }
  return words;
}

std::vector<TaskGuess> TaskFinder::find(std::string_view text, size_t count) const {
  const Evidence evidence = weigh(text);
  const std::vector<double>& shares = evidence.shares;
  std::map<std::string, double> by_family;
  for (size_t t = 0; t < tasks_.size(); ++t) by_family[families_[t]] += shares[t];
  const auto likeliest =
      std::max_element(by_family.begin(), by_family.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  std::vector<size_t> order(tasks_.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return shares[a] > shares[b]; });
  const auto first = std::find_if(order.begin(), order.end(),
                                  [&](size_t t) { return families_[t] == likeliest->first; });
  std::rotate(order.begin(), first, first + 1);
  order.resize(std::min(count, order.size()));
  std::vector<TaskGuess> guesses;
  for (const size_t t : order) {
    guesses.push_back({tasks_[t], families_[t], shares[t], by_family.at(families_[t]),
                       telling_words(evidence, t)});
  }
  return guesses;
}

Json TaskFinder::to_json() const {
  std::vector<std::string> rows;
  for (size_t t = 0; t < tasks_.size(); ++t) {
    std::string text;
    for (uint32_t place = 0; place < places_; ++place) {
      text += static_cast<char>(kZeroStep + row(place)[t]);
    }
    rows.push_back(std::move(text));
  }
  return {
      {"version", 2}, {"tasks", tasks_}, {"families", families_}, {"step", step_}, {"rows", rows}};
}

TaskFinder TaskFinder::from_json(const Json& json, const std::string& where) {
  const auto require = [&](bool condition, const char* problem) {
    if (!condition) throw Error(ExitCode::kBadModel, where + ": " + problem);
  };
  try {
    require(json_get<int64_t>(json, "version", where) == 2,
            "the version is not 2; trivium task finder --train writes it anew");
    auto tasks = json_get<std::vector<std::string>>(json, "tasks", where);
    auto families = json_get<std::vector<std::string>>(json, "families", where);
    const auto rows = json_get<std::vector<std::string>>(json, "rows", where);
    require(!tasks.empty(), "there are no tasks");
    require(families.size() == tasks.size(), "there is not one family a task");
    require(std::set<std::string>(tasks.begin(), tasks.end()).size() == tasks.size(),
            "a task is there twice");
    require(rows.size() == tasks.size(), "there is not one row a task");
    const size_t places = rows.front().size();
    require(places > 0 && places <= kMostPlaces && (places & (places - 1)) == 0,
            "a row's length is not a power of two, at most 32768");
    // Before there is a table of the one row's length for each of them.
    require(std::all_of(rows.begin(), rows.end(),
                        [&](const std::string& row) { return row.size() == places; }),
            "the rows differ in length");
    TaskFinder finder(std::move(tasks), std::move(families), places);
    finder.step_ = json_get<double>(json, "step", where);
    require(finder.step_ >= 0 && finder.step_ <= kMostStep, "the step is not from 0 to 1000");
    for (size_t t = 0; t < rows.size(); ++t) {
      for (size_t place = 0; place < places; ++place) {
        const int step = rows[t][place] - kZeroStep;
        require(std::abs(step) <= kMaxStep, "a row has a character out of range");
        finder.steps_[place * rows.size() + t] = static_cast<int8_t>(step);
      }
    }
    return finder;
  } catch (const Error& e) {
    throw Error(ExitCode::kBadModel, e.what());
  }
}

TaskFinder::TaskTexts finder_texts(
    const Task& task, const std::vector<std::shared_ptr<const PromptTemplate>>& templates,
    const std::string& description, size_t max_records) {
  TaskFinder::TaskTexts result{task.name, std::vector<std::string>(kDescriptionWeight, description),
                               task.family == kNoFamily ? "" : task.family};
  const std::vector<Record>& records = task.records.at(Split::kTrain);
  // Evenly over the split, whose neighbours may be alike.
  const size_t stride = std::max<size_t>(1, (records.size() + max_records - 1) / max_records);
  for (size_t i = 0, turn = 0; i < records.size(); i += stride, ++turn) {
    if (turn % kRecordsRendered == 0) {
      const auto& prompt = templates[turn / kRecordsRendered % templates.size()];
      result.texts.push_back(prompt->render_input(records[i].fields));
    }
    result.texts.push_back(bare_input(task.inputs, records[i]));
  }
  return result;
}

std::string bare_input(const std::vector<std::string>& fields, const Record& record) {
  std::string text;
  for (const std::string& name : fields) {
    const auto value = record.fields.find(name);
    if (value == record.fields.end()) {
      throw Error(ExitCode::kBadData, record.where + ": field \"" + name + "\" is missing");
    }
    for (const Json& part : value->is_array() ? *value : Json::array({*value})) {
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
  if (two_decimals(guesses[0].family_probability) != two_decimals(guesses[0].probability)) {
    text += ", " + guesses[0].family + " in all " + two_decimals(guesses[0].family_probability);
  }
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
