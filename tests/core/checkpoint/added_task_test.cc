#include "core/checkpoint/added_task.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "core/base/file.h"
#include "core/base/temporary_folder.h"
#include "core/checkpoint/tiny_checkpoint.h"

namespace trivium {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

namespace fs = std::filesystem;

constexpr const char* kMatrix = "decoder.layers.1.fc1.weight";  // [48, 32]
constexpr const char* kBias = "encoder.layers.0.fc2.bias";      // [32], of an ordinary layer

class AddedTaskTest : public ::testing::Test {
 protected:
  AddedTaskTest() {
    save_checkpoint(tiny_checkpoint(), folder_);
    open_ = open_checkpoint(folder_);
    route_ = open_.route(1);
    Rng rng(5);
    differences_[std::string(kMatrix) + kLowRankA] = random_tensor(rng, {2, 32});
    differences_[std::string(kMatrix) + kLowRankB] = random_tensor(rng, {48, 2});
    differences_[std::string(kBias) + kDifference] = random_tensor(rng, {32});
  }

  void add(const std::string& name) {
    save_added_task(folder_, open_, tiny_entry(name), route_, differences_);
  }
  // Why the task cannot be used; "" where it can.
  std::string problem_of(const std::string& name) const {
    const AddedTasks added(folder_, open_);
    return added.problems().contains(name) ? added.problems().at(name) : "";
  }

  TemporaryFolder temporary_;
  fs::path folder_ = temporary_.path() / "model";
  OpenCheckpoint open_;
  TaskRoute route_;
  std::map<std::string, HostTensor> differences_;
};

TEST_F(AddedTaskTest, ComesBackAsItWasAddedAndLeavesTheCheckpointAlone) {
  const std::string manifest = read_file(folder_ / kManifestFile);
  add("tone");
  EXPECT_EQ(read_file(folder_ / kManifestFile), manifest);
  const AddedTasks added(folder_, open_);
  ASSERT_EQ(added.tasks().size(), 1u);
  const AddedTask& task = *added.tasks()[0];
  EXPECT_EQ(task.entry.task.name, "tone");
  EXPECT_EQ(task.entry.task.labels, (std::vector<std::string>{"yes", "no"}));
  EXPECT_EQ(task.base, route_);
  // Two layers have an expert of its own, behind the checkpoint's.
  EXPECT_THAT(task.route.encoder[0], ElementsAre(0, 1));
  EXPECT_THAT(task.route.decoder[1], ElementsAre(0, 0, 0, 1));
  EXPECT_EQ(task.route.encoder[1], route_.encoder[1]);
  EXPECT_EQ(task.likely.decoder[1].size(), 4u);
  EXPECT_EQ(task.likely.decoder[1][3], 0);
}

TEST_F(AddedTaskTest, ItsTensorsAreThoseOfTheRouteAndTheDifference) {
  add("tone");
  const AddedTasks added(folder_, open_);
  const TensorReader& read = added.tasks().at(0)->route.own->read;
  const auto expert = std::to_string(TaskRoute::main_expert(route_.decoder[1]));
  const std::string base = "decoder.layers.1.experts." + expert + ".";
  const auto before = values_of(open_.files->read(base + "fc1.weight"));
  const auto a = values_of(differences_.at(std::string(kMatrix) + kLowRankA));
  const auto b = values_of(differences_.at(std::string(kMatrix) + kLowRankB));
  const auto changed = values_of(read(kMatrix));
  for (size_t row = 0; row < 48; ++row) {
    for (size_t column = 0; column < 32; ++column) {
      const double product = static_cast<double>(b[2 * row]) * a[column] +
                             static_cast<double>(b[2 * row + 1]) * a[32 + column];
      EXPECT_NEAR(changed[32 * row + column], before[32 * row + column] + product, 1e-5);
    }
  }
  const auto bias = values_of(read(kBias)), bias_before = values_of(open_.files->read(kBias));
  const auto added_bias = values_of(differences_.at(std::string(kBias) + kDifference));
  for (size_t i = 0; i < 32; ++i) EXPECT_EQ(bias[i], bias_before[i] + added_bias[i]);
  EXPECT_EQ(values_of(read("decoder.layers.1.fc2.weight")),
            values_of(open_.files->read(base + "fc2.weight")))
      << "what has no difference is the route's";
}

TEST_F(AddedTaskTest, WithoutDifferencesItIsARoute) {
  differences_.clear();
  add("tone");
  const AddedTasks added(folder_, open_);
  EXPECT_EQ(added.tasks().at(0)->route, route_);
  EXPECT_EQ(added.tasks().at(0)->route.own, nullptr);
}

// Of the labels "yes" and "no", over vectors of 32 numbers.
std::shared_ptr<const LabelHead> small_head() {
  Rng rng(7);
  return std::make_shared<const LabelHead>(
      LabelHead{{"yes", "no"}, 1, random_tensor(rng, {2, 32}), random_tensor(rng, {2})});
}

TEST_F(AddedTaskTest, AHeadComesBackWithItsTask) {
  route_.head = small_head();
  add("tone");
  differences_.clear();
  add("alone");
  const AddedTasks added(folder_, open_);
  ASSERT_EQ(added.tasks().size(), 2u);
  for (const auto& task : added.tasks()) {
    ASSERT_NE(task->route.head, nullptr) << task->entry.task.name;
    EXPECT_EQ(task->route.head->labels, (std::vector<std::string>{"yes", "no"}));
    EXPECT_EQ(task->route.head->parts, 1);
    EXPECT_EQ(values_of(task->route.head->weight), values_of(route_.head->weight));
    EXPECT_EQ(values_of(task->route.head->bias), values_of(route_.head->bias));
    EXPECT_EQ(task->likely.head, task->route.head);
    EXPECT_EQ(task->route.own != nullptr, task->entry.task.name == "tone");
  }
  EXPECT_THAT(added.tasks()[1]->route.encoder[0], ElementsAre(0, 1)) << "tone has its experts";
}

TEST_F(AddedTaskTest, AHeadThatDoesNotFitIsRefused) {
  Rng rng(7);
  const auto refused = [&](const std::string& name, const LabelHead& head) {
    route_.head = std::make_shared<const LabelHead>(head);
    add(name);
    return problem_of(name);
  };
  LabelHead head = *small_head();
  head.weight = random_tensor(rng, {3, 32});
  EXPECT_THAT(refused("rows", head), HasSubstr("\"label_head.weight\" is missing or does not fit"));
  head = *small_head();
  head.parts = 2;
  EXPECT_THAT(refused("parts", head), HasSubstr("does not fit"));
  EXPECT_EQ(added_task_names(folder_), (std::vector<std::string>{"parts", "rows"}));
  head.parts = 3;
  EXPECT_THAT(refused("three", head), HasSubstr("\"head_parts\" must be 1 or 2"));
  refused("lost", *small_head());
  const fs::path manifest = folder_ / kAddedTasksFolder / "lost" / kManifestFile;
  Json listed = read_json_file(manifest);
  listed["files"].erase("model.safetensors");
  write_file_atomically(manifest, listed.dump());
  EXPECT_NE(problem_of("lost"), "");
}

TEST_F(AddedTaskTest, TasksComeAndGoWhileTheyAreInUse) {
  AddedTasks added(folder_, open_);
  EXPECT_TRUE(added.tasks().empty());
  EXPECT_FALSE(added.refresh());
  add("tone");
  EXPECT_TRUE(added.refresh());
  const std::shared_ptr<const AddedTask> tone = added.tasks().at(0);
  add("alarm");
  EXPECT_TRUE(added.refresh());
  ASSERT_EQ(added.tasks().size(), 2u);
  EXPECT_EQ(added.tasks()[0]->entry.task.name, "alarm");
  EXPECT_EQ(added.tasks()[1], tone) << "it keeps its experts";
  EXPECT_FALSE(added.refresh());
  remove_added_task(folder_, "tone");
  EXPECT_TRUE(added.refresh());
  ASSERT_EQ(added.tasks().size(), 1u);
  EXPECT_EQ(values_of(tone->route.own->read(kBias)).size(), 32u) << "who has it may go on";
  EXPECT_FALSE(fs::exists(folder_ / "tasks" / "tone"));
  EXPECT_THAT(error_of([&] { remove_added_task(folder_, "tone"); }),
              AllOf(HasSubstr("66: no task \"tone\" was added"), HasSubstr("alarm")));
}

TEST_F(AddedTaskTest, ANameIsTakenOnce) {
  add("tone");
  EXPECT_THAT(error_of([&] { add("tone"); }), HasSubstr("73: a task tone was added already"));
  EXPECT_THAT(error_of([&] { add("sst2"); }), HasSubstr("73: the checkpoint knows a task sst2"));
}

TEST_F(AddedTaskTest, OtherWeightsAreNotTheOnesItWasLearnedFrom) {
  add("tone");
  TinyCheckpoint other = tiny_checkpoint();
  other.tensors.at("final_logits_bias") = tensor_of(std::vector<float>(100, 0.5f), {1, 100});
  save_checkpoint(other, folder_);
  open_ = open_checkpoint(folder_);
  EXPECT_TRUE(fs::exists(folder_ / "tasks" / "tone")) << "saving keeps what was added";
  EXPECT_THAT(problem_of("tone"), HasSubstr("was learned from other weights"));
}

TEST_F(AddedTaskTest, WhatDoesNotFitIsRefusedByName) {
  const auto refused = [&](const std::string& name, const std::string& tensor,
                           std::vector<int64_t> shape) {
    differences_.clear();
    Rng rng(1);
    differences_[tensor] = random_tensor(rng, std::move(shape));
    add(name);
    return problem_of(name);
  };
  EXPECT_THAT(refused("a", "shared.weight.difference", {100, 32}),
              HasSubstr("\"shared.weight.difference\" is no difference of a tensor"));
  EXPECT_THAT(refused("b", "decoder.layers.9.fc1.bias.difference", {48}),
              HasSubstr("is no difference of a tensor"));
  EXPECT_THAT(refused("c", "decoder.layers.1.fc1.bias.difference", {47}),
              HasSubstr("\"decoder.layers.1.fc1.bias.difference\" does not fit"));
  EXPECT_THAT(refused("d", std::string(kMatrix) + kLowRankA, {2, 32}), HasSubstr("does not fit"))
      << "the other half is missing";
  differences_[std::string(kMatrix) + kLowRankB] = tensor_of({std::nanf("")}, {1, 1});
  EXPECT_THAT(error_of([&] { add("e"); }), HasSubstr("has a NaN"));
}

TEST_F(AddedTaskTest, ADamagedOneIsNamedAndTheOthersStay) {
  add("tone");
  add("alarm");
  const fs::path weights = folder_ / "tasks" / "tone" / "model.safetensors";
  std::string bytes = read_file(weights);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  std::ofstream(weights, std::ios::binary) << bytes;
  const AddedTasks added(folder_, open_);  // tensors are checked when they are read
  ASSERT_EQ(added.tasks().size(), 2u);
  const TensorReader read = added.tasks()[1]->route.own->read;
  EXPECT_THAT(error_of([&] {
                read(kMatrix);
                read(kBias);
              }),
              HasSubstr("76: "));
  std::ofstream(folder_ / "tasks" / "tone" / "tasks.json", std::ios::app) << " ";
  EXPECT_THAT(problem_of("tone"), HasSubstr("tasks.json"));
  EXPECT_EQ(AddedTasks(folder_, open_).tasks().size(), 1u);
}

}  // namespace
}  // namespace trivium
