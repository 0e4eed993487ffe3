#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/commands/program.h"
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

}  // namespace
}  // namespace trivium::cli
