// Who is answered, and what they may take.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/serve/server_fixture.h"

namespace trivium::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// What a server on `port` answers to these very bytes, until it ends the connection or `most`
// milliseconds are over without a byte.
std::string raw_exchange(int port, const std::string& bytes, int most = 20000) {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  ::inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  EXPECT_EQ(::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const timeval patience = {most / 1000, most % 1000 * 1000};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  for (size_t sent = 0; sent < bytes.size();) {
    const ssize_t count = ::send(socket, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) break;
    sent += static_cast<size_t>(count);
  }
  std::string reply;
  char buffer[4096];
  ssize_t count = 0;
  while ((count = ::recv(socket, buffer, sizeof buffer, 0)) > 0) {
    reply.append(buffer, static_cast<size_t>(count));
  }
  if (count < 0 && errno == EAGAIN) reply += "(still open)";
  ::close(socket);
  return reply;
}

std::string head_of(const std::string& first_line, const std::string& more) {
  return first_line + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + more + "\r\n\r\n";
}

// Nobody has to send a gigabyte to be refused, and none of it is kept.
TEST_F(ServerTest, WhatIsRefusedIsNotRead) {
  ServerOptions options;
  options.api_key = "secret";
  options.most_bytes = 1 << 16;
  start(options);
  const std::string json = "Content-Type: application/json\r\n";
  const std::string key = "Authorization: Bearer secret\r\n";
  const std::string long_body = "Content-Length: 9000000000";
  for (const auto& [first_line, header, status] :
       std::vector<std::tuple<std::string, std::string, std::string>>{
           {"POST /v1/score", json + long_body, "401"},
           {"POST /v1/score", json + key + long_body, "413"},
           {"POST /v1/score", json + key + "X: y", "411"},
           {"POST /v1/nothing", json + key + long_body, "404"},
           {"PUT /v1/score", json + key + long_body, "405"},
           {"QUERY /v1/score?x=y", json + key + long_body, "405"},
           {"PATCH /nothing", key + long_body, "404"}}) {
    EXPECT_THAT(raw_exchange(port_, head_of(first_line, header)), StartsWith("HTTP/1.1 " + status))
        << first_line << header;
  }
  std::string chunks;
  for (int i = 0; i < 20; ++i) chunks += "1000\r\n" + std::string(0x1000, ' ') + "\r\n";
  EXPECT_THAT(
      raw_exchange(port_, head_of("POST /v1/score", json + key + "Transfer-Encoding: chunked") +
                              chunks + "0\r\n\r\n"),
      StartsWith("HTTP/1.1 413"));
}

TEST_F(ServerTest, AConnectionThatAsksNothingIsEnded) {
  ServerOptions options;
  options.connection.time = std::chrono::milliseconds(300);
  start(options);
  EXPECT_EQ(raw_exchange(port_, "GET /health HT", 3000), "");
  // A request that takes longer than that to be answered is none of those.
  const Json whole = complete({{"model", "tiny:sst2"},
                               {"prompt", std::vector<std::string>(40, "a film")},
                               {"num_beams", 16},
                               {"min_tokens", 60},
                               {"max_tokens", 60}});
  EXPECT_EQ(whole.at("choices").size(), 40u);
}

TEST_F(ServerTest, AHeadWithoutEndIsEnded) {
  ServerOptions options;
  options.connection.bytes = 1 << 16;
  start(options);
  std::string lines;
  for (int i = 0; i < 200000; ++i) lines += "X-Line: abcdefgh\r\n";
  const std::string reply = raw_exchange(port_, "GET /health HTTP/1.1\r\n" + lines, 5000);
  EXPECT_EQ(reply.find("(still open)"), std::string::npos) << reply;
  EXPECT_EQ(reply.find("200 OK"), std::string::npos) << reply;
  EXPECT_EQ(get("/health").at("status"), "ok");
}

TEST_F(ServerTest, WhatIsWrongIsNamed) {
  ServerOptions options;
  options.most_bytes = 1 << 16;
  start(options);
  expect_error(post("/v1/completions", {{"model", "other"}, {"prompt", "a"}}), 404,
               "there is no model \"other\"");
  expect_error(post("/v1/completions", {{"model", "tiny:sst9"}, {"prompt", "a"}}), 404,
               "did you mean sst2?");
  expect_error(
      post("/v1/completions", {{"prompt", Json{{"premise", "a"}}}, {"model", "tiny:mnli"}}), 400,
      "hypothesis");
  expect_error(client().Post("/v1/completions", "{", kJson), 400, "malformed JSON");
  expect_error(client().Post("/v1/completions", "\xff\xfe{", kJson), 400, "UTF-16");
  expect_error(client().Post("/v1/completions", R"({"prompt":"a"})", "text/plain"), 415,
               "application/json");
  const auto other_method = client().Get("/v1/completions");
  expect_error(other_method, 405, "/v1/completions takes POST, not GET");
  EXPECT_EQ(other_method->get_header_value("Allow"), "POST");
  expect_error(client().Options("/v1/models"), 405, "takes GET, not OPTIONS");
  expect_error(client().Delete("/v1/models/tiny:sst2"), 405, "takes GET, not DELETE");
  expect_error(client().Get("/v1/models/tiny:sst9"), 404, "did you mean sst2?");
  for (const char* path : {"/v1/route", "/v1/score", "/v1/embeddings", "/v1/completions"}) {
    expect_error(post(path, {{"input", "a"}, {"prompt", "a"}, {"inputs", "b"}, {"task", "sst2"}}),
                 400, "unknown key");
    expect_error(post(path, Json::array()), 400, "not a JSON object");
  }
  expect_error(post("/v1/route", {{"task", "sst2"}}), 400, "\"input\" must be a text");
  expect_error(client().Get("/nothing"), 404, "there is no /nothing");
  expect_error(post("/v1/completions", {{"prompt", std::string(1 << 17, 'a')}}), 413, "too large");
}

TEST_F(ServerTest, OnlyThoseWithTheKeyAreAnswered) {
  ServerOptions options;
  options.api_key = "secret";
  start(options);
  EXPECT_EQ(get("/health").at("status"), "ok");
  expect_error(client().Get("/v1/models"), 401, "Authorization: Bearer");
  for (const char* key : {"Bearer secre", "Bearer secretx", "secret", "Bearer "}) {
    expect_error(client().Get("/v1/models", {{"Authorization", key}}), 401, "the key");
  }
  for (const char* key : {"Bearer secret", "bearer secret"}) {
    const auto result = client().Get("/v1/models", {{"Authorization", key}});
    ASSERT_TRUE(result);
    EXPECT_EQ(result->status, 200);
  }
}

// A page of another site whose name was made to lead here.
TEST_F(ServerTest, AnotherServersNameIsRefused) {
  start();
  for (const char* host : {"evil.example:80", "127.evil.com", "127.0.0.1.evil.com:80", "127."}) {
    expect_error(client().Get("/v1/models", {{"Host", host}}), 403, "Host");
  }
  const auto result = client().Get("/v1/models", {{"Host", "LocalHost:" + std::to_string(port_)}});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, 200);
}

TEST_F(ServerTest, TooManyAreToldToComeAgain) {
  start({}, {.places = 1, .max_waiting = 0});
  expect_error(post("/v1/completions", {{"model", "tiny:sst2"}, {"prompt", {"a film", "a war"}}}),
               400, "this asks for 2 answers; the server takes 1 at once");
  const Json one = {{"model", "tiny:sst2"}, {"prompt", "a film"}};
  std::thread first([&] {
    Json whole = one;
    whole["min_tokens"] = whole["max_tokens"] = 199;
    whole["num_beams"] = 16;
    EXPECT_EQ(post("/v1/completions", whole)->status, 200);
  });
  while (service_->load().active == 0) std::this_thread::yield();
  const auto result = post("/v1/completions", one);
  first.join();
  expect_error(result, 429, "ask again");
  EXPECT_EQ(result->get_header_value("Retry-After"), "1");
  EXPECT_EQ(complete(one).at("choices").size(), 1u);
}

TEST_F(ServerTest, ManyAtOnceGetTheSame) {
  start({}, {.places = 4});
  const Json request = {{"model", "tiny:sst2"}, {"prompt", {"a film", "a dull war"}}};
  const Json expected = complete(request).at("choices");
  std::vector<std::thread> askers;
  for (int asker = 0; asker < 6; ++asker) {
    askers.emplace_back([&] {
      for (int i = 0; i < 3; ++i) EXPECT_EQ(complete(request).at("choices"), expected);
    });
  }
  for (std::thread& asker : askers) asker.join();
  const auto metrics = client().Get("/metrics");
  ASSERT_TRUE(metrics);
  EXPECT_THAT(metrics->body,
              HasSubstr("trivium_requests_total{path=\"/v1/completions\",status=\"200\"} 19\n"));
  EXPECT_THAT(metrics->body, HasSubstr("trivium_prompts_total{task=\"sst2\"} 38\n"));
  EXPECT_THAT(metrics->body, HasSubstr("trivium_answers_total 38\n"));
  EXPECT_THAT(metrics->body, HasSubstr("trivium_answers_active 0\n"));
  EXPECT_THAT(metrics->body,
              HasSubstr("trivium_request_seconds_count{path=\"/v1/completions\"} 19\n"));
}

// One who leaves long before the end, of a reply that is not streamed and of one that is.
TEST_F(ServerTest, WhoLeavesGivesTheirPlacesAway) {
  start({}, {.places = 1});
  const Json many(std::vector<std::string>(60, "a film"));
  const auto wait_until = [](const std::function<bool()>& is_so) {
    for (int tries = 0; tries < 1200 && !is_so(); ++tries) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return is_so();
  };
  int left = 0;
  for (const bool streams : {false, true}) {
    httplib::Client impatient("127.0.0.1", port_);
    impatient.set_read_timeout(0, 50000);
    const Json request = {{"model", "tiny:sst2"}, {"prompt", many},    {"stream", streams},
                          {"num_beams", 1},       {"max_tokens", 199}, {"min_tokens", 199}};
    impatient.Post("/v1/completions", request.dump(), kJson);
    const std::string counted = "trivium_requests_total{path=\"/v1/completions\",status=\"499\"} " +
                                std::to_string(++left) + "\n";
    EXPECT_TRUE(wait_until([&] {
      const auto metrics = client().Get("/metrics");
      return metrics && metrics->body.find(counted) != std::string::npos;
    })) << counted;
    EXPECT_TRUE(wait_until([&] {
      const LiveGenerator::Load load = service_->load();
      return load.active + load.waiting == 0;
    }));
  }
  EXPECT_LT(service_->load().answers, 60) << "of 120";
}

TEST_F(ServerTest, APortThatIsTakenIsAnError) {
  start();
  Service other(LoadedModel(folder_, EngineOptions{}), {});
  ServerOptions options;
  options.port = port_;
  Server second(other, options);
  EXPECT_THAT(error_of([&] { second.bind(); }), HasSubstr("69: cannot listen on 127.0.0.1 port"));
}

}  // namespace
}  // namespace trivium::cli
