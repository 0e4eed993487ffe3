#include <gmock/gmock.h>

#include "core/base/temporary_folder.h"
#include "core/data/gym.h"

namespace trivium {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class CrossfitTest : public ::testing::Test {
 protected:
  void write_sample(const std::string& stem, const std::string& train) {
    folder_.write(stem + "_train.tsv", train);
    folder_.write(stem + "_dev.tsv", "in\tout\n");
    folder_.write(stem + "_test.tsv", "in\tout\n");
  }
  std::string error_for(const std::string& train) {
    write_sample("shapes_16_100", train);
    return error_of([&] { load_crossfit_task(folder_.path(), "shapes"); });
  }
  TemporaryFolder folder_;
};

TEST_F(CrossfitTest, ReadsInputAndEveryTarget) {
  write_sample("shapes_16_100", "a round thing\tball\nsix sides\tcube\tdie\n");
  const Task task = load_crossfit_task(folder_.path(), "shapes");
  ASSERT_EQ(task.records.at(Split::kTrain).size(), 2u);
  const Json& fields = task.records.at(Split::kTrain)[1].fields;
  EXPECT_EQ(fields["input"], "six sides");
  EXPECT_EQ(fields["target"], "cube");
  EXPECT_EQ(fields["targets"], Json::array({"cube", "die"}));
  EXPECT_EQ(task.records.at(Split::kTest).size(), 1u);
}

TEST_F(CrossfitTest, NamesBadLines) {
  EXPECT_THAT(error_for("a\tb\nno tab here\n"),
              AllOf(StartsWith("65: "), HasSubstr("train.tsv:2: 1 column")));
  EXPECT_THAT(error_for("a\tb\nx\t\n"),
              AllOf(StartsWith("65: "), HasSubstr("train.tsv:2: column 2 of 2 is empty")));
  EXPECT_THAT(error_for("\ta\tb\n"),
              AllOf(StartsWith("65: "), HasSubstr("train.tsv:1: column 1 of 3")));
  EXPECT_THAT(error_for("a\t\tb\n"), AllOf(StartsWith("65: "), HasSubstr("column 2 of 3")));
  EXPECT_THAT(error_for("a\tb\n\n"),
              AllOf(StartsWith("65: "), HasSubstr("train.tsv:2: the line is empty")));
  EXPECT_THAT(error_for("a\t\xFF\n"), AllOf(StartsWith("65: "), HasSubstr("UTF-8")));
}

TEST_F(CrossfitTest, AsksWhichSample) {
  write_sample("shapes_16_100", "a\tb\n");
  write_sample("shapes_16_13", "c\td\n");
  write_sample("shapes_more_16_13", "e\tf\n");  // another task, whose name begins alike
  EXPECT_THAT(error_of([&] { load_crossfit_task(folder_.path(), "shapes"); }),
              AllOf(StartsWith("2: "), HasSubstr("2 samples"), HasSubstr("shapes_16_100")));
  const Task task = load_crossfit_task(folder_.path(), "shapes_16_13");
  EXPECT_EQ(task.records.at(Split::kTrain)[0].fields["input"], "c");
  EXPECT_EQ(load_crossfit_task(folder_.path(), "shapes_more")
                .records.at(Split::kTrain)[0]
                .fields["input"],
            "e");
  EXPECT_THAT(error_of([&] { load_crossfit_task(folder_.path(), "sizes"); }), StartsWith("66: "));
}

TEST(P3Test, ReadsAFolderAndAFile) {
  TemporaryFolder folder;
  folder.write("train.jsonl",
               "{\"inputs\": \"2+2?\", \"targets\": \"4\", \"answer_choices\": [\"3\", \"4\"]}\n");
  folder.write("validation.jsonl", "{\"inputs\": \"name a prime\", \"targets\": [\"2\", \"3\"]}\n");
  const Task task = load_p3_task(folder.path(), "sums");
  EXPECT_EQ(task.records.at(Split::kTrain)[0].fields["choices"], Json::array({"3", "4"}));
  EXPECT_EQ(task.records.at(Split::kDev)[0].fields["target"], "2");
  EXPECT_EQ(task.records.at(Split::kDev)[0].fields["targets"], Json::array({"2", "3"}));
  EXPECT_EQ(load_p3_task(folder.path() / "validation.jsonl", "sums").records.count(Split::kDev),
            1u);
  folder.write("mine.jsonl", "{\"inputs\": \"a\", \"targets\": \"b\"}\n");
  EXPECT_EQ(load_p3_task(folder.path() / "mine.jsonl", "sums").records.count(Split::kTrain), 1u);
}

// A line as P3's files have it: ids under the plain names, texts beside them.
TEST(P3Test, ReadsP3sOwnLines) {
  TemporaryFolder folder;
  const auto line = [](const std::string& target, bool correct) {
    return Json{{"idx", {0, correct ? 0 : 1}},
                {"inputs", {37, 19, 1}},
                {"inputs_pretokenized", "Is it good?\n"},
                {"is_correct", correct},
                {"targets", {2163, 1}},
                {"targets_pretokenized", target},
                {"answer_choices", {"Yes", "No"}},
                {"weight", 1.0}}
               .dump() +
           "\n";
  };
  folder.write("train.jsonl", line("Yes", true) + line("No", false));
  Task task = load_p3_task(folder.path(), "good");
  ASSERT_EQ(task.records[Split::kTrain].size(), 1u);
  EXPECT_EQ(task.records[Split::kTrain][0].fields["input"], "Is it good?\n");
  EXPECT_EQ(task.records[Split::kTrain][0].fields["target"], "Yes");
}

TEST(P3Test, NamesBadLines) {
  TemporaryFolder folder;
  const auto error_for = [&](const std::string& lines) {
    folder.write("train.jsonl", lines);
    return error_of([&] { load_p3_task(folder.path(), "sums"); });
  };
  EXPECT_THAT(error_for("{\"inputs\": \"a\"}\n"),
              AllOf(StartsWith("65: "), HasSubstr("train.jsonl:1: field \"targets\"")));
  EXPECT_THAT(error_for("{\"inputs\": [\"a\"], \"targets\": \"b\"}\n"),
              AllOf(StartsWith("65: "), HasSubstr("inputs")));
  EXPECT_THAT(error_for("{\"inputs\": \"a\", \"targets\": []}\n"),
              AllOf(StartsWith("65: "), HasSubstr("empty")));
  EXPECT_THAT(error_for("{\"inputs\": \"a\", \"targets\": \"\"}\n"),
              AllOf(StartsWith("65: "), HasSubstr("empty")));
  EXPECT_THAT(error_for("{\"inputs\": \"a\", \"targets\": \"b\", \"answer_choices\": [\"c\"]}\n"),
              AllOf(StartsWith("65: "), HasSubstr("not a choice")));
  EXPECT_THAT(error_for("{\"inputs\": \"a\", \"targets\": \"b\", \"answer_choices\": \"b\"}\n"),
              AllOf(StartsWith("65: "), HasSubstr("not a list")));
  std::filesystem::remove(folder.path() / "train.jsonl");
  EXPECT_THAT(error_of([&] { load_p3_task(folder.path(), "sums"); }), StartsWith("66: "));
}

}  // namespace
}  // namespace trivium
