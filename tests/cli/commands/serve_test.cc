#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include "cli/commands/program.h"
#include "core/base/temporary_folder.h"
#include "core/checkpoint/tiny_checkpoint.h"

namespace trivium::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class ServeTest : public ::testing::Test {
 protected:
  ServeTest() { save_checkpoint(tiny_checkpoint(), temporary_.path() / "tiny"); }
  std::vector<std::string> arguments() const {
    return {"serve", "--checkpoint", (temporary_.path() / "tiny").string(), "--port", "0"};
  }

  TemporaryFolder temporary_;
};

TEST_F(ServeTest, SaysWhereItIsAnswersAndEndsByASignal) {
  for (const int signal : {SIGTERM, SIGINT}) {
    RunningProgram program(arguments());
    const std::string address = program.read_line();
    ASSERT_THAT(address, StartsWith("http://127.0.0.1:"));
    httplib::Client client(address);
    const auto reply = client.Post("/v1/completions", R"({"model":"tiny:sst2","prompt":"a film"})",
                                   "application/json");
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->status, 200);
    const Outcome same =
        run_program({"generate", "--checkpoint", (temporary_.path() / "tiny").string()},
                    R"({"task":"sst2","input":"a film"})");
    EXPECT_EQ(Json::parse(reply->body).at("choices").at(0).at("text"),
              json_lines(same.out).at(0).at("text"));
    program.signal(signal);
    EXPECT_EQ(program.wait(), 0);
    EXPECT_FALSE(client.Get("/health"));
  }
}

TEST_F(ServeTest, RefusesWhatItCannotServe) {
  std::vector<std::string> other = arguments();
  other.insert(other.end(), {"--host", "no.such.host.invalid"});
  Outcome outcome = run_program(other);
  EXPECT_EQ(outcome.code, 69);
  EXPECT_THAT(outcome.err, StartsWith("error: cannot listen on no.such.host.invalid"));
  EXPECT_EQ(run_program({"serve", "--port", "70000"}).code, 2);
}

}  // namespace
}  // namespace trivium::cli
