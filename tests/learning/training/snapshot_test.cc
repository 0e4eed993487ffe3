#include "learning/training/snapshot.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "core/base/file.h"
#include "core/checkpoint/checkpoint_folder.h"
#include "core/checkpoint/safetensors.h"
#include "learning/training/toy_training.h"

namespace trivium::learning {
namespace {

namespace fs = std::filesystem;

class SnapshotTest : public ::testing::Test {
 protected:
  SnapshotTest() {
    torch::manual_seed(1);
    snapshot_.step = 1'234'567'890'123;
    snapshot_.best_score = 0.1 + 0.2;  // not a short decimal
    snapshot_.loss_sum = 1.0 / 3;
    snapshot_.loss_steps = 3;
    snapshot_.stream_state = "{\"x\": \"\\n\xc3\xa9\"}";
    snapshot_.noise_state = torch::randint(256, {33}, torch::kUInt8);
    snapshot_.dropout_state = torch::randint(256, {5}, torch::kUInt8);
    snapshot_.optimiser["fc1.weight.exp_avg"] = torch::randn({3, 4});
    snapshot_.optimiser["fc1.weight.step"] = torch::tensor(7.0f);
  }
  TemporaryFolder folder_;
  TrainingSnapshot snapshot_;
};

TEST_F(SnapshotTest, RoundTrips) {
  const auto last = folder_.path() / "last";
  save_training_snapshot(toy_checkpoint(), snapshot_, last);
  const TrainingSnapshot loaded = load_training_snapshot(last);
  EXPECT_EQ(loaded.step, snapshot_.step);
  EXPECT_EQ(loaded.best_score, snapshot_.best_score);
  EXPECT_EQ(loaded.loss_sum, snapshot_.loss_sum);
  EXPECT_EQ(loaded.loss_steps, 3);
  EXPECT_EQ(loaded.stream_state, snapshot_.stream_state);
  EXPECT_TRUE(torch::equal(loaded.noise_state, snapshot_.noise_state));
  EXPECT_TRUE(torch::equal(loaded.dropout_state, snapshot_.dropout_state));
  ASSERT_EQ(loaded.optimiser.size(), 2u);
  for (const auto& [name, tensor] : loaded.optimiser) {
    EXPECT_TRUE(torch::equal(tensor, snapshot_.optimiser[name])) << name;
  }
  // The folder is a checkpoint too, and its manifest covers the state.
  EXPECT_NO_THROW(load_checkpoint(last, Verify::kHashes));
  snapshot_.best_score.reset();
  save_training_snapshot(toy_checkpoint(), snapshot_, last);
  EXPECT_EQ(load_training_snapshot(last).best_score, std::nullopt);
}

TEST_F(SnapshotTest, RefusesWhatItCannotRead) {
  using Tensors = std::vector<TensorToWrite>;
  const auto code = [&] {
    return error_of([&] { load_training_snapshot(folder_.path() / "last"); }).substr(0, 3);
  };
  // Of a folder whose manifest is right.
  const auto code_of = [&](const std::string& state,
                           const std::function<void(const fs::path&)>& write) {
    replace_checkpoint_folder(folder_.path() / "last", [&](const fs::path& folder) {
      write_file_atomically(folder / "training.json", state);
      write(folder / "training.safetensors");
    });
    return code();
  };
  const auto tensors = [](const Tensors& list) {
    return [list](const fs::path& file) { write_safetensors(file, list); };
  };
  EXPECT_EQ(code(), "66:");
  const std::string good = R"({"step": 1, "stream": {}, "loss_sum": 0, "loss_steps": 0})";
  EXPECT_EQ(code_of(good, [](const fs::path&) {}), "66:");
  const std::vector<std::byte> byte(1);
  const Tensors both = {{"generator.noise", Dtype::kU8, {1}, byte},
                        {"generator.dropout", Dtype::kU8, {1}, byte}};
  EXPECT_EQ(code_of(good, tensors(both)), "");
  EXPECT_EQ(code_of(good, tensors({both[0]})), "76:");
  for (const char* state :
       {"", "{", "[]", R"({"step": 1})",
        R"({"step": "a", "stream": {}, "loss_sum": 0, "loss_steps": 0})",
        R"({"step": 1, "stream": {}, "loss_sum": 0, "loss_steps": 0, "best_score": null})"}) {
    EXPECT_EQ(code_of(state, tensors(both)), "76:") << state;
  }
  Tensors wide = both;
  wide.push_back({"optimiser.x", Dtype::kI8, {1}, byte});
  EXPECT_EQ(code_of(good, tensors(wide)), "76:");
  // And of one whose state is not what was saved.
  EXPECT_EQ(code_of(good, tensors(both)), "");
  std::ofstream(folder_.path() / "last" / "training.json") << good << " ";
  EXPECT_EQ(code(), "76:");
  EXPECT_EQ(code_of(good, tensors(both)), "");
  std::ofstream(folder_.path() / "last" / "training.safetensors") << "short";
  EXPECT_EQ(code(), "76:");
}

}  // namespace
}  // namespace trivium::learning
