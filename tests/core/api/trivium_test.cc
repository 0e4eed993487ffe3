#include "core/api/trivium.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/temporary_folder.h"
#include "core/checkpoint/tiny_checkpoint.h"
#include "core/inference/loaded_model.h"

namespace trivium {
namespace {

// The tiny checkpoint, by the library's interface and by the room beneath it.
class GeneratorTest : public testing::Test {
 protected:
  GeneratorTest() {
    save_checkpoint(tiny_checkpoint(), folder());
    generator_ = std::make_unique<Generator>(Generator::load(folder().string()));
    model_ = std::make_unique<LoadedModel>(folder(), EngineOptions());
  }
  std::filesystem::path folder() const { return folder_.path() / "tiny"; }

  template <typename Call>
  int code_of(Call call) {
    try {
      call();
    } catch (const GeneratorError& error) {
      EXPECT_STRNE(error.what(), "");
      return error.code();
    }
    return 0;
  }

  TemporaryFolder folder_;
  std::unique_ptr<Generator> generator_;
  std::unique_ptr<LoadedModel> model_;
};

TEST_F(GeneratorTest, AnswersAsTheModelDoes) {
  const std::vector<std::string> texts = {"a witty film", "how many apples are left"};
  const auto answers = generator_->generate(texts);
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0].task, "sst2");
  EXPECT_EQ(answers[1].task, "gsm8k_answer");
  const auto expected = model_->generator().generate(
      {model_->resolve("", texts[0]).prompt, model_->resolve("", texts[1]).prompt},
      model_->generator().default_search());
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(answers[i].text, expected[i].text);
    EXPECT_DOUBLE_EQ(answers[i].score, expected[i].score);
    EXPECT_EQ(answers[i].finished, expected[i].finished);
  }
}

TEST_F(GeneratorTest, ScoresAsTheModelDoes) {
  const std::vector<std::string> options = {"negative", "positive"};
  EXPECT_EQ(generator_->score("a witty film", options, "sst2"),
            model_->generator()
                .score({model_->resolve("sst2", "a witty film").prompt}, {options})[0]
                .log_likelihoods);
}

TEST_F(GeneratorTest, GivesRoutesOfTasksAndPrompts) {
  EXPECT_EQ(generator_->tasks(), model_->tasks().names());
  const Generator::Route route = generator_->route_of_task("mnli");
  EXPECT_EQ(route.encoder, model_->route(1).encoder);
  EXPECT_EQ(route.decoder, model_->route(1).decoder);
  EXPECT_EQ(generator_->route_of_prompt("premise and hypothesis").task, "mnli");
}

TEST_F(GeneratorTest, EmbedsAsTheModelDoes) {
  const std::vector<std::string> texts = {"a witty film", "how many apples are left"};
  EXPECT_EQ(generator_->embed(texts, "mnli"),
            model_->generator().sentence_vectors(
                {{texts[0], model_->route(1)}, {texts[1], model_->route(1)}}));
  EXPECT_EQ(generator_->embed({texts[1]}),
            model_->generator().sentence_vectors({{texts[1], model_->route(-1)}}));
  EXPECT_NE(generator_->embed({texts[1]}), generator_->embed({texts[1]}, "mnli"));
  EXPECT_THAT(generator_->embed({}), testing::IsEmpty());
}

TEST_F(GeneratorTest, SettingsChangeTheSearch) {
  AnswerSettings settings;
  settings.max_length = 3;
  settings.sample = true;
  settings.temperature = 5;
  std::vector<std::string> drawn;
  for (settings.seed = 1; settings.seed <= 5; ++settings.seed) {
    drawn.push_back(generator_->generate({"a witty film"}, "sst2", settings)[0].text);
  }
  settings.seed = 1;
  EXPECT_EQ(generator_->generate({"a witty film"}, "sst2", settings)[0].text, drawn[0]);
  EXPECT_THAT(drawn, testing::Contains(testing::Ne(drawn[0])));
}

TEST_F(GeneratorTest, WhatACallerCanMendHasACode) {
  EXPECT_EQ(code_of([&] { Generator::load((folder_.path() / "nothing").string()); }), 66);
  EXPECT_EQ(code_of([&] { generator_->generate({"x"}, "no such task"); }), 66);
  AnswerSettings settings;
  settings.sample = true;
  settings.num_beams = 2;
  EXPECT_EQ(code_of([&] { generator_->generate({"x"}, "", settings); }), 2);
  settings = {};
  settings.max_length = 100000;
  EXPECT_EQ(code_of([&] { generator_->generate({"x"}, "", settings); }), 2);
  settings = {};
  settings.temperature = 0;
  EXPECT_EQ(code_of([&] { generator_->generate({"x"}, "", settings); }), 2);
  for (const auto& without_sampling :
       {AnswerSettings{.temperature = 0.5}, AnswerSettings{.top_k = 3},
        AnswerSettings{.top_p = 0.5}, AnswerSettings{.seed = 1}}) {
    EXPECT_EQ(code_of([&] { generator_->generate({"x"}, "", without_sampling); }), 2);
  }
  EXPECT_EQ(code_of([&] { generator_->score("x", {}); }), 2);
  EXPECT_EQ(code_of([&] { generator_->embed({"x"}, "no such task"); }), 66);
  LoadSettings load;
  load.threads = -1;
  EXPECT_EQ(code_of([&] { Generator::load(folder().string(), load); }), 2);
}

}  // namespace
}  // namespace trivium
