#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/commands/program.h"
#include "core/base/file.h"
#include "core/base/temporary_folder.h"
#include "core/checkpoint/tiny_checkpoint.h"

namespace trivium::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class TaskTest : public ::testing::Test {
 protected:
  TaskTest() { save_checkpoint(tiny_checkpoint(), model_); }

  TemporaryFolder temporary_;
  std::string model_ = (temporary_.path() / "model").string();
};

TEST_F(TaskTest, ListsWhatACheckpointKnows) {
  const Outcome outcome = run_program({"task", "list", "--checkpoint", model_, "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Json json = Json::parse(outcome.out);
  EXPECT_EQ(json.at("routes"), "router");
  ASSERT_EQ(json.at("tasks").size(), 3u);
  EXPECT_EQ(json.at("tasks").at(1).at("task"), "mnli");
  EXPECT_EQ(json.at("tasks").at(0).at("labels"), (Json{"negative", "positive"}));
  EXPECT_THAT(run_program({"task", "list", "--checkpoint", model_}).out,
              AllOf(HasSubstr("3 tasks; routes: router\n"), HasSubstr("\ngsm8k_answer ")));
}

TEST_F(TaskTest, ShowsWhatACheckpointKnowsOfATask) {
  const auto show = [&](const std::vector<std::string>& more) {
    std::vector<std::string> all = {"task", "show", "--checkpoint", model_};
    all.insert(all.end(), more.begin(), more.end());
    return run_program(all);
  };
  const Outcome outcome = show({"mnli", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Json json = Json::parse(outcome.out);
  EXPECT_EQ(json.at("task"), "mnli");
  EXPECT_EQ(json.at("labels"), (Json{"entailment", "neutral", "contradiction"}));
  const TaskRoute route = tiny_checkpoint().info.routes->used[1];
  EXPECT_EQ(json.at("route").at("encoder"),
            (Json{0, TaskRoute::main_expert(route.encoder[1]) + 1}));
  EXPECT_EQ(json.at("route").at("decoder"), (Json{TaskRoute::main_expert(route.decoder[0]) + 1,
                                                  TaskRoute::main_expert(route.decoder[1]) + 1}));
  const std::string text = show({"mnli"}).out;
  EXPECT_THAT(text, AllOf(HasSubstr("task         mnli\n"), HasSubstr("family       made up\n"),
                          HasSubstr("route        {")));
  const Outcome unknown = show({"mnlj"});
  EXPECT_EQ(unknown.code, 66);
  EXPECT_THAT(unknown.err, HasSubstr("did you mean mnli?"));
}

// A gym of the tiny checkpoint's three tasks, each with one text over and over.
void write_gym(const std::filesystem::path& folder) {
  const auto write = [&](const std::string& task, const Json& inputs, const Json& labels,
                         const Json& record) {
    Json fields = inputs;
    fields.push_back("label");
    std::filesystem::create_directories(folder / task);
    write_file_atomically(folder / task / "task.json", Json{{"name", task},
                                                            {"family", "made up"},
                                                            {"fields", fields},
                                                            {"inputs", inputs},
                                                            {"target", "label"},
                                                            {"labels", labels},
                                                            {"metric", "accuracy"}}
                                                           .dump());
    const std::string line = record.dump() + "\n";
    for (const char* split : {"train.jsonl", "dev.jsonl", "test.jsonl"}) {
      write_file_atomically(folder / task / split, line + line + line);
    }
  };
  write("sst2", {"text"}, {"negative", "positive"}, {{"text", "0 1 2 3"}, {"label", "positive"}});
  write("mnli", {"premise", "hypothesis"}, {"entailment", "neutral", "contradiction"},
        {{"premise", "4 5"}, {"hypothesis", "6 7"}, {"label", "neutral"}});
  write("gsm8k_answer", {"question"}, Json::array(), {{"question", "8 9"}, {"label", "4"}});
}

TEST_F(TaskTest, TrainsWhatFindsATaskAndLeavesTheRest) {
  const std::filesystem::path gym = temporary_.path() / "gym";
  write_gym(gym);
  const auto finder = [&](const std::vector<std::string>& more) {
    std::vector<std::string> all = {"task", "finder", "--checkpoint",
                                    model_, "--gym",  gym.string()};
    all.insert(all.end(), more.begin(), more.end());
    return run_program(all);
  };
  const std::filesystem::path model = model_;
  const std::string weights = read_file(model / "model.safetensors");
  const std::string before = read_file(model / "task_finder.json");
  const Outcome measured = finder({"--limit", "2", "--json"});
  ASSERT_EQ(measured.code, 0) << measured.err;
  EXPECT_EQ(Json::parse(measured.out).at("all").at("inputs"), 6);
  EXPECT_LT(Json::parse(measured.out).at("all").at("task_right"), 1.0);
  EXPECT_EQ(read_file(model / "task_finder.json"), before);
  const Outcome trained = finder({"--train", "--json"});
  ASSERT_EQ(trained.code, 0) << trained.err;
  const Json all = Json::parse(trained.out).at("all");
  EXPECT_EQ(all.at("task"), "all");
  EXPECT_EQ(all.at("inputs"), 9);
  EXPECT_EQ(all.at("task_right"), 1.0);
  EXPECT_EQ(all.at("fit"), 1.0);
  EXPECT_NE(read_file(model / "task_finder.json"), before);
  EXPECT_EQ(read_file(model / "model.safetensors"), weights);
  EXPECT_EQ(run_program({"verify", "--checkpoint", model_}).code, 0);
  EXPECT_THAT(finder({}).out, HasSubstr("family right of fit"));
}

}  // namespace
}  // namespace trivium::cli
