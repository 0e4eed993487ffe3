#include "core/api/trivium_c.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "core/api/trivium.h"
#include "core/base/temporary_folder.h"
#include "core/checkpoint/tiny_checkpoint.h"

namespace trivium {
namespace {

trivium_text c_text(const std::string& text) { return {text.data(), text.size()}; }
std::string string_of(const trivium_text& text) { return {text.data, text.size}; }

// The tiny checkpoint, by C and by C++.
class CGeneratorTest : public testing::Test {
 protected:
  CGeneratorTest() {
    save_checkpoint(tiny_checkpoint(), folder());
    expected_ = std::make_unique<Generator>(Generator::load(folder()));
    EXPECT_EQ(trivium_load(c_text(folder()), nullptr, &generator_), 0) << trivium_error_message();
  }
  ~CGeneratorTest() override { trivium_free(generator_); }
  std::string folder() const { return (folder_.path() / "tiny").string(); }

  TemporaryFolder folder_;
  std::unique_ptr<Generator> expected_;
  trivium_generator* generator_ = nullptr;
};

TEST_F(CGeneratorTest, AnswersAsTheGeneratorDoes) {
  const std::vector<std::string> texts = {"a witty film", std::string("a dull\0 war", 11)};
  const std::vector<trivium_text> prompts = {c_text(texts[0]), c_text(texts[1])};
  trivium_answer_settings settings = {};
  settings.num_beams = 1;
  settings.max_length = 4;
  settings.temperature = settings.top_p = 1;
  AnswerSettings same;
  same.num_beams = 1;
  same.max_length = 4;
  for (const bool with_settings : {false, true}) {
    const trivium_answer* answers = nullptr;
    ASSERT_EQ(trivium_generate(generator_, prompts.data(), 2, c_text("mnli"),
                               with_settings ? &settings : nullptr, &answers),
              0);
    const auto expected =
        expected_->generate(texts, "mnli", with_settings ? same : AnswerSettings());
    for (size_t i = 0; i < 2; ++i) {
      EXPECT_EQ(string_of(answers[i].text), expected[i].text);
      EXPECT_EQ(string_of(answers[i].task), "mnli");
      EXPECT_EQ(answers[i].score, expected[i].score);
      EXPECT_EQ(answers[i].finished != 0, expected[i].finished);
      EXPECT_EQ(answers[i].truncated != 0, expected[i].truncated);
      EXPECT_EQ(answers[i].fits != 0, expected[i].fits);
    }
  }
}

TEST_F(CGeneratorTest, EverySettingOfSamplingArrives) {
  const std::string prompt = "a witty film";
  trivium_answer_settings settings = {0, 8, 1, 5, 3.0, 0.9, 0};
  AnswerSettings same;
  same.max_length = 8;
  same.sample = true;
  same.top_k = 5;
  same.temperature = 3;
  same.top_p = 0.9;
  const trivium_text text = c_text(prompt);
  for (uint64_t seed : {uint64_t{1}, ~uint64_t{0}}) {
    settings.seed = same.seed = seed;
    const trivium_answer* answers = nullptr;
    ASSERT_EQ(trivium_generate(generator_, &text, 1, c_text("sst2"), &settings, &answers), 0);
    EXPECT_EQ(string_of(answers[0].text), expected_->generate({prompt}, "sst2", same)[0].text);
  }
}

TEST_F(CGeneratorTest, GivesTasksScoresRoutesAndVectors) {
  const trivium_text* names = nullptr;
  size_t count = 0;
  ASSERT_EQ(trivium_tasks(generator_, &names, &count), 0);
  ASSERT_EQ(count, 3u);
  EXPECT_EQ(string_of(names[2]), expected_->tasks()[2]);

  const std::string prompt = "a witty film", no = "negative", yes = "positive";
  const std::vector<trivium_text> options = {c_text(no), c_text(yes)};
  const double* scores = nullptr;
  ASSERT_EQ(trivium_score(generator_, c_text(prompt), options.data(), 2, {nullptr, 0}, &scores), 0);
  EXPECT_EQ(std::vector<double>(scores, scores + 2), expected_->score(prompt, {no, yes}));

  const trivium_route* route = nullptr;
  ASSERT_EQ(trivium_route_of_task(generator_, c_text("mnli"), &route), 0);
  const Generator::Route expected = expected_->route_of_task("mnli");
  ASSERT_EQ(route->encoder_layers, expected.encoder.size());
  ASSERT_EQ(route->decoder_layers, expected.decoder.size());
  for (size_t l = 0; l < expected.decoder.size(); ++l) {
    const trivium_layer& layer = route->decoder[l];
    EXPECT_EQ(std::vector<float>(layer.weights, layer.weights + layer.num_experts),
              expected.decoder[l]);
  }
  EXPECT_EQ(route->encoder[0].num_experts, 1u);
  ASSERT_EQ(trivium_route_of_prompt(generator_, c_text(prompt), &route), 0);
  EXPECT_EQ(string_of(route->task), "sst2");

  const float* vectors = nullptr;
  size_t width = 0;
  const std::vector<trivium_text> texts = {c_text(prompt), c_text(no)};
  ASSERT_EQ(trivium_embed(generator_, texts.data(), 2, c_text("sst2"), &vectors, &width), 0);
  const auto rows = expected_->embed({prompt, no}, "sst2");
  ASSERT_EQ(width, rows[1].size());
  EXPECT_EQ(std::vector<float>(vectors + width, vectors + 2 * width), rows[1]);
}

TEST_F(CGeneratorTest, WhatFailsHasACodeAndOneLine) {
  trivium_generator* none = nullptr;
  EXPECT_EQ(trivium_load(c_text(folder() + "/nothing"), nullptr, &none), 66);
  EXPECT_THAT(trivium_error_message(), testing::HasSubstr("nothing"));
  const std::string cut = folder() + std::string("\0 and more", 10);
  EXPECT_EQ(trivium_load(c_text(cut), nullptr, &none), 2);
  const trivium_load_settings settings = {1, 3};
  EXPECT_EQ(trivium_load(c_text(folder()), &settings, &none), 2);
  EXPECT_THAT(trivium_error_message(), testing::HasSubstr("2 int8"));
  EXPECT_EQ(none, nullptr);
  const trivium_route* route = nullptr;
  EXPECT_EQ(trivium_route_of_task(generator_, c_text("no such task"), &route), 66);
  EXPECT_THAT(trivium_error_message(), testing::Not(testing::HasSubstr("\n")));
  const double* scores = nullptr;
  EXPECT_EQ(trivium_score(generator_, c_text("x"), nullptr, 0, {nullptr, 0}, &scores), 2);
}

}  // namespace
}  // namespace trivium
