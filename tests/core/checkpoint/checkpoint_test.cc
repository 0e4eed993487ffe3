#include "core/checkpoint/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/temporary_folder.h"
#include "core/checkpoint/tiny_checkpoint.h"

namespace trivium {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class CheckpointTest : public ::testing::Test {
 protected:
  // What open_checkpoint says of the folder; "" where it opens.
  std::string refusal(Verify verify = Verify::kChecksums, Needs needs = Needs::kRoutes) const {
    return error_of([&] { open_checkpoint(folder_, verify, needs); });
  }
  // The same of checkpoint_ after `change`.
  std::string refusal_after(const std::function<void(TinyCheckpoint&)>& change) const {
    TinyCheckpoint changed = checkpoint_;
    change(changed);
    save_checkpoint(changed, folder_);
    return refusal();
  }
  // Changes the files of the folder, with a manifest that fits them again.
  void resave(const std::function<void(const fs::path& staging)>& change) const {
    replace_checkpoint_folder(folder_, [&](const fs::path& staging) {
      for (const auto& entry : fs::directory_iterator(folder_)) {
        if (entry.path().filename() == kManifestFile) continue;
        fs::copy(entry.path(), staging / entry.path().filename());
      }
      change(staging);
    });
  }
  void change_routes(const std::function<void(Json& routes)>& change) const {
    resave([&](const fs::path& staging) {
      Json json = read_json_file(staging / kRoutesFile, ExitCode::kBadModel);
      change(json);
      write_file_atomically(staging / kRoutesFile, json.dump());
    });
  }

  TemporaryFolder temporary_;
  fs::path folder_ = temporary_.path() / "model";
  TinyCheckpoint checkpoint_ = tiny_checkpoint();
};

TEST_F(CheckpointTest, ComesBackWhole) {
  for (const TinyModel kind :
       {TinyModel::kDense, TinyModel::kOneHot, TinyModel::kSoft, TinyModel::kTokenGates}) {
    const TinyCheckpoint saved = tiny_checkpoint(kind);
    save_checkpoint(saved, folder_);
    const OpenCheckpoint open = open_checkpoint(folder_, Verify::kHashes);
    EXPECT_EQ(open.info.config, saved.info.config);
    EXPECT_EQ(open.info.tasks.to_json(), saved.info.tasks.to_json());
    EXPECT_EQ(open.info.finder->to_json(), saved.info.finder->to_json());
    EXPECT_EQ(open.info.routes, saved.info.routes) << "to the last digit";
    EXPECT_EQ(open.info.tokenizer->encode("ab c"), saved.info.tokenizer->encode("ab c"));
    ASSERT_EQ(open.files->names().size(), saved.tensors.size());
    const TensorReader read = open.reader("model");
    for (const auto& [name, tensor] : saved.tensors) {
      const HostTensor found = read(name);
      EXPECT_EQ(found.shape, tensor.shape) << name;
      EXPECT_EQ(values_of(found), values_of(tensor)) << name;
    }
  }
}

TEST_F(CheckpointTest, GivesEveryRowItsRoute) {
  save_checkpoint(checkpoint_, folder_);
  const OpenCheckpoint routed = open_checkpoint(folder_);
  for (int64_t row = 0; row < 3; ++row) {
    EXPECT_EQ(routed.route(row), checkpoint_.info.routes->used[static_cast<size_t>(row)]);
  }
  EXPECT_EQ(routed.route(-1), routed.route(0)) << "a prompt without a task";
  EXPECT_NE(routed.route(0), routed.route(1));
  save_checkpoint(tiny_checkpoint(TinyModel::kTokenGates), folder_);
  const OpenCheckpoint gated = open_checkpoint(folder_);
  EXPECT_EQ(gated.route(2), (TaskRoute{{{1}, {1}}, {{1}, {1}}, 2}));
  EXPECT_EQ(gated.route(-1).gates, 0);
  save_checkpoint(tiny_checkpoint(TinyModel::kDense), folder_);
  EXPECT_EQ(open_checkpoint(folder_).route(2), (TaskRoute{{{1}, {1}}, {{1}, {1}}, 0}));
}

TEST_F(CheckpointTest, SavingWhatWasReadGivesTheSameBytes) {
  for (const StorageKind kind :
       {StorageKind::kFloat32, StorageKind::kBFloat16, StorageKind::kInt8}) {
    TemporaryFolder temporary;
    SaveOptions options;
    options.storage = kind;
    options.max_file_bytes = 100000;
    save_checkpoint(checkpoint_, temporary.path() / "1", options);
    const OpenCheckpoint open = open_checkpoint(temporary.path() / "1");
    TinyCheckpoint again{open.info, {}};
    for (const std::string& name : open.files->names())
      again.tensors[name] = open.files->read(name);
    save_checkpoint(again, temporary.path() / "2", options);
    // The manifest holds every file's hash.
    EXPECT_EQ(read_file(temporary.path() / "1" / "manifest.json"),
              read_file(temporary.path() / "2" / "manifest.json"));
  }
}

TEST_F(CheckpointTest, MoreFilesAreSavedAndVerifiedWithIt) {
  SaveOptions options;
  options.write_more = [](const fs::path& folder) { std::ofstream(folder / "step.txt") << 7; };
  save_checkpoint(checkpoint_, folder_, options);
  EXPECT_EQ(refusal(Verify::kHashes), "");
  std::ofstream(folder_ / "step.txt") << "77";
  EXPECT_THAT(refusal(), HasSubstr("step.txt has 2 bytes"));
}

TEST_F(CheckpointTest, EveryTruncationAndMissingFileIsNamed) {
  save_checkpoint(checkpoint_, folder_);
  for (const char* name : {"config.json", "model.safetensors", "tasks.json", "task_finder.json",
                           "routes.json", "vocab.txt"}) {
    const std::string whole = read_file(folder_ / name);
    for (const size_t length : {size_t{0}, whole.size() / 2, whole.size() - 1}) {
      fs::resize_file(folder_ / name, length);
      EXPECT_THAT(refusal(), AllOf(StartsWith("76: "), HasSubstr(name)));
      std::ofstream(folder_ / name, std::ios::binary) << whole;
    }
    fs::remove(folder_ / name);
    EXPECT_THAT(refusal(), AllOf(StartsWith("76: "), HasSubstr(name)));
    std::ofstream(folder_ / name, std::ios::binary) << whole;
  }
  EXPECT_EQ(refusal(Verify::kHashes), "");
  EXPECT_THAT(error_of([&] { open_checkpoint(temporary_.path() / "nothing"); }),
              StartsWith("66: "));
}

TEST_F(CheckpointTest, HashesFindAFlippedBitAnywhere) {
  save_checkpoint(checkpoint_, folder_);
  const fs::path file = folder_ / "model.safetensors";
  const std::string whole = read_file(file);
  for (size_t at = 0; at < whole.size(); at += whole.size() / 37) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 1);
    std::ofstream(file, std::ios::binary) << flipped;
    EXPECT_THAT(refusal(Verify::kHashes),
                AllOf(StartsWith("76: "), HasSubstr("model.safetensors is damaged")));
  }
}

// What memory and disks do to a weight at worst: a number becomes 2^128 times as large, or as
// small.
TEST_F(CheckpointTest, EveryFlippedExponentIsFoundWhenItsTensorIsRead) {
  for (const StorageKind kind : {StorageKind::kFloat32, StorageKind::kBFloat16}) {
    SaveOptions options;
    options.storage = kind;
    save_checkpoint(checkpoint_, folder_, options);
    const fs::path file = folder_ / "model.safetensors";
    const std::string whole = read_file(file);
    const size_t width = kind == StorageKind::kFloat32 ? 4 : 2;
    const SafetensorsReader original(file);
    const size_t data = original.entries().back().end, start = whole.size() - data;
    for (size_t i = 0; i < 43; ++i) {
      const size_t at = start + data / 43 / width * width * i + width - 1;
      std::string flipped = whole;
      flipped[at] = static_cast<char>(flipped[at] ^ 0x40);
      std::ofstream(file, std::ios::binary) << flipped;
      const OpenCheckpoint open = open_checkpoint(folder_);
      const TensorReader read = open.reader("model");
      for (const TensorEntry& entry : original.entries()) {
        const bool damaged = at >= start + entry.begin && at < start + entry.end;
        EXPECT_EQ(error_of([&] { read(entry.name); }),
                  damaged ? "76: " + file.string() + ": tensor \"" + entry.name +
                                "\" is damaged: its checksum is not the manifest's; copy the "
                                "checkpoint again"
                          : "");
      }
      EXPECT_THAT(error_of([&] { verify_every_byte(folder_); }), StartsWith("76: "));
    }
    std::ofstream(file, std::ios::binary) << whole;
    EXPECT_EQ(error_of([&] { verify_every_byte(folder_); }), "");
  }
}

TEST_F(CheckpointTest, AChangedHeaderIsFoundWhenTheFolderIsOpened) {
  save_checkpoint(checkpoint_, folder_);
  const fs::path file = folder_ / "model.safetensors";
  std::string text = read_file(file);
  text.replace(text.find("fc1.bias"), 8, "fc2.bias");  // of the same size: still a sound header
  std::ofstream(file, std::ios::binary) << text;
  EXPECT_THAT(refusal(), AllOf(StartsWith("76: "), HasSubstr("the header is damaged")));
}

TEST_F(CheckpointTest, TensorsThatDoNotFitAreRefusedByName) {
  const std::string name = "decoder.layers.1.experts.2.fc1.weight";
  EXPECT_THAT(
      refusal_after([&](TinyCheckpoint& c) { c.tensors.erase(name); }),
      AllOf(StartsWith("76: " + folder_.string()), HasSubstr("\"" + name + "\" is missing")));
  EXPECT_THAT(refusal_after([&](TinyCheckpoint& c) { c.info.config.decoder_ffn_dim += 8; }),
              HasSubstr("decoder.layers.0.experts.0.fc1"));
  EXPECT_THAT(refusal_after([&](TinyCheckpoint& c) { c.tensors["extra"] = tensor_of({1}, {1}); }),
              HasSubstr("\"extra\" is unknown"));
  EXPECT_THAT(refusal_after([&](TinyCheckpoint& c) { c.info.config.decoder_layers = 0; }),
              HasSubstr("trivium classifier takes such models"));
  EXPECT_THAT(refusal_after([&](TinyCheckpoint& c) {
                c.info.config.encoder_layers = 200;
                c.info.config.encoder_ffn_dim = 65536;
              }),
              HasSubstr("but the safetensors hold"));
}

TEST_F(CheckpointTest, ADamagedTensorIsNamedWhenItIsRead) {
  const std::string name = "encoder.layers.0.fc1.bias";
  save_checkpoint(checkpoint_, folder_);
  std::vector<float> values = values_of(checkpoint_.tensors.at(name));
  values[3] = std::numeric_limits<float>::quiet_NaN();
  checkpoint_.tensors[name] = tensor_of(values, {48});
  // (save_checkpoint would not write it.)
  resave([&](const fs::path& staging) {
    write_tensor_files(staging, checkpoint_.tensors, StorageKind::kFloat32, int64_t{1} << 40);
  });
  const OpenCheckpoint open = open_checkpoint(folder_, Verify::kHashes);
  const TensorReader read = open.reader("model");
  EXPECT_EQ(error_of([&] { read(name); }),
            "76: model: tensor \"" + name + "\" has a NaN or an infinity");
  EXPECT_EQ(error_of([&] { read("encoder.layers.0.fc2.bias"); }), "");
}

TEST_F(CheckpointTest, DivergedWeightsAreNotSaved) {
  save_checkpoint(checkpoint_, folder_);
  const std::string manifest = read_file(folder_ / "manifest.json");
  std::vector<float> values = values_of(checkpoint_.tensors.at("shared.weight"));
  values[0] = std::numeric_limits<float>::infinity();
  checkpoint_.tensors["shared.weight"] = tensor_of(values, {100, 32});
  EXPECT_THAT(error_of([&] { save_checkpoint(checkpoint_, folder_); }),
              AllOf(StartsWith("70: "), HasSubstr("\"shared.weight\"")));
  EXPECT_EQ(read_file(folder_ / "manifest.json"), manifest);
}

TEST_F(CheckpointTest, AModelWithPoolsIsSavedWithItsRoutesOnly) {
  TinyCheckpoint without = tiny_checkpoint();
  without.info.routes.reset();
  EXPECT_THROW(save_checkpoint(without, folder_), std::logic_error);
  TinyCheckpoint dense = tiny_checkpoint(TinyModel::kDense);
  dense.info.routes = checkpoint_.info.routes;
  EXPECT_THROW(save_checkpoint(dense, folder_), std::logic_error);
  EXPECT_FALSE(fs::exists(folder_));
}

TEST_F(CheckpointTest, ACheckpointWithoutRoutesSaysWhatWritesThem) {
  save_checkpoint(checkpoint_, folder_);
  // As it was written before there was a routes.json.
  resave([](const fs::path& staging) { fs::remove(staging / kRoutesFile); });
  EXPECT_FALSE(fs::exists(folder_ / kRoutesFile));
  EXPECT_THAT(refusal(),
              AllOf(StartsWith("76: " + folder_.string() + " was saved without routes"),
                    HasSubstr("trivium routes resolve --checkpoint " + folder_.string())));
  EXPECT_EQ(refusal(Verify::kHashes, Needs::kNothing), "");
  EXPECT_FALSE(
      open_checkpoint(folder_, Verify::kChecksums, Needs::kNothing).info.routes.has_value());
}

TEST_F(CheckpointTest, RoutesOfAnotherModelAreRefused) {
  save_checkpoint(checkpoint_, folder_);
  change_routes([](Json& json) { json["tasks"].erase(2); });
  EXPECT_THAT(refusal(), AllOf(StartsWith("76: "),
                               HasSubstr("routes.json has 2 tasks, but tasks.json has 3")));
  save_checkpoint(checkpoint_, folder_);
  change_routes([](Json& json) { json["tasks"][1]["used"]["decoder"].erase(1); });
  EXPECT_THAT(refusal(), AllOf(StartsWith("76: "), HasSubstr("routes.json, task 2"),
                               HasSubstr("\"decoder\" is not of 2 layers")));
}

TEST_F(CheckpointTest, TasksMustBeTheModelsOwn) {
  const auto without_the_last = [](TinyCheckpoint& c) {
    Json tasks = c.info.tasks.to_json();
    tasks["tasks"].erase(2);
    c.info.tasks = TaskCatalog::from_json(tasks, "tasks");
  };
  EXPECT_THAT(refusal_after(without_the_last),
              AllOf(StartsWith("76: "),
                    HasSubstr("tasks.json has 2 tasks, but the model has 3 tasks' routes")));
  EXPECT_THAT(refusal_after([](TinyCheckpoint& c) {
                c.info.finder = TaskFinder::train({{"sst9", {"a film"}}});
              }),
              HasSubstr("a task that tasks.json does not have"));
  const std::string untrained = refusal_after([](TinyCheckpoint& c) {
    c.info.tasks = {};
    c.info.finder.reset();
  });
  EXPECT_EQ(untrained, "") << "a model before its first training";
  EXPECT_TRUE(open_checkpoint(folder_).info.tasks.entries().empty());
}

TEST_F(CheckpointTest, AVocabularyMayBeLargerThanTheModels) {
  EXPECT_EQ(refusal_after([](TinyCheckpoint& c) {
              c.info.config.vocab_size = 99;
              c.tensors = tiny_weights(c.info.config, 3, 7);
            }),
            "");
  const auto tokenizer = open_checkpoint(folder_).info.tokenizer;
  EXPECT_EQ(error_of([&] { tokenizer->refuse_without_row({98}); }), "");
  EXPECT_THAT(error_of([&] { tokenizer->refuse_without_row({98, 99}); }),
              AllOf(StartsWith("65: "), HasSubstr("(token 99)")));
}

}  // namespace
}  // namespace trivium
