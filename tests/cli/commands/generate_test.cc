#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "cli/commands/program.h"
#include "core/base/file.h"
#include "core/base/random_tensor.h"
#include "core/base/temporary_folder.h"
#include "core/checkpoint/tiny_checkpoint.h"
#include "core/inference/loaded_model.h"

namespace trivium::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class GenerateTest : public ::testing::Test {
 protected:
  GenerateTest() { save_checkpoint(tiny_checkpoint(), model_); }

  std::vector<std::string> arguments(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all = {"generate", "--checkpoint", model_, "--threads", "1"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  Outcome generate(const std::vector<std::string>& more, const std::string& input) const {
    return run_program(arguments(more), input);
  }

  TemporaryFolder temporary_;
  std::string model_ = (temporary_.path() / "model").string();
};

TEST_F(GenerateTest, GivesTheNBestOfItsBeams) {
  const std::string line = "{\"task\":\"sst2\",\"input\":\"a gorgeous, witty film\"}\n";
  const Json one = json_lines(generate({"--num-beams", "4"}, line).out).at(0);
  EXPECT_FALSE(one.contains("n_best"));
  const Outcome outcome = generate({"--num-beams", "4", "--n-best", "3"}, line);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  Json several = json_lines(outcome.out).at(0);
  const Json best = several.at("n_best");
  ASSERT_EQ(best.size(), 3u);
  for (const char* key : {"text", "score", "finish"}) EXPECT_EQ(best.at(0).at(key), one.at(key));
  EXPECT_GE(best.at(0).at("score"), best.at(1).at("score"));
  EXPECT_GE(best.at(1).at("score"), best.at(2).at("score"));
  EXPECT_NE(best.at(1), best.at(2));
  several.erase("n_best");
  EXPECT_EQ(several, one);
  const Outcome refused = generate({"--num-beams", "2", "--n-best", "3"}, line);
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("--n-best 3 is more than there are beams (2)"));
}

double sum_of(const Json& tokens) {
  double sum = 0;
  for (const Json& token : tokens) sum += token.at(1).get<double>();
  return sum;
}

TEST_F(GenerateTest, TellsWhatItsScoreIsMadeOf) {
  const std::string line = "{\"task\":\"sst2\",\"input\":\"a gorgeous, witty film\"}\n";
  EXPECT_FALSE(json_lines(generate({}, line).out).at(0).contains("tokens"));
  for (const std::string beams : {"1", "3"}) {
    const Outcome outcome =
        generate({"--token-scores", "--num-beams", beams, "--n-best", beams}, line);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const Json answer = json_lines(outcome.out).at(0);
    for (const Json& one : answer.value("n_best", Json::array({answer}))) {
      const Json tokens = one.at("tokens");
      ASSERT_FALSE(tokens.empty());
      // Beams are scored by the mean (a length penalty of 1), greedy answers by the sum.
      const double parts = beams == "1" ? 1.0 : static_cast<double>(tokens.size());
      EXPECT_NEAR(one.at("score"), sum_of(tokens) / parts, 1e-5);
      EXPECT_EQ(tokens.back().at(0) == "[SEP]", one.at("finish") == "eos");
    }
  }
}

TEST_F(GenerateTest, BeginsWithThePrefix) {
  const std::string task = "{\"task\":\"sst2\",\"input\":\"a gorgeous, witty film\"";
  std::string many;
  for (int i = 0; i < 100; ++i) many += "a b ";
  for (const char* beams : {"1", "3"}) {
    const Outcome outcome = generate({"--prefix", "a b", "--num-beams", beams, "--token-scores"},
                                     task + "}\n" + task + ", \"prefix\": \"c a\"}\n" + task +
                                         ", \"prefix\": \"" + many + "\"}\n");
    EXPECT_EQ(outcome.code, 65) << outcome.err;
    EXPECT_EQ(
        generate({"--prefix", "a b", "--num-beams", beams}, task + ", \"prefix\": \"\"}\n").out,
        generate({"--num-beams", beams}, task + "}\n").out)
        << "a line's own prefix may be none";
    const std::vector<Json> lines = json_lines(outcome.out);
    ASSERT_TRUE(lines.at(0).contains("text")) << outcome.out;
    EXPECT_THAT(lines.at(0).at("text").get<std::string>(), StartsWith("a b"));
    EXPECT_THAT(lines.at(1).at("text").get<std::string>(), StartsWith("c a"));
    EXPECT_EQ(lines.at(1).at("tokens").at(0).at(1), 0) << "a forced token has no say in the score";
    EXPECT_THAT(lines.at(2).at("error").get<std::string>(),
                HasSubstr("leave no room for an answer of --max-length"));
  }
}

TEST_F(GenerateTest, PrintsTextTaskAndRoute) {
  const Outcome outcome =
      generate({}, "{\"task\":\"sst2\",\"input\":\"a gorgeous, witty film\"}\n");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.err, "");
  const std::vector<Json> lines = json_lines(outcome.out);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].at("line"), 1);
  EXPECT_EQ(lines[0].at("task"), "sst2");
  EXPECT_EQ(lines[0].at("task_source"), "named");
  EXPECT_TRUE(lines[0].at("text").is_string());
  EXPECT_TRUE(lines[0].at("score").is_number());
  EXPECT_EQ(lines[0].at("truncated"), false);
  const LoadedModel model(model_, EngineOptions{});
  const TaskRoute& route = model.route(0);
  EXPECT_EQ(lines[0].at("route"),
            (Json{{"encoder", {0, TaskRoute::main_expert(route.encoder[1]) + 1}},
                  {"decoder",
                   {TaskRoute::main_expert(route.decoder[0]) + 1,
                    TaskRoute::main_expert(route.decoder[1]) + 1}}}));
}

TEST_F(GenerateTest, EveryLineInIsALineOutInOrder) {
  std::string huge = "{\"id\":\"huge\",\"task\":\"sst2\",\"input\":\"";
  huge.append(10'000'000, 'a');
  const std::string input =
      "{\"id\":7,\"task\":\"sst2\",\"input\":\"a film\"}\n"
      "\n"
      "{\"id\":\"crlf\",\"task\":\"sst2\",\"input\":\"a film\"}\r\n"
      "{\"task\":\"sst2\",\"input\":\"bad \xff byte\"}\n"
      "{\"id\":5,\"task\":\n"
      "{\"id\":6,\"task\":\"sst9\",\"input\":\"a film\"}\n"
      "{\"id\":8,\"input\":3}\n" +
      huge +
      "\"}\n"
      "   \t\n"
      "{\"task\":\"sst2\",\"input\":\"\"}\n"
      "{\"task\":\"mnli\",\"input\":{\"premise\":\"it rains\",\"hypothesis\":\"it is dry\"}}\n"
      "{\"task\":\"mnli\",\"input\":{\"premise\":\"it rains\"}}\n"
      "[1]\n"
      "{\"input\":\"how many apples are left\"}\n"
      "{\"input\":\"\xce\xb6\xce\xb6\xce\xb6\"}";
  const Outcome outcome = generate({}, input);
  EXPECT_EQ(outcome.code, 65);
  const std::vector<Json> lines = json_lines(outcome.out);
  ASSERT_EQ(lines.size(), 15u);
  std::vector<std::string> finish;
  for (size_t i = 0; i < lines.size(); ++i) {
    EXPECT_EQ(lines[i].at("line"), i + 1);
    const std::string how = lines[i].at("finish").get<std::string>();
    finish.push_back(how == "eos" || how == "length" ? "answered" : how);
  }
  EXPECT_THAT(finish, ElementsAre("answered", "skipped", "answered", "answered", "error", "error",
                                  "error", "answered", "skipped", "skipped", "answered", "error",
                                  "error", "answered", "no_task"));
  EXPECT_EQ(lines[0].at("id"), 7);
  EXPECT_FALSE(lines[1].contains("id"));
  EXPECT_EQ(lines[2].at("text"), lines[0].at("text"));
  EXPECT_THAT(lines[4].at("error").get<std::string>(), StartsWith("stdin:5: "));
  EXPECT_THAT(lines[5].at("error").get<std::string>(), HasSubstr("did you mean sst2?"));
  EXPECT_EQ(lines[5].at("id"), 6);
  EXPECT_EQ(lines[7].at("truncated"), true);
  EXPECT_EQ(lines[0].at("truncated"), false);
  EXPECT_EQ(lines[13].at("task"), "gsm8k_answer");
  EXPECT_EQ(lines[13].at("task_source"), "nearest");
  EXPECT_THAT(outcome.err, HasSubstr("stdin:5: "));
  EXPECT_THAT(outcome.err, HasSubstr("1 lines were not UTF-8"));
  EXPECT_FALSE(lines[14].contains("text"));
  EXPECT_THAT(outcome.err, HasSubstr("1 of 15 lines are like no task"));
  EXPECT_THAT(outcome.err, HasSubstr("5 of 15 lines were bad"));
}

TEST_F(GenerateTest, TextLinesAreTextsOfOneTask) {
  const Outcome outcome = generate({"--task", "sst2"},
                                   "\xef\xbb\xbf"
                                   "a film\r\n\n{ is not JSON here \xc3\n");
  EXPECT_EQ(outcome.code, 0);
  const std::vector<Json> lines = json_lines(outcome.out);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0].at("task"), "sst2");
  EXPECT_EQ(lines[1].at("finish"), "skipped");
  const Outcome same = generate({}, "{\"task\":\"sst2\",\"input\":\"a film\"}\n");
  EXPECT_EQ(json_lines(same.out).at(0).at("text"), lines[0].at("text"));
}

TEST_F(GenerateTest, ALineLongerThanTheLimitIsAnErrorOrIsCut) {
  std::string huge(17 << 20, 'a');
  Outcome outcome = generate({"--format", "text", "--task", "sst2"}, huge + "\nb\n");
  EXPECT_EQ(outcome.code, 0);
  std::vector<Json> lines = json_lines(outcome.out);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].at("truncated"), true);
  EXPECT_EQ(lines[1].at("line"), 2);
  outcome = generate({"--format", "jsonl"}, "{\"input\":\"" + huge + "\"}\n{\"input\":\"b\"}\n");
  EXPECT_EQ(outcome.code, 65);
  lines = json_lines(outcome.out);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_THAT(lines[0].at("error").get<std::string>(), HasSubstr("longer than 16 MiB"));
  EXPECT_THAT(outcome.err, Not(HasSubstr("were cut"))) << "it is refused, not cut";
}

TEST_F(GenerateTest, Utf16IsNamed) {
  using namespace std::string_literals;
  for (const std::string& text : {"\xff\xfe{\0\"\0"s, "\xfe\xff\0h\0i\0\n"s}) {
    const Outcome outcome = generate({}, text);
    EXPECT_EQ(outcome.code, 65);
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(outcome.err, HasSubstr("error: stdin: the text is UTF-16"));
  }
}

TEST_F(GenerateTest, MixedBatchesGiveTheSameAsOneByOne) {
  const std::vector<std::string> tasks = {"sst2", "mnli", "gsm8k_answer"};
  std::string input;
  for (int i = 0; i < 24; ++i) {
    const Json line = {{"task", tasks[i % 3]},
                       {"input", "text number " + std::to_string(i * 37) + std::string(i, 'x')}};
    input += line.dump() + "\n";
  }
  const std::vector<Json> batched = json_lines(generate({"--batch-size", "24"}, input).out);
  const std::vector<Json> single = json_lines(generate({"--batch-size", "1"}, input).out);
  ASSERT_EQ(batched.size(), 24u);
  ASSERT_EQ(single.size(), 24u);
  std::set<std::string> texts;
  for (size_t i = 0; i < batched.size(); ++i) {
    EXPECT_EQ(batched[i].at("text"), single[i].at("text")) << i;
    EXPECT_EQ(batched[i].at("route"), single[i].at("route")) << i;
    EXPECT_NEAR(batched[i].at("score").get<double>(), single[i].at("score").get<double>(), 1e-4);
    texts.insert(batched[i].at("text").get<std::string>());
  }
  EXPECT_GT(texts.size(), 1u);
}

TEST_F(GenerateTest, OnlyASoftRouteHasWeights) {
  EXPECT_FALSE(json_lines(generate({}, "a film\n").out).at(0).at("route").contains("weights"));
  save_checkpoint(tiny_checkpoint(TinyModel::kSoft), model_);
  const Json soft = json_lines(generate({}, "a film\n").out).at(0).at("route");
  EXPECT_EQ(soft.at("weights").at("decoder").at(1).size(), 3u);
  save_checkpoint(tiny_checkpoint(TinyModel::kDense), model_);
  EXPECT_TRUE(json_lines(generate({}, "a film\n").out).at(0).at("route").is_null());
}

TEST_F(GenerateTest, ASampleIsThatOfItsSeed) {
  const auto text = [&](const std::string& seed) {
    return generate({"--sample", "--temperature", "3", "--seed", seed}, "a film\n").out;
  };
  EXPECT_EQ(text("1"), text("1"));
  EXPECT_NE(text("1"), text("2"));
}

TEST_F(GenerateTest, AnOutputFileAppearsWholeAndIsNotOverwritten) {
  const fs::path output = temporary_.path() / "answers.jsonl";
  const std::vector<std::string> to_file = {"--output", output.string()};
  Outcome outcome = generate(to_file, "a film\n");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out, "");
  EXPECT_FALSE(fs::exists(output.string() + ".part"));
  const std::string first = read_file(output);
  EXPECT_EQ(json_lines(first).size(), 1u);
  outcome = generate(to_file, "a film\nanother film\n");
  EXPECT_EQ(outcome.code, 73);
  EXPECT_THAT(outcome.err, HasSubstr("--overwrite"));
  EXPECT_EQ(read_file(output), first);
  outcome = generate({"--output", output.string(), "--overwrite"}, "a film\nanother film\n");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(json_lines(read_file(output)).size(), 2u);
}

// What is no regular file is written into, and stays what it is.
TEST_F(GenerateTest, LinksAreFollowedAndPipesAreWrittenInto) {
  const fs::path real = temporary_.path() / "real.jsonl", link = temporary_.path() / "link.jsonl";
  write_file_atomically(real, "old\n");
  fs::create_symlink("real.jsonl", link);
  EXPECT_EQ(generate({"--output", link.string()}, "a film\n").code, 73);
  EXPECT_EQ(generate({"--output", link.string(), "--overwrite"}, "a film\n").code, 0);
  EXPECT_TRUE(fs::is_symlink(link));
  EXPECT_EQ(json_lines(read_file(real)).size(), 1u);

  const fs::path pipe = temporary_.path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const int reader = ::open(pipe.c_str(), O_RDWR | O_NONBLOCK);
  EXPECT_EQ(generate({"--output", pipe.string(), "--overwrite"}, "a film\n").code, 0);
  EXPECT_TRUE(fs::is_fifo(pipe));
  std::string bytes(1 << 12, '\0');
  const ssize_t count = ::read(reader, bytes.data(), bytes.size());
  ASSERT_GT(count, 0);
  bytes.resize(static_cast<size_t>(count));
  EXPECT_EQ(bytes, read_file(real));
  ::close(reader);

  const fs::path full = temporary_.path() / "full";
  fs::create_symlink("/dev/full", full);
  EXPECT_EQ(generate({"--output", full.string(), "--overwrite"}, "a film\n").code, 74);
  EXPECT_TRUE(fs::is_symlink(full));
}

// White space before the first value, whatever the ending says of the format.
TEST_F(GenerateTest, TheFormatIsThatOfTheEndingOrOfTheFirstValue) {
  const std::string line = "{\"task\":\"sst2\",\"input\":\"a film\"}\n";
  const Json expected = json_lines(generate({}, line).out).at(0).at("text");
  for (const std::string before : {"  ", "\t", "\n \n  "}) {
    const std::vector<Json> lines = json_lines(generate({}, before + line).out);
    EXPECT_EQ(lines.back().at("task_source"), "named");
    EXPECT_EQ(lines.back().at("text"), expected);
  }
  for (const char* name : {"a.jsonl", "a.ndjson", "a.json"}) {
    const std::string file = temporary_.write(name, " " + line).string();
    EXPECT_EQ(json_lines(generate({"--input", file}, "").out).at(0).at("text"), expected) << name;
  }
  const std::string columns = temporary_.write("a.tsv", "a film\tpositive\n").string();
  EXPECT_EQ(json_lines(generate({"--input", columns, "--task", "sst2"}, "").out).at(0).at("text"),
            expected);
  EXPECT_EQ(generate({"--format", "jsonl"}, "a film\n").code, 65);
  EXPECT_EQ(generate({"--format", "csv"}, "a film\n").code, 2);
}

TEST_F(GenerateTest, WhatIsTooLongIsCutMarkedOrAnError) {
  std::string words;
  for (int i = 0; i < 300; ++i) words += "a ";
  const std::string input = words + "\nb\n";
  Outcome outcome = generate({"--task", "sst2"}, input);
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(json_lines(outcome.out).at(0).at("truncated"), true);
  EXPECT_THAT(outcome.err, HasSubstr("1 of 2 lines hold more than the model reads"));
  outcome = generate({"--task", "sst2", "--on-long", "mark"}, input);
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(json_lines(outcome.out).at(0).at("finish"), "too_long");
  EXPECT_FALSE(json_lines(outcome.out).at(0).contains("text"));
  outcome = generate({"--task", "sst2", "--on-long", "error"}, input);
  EXPECT_EQ(outcome.code, 65);
  EXPECT_EQ(json_lines(outcome.out).at(0).at("finish"), "error");
  EXPECT_EQ(json_lines(outcome.out).at(1).at("truncated"), false);
}

// An expert of mnli's that sst2's route does not take overflows: the run ends at the line that
// takes it, and keeps what the same window had answered before.
TEST_F(GenerateTest, ADamagedExpertKeepsTheAnswersBeforeIt) {
  TinyCheckpoint damaged = tiny_checkpoint();
  const LoadedModel model(model_, EngineOptions{});
  const auto [sst2, mnli] = std::pair(model.route(0).decoder, model.route(1).decoder);
  size_t layer = 0;
  while (layer < mnli.size() && mnli[layer] == sst2[layer]) ++layer;
  ASSERT_LT(layer, mnli.size()) << "the routes differ";
  const std::string bias = "decoder.layers." + std::to_string(layer) + ".experts." +
                           std::to_string(TaskRoute::main_expert(mnli[layer])) + ".fc2.bias";
  HostTensor& tensor = damaged.tensors.at(bias);
  tensor = tensor_of(std::vector<float>(static_cast<size_t>(tensor.size()), 3e38f), tensor.shape);
  const std::string folder = (temporary_.path() / "damaged").string();
  save_checkpoint(damaged, folder);
  const std::string input =
      "{\"task\":\"sst2\",\"input\":\"a film that is longer than the other line by some words\"}\n"
      "{\"task\":\"mnli\",\"input\":\"a film\"}\n";
  for (const char* command : {"generate", "score"}) {
    const Outcome outcome = run_program(
        {command, "--checkpoint", folder, "--threads", "1", "--batch-size", "1"}, input);
    EXPECT_EQ(outcome.code, 76) << command;
    EXPECT_THAT(outcome.err, HasSubstr("not finite")) << command;
    const std::vector<Json> lines = json_lines(outcome.out);
    ASSERT_EQ(lines.size(), 1u) << command;
    EXPECT_EQ(lines[0].at("task"), "sst2") << command;
  }
}

TEST_F(GenerateTest, StrictEndsAtTheFirstBadLine) {
  const fs::path output = temporary_.path() / "answers.jsonl";
  const Outcome outcome =
      generate({"--strict", "--output", output.string()}, "{\"input\":\"a film\"}\n{\n");
  EXPECT_EQ(outcome.code, 65);
  EXPECT_THAT(outcome.err, HasSubstr("error: stdin:2: "));
  EXPECT_FALSE(fs::exists(output));
  EXPECT_EQ(json_lines(read_file(output.string() + ".part")).size(), 1u);
}

TEST_F(GenerateTest, RefusesWhatItCannotDoBeforeAnyWork) {
  const auto code = [&](const std::vector<std::string>& more) {
    const Outcome outcome = generate(more, "a film\n");
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(outcome.err, StartsWith("error: "));
    return outcome.code;
  };
  EXPECT_EQ(code({"--task", "sst9"}), 66);
  const std::string nothing = (temporary_.path() / "nothing").string();
  EXPECT_EQ(run_program({"generate", "--checkpoint", nothing}, "a film\n").code, 66);
  EXPECT_EQ(code({"--input", (temporary_.path() / "nothing").string()}), 66);
  EXPECT_EQ(code({"--max-length", "201"}), 2);
  const std::string output = (temporary_.path() / "out.jsonl").string();
  EXPECT_EQ(code({"--max-length", "201", "--output", output}), 2);
  EXPECT_FALSE(fs::exists(output + ".part"));
  EXPECT_EQ(code({"--num-beams", "0"}), 2);
  EXPECT_EQ(code({"--sample", "--num-beams", "4"}), 2);
  for (const char* flag : {"--temperature", "--top-k", "--top-p", "--seed"}) {
    EXPECT_EQ(code({flag, "1"}), 2) << flag << " does nothing without --sample";
  }
  EXPECT_EQ(code({"--max-length", "5", "--min-length", "6"}), 2);
  EXPECT_EQ(code({"--output", (temporary_.path() / "nothing" / "out").string()}), 74);
}

TEST_F(GenerateTest, AnswersALineWhileTheNextIsNotThere) {
  RunningProgram program(arguments());
  for (int line = 1; line <= 2; ++line) {
    program.write("{\"input\":\"a film\"}\n");
    EXPECT_EQ(Json::parse(program.read_line()).at("line"), line);
  }
  program.close_input();
  EXPECT_EQ(program.wait(), 0);
}

TEST_F(GenerateTest, CtrlCKeepsTheLinesThatAreDone) {
  const fs::path output = temporary_.path() / "answers.jsonl";
  const fs::path part = output.string() + ".part";
  RunningProgram program(arguments({"--output", output.string()}));
  program.write("{\"input\":\"a film\"}\n");
  for (int i = 0; i < 600 && (!fs::exists(part) || fs::file_size(part) == 0); ++i) ::usleep(100000);
  program.signal(SIGINT);
  EXPECT_EQ(program.wait(), 130);
  EXPECT_FALSE(fs::exists(output));
  EXPECT_EQ(json_lines(read_file(part)).size(), 1u);
  const Outcome again = generate({"--output", output.string()}, "a film\n");
  EXPECT_EQ(again.code, 73);
  EXPECT_EQ(json_lines(read_file(part)).size(), 1u);
}

TEST_F(GenerateTest, EndsQuietlyWhenNobodyReads) {
  RunningProgram program(arguments());
  program.close_output();
  program.write("{\"input\":\"a film\"}\n");
  program.close_input();
  EXPECT_EQ(program.wait(), 141);
}

TEST_F(GenerateTest, NoInputIsNoOutput) {
  const Outcome outcome = generate({}, "");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out, "");
}

}  // namespace
}  // namespace trivium::cli
