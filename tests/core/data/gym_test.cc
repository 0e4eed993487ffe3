#include "core/data/gym.h"

#include <gmock/gmock.h>

#include "core/base/temporary_folder.h"

namespace trivium {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* kTaskJson =
    R"({"name": "colour", "family": "other", "fields": ["thing", "label"],
  "inputs": ["thing"], "target": "label", "labels": ["green", "red"], "metric": "accuracy",
  "source_repo": "none", "licence": "CC0"})";

// A gym with one task, whose train.jsonl is given.
class GymTest : public ::testing::Test {
 protected:
  GymTest() {
    folder_.write("split.json",
                  R"({"seen": ["colour"], "dev": [], "unseen": [], "extra": [], "note": "x"})");
    folder_.write("colour/task.json", kTaskJson);
    for (const char* file : {"train", "dev", "test"})
      write_records(file, R"({"thing": "grass", "label": "green"})");
  }
  void write_records(const std::string& file, const std::string& lines) {
    folder_.write("colour/" + file + ".jsonl", lines + "\n");
  }
  std::string error_for_train(const std::string& lines) {
    write_records("train", lines);
    return error_of([&] { Gym(folder_.path()).load_task("colour"); });
  }

  TemporaryFolder folder_;
};

TEST_F(GymTest, ReadsTaskAndRecords) {
  write_records(
      "train",
      "{\"thing\": \"grass\", \"label\": \"green\"}\n{\"thing\": \"blood\", \"label\": \"red\"}");
  const Gym gym(folder_.path());
  EXPECT_THAT(gym.task_names(), ElementsAre("colour"));
  EXPECT_THAT(gym.tasks_of("seen"), ElementsAre("colour"));
  EXPECT_TRUE(gym.tasks_of("dev").empty());
  const Task task = gym.load_task("colour");
  EXPECT_EQ(task.metric, "accuracy");
  EXPECT_EQ(task.accepted, "");
  EXPECT_THAT(task.labels, ElementsAre("green", "red"));
  ASSERT_EQ(task.records.at(Split::kTrain).size(), 2u);
  EXPECT_EQ(task.records.at(Split::kTrain)[1].fields["thing"], "blood");
  EXPECT_THAT(task.records.at(Split::kTrain)[1].where, HasSubstr("colour/train.jsonl:2"));
  EXPECT_EQ(gym.load_task("colour", 1).records.at(Split::kTrain).size(), 1u);
}

TEST_F(GymTest, KeepsNumbersAsText) {
  folder_.write("colour/task.json",
                R"({"name": "colour", "fields": ["thing", "score"], "inputs": ["thing"],
    "target": "score", "labels": null, "metric": "pearson_spearman"})");
  for (const char* file : {"train", "dev", "test"})
    write_records(file, R"({"thing": "sky", "score": 4.0})");
  const Task task = Gym(folder_.path()).load_task("colour");
  EXPECT_EQ(task.records.at(Split::kDev)[0].fields["score"], "4.0");
}

TEST_F(GymTest, NamesFileAndLineOfBadRecords) {
  const std::string good = R"({"thing": "grass", "label": "green"})";
  const auto at_line_2 = [](const std::string& what) {
    return AllOf(StartsWith("65: "), HasSubstr("train.jsonl:2: "), HasSubstr(what));
  };
  EXPECT_THAT(error_for_train(good + "\n{\"thing\": "), at_line_2("malformed JSON"));
  EXPECT_THAT(error_for_train(good + "\n\n" + good), at_line_2("empty"));
  EXPECT_THAT(error_for_train(good + "\n[1, 2]"), at_line_2("not a JSON object"));
  EXPECT_THAT(error_for_train(good + "\n{\"label\": \"red\"}"), at_line_2("\"thing\" is missing"));
  EXPECT_THAT(error_for_train(good + "\n{\"thing\": true, \"label\": \"red\"}"),
              at_line_2("\"thing\""));
  EXPECT_THAT(error_for_train(good + "\n{\"thing\": [\"a\", 1], \"label\": \"red\"}"),
              at_line_2("list item"));
  EXPECT_THAT(error_for_train(good + "\n{\"thing\": \"x\", \"label\": \" \"}"), at_line_2("empty"));
  EXPECT_THAT(error_for_train(good + "\n{\"thing\": \"x\", \"label\": \"blue\"}"),
              at_line_2("not a label"));
  EXPECT_THAT(error_for_train(good + "\n{\"thing\": \"\xC3\x28\", \"label\": \"red\"}"),
              at_line_2("UTF-8"));
  EXPECT_THAT(error_for_train(good + "\n" + std::string(100, '[')), at_line_2("nested"));
  EXPECT_THAT(error_for_train(good + "\n{\"thing\": \"" + std::string(3 << 20, 'x') + "\"}"),
              at_line_2("1 MiB"));
}

TEST_F(GymTest, NamesTheNearestTask) {
  const Gym gym(folder_.path());
  EXPECT_THAT(error_of([&] { gym.load_task("color"); }),
              AllOf(StartsWith("66: "), HasSubstr("did you mean colour")));
  EXPECT_THAT(error_of([&] { gym.tasks_of("trial"); }), StartsWith("2: "));
}

TEST_F(GymTest, RefusesBrokenFolders) {
  EXPECT_THAT(error_of([&] { Gym(folder_.path() / "nowhere"); }), StartsWith("66: "));
  folder_.write("split.json", R"({"seen": ["../colour"]})");
  EXPECT_THAT(error_of([&] { Gym(folder_.path()); }),
              AllOf(StartsWith("65: "), HasSubstr("plain name")));
  folder_.write("split.json", R"({"seen": ["shape"]})");
  EXPECT_THAT(error_of([&] { Gym(folder_.path()); }),
              AllOf(StartsWith("65: "), HasSubstr("\"shape\"")));
  folder_.write("split.json", R"({"seen": "colour"})");
  EXPECT_THAT(error_of([&] { Gym(folder_.path()); }),
              AllOf(StartsWith("65: "), HasSubstr("\"seen\"")));
  folder_.write("split.json", "{}");
  folder_.write("colour/task.json", R"({"name": "shape", "metric": "em"})");
  EXPECT_THAT(error_of([&] { Gym(folder_.path()); }),
              AllOf(StartsWith("65: "), HasSubstr("shape")));
  folder_.write("colour/task.json",
                R"({"name": "colour", "metric": "em", "inputs": [], "target": "t", "fields": []})");
  EXPECT_THAT(error_of([&] { Gym(folder_.path()); }),
              AllOf(StartsWith("65: "), HasSubstr("\"inputs\" is empty")));
}

TEST_F(GymTest, MissingSplitFileIsNamed) {
  std::filesystem::remove(folder_.path() / "colour/dev.jsonl");
  const Gym gym(folder_.path());
  EXPECT_THAT(error_of([&] { gym.load_task("colour"); }),
              AllOf(StartsWith("66: "), HasSubstr("dev.jsonl")));
}

}  // namespace
}  // namespace trivium
