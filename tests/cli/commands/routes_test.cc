#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/commands/program.h"
#include "core/base/file.h"
#include "core/base/temporary_folder.h"
#include "core/checkpoint/tiny_checkpoint.h"
#include "core/routes/route_file.h"

namespace trivium::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class RoutesTest : public ::testing::Test {
 protected:
  RoutesTest() {
    save_checkpoint(tiny_checkpoint(), model_);
    add_task("sst2", {"text"}, {"negative", "positive"});
    add_task("mnli", {"premise", "hypothesis"}, {"entailment", "neutral", "contradiction"});
    add_task("gsm8k_answer", {"question"}, {});
    write("split.json", R"({"seen": ["sst2", "mnli", "gsm8k_answer"]})");
  }

  void write(const fs::path& name, const std::string& text) const {
    fs::create_directories((gym_ / name).parent_path());
    write_file_atomically(gym_ / name, text);
  }

  void add_task(const std::string& name, const std::vector<std::string>& inputs,
                const std::vector<std::string>& labels) const {
    Json fields = inputs;
    fields.push_back("label");
    write(fs::path(name) / "task.json", Json{{"name", name},
                                             {"family", "made up"},
                                             {"fields", fields},
                                             {"inputs", inputs},
                                             {"target", "label"},
                                             {"labels", labels},
                                             {"metric", "accuracy"}}
                                            .dump());
    Json record{{"label", labels.empty() ? "4" : labels[0]}};
    for (const std::string& input : inputs) record[input] = "a dull war film of " + input;
    for (const char* split : {"train", "dev", "test"}) {
      write(fs::path(name) / (std::string(split) + ".jsonl"), record.dump() + "\n");
    }
  }

  Outcome routes(const std::string& part, const std::vector<std::string>& more) const {
    std::vector<std::string> all = {"routes", part};
    if (part != "dynamics") all.insert(all.end(), {"--checkpoint", model_});
    all.insert(all.end(), more.begin(), more.end());
    return run_program(all);
  }
  std::string output(const std::string& name) const { return (temporary_.path() / name).string(); }

  TemporaryFolder temporary_;
  std::string model_ = (temporary_.path() / "model").string();
  fs::path gym_ = temporary_.path() / "gym";
};

TEST_F(RoutesTest, ShowsEveryTask) {
  const Outcome table = routes("show", {});
  ASSERT_EQ(table.code, 0) << table.err;
  EXPECT_THAT(table.out, AllOf(HasSubstr("sst2"), HasSubstr("mnli"), HasSubstr("dec 2")));
  EXPECT_THAT(table.out, Not(HasSubstr("enc 1")));  // an ordinary layer
  const Outcome json = routes("show", {"--json"});
  ASSERT_EQ(json.code, 0) << json.err;
  const CheckpointInfo info = tiny_checkpoint().info;
  EXPECT_EQ(Json::parse(json.out), to_json(dump_routes(*info.routes, info.config, info.tasks)));
}

TEST_F(RoutesTest, DrawsAPageAndAPicture) {
  ASSERT_EQ(routes("plot", {"--output", output("a.html")}).code, 0);
  EXPECT_THAT(read_file(output("a.html")), HasSubstr("<h1>Routes of model</h1>"));
  ASSERT_EQ(routes("plot", {"--output", output("a.svg")}).code, 0);
  EXPECT_TRUE(read_file(output("a.svg")).starts_with("<svg"));
  EXPECT_EQ(routes("plot", {"--output", output("a.svg")}).code, 73);
  const Outcome png = routes("plot", {"--output", output("a.png")});
  EXPECT_EQ(png.code, 2);
  EXPECT_THAT(png.err, HasSubstr("end the name in .html or .svg"));
  EXPECT_FALSE(std::filesystem::exists(output("a.png")));
  EXPECT_EQ(routes("plot", {"--output", output("a.svg"), "--overwrite"}).code, 0);
}

TEST_F(RoutesTest, PlaysFoldersAndRouteFiles) {
  ASSERT_EQ(routes("dynamics", {model_, model_, "--output", output("a.html")}).code, 0);
  EXPECT_THAT(read_file(output("a.html")), HasSubstr("id=\"play\""));
  const Json dump = Json::parse(routes("show", {"--json"}).out);
  RouteFile file(output("routes.jsonl"));
  for (int64_t step : {0, 7}) file.add(step, route_dump_from_json(dump, "it"));
  const Outcome outcome = routes("dynamics", {output("routes.jsonl"), "-o", output("b.html")});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(read_file(output("b.html")), HasSubstr("\"label\":\"step 7\""));
  EXPECT_EQ(routes("dynamics", {model_, "-o", output("b.svg")}).code, 2);
}

TEST_F(RoutesTest, CorrelatesFeatures) {
  const Outcome text = routes("correlate", {"--gym", gym_.string()});
  ASSERT_EQ(text.code, 0) << text.err;
  EXPECT_THAT(text.out, HasSubstr("tests (feature × expert) over 3 tasks"));
  const Outcome json = routes("correlate", {"--gym", gym_.string(), "--json"});
  ASSERT_EQ(json.code, 0) << json.err;
  EXPECT_EQ(Json::parse(json.out).at("tasks"), 3);
}

TEST_F(RoutesTest, DrawsWhichExpertEachTokenTakes) {
  const std::string gated = output("gated");
  save_checkpoint(tiny_checkpoint(TinyModel::kTokenGates), gated);
  const auto gates = [&](const std::string& checkpoint, const std::vector<std::string>& more) {
    std::vector<std::string> all = {"routes",   "gates",     "--checkpoint",
                                    checkpoint, "--threads", "1"};
    all.insert(all.end(), more.begin(), more.end());
    return run_program(all);
  };
  const Outcome outcome =
      gates(gated, {"--text", "ab c", "--tasks", "mnli", "sst2", "-o", output("gates.html")});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const std::string page = read_file(output("gates.html"));
  EXPECT_THAT(page, AllOf(HasSubstr("Gates of " + gated), HasSubstr("##b"), HasSubstr("mnli"),
                          HasSubstr("sst2"), Not(HasSubstr("gsm8k_answer"))));
  EXPECT_EQ(gates(gated, {"-o", output("gates.html")}).code, 73);
  EXPECT_EQ(gates(gated, {"--tasks", "sst9", "-o", output("b.html")}).code, 66);
  const Outcome routed = gates(model_, {"-o", output("b.html")});
  EXPECT_EQ(routed.code, 2);
  EXPECT_THAT(routed.err, HasSubstr("this model has no token gates"));
  EXPECT_FALSE(fs::exists(output("b.html")));
}

TEST_F(RoutesTest, DenseModelsHaveNone) {
  save_checkpoint(tiny_checkpoint(TinyModel::kDense), output("dense"));
  const Outcome outcome = run_program({"routes", "show", "--checkpoint", output("dense")});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("the model is dense"));
}

}  // namespace
}  // namespace trivium::cli
