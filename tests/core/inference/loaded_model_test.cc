#include "core/inference/loaded_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/temporary_folder.h"
#include "core/inference/tiny_checkpoint.h"

namespace trivium {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class LoadedModelTest : public ::testing::Test {
 protected:
  LoadedModel load(const Checkpoint& checkpoint) {
    save_checkpoint(checkpoint, temporary_.path() / "model");
    return LoadedModel(temporary_.path() / "model", torch::kCPU);
  }
  TemporaryFolder temporary_;
};

TEST_F(LoadedModelTest, PutsANamedTasksTextIntoItsTemplate) {
  const LoadedModel model = load(tiny_checkpoint());
  const ResolvedPrompt resolved = model.resolve("sst2", "a gorgeous, witty film");
  EXPECT_EQ(resolved.row, 0);
  EXPECT_EQ(resolved.task, "sst2");
  EXPECT_EQ(resolved.source, TaskSource::kNamed);
  EXPECT_EQ(resolved.prompt.text,
            "is this movie sentence positive or negative? a gorgeous, witty film");
  EXPECT_EQ(resolved.prompt.route, model.route(0));
  EXPECT_EQ(resolved.options, (std::vector<std::string>{"negative", "positive"}));
}

TEST_F(LoadedModelTest, RoutesAreTheModelsOwn) {
  LoadedModel model = load(tiny_checkpoint());
  for (int64_t row = 0; row < 3; ++row) {
    EXPECT_EQ(model.route(row), route_of_task(model.model(), row, 1.0));
  }
  EXPECT_NE(model.route(0), model.route(1));
}

TEST_F(LoadedModelTest, SoftRoutesAreThoseOfTheSavedTemperature) {
  Checkpoint checkpoint = tiny_checkpoint(3, SelectionKind::kSoftmax);
  checkpoint.config.routing.selection_temperature = 0.25;
  LoadedModel model = load(checkpoint);
  EXPECT_EQ(model.route(1), route_of_task(model.model(), 1, 0.25));
  EXPECT_NE(model.route(1), route_of_task(model.model(), 1, 1.0));
}

TEST_F(LoadedModelTest, TakesTheNearestTaskWhereNoneIsNamedAndSaysWhy) {
  const ResolvedPrompt resolved = load(tiny_checkpoint()).resolve("", "how many pens are left");
  EXPECT_EQ(resolved.row, 2);
  EXPECT_EQ(resolved.source, TaskSource::kNearest);
  EXPECT_THAT(resolved.reason, StartsWith("nearest known task: gsm8k_answer ("));
  EXPECT_EQ(resolved.prompt.text, "solve this problem with a number: how many pens are left");
}

TEST_F(LoadedModelTest, RefusesAnUnknownTaskAndNamesTheNearest) {
  const LoadedModel model = load(tiny_checkpoint());
  try {
    model.resolve("sst3", "a film");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kMissingInput);
    EXPECT_THAT(error.what(), HasSubstr("did you mean sst2?"));
  }
}

TEST_F(LoadedModelTest, TakesATextWithNamedFieldsApart) {
  const LoadedModel model = load(tiny_checkpoint());
  const std::string expected =
      "entailment, neutral or contradiction? hypothesis: it rains premise: the sun shines";
  EXPECT_EQ(model.resolve("mnli", "Premise: the sun shines hypothesis: it rains").prompt.text,
            expected);
  EXPECT_EQ(
      model.resolve_fields("mnli", {{"premise", "the sun shines"}, {"hypothesis", "it rains"}})
          .prompt.text,
      expected);
  EXPECT_EQ(model.resolve("mnli", "the sun shines").prompt.text, "the sun shines");
}

TEST_F(LoadedModelTest, NamesAFieldThatIsMissing) {
  const LoadedModel model = load(tiny_checkpoint());
  try {
    model.resolve_fields("mnli", {{"premise", "the sun shines"}});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kBadData);
    EXPECT_THAT(error.what(), HasSubstr("\"hypothesis\""));
  }
}

TEST_F(LoadedModelTest, ADenseModelKnowsItsTasksToo) {
  const LoadedModel model = load(tiny_checkpoint(1));
  const ResolvedPrompt resolved = model.resolve("", "premise and hypothesis");
  EXPECT_EQ(resolved.task, "mnli");
  EXPECT_EQ(resolved.prompt.route.encoder, (std::vector<std::vector<float>>{{1}, {1}}));
}

TEST_F(LoadedModelTest, AnUntrainedModelAnswersWithoutTasks) {
  Checkpoint checkpoint = tiny_checkpoint();
  checkpoint.tasks = {};
  checkpoint.finder.reset();
  const LoadedModel model = load(checkpoint);
  const ResolvedPrompt resolved = model.resolve("", "a film");
  EXPECT_EQ(resolved.row, -1);
  EXPECT_EQ(resolved.source, TaskSource::kNone);
  EXPECT_EQ(resolved.prompt.text, "a film");
  EXPECT_EQ(resolved.prompt.route.encoder.size(), 2u);
  EXPECT_THROW(model.resolve_fields("", {{"text", "a film"}}), Error);
}

TEST_F(LoadedModelTest, RefusesTasksThatDoNotFitTheTaskVectors) {
  Checkpoint checkpoint = tiny_checkpoint();
  checkpoint.tasks.add(tiny_task("cola", {"text"}, {"no", "yes"}),
                       PromptLibrary(std::filesystem::path(TRIVIUM_TEST_DATA) / "tiny_bert"));
  try {
    load(checkpoint);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kBadModel);
    EXPECT_THAT(error.what(), HasSubstr("has 4 tasks, but the model has 3 tasks' routes"));
  }
}

}  // namespace
}  // namespace trivium
