#include "core/data/gym.h"

#include <gmock/gmock.h>

#include "core/base/log_lines.h"
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

TEST_F(GymTest, FieldsThatNobodyUsesMayHoldAnything) {
  write_records("train",
                R"({"thing": "grass", "label": "green", "note": null, "meta": {"a": [1]}, )"
                R"("ok": true, "idx": [0, 1]})");
  const Task task = Gym(folder_.path()).load_task("colour");
  EXPECT_EQ(task.records.at(Split::kTrain).at(0).fields["thing"], "grass");
  EXPECT_THAT(error_for_train(R"({"thing": null, "label": "green"})"),
              AllOf(StartsWith("65: "), HasSubstr("train.jsonl:1: field \"thing\"")));
}

TEST_F(GymTest, ChoosesEachTaskOnce) {
  const Gym gym(folder_.path());
  EXPECT_THAT(gym.chosen_tasks("seen", {}), ElementsAre("colour"));
  EXPECT_THAT(gym.chosen_tasks("dev", {"colour"}), ElementsAre("colour"));
  EXPECT_THAT(error_of([&] {
                gym.chosen_tasks("seen", {"colour", "colour"});
              }),
              AllOf(StartsWith("64: "), HasSubstr("colour is named twice")));
  EXPECT_THAT(error_of([&] { gym.chosen_tasks("dev", {}); }),
              AllOf(StartsWith("64: "), HasSubstr("no task in its part \"dev\"")));
  std::filesystem::remove(folder_.path() / "split.json");
  EXPECT_THAT(Gym(folder_.path()).chosen_tasks("seen", {}), ElementsAre("colour"));
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

TEST(PlainGymTest, CrossfitsFilesAreTasks) {
  TemporaryFolder folder;
  const auto write = [&](const std::string& stem, const std::string& train) {
    for (const char* split : {"train", "dev", "test"}) {
      folder.write(stem + "_" + split + ".tsv", train);
    }
  };
  write("glue-sst2_2_100", "a\tpositive\n\"b\tnegative\nc\tnegative\nd \"e\" f\tpositive\n");
  write("names_16_13", "a\tAnn\tAnne\nb\tBob\n");
  write("names_16_21", "a\tAnn\n");
  write("other/shapes_16_42", "a\tball\nb\tcube\n");
  const Gym gym(folder.path());
  EXPECT_THAT(gym.task_names(), ElementsAre("glue-sst2", "names_16_13", "names_16_21", "shapes"));
  EXPECT_THAT(gym.chosen_tasks("seen", {}).size(), 4u);
  const Task labelled = gym.load_task("glue-sst2");
  EXPECT_THAT(labelled.labels, ElementsAre("negative", "positive"));
  EXPECT_EQ(labelled.metric, "accuracy");
  EXPECT_EQ(labelled.sample_seed, 100u);
  // Quotes are plain characters.
  EXPECT_EQ(labelled.records.at(Split::kTrain).at(1).fields["input"], "\"b");
  EXPECT_EQ(labelled.records.at(Split::kTrain).at(3).fields["input"], "d \"e\" f");
  EXPECT_EQ(gym.load_task("glue-sst2", 1).records.at(Split::kTrain).size(), 1u);
  EXPECT_EQ(gym.load_task("glue-sst2", 1).labels.size(), 2u);
  const Task open = gym.load_task("names_16_13");
  EXPECT_TRUE(open.labels.empty());
  EXPECT_EQ(open.metric, "em");
  EXPECT_EQ(open.records.at(Split::kTest).at(0).fields["targets"], Json({"Ann", "Anne"}));
  EXPECT_TRUE(gym.load_task("shapes").labels.empty());  // each target once, not 16 times
}

TEST(PlainGymTest, AFileOfExamplesIsATaskWithItsOwnDevAndTest) {
  TemporaryFolder folder;
  std::string lines;
  for (int i = 0; i < 10; ++i) {
    lines += Json{{"inputs", std::to_string(i)}, {"targets", "x"}}.dump() + "\n";
  }
  folder.write("mine.jsonl", lines);
  const Gym gym(folder.path() / "mine.jsonl");
  EXPECT_THAT(gym.task_names(), ElementsAre("mine"));
  Task task = gym.load_task("mine");
  EXPECT_EQ(task.records[Split::kTrain].size(), 6u);
  ASSERT_EQ(task.records[Split::kDev].size(), 2u);
  ASSERT_EQ(task.records[Split::kTest].size(), 2u);
  EXPECT_EQ(task.records[Split::kDev][0].fields["input"], "3");
  EXPECT_EQ(task.records[Split::kTest][0].fields["input"], "4");
  folder.write("p3/train.jsonl", lines);
  folder.write("p3/test.jsonl", R"({"inputs": "z", "targets": "y"})");
  Task given = Gym(folder.path() / "p3").load_task("p3");
  EXPECT_EQ(given.records[Split::kTrain].size(), 8u);
  EXPECT_EQ(given.records[Split::kTest].size(), 1u);
}

TEST(PlainGymTest, AFolderOfFilesIsACollectionOfTasks) {
  TemporaryFolder folder;
  std::string table = "text,label\n";
  for (int i = 0; i < 10; ++i) table += "t" + std::to_string(i) + (i % 2 == 0 ? ",a\n" : ",b\n");
  folder.write("tone.csv", table);
  folder.write("asked.JSONL", "{\"inputs\": \"a\", \"targets\": \"b\"}\n");
  folder.write("notes.txt", "no task");
  const Gym gym(folder.path());
  EXPECT_THAT(gym.task_names(), ElementsAre("asked", "tone"));
  EXPECT_THAT(gym.chosen_tasks("seen", {}), ElementsAre("asked", "tone"));
  EXPECT_THAT(gym.describe("tone").labels, ElementsAre("a", "b"));
  EXPECT_EQ(gym.load_task("tone").records.at(Split::kTest).size(), 2u);
  folder.write("tone.tsv", "text\tlabel\nx\ta\n");
  EXPECT_THAT(error_of([&] { Gym(folder.path()); }), HasSubstr("a second task \"tone\""));
  // Beside tasks in folders a table is just a file.
  folder.write("p3/train.jsonl", "{\"inputs\": \"a\", \"targets\": \"b\"}\n");
  const LogLines log;
  EXPECT_THAT(Gym(folder.path()).task_names(), ElementsAre("p3"));
  EXPECT_THAT(log.with("its files are none: asked.JSONL and 2 more").size(), 1u);
}

TEST(PlainGymTest, FilesNamedAsSplitsAreTasksAndItSaysSo) {
  TemporaryFolder folder;
  for (const char* name : {"train.csv", "test.csv"}) folder.write(name, "text,label\na,b\nc,d\n");
  const LogLines log;
  EXPECT_THAT(Gym(folder.path()).task_names(), ElementsAre("test", "train"));
  EXPECT_EQ(log.with("train and test are two tasks here").size(), 1u);
}

TEST(PlainGymTest, AFolderWithoutTasksSaysWhatItLooksFor) {
  TemporaryFolder folder;
  folder.write("notes.txt", "x");
  EXPECT_THAT(error_of([&] { Gym(folder.path()); }),
              AllOf(StartsWith("66: "), HasSubstr("holds no task"), HasSubstr("docs/data.md")));
}

}  // namespace
}  // namespace trivium
