// Scores a model on tasks: by generation or by ranking a task's options, beside the majority
// baseline.
#pragma once

#include <string>
#include <vector>

#include "core/base/enum_names.h"
#include "core/data/gym.h"
#include "core/data/prompt_template.h"
#include "core/inference/text_generator.h"
#include "core/metrics/metric.h"

namespace trivium {

// A task's examples of one split, rendered, and what the majority baseline answers.
struct EvaluationTask {
  std::string name;
  std::string family;
  std::string metric;
  std::vector<Example> examples;
  // The majority baseline's answer to each example. A task with options: the option at the place
  // (first, second...) where the train split's targets are most often, which for a fixed label set
  // is the most frequent label. An open task: the train split's most frequent target.
  std::vector<std::string> majority_answers;
  std::vector<std::string> train_inputs;  // the first few inputs of the train split
};

// `examples` of the task, with the majority answers of `train`.
EvaluationTask make_evaluation_task(const Task& task, std::vector<Example> examples,
                                    const std::vector<Example>& train);

// Renders the split of a task with its records by the task's first template; `limit` > 0 takes the
// first so many examples. Error kBadData where the split is empty.
EvaluationTask make_evaluation_task(const Task& task, const PromptLibrary& prompts, Split split,
                                    size_t limit = 0);
// The same of a task that is not in memory.
EvaluationTask load_evaluation_task(const Gym& gym, const PromptLibrary& prompts,
                                    const std::string& name, Split split, size_t limit = 0);

// Whether every example has options to rank.
bool has_options(const EvaluationTask& task);

enum class EvaluationMode {
  kGeneration,  // what the model writes
  kRanking,     // the most likely of the options; tasks without options are generated
};

const EnumNames<EvaluationMode>& evaluation_mode_names();  // "generation", "ranking"

struct TaskScore {
  std::string task;
  std::string metric;
  double score = 0;
  Interval interval;  // 95 % bootstrap over examples
  double majority = 0;
  size_t examples = 0;
  std::vector<Scored> items;  // as scored, in the split's order
};

class Evaluator {
 public:
  // Bootstrap intervals are left out when resamples is 0.
  Evaluator(TextGenerator& generator, const SearchOptions& search, int resamples = 1000)
      : generator_(generator), search_(search), resamples_(resamples) {}

  TaskScore evaluate(const EvaluationTask& task, const TaskRoute& route, EvaluationMode mode);

 private:
  std::vector<std::string> predict(const EvaluationTask& task, const TaskRoute& route,
                                   EvaluationMode mode);
  // The text as the model's tokenizer can write it, in lower case and without outer space. A model
  // with an uncased vocabulary can't write "New-York": both sides are compared in this form.
  std::string canonical(const std::string& text) const;

  TextGenerator& generator_;
  SearchOptions search_;
  int resamples_;
};

// The unweighted mean of the tasks' scores (docs/spec/gym.md, section 6: "dev performance").
double mean_score(const std::vector<TaskScore>& scores);

}  // namespace trivium
