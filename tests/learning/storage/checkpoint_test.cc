#include "learning/storage/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <limits>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/temporary_folder.h"
#include "learning/storage/tiny_model.h"

namespace trivium::learning {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class CheckpointTest : public ::testing::Test {
 protected:
  CheckpointTest() : checkpoint_(import_bart(tiny_bart(), three_experts())) {
    Json tasks = Json::array();
    std::vector<TaskFinder::TaskTexts> texts;
    for (int i = 0; i < 5; ++i) {
      const std::string name = "task" + std::to_string(i);
      tasks.push_back({{"name", name},
                       {"family", "sentiment"},
                       {"description", "made up"},
                       {"metric", "accuracy"},
                       {"inputs", {"text"}},
                       {"target", "label"},
                       {"labels", {"yes", "no"}},
                       {"template",
                        {{"name", "plain"},
                         {"input", "{{text}}"},
                         {"target", "{{label}}"},
                         {"words", Json::object()}}},
                       {"example", {{"text", "a film"}}},
                       {"licence", ""},
                       {"source", ""}});
      texts.push_back({name, {"words of " + name}});
    }
    checkpoint_.tasks = TaskCatalog::from_json({{"version", 1}, {"tasks", tasks}}, "tasks");
    checkpoint_.finder = TaskFinder::train(texts);
  }

  static Error error_of(const std::function<void()>& action) {
    try {
      action();
    } catch (const Error& e) {
      return e;
    }
    return Error(ExitCode::kOk, "");
  }

  // What model_from_tensors says of the tensors of checkpoint_ after `change`.
  std::string refusal_after(const std::function<void(NamedTensors&)>& change) {
    NamedTensors tensors = model_tensors(checkpoint_.model);
    for (auto& [name, tensor] : tensors) tensor = tensor.clone();
    change(tensors);
    const Error error =
        error_of([&] { model_from_tensors(checkpoint_.config(), std::move(tensors), "folder"); });
    EXPECT_EQ(error.code(), ExitCode::kBadModel);
    return error.what();
  }

  TemporaryFolder temporary_;
  fs::path folder_ = temporary_.path() / "model";
  Checkpoint checkpoint_;
};

TEST_F(CheckpointTest, ComesBackWhole) {
  save_checkpoint(checkpoint_, folder_);
  const Checkpoint loaded = load_checkpoint(folder_, Verify::kHashes);
  EXPECT_EQ(loaded.config(), checkpoint_.config());
  EXPECT_EQ(loaded.tasks.to_json(), checkpoint_.tasks.to_json());
  EXPECT_EQ(loaded.finder->to_json(), checkpoint_.finder->to_json());
  EXPECT_EQ(loaded.model->num_tasks(), 5);
  EXPECT_EQ(loaded.tokenizer->encode("the film"), checkpoint_.tokenizer->encode("the film"));
  const NamedTensors before = model_tensors(checkpoint_.model), after = model_tensors(loaded.model);
  ASSERT_EQ(before.size(), after.size());
  for (const auto& [name, tensor] : before)
    EXPECT_TRUE(torch::equal(tensor, after.at(name))) << name;
  for (const auto& parameter : loaded.model->parameters()) EXPECT_TRUE(parameter.requires_grad());
}

TEST_F(CheckpointTest, SavingALoadedOneGivesTheSameBytes) {
  for (const StorageKind kind :
       {StorageKind::kFloat32, StorageKind::kBFloat16, StorageKind::kInt8}) {
    TemporaryFolder temporary;
    SaveOptions options;
    options.storage = kind;
    options.max_file_bytes = 100000;
    save_checkpoint(checkpoint_, temporary.path() / "1", options);
    save_checkpoint(load_checkpoint(temporary.path() / "1"), temporary.path() / "2", options);
    // The manifest holds every file's hash.
    EXPECT_EQ(read_file(temporary.path() / "1" / "manifest.json"),
              read_file(temporary.path() / "2" / "manifest.json"));
  }
}

TEST_F(CheckpointTest, TrainsAfterLoading) {
  save_checkpoint(checkpoint_, folder_);
  Checkpoint loaded = load_checkpoint(folder_);
  const torch::Tensor before = loaded.model->shared_weight().detach().clone();
  torch::optim::SGD optimizer(loaded.model->parameters(), 0.1);
  loaded.model->shared_weight().sum().backward();
  optimizer.step();
  EXPECT_NEAR(max_difference(before - 0.1, loaded.model->shared_weight()), 0, 1e-6);
}

TEST_F(CheckpointTest, MoreFilesAreSavedAndVerifiedWithIt) {
  SaveOptions options;
  options.write_more = [](const fs::path& folder) { std::ofstream(folder / "step.txt") << 7; };
  save_checkpoint(checkpoint_, folder_, options);
  load_checkpoint(folder_, Verify::kHashes);
  std::ofstream(folder_ / "step.txt") << "77";
  EXPECT_THAT(error_of([&] { load_checkpoint(folder_); }).what(),
              HasSubstr("step.txt has 2 bytes"));
}

TEST_F(CheckpointTest, EveryTruncationAndMissingFileIsNamed) {
  save_checkpoint(checkpoint_, folder_);
  for (const char* name : {"config.json", "model.safetensors", "tasks.json", "task_finder.json",
                           "vocab.json", "merges.txt"}) {
    const std::string whole = read_file(folder_ / name);
    for (const size_t length : {size_t{0}, whole.size() / 2, whole.size() - 1}) {
      fs::resize_file(folder_ / name, length);
      const Error error = error_of([&] { load_checkpoint(folder_); });
      EXPECT_EQ(error.code(), ExitCode::kBadModel);
      EXPECT_THAT(error.what(), HasSubstr(name));
      std::ofstream(folder_ / name, std::ios::binary) << whole;
    }
    fs::remove(folder_ / name);
    EXPECT_THAT(error_of([&] { load_checkpoint(folder_); }).what(), HasSubstr(name));
    std::ofstream(folder_ / name, std::ios::binary) << whole;
  }
  load_checkpoint(folder_, Verify::kHashes);
}

TEST_F(CheckpointTest, HashesFindAFlippedBitAnywhere) {
  save_checkpoint(checkpoint_, folder_);
  const fs::path file = folder_ / "model.safetensors";
  const std::string whole = read_file(file);
  for (size_t at = 0; at < whole.size(); at += whole.size() / 37) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 1);
    std::ofstream(file, std::ios::binary) << flipped;
    const Error error = error_of([&] { load_checkpoint(folder_, Verify::kHashes); });
    EXPECT_EQ(error.code(), ExitCode::kBadModel);
    EXPECT_THAT(error.what(), HasSubstr("model.safetensors is damaged"));
  }
}

TEST_F(CheckpointTest, TensorsAreRefusedByName) {
  const std::string name = "decoder.layers.1.experts.2.fc1.weight";
  EXPECT_THAT(refusal_after([&](NamedTensors& t) { t.erase(name); }),
              HasSubstr("folder: tensor \"" + name + "\" is missing"));
  EXPECT_THAT(refusal_after([&](NamedTensors& t) {
                t["decoder.layers.1.experts.3.fc1.weight"] = t[name].clone();
              }),
              HasSubstr("\"decoder.layers.1.experts.3.fc1.weight\" is unknown"));
  EXPECT_THAT(refusal_after([&](NamedTensors& t) { t[name] = t[name].t().contiguous(); }),
              HasSubstr("has the shape [32, 40], but config.json asks for [40, 32]"));
  EXPECT_THAT(refusal_after([&](NamedTensors& t) { t[name][3][4] = NAN; }),
              HasSubstr("\"" + name + "\" has a NaN"));
  EXPECT_THAT(refusal_after([&](NamedTensors& t) { t[name][3][4] = INFINITY; }),
              HasSubstr("\"" + name + "\" has a NaN or an infinity"));
  EXPECT_THAT(refusal_after([&](NamedTensors& t) { t.erase("task_vectors.weight"); }),
              HasSubstr("\"task_vectors.weight\" is missing"));
  EXPECT_THAT(
      refusal_after([&](NamedTensors& t) { t["task_vectors.weight"] = torch::tensor(1.0f); }),
      HasSubstr("\"task_vectors.weight\" has the shape []"));
}

TEST_F(CheckpointTest, AHostileConfigAllocatesNothing) {
  Json config = to_json(checkpoint_.config());
  config["encoder_layers"] = 200;
  config["encoder_ffn_dim"] = 65536;
  const ModelConfig huge = model_config_from_json(config, "config.json");
  const Error error =
      error_of([&] { model_from_tensors(huge, model_tensors(checkpoint_.model), "folder"); });
  EXPECT_EQ(error.code(), ExitCode::kBadModel);
  EXPECT_THAT(error.what(), HasSubstr("but the safetensors hold"));
}

TEST_F(CheckpointTest, TasksMustBeTheModelsOwn) {
  Json tasks = checkpoint_.tasks.to_json();
  tasks["tasks"].erase(4);
  checkpoint_.tasks = TaskCatalog::from_json(tasks, "tasks");
  save_checkpoint(checkpoint_, folder_);
  EXPECT_THAT(error_of([&] { load_checkpoint(folder_); }).what(),
              HasSubstr("tasks.json has 4 tasks, but the model has 5 tasks' routes"));
  checkpoint_.tasks = TaskCatalog();  // a model before its first training
  checkpoint_.finder.reset();
  save_checkpoint(checkpoint_, folder_);
  EXPECT_TRUE(load_checkpoint(folder_).tasks.entries().empty());
}

TEST_F(CheckpointTest, DivergedWeightsAreNotSaved) {
  save_checkpoint(checkpoint_, folder_);
  const std::string manifest = read_file(folder_ / "manifest.json");
  {
    torch::NoGradGuard no_grad;
    checkpoint_.model->shared_weight()[0][0] = NAN;
  }
  const Error error = error_of([&] { save_checkpoint(checkpoint_, folder_); });
  EXPECT_EQ(error.code(), ExitCode::kDiverged);
  EXPECT_THAT(error.what(), HasSubstr("\"shared.weight\""));
  EXPECT_EQ(read_file(folder_ / "manifest.json"), manifest);
}

}  // namespace
}  // namespace trivium::learning
