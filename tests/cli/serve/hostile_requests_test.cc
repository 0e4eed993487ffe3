// Bodies that nobody who means well sends.
#include "cli/hostile_lines.h"
#include "cli/serve/server_fixture.h"

namespace trivium::cli {
namespace {

using HostileRequestsTest = ServerTest;

TEST_F(HostileRequestsTest, AreAnsweredAndTheServerLives) {
  start();
  httplib::Client asker = client();
  asker.set_keep_alive(true);
  asker.set_tcp_nodelay(true);
  const std::vector<std::pair<const char*, std::string>> paths = {
      {"/v1/completions", R"({"model":":sst2","prompt":"a film","max_tokens":1,"num_beams":1})"},
      {"/v1/score", R"({"task":"sst2","input":{"text":"a film"},"options":["a","b"]})"},
      {"/v1/route", R"({"task":"sst2","input":"a film"})"},
      {"/v1/embeddings", R"({"input":["a film","b"],"model":":auto"})"}};
  HostileLines lines(5);
  std::map<int, int> by_status;
  const int count = hostile_count() / 3;
  for (int i = 0; i < count; ++i) {
    const auto& [path, good] = paths[static_cast<size_t>(i) % paths.size()];
    const std::string body = lines.next(good);
    const auto result = asker.Post(path, body, kJson);
    ASSERT_TRUE(result) << path << ": " << body.substr(0, 200);
    ++by_status[result->status];
    ASSERT_TRUE(result->status == 200 || (result->status >= 400 && result->status < 500))
        << path << ": " << result->status << " " << body.substr(0, 200) << result->body;
    if (result->status != 200) {
      ASSERT_TRUE(Json::accept(result->body)) << body.substr(0, 200) << result->body;
    }
  }
  EXPECT_GT(by_status[200], count / 20);
  EXPECT_GT(by_status[400], count / 4);
  get("/health");
}

TEST_F(HostileRequestsTest, SoArePaths) {
  start();
  EXPECT_EQ(client().Get("/v1/models/" + std::string(2000, 'x'))->status, 414);
  for (const std::string& path :
       {"/v1/models/" + std::string(1000, 'x'), "/v1/models/" + std::string(8000, 'x'),
        "/" + std::string(100000, 'x'), std::string("/v1/models/%ff%00%1b"),
        std::string("/v1/models/../../etc/passwd"), std::string("/%2e%2e/%2e%2e/etc/passwd")}) {
    const auto result = client().Get(path);
    ASSERT_TRUE(result) << path.substr(0, 40);
    EXPECT_GE(result->status, 400) << path.substr(0, 40);
    EXPECT_LT(result->status, 500) << path.substr(0, 40);
  }
  get("/health");
}

TEST_F(HostileRequestsTest, ThousandsOfRangesMakeNoLongerReply) {
  start();
  std::string ranges = "bytes=0-0";
  for (int i = 0; i < 1000; ++i) ranges += ",0-0";
  const auto result = client().Get("/openapi.json", {{"Range", ranges}});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, 200);
  EXPECT_EQ(result->body, client().Get("/openapi.json")->body);
}

}  // namespace
}  // namespace trivium::cli
