#include "core/routes/model_routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "core/base/temporary_folder.h"
#include "core/routes/small_routes.h"

namespace trivium {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string refusal(const Json& json) {
  return error_of([&] { model_routes_from_json(json, small_routed_config(), "routes.json"); });
}

// What is said of the routes after `change` to their JSON.
template <typename Change>
std::string refusal_after(const Change& change) {
  Json json = to_json(small_routes());
  change(json);
  return refusal(json);
}

TEST(ModelRoutesTest, JsonAndBackKeepsEveryDigit) {
  const ModelRoutes routes = small_routes();
  const Json json = Json::parse(to_json(routes).dump());
  EXPECT_EQ(model_routes_from_json(json, small_routed_config(), "routes.json"), routes);
  EXPECT_EQ(json.at("temperature"), 0.5);
  ASSERT_EQ(json.at("tasks").size(), 4u);
  EXPECT_EQ(json.at("tasks").at(0).at("used").at("encoder").at(1), (Json{0.0625, 0.25, 0.6875}));
}

TEST(ModelRoutesTest, AWeightMayBeRoundedAndAnExpertLeftOut) {
  EXPECT_EQ(refusal_after([](Json& json) {
              json["tasks"][0]["likely"]["decoder"][1] = {0.3333, 0.6667, 0};
            }),
            "");
}

TEST(ModelRoutesTest, RefusesOtherJson) {
  for (const char* text :
       {"[]", "3", "{}", R"({"tasks": []})", R"({"temperature": 1})",
        R"({"temperature": 1, "tasks": []})", R"({"temperature": "warm", "tasks": [{}]})"}) {
    EXPECT_THAT(refusal(Json::parse(text)),
                AllOf(StartsWith("76: routes.json: "), HasSubstr("\"temperature\""),
                      HasSubstr("\"tasks\"")))
        << text;
  }
  for (const char* key : {"likely", "used"}) {
    EXPECT_EQ(refusal_after([&](Json& json) { json["tasks"][1].erase(key); }),
              "76: routes.json, task 2: a task without the key \"" + std::string(key) + "\"");
  }
  EXPECT_THAT(refusal_after([](Json& json) { json["tasks"][3] = 7; }),
              StartsWith("76: routes.json, task 4: a task without the key"));
  for (const char* stack : {"encoder", "decoder"}) {
    EXPECT_THAT(refusal_after([&](Json& json) { json["tasks"][2]["used"].erase(stack); }),
                AllOf(StartsWith("76: routes.json, task 3"), HasSubstr(stack)));
    EXPECT_THAT(refusal_after([&](Json& json) { json["tasks"][2]["used"][stack][1][0] = "much"; }),
                AllOf(StartsWith("76: routes.json, task 3"), HasSubstr(stack)));
  }
}

TEST(ModelRoutesTest, RefusesRoutesOfAnotherModel) {
  EXPECT_EQ(refusal_after([](Json& json) { json["tasks"][0]["used"]["encoder"].erase(0); }),
            "76: routes.json, task 1: \"encoder\" is not of 2 layers");
  EXPECT_EQ(refusal_after([](Json& json) {
              json["tasks"][0]["used"]["encoder"][0] = {0, 1, 0};  // an ordinary layer
            }),
            "76: routes.json, task 1: layer 1 of \"encoder\" is not of 1 weights that add up to 1");
  EXPECT_EQ(
      refusal_after([](Json& json) { json["tasks"][0]["likely"]["decoder"][1].push_back(0); }),
      "76: routes.json, task 1: layer 2 of \"decoder\" is not of 3 weights that add up to 1");
}

TEST(ModelRoutesTest, RefusesWeightsThatAreNoDistribution) {
  const Json null;  // what JSON makes of a NaN
  for (const Json& weights : {Json{0.5, 0.5, 0.5}, Json{0.2, 0.2, 0.2}, Json{1.5, -0.5, 0},
                              Json{2, -1, 0}, Json{null, 0.5, 0.5}, Json{1e39, 0, 0}}) {
    EXPECT_THAT(
        refusal_after([&](Json& json) { json["tasks"][0]["used"]["decoder"][0] = weights; }),
        AllOf(StartsWith("76: routes.json, task 1"), HasSubstr("decoder")))
        << weights;
  }
}

}  // namespace
}  // namespace trivium
