// Scores a model on tasks: by generation or by ranking a task's options, beside the majority
// baseline.
#pragma once

#include <string>
#include <vector>

#include "core/base/enum_names.h"
#include "core/base/json.h"
#include "core/data/gym.h"
#include "core/data/prompt_template.h"
#include "core/data/task_catalog.h"
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

// Renders the split of a task with its records; `limit` > 0 takes the first so many examples. Error
// kBadData where the split is empty.
EvaluationTask make_evaluation_task(const Task& task, const PromptTemplate& prompt, Split split,
                                    size_t limit = 0);
// The same of a task that is not in memory, by the template that a model which knows the task was
// taught with (in `known`), or else by the first one of `prompts`.
EvaluationTask load_evaluation_task(const Gym& gym, const TaskCatalog& known,
                                    const PromptLibrary& prompts, const std::string& name,
                                    Split split, size_t limit = 0);

// Whether every example has options to rank.
bool has_options(const EvaluationTask& task);

// The options of the task's examples that the tokenizer cannot tell apart, in groups of two and
// more; at most 20 groups. `max_ids` is how many ids of an option the model reads.
std::vector<std::vector<std::string>> indistinguishable_options(const EvaluationTask& task,
                                                                const Tokenizer& tokenizer,
                                                                size_t max_ids);
// Says so on standard error, where there are any.
void warn_of_indistinguishable(const std::string& task,
                               const std::vector<std::vector<std::string>>& groups);

enum class EvaluationMode {
  kGeneration,  // what the model writes
  kRanking,     // the most likely of the options; tasks without options are generated
};

const EnumNames<EvaluationMode>& evaluation_mode_names();  // "generation", "ranking"

// A model's answer to an example of a task.
struct ScoredAnswer {
  size_t example = 0;                // its index in the task
  std::vector<std::string> answers;  // one, or all the options that tie
  std::vector<std::string> golds;
};

struct TaskScore {
  std::string task;
  std::string metric;
  double score = 0;
  Interval interval;  // 95 % bootstrap over examples
  double majority = 0;
  size_t examples = 0;   // that were scored
  size_t tied = 0;       // of them: those whose answer is a tie between options
  size_t truncated = 0;  // of them: those of which the model read not all
  size_t too_long = 0;   // left out for their length (OnLong::kMark)
  std::vector<std::vector<std::string>> indistinguishable;
  std::vector<ScoredAnswer> items;  // as scored, in the split's order
};

// Which of a task's examples: those whose place divided by `of` leaves `index`.
struct ExampleShare {
  size_t index = 0, of = 1;
};

// A model's answers to a share of a task's examples.
struct TaskAnswers {
  std::vector<ScoredAnswer> items;  // in the split's order, without their golds
  size_t truncated = 0;             // of them: those of which the model read not all
  size_t too_long = 0;              // left out for their length (OnLong::kMark)

  // Another share's.
  void add(const TaskAnswers& others);
};
// {"items": [[example, [answer...]]...], "truncated", "too_long"}, and back.
Json to_json(const TaskAnswers& answers);
TaskAnswers task_answers(const Json& json);

// Scores answers to examples of the task, whose golds are filled in: score, majority, ties, items
// and, where resamples is not 0, the interval.
TaskScore score_answers(const EvaluationTask& task, std::vector<ScoredAnswer> answers,
                        int resamples = 0);

// Answers are compared as raw text. A generated answer is the option that the tokenizer would write
// so, or, in an open task, the accepted answer that it differs from in white space and case only
// (answer_text.h); else it is what it is.
//
// Options of equal likelihood, or that the tokenizer writes alike, are a tie: the score is the mean
// over answering with the first of each tie, with the second, and so on, which for accuracy is the
// chance of guessing right among them.
class Evaluator {
 public:
  // Bootstrap intervals are left out when resamples is 0.
  Evaluator(TextGenerator& generator, const SearchOptions& search, int resamples = 1000,
            OnLong on_long = OnLong::kTruncate)
      : generator_(generator), search_(search), resamples_(resamples), on_long_(on_long) {}

  // Error kBadData for an example that is too long, with OnLong::kError, and where all are.
  TaskScore evaluate(const EvaluationTask& task, const TaskRoute& route, EvaluationMode mode);
  // Its two halves, so that several processes can answer shares of the examples: all shares'
  // answers together have the score that one process gives.
  TaskAnswers answer(const EvaluationTask& task, const TaskRoute& route, EvaluationMode mode,
                     ExampleShare share);
  TaskScore score(const EvaluationTask& task, const TaskRoute& route, TaskAnswers answers) const;

 private:
  struct Predicted {
    std::vector<std::string> answers;
    bool truncated = false;
  };
  // Whether the model reads all of it, or may cut it.
  bool takes(const Example& example) const;
  std::vector<Predicted> rank(const std::vector<Prompt>& prompts,
                              const std::vector<const Example*>& examples);
  std::vector<Predicted> write(const std::vector<Prompt>& prompts,
                               const std::vector<const Example*>& examples);
  size_t answer_ids() const {
    return static_cast<size_t>(generator_.config().max_position_embeddings);
  }

  TextGenerator& generator_;
  SearchOptions search_;
  int resamples_;
  OnLong on_long_;
};

// The unweighted mean of the tasks' scores (docs/spec/gym.md, section 6: "dev performance").
double mean_score(const std::vector<TaskScore>& scores);

}  // namespace trivium
