#include "core/inference/text_generator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "core/base/error.h"
#include "core/checkpoint/squeeze.h"
#include "core/checkpoint/tiny_checkpoint.h"
#include "core/engine/plain_transformer.h"

namespace trivium {
namespace {

// An engine that takes a batch whole, one after the other: no source takes another's place.
class WholeBatches : public Engine {
 public:
  explicit WholeBatches(std::shared_ptr<Engine> engine) : engine_(std::move(engine)) {}
  const ModelConfig& config() const override { return engine_->config(); }
  std::unique_ptr<StepDecoder> start(const std::vector<std::vector<int32_t>>& sources,
                                     const std::vector<const TaskRoute*>& routes, int64_t places,
                                     int64_t positions) override {
    EXPECT_EQ(places, static_cast<int64_t>(sources.size()));
    return engine_->start(sources, routes, places, positions);
  }

 private:
  std::shared_ptr<Engine> engine_;
};

// A random model of three experts over the 100 word pieces of tests/golden/tiny_bert.
class TextGeneratorTest : public ::testing::Test {
 protected:
  TextGeneratorTest() {
    config_.max_position_embeddings = 24;
    config_.forced_eos_token_id = -1;
    weights_ = tiny_weights(config_, 4, 6);
    routes_ = tiny_routes(config_, 4, 6).used;
    // Generation ends at different lengths: without it, a random model seldom says eos.
    set_eos_bias(4);
    search_.num_beams = 1;
    search_.max_length = 12;
    search_.start_id = search_.eos_id = special().eos;
    for (size_t i = 0; i < 12; ++i) {
      std::string text;
      for (size_t n = 1 + i * 7 % 11; n > 0; --n) {
        text += std::string(1, "abcdefgh"[(i + n) % 8]) + " ";
      }
      prompts_.push_back({text, routes_[i % 4]});
    }
  }

  const SpecialTokens& special() const { return tokenizer_->special(); }

  // Of the weights as they are now.
  std::shared_ptr<Engine> engine() const {
    return make_engine(config_, {}, TinyCheckpoint{{}, weights_}.reader());
  }
  TextGenerator generator(GeneratorOptions options = {}) {
    return TextGenerator(engine(), tokenizer_, options);
  }
  TextGenerator whole_batches(GeneratorOptions options = {}) {
    return TextGenerator(std::make_shared<WholeBatches>(engine()), tokenizer_, options);
  }

  void set_eos_bias(float bias) {
    std::vector<float> values(100, 0.0f);
    values[static_cast<size_t>(special().eos)] = bias;
    weights_["final_logits_bias"] = tensor_of(values, {1, 100});
  }

  // The plain model's log-probabilities after `ids` (start token first) for a prompt.
  PlainRow log_probabilities(const Prompt& prompt, const std::vector<int32_t>& ids) const {
    const TensorReader read = TinyCheckpoint{{}, weights_}.reader();
    const std::vector<int32_t> source = tokenizer_->encode_with_special(prompt.text, 24);
    return plain_log_softmax(plain_logits(config_, read, source, ids, prompt.route).back());
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
  ModelConfig config_ = tiny_config(TinyModel::kOneHot);
  std::map<std::string, HostTensor> weights_;
  std::vector<TaskRoute> routes_;  // of four tasks
  SearchOptions search_;
  std::vector<Prompt> prompts_;
};

TEST_F(TextGeneratorTest, ReferenceDefectA15_AnswersAreThePlainModelsGreedyOnes) {
  const std::vector<Answer> answers = generator().generate(prompts_, search_);
  ASSERT_EQ(answers.size(), prompts_.size());
  size_t finished = 0;
  for (size_t i = 0; i < prompts_.size(); ++i) {
    std::vector<int32_t> ids = {special().eos};
    double score = 0;
    bool ended = false;
    while (!ended && ids.size() < 12) {
      const PlainRow log_probability = log_probabilities(prompts_[i], ids);
      const auto place = std::max_element(log_probability.begin(), log_probability.end());
      const auto best = static_cast<int32_t>(place - log_probability.begin());
      score += *place;
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
    // Three places, which waiting prompts of four routes take one after the other.
    const auto few = generator({.batch_size = 3}).generate(prompts_, search_);
    const auto by_tokens = generator({.batch_tokens = 20}).generate(prompts_, search_);
    const auto whole = whole_batches().generate(prompts_, search_);
    const auto whole_by_tokens = whole_batches({.batch_tokens = 20}).generate(prompts_, search_);
    for (size_t i = 0; i < prompts_.size(); ++i) {
      expect_same(together[i], alone[i]);
      expect_same(together[i], few[i]);
      expect_same(together[i], by_tokens[i]);
      expect_same(together[i], whole[i]);
      expect_same(together[i], whole_by_tokens[i]);
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
  set_eos_bias(-100);
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

// What a stop leaves over is what had not ended, not the whole batch.
TEST_F(TextGeneratorTest, AStopKeepsTheAnswersThatHadEnded) {
  std::atomic<bool> stop = false;
  set_eos_bias(100);  // every answer is empty
  class StoppingEngine : public Engine {
   public:
    StoppingEngine(std::shared_ptr<Engine> engine, std::atomic<bool>& stop)
        : engine_(std::move(engine)), stop_(stop) {}
    const ModelConfig& config() const override { return engine_->config(); }
    bool batches_continuously() const override { return true; }
    std::unique_ptr<StepDecoder> start(const std::vector<std::vector<int32_t>>& sources,
                                       const std::vector<const TaskRoute*>& routes, int64_t places,
                                       int64_t positions) override {
      return std::make_unique<Decoder>(engine_->start(sources, routes, places, positions), stop_);
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
    std::shared_ptr<Engine> engine_;
    std::atomic<bool>& stop_;
  };
  TextGenerator stopped(std::make_shared<StoppingEngine>(engine(), stop), tokenizer_,
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
      ASSERT_EQ(scores[i].log_likelihoods.size(), options[i].size());
      for (size_t j = 0; j < options[i].size(); ++j) {
        double expected = 0;
        std::vector<int32_t> ids = {special().eos};
        for (int32_t id : tokenizer_->encode_with_special(options[i][j], 24)) {
          expected += log_probabilities(prompts_[i], ids)[static_cast<size_t>(id)];
          ids.push_back(id);
        }
        EXPECT_NEAR(scores[i].log_likelihoods[j], expected, 1e-3) << i << " " << options[i][j];
      }
    }
  }
}

// One text by five routes in one batch; each is the dense model of that route's experts.
TEST_F(TextGeneratorTest, EveryPromptFollowsItsOwnRoute) {
  std::vector<Prompt> prompts;
  for (const TaskRoute& route : routes_) prompts.push_back({"a b c", route});
  prompts.push_back({"a b c", {{{1}, {0, 1, 0}}, {{0, 0, 1}, {1, 0, 0}}}});  // pinned
  const auto answers = generator().generate(prompts, search_);
  std::set<std::pair<std::string, double>> distinct;
  std::vector<std::string> names;
  for (const auto& [name, tensor] : weights_) names.push_back(name);
  ModelConfig dense = config_;
  dense.routing = {};
  for (size_t i = 0; i < prompts.size(); ++i) {
    const std::map<std::string, std::string> squeezed = squeezed_names(names, prompts[i].route);
    const TensorReader read = [&](const std::string& name) {
      return weights_.at(squeezed.at(name));
    };
    TextGenerator alone(make_engine(dense, {}, read), tokenizer_, {});
    expect_same(answers[i], alone.generate({{"a b c", dense_route(dense)}}, search_)[0]);
    distinct.insert({answers[i].text, answers[i].score});
  }
  EXPECT_GT(distinct.size(), 2u);  // routes matter
}

TEST_F(TextGeneratorTest, LongPromptsAreCutAndSaySo) {
  std::string text;
  for (int i = 0; i < 30; ++i) text += "a ";
  const TaskRoute& route = routes_[0];
  const auto answers = generator().generate({{text, route}, {"a", route}}, search_);
  EXPECT_TRUE(answers[0].truncated);
  EXPECT_EQ(answers[0].source_tokens, 24);  // all that the model has positions for
  EXPECT_FALSE(answers[1].truncated);
  EXPECT_EQ(generator({.max_source_length = 6}).generate({{text, route}}, search_)[0].source_tokens,
            6);
}

TEST_F(TextGeneratorTest, DefaultSearchIsTheConfigurations) {
  config_.num_beams = 3;
  config_.max_length = 17;
  config_.no_repeat_ngram_size = 2;
  config_.length_penalty = 0.5;
  config_.early_stopping = EarlyStopping::kNever;
  config_.min_length = 6;
  config_.repetition_penalty = 1.5;
  config_.bad_words_ids = {{1, 2}};
  config_.suppress_tokens = {3};
  config_.begin_suppress_tokens = {4};
  config_.decoder_start_token_id = 5;
  config_.forced_bos_token_id = 2;
  config_.forced_eos_token_id = 4;
  const SearchOptions search = generator().default_search();
  EXPECT_EQ(search.num_beams, 3);
  EXPECT_EQ(search.max_length, 17);
  EXPECT_EQ(search.no_repeat_ngram_size, 2);
  EXPECT_EQ(search.length_penalty, 0.5);
  EXPECT_EQ(search.beam_end, BeamEnd::kAtMaxLength);
  EXPECT_EQ(search.min_length, 6);
  EXPECT_EQ(search.repetition_penalty, 1.5);
  EXPECT_EQ(search.bad_words, (std::vector<std::vector<int32_t>>{{1, 2}}));
  EXPECT_EQ(search.suppressed, std::vector<int32_t>{3});
  EXPECT_EQ(search.suppressed_first, std::vector<int32_t>{4});
  EXPECT_EQ(search.start_id, 5);
  EXPECT_EQ(search.eos_id, special().eos);
  EXPECT_EQ(search.forced_bos_id, 2);
  EXPECT_EQ(search.forced_eos_id, 4);
  const SearchOptions greedy = generator().greedy_search(9);
  EXPECT_EQ(greedy.num_beams, 1);
  EXPECT_EQ(greedy.max_length, 9);
  EXPECT_EQ(greedy.start_id, 5);
}

TEST(SettledBytesTest, HoldBackWhatMayStillChange) {
  EXPECT_EQ(settled_bytes(""), 0u);
  EXPECT_EQ(settled_bytes("do"), 0u);
  EXPECT_EQ(settled_bytes("i do"), 1u);
  // A text without spaces flows as well, by whole characters.
  std::string cjk;
  for (int i = 0; i < 20; ++i) cjk += "語";
  EXPECT_GT(settled_bytes(cjk), 20u);
  EXPECT_EQ(settled_bytes(cjk) % 3, 0u);
}

// A head over the encoder's vectors answers some prompts, the decoder the others beside them.
TEST_F(TextGeneratorTest, AHeadAnswersInTheDecodersPlace) {
  Rng rng(3);
  const auto head = std::make_shared<const LabelHead>(LabelHead{
      {"calm", "cross", "cold"}, 1, random_tensor(rng, {3, 32}), random_tensor(rng, {3})});
  const std::vector<Answer> before = generator().generate(prompts_, search_);
  std::vector<Prompt> prompts = prompts_;
  for (const size_t i : {0, 3, 4}) prompts[i].route.head = head;
  TextGenerator asked = generator();
  SearchOptions beams = search_;
  beams.num_beams = beams.n_best = 2;
  const std::vector<Answer> answers = asked.generate(prompts, search_);
  const std::vector<Answer> best_two = asked.generate(prompts, beams);
  const auto vectors = asked.sentence_vectors(prompts);
  std::set<std::string> texts;
  for (size_t i = 0; i < prompts.size(); ++i) {
    if (prompts[i].route.head == nullptr) {
      expect_same(answers[i], before[i]);
      continue;
    }
    const std::vector<double> scores = label_log_probabilities(*head, {vectors[i]});
    const auto best = std::max_element(scores.begin(), scores.end());
    EXPECT_EQ(answers[i].text, head->labels[static_cast<size_t>(best - scores.begin())]);
    EXPECT_NEAR(answers[i].score, *best, 1e-6);
    EXPECT_TRUE(answers[i].finished);
    EXPECT_EQ(answers[i].source_tokens, before[i].source_tokens);
    EXPECT_EQ(best_two[i].text, answers[i].text);
    ASSERT_EQ(best_two[i].others.size(), 1u);
    EXPECT_LE(best_two[i].others[0].score, best_two[i].score);
    EXPECT_EQ(asked.stream(prompts[i], search_, [](const std::string&) { return true; }).text,
              answers[i].text);
    Prompt begun = prompts[i];
    begun.prefix = "cro";
    EXPECT_EQ(asked.generate({begun}, search_)[0].text, "cross");
    begun.prefix = "a";
    EXPECT_THROW(asked.generate({begun}, search_), Error) << "no label begins so";
  }
}

TEST_F(TextGeneratorTest, AHeadRanksItsLabelsAlone) {
  Rng rng(3);
  std::vector<Prompt> prompts(prompts_.begin(), prompts_.begin() + 3);
  const std::vector<std::vector<std::string>> options = {{"a", "b"}, {"b", "a"}, {"b"}};
  for (Prompt& prompt : prompts) {
    prompt.route.head = std::make_shared<const LabelHead>(
        LabelHead{{"a", "b"}, 1, random_tensor(rng, {2, 32}), random_tensor(rng, {2})});
  }
  const std::vector<OptionScores> scores = generator().score(prompts, options);
  const auto vectors = generator().sentence_vectors(prompts);
  for (size_t i = 0; i < 3; ++i) {
    const std::vector<double> labels =
        label_log_probabilities(*prompts[i].route.head, {vectors[i]});
    for (size_t k = 0; k < options[i].size(); ++k) {
      EXPECT_NEAR(scores[i].log_likelihoods.at(k), labels[options[i][k] == "b"], 1e-6);
    }
  }
  try {
    generator().score({prompts[0]}, {{"a", "c"}});
    ADD_FAILURE() << "c is none of its labels";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kBadData);
    EXPECT_EQ(std::string(error.what()),
              "\"c\" is no answer of this task, whose head knows \"a\", \"b\" alone");
  }
}

TEST_F(TextGeneratorTest, APrefixThatTheModelCannotWriteIsRefused) {
  Prompt prompt = prompts_[0];
  for (const char* prefix : {"☺", " ", "\xff"}) {
    prompt.prefix = prefix;
    EXPECT_THROW(generator().generate({prompt}, search_), Error) << prefix;
  }
}

}  // namespace
}  // namespace trivium
