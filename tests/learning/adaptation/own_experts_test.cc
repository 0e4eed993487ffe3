#include "learning/adaptation/own_experts.h"

#include <gtest/gtest.h>

#include "core/base/temporary_folder.h"
#include "core/checkpoint/added_task.h"
#include "core/inference/loaded_model.h"
#include "learning/adaptation/new_task.h"
#include "learning/model/model_routes.h"
#include "learning/reference/fixed_route.h"
#include "learning/storage/tiny_checkpoint.h"

namespace trivium::learning {
namespace {

std::vector<EncodedExample> examples() {
  std::vector<EncodedExample> all;
  for (int32_t i = 0; i < 8; ++i) all.push_back({0, {2, 20 + i, 30 + i, 3}, {2, 40, 41, 3}});
  return all;
}

OwnExpertSettings settings() {
  OwnExpertSettings settings;
  settings.rank = 3;
  settings.batch_size = 4;
  settings.optimiser.steps = 20;
  settings.optimiser.learning_rate = 1e-2;
  settings.optimiser.dropout = 0;
  settings.optimiser.weight_decay = 0;
  return settings;
}

Checkpoint dense_along(const Checkpoint& routed, int64_t row) {
  Seq2SeqModel model = routed.model;
  return squeeze(routed, main_experts_only(route_of_task(model, row, 1.0)));
}

TEST(OwnExpertsTest, LearnTheExamplesAndLeaveTheModelAlone) {
  const Checkpoint dense = dense_along(tiny_checkpoint(), 0);
  const NamedTensors before = copied_tensors(dense.model);
  const OwnExpertTuning tuning = tune_own_experts(dense, examples(), settings());
  EXPECT_LT(tuning.loss_after, tuning.loss_before);
  for (const auto& [name, tensor] : model_tensors(dense.model)) {
    EXPECT_TRUE(torch::equal(tensor, before.at(name))) << name;
  }
}

TEST(OwnExpertsTest, TheSameSeedGivesTheSameBytes) {
  const Checkpoint dense = dense_along(tiny_checkpoint(), 0);
  const OwnExpertTuning a = tune_own_experts(dense, examples(), settings());
  const OwnExpertTuning b = tune_own_experts(dense, examples(), settings());
  ASSERT_EQ(a.differences.size(), b.differences.size());
  for (const auto& [name, tensor] : a.differences) {
    EXPECT_TRUE(torch::equal(tensor, b.differences.at(name))) << name;
  }
}

// The mean loss of the engine's answers with a task's options says the same as the training's.
TEST(OwnExpertsTest, TheEngineAnswersWithWhatWasLearned) {
  for (const int64_t num_experts : {1, 3}) {
    const TemporaryFolder temporary;
    const Checkpoint checkpoint = tiny_checkpoint(num_experts);
    save_checkpoint(checkpoint, temporary.path() / "model");
    const Checkpoint dense = num_experts == 1 ? checkpoint : dense_along(checkpoint, 0);
    const OwnExpertTuning tuning = tune_own_experts(dense, examples(), settings());
    const OpenCheckpoint open = open_checkpoint(temporary.path() / "model");
    const TaskEntry entry = plain_entry(plain_task("riddles"), "Guess.", AnswersBy::kDecoder);
    save_added_task(temporary.path() / "model", open, entry, main_experts_only(open.route(0)),
                    as_host(tuning.differences));
    LoadedModel loaded(temporary.path() / "model", EngineOptions());
    const TaskRoute& route = loaded.route(3);
    double sum = 0;
    int64_t tokens = 0;
    for (const EncodedExample& example : examples()) {
      const auto decoder = loaded.generator().engine().start({example.source}, {&route}, 1, 4);
      int32_t last = checkpoint.config().decoder_start_token_id;
      for (const int32_t token : example.target) {
        const std::span<const float> logits = decoder->step(std::vector<int32_t>{last});
        double total = 0;
        for (const float logit : logits) total += std::exp(static_cast<double>(logit));
        sum += std::log(total) - logits[static_cast<size_t>(token)];
        last = token;
        ++tokens;
      }
    }
    EXPECT_NEAR(sum / static_cast<double>(tokens), tuning.loss_after, 1e-4);
  }
}

}  // namespace
}  // namespace trivium::learning
