// --json: who has it, and what an error looks like with it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "cli/commands/commands.h"
#include "cli/commands/program.h"
#include "core/base/temporary_folder.h"
#include "core/checkpoint/tiny_checkpoint.h"

namespace trivium::cli {
namespace {

namespace fs = std::filesystem;

// Commands that report nothing, or nothing but JSON.
const std::set<std::string>& without_json() {
  static const std::set<std::string> names = {
      "trivium repl",                   // a conversation
      "trivium generate",               // JSON lines
      "trivium score",                  // JSON lines
      "trivium serve",                  // HTTP
      "trivium task remove",            // says that it has
      "trivium curves",                 // a picture
      "trivium routes plot",            // a page
      "trivium routes dynamics",        // a page
      "trivium routes gates",           // a page
      "trivium tokenizer train",        // a folder
      "trivium bench generation",       // JSON
      "trivium bench routed-decoding",  // JSON
  };
  return names;
}

void collect(const CLI::App& app, const std::string& name, std::set<std::string>& without) {
  const std::vector<const CLI::App*> inner =
      app.get_subcommands([](const CLI::App*) { return true; });
  for (const CLI::App* command : inner)
    collect(*command, name + " " + command->get_name(), without);
  if (inner.empty() && app.get_option_no_throw("--json") == nullptr) without.insert(name);
}

TEST(JsonTest, EveryCommandThatReportsHasIt) {
  CLI::App app("a description", "trivium");
  int status = 0;
  add_commands(app, status);
  std::set<std::string> without;
  collect(app, "trivium", without);
  EXPECT_EQ(without, without_json());
}

class JsonReportTest : public ::testing::Test {
 protected:
  JsonReportTest() { save_checkpoint(tiny_checkpoint(), model_); }

  TemporaryFolder temporary_;
  std::string model_ = (temporary_.path() / "model").string();
};

TEST_F(JsonReportTest, AReportIsOneObjectInALine) {
  const std::string output = (temporary_.path() / "exported").string();
  for (const std::vector<std::string>& command : {std::vector<std::string>{"task", "list"},
                                                  {"task", "show", "sst2"},
                                                  {"routes", "show"},
                                                  {"verify"},
                                                  {"export", "--output", output},
                                                  {"doctor", "--threads", "1"}}) {
    std::vector<std::string> all = command;
    all.insert(all.end(), {"--json", "--checkpoint", model_});
    const Outcome outcome = run_program(all);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    const std::vector<Json> lines = json_lines(outcome.out);
    ASSERT_EQ(lines.size(), 1u) << command[0];
    EXPECT_TRUE(lines[0].is_object()) << command[0];
  }
  EXPECT_EQ(Json::parse(run_program({"verify", "--json", "--checkpoint", model_}).out),
            (Json{{"checkpoint", model_}, {"files", 7}}));
}

TEST_F(JsonReportTest, AnErrorIsOneObjectOnStandardErrorAndNothingIsPrinted) {
  const auto error_of = [&](const std::vector<std::string>& arguments, int code) {
    const Outcome outcome = run_program(arguments);
    EXPECT_EQ(outcome.code, code);
    EXPECT_EQ(outcome.out, "");
    const std::vector<Json> lines = json_lines(outcome.err);
    EXPECT_EQ(lines.size(), 1u) << outcome.err;
    const Json error = lines.at(0).at("error");
    EXPECT_EQ(error.at("code"), code);
    EXPECT_NE(error.at("message"), "");
    return error.at("kind").get<std::string>();
  };
  EXPECT_EQ(error_of({"task", "show", "sst9", "--json", "--checkpoint", model_}, 66),
            "missing_input");
  EXPECT_EQ(error_of({"verify", "--json", "--checkpoint", temporary_.path().string()}, 66),
            "missing_input");
  EXPECT_EQ(error_of({"task", "show", "--json"}, 2), "usage");
  EXPECT_EQ(error_of({"task", "lst", "--json"}, 2), "usage");
  temporary_.write("model/manifest.json", "{");
  EXPECT_EQ(error_of({"verify", "--json", "--checkpoint", model_}, 76), "bad_model");
  EXPECT_EQ(run_program({"task", "show", "sst9"}).err.substr(0, 7), "error: ");
}

TEST(JsonTokenizerTest, GivesALineForALine) {
  const std::string bert = (fs::path(TRIVIUM_TEST_DATA) / "tiny_bert").string();
  const Outcome encoded =
      run_program({"tokenizer", "encode", "--json", "--checkpoint", bert}, "ab c\n\n");
  const std::vector<Json> lines = json_lines(encoded.out);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].at("tokens"), (Json{"a", "##b", "c"}));
  EXPECT_EQ(lines[1].at("ids"), Json::array());
  std::string ids;
  for (const Json& id : lines[0].at("ids")) ids += std::to_string(id.get<int>()) + " ";
  const Outcome decoded =
      run_program({"tokenizer", "decode", "--json", "--checkpoint", bert}, ids + "\n");
  EXPECT_EQ(decoded.out, "{\"text\":\"ab c\"}\n");
}

}  // namespace
}  // namespace trivium::cli
