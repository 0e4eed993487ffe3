#include "core/evaluation/evaluator.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <numeric>
#include <optional>
#include <regex>

#include "core/base/error.h"
#include "core/base/logging.h"
#include "core/base/text.h"
#include "core/evaluation/answer_text.h"
#include "core/metrics/normalization.h"

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

// A metric of answers that are ties. `items` have the ties' places among the answers.
class MetricOfTies : public Metric {
 public:
  MetricOfTies(const Metric& metric, const std::vector<ScoredAnswer>& answers)
      : metric_(metric), answers_(answers) {}
  std::string_view name() const override { return metric_.name(); }

  std::unique_ptr<PreparedItems> prepare(const std::vector<Scored>& items) const override {
    check(items.size() == answers_.size(), "an answer an item");
    auto mean = std::make_unique<MeanOfRounds>();
    const size_t rounds = rounds_of_ties();
    for (size_t round = 0; round < rounds; ++round) {
      std::vector<Scored> answered = items;
      for (size_t i = 0; i < items.size(); ++i) {
        const std::vector<std::string>& tied = answers_[i].answers;
        answered[i].prediction = tied[round % tied.size()];
      }
      mean->rounds.push_back(metric_.prepare(answered));
    }
    return mean;
  }

 private:
  struct MeanOfRounds : PreparedItems {
    double score(std::span<const uint32_t> indices) const override {
      double sum = 0;
      for (const auto& round : rounds) sum += round->score(indices);
      return sum / static_cast<double>(rounds.size());
    }
    std::vector<std::unique_ptr<PreparedItems>> rounds;
  };

  // So many that every option of a tie is the answer equally often; not without bound.
  size_t rounds_of_ties() const {
    constexpr size_t kMostRounds = 60;
    size_t rounds = 1;
    for (const ScoredAnswer& answer : answers_) rounds = std::lcm(rounds, answer.answers.size());
    return std::min(rounds, kMostRounds);
  }

  const Metric& metric_;
  const std::vector<ScoredAnswer>& answers_;
};

std::vector<Scored> scored_items(const std::vector<ScoredAnswer>& answers) {
  std::vector<Scored> items;
  for (const ScoredAnswer& answer : answers) items.push_back({answer.answers.at(0), answer.golds});
  return items;
}

// "- 4. 35", which is how a WordPiece vocabulary writes -4.35, as the number that it is, since no
// correlation could read it; any other text as it is.
std::string join_number(const std::string& text) {
  static const std::regex number(R"(-? ?[0-9]+\. ?[0-9]+|- [0-9]+)");
  if (text.size() > 32 || !std::regex_match(text, number)) return text;
  std::string joined;
  std::remove_copy(text.begin(), text.end(), std::back_inserter(joined), ' ');
  return joined;
}

// The texts as metrics compare them. Some metrics have no eye for case: where options differ in
// nothing else, each gets its number.
std::vector<std::string> told_apart(std::vector<std::string> texts,
                                    const std::vector<std::string>& options) {
  for (std::string& text : texts) {
    const auto place = std::find(options.begin(), options.end(), text);
    if (place == options.end()) continue;
    const std::string lower = to_lower_unicode(text);
    const auto alike = std::count_if(options.begin(), options.end(), [&](const auto& option) {
      return to_lower_unicode(option) == lower;
    });
    if (alike > 1) text += " (" + std::to_string(place - options.begin() + 1) + ")";
  }
  return texts;
}

// The options' mean as numbers, weighted by their likelihoods.
std::string mean_number(const std::vector<std::string>& options,
                        const std::vector<double>& scores) {
  const double best = *std::max_element(scores.begin(), scores.end());
  double sum = 0, total = 0;
  for (size_t i = 0; i < options.size(); ++i) {
    const double weight = std::exp(scores[i] - best);
    sum += weight * std::stod(options[i]);
    total += weight;
  }
  return fmt::format("{:.6f}", sum / total);
}

std::vector<std::string> likeliest(const std::vector<std::string>& options,
                                   const std::vector<double>& scores) {
  const double best = *std::max_element(scores.begin(), scores.end());
  std::vector<std::string> found;
  for (size_t i = 0; i < options.size(); ++i) {
    if (scores[i] == best) found.push_back(options[i]);
  }
  return found;
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

EvaluationTask load_evaluation_task(const Gym& gym, const TaskCatalog& known,
                                    const PromptLibrary& prompts, const std::string& name,
                                    Split split, size_t limit) {
  const Task task = gym.load_task(name);
  const auto prompt = known.has(name) ? known.find(name).prompt : prompts.templates_of(task).at(0);
  return make_evaluation_task(task, *prompt, split, limit);
}

EvaluationTask make_evaluation_task(const Task& task, const PromptTemplate& prompt, Split split,
                                    size_t limit) {
  const std::vector<Record>& records = task.records.at(split);
  if (records.empty()) {
    throw Error(ExitCode::kBadData, "task " + task.name + " has no " +
                                        name_in(scored_split_names(), split) +
                                        " examples; give it some");
  }
  const size_t count = limit > 0 ? std::min(limit, records.size()) : records.size();
  std::vector<Example> examples, train;
  for (size_t i = 0; i < count; ++i) examples.push_back(prompt.render(task, records[i]));
  for (const Record& record : task.records.at(Split::kTrain)) {
    train.push_back(prompt.render(task, record));
  }
  return make_evaluation_task(task, std::move(examples), train);
}

bool has_options(const EvaluationTask& task) {
  return std::all_of(task.examples.begin(), task.examples.end(),
                     [](const Example& example) { return !example.options.empty(); });
}

std::vector<std::vector<std::string>> indistinguishable_options(const EvaluationTask& task,
                                                                const Tokenizer& tokenizer,
                                                                size_t max_ids) {
  constexpr size_t kMostGroups = 20;
  std::vector<std::vector<std::string>> groups;
  const std::vector<std::string>* seen = nullptr;  // most tasks have the same options throughout
  for (const Example& example : task.examples) {
    if (seen != nullptr && *seen == example.options) continue;
    seen = &example.options;
    const OptionTexts texts(tokenizer, *seen, max_ids);
    for (const std::vector<std::string>& group : texts.indistinguishable()) {
      if (std::find(groups.begin(), groups.end(), group) == groups.end()) groups.push_back(group);
      if (groups.size() == kMostGroups) return groups;
    }
  }
  return groups;
}

void warn_of_indistinguishable(const std::string& task,
                               const std::vector<std::vector<std::string>>& groups) {
  if (groups.empty()) return;
  spdlog::warn("{}: the tokenizer cannot tell apart {}; choose other words for them", task,
               describe_groups(groups));
}

bool Evaluator::takes(const Example& example) const {
  if (on_long_ == OnLong::kTruncate) return true;
  const bool fits = generator_.reads_whole(example.input) &&
                    std::all_of(example.options.begin(), example.options.end(),
                                [&](const auto& o) { return generator_.scores_whole(o); });
  if (!fits && on_long_ == OnLong::kError) {
    throw Error(ExitCode::kBadData, example.where +
                                        ": longer than what the model reads; "
                                        "--on-long truncate cuts it, mark leaves it out");
  }
  return fits;
}

std::vector<Evaluator::Predicted> Evaluator::rank(const std::vector<Prompt>& prompts,
                                                  const std::vector<const Example*>& examples) {
  std::vector<std::vector<std::string>> options;
  for (const Example* example : examples) options.push_back(example->options);
  std::vector<Predicted> predicted;
  const std::vector<OptionScores> scores = generator_.score(prompts, options);
  for (size_t i = 0; i < scores.size(); ++i) {
    const std::vector<double>& likelihoods = scores[i].log_likelihoods;
    if (likelihoods.empty()) {  // stopped before it
      predicted.push_back({{""}, false});
    } else if (examples[i]->options_are_numbers) {
      predicted.push_back({{mean_number(options[i], likelihoods)}, scores[i].truncated});
    } else {
      predicted.push_back({likeliest(options[i], likelihoods), scores[i].truncated});
    }
  }
  return predicted;
}

std::vector<Evaluator::Predicted> Evaluator::write(const std::vector<Prompt>& prompts,
                                                   const std::vector<const Example*>& examples) {
  std::vector<Predicted> predicted;
  std::optional<OptionTexts> texts;
  const std::vector<std::string>* options = nullptr;
  const std::vector<Answer> answers = generator_.generate(prompts, search_);
  for (size_t i = 0; i < answers.size(); ++i) {
    const Example& example = *examples[i];
    std::vector<std::string> meant;
    if (prompts[i].route.head) {
      meant = {answers[i].text};  // a label, word for word
    } else if (!example.options.empty()) {
      if (options == nullptr || *options != example.options) {
        options = &example.options;
        texts.emplace(generator_.tokenizer(), *options, answer_ids());
      }
      meant = texts->meant_by(answers[i].text);
    }
    if (meant.empty()) {
      const std::string text = join_number(std::string(trim(answers[i].text)));
      meant = {example.options.empty() ? accepted_form(text, example.targets) : text};
    }
    predicted.push_back({std::move(meant), answers[i].truncated});
  }
  return predicted;
}

const EnumNames<EvaluationMode>& evaluation_mode_names() {
  static const EnumNames<EvaluationMode> names = {{"generation", EvaluationMode::kGeneration},
                                                  {"ranking", EvaluationMode::kRanking}};
  return names;
}

void TaskAnswers::add(const TaskAnswers& others) {
  items.insert(items.end(), others.items.begin(), others.items.end());
  std::sort(items.begin(), items.end(),
            [](const auto& a, const auto& b) { return a.example < b.example; });
  truncated += others.truncated;
  too_long += others.too_long;
}

Json to_json(const TaskAnswers& answers) {
  Json items = Json::array();
  for (const ScoredAnswer& item : answers.items) {
    items.push_back(Json::array({item.example, item.answers}));
  }
  return {{"items", std::move(items)},
          {"truncated", answers.truncated},
          {"too_long", answers.too_long}};
}

TaskAnswers task_answers(const Json& json) {
  TaskAnswers answers;
  for (const Json& item : json.at("items")) {
    answers.items.push_back(
        {item.at(0).get<size_t>(), item.at(1).get<std::vector<std::string>>(), {}});
  }
  answers.truncated = json.at("truncated").get<size_t>();
  answers.too_long = json.at("too_long").get<size_t>();
  return answers;
}

TaskScore Evaluator::evaluate(const EvaluationTask& task, const TaskRoute& route,
                              EvaluationMode mode) {
  return score(task, route, answer(task, route, mode, {}));
}

TaskAnswers Evaluator::answer(const EvaluationTask& task, const TaskRoute& route,
                              EvaluationMode mode, ExampleShare share) {
  TaskAnswers answers;
  std::vector<Prompt> prompts;
  std::vector<const Example*> examples;
  for (size_t i = share.index; i < task.examples.size(); i += share.of) {
    if (!takes(task.examples[i])) {
      ++answers.too_long;
      continue;
    }
    answers.items.push_back({i, {}, {}});
    prompts.push_back({task.examples[i].input, route});
    examples.push_back(&task.examples[i]);
  }
  const bool ranks = mode == EvaluationMode::kRanking && has_options(task);
  const std::vector<Predicted> predicted =
      ranks ? rank(prompts, examples) : write(prompts, examples);
  for (size_t i = 0; i < predicted.size(); ++i) {
    answers.items[i].answers = predicted[i].answers;
    answers.truncated += predicted[i].truncated;
  }
  return answers;
}

TaskScore Evaluator::score(const EvaluationTask& task, const TaskRoute& route,
                           TaskAnswers answers) const {
  if (answers.items.empty()) {
    throw Error(ExitCode::kBadData, "every example of " + task.name +
                                        " is longer than what the model reads; --on-long truncate "
                                        "cuts them");
  }
  TaskScore result = score_answers(task, std::move(answers.items), resamples_);
  result.truncated = answers.truncated;
  result.too_long = answers.too_long;
  if (!route.head) {  // which knows its labels by their numbers
    result.indistinguishable =
        indistinguishable_options(task, generator_.tokenizer(), answer_ids());
  }
  return result;
}

TaskScore score_answers(const EvaluationTask& task, std::vector<ScoredAnswer> answers,
                        int resamples) {
  TaskScore result;
  result.task = task.name;
  result.metric = task.metric;
  result.examples = answers.size();
  result.items = std::move(answers);
  std::vector<Scored> majority;
  std::vector<ScoredAnswer> compared;
  for (ScoredAnswer& item : result.items) {
    const Example& example = task.examples[item.example];
    item.golds = example.targets;
    result.tied += item.answers.size() > 1;
    compared.push_back({compared.size(), told_apart(item.answers, example.options),
                        told_apart(item.golds, example.options)});
    majority.push_back({told_apart({task.majority_answers[item.example]}, example.options).at(0),
                        compared.back().golds});
  }
  const std::unique_ptr<Metric> metric = make_metric(task.metric);
  const MetricOfTies of_ties(*metric, compared);
  const std::vector<Scored> items = scored_items(compared);
  result.score = of_ties.score(items);
  result.majority = metric->score(majority);
  if (resamples > 0) result.interval = bootstrap_interval(of_ties, items, resamples);
  return result;
}

double mean_score(const std::vector<TaskScore>& scores) {
  double sum = 0;
  for (const TaskScore& score : scores) sum += score.score;
  return scores.empty() ? 0 : sum / static_cast<double>(scores.size());
}

}  // namespace trivium
