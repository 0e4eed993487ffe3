#include "core/evaluation/evaluator.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <regex>

#include "core/base/error.h"
#include "core/base/text.h"

namespace trivium {
namespace {

constexpr size_t kTrainInputs = 32;

class MajorityBaseline {
 public:
  void add(const Example& example) {
    const std::string& target = example.targets.at(0);
    const auto place = std::find(example.options.begin(), example.options.end(), target);
    ++targets_[target];
    has_options_ = has_options_ && place != example.options.end();
    if (has_options_) ++places_[place - example.options.begin()];
  }

  std::string answer_to(const Example& example) const {
    if (targets_.empty()) return "";
    if (!has_options_ || example.options.empty()) return most_frequent(targets_);
    const auto last = static_cast<int64_t>(example.options.size()) - 1;
    return example.options[static_cast<size_t>(std::min(most_frequent(places_), last))];
  }

 private:
  // The first of equals.
  template <typename Key>
  static Key most_frequent(const std::map<Key, size_t>& counts) {
    return std::max_element(counts.begin(), counts.end(),
                            [](const auto& a, const auto& b) { return a.second < b.second; })
        ->first;
  }

  std::map<std::string, size_t> targets_;
  std::map<int64_t, size_t> places_;  // of the target among its options
  bool has_options_ = true;           // every example's target was among its options
};

// "- 4. 35", which is how a WordPiece vocabulary writes -4.35, as the number that it is, since no
// correlation could read it; any other text as it is.
std::string join_number(const std::string& text) {
  static const std::regex number(R"(-? ?[0-9]+\. ?[0-9]+|- [0-9]+)");
  if (text.size() > 32 || !std::regex_match(text, number)) return text;
  std::string joined;
  std::remove_copy(text.begin(), text.end(), std::back_inserter(joined), ' ');
  return joined;
}

}  // namespace

EvaluationTask make_evaluation_task(const Task& task, std::vector<Example> examples,
                                    const std::vector<Example>& train) {
  EvaluationTask result{task.name, task.family, task.metric, std::move(examples), {}, {}};
  MajorityBaseline baseline;
  for (const Example& example : train) {
    baseline.add(example);
    if (result.train_inputs.size() < kTrainInputs) result.train_inputs.push_back(example.input);
  }
  for (const Example& example : result.examples) {
    result.majority_answers.push_back(baseline.answer_to(example));
  }
  return result;
}

EvaluationTask load_evaluation_task(const Gym& gym, const PromptLibrary& prompts,
                                    const std::string& name, Split split, size_t limit) {
  return make_evaluation_task(gym.load_task(name), prompts, split, limit);
}

EvaluationTask make_evaluation_task(const Task& task, const PromptLibrary& prompts, Split split,
                                    size_t limit) {
  const auto prompt = prompts.templates_of(task).at(0);
  const std::vector<Record>& records = task.records.at(split);
  if (records.empty()) {
    throw Error(ExitCode::kBadData, "task " + task.name + " has no examples in this split");
  }
  const size_t count = limit > 0 ? std::min(limit, records.size()) : records.size();
  std::vector<Example> examples, train;
  for (size_t i = 0; i < count; ++i) examples.push_back(prompt->render(task, records[i]));
  for (const Record& record : task.records.at(Split::kTrain)) {
    train.push_back(prompt->render(task, record));
  }
  return make_evaluation_task(task, std::move(examples), train);
}

bool has_options(const EvaluationTask& task) {
  return std::all_of(task.examples.begin(), task.examples.end(),
                     [](const Example& example) { return !example.options.empty(); });
}

std::string Evaluator::canonical(const std::string& text) const {
  const Tokenizer& tokenizer = generator_.tokenizer();
  return join_number(to_lower_ascii(trim(tokenizer.decode(tokenizer.encode(text)))));
}

std::vector<std::string> Evaluator::predict(const EvaluationTask& task, const TaskRoute& route,
                                            EvaluationMode mode) {
  std::vector<Prompt> prompts;
  for (const Example& example : task.examples) prompts.push_back({example.input, route});
  std::vector<std::string> predictions;
  if (mode == EvaluationMode::kRanking && has_options(task)) {
    std::vector<std::vector<std::string>> options;
    for (const Example& example : task.examples) options.push_back(example.options);
    const auto scores = generator_.score(prompts, options);
    for (size_t i = 0; i < scores.size(); ++i) {
      const auto best = std::max_element(scores[i].begin(), scores[i].end()) - scores[i].begin();
      predictions.push_back(options[i][static_cast<size_t>(best)]);
    }
  } else {
    for (const Answer& answer : generator_.generate(prompts, search_)) {
      predictions.push_back(answer.text);
    }
  }
  return predictions;
}

const EnumNames<EvaluationMode>& evaluation_mode_names() {
  static const EnumNames<EvaluationMode> names = {{"generation", EvaluationMode::kGeneration},
                                                  {"ranking", EvaluationMode::kRanking}};
  return names;
}

TaskScore Evaluator::evaluate(const EvaluationTask& task, const TaskRoute& route,
                              EvaluationMode mode) {
  const std::vector<std::string> predictions = predict(task, route, mode);
  TaskScore result{task.name, task.metric, 0, {}, 0, task.examples.size(), {}};
  std::vector<Scored> majority;
  for (size_t i = 0; i < task.examples.size(); ++i) {
    Scored item{canonical(predictions[i]), {}};
    for (const std::string& gold : task.examples[i].targets) item.golds.push_back(canonical(gold));
    majority.push_back({canonical(task.majority_answers[i]), item.golds});
    result.items.push_back(std::move(item));
  }
  const std::unique_ptr<Metric> metric = make_metric(task.metric);
  result.score = metric->score(result.items);
  result.majority = metric->score(majority);
  if (resamples_ > 0) result.interval = bootstrap_interval(*metric, result.items, resamples_);
  return result;
}

double mean_score(const std::vector<TaskScore>& scores) {
  double sum = 0;
  for (const TaskScore& score : scores) sum += score.score;
  return scores.empty() ? 0 : sum / static_cast<double>(scores.size());
}

}  // namespace trivium
