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
    return load_evaluation_task(Gym(temporary_.path()), {}, prompts, "pick", Split::kTest)
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

TEST_F(MajorityTest, ATaskThatTheModelKnowsIsAskedAsItWasTaught) {
  for (const char* split : {"train.jsonl", "dev.jsonl", "test.jsonl"}) {
    write_records(split, {{"a", "b", "b"}});
  }
  majority_answers({"text", "choices"});
  const Gym gym(temporary_.path());
  const PromptLibrary prompts(temporary_.path() / "pick");
  TaskEntry entry;
  entry.task = gym.load_task("pick");
  const TemplateSpec own = {"own", "own words: {{text}}", "", {}};
  entry.prompt = std::make_shared<const PromptTemplate>(own, entry.task, "test");
  TaskCatalog known;
  known.add(entry);
  const auto input = [&](const TaskCatalog& tasks) {
    return load_evaluation_task(gym, tasks, prompts, "pick", Split::kTest).examples.at(0).input;
  };
  EXPECT_TRUE(input(known).starts_with("own words: ")) << input(known);
  EXPECT_FALSE(input({}).starts_with("own words: ")) << input({});
}

// The vocabulary, an uncased one, takes "4.35" apart and would write "4. 35".
TEST_F(EvaluatorTest, NumbersStayNumbers) {
  const std::vector<std::string> numbers = {"4.35", "1.5", "3", "-0.25"};
  const TaskScore score = evaluate(task_of("pearson", numbers), EvaluationMode::kRanking);
  ASSERT_EQ(score.items.size(), 4u);
  for (size_t i = 0; i < numbers.size(); ++i) {
    EXPECT_EQ(score.items[i].golds, std::vector<std::string>{numbers[i]});
    const std::string& answer = score.items[i].answers.at(0);
    EXPECT_NE(std::find(numbers.begin(), numbers.end(), answer), numbers.end());
  }
}

TEST_F(EvaluatorTest, RankingOfNumbersGivesTheirMeanByLikelihood) {
  EvaluationTask task{"numbers", "made up", "pearson", {}, {}, {}};
  Example example = {"numbers", "a text", {"1.3"}, {"0", "1", "2"}, ""};
  example.options_are_numbers = true;
  task.examples = {example, example};
  task.majority_answers = {"1", "1"};
  const auto scores = generator_.score({{"a text", route_}}, {example.options}).at(0);
  double sum = 0, total = 0;
  for (size_t i = 0; i < 3; ++i) {
    sum += static_cast<double>(i) * std::exp(scores.log_likelihoods[i]);
    total += std::exp(scores.log_likelihoods[i]);
  }
  const TaskScore score = evaluate(task, EvaluationMode::kRanking);
  EXPECT_NEAR(std::stod(score.items.at(0).answers.at(0)), sum / total, 1e-5);
}

TEST_F(EvaluatorTest, RankingGivesTheLikeliestOption) {
  const std::vector<std::string> options = {"yes", "no", "perhaps so"};
  const EvaluationTask task = task_of("accuracy", options);
  const TaskScore score = evaluate(task, EvaluationMode::kRanking);
  double right = 0;
  for (size_t i = 0; i < options.size(); ++i) {
    const auto scores =
        generator_.score({{task.examples[i].input, route_}}, {options}).at(0).log_likelihoods;
    const auto best = std::max_element(scores.begin(), scores.end()) - scores.begin();
    EXPECT_EQ(score.items[i].answers, std::vector<std::string>{options[static_cast<size_t>(best)]});
    right += score.items[i].answers[0] == options[i];
  }
  EXPECT_NEAR(score.score, right / 3, 1e-12);
  EXPECT_NEAR(score.majority, 1.0 / 3, 1e-12);
  EXPECT_LE(score.interval.low, score.score);
  EXPECT_GE(score.interval.high, score.score);
}

TEST_F(EvaluatorTest, GenerationComparesWithoutCaseAndOuterSpace) {
  EvaluationTask task = task_of("accuracy", {"x"});
  task.examples[0].options.clear();
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

// Labels that alternate, of which the tokenizer makes the same ids: whatever the model is, half of
// them are guessed.
TEST_F(EvaluatorTest, LabelsThatAreTheSameIdsScoreAsGuesses) {
  const std::vector<std::vector<std::string>> pairs = {
      {"❤", "😂"}, {"pêche", "péché"}, {"肯定的", "否定的"}, {"US", "us"}};
  for (const auto& labels : pairs) {
    for (const char* metric : {"accuracy", "em"}) {
      EvaluationTask task{"labels", "made up", metric, {}, {}, {}};
      for (int i = 0; i < 6; ++i) {
        task.examples.push_back(
            {"labels", "text " + std::to_string(i), {labels[i % 2]}, labels, ""});
        task.majority_answers.push_back(labels[0]);
      }
      const TaskScore score = evaluate(task, EvaluationMode::kRanking);
      EXPECT_EQ(score.score, 0.5) << labels[0];
      EXPECT_EQ(score.majority, 0.5) << labels[0];
      EXPECT_EQ(score.tied, 6u);
      EXPECT_EQ(score.items[0].answers, labels);
      EXPECT_EQ(score.indistinguishable, (std::vector<std::vector<std::string>>{labels}));
      EXPECT_LE(score.interval.low, 0.5);
      EXPECT_LT(score.interval.high, 1.0);
      EXPECT_LE(evaluate(task, EvaluationMode::kGeneration).score, 0.5);
    }
  }
}

// Two tie and one does not: an example counts a half, or nothing.
TEST_F(EvaluatorTest, ATieIsBetweenTheLikeliestOnly) {
  const auto scores = generator_.score({{"a text", route_}}, {{"❤", "abcd"}}).at(0);
  const bool hearts_win = scores.log_likelihoods[0] > scores.log_likelihoods[1];
  EvaluationTask task{"labels", "made up", "accuracy", {}, {}, {}};
  const std::vector<std::string> options = {"❤", "abcd", "😂"};
  for (const char* gold : {"❤", "abcd", "😂", "😂"}) {
    task.examples.push_back({"labels", "a text", {gold}, options, ""});
    task.majority_answers.push_back("😂");
  }
  const TaskScore score = evaluate(task, EvaluationMode::kRanking);
  EXPECT_EQ(score.score, hearts_win ? 1.5 / 4 : 1.0 / 4);
  EXPECT_EQ(score.tied, hearts_win ? 4u : 0u);
  EXPECT_EQ(score.majority, 0.5);
}

TEST_F(EvaluatorTest, WhatIsTooLongIsCutLeftOutOrAnError) {
  EvaluationTask task = task_of("accuracy", {"yes", "no"});
  task.examples[1].input = std::string(300, 'a') + " " + std::string(900, '.');
  task.examples[1].where = "test.jsonl:2";
  const auto score = [&](OnLong on_long) {
    return Evaluator(generator_, generator_.default_search(), /*resamples=*/0, on_long)
        .evaluate(task, route_, EvaluationMode::kRanking);
  };
  const TaskScore cut = score(OnLong::kTruncate);
  EXPECT_EQ(cut.truncated, 1u);
  EXPECT_EQ(cut.examples, 2u);
  const TaskScore marked = score(OnLong::kMark);
  EXPECT_EQ(marked.truncated, 0u);
  EXPECT_EQ(marked.examples, 1u);
  EXPECT_EQ(marked.too_long, 1u);
  EXPECT_EQ(error_of([&] { score(OnLong::kError); }).substr(0, 17), "65: test.jsonl:2:");
  task.examples.erase(task.examples.begin());
  EXPECT_EQ(error_of([&] { score(OnLong::kMark); }).substr(0, 18), "65: every example ");
}

}  // namespace
}  // namespace trivium
