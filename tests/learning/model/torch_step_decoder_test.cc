#include "learning/model/torch_step_decoder.h"

#include <gtest/gtest.h>

#include "core/base/error.h"
#include "learning/model/random_model.h"

namespace trivium::learning {
namespace {

constexpr int32_t kPad = 1, kStart = 2;

// Decodes rows step by step beside the uncached model, which sees each row's whole prefix.
class DecodingPair {
 public:
  DecodingPair(Seq2SeqModel model, std::vector<std::vector<int32_t>> sources, RoutingWeights routes)
      : model_(std::move(model)), sources_(std::move(sources)), routes_(std::move(routes)) {
    const SourceBatch source = collate_sources(sources_, kPad);
    decoder_ = std::make_unique<TorchStepDecoder>(model_, source.ids, source.mask, routes_);
    prefixes_.resize(sources_.size());
  }

  int64_t rows() const { return decoder_->rows(); }

  // Feeds `tokens`; the largest difference between cached and uncached logits.
  double step(const std::vector<int32_t>& tokens) {
    torch::NoGradGuard no_grad;
    for (size_t i = 0; i < tokens.size(); ++i) prefixes_[i].push_back(tokens[i]);
    const std::span<const float> cached = decoder_->step(tokens);
    const torch::Tensor expected = forward_logits(model_, collate_sources(sources_, kPad),
                                                  collate_sources(prefixes_, kPad).ids, routes_)
                                       .select(1, static_cast<int64_t>(prefixes_[0].size()) - 1)
                                       .contiguous();
    EXPECT_EQ(static_cast<int64_t>(cached.size()), expected.numel());
    return max_difference(torch::tensor(std::vector<float>(cached.begin(), cached.end())),
                          expected.flatten());
  }

  void select(const std::vector<int32_t>& parents) {
    decoder_->select_rows(parents);
    std::vector<std::vector<int32_t>> sources, prefixes;
    for (int32_t parent : parents) {
      sources.push_back(sources_[parent]);
      prefixes.push_back(prefixes_[parent]);
    }
    sources_ = sources;
    prefixes_ = prefixes;
    if (routes_.decoder.defined()) {
      routes_ = route_rows(routes_, std::vector<int64_t>(parents.begin(), parents.end()));
    }
  }

 private:
  Seq2SeqModel model_;
  std::vector<std::vector<int32_t>> sources_, prefixes_;
  RoutingWeights routes_;
  std::unique_ptr<TorchStepDecoder> decoder_;
};

enum class Mode { kDense, kOneHot, kSoftMix, kOneHotWithVanillaLayers };

class TorchStepDecoderTest : public ::testing::TestWithParam<Mode> {
 protected:
  DecodingPair make_pair(uint64_t seed) {
    ModelConfig config = small_config(GetParam() == Mode::kDense ? 1 : 3);
    if (GetParam() == Mode::kOneHotWithVanillaLayers) config.routing.decoder_vanilla_layers = {0};
    RoutingWeights routes;
    if (GetParam() == Mode::kSoftMix) routes = soft_routes(config, 4, seed);
    if (GetParam() == Mode::kOneHot || GetParam() == Mode::kOneHotWithVanillaLayers) {
      routes = hard_routes(config, 4, seed);
    }
    return DecodingPair(random_model(config, seed), random_ids({3, 8, 5, 8}, 40, seed), routes);
  }

  std::vector<int32_t> draw_tokens(int64_t count) { return random_ids({count}, 40, draws_++)[0]; }

  uint64_t draws_ = 100;
};

TEST_P(TorchStepDecoderTest, CachedLogitsAreTheUncachedOnes) {
  DecodingPair pair = make_pair(1);
  EXPECT_LT(pair.step({kStart, kStart, kStart, kStart}), 1e-5);
  for (int step = 1; step < 10; ++step) EXPECT_LT(pair.step(draw_tokens(4)), 1e-5) << step;
}

TEST_P(TorchStepDecoderTest, RowsAreReorderedRepeatedAndDropped) {
  for (uint64_t seed : {1, 2, 3}) {
    DecodingPair pair = make_pair(seed);
    // Before the first step as well: a beam search repeats its sources there.
    for (const std::vector<int32_t>& parents :
         std::vector<std::vector<int32_t>>{{0, 1, 2, 3},
                                           {0, 0, 1, 1, 2, 2, 3, 3},
                                           {7, 1, 0, 3, 5},
                                           {4, 3, 2, 1, 0},
                                           {1, 1, 3},
                                           {2},
                                           {0, 0}}) {
      pair.select(parents);
      ASSERT_EQ(pair.rows(), static_cast<int64_t>(parents.size()));
      EXPECT_LT(pair.step(draw_tokens(pair.rows())), 1e-5) << "seed " << seed;
    }
  }
}

TEST_P(TorchStepDecoderTest, OutputLongerThanThePositionTableIsAnError) {
  DecodingPair pair = make_pair(1);
  pair.select({0});
  for (int step = 0; step < 24; ++step) EXPECT_LT(pair.step({5}), 1e-5);
  try {
    pair.step({5});
    FAIL() << "the table has 24 positions";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::kUsage);
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, TorchStepDecoderTest,
                         ::testing::Values(Mode::kDense, Mode::kOneHot, Mode::kSoftMix,
                                           Mode::kOneHotWithVanillaLayers));

}  // namespace
}  // namespace trivium::learning
