#include "core/routes/route_dump.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "core/base/temporary_folder.h"
#include "learning/model/random_model.h"

namespace trivium {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::vector<std::string> kTasks = {"d", "c", "b", "a"}, kFamilies = {"y", "x", "y", "x"};

ModelConfig config_of(SelectionKind selection) {
  ModelConfig config = small_config(3);
  config.routing.encoder_vanilla_layers = {0};
  config.routing.selection = selection;
  return config;
}

TEST(RouteDumpTest, HoldsEveryTasksRouteByFamily) {
  torch::NoGradGuard no_grad;
  for (SelectionKind kind : {SelectionKind::kSoftmax, SelectionKind::kGumbelStraightThrough}) {
    Seq2SeqModel model = random_model(config_of(kind));
    const RouteDump dump = dump_routes(model, kTasks, kFamilies, 0.5);
    EXPECT_EQ(dump.places, (std::vector<LayerPlace>{{false, 1}, {true, 0}, {true, 1}}));
    EXPECT_EQ(dump.temperature, 0.5);
    ASSERT_EQ(dump.tasks.size(), 4u);
    std::string order;
    const std::map<std::string, int64_t> rows = {{"d", 0}, {"c", 1}, {"b", 2}, {"a", 3}};
    for (const RouteRow& row : dump.tasks) {
      order += row.family + row.task + ' ';
      const TaskRoute route = route_of_task(model, rows.at(row.task), 0.5);
      const torch::Tensor likely =
          model->router_logits(torch::full({1}, rows.at(row.task), torch::kInt64)).softmax(-1);
      for (size_t p = 0; p < dump.places.size(); ++p) {
        for (size_t e = 0; e < 3; ++e) {
          EXPECT_FLOAT_EQ(row.used[dump.column(p, e)], weights_at(route, dump.places[p])[e]);
          // Layer 0 of the tensor is the ordinary one.
          EXPECT_NEAR(row.likely[dump.column(p, e)],
                      likely[static_cast<int64_t>(p) + 1][0][static_cast<int64_t>(e)].item<float>(),
                      1e-6);
        }
      }
    }
    EXPECT_EQ(order, "xa xc yb yd ");
  }
}

TEST(RouteDumpTest, ATableIsWhatIsUsed) {
  ModelConfig config = config_of(SelectionKind::kSoftmax);
  config.routing.route_source = RouteSource::kTable;
  Seq2SeqModel model(config, 4);
  const RouteDump dump = dump_routes(model, kTasks, kFamilies, 1);
  EXPECT_EQ(dump.tasks[0].likely, dump.tasks[0].used);
  EXPECT_FLOAT_EQ(dump.tasks[0].used[0], 1.0f / 3);
}

TEST(RouteDumpTest, DenseModelsHaveNone) {
  Seq2SeqModel model = random_model(small_config(1));
  EXPECT_THAT(error_of([&] { dump_routes(model, {}, {}, 1); }),
              StartsWith("2: the model is dense"));
}

TEST(RouteDumpTest, JsonAndBack) {
  Seq2SeqModel model = random_model(config_of(SelectionKind::kSoftmax));
  const RouteDump dump = dump_routes(model, kTasks, kFamilies, 0.5);
  const RouteDump back = route_dump_from_json(to_json(dump), "here");
  EXPECT_EQ(back.places, dump.places);
  EXPECT_EQ(back.tasks.size(), dump.tasks.size());
  for (size_t c = 0; c < dump.columns(); ++c) {
    EXPECT_NEAR(back.tasks[1].likely[c], dump.tasks[1].likely[c], 5.1e-5);
  }
  EXPECT_EQ(to_json(back), to_json(dump));
  EXPECT_EQ(dump.column_name(4), "decoder 1, expert 2");
}

TEST(RouteDumpTest, RefusesOtherJson) {
  Seq2SeqModel model = random_model(config_of(SelectionKind::kSoftmax));
  const Json good = to_json(dump_routes(model, kTasks, kFamilies, 0.5));
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
