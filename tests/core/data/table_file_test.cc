#include "core/data/table_file.h"

#include <gmock/gmock.h>

#include "core/base/temporary_folder.h"
#include "core/data/gym.h"

namespace trivium {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class TableFileTest : public ::testing::Test {
 protected:
  Task load(const std::string& file, const std::string& text, size_t limit = 0) {
    folder_.write(file, text);
    return load_table_task(folder_.path() / file, "mine", limit);
  }
  std::string error(const std::string& file, const std::string& text) {
    return error_of([&] { load(file, text); });
  }
  static std::vector<std::string> column(const Task& task, const std::string& name,
                                         Split split = Split::kTrain) {
    std::vector<std::string> texts;
    for (const Record& record : task.records.at(split)) texts.push_back(record.fields.at(name));
    return texts;
  }

  TemporaryFolder folder_;
};

TEST_F(TableFileTest, ReadsCsvWithQuotes) {
  const Task task = load("a.csv",
                         "\xEF\xBB\xBFtext,label\r\n\"friendly, \"\"very\"\" quick\",good\r\n"
                         "never again,bad\r\n\"two\nlines\",good\r\n\r\nslow,bad");
  EXPECT_EQ(task.name, "mine");
  EXPECT_THAT(task.inputs, ElementsAre("text"));
  EXPECT_EQ(task.target, "label");
  EXPECT_THAT(task.labels, ElementsAre("bad", "good"));
  EXPECT_EQ(task.metric, "accuracy");
  EXPECT_THAT(column(task, "text"),
              ElementsAre("friendly, \"very\" quick", "never again", "two\nlines", "slow"));
  EXPECT_THAT(column(task, "label"), ElementsAre("good", "bad", "good", "bad"));
  EXPECT_EQ(table_task_text(task), "text -> label (bad, good), scored by accuracy");
}

TEST_F(TableFileTest, FindsOutWhatColumnsAre) {
  const Task pairs = load("a.csv",
                          ";Sentence 1;ID;Answer;Sentence 2\n0;a;7;yes;b, c\n1;d;8;no;e\n"
                          "2;f;9;yes;g\n3;h;9;no;i\n");
  EXPECT_THAT(pairs.inputs, ElementsAre("Sentence_1", "Sentence_2"));
  EXPECT_EQ(pairs.target, "Answer");
  EXPECT_THAT(column(pairs, "Sentence_2"), ElementsAre("b, c", "e", "g", "i"));
  const Task last = load("a.tsv", "question\treply\nwho\"s there\tthe old man of the sea\n");
  EXPECT_EQ(last.target, "reply");
  EXPECT_THAT(column(last, "question"), ElementsAre("who\"s there"));
  EXPECT_TRUE(last.labels.empty());
  EXPECT_EQ(last.metric, "rouge_l");
  EXPECT_EQ(load("a.tsv", "q\ta\nx\tthe sea\ny\tthe hills\n").metric, "em");
  std::string numbers = "text,score\n";
  for (int i = 0; i < 40; ++i) numbers += "a," + std::to_string(i % 20) + ".5\n";
  EXPECT_EQ(load("a.csv", numbers).metric, "pearson_spearman");
  EXPECT_THAT(load("a.csv", "text,stars\na,1\nb,5\nc,1\nd,5\n").labels, ElementsAre("1", "5"));
}

TEST_F(TableFileTest, ReadsJsonl) {
  const Task task = load("a.jsonl",
                         "{\"review text\": \"fine\", \"stars\": 4, \"label\": true, \"x\": {}}\n"
                         "{\"label\": false, \"review text\": \"bad\", \"stars\": 1}\n"
                         "{\"label\": true, \"review text\": \"ok\", \"stars\": 3}\n"
                         "{\"label\": false, \"review text\": \"no\", \"stars\": 2}\n");
  EXPECT_THAT(task.inputs, ElementsAre("review_text", "stars"));
  EXPECT_THAT(task.labels, ElementsAre("false", "true"));
  EXPECT_THAT(column(task, "stars"), ElementsAre("4", "1", "3", "2"));
  EXPECT_THAT(error("a.jsonl", "{\"text\": \"a\", \"label\": \"b\"}\n{\"text\": \"a\"}\n"),
              HasSubstr("a.jsonl:2: \"label\" is not text"));
}

TEST_F(TableFileTest, ASplitColumnPartsTheRows) {
  const std::string head = "text,split,label\n";
  const Task task = load("a.csv", head + "a,train,x\nb,Validation,y\nc,test,x\nd,train,y\n");
  EXPECT_THAT(task.inputs, ElementsAre("text"));
  EXPECT_THAT(column(task, "text"), ElementsAre("a", "d"));
  EXPECT_THAT(column(task, "text", Split::kDev), ElementsAre("b"));
  EXPECT_THAT(column(task, "text", Split::kTest), ElementsAre("c"));
  EXPECT_THAT(load("a.csv", head + "a,banana,x\n").inputs, ElementsAre("text", "split"));
}

TEST_F(TableFileTest, WhatIsWrongIsNamedByItsRow) {
  EXPECT_THAT(error("a.csv", "text,label\na,b\nc,d,e\n"),
              HasSubstr("a.csv row 3: 3 columns, but the header has 2"));
  EXPECT_THAT(error("a.csv", "text,label\na,\n"),
              HasSubstr("a.csv row 2: target \"label\" is empty"));
  EXPECT_THAT(error("a.csv", "text,label\n\"a,b\nc,d\n"), HasSubstr("a quote is not closed"));
  EXPECT_THAT(error("a.csv", "text,label\na,b\nc\"d,e\n"),
              HasSubstr("a.csv row 3: a quote in the middle"));
  EXPECT_THAT(error("a.csv", "text,label\n\"" + std::string(3 << 20, 'a') + "\",b\n"),
              HasSubstr("a field is longer than 1 MiB"));
  EXPECT_THAT(error("a.csv", "text,label\n\xff,b\n"), HasSubstr("a.csv row 2: not valid UTF-8"));
  EXPECT_THAT(error("a.csv", std::string("\xff\xfet\0,\0", 6)), HasSubstr("UTF-16"));
  EXPECT_THAT(error("a.csv", "text,label,text\na,b,c\n"), HasSubstr("two columns are called text"));
  EXPECT_THAT(error("a.csv", "text,label\n"), HasSubstr("no examples"));
  EXPECT_THAT(error("a.csv", ""), HasSubstr("no examples"));
  EXPECT_THAT(error("a.jsonl", ""), HasSubstr("no examples"));
  EXPECT_THAT(error("a.csv", "text\na\nb\n"), HasSubstr("the only column is text"));
  EXPECT_THAT(error("a.csv", std::string(100, 'a') + ",good\nb,bad\n"),
              HasSubstr("the first line must name the columns"));
  EXPECT_THAT(error("a.csv", std::string(2000, ',') + "\n"), HasSubstr("more than 1000 columns"));
  EXPECT_THAT(error_of([] { load_table_task("/nowhere/a.csv", "mine"); }),
              HasSubstr("66: cannot read"));
}

// As --gym takes it: a table's name, its held-out rows, and its labels where it is read in part.
// Each name was compared with all before it: a line of tabs took hours.
TEST_F(TableFileTest, ThereAreAThousandColumnsAtMost) {
  const std::string tabs = "x" + std::string(500000, '\t');
  EXPECT_THAT(error("a.tsv", tabs + "\n" + tabs + "\n"),
              HasSubstr("a.tsv: it has 500001 columns; the most are 1000"));
  std::string line = "{\"a\":1";
  for (int i = 0; i < 1000; ++i) line += ",\"k" + std::to_string(i) + "\":1";
  EXPECT_THAT(error("a.jsonl", line + "}\n"), HasSubstr("it has 1001 columns"));
}

TEST_F(TableFileTest, AFileIsAGym) {
  std::string text = "text,label\n";
  for (int i = 0; i < 20; ++i) text += "t" + std::to_string(i) + (i % 2 == 0 ? ",a\n" : ",b\n");
  folder_.write("my data.csv", text);
  const Gym gym(folder_.path() / "my data.csv");
  EXPECT_THAT(gym.task_names(), ElementsAre("my_data"));
  EXPECT_THAT(gym.describe("my_data").labels, ElementsAre("a", "b"));
  const Task task = gym.load_task("my_data");
  EXPECT_EQ(task.records.at(Split::kTrain).size(), 12u);
  EXPECT_THAT(column(task, "text", Split::kTest), ElementsAre("t4", "t9", "t14", "t19"));
  EXPECT_THAT(gym.load_task("my_data", 1).labels, ElementsAre("a", "b"));
  folder_.write("p3.jsonl", "{\"inputs\": \"a\", \"targets\": \"b\"}\n");
  EXPECT_THAT(Gym(folder_.path() / "p3.jsonl").describe("p3").inputs, ElementsAre("input"));
  folder_.write("a.parquet", "PAR1");
  EXPECT_THAT(error_of([&] { Gym(folder_.path() / "a.parquet"); }),
              HasSubstr("none of .csv, .tsv and .jsonl; pandas writes those"));
}

}  // namespace
}  // namespace trivium
