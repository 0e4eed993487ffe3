#include "core/inference/text_generator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "core/inference/tensor_reader.h"
#include "learning/model/random_model.h"

namespace trivium {
namespace {

// A random model of three experts over the 100 word pieces of tests/golden/tiny_bert.
class TextGeneratorTest : public ::testing::Test {
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

  TextGeneratorTest() {
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
    return TextGenerator(model_, tokenizer_, options);
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

TEST_F(TextGeneratorTest, ReferenceDefectA15_AnswersAreTheUncachedModelsGreedyOnes) {
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

TEST_F(TextGeneratorTest, BatchingDoesNotChangeAnswers) {
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

TEST_F(TextGeneratorTest, StreamingEndsInTheGreedyAnswer) {
  const auto answers = generator().generate(prompts_, search_);
  for (size_t i = 0; i < prompts_.size(); ++i) {
    std::vector<std::string> texts;
    const Answer answer = generator().stream(prompts_[i], search_, [&](const std::string& text) {
      texts.push_back(text);
      return true;
    });
    expect_same(answer, answers[i]);
    EXPECT_EQ(static_cast<int64_t>(texts.size()), answer.target_tokens);
    EXPECT_EQ(texts.empty() ? "" : texts.back(), answer.text);
  }
  search_.num_beams = 2;
  EXPECT_THROW(generator().stream(prompts_[0], search_, {}), std::logic_error);
}

TEST_F(TextGeneratorTest, StreamingStopsWhenTold) {
  model_->named_buffers()["final_logits_bias"][0][special().eos] = -100;
  int calls = 0;
  const Answer answer =
      generator().stream(prompts_[0], search_, [&](const std::string&) { return ++calls < 3; });
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(answer.target_tokens, 3);
  EXPECT_FALSE(answer.finished);
}

TEST_F(TextGeneratorTest, GenerationStopsBetweenBatches) {
  std::atomic<bool> stop = true;
  const auto answers = generator({.stop = &stop}).generate(prompts_, search_);
  ASSERT_EQ(answers.size(), prompts_.size());
  for (const Answer& answer : answers) EXPECT_EQ(answer.source_tokens, 0);
}

// Twelve prompts of four routes through three places; the answers come in the prompts' order.
TEST_F(TextGeneratorTest, ContinuousBatchesGiveEachPromptItsAnswer) {
  const auto engine = engine_backend(model_->config(), {}, reader_of(model_));
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

// What a stop leaves over is what had not ended, not the whole batch.
TEST_F(TextGeneratorTest, AStopKeepsTheAnswersThatHadEnded) {
  std::atomic<bool> stop = false;
  model_->named_buffers()["final_logits_bias"][0][special().eos] = 100;  // every answer is empty
  class StoppingBackend : public Backend {
   public:
    StoppingBackend(std::shared_ptr<Backend> backend, std::atomic<bool>& stop)
        : backend_(std::move(backend)), stop_(stop) {}
    const ModelConfig& config() const override { return backend_->config(); }
    bool batches_continuously() const override { return true; }
    std::unique_ptr<StepDecoder> start(const std::vector<std::vector<int32_t>>& sources,
                                       const std::vector<const TaskRoute*>& routes, int64_t places,
                                       int64_t positions) override {
      return std::make_unique<Decoder>(backend_->start(sources, routes, places, positions), stop_);
    }

   private:
    // Asks for the stop when the second places are filled.
    class Decoder : public StepDecoder {
     public:
      Decoder(std::unique_ptr<StepDecoder> decoder, std::atomic<bool>& stop)
          : decoder_(std::move(decoder)), stop_(stop) {}
      int64_t vocab_size() const override { return decoder_->vocab_size(); }
      int64_t rows() const override { return decoder_->rows(); }
      int64_t waiting() const override { return decoder_->waiting(); }
      int64_t admit() override {
        stop_ = true;
        return decoder_->admit();
      }
      std::span<const float> step(std::span<const int32_t> tokens) override {
        return decoder_->step(tokens);
      }
      void select_rows(std::span<const int32_t> parents) override {
        decoder_->select_rows(parents);
      }

     private:
      std::unique_ptr<StepDecoder> decoder_;
      std::atomic<bool>& stop_;
    };
    std::shared_ptr<Backend> backend_;
    std::atomic<bool>& stop_;
  };
  const auto engine = engine_backend(model_->config(), {}, reader_of(model_));
  TextGenerator stopped(std::make_shared<StoppingBackend>(engine, stop), tokenizer_,
                        {.batch_size = 5, .stop = &stop});
  const auto answers = stopped.generate(prompts_, search_);
  const auto ended = std::count_if(answers.begin(), answers.end(), [](const Answer& answer) {
    return answer.finished && answer.source_tokens > 0;
  });
  EXPECT_EQ(ended, 5);
}

TEST_F(TextGeneratorTest, ScoresAreSumsOfLogProbabilities) {
  std::vector<std::vector<std::string>> options(prompts_.size());
  for (size_t i = 0; i < prompts_.size(); ++i) {
    options[i] = {"a", "a b", "h g f e d c", "b a"};
    options[i].resize(1 + i % 4);
  }
  for (int64_t batch_size : {1, 64}) {
    const auto scores = generator({.batch_size = batch_size}).score(prompts_, options);
    ASSERT_EQ(scores.size(), prompts_.size());
    for (size_t i = 0; i < prompts_.size(); ++i) {
      ASSERT_EQ(scores[i].size(), options[i].size());
      for (size_t j = 0; j < options[i].size(); ++j) {
        double expected = 0;
        std::vector<int32_t> ids = {special().eos};
        for (int32_t id : tokenizer_->encode_with_special(options[i][j], 24)) {
          expected += torch::log_softmax(logits_after(prompts_[i], ids), 0)[id].item<double>();
          ids.push_back(id);
        }
        EXPECT_NEAR(scores[i][j], expected, 1e-3) << i << " " << options[i][j];
      }
    }
  }
}

TEST_F(TextGeneratorTest, EveryPromptFollowsItsOwnRoute) {
  // One text by four routes in one batch; each is the dense model of that route's experts.
  std::vector<Prompt> prompts;
  for (int64_t task = 0; task < 4; ++task) {
    prompts.push_back({"a b c", route_of_task(model_, task, 1)});
  }
  prompts.push_back({"a b c", {{{0, 0, 1}, {0, 1, 0}}, {{0, 0, 1}, {1, 0, 0}}}});  // pinned
  const auto answers = generator().generate(prompts, search_);
  std::set<std::pair<std::string, double>> distinct;
  for (size_t i = 0; i < prompts.size(); ++i) {
    Seq2SeqModel dense = dense_part(model_, [&](bool encoder, int64_t layer) {
      const TaskRoute& route = prompts[i].route;
      return TaskRoute::main_expert(encoder ? route.encoder[layer] : route.decoder[layer]);
    });
    TextGenerator alone(dense, tokenizer_, {});
    expect_same(answers[i], alone.generate({{"a b c", route_of_task(dense, -1, 1)}}, search_)[0]);
    distinct.insert({answers[i].text, answers[i].score});
  }
  EXPECT_GT(distinct.size(), 2u);  // routes matter
}

TEST_F(TextGeneratorTest, LongPromptsAreCutAndSaySo) {
  std::string text;
  for (int i = 0; i < 30; ++i) text += "a ";
  const TaskRoute route = route_of_task(model_, 0, 1);
  const auto answers = generator().generate({{text, route}, {"a", route}}, search_);
  EXPECT_TRUE(answers[0].truncated);
  EXPECT_EQ(answers[0].source_tokens, 24);  // all that the model has positions for
  EXPECT_FALSE(answers[1].truncated);
  EXPECT_EQ(generator({.max_source_length = 6}).generate({{text, route}}, search_)[0].source_tokens,
            6);
}

TEST_F(TextGeneratorTest, DefaultSearchIsTheConfigurations) {
  ModelConfig config = make_config(special());
  config.num_beams = 3;
  config.max_length = 17;
  config.no_repeat_ngram_size = 2;
  config.length_penalty = 0.5;
  config.early_stopping = true;
  config.forced_bos_token_id = 2;
  config.forced_eos_token_id = 3;
  const SearchOptions search =
      TextGenerator(Seq2SeqModel(config, 1), tokenizer_, {}).default_search();
  EXPECT_EQ(search.num_beams, 3);
  EXPECT_EQ(search.max_length, 17);
  EXPECT_EQ(search.no_repeat_ngram_size, 2);
  EXPECT_EQ(search.length_penalty, 0.5);
  EXPECT_TRUE(search.early_stopping);
  EXPECT_EQ(search.start_id, special().eos);
  EXPECT_EQ(search.eos_id, special().eos);
  EXPECT_EQ(search.forced_bos_id, 2);
  EXPECT_EQ(search.forced_eos_id, 3);
}

}  // namespace
}  // namespace trivium
