// Tasks that come and go while the server answers.
#include "cli/serve/server_fixture.h"

namespace trivium::cli {
namespace {

using ::testing::Contains;
using ::testing::Not;

class AddedTasksTest : public ServerTest {
 protected:
  std::vector<std::string> models() const {
    std::vector<std::string> names;
    const Json list = get("/v1/models");
    for (const Json& model : list.at("data")) names.push_back(model.at("id"));
    return names;
  }
  Json answer(const std::string& task) const {
    const Json reply =
        complete({{"model", "tiny:" + task}, {"prompt", "how many apples"}, {"max_tokens", 8}});
    const Json& choice = reply.at("choices").at(0);
    return {choice.at("text"), choice.at("trivium").at("score"), choice.at("trivium").at("route")};
  }
};

TEST_F(AddedTasksTest, AnAddedTaskIsThereAtOnceAndChangesNoOthersBytes) {
  start();
  const Json before = answer("sst2");
  expect_error(post("/v1/completions", {{"model", "tiny:tone"}, {"prompt", "x"}}), 404, "tone");
  add_tiny_task(folder_, "tone");
  const Json own = answer("tone");
  EXPECT_NE(own, before);
  EXPECT_EQ(own.at(2).at("decoder").at(0), 4) << "its own expert, behind the three of the pool";
  EXPECT_EQ(answer("sst2"), before);
  const Json tasks = get("/v1/tasks");
  EXPECT_EQ(tasks.at("tasks").size(), 4u);
  for (const Json& task : tasks.at("tasks")) {
    EXPECT_EQ(task.at("added"), task.at("name") == "tone");
  }
  EXPECT_THAT(models(), Contains("tiny:tone"));
  remove_added_task(folder_, "tone");
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));  // it looks once a second
  EXPECT_THAT(models(), Not(Contains("tiny:tone")));
  expect_error(post("/v1/completions", {{"model", "tiny:tone"}, {"prompt", "x"}}), 404, "tone");
  EXPECT_EQ(answer("sst2"), before);
}

TEST_F(AddedTasksTest, TasksComeAndGoUnderLoad) {
  start();
  const Json before = answer("sst2");
  add_tiny_task(folder_, "tone");
  const Json own = answer("tone");
  std::atomic<bool> ends = false;
  std::vector<std::thread> askers;
  for (const char* task : {"sst2", "tone", "tone"}) {
    askers.emplace_back([this, task, &ends, expected = std::string(task) == "sst2" ? before : own] {
      while (!ends) EXPECT_EQ(answer(task), expected) << task;
    });
  }
  for (int i = 0; i < 20; ++i) {
    add_tiny_task(folder_, "other");
    EXPECT_EQ(answer("other"), own) << "learned from the same seed";
    remove_added_task(folder_, "other");
  }
  ends = true;
  for (std::thread& asker : askers) asker.join();
}

}  // namespace
}  // namespace trivium::cli
