#include "core/data/task_catalog.h"

#include <gmock/gmock.h>

#include "core/base/temporary_folder.h"

namespace trivium {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class TaskCatalogTest : public ::testing::Test {
 protected:
  TaskCatalogTest() {
    folder_.write("colour.toml",
                  "description = \"Colour of a thing.\"\nwords = { 0 = \"red\", 1 = \"green\" }\n"
                  "[example]\nthing = \"moss\"\n"
                  "[[template]]\nname = \"plain\"\ninput = \"colour of {{thing}}?\"\n");
    Task task;
    task.name = "colour";
    task.family = "other";
    task.metric = "macro_f1";
    task.inputs = {"thing"};
    task.target = "label";
    task.labels = {"0", "1"};
    task.licence = "CC0";
    task.source = "nobody";
    task.records[Split::kTrain].push_back({{{"thing", "blood"}, {"label", "0"}}, "f:1"});
    const PromptLibrary prompts(folder_.path());
    catalog_.add(task, prompts);
    task.name = "shape";
    task.labels.clear();
    catalog_.add(task, prompts);  // has no file: the plain template, no example
  }
  // The error of reading the catalog with one member of the first task changed.
  std::string error_with(const char* key, const Json& value) {
    Json json = catalog_.to_json();
    json["tasks"][0][key] = value;
    return error_of([&] { TaskCatalog::from_json(json, "tasks.json"); });
  }
  TemporaryFolder folder_;
  TaskCatalog catalog_;
};

TEST_F(TaskCatalogTest, SurvivesJsonWithoutThePromptsFolder) {
  const TaskCatalog copy =
      TaskCatalog::from_json(Json::parse(catalog_.to_json().dump()), "tasks.json");
  EXPECT_EQ(copy.to_json(), catalog_.to_json());
  EXPECT_THAT(copy.names(), ElementsAre("colour", "shape"));
  const TaskEntry& entry = copy.find("colour");
  EXPECT_EQ(entry.description, "Colour of a thing.");
  EXPECT_EQ(entry.task.metric, "macro_f1");
  EXPECT_EQ(entry.task.licence, "CC0");
  EXPECT_TRUE(entry.task.records.empty());
  EXPECT_THAT(entry.prompt->fixed_options(), ElementsAre("red", "green"));
  EXPECT_EQ(entry.prompt->render_input({{"thing", "coal"}}), "colour of coal?");
  EXPECT_EQ(entry.example_prompt(), "colour of moss?");
  EXPECT_EQ(copy.find("shape").prompt->render_input({{"thing", "coal"}}), "coal");
  EXPECT_EQ(copy.find("shape").example_prompt(), "");
}

TEST_F(TaskCatalogTest, FindsByName) {
  EXPECT_TRUE(catalog_.has("shape"));
  EXPECT_EQ(catalog_.index_of("shape"), 1u);
  EXPECT_THAT(error_of([&] { catalog_.find("color"); }),
              AllOf(StartsWith("66: "), HasSubstr("did you mean colour?")));
}

TEST_F(TaskCatalogTest, RefusesMalformedJson) {
  EXPECT_EQ(error_with("name", "hue"), "");
  EXPECT_THAT(error_with("name", "shape"),
              AllOf(StartsWith("76: tasks.json: task 1"), HasSubstr("second")));
  EXPECT_THAT(error_with("name", 3),
              AllOf(StartsWith("76: tasks.json: task 0"), HasSubstr("\"name\"")));
  EXPECT_THAT(error_with("colour", "red"), HasSubstr("unknown key \"colour\""));
  EXPECT_THAT(error_with("labels", {"0", "1", "2"}),
              AllOf(StartsWith("76: "), HasSubstr("no words for label")));
  EXPECT_THAT(error_with("example", "moss"), AllOf(StartsWith("76: "), HasSubstr("\"example\"")));
  EXPECT_THAT(error_with("example", {{"thin", "moss"}}),
              AllOf(StartsWith("76: "), HasSubstr("\"thing\" is missing")));
  EXPECT_THAT(error_with("template", {{"name", "x"}}), HasSubstr("\"input\" is missing"));
  EXPECT_THAT(
      error_with("template",
                 {{"name", "x"}, {"input", "{{"}, {"target", ""}, {"words", Json::object()}}),
      AllOf(StartsWith("76: "), HasSubstr("\"{{\"")));
  EXPECT_THAT(error_of([] {
                TaskCatalog::from_json({{"version", 2}, {"tasks", Json::array()}}, "t");
              }),
              HasSubstr("version 2"));
  EXPECT_THAT(error_of([] {
                TaskCatalog::from_json({{"version", 1}, {"tasks", 5}}, "t");
              }),
              StartsWith("76: t: "));
  EXPECT_THAT(error_of([] { TaskCatalog::from_json("text", "t"); }), StartsWith("76: t: "));
}

}  // namespace
}  // namespace trivium
