#include "core/inference/live_generator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <semaphore>
#include <set>
#include <thread>

#include "core/base/temporary_folder.h"
#include "core/checkpoint/tiny_checkpoint.h"

namespace trivium {
namespace {

using namespace std::chrono_literals;

Answer whole(const std::shared_ptr<LiveAnswer>& answer) {
  LiveAnswer::State state;
  while (!state.answer) state = answer->wait(state.tokens, 10s);
  return *state.answer;
}

void expect_same(const Answer& found, const Answer& expected) {
  EXPECT_EQ(found.text, expected.text);
  EXPECT_EQ(found.score, expected.score);
  EXPECT_EQ(found.finished, expected.finished);
  EXPECT_EQ(found.truncated, expected.truncated);
  EXPECT_EQ(found.source_tokens, expected.source_tokens);
  EXPECT_EQ(found.target_tokens, expected.target_tokens);
  EXPECT_EQ(found.tokens.size(), expected.tokens.size());
}

// An engine whose decoders take a step only where the test allows one.
class SteppedEngine : public Engine {
 public:
  using Steps = std::counting_semaphore<1000>;

  SteppedEngine(std::shared_ptr<Engine> engine, Steps& steps)
      : engine_(std::move(engine)), steps_(steps) {}
  const ModelConfig& config() const override { return engine_->config(); }
  std::unique_ptr<StepDecoder> start(const std::vector<std::vector<int32_t>>&,
                                     const std::vector<const TaskRoute*>&, int64_t,
                                     int64_t) override {
    throw std::logic_error("not of this test");
  }
  std::unique_ptr<StepDecoder> start_empty(const std::vector<const TaskRoute*>& routes,
                                           int64_t places) override {
    return std::make_unique<Decoder>(engine_->start_empty(routes, places), steps_);
  }

 private:
  class Decoder : public StepDecoder {
   public:
    Decoder(std::unique_ptr<StepDecoder> decoder, Steps& steps)
        : decoder_(std::move(decoder)), steps_(steps) {}
    int64_t vocab_size() const override { return decoder_->vocab_size(); }
    int64_t rows() const override { return decoder_->rows(); }
    int64_t waiting() const override { return decoder_->waiting(); }
    void add_source(std::vector<int32_t> ids, const TaskRoute* route) override {
      decoder_->add_source(std::move(ids), route);
    }
    int64_t admit() override { return decoder_->admit(); }
    std::span<const float> step(std::span<const int32_t> tokens) override {
      steps_.acquire();
      return decoder_->step(tokens);
    }
    void select_rows(std::span<const int32_t> parents) override { decoder_->select_rows(parents); }

   private:
    std::unique_ptr<StepDecoder> decoder_;
    Steps& steps_;
  };
  std::shared_ptr<Engine> engine_;
  Steps& steps_;
};

// A random model of three experts; its prompts take the routes of four tasks.
class LiveGeneratorTest : public ::testing::TestWithParam<TinyModel> {
 protected:
  LiveGeneratorTest() {
    config_.max_position_embeddings = 60;
    config_.forced_eos_token_id = -1;
    weights_ = tiny_weights(config_, 4, 6);
    std::vector<float> bias(100, 0.0f);
    bias[static_cast<size_t>(tokenizer_->special().eos)] = 3;  // answers of different lengths
    weights_["final_logits_bias"] = tensor_of(bias, {1, 100});
    routes_ = config_.routing.num_experts > 1 ? tiny_routes(config_, 4, 6).used
                                              : std::vector<TaskRoute>(4, dense_route(config_));
    for (size_t i = 0; i < 24; ++i) {
      std::string text;
      for (size_t n = 1 + i * 7 % 11; n > 0; --n) {
        text += std::string(1, "abcdefgh"[(i + n) % 8]) + " ";
      }
      prompts_.push_back({text, routes_[i % 4]});
    }
  }

  std::shared_ptr<Engine> engine() const {
    return make_engine(config_, {}, TinyCheckpoint{{}, weights_}.reader());
  }
  TextGenerator generator() const { return TextGenerator(engine(), tokenizer_, {}); }
  TextGenerator stepped_generator(SteppedEngine::Steps& steps) const {
    return TextGenerator(std::make_shared<SteppedEngine>(engine(), steps), tokenizer_, {});
  }
  std::vector<const TaskRoute*> routes() const {
    std::vector<const TaskRoute*> routes;
    for (const TaskRoute& route : routes_) routes.push_back(&route);
    return routes;
  }
  SearchOptions way(size_t i) const {
    SearchOptions search;
    search.start_id = search.eos_id = tokenizer_->special().eos;
    search.max_length = 20;
    search.num_beams = i % 3 == 1 ? 3 : 1;
    search.sample = i % 3 == 2;
    search.top_k = 10;
    search.seed = i;
    return search;
  }
  // Without an end before its longest, so that it is still on its way when something happens.
  SearchOptions endless() const {
    SearchOptions search = way(0);
    search.max_length = search.min_length = 58;
    return search;
  }

  std::shared_ptr<const Tokenizer> tokenizer_ =
      load_tokenizer(std::filesystem::path(TRIVIUM_TEST_DATA) / "tiny_bert");
  ModelConfig config_ = tiny_config(GetParam());
  std::map<std::string, HostTensor> weights_;
  std::vector<TaskRoute> routes_;
  std::vector<Prompt> prompts_;
};

TEST_P(LiveGeneratorTest, GivesTheAnswersOfGenerateToManyAskers) {
  TextGenerator alone = generator(), shared = generator();
  std::vector<Answer> expected;
  for (size_t i = 0; i < prompts_.size(); ++i) {
    expected.push_back(alone.generate({prompts_[i]}, way(i)).at(0));
  }
  std::set<int64_t> lengths;
  for (const Answer& answer : expected) lengths.insert(answer.target_tokens);
  EXPECT_GE(lengths.size(), 3u) << "sources leave the batch at different times";
  LiveGenerator live(shared, routes(), {.places = 5});
  std::vector<std::thread> askers;
  for (size_t asker = 0; asker < 4; ++asker) {
    askers.emplace_back([&, asker] {
      for (size_t i = asker; i < prompts_.size(); i += 4) {
        expect_same(whole(live.ask(prompts_[i], way(i))), expected[i]);
      }
    });
  }
  for (std::thread& asker : askers) asker.join();
  const LiveGenerator::Load load = live.load();
  EXPECT_EQ(load.answers, static_cast<int64_t>(prompts_.size()));
  EXPECT_EQ(load.active + load.waiting, 0);
  int64_t tokens = 0;
  for (const Answer& answer : expected) tokens += answer.target_tokens;
  EXPECT_EQ(load.tokens, tokens);
}

TEST_P(LiveGeneratorTest, ADrawIsThatOfThePromptsNumber) {
  TextGenerator together = generator(), shared = generator();
  const SearchOptions sampled = way(2);
  const std::vector<Prompt> same(4, prompts_[1]);
  const std::vector<Answer> expected = together.generate(same, sampled);
  LiveGenerator live(shared, routes(), {});
  for (uint64_t draw = 0; draw < 4; ++draw) {
    EXPECT_EQ(whole(live.ask(same[draw], sampled, draw)).text, expected[draw].text);
  }
}

// Of a head, and behind a prefix, too.
TEST_P(LiveGeneratorTest, AHeadAndAPrefixAreThoseOfGenerate) {
  TextGenerator alone = generator(), shared = generator();
  Rng rng(2);
  std::vector<Prompt> prompts(prompts_.begin(), prompts_.begin() + 4);
  prompts[0].route.head = std::make_shared<const LabelHead>(LabelHead{
      {"calm", "cross"}, 1, random_tensor(rng, {2, config_.d_model}), random_tensor(rng, {2})});
  prompts[1].prefix = "a b";
  LiveGenerator live(shared, routes(), {.places = 2});
  std::vector<std::shared_ptr<LiveAnswer>> asked;
  for (size_t i = 0; i < prompts.size(); ++i) asked.push_back(live.ask(prompts[i], way(i)));
  for (size_t i = 0; i < prompts.size(); ++i) {
    const Answer answer = whole(asked[i]);
    expect_same(answer, alone.generate({prompts[i]}, way(i)).at(0));
    if (i == 1) {
      EXPECT_EQ(answer.text.substr(0, 3), "a b");
    }
  }
  EXPECT_EQ(live.load().active, 0);
  EXPECT_EQ(live.load().answers, 4);
}

TEST_P(LiveGeneratorTest, TellsTheTextAsItGrows) {
  SteppedEngine::Steps steps(0);
  TextGenerator alone = generator(), shared = stepped_generator(steps);
  const Answer expected = alone.generate({prompts_[2]}, endless()).at(0);
  LiveGenerator live(shared, routes(), {});
  const auto answer = live.ask(prompts_[2], endless());
  EXPECT_EQ(answer->wait(0, 10ms).tokens, 0) << "its patience is over";
  std::string before;
  for (int64_t tokens = 1; tokens < 57; ++tokens) {
    steps.release();
    const LiveAnswer::State state = answer->wait(tokens - 1, 60s);
    EXPECT_EQ(state.tokens, tokens);
    EXPECT_FALSE(state.answer);
    EXPECT_TRUE(expected.text.starts_with(before)) << before;
    before = state.text;
  }
  steps.release();
  expect_same(whole(answer), expected);
  EXPECT_EQ(answer->wait(0, 0ms).text, expected.text) << "it may be asked again";
}

TEST_P(LiveGeneratorTest, OneThatNobodyWantsGivesItsPlaceAway) {
  SteppedEngine::Steps steps(0);
  TextGenerator alone = generator(), shared = stepped_generator(steps);
  LiveGenerator live(shared, routes(), {.places = 1, .max_waiting = 2});
  const auto unwanted = live.ask(prompts_[0], endless());
  steps.release(3);
  for (int64_t seen = 0; seen < 3;) seen = unwanted->wait(seen, 60s).tokens;
  const auto never_begun = live.ask(prompts_[1], endless());
  const auto wanted = live.ask(prompts_[2], way(0));
  unwanted->cancel();
  never_begun->cancel();
  steps.release(100);
  expect_same(whole(wanted), alone.generate({prompts_[2]}, way(0)).at(0));
  EXPECT_EQ(live.load().answers, 1);
  EXPECT_LE(unwanted->wait(0, 0ms).tokens, 4) << "the step that it was in when it was cancelled";
  EXPECT_EQ(never_begun->wait(0, 0ms).tokens, 0);
}

// The worker is in a step, and ends after it.
TEST_P(LiveGeneratorTest, ItsEndReachesThoseThatWait) {
  SteppedEngine::Steps steps(0);
  TextGenerator shared = stepped_generator(steps);
  std::shared_ptr<LiveAnswer> decoded, waiting;
  std::thread later;
  {
    LiveGenerator live(shared, routes(), {.places = 1});
    decoded = live.ask(prompts_[0], endless());
    waiting = live.ask(prompts_[1], endless());
    steps.release();
    decoded->wait(0, 60s);
    later = std::thread([&] {
      std::this_thread::sleep_for(50ms);
      steps.release();
    });
  }
  later.join();
  for (const auto& answer : {decoded, waiting}) {
    EXPECT_THAT(error_of([&] { answer->wait(100, 60s); }), testing::StartsWith("130: "));
  }
}

TEST_P(LiveGeneratorTest, RefusesMoreThanMayWait) {
  TextGenerator shared = generator();
  LiveGenerator live(shared, routes(), {.places = 2, .max_waiting = 3});
  std::vector<std::shared_ptr<LiveAnswer>> answers;
  size_t refused = 0;
  // The worker waits here, so that nothing ends meanwhile.
  live.run([&](TextGenerator&) {
    for (int i = 0; i < 9; ++i) {
      answers.push_back(live.ask(prompts_[0], endless()));
      refused += answers.back() == nullptr;
    }
    EXPECT_EQ(live.load().waiting, 5);
  });
  EXPECT_EQ(refused, 4u);
  for (const auto& answer : answers) {
    if (answer) {
      EXPECT_EQ(whole(answer).target_tokens, 57);
    }
  }
}

TEST_P(LiveGeneratorTest, RunsOtherWorkBetweenTwoSteps) {
  TextGenerator alone = generator(), shared = generator();
  const std::vector<std::vector<std::string>> options = {{"a", "b c", "d"}};
  const auto expected = alone.score({prompts_[3]}, options).at(0).log_likelihoods;
  LiveGenerator live(shared, routes(), {});
  const auto answer = live.ask(prompts_[2], endless());
  for (int i = 0; i < 5; ++i) {
    std::vector<double> found;
    live.run([&](TextGenerator& own) {
      found = own.score({prompts_[3]}, options).at(0).log_likelihoods;
    });
    EXPECT_EQ(found, expected);
  }
  expect_same(whole(answer), alone.generate({prompts_[2]}, endless()).at(0));
  EXPECT_THAT(
      error_of([&] { live.run([](TextGenerator&) { throw Error(ExitCode::kBadData, "no"); }); }),
      testing::StartsWith("65: no"));
}

TEST_P(LiveGeneratorTest, ImpossibleOptionsAreRefusedAtOnce) {
  TextGenerator shared = generator();
  LiveGenerator live(shared, routes(), {});
  SearchOptions impossible = way(0);
  impossible.max_length = 1;
  EXPECT_THAT(error_of([&] { live.ask(prompts_[0], impossible); }), testing::StartsWith("2: "));
}

// Weights that overflow end the answers that meet them, and the next are given.
TEST_P(LiveGeneratorTest, AnErrorReachesItsAskersAndTheNextBegins) {
  std::vector<float> positions = values_of(weights_.at("encoder.embed_positions.weight"));
  std::fill(positions.end() - config_.d_model, positions.end(), 3e38f);  // of the last position
  HostTensor& stored = weights_.at("encoder.embed_positions.weight");
  stored = tensor_of(positions, stored.shape);
  TextGenerator shared = generator();
  LiveGenerator live(shared, routes(), {});
  std::string longest;
  for (int i = 0; i < 70; ++i) longest += "a ";
  const auto damaged = live.ask({longest, routes_[0]}, endless());
  EXPECT_THAT(error_of([&] { whole(damaged); }), testing::HasSubstr("not finite"));
  EXPECT_EQ(whole(live.ask(prompts_[0], endless())).target_tokens, 57);
}

std::string kind_name(const ::testing::TestParamInfo<TinyModel>& info) {
  switch (info.param) {
    case TinyModel::kDense:
      return "Dense";
    case TinyModel::kOneHot:
      return "OneHot";
    case TinyModel::kSoft:
      return "Soft";
    case TinyModel::kTokenGates:
      return "TokenGates";
  }
  return "";
}

INSTANTIATE_TEST_SUITE_P(Kinds, LiveGeneratorTest,
                         ::testing::Values(TinyModel::kDense, TinyModel::kOneHot, TinyModel::kSoft,
                                           TinyModel::kTokenGates),
                         kind_name);

}  // namespace
}  // namespace trivium
