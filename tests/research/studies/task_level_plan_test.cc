#include "research/studies/task_level_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/base/temporary_folder.h"

namespace trivium::research {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::filesystem::path kConfigs = TRIVIUM_SOURCE_DIR "/configs/task_level";

TEST(TaskLevelPlan, TheShippedOneNamesShippedMethods) {
  const TaskLevelPlan plan = read_task_level_plan(kConfigs / "plan.toml");
  EXPECT_EQ(plan.dense, "vanilla");
  EXPECT_THAT(plan.tried_against, ElementsAre("task_random_1", "average"));
  ASSERT_EQ(plan.claims.size(), 13u);
  for (const TaskLevelClaim& claim : plan.claims) {
    EXPECT_NE(claim.better, claim.worse);
    for (const std::string& method : {claim.better, claim.worse}) {
      EXPECT_TRUE(std::filesystem::exists(kConfigs / (method + ".toml"))) << method;
    }
  }
  // "naive sparsity … is below vanilla"
  EXPECT_EQ(plan.claims[0].better, "vanilla");
  EXPECT_EQ(plan.claims[0].worse, "instance_random");
  EXPECT_EQ(plan.claims[0].part, ScorePart::kSeen);
  EXPECT_EQ(plan.claims[12].part, ScorePart::kZeroShotRanked);
}

TEST(TaskLevelPlan, MistakesAreRefusedWithFileAndLine) {
  const std::string good =
      "methods = [\"vanilla\", \"average\"]\n"
      "dense = \"vanilla\"\n"
      "tried_against = [\"average\"]\n"
      "[[claim]]\n"
      "text = \"a claim\"\n"
      "part = \"few_shot\"\n"
      "better = \"average\"\n"
      "worse = \"vanilla\"\n";
  const TemporaryFolder folder;
  ASSERT_EQ(read_task_level_plan(folder.write("plan.toml", good)).claims.at(0).part,
            ScorePart::kFewShot);
  struct Mistake {
    std::string right, wrong, message;
  };
  for (const Mistake& mistake : std::vector<Mistake>{
           {"dense = \"vanilla\"", "dense = \"vanila\"", "plan.toml:2: dense: "},
           {"[\"average\"]", "[\"averag\"]", "plan.toml:3: tried_against: "},
           {"few_shot", "fewshot", "plan.toml:6: part: "},
           {"better = \"average\"", "better = \"learned\"", "there is no method \"learned\""},
           {"worse", "base", "plan.toml:8: unknown key \"base\""}}) {
    std::string text = good;
    text.replace(text.find(mistake.right), mistake.right.size(), mistake.wrong);
    try {
      read_task_level_plan(folder.write("plan.toml", text));
      ADD_FAILURE() << "was read: " << mistake.wrong;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kConfig);
      EXPECT_THAT(error.what(), HasSubstr(mistake.message));
    }
  }
}

}  // namespace
}  // namespace trivium::research
