#include "core/evaluation/evaluator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>

#include "core/base/file.h"
#include "core/base/temporary_folder.h"
#include "core/checkpoint/tiny_checkpoint.h"

namespace trivium {
namespace {

class EvaluatorTest : public ::testing::Test {
 protected:
  // A task whose examples have these answers, and all of them as options.
  static EvaluationTask task_of(const std::string& metric,
                                const std::vector<std::string>& answers) {
    EvaluationTask task{"made_up", "made up", metric, {}, {}, {}};
    for (const std::string& answer : answers) {
      task.examples.push_back({"made_up", "an input of " + answer, {answer}, answers, "test"});
      task.majority_answers.push_back(answers.at(0));
    }
    return task;
  }

  TaskScore evaluate(const EvaluationTask& task, EvaluationMode mode) {
    Evaluator evaluator(generator_, generator_.default_search(), /*resamples=*/20);
    return evaluator.evaluate(task, route_, mode);
  }

  TinyCheckpoint checkpoint_ = tiny_checkpoint();
  TextGenerator generator_{make_engine(checkpoint_.info.config, {}, checkpoint_.reader()),
                           checkpoint_.info.tokenizer,
                           {}};
  TaskRoute route_ = checkpoint_.info.routes->used[0];
};

// A gym with one task, "pick", whose records are {text, choices, label}.
class MajorityTest : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((temporary_.path() / name).parent_path());
    write_file_atomically(temporary_.path() / name, text);
  }
  // Records of [choices..., label].
  void write_records(const std::string& name,
                     const std::vector<std::vector<std::string>>& records) {
    std::string lines;
    for (std::vector<std::string> choices : records) {
      const std::string label = choices.back();
      choices.pop_back();
      lines += Json{{"text", "who"}, {"choices", choices}, {"label", label}}.dump() + "\n";
    }
    write("pick/" + name, lines);
  }
  std::vector<std::string> majority_answers(const Json& inputs) {
    write("split.json", R"({"seen": ["pick"]})");
    write("pick/task.json", Json{{"name", "pick"},
                                 {"family", "qa"},
                                 {"fields", {"text", "choices", "label"}},
                                 {"inputs", inputs},
                                 {"target", "label"},
                                 {"labels", Json::array()},
                                 {"metric", "accuracy"}}
                                .dump());
    const PromptLibrary prompts(temporary_.path() / "pick");  // a folder without templates
    return load_evaluation_task(Gym(temporary_.path()), prompts, "pick", Split::kTest)
        .majority_answers;
  }
  TemporaryFolder temporary_;
};

TEST_F(MajorityTest, IsThePlaceAmongOptionsThatDiffer) {
  write_records("train.jsonl", {{"a", "b", "b"}, {"b", "c", "c"}, {"b", "d", "b"}});
  write_records("dev.jsonl", {{"a", "b", "b"}});
  write_records("test.jsonl", {{"x", "y", "x"}, {"z", "b", "w", "z"}, {"b", "b"}});
  EXPECT_EQ(majority_answers({"text", "choices"}), (std::vector<std::string>{"y", "b", "b"}));
}

// The vocabulary, an uncased one, takes "4.35" apart and would write "4. 35".
TEST_F(EvaluatorTest, NumbersStayNumbers) {
  const std::vector<std::string> numbers = {"4.35", "1.5", "3", "-0.25"};
  const TaskScore score = evaluate(task_of("pearson", numbers), EvaluationMode::kRanking);
  ASSERT_EQ(score.items.size(), 4u);
  for (size_t i = 0; i < numbers.size(); ++i) {
    EXPECT_EQ(score.items[i].golds, std::vector<std::string>{numbers[i]});
    EXPECT_NE(std::find(numbers.begin(), numbers.end(), score.items[i].prediction), numbers.end());
  }
}

TEST_F(EvaluatorTest, RankingGivesTheLikeliestOption) {
  const std::vector<std::string> options = {"yes", "no", "perhaps so"};
  const EvaluationTask task = task_of("accuracy", options);
  const TaskScore score = evaluate(task, EvaluationMode::kRanking);
  double right = 0;
  for (size_t i = 0; i < options.size(); ++i) {
    const auto scores = generator_.score({{task.examples[i].input, route_}}, {options}).at(0);
    const auto best = std::max_element(scores.begin(), scores.end()) - scores.begin();
    EXPECT_EQ(score.items[i].prediction, options[static_cast<size_t>(best)]);
    right += score.items[i].prediction == options[i];
  }
  EXPECT_NEAR(score.score, right / 3, 1e-12);
  EXPECT_NEAR(score.majority, 1.0 / 3, 1e-12);
  EXPECT_LE(score.interval.low, score.score);
  EXPECT_GE(score.interval.high, score.score);
}

TEST_F(EvaluatorTest, GenerationComparesWithoutCaseAndOuterSpace) {
  EvaluationTask task = task_of("accuracy", {"x"});
  std::string answer =
      generator_.generate({{task.examples[0].input, route_}}, generator_.default_search())
          .at(0)
          .text;
  for (char& c : answer) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  task.examples[0].targets = {" " + answer + " "};
  EXPECT_EQ(evaluate(task, EvaluationMode::kGeneration).score, 1.0);
  task.examples[0].targets = {"x" + answer};
  EXPECT_EQ(evaluate(task, EvaluationMode::kGeneration).score, 0.0);
}

}  // namespace
}  // namespace trivium
