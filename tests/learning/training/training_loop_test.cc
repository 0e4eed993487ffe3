#include "learning/training/training_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "core/base/log_lines.h"
#include "core/base/temporary_folder.h"
#include "learning/training/unfinite_step.h"

namespace trivium::learning {
namespace {

using testing::HasSubstr;

// Two tensors of the names that a model with experts has.
struct TwoLayers : torch::nn::Module {
  TwoLayers() {
    const auto layers = below(*below(*this, "encoder"), "layers");
    const auto expert = below(*below(*below(*layers, "0"), "experts"), "1");
    first = expert->register_parameter("fc1", torch::ones({2, 2}));
    second = below(*layers, "1")->register_parameter("fc1", torch::ones({2, 2}));
  }
  static std::shared_ptr<Module> below(Module& parent, const std::string& name) {
    return parent.register_module(name, std::make_shared<Module>());
  }
  torch::Tensor first, second;
};

OptimiserSettings settings_of(int64_t max_skipped) {
  OptimiserSettings settings;
  settings.steps = 20;
  settings.warmup = 0;
  settings.max_skipped = max_skipped;
  return settings;
}

// Its gradients are 1, but for the steps (from 0) of `bad`, where one of the first layer's is not.
class OneLoop : public TrainingLoop {
 public:
  OneLoop(TwoLayers& model, std::set<int64_t> bad, int64_t max_skipped, float value)
      : TrainingLoop(model, settings_of(max_skipped), torch::kCPU),
        model_(model),
        bad_(std::move(bad)),
        value_(value) {}
  std::map<std::string, torch::Tensor> moments() {
    std::map<std::string, torch::Tensor> copy;
    for (const auto& [name, tensor] : optimiser().state()) copy[name] = tensor.clone();
    return copy;
  }

 private:
  StepResult add_gradients() override {
    model_.first.mutable_grad() = torch::ones({2, 2});
    model_.second.mutable_grad() = torch::ones({2, 2});
    if (bad_.contains(steps_done())) model_.first.mutable_grad()[0][1] = value_;
    StepResult result;
    result.loss = 1;
    result.tasks = {0, 1};
    return result;
  }
  std::string task_name(int64_t task) const override { return task == 0 ? "a" : "b"; }

  TwoLayers& model_;
  std::set<int64_t> bad_;
  float value_;
};

TEST(TrainingLoopTest, AStepWhoseGradientIsNoNumberMovesNothing) {
  for (const float value :
       {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    const LogLines log;
    TwoLayers model;
    OneLoop loop(model, {2}, 1, value);
    loop.step();
    loop.step();
    const torch::Tensor first = model.first.detach().clone();
    const auto moments = loop.moments();
    EXPECT_TRUE(loop.step().skipped);
    EXPECT_EQ(loop.steps_done(), 3);  // schedule and data go on
    EXPECT_TRUE(torch::equal(model.first, first));
    for (const auto& [name, tensor] : loop.moments()) {
      EXPECT_TRUE(torch::equal(tensor, moments.at(name))) << name;
    }
    EXPECT_FALSE(loop.step().skipped);
    EXPECT_FALSE(torch::equal(model.first, first));
    EXPECT_EQ(loop.moments().at("encoder.layers.1.fc1.step").item<double>(), 3);
    EXPECT_EQ(loop.skipped_steps(), 1);
    ASSERT_EQ(log.with("").size(), 1u);
    EXPECT_THAT(log.with("")[0],
                HasSubstr("step 3 is skipped (1 of at most 1 in a row): the gradient of tasks a, b "
                          "is not finite: that of encoder layer 0, expert 1 "
                          "(encoder.layers.0.experts.1.fc1)"));
  }
}

TEST(TrainingLoopTest, SoManyInARowEndTheTraining) {
  const LogLines log;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  TwoLayers model;
  OneLoop apart(model, {1, 2, 4, 5}, 2, nan);  // two and two
  for (int i = 0; i < 7; ++i) apart.step();
  EXPECT_EQ(apart.skipped_steps(), 4);
  OneLoop row(model, {1, 2, 3}, 2, nan);
  for (int i = 0; i < 3; ++i) row.step();
  const std::string error = error_of([&] { row.step(); });
  EXPECT_THAT(error, testing::StartsWith("70:"));
  EXPECT_THAT(error, HasSubstr("step 4 follows 2 skipped ones"));
  EXPECT_THAT(error, HasSubstr("--resume"));
  EXPECT_EQ(row.steps_done(), 3);
  OneLoop none(model, {0}, 0, nan);
  EXPECT_THAT(error_of([&] { none.step(); }), testing::StartsWith("70:"));
}

TEST(UnfiniteStepTest, NamesFewTasksAndOnePlace) {
  const TwoLayers model;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(unfinite_step_text(model, 1, {}, {"", ""}),
            "the gradient is not finite: its norm is too large");
  EXPECT_EQ(unfinite_step_text(model, nan, {"c"}, {"b", "c"}), "the loss of task c is not finite");
  EXPECT_EQ(unfinite_step_text(model, nan, {}, {"1", "2", "3", "4", "5", "6", "7"}),
            "the loss of tasks 1, 2, 3, 4, 5 and 2 more is not finite");
  EXPECT_EQ(place_of_tensor("shared.weight"), "shared.weight");
  EXPECT_EQ(place_of_tensor("decoder.layers.12.fc2.bias"),
            "decoder layer 12 (decoder.layers.12.fc2.bias)");
}

}  // namespace
}  // namespace trivium::learning
