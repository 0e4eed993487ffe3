#include "learning/training/snapshot.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <set>

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
    snapshot_.skipped = 5;
    snapshot_.skipped_in_row = 2;
    snapshot_.evaluation_due = true;
    snapshot_.record = {{"settings", {{"train.learning_rate", 0.1}}}, {"start", "a"}};
    snapshot_.stream_state = "{\"x\": \"\\n\xc3\xa9\"}";
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
  EXPECT_EQ(loaded.skipped, 5);
  EXPECT_EQ(loaded.skipped_in_row, 2);
  EXPECT_TRUE(loaded.evaluation_due);
  EXPECT_EQ(loaded.record, snapshot_.record);
  EXPECT_EQ(loaded.stream_state, snapshot_.stream_state);
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
  const std::vector<std::byte> byte(1), number(4);
  const Tensors both = {{"optimiser.a.step", Dtype::kF32, {1}, number},
                        {"optimiser.b.step", Dtype::kF32, {1}, number}};
  EXPECT_EQ(code_of(good, tensors(both)), "");
  for (const char* state :
       {"", "{", "[]", R"({"step": 1})",
        R"({"step": "a", "stream": {}, "loss_sum": 0, "loss_steps": 0})",
        R"({"step": 1, "stream": {}, "loss_sum": 0, "loss_steps": 0, "best_score": null})"}) {
    EXPECT_EQ(code_of(state, tensors(both)), "76:") << state;
  }
  Tensors wide = both;
  wide.push_back({"optimiser.x", Dtype::kI8, {1}, byte});
  EXPECT_EQ(code_of(good, tensors(wide)), "76:");
  for (const char* record : {"1", "{}", "[]"}) {
    EXPECT_EQ(code_of(R"({"step": 1, "stream": {}, "loss_sum": 0, "loss_steps": 0, "record": )" +
                          std::string(record) + "}",
                      tensors(both)),
              "76:")
        << record;
  }
  // And of one whose state is not what was saved.
  EXPECT_EQ(code_of(good, tensors(both)), "");
  std::ofstream(folder_.path() / "last" / "training.json") << good << " ";
  EXPECT_EQ(code(), "76:");
  EXPECT_EQ(code_of(good, tensors(both)), "");
  std::ofstream(folder_.path() / "last" / "training.safetensors") << "short";
  EXPECT_EQ(code(), "76:");
}

TEST_F(SnapshotTest, AFinishedTrainingHasNoTensors) {
  const auto last = folder_.path() / "last";
  snapshot_.finished = true;
  save_training_snapshot(toy_checkpoint(), snapshot_, last);
  EXPECT_FALSE(fs::exists(last / "training.safetensors"));
  EXPECT_TRUE(load_training_snapshot(last).finished);
  EXPECT_EQ(load_training_snapshot(last).step, snapshot_.step);
}

TEST_F(SnapshotTest, RemovesWhatIsHalfWritten) {
  const std::vector<std::string> gone = {"last.tmp-12/x", "metrics.csv.tmp12", "a.tmp3"};
  const std::vector<std::string> stay = {"last/x", "notes.tmp", "notes.tmp-1a", "tmp12", "b.tmpx"};
  for (const auto* names : {&gone, &stay}) {
    for (const std::string& name : *names) folder_.write("run/" + name, "x");
  }
  folder_.write("other.tmp-1", "x");
  folder_.write("run.tmp-1", "x");
  remove_half_written(folder_.path() / "run");
  remove_half_written(folder_.path(), "run");
  remove_half_written(folder_.path() / "nothing");
  for (const std::string& name : gone) EXPECT_FALSE(fs::exists(folder_.path() / "run" / name));
  for (const std::string& name : stay) EXPECT_TRUE(fs::exists(folder_.path() / "run" / name));
  EXPECT_TRUE(fs::exists(folder_.path() / "other.tmp-1"));
  EXPECT_FALSE(fs::exists(folder_.path() / "run.tmp-1"));
}

TEST_F(SnapshotTest, KeepsSoManyAndTheSameStepTwice) {
  const auto last = folder_.path() / "last", saved = folder_.path() / "saved";
  const auto keep = [&](int64_t step, int64_t count) {
    snapshot_.step = step;
    save_training_snapshot(toy_checkpoint(), snapshot_, last);
    keep_snapshot(last, step, count);
    keep_snapshot(last, step, count);
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(saved)) names.insert(entry.path().filename());
    return names;
  };
  using Names = std::set<std::string>;
  EXPECT_EQ(keep(9, 2), Names{"step-9"});
  folder_.write("saved/tmp-1/half", "x");  // what a killed process left
  folder_.write("saved/notes", "x");       // a person's
  EXPECT_EQ(keep(10, 2), (Names{"step-9", "step-10", "notes"}));
  EXPECT_EQ(keep(100, 2), (Names{"step-10", "step-100", "notes"}));
  EXPECT_EQ(load_training_snapshot(saved / "step-10").step, 10);
  // Of the way that a training left when it went back.
  EXPECT_EQ(keep(50, 3), (Names{"step-10", "step-50", "notes"}));
  EXPECT_EQ(files_of(saved / "step-50"), files_of(last));
  keep_snapshot(last, 60, 0);
  EXPECT_FALSE(fs::exists(saved / "step-60"));
}

}  // namespace
}  // namespace trivium::learning
