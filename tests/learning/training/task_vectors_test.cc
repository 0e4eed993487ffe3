#include "learning/training/task_vectors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "learning/model/loss.h"
#include "learning/training/toy_training.h"
#include "learning/training/tuned_copy.h"

namespace trivium::learning {
namespace {

using ::testing::HasSubstr;

Checkpoint dense_checkpoint() { return toy_checkpoint(toy_config(1)); }

// The cosine between two rows.
double cosine(const torch::Tensor& a, const torch::Tensor& b) {
  return (torch::dot(a, b) / (a.norm() * b.norm())).item<double>();
}

TEST(TaskVectorsTest, AreSavedWithTheirNames) {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "vectors.safetensors";
  save_task_vectors({{"a", "b", "c"}, torch::arange(6).to(torch::kFloat32).view({3, 2})}, file);
  const TaskVectors loaded = load_task_vectors(file);
  EXPECT_EQ(loaded.tasks, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_TRUE(
      torch::equal(loaded.rows_of({"c", "a"}, "f"), torch::tensor({{4.f, 5.f}, {0.f, 1.f}})));
  EXPECT_THAT(error_of([&] { loaded.rows_of({"cc"}, "f"); }), HasSubstr("64: f has no vector"));
}

TEST(TaskVectorsTest, RefusesOtherFiles) {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "vectors.safetensors";
  EXPECT_THAT(error_of([&] { load_task_vectors(file); }), HasSubstr("66: "));
  folder.write("vectors.safetensors", "not a safetensors file");
  EXPECT_THAT(error_of([&] { load_task_vectors(file); }), HasSubstr("76: "));
  save_task_vectors({{"a"}, torch::full({1, 2}, NAN)}, file);
  EXPECT_THAT(error_of([&] { load_task_vectors(file); }), HasSubstr("NaN"));
}

TEST(TaskVectorsTest, PrincipalComponentsKeepTheDistancesThatMatter) {
  torch::manual_seed(1);
  // Six rows that lie in a plane of 40 dimensions.
  const torch::Tensor plane = torch::randn({6, 2});
  const torch::Tensor rows = torch::matmul(plane, torch::randn({2, 40})) + 3;
  const torch::Tensor components = principal_components(rows, 2);
  EXPECT_EQ(components.sizes(), (std::vector<int64_t>{6, 2}));
  EXPECT_NEAR(components.square().mean().item<double>(), 1, 1e-5);
  EXPECT_LT(components.mean(0).abs().max().item<double>(), 1e-5);
  const torch::Tensor before = torch::cdist(rows, rows),
                      after = torch::cdist(components, components);
  const double scale = (before[0][1] / after[0][1]).item<double>();
  EXPECT_TRUE(torch::allclose(before, after * scale, 1e-3, 1e-3));
  EXPECT_GE(components.select(1, 0).norm().item<double>(),
            components.select(1, 1).norm().item<double>());
  EXPECT_THAT(error_of([&] { principal_components(rows, 6); }), HasSubstr("2: 6 tasks have"));
}

TEST(TaskVectorsTest, TextVectorsAreStandardised) {
  Checkpoint dense = dense_checkpoint();
  const torch::Tensor vectors = text_task_vectors(dense.model, toy_examples(), 2, 16);
  ASSERT_EQ(vectors.sizes(), (std::vector<int64_t>{2, dense.config().d_model}));
  EXPECT_LT(vectors.mean(0).abs().max().item<double>(), 1e-5);
}

TEST(TaskVectorsTest, TunedTextVectorsComeFromAnEncoderATask) {
  Checkpoint dense = dense_checkpoint();
  OptimiserSettings settings;
  settings.steps = 2;
  settings.dropout = 0;
  // Both tasks have the same inputs: only tuning tells them apart.
  std::vector<EncodedExample> examples = toy_examples(8), both;
  for (EncodedExample& example : examples) {
    for (const int64_t task : {0, 1}) {
      example.task = task;
      example.target = {2, static_cast<int32_t>(6 + task), 3};
      both.push_back(example);
    }
  }
  settings.learning_rate = 1e-2;
  const torch::Tensor tuned = tuned_text_task_vectors(dense, both, 2, 4, 4, settings);
  EXPECT_GT((tuned[0] - tuned[1]).abs().max().item<double>(), 0.1);
  const torch::Tensor plain = text_task_vectors(dense.model, both, 2, 4);
  EXPECT_LT((plain[0] - plain[1]).abs().max().item<double>(), 1e-4);
}

TEST(TunedCopyTest, LeavesTheOriginal) {
  const Checkpoint dense = dense_checkpoint();
  OptimiserSettings settings;
  settings.steps = 2;
  settings.learning_rate = 1e-2;
  const Checkpoint tuned = tuned_copy(dense, toy_examples(8), 4, settings);
  const Checkpoint untouched = dense_checkpoint();
  Seq2SeqModel a = dense.model, b = tuned.model, c = untouched.model;
  EXPECT_TRUE(torch::equal(a->shared_weight(), c->shared_weight()));
  EXPECT_FALSE(torch::equal(a->shared_weight(), b->shared_weight()));
}

// An adapter with its GELU, built behind a linear map, against the formula without one.
TEST(FisherTest, AnUpProjectionsGradientFollowsFromTheLinearMaps) {
  torch::manual_seed(2);
  const torch::Tensor x = torch::randn({5, 7}), target = torch::randn({5, 6});
  torch::Tensor weight = torch::randn({6, 7}).requires_grad_(true);
  torch::Tensor bias = torch::randn({6}).requires_grad_(true);
  torch::Tensor up = torch::zeros({6, 8}).requires_grad_(true);
  const torch::Tensor down = torch::randn({8, 6}) * 1e-3;
  const torch::Tensor y = torch::matmul(x, weight.t()) + bias;
  const torch::Tensor adapted = y + torch::matmul(torch::gelu(torch::matmul(y, down.t())), up.t());
  (adapted - target).square().sum().backward();
  const torch::Tensor formula =
      torch::matmul(torch::matmul(weight.grad(), weight.t()) + torch::outer(bias.grad(), bias),
                    down.t()) /
      2;
  EXPECT_LT((formula - up.grad()).norm().item<double>(), 0.02 * up.grad().norm().item<double>());
}

TEST(FisherTest, IsTheMeanOfSquaredGradients) {
  const Checkpoint dense = dense_checkpoint();
  const std::vector<EncodedExample> examples = toy_examples(4);
  const torch::Tensor all = fisher_of_task(dense, examples, 1);
  // 2 sub-layers an encoder layer, 3 a decoder layer, 8 numbers for every dimension.
  const ModelConfig& config = dense.config();
  EXPECT_EQ(all.size(0),
            (2 * config.encoder_layers + 3 * config.decoder_layers) * config.d_model * 8);
  torch::Tensor sum = torch::zeros_like(all);
  for (const EncodedExample& example : examples) sum += fisher_of_task(dense, {example}, 1);
  EXPECT_TRUE(torch::allclose(all, sum / 4, 1e-4, 0));
  EXPECT_GT(all.min().item<double>(), -1e-30);
  Seq2SeqModel model = dense.model;
  for (const torch::Tensor& parameter : model->parameters()) {
    EXPECT_TRUE(parameter.requires_grad());
    EXPECT_FALSE(parameter.grad().defined());
  }
}

TEST(FisherTest, LikeTasksHaveLikeVectors) {
  const Checkpoint dense = dense_checkpoint();
  // Tasks 0 and 2 copy, tasks 1 and 3 reverse.
  std::vector<EncodedExample> examples = toy_examples(64);
  for (size_t i = 0; i < examples.size(); ++i) {
    if (i % 4 >= 2) examples[i].task += 2;
    if (examples[i].task % 2 == 1) examples[i].target = {2, 7, 7, 7, 3};
  }
  const torch::Tensor vectors = fisher_task_vectors(dense, examples, 4, 3, 1);
  EXPECT_EQ(vectors.sizes(), (std::vector<int64_t>{4, 3}));
  EXPECT_GT(cosine(vectors[0], vectors[2]), cosine(vectors[0], vectors[1]));
  EXPECT_GT(cosine(vectors[1], vectors[3]), cosine(vectors[1], vectors[2]));
}

}  // namespace
}  // namespace trivium::learning
