#include "core/inference/loaded_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/temporary_folder.h"
#include "core/checkpoint/tiny_checkpoint.h"

namespace trivium {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class LoadedModelTest : public ::testing::Test {
 protected:
  LoadedModel load(const TinyCheckpoint& checkpoint) {
    save_checkpoint(checkpoint, temporary_.path() / "model");
    return LoadedModel(temporary_.path() / "model", EngineOptions{});
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
            "is this movie sentence positive or negative?\x1e"
            "a gorgeous, witty film");
  EXPECT_EQ(resolved.prompt.route, model.route(0));
  EXPECT_EQ(resolved.options, (std::vector<std::string>{"negative", "positive"}));
}

TEST_F(LoadedModelTest, RoutesAreTheCheckpointsOwn) {
  for (const TinyModel kind : {TinyModel::kOneHot, TinyModel::kSoft}) {
    const TinyCheckpoint checkpoint = tiny_checkpoint(kind);
    const LoadedModel model = load(checkpoint);
    for (int64_t row = 0; row < 3; ++row) {
      EXPECT_EQ(model.route(row), checkpoint.info.routes->used[static_cast<size_t>(row)]);
    }
    EXPECT_NE(model.route(0), model.route(1));
    EXPECT_EQ(model.route(-1), model.route(0));
    EXPECT_EQ(model.route_dump(),
              dump_routes(*checkpoint.info.routes, checkpoint.info.config, checkpoint.info.tasks));
  }
}

TEST_F(LoadedModelTest, OfTokenGatesEveryTaskHasARow) {
  const LoadedModel model = load(tiny_checkpoint(TinyModel::kTokenGates));
  for (int64_t row = 0; row < 3; ++row) EXPECT_EQ(model.route(row).gates, row);
  EXPECT_THAT(error_of([&] { model.route_dump(); }), StartsWith("2: the model is dense"));
}

TEST_F(LoadedModelTest, TakesTheNearestTaskWhereNoneIsNamedAndSaysWhy) {
  const ResolvedPrompt resolved = load(tiny_checkpoint()).resolve("", "how many pens are left");
  EXPECT_EQ(resolved.row, 2);
  EXPECT_EQ(resolved.source, TaskSource::kNearest);
  EXPECT_TRUE(resolved.fits);
  EXPECT_FALSE(load(tiny_checkpoint()).resolve("", "\xce\xb6\xce\xb6").fits);
  EXPECT_TRUE(load(tiny_checkpoint()).resolve("sst2", "\xce\xb6\xce\xb6").fits);
  EXPECT_THAT(resolved.reason, StartsWith("nearest known task: gsm8k_answer ("));
  EXPECT_EQ(resolved.prompt.text, "solve this problem with a number\x1ehow many pens are left");
}

TEST_F(LoadedModelTest, ATextThatNamesFieldsIsOfATaskThatHasThem) {
  const ResolvedPrompt resolved = load(tiny_checkpoint())
                                      .resolve("",
                                               "premise: how many apples are left "
                                               "hypothesis: a witty film about a dull war");
  EXPECT_EQ(resolved.task, "mnli");
  EXPECT_TRUE(resolved.fits);
  EXPECT_THAT(resolved.reason,
              StartsWith("the prompt names the task's fields; nearest known task: mnli (1.00"));
}

TEST_F(LoadedModelTest, RefusesAnUnknownTaskAndNamesTheNearest) {
  const LoadedModel model = load(tiny_checkpoint());
  EXPECT_THAT(error_of([&] { model.resolve("sst3", "a film"); }),
              AllOf(StartsWith("66: "), HasSubstr("did you mean sst2?")));
}

TEST_F(LoadedModelTest, TakesATextWithNamedFieldsApart) {
  const LoadedModel model = load(tiny_checkpoint());
  const std::string expected =
      "entailment, neutral or contradiction? premise\x1eit rains\x1ethe sun shines";
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
  EXPECT_THAT(error_of([&] {
                model.resolve_fields("mnli", {{"premise", "the sun shines"}});
              }),
              AllOf(StartsWith("65: "), HasSubstr("\"hypothesis\"")));
}

TEST_F(LoadedModelTest, ADenseModelKnowsItsTasksToo) {
  const LoadedModel model = load(tiny_checkpoint(TinyModel::kDense));
  const ResolvedPrompt resolved = model.resolve("", "premise and hypothesis");
  EXPECT_EQ(resolved.task, "mnli");
  EXPECT_EQ(resolved.prompt.route.encoder, (std::vector<std::vector<float>>{{1}, {1}}));
}

TEST_F(LoadedModelTest, AnUntrainedModelAnswersWithoutTasks) {
  TinyCheckpoint checkpoint = tiny_checkpoint();
  checkpoint.info.tasks = {};
  checkpoint.info.finder.reset();
  const LoadedModel model = load(checkpoint);
  const ResolvedPrompt resolved = model.resolve("", "a film");
  EXPECT_EQ(resolved.row, -1);
  EXPECT_EQ(resolved.source, TaskSource::kNone);
  EXPECT_EQ(resolved.prompt.text, "a film");
  EXPECT_EQ(resolved.prompt.route, model.route(-1));
  EXPECT_THAT(error_of([&] {
                model.resolve_fields("", {{"text", "a film"}});
              }),
              AllOf(StartsWith("65: "), HasSubstr("needs a task")));
}

TEST_F(LoadedModelTest, TasksThatAreAddedAnswerAndChangeNoOthers) {
  for (const TinyModel kind : {TinyModel::kOneHot, TinyModel::kDense}) {
    LoadedModel model = load(tiny_checkpoint(kind));
    const auto answer = [&model](const std::string& task) {
      const ResolvedPrompt resolved = model.resolve(task, "how many apples");
      const SearchOptions search = model.generator().greedy_search(10);
      return model.generator().generate({resolved.prompt}, search).at(0);
    };
    const Answer before = answer("sst2");
    const std::filesystem::path folder = temporary_.path() / "model";
    EXPECT_FALSE(model.refresh_tasks());
    add_tiny_task(folder, "tone");
    EXPECT_THAT(error_of([&] { answer("tone"); }), HasSubstr("66: "));
    const LoadedModel old = model;
    EXPECT_TRUE(model.refresh_tasks());
    EXPECT_FALSE(old.tasks().has("tone")) << "a copy knows what was known when it was made";
    EXPECT_EQ(model.tasks().names().back(), "tone");
    EXPECT_TRUE(model.is_added(3));
    EXPECT_FALSE(model.is_added(2));
    const Answer own = answer("tone");
    EXPECT_NE(own.score, before.score);
    const Answer after = answer("sst2");
    EXPECT_EQ(after.text, before.text);
    EXPECT_EQ(after.score, before.score);
    EXPECT_EQ(LoadedModel(folder, EngineOptions{}).tasks().names(), model.tasks().names());
    remove_added_task(folder, "tone");
    EXPECT_TRUE(model.refresh_tasks());
    EXPECT_THAT(error_of([&] { answer("tone"); }), HasSubstr("66: "));
    EXPECT_EQ(answer("sst2").score, before.score);
  }
}

TEST_F(LoadedModelTest, ADamagedTaskIsAnErrorWhereItIsAsked) {
  load(tiny_checkpoint());
  add_tiny_task(temporary_.path() / "model", "tone");
  std::filesystem::remove(temporary_.path() / "model" / "tasks" / "tone" / "routes.json");
  const LoadedModel model(temporary_.path() / "model", EngineOptions{});
  EXPECT_THAT(error_of([&] { model.resolve("tone", "x"); }),
              AllOf(StartsWith("76: "), HasSubstr("routes.json")));
  EXPECT_EQ(model.resolve("sst2", "x").row, 0);
}

}  // namespace
}  // namespace trivium
