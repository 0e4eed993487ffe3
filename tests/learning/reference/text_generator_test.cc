// Answers of the LibTorch model: by its own engine, and by the fast one in batches.
#include "core/inference/text_generator.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "learning/model/model_routes.h"
#include "learning/model/random_model.h"
#include "learning/reference/tensor_reader.h"
#include "learning/reference/torch_engine.h"

namespace trivium::learning {
namespace {

// A random model of three experts over the 100 word pieces of tests/golden/tiny_bert.
class TorchTextGeneratorTest : public ::testing::Test {
 protected:
  static ModelConfig make_config(const SpecialTokens& special) {
    ModelConfig config = small_config(3);
    config.vocab_size = 100;
    config.pad_token_id = special.pad;
    config.bos_token_id = special.bos;
    config.eos_token_id = config.decoder_start_token_id = special.eos;
    config.forced_eos_token_id = -1;
    config.routing.selection = SelectionKind::kGumbelStraightThrough;
    return config;
  }

  TorchTextGeneratorTest() {
    // Generation ends at different lengths: without it, a random model seldom says eos.
    model_->named_buffers()["final_logits_bias"][0][special().eos] = 4;
    search_.num_beams = 1;
    search_.max_length = 12;
    search_.start_id = search_.eos_id = special().eos;
    for (int64_t i = 0; i < 12; ++i) {
      std::string text;
      for (int64_t n = 1 + i * 7 % 11; n > 0; --n)
        text += std::string(1, "abcdefgh"[(i + n) % 8]) + " ";
      prompts_.push_back({text, route_of_task(model_, i % 4, 1)});
    }
  }

  const SpecialTokens& special() const { return tokenizer_->special(); }
  TextGenerator generator(GeneratorOptions options = {}) {
    return TextGenerator(torch_engine(model_), tokenizer_, options);
  }

  // The uncached model's logits after `ids` (start token first) for one prompt: [vocab_size].
  torch::Tensor logits_after(const Prompt& prompt, const std::vector<int32_t>& ids) {
    torch::NoGradGuard no_grad;
    const SourceBatch source =
        collate_sources({tokenizer_->encode_with_special(prompt.text, 24)}, special().pad);
    const torch::Tensor logits =
        forward_logits(model_, source, collate_sources({ids}, special().pad).ids,
                       routing_weights({&prompt.route}, model_->config(), torch::kCPU));
    return logits[0][static_cast<int64_t>(ids.size()) - 1];
  }

  static void expect_same(const Answer& a, const Answer& b) {
    EXPECT_EQ(a.text, b.text);
    EXPECT_NEAR(a.score, b.score, 1e-4);
    EXPECT_EQ(a.finished, b.finished);
    EXPECT_EQ(a.truncated, b.truncated);
    EXPECT_EQ(a.source_tokens, b.source_tokens);
    EXPECT_EQ(a.target_tokens, b.target_tokens);
  }

  std::shared_ptr<const Tokenizer> tokenizer_ =
      load_tokenizer(std::filesystem::path(TRIVIUM_TEST_DATA) / "tiny_bert");
  Seq2SeqModel model_ = random_model(make_config(tokenizer_->special()), 6);
  SearchOptions search_;
  std::vector<Prompt> prompts_;
};

TEST_F(TorchTextGeneratorTest, ReferenceDefectA15_AnswersAreTheUncachedModelsGreedyOnes) {
  const std::vector<Answer> answers = generator().generate(prompts_, search_);
  ASSERT_EQ(answers.size(), prompts_.size());
  size_t finished = 0;
  for (size_t i = 0; i < prompts_.size(); ++i) {
    std::vector<int32_t> ids = {special().eos};
    double score = 0;
    bool ended = false;
    while (!ended && ids.size() < 12) {
      const torch::Tensor log_probability = torch::log_softmax(logits_after(prompts_[i], ids), 0);
      const auto best = log_probability.argmax().item<int32_t>();
      score += log_probability[best].item<double>();
      ended = best == special().eos;
      if (!ended) ids.push_back(best);
    }
    finished += ended;
    ids.erase(ids.begin());
    EXPECT_EQ(answers[i].text, tokenizer_->decode(ids)) << "prompt " << i;
    EXPECT_NEAR(answers[i].score, score, 1e-4);
    EXPECT_EQ(answers[i].finished, ended);
    EXPECT_EQ(answers[i].target_tokens, static_cast<int64_t>(ids.size()));
    EXPECT_EQ(answers[i].source_tokens,
              static_cast<int64_t>(tokenizer_->encode(prompts_[i].text).size()) + 2);
  }
  EXPECT_GT(finished, 0u);
  EXPECT_LT(finished, prompts_.size());
}

TEST_F(TorchTextGeneratorTest, BatchingDoesNotChangeAnswers) {
  for (int beams : {1, 3}) {
    search_.num_beams = beams;
    const auto together = generator().generate(prompts_, search_);
    const auto alone = generator({.batch_size = 1}).generate(prompts_, search_);
    const auto by_tokens = generator({.batch_tokens = 20}).generate(prompts_, search_);
    for (size_t i = 0; i < prompts_.size(); ++i) {
      expect_same(together[i], alone[i]);
      expect_same(together[i], by_tokens[i]);
    }
  }
  EXPECT_TRUE(generator().generate({}, search_).empty());
}

// Twelve prompts of four routes through three places; the answers come in the prompts' order.
TEST_F(TorchTextGeneratorTest, ContinuousBatchesGiveEachPromptItsAnswer) {
  const auto engine = make_engine(model_->config(), {}, reader_of(model_));
  ASSERT_TRUE(engine->batches_continuously());
  for (const int beams : {1, 3}) {
    search_.num_beams = beams;
    const auto expected = generator().generate(prompts_, search_);
    TextGenerator continuous(engine, tokenizer_, {.batch_size = 3});
    const auto found = continuous.generate(prompts_, search_);
    for (size_t i = 0; i < prompts_.size(); ++i) expect_same(found[i], expected[i]);
    TextGenerator by_tokens(engine, tokenizer_, {.batch_tokens = 20});
    const auto few = by_tokens.generate(prompts_, search_);
    for (size_t i = 0; i < prompts_.size(); ++i) expect_same(few[i], expected[i]);
  }
}

TEST_F(TorchTextGeneratorTest, ScoresAreSumsOfLogProbabilities) {
  std::vector<std::vector<std::string>> options(prompts_.size());
  for (size_t i = 0; i < prompts_.size(); ++i) {
    options[i] = {"a", "a b", "h g f e d c", "b a"};
    options[i].resize(1 + i % 4);
  }
  for (int64_t batch_size : {1, 64}) {
    const auto scores = generator({.batch_size = batch_size}).score(prompts_, options);
    ASSERT_EQ(scores.size(), prompts_.size());
    for (size_t i = 0; i < prompts_.size(); ++i) {
      ASSERT_EQ(scores[i].log_likelihoods.size(), options[i].size());
      for (size_t j = 0; j < options[i].size(); ++j) {
        double expected = 0;
        std::vector<int32_t> ids = {special().eos};
        for (int32_t id : tokenizer_->encode_with_special(options[i][j], 24)) {
          expected += torch::log_softmax(logits_after(prompts_[i], ids), 0)[id].item<double>();
          ids.push_back(id);
        }
        EXPECT_NEAR(scores[i].log_likelihoods[j], expected, 1e-3) << i << " " << options[i][j];
      }
    }
  }
}

}  // namespace
}  // namespace trivium::learning
