#include "cli/serve/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <map>
#include <thread>

#include "core/base/temporary_folder.h"
#include "core/checkpoint/tiny_checkpoint.h"

namespace trivium::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kJson = "application/json";

// A server of the tiny checkpoint on a port of its own.
class ServerTest : public ::testing::Test {
 protected:
  ServerTest() { save_checkpoint(tiny_checkpoint(), folder_); }
  ~ServerTest() override { stop(); }

  void start(ServerOptions options = {}, const LiveOptions& live = {}) {
    options.port = 0;
    service_ = std::make_unique<Service>(LoadedModel(folder_, EngineOptions{}), live);
    server_ = std::make_unique<Server>(*service_, options);
    port_ = server_->bind();
    thread_ = std::thread([this] { server_->run(stop_); });
  }
  void stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }

  httplib::Client client() const {
    httplib::Client client("127.0.0.1", port_);
    client.set_read_timeout(60);
    return client;
  }
  httplib::Result post(const std::string& path, const Json& body) const {
    return client().Post(path, body.dump(), kJson);
  }
  Json get(const std::string& path) const {
    const auto result = client().Get(path);
    EXPECT_TRUE(result) << path;
    EXPECT_EQ(result->status, 200) << path;
    return Json::parse(result->body);
  }
  Json complete(const Json& request) const {
    const auto result = post("/v1/completions", request);
    EXPECT_TRUE(result);
    EXPECT_EQ(result->status, 200) << result->body;
    return Json::parse(result->body);
  }
  // Of a stream: its events, without the last, which says that it was the last.
  std::vector<Json> stream(Json request) const {
    request["stream"] = true;
    const auto result = post("/v1/completions", request);
    EXPECT_TRUE(result);
    EXPECT_EQ(result->get_header_value("Content-Type"), "text/event-stream");
    std::vector<Json> events;
    std::string rest = result->body;
    while (!rest.empty()) {
      const size_t end = rest.find("\n\n");
      EXPECT_NE(end, std::string::npos) << rest;
      EXPECT_TRUE(rest.starts_with("data: ")) << rest;
      const std::string data = rest.substr(6, end - 6);
      rest.erase(0, end + 2);
      EXPECT_EQ(data == "[DONE]", rest.empty());
      if (data != "[DONE]") events.push_back(Json::parse(data));
    }
    return events;
  }
  static void expect_error(const httplib::Result& result, int status, const std::string& problem) {
    ASSERT_TRUE(result);
    EXPECT_EQ(result->status, status) << result->body;
    EXPECT_EQ(result->get_header_value("Content-Type"), kJson);
    const Json error = Json::parse(result->body).at("error");
    EXPECT_THAT(error.at("message").get<std::string>(), HasSubstr(problem));
    EXPECT_TRUE(error.at("type").is_string());
  }

  TemporaryFolder temporary_;
  std::filesystem::path folder_ = temporary_.path() / "tiny";
  std::unique_ptr<Service> service_;
  std::unique_ptr<Server> server_;
  int port_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

TEST_F(ServerTest, CompletionsAreTheAnswersOfGenerate) {
  start();
  LoadedModel model(folder_, EngineOptions{});
  for (const Json& prompt :
       {Json("a film"), Json{{"premise", "it rains"}, {"hypothesis", "dry"}}}) {
    const std::string task = prompt.is_string() ? "sst2" : "mnli";
    const ResolvedPrompt resolved = prompt.is_string()
                                        ? model.resolve(task, prompt.get<std::string>())
                                        : model.resolve_fields(task, prompt);
    const Answer expected =
        model.generator().generate({resolved.prompt}, model.generator().default_search()).at(0);
    const Json reply = complete({{"model", "tiny:" + task}, {"prompt", prompt}});
    EXPECT_EQ(reply.at("object"), "text_completion");
    EXPECT_EQ(reply.at("model"), "tiny:" + task);
    const Json& choice = reply.at("choices").at(0);
    EXPECT_EQ(choice.at("text"), expected.text);
    EXPECT_EQ(choice.at("finish_reason"), expected.finished ? "stop" : "length");
    EXPECT_EQ(choice.at("trivium").at("task"), task);
    EXPECT_EQ(choice.at("trivium").at("task_source"), "named");
    EXPECT_EQ(choice.at("trivium").at("score"), expected.score);
    EXPECT_EQ(choice.at("trivium").at("route").at("decoder").size(), 2u);
    EXPECT_EQ(reply.at("usage"),
              (Json{{"prompt_tokens", expected.source_tokens},
                    {"completion_tokens", expected.target_tokens},
                    {"total_tokens", expected.source_tokens + expected.target_tokens}}));
  }
}

TEST_F(ServerTest, SeveralPromptsAndDrawsKeepTheirOrder) {
  start();
  LoadedModel model(folder_, EngineOptions{});
  SearchOptions search = model.generator().default_search();
  search.num_beams = 1;
  search.sample = true;
  search.temperature = 2;
  search.seed = 5;
  search.max_length = 9;
  std::vector<std::string> expected;
  for (const char* text : {"a film", "a dull war"}) {
    const Prompt prompt = model.resolve("sst2", text).prompt;
    for (const Answer& answer : model.generator().generate({prompt, prompt, prompt}, search)) {
      expected.push_back(answer.text);
    }
  }
  const Json reply = complete({{"model", "tiny:sst2"},
                               {"prompt", {"a film", "a dull war"}},
                               {"n", 3},
                               {"temperature", 2},
                               {"seed", 5},
                               {"max_tokens", 8}});
  ASSERT_EQ(reply.at("choices").size(), 6u);
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(reply.at("choices").at(i).at("index"), i);
    EXPECT_EQ(reply.at("choices").at(i).at("text"), expected[i]);
  }
}

TEST_F(ServerTest, AStreamIsTheTextInPieces) {
  start();
  for (const int beams : {1, 2}) {
    const Json request = {{"model", "tiny:sst2"},
                          {"prompt", {"a film", "a dull war"}},
                          {"num_beams", beams},
                          {"stream_options", {{"include_usage", true}}}};
    const Json whole = complete(request);
    std::map<int, std::string> texts, finish;
    Json usage;
    for (const Json& event : stream(request)) {
      EXPECT_EQ(event.at("object"), "text_completion");
      for (const Json& choice : event.at("choices")) {
        const int index = choice.at("index");
        EXPECT_FALSE(finish.contains(index)) << "nothing follows the end";
        texts[index] += choice.at("text").get<std::string>();
        if (!choice.at("finish_reason").is_null()) finish[index] = choice.at("finish_reason");
      }
      if (event.contains("usage")) usage = event.at("usage");
    }
    EXPECT_EQ(usage, whole.at("usage"));
    for (int i = 0; i < 2; ++i) {
      const Json& choice = whole.at("choices").at(static_cast<size_t>(i));
      EXPECT_EQ(texts[i], choice.at("text"));
      EXPECT_EQ(finish[i], choice.at("finish_reason"));
    }
  }
}

TEST_F(ServerTest, AStopCutsTheText) {
  start();
  Json request = {{"model", "tiny:sst2"}, {"prompt", "a film"}, {"num_beams", 1}};
  const std::string text = complete(request).at("choices").at(0).at("text");
  ASSERT_GT(text.size(), 3u) << text;
  const std::string stop = text.substr(text.size() / 2, 2);
  request["stop"] = stop;
  const Json choice = complete(request).at("choices").at(0);
  EXPECT_EQ(choice.at("text"), text.substr(0, text.find(stop)));
  EXPECT_EQ(choice.at("finish_reason"), "stop");
  std::string streamed;
  for (const Json& event : stream(request)) {
    streamed += event.at("choices").at(0).at("text").get<std::string>();
  }
  EXPECT_EQ(streamed, choice.at("text"));
}

TEST_F(ServerTest, AnEmptyPromptIsSkippedAsByGenerate) {
  start();
  for (const Json& prompt : {Json(""), Json(" \t"), Json{{"premise", ""}, {"hypothesis", " "}}}) {
    const Json choice = complete({{"model", "tiny:mnli"}, {"prompt", prompt}}).at("choices").at(0);
    EXPECT_EQ(choice.at("finish_reason"), "skipped");
    EXPECT_EQ(choice.at("text"), "");
    EXPECT_TRUE(choice.at("trivium").at("score").is_null());
  }
}

// A stream goes on when the program is to end, new requests are refused meanwhile, and one who
// sends a byte now and then does not keep it from ending.
TEST_F(ServerTest, RepliesOnTheirWayEndBeforeTheServerDoes) {
  start();
  httplib::Client slow("127.0.0.1", port_);
  std::atomic<bool> is_there{false};
  std::thread dripping([&] {
    slow.set_read_timeout(60);
    slow.Post(
        "/v1/score",
        [&](size_t, httplib::DataSink& sink) {
          is_there = true;
          std::this_thread::sleep_for(std::chrono::milliseconds(200));
          return sink.write("{", 1);
        },
        kJson);
  });
  while (!is_there) std::this_thread::yield();
  std::string streamed;
  std::thread asker([&] {
    for (const Json& event : stream({{"model", "tiny:sst2"},
                                     {"prompt", std::vector<std::string>(20, "a film")},
                                     {"num_beams", 1},
                                     {"min_tokens", 199},
                                     {"max_tokens", 199}})) {
      streamed = event.at("choices").at(0).at("finish_reason").dump();
    }
  });
  while (service_->load().active == 0) std::this_thread::yield();
  stop();
  asker.join();
  dripping.join();
  EXPECT_EQ(streamed, "\"stop\"") << "an end is forced at the longest";
}

TEST_F(ServerTest, AutoFindsTheTaskOrSaysThatNoneFits) {
  start();
  for (const char* model : {"tiny:auto", "tiny", "", "tiny:"}) {
    const Json choice =
        complete({{"model", model}, {"prompt", "how many apples are left"}}).at("choices").at(0);
    EXPECT_EQ(choice.at("trivium").at("task"), "gsm8k_answer");
    EXPECT_EQ(choice.at("trivium").at("task_source"), "nearest");
  }
  const Json none = complete({{"prompt", "\xce\xb6\xce\xb6\xce\xb6"}}).at("choices").at(0);
  EXPECT_EQ(none.at("finish_reason"), "no_task");
  EXPECT_EQ(none.at("text"), "");
  const std::vector<Json> events = stream({{"prompt", "\xce\xb6\xce\xb6\xce\xb6"}});
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].at("choices").at(0).at("finish_reason"), "no_task");
}

TEST_F(ServerTest, TellsWhatItKnows) {
  start();
  EXPECT_EQ(get("/health").at("status"), "ok");
  std::vector<std::string> models;
  const Json list = get("/v1/models");
  for (const Json& model : list.at("data")) models.push_back(model.at("id"));
  EXPECT_THAT(models, ElementsAre("tiny:auto", "tiny:sst2", "tiny:mnli", "tiny:gsm8k_answer"));
  const Json mnli = get("/v1/tasks").at("tasks").at(1);
  EXPECT_EQ(mnli.at("name"), "mnli");
  EXPECT_THAT(mnli.at("fields").get<std::vector<std::string>>(),
              testing::UnorderedElementsAre("premise", "hypothesis"));
  EXPECT_EQ(mnli.at("options").size(), 3u);
  EXPECT_EQ(get("/v1/routes").at("tasks").size(), 3u);
  const auto route = post("/v1/route", {{"input", "how many apples are left"}});
  ASSERT_TRUE(route && route->status == 200);
  const Json facts = Json::parse(route->body);
  EXPECT_EQ(facts.at("task"), "gsm8k_answer");
  EXPECT_EQ(facts.at("fits"), true);
  EXPECT_THAT(facts.at("reason").get<std::string>(), HasSubstr("gsm8k_answer"));
}

TEST_F(ServerTest, RanksOptions) {
  start();
  LoadedModel model(folder_, EngineOptions{});
  const ResolvedPrompt resolved = model.resolve("sst2", "a film");
  const auto expected =
      model.generator().score({resolved.prompt}, {resolved.options}).at(0).log_likelihoods;
  const auto result = post("/v1/score", {{"task", "sst2"}, {"input", "a film"}});
  ASSERT_TRUE(result && result->status == 200);
  const Json scores = Json::parse(result->body);
  EXPECT_EQ(scores.at("options"), (Json{"negative", "positive"}));
  EXPECT_EQ(scores.at("log_likelihoods"), Json(expected));
  EXPECT_EQ(scores.at("best"), expected[0] >= expected[1] ? "negative" : "positive");
  expect_error(post("/v1/score", {{"task", "gsm8k_answer"}, {"input", "a"}}), 400,
               "no \"options\"");
}

TEST_F(ServerTest, GivesSentenceVectors) {
  start();
  const auto vectors_of = [&](const Json& request) {
    const auto result = post("/v1/embeddings", request);
    EXPECT_EQ(result->status, 200) << result->body;
    return Json::parse(result->body);
  };
  const Json reply = vectors_of({{"model", "tiny"}, {"input", {"a film", "a dull war", "a film"}}});
  EXPECT_EQ(reply.at("object"), "list");
  ASSERT_EQ(reply.at("data").size(), 3u);
  std::vector<std::vector<float>> vectors;
  for (const Json& one : reply.at("data")) vectors.push_back(one.at("embedding"));
  EXPECT_EQ(vectors[0], vectors[2]);
  EXPECT_NE(vectors[0], vectors[1]);
  double square = 0;
  for (const float value : vectors[0]) square += double{value} * value;
  EXPECT_NEAR(square, 1, 1e-6);
  EXPECT_EQ(vectors[0].size(), 32u);
  EXPECT_EQ(vectors_of({{"input", "a film"}}).at("data").at(0).at("embedding"),
            reply.at("data").at(0).at("embedding"));
  EXPECT_NE(vectors_of({{"input", "a film"}, {"model", "tiny:mnli"}}).at("data").at(0),
            reply.at("data").at(0))
      << "along that task's route";
  const std::string packed = vectors_of({{"input", "a film"}, {"encoding_format", "base64"}})
                                 .at("data")
                                 .at(0)
                                 .at("embedding");
  ASSERT_EQ(packed.size(), (32 * 4 + 2) / 3 * 4);
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  uint32_t bits = 0;
  for (size_t i = 0; i < packed.size() && packed[i] != '='; ++i) {
    bits = bits << 6 | static_cast<uint32_t>(digits.find(packed[i]));
    if (i % 4 != 0) bytes += static_cast<char>(bits >> (6 - 2 * (i % 4)));
  }
  ASSERT_EQ(bytes.size(), 32 * sizeof(float));
  EXPECT_EQ(std::memcmp(bytes.data(), vectors[0].data(), bytes.size()), 0);
  for (const Json& bad : {Json{{"input", Json::array()}}, Json{{"input", {1, 2}}}, Json::object(),
                          Json{{"input", "a"}, {"encoding_format", "int8"}},
                          Json{{"input", "a"}, {"dimensions", 7}}}) {
    EXPECT_EQ(post("/v1/embeddings", bad)->status, 400) << bad;
  }
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
  expect_error(client().Get("/v1/completions"), 404, "there is no /v1/completions");
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
  const auto result = client().Get("/v1/models", {{"Authorization", "Bearer secret"}});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, 200);
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
  LiveGenerator::Load load;
  for (const bool streams : {false, true}) {
    httplib::Client impatient("127.0.0.1", port_);
    impatient.set_read_timeout(0, 50000);
    const Json request = {{"model", "tiny:sst2"}, {"prompt", many},    {"stream", streams},
                          {"num_beams", 1},       {"max_tokens", 199}, {"min_tokens", 199}};
    impatient.Post("/v1/completions", request.dump(), kJson);
    load = service_->load();
    for (int tries = 0; tries < 600 && load.active + load.waiting > 0; ++tries) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      load = service_->load();
    }
  }
  EXPECT_EQ(load.active + load.waiting, 0);
  EXPECT_LT(load.answers, 60) << "of 120";
  const auto metrics = client().Get("/metrics");
  ASSERT_TRUE(metrics);
  EXPECT_THAT(metrics->body,
              HasSubstr("trivium_requests_total{path=\"/v1/completions\",status=\"499\"} 2\n"));
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
