#include "cli/repl/route_reasons.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/base/temporary_folder.h"

namespace trivium::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// One layer of two experts: tasks a0 to a4 of family "a" take the first, b0 to b4 the second.
RouteDump two_families() {
  RouteDump dump;
  dump.places = {{false, 0}};
  dump.num_experts = 2;
  for (const char* family : {"a", "b"}) {
    for (int i = 0; i < 5; ++i) {
      const float first = *family == 'a' ? 0.9f - 0.01f * static_cast<float>(i) : 0.1f;
      dump.tasks.push_back({family + std::to_string(i),
                            family,
                            {first, 1 - first},
                            {first > 0.5f ? 1.0f : 0.0f, first > 0.5f ? 0.0f : 1.0f}});
    }
  }
  return dump;
}

TEST(RouteReasonsTest, NamesTheTasksWithTheNearestRoutes) {
  const std::vector<NearRoute> near = nearest_routes(two_families(), "a0", 5);
  ASSERT_EQ(near.size(), 5u);
  EXPECT_EQ(near[0].task, "a1");
  EXPECT_EQ(near[0].same, 1u);
  EXPECT_NEAR(near[0].likeness, 0.99, 1e-5);
  EXPECT_EQ(near[3].task, "a4");
  EXPECT_EQ(near[4].same, 0u);
  EXPECT_THAT(nearest_routes(two_families(), "c", 5), IsEmpty());
}

TEST(RouteReasonsTest, NamesTheKindsOfTasksThatGoWithAnExpert) {
  const TemporaryFolder temporary;
  const auto labels = temporary.write("labels.toml",
                                      "[features]\nlong = \"long texts\"\nodd = \"odd ones\"\n"
                                      "[tasks]\na0 = [\"long\", \"odd\"]\na1 = [\"long\"]\n"
                                      "a2 = [\"long\", \"odd\"]\na3 = [\"long\"]\n"
                                      "b0 = [\"odd\"]\nb1 = []\nb2 = [\"odd\"]\nb3 = []\n");
  const std::vector<ExpertMeaning> meanings = expert_meanings(two_families(), "a0", labels);
  ASSERT_EQ(meanings.size(), 1u);
  EXPECT_EQ(meanings[0].expert, "encoder 1, expert 1");
  EXPECT_THAT(meanings[0].kinds,
              ElementsAre(HasSubstr("family a (r 1.00)"), HasSubstr("long (r 1.00)")));
  const TerminalStyle style{.width = 80, .utf8 = true, .colour = false};
  EXPECT_THAT(route_reasons(two_families(), "b1", labels, style),
              HasSubstr("encoder 1, expert 2: family b"));
}

}  // namespace
}  // namespace trivium::cli
