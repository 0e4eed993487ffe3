#include "core/routes/route_dump.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "core/base/temporary_folder.h"
#include "core/routes/small_routes.h"

namespace trivium {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::vector<std::string> kTasks = {"d", "c", "b", "a"}, kFamilies = {"y", "x", "y", "x"};

RouteDump small_dump() {
  return dump_routes(small_routes(), small_routed_config(), kTasks, kFamilies);
}

TEST(RouteDumpTest, HoldsEveryTasksRouteByFamily) {
  const RouteDump dump = small_dump();
  EXPECT_EQ(dump.places, (std::vector<LayerPlace>{{false, 1}, {true, 0}, {true, 1}}));
  EXPECT_EQ(dump.num_experts, 3u);
  EXPECT_EQ(dump.temperature, 0.5);
  ASSERT_EQ(dump.tasks.size(), 4u);
  std::string order;
  const std::map<std::string, size_t> rows = {{"d", 0}, {"c", 1}, {"b", 2}, {"a", 3}};
  const ModelRoutes routes = small_routes();
  for (const RouteRow& row : dump.tasks) {
    order += row.family + row.task + ' ';
    for (size_t p = 0; p < dump.places.size(); ++p) {
      for (size_t e = 0; e < 3; ++e) {
        const size_t task = rows.at(row.task);
        EXPECT_EQ(row.used[dump.column(p, e)], weights_at(routes.used[task], dump.places[p])[e]);
        EXPECT_EQ(row.likely[dump.column(p, e)],
                  weights_at(routes.likely[task], dump.places[p])[e]);
      }
    }
  }
  EXPECT_EQ(order, "xa xc yb yd ");
}

TEST(RouteDumpTest, DenseModelsHaveNone) {
  EXPECT_THAT(error_of([&] { dump_routes(ModelRoutes(), ModelConfig(), {}, {}); }),
              StartsWith("2: the model is dense"));
}

TEST(RouteDumpTest, JsonAndBack) {
  const RouteDump dump = small_dump();
  const RouteDump back = route_dump_from_json(to_json(dump), "here");
  EXPECT_EQ(back.places, dump.places);
  ASSERT_EQ(back.tasks.size(), dump.tasks.size());
  EXPECT_EQ(back.temperature, 0.5);
  for (size_t row = 0; row < dump.tasks.size(); ++row) {
    EXPECT_EQ(back.tasks[row].task, dump.tasks[row].task);
    EXPECT_EQ(back.tasks[row].family, dump.tasks[row].family);
    for (size_t c = 0; c < dump.columns(); ++c) {
      EXPECT_NEAR(back.tasks[row].likely[c], dump.tasks[row].likely[c], 5.1e-5);
      EXPECT_NEAR(back.tasks[row].used[c], dump.tasks[row].used[c], 5.1e-5);
    }
  }
  EXPECT_EQ(to_json(back), to_json(dump));
  EXPECT_EQ(dump.column_name(4), "decoder 1, expert 2");
}

TEST(RouteDumpTest, RefusesOtherJson) {
  const Json good = to_json(small_dump());
  const auto error = [](const Json& json) {
    return error_of([&] { route_dump_from_json(json, "f.jsonl:3"); });
  };
  EXPECT_THAT(error(Json::array()), StartsWith("65: f.jsonl:3"));
  Json bad = good;
  bad["places"][0] = "attic 3";
  EXPECT_THAT(error(bad), HasSubstr("\"attic 3\" is no layer"));
  for (const char* name :
       {"encoder 0", "encoder 03", "decoder", "encoder -1", "encoder 99999999999"}) {
    bad["places"][0] = name;
    EXPECT_THAT(error(bad), HasSubstr("is no layer")) << name;
  }
  bad = good;
  bad["tasks"][1]["likely"][0].push_back(0.5);
  EXPECT_THAT(error(bad), HasSubstr("\"likely\" is not of 3 layers with 3 experts"));
  bad = good;
  bad["tasks"][1]["used"].erase(0);
  EXPECT_THAT(error(bad), HasSubstr("\"used\" is not of 3 layers"));
  bad = good;
  bad["tasks"][1]["used"][0][0] = 1.5;
  EXPECT_THAT(error(bad), HasSubstr("beyond 0 to 1"));
  bad = good;
  bad["experts"] = 1000000000;
  EXPECT_THAT(error(bad), StartsWith("65: f.jsonl:3"));
}

}  // namespace
}  // namespace trivium
