#include <cstring>
#include <map>

#include "cli/serve/page.h"
#include "cli/serve/server_fixture.h"

namespace trivium::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

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
  EXPECT_EQ(get("/v1/models/tiny:sst2"), list.at("data").at(1));
  EXPECT_EQ(get("/v1/models/tiny"), list.at("data").at(0));
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

// Nothing is answered that the document does not have, and the other way round; but for the page,
// which is for people.
TEST_F(ServerTest, TheDocumentHasEveryPath) {
  start();
  std::set<std::pair<std::string, std::string>> described = {{"GET", kPagePattern}};
  const Json document = get("/openapi.json");
  for (const auto& [path, methods] : document.at("paths").items()) {
    const std::string pattern = path == "/v1/models/{model}" ? "/v1/models/(.+)" : path;
    for (const auto& [method, operation] : methods.items()) {
      described.emplace(method == "get" ? "GET" : "POST", pattern);
    }
  }
  EXPECT_EQ(server_->paths(), described);
}

// More options than are ranked between two steps of the batch.
TEST_F(ServerTest, RanksManyOptionsAsGenerateDoes) {
  start();
  LoadedModel model(folder_, EngineOptions{});
  const ResolvedPrompt resolved = model.resolve("sst2", "a film");
  std::vector<std::string> options;
  for (int i = 0; i < 70; ++i) options.push_back("the film " + std::string(i, 'a'));
  const auto expected = model.generator().score({resolved.prompt}, {options}).at(0).log_likelihoods;
  const Json scores =
      ask("/v1/score", {{"task", "sst2"}, {"input", "a film"}, {"options", options}});
  EXPECT_EQ(scores.at("log_likelihoods"), Json(expected));
}

TEST_F(ServerTest, ARouteCanBeAskedFor) {
  start();
  LoadedModel model(folder_, EngineOptions{});
  ResolvedPrompt resolved = model.resolve("sst2", "a film");
  const Json own = ask("/v1/route", {{"task", "sst2"}, {"input", "a film"}}).at("route");
  const int64_t other = own.at("encoder").at(1).get<int64_t>() % 3 + 1;
  const Json asked = {{"encoder", {nullptr, other}}, {"decoder", {0, nullptr}}};
  std::vector<float>& weights = resolved.prompt.route.encoder.at(1);
  weights.assign(3, 0);
  weights.at(static_cast<size_t>(other - 1)) = 1;
  const Answer expected =
      model.generator().generate({resolved.prompt}, model.generator().default_search()).at(0);
  Json request = {{"model", "tiny:sst2"}, {"prompt", "a film"}, {"route", asked}};
  const Json choice = complete(request).at("choices").at(0);
  EXPECT_EQ(choice.at("text"), expected.text);
  EXPECT_EQ(choice.at("trivium").at("score"), expected.score);
  EXPECT_EQ(choice.at("trivium").at("route").at("encoder").at(1), other);
  EXPECT_EQ(choice.at("trivium").at("route").at("decoder"), own.at("decoder"));
  const Json scored = ask("/v1/score", {{"task", "sst2"}, {"input", "a film"}, {"route", asked}});
  EXPECT_EQ(
      scored.at("log_likelihoods"),
      Json(model.generator().score({resolved.prompt}, {resolved.options}).at(0).log_likelihoods));
  for (const auto& [bad, problem] : std::vector<std::pair<Json, std::string>>{
           {{{"encoder", {nullptr, 4}}}, "encoder 2 takes an expert from 1 to 3"},
           {{{"encoder", {2, nullptr}}}, "encoder 1 takes an expert from 1 to 1"},
           {{{"encoder", {1}}}, "an entry for each of its 2 layers"},
           {{{"decoder", {1.5, 1}}}, "decoder 1 takes an expert"},
           {{{"middle", {1}}}, "unknown key \"middle\""},
           {{{"disabled", {{"encoder", {nullptr, 4}}}}}, "\"disabled\": encoder 2 takes an expert"},
           {{{"disabled", {{"middle", {1}}}}}, "unknown key \"middle\""},
           {{{"disabled", {2, 1}}}, "\"disabled\" is not a JSON object"},
           {3, "\"route\" is not a JSON object"}}) {
    request["route"] = bad;
    for (const char* prompt : {"a film", ""}) {
      request["prompt"] = prompt;
      expect_error(post("/v1/completions", request), 400, problem);
    }
  }
}

TEST_F(ServerTest, AnExpertCanBeDisabled) {
  start();
  const LoadedModel model(folder_, EngineOptions{});
  const Json request = {{"task", "sst2"}, {"input", "a film"}};
  const Json own = ask("/v1/route", request).at("route");
  std::vector<float> likely = model.likely_route(0).decoder.at(0);
  const size_t taken = own.at("decoder").at(0);
  likely.at(taken - 1) = 0;
  Json expected = own;
  expected.at("decoder").at(0) = TaskRoute::main_expert(likely) + 1;
  Json changed = request;
  changed["route"] = {{"disabled", {{"decoder", {taken, nullptr}}}}};
  EXPECT_EQ(ask("/v1/route", changed).at("route"), expected);
  const Json scores = ask("/v1/score", changed);
  EXPECT_EQ(scores.at("route"), expected);
  EXPECT_NE(scores.at("log_likelihoods"), ask("/v1/score", request).at("log_likelihoods"));
  const Json choice =
      complete({{"model", "tiny:sst2"}, {"prompt", "a film"}, {"route", changed.at("route")}})
          .at("choices")
          .at(0);
  EXPECT_EQ(choice.at("trivium").at("route"), expected);
  changed["route"] = {{"disabled", {{"decoder", {taken % 3 + 1, nullptr}}}}};
  expect_error(post("/v1/score", changed), 400, "here: without expert");
  // Where the task is found, the route is that of what was found.
  const Json question = {{"input", "how many apples are left"}};
  const Json found = ask("/v1/route", question).at("route");
  Json asked = {{"prompt", question.at("input")}};
  asked["route"] = {{"disabled", {{"decoder", {found.at("decoder").at(0), nullptr}}}}};
  const Json without = complete(asked).at("choices").at(0).at("trivium").at("route");
  EXPECT_NE(without.at("decoder").at(0), found.at("decoder").at(0));
}

TEST_F(ServerTest, ADenseModelsTasksHaveNoPlaces) {
  folder_ = temporary_.path() / "dense";
  save_checkpoint(tiny_checkpoint(TinyModel::kDense), folder_);
  start();
  const Json routes = get("/v1/routes");
  EXPECT_EQ(routes.at("places"), Json::array());
  EXPECT_EQ(routes.at("experts"), 1);
  EXPECT_EQ(routes.at("tasks").at(0), (Json{{"task", "sst2"},
                                            {"family", "made up"},
                                            {"likely", Json::array()},
                                            {"used", Json::array()}}));
}

TEST_F(ServerTest, LogProbabilitiesAreThoseOfTheTokens) {
  start();
  const Json request = {{"model", "tiny:sst2"}, {"prompt", "a film"}, {"num_beams", 1},
                        {"min_tokens", 12},     {"max_tokens", 12},   {"logprobs", 3}};
  for (const double temperature : {0.0, 1.5}) {
    Json asked = request;
    asked["temperature"] = temperature;
    const Json choice = complete(asked).at("choices").at(0);
    const Json& logprobs = choice.at("logprobs");
    const size_t count = logprobs.at("tokens").size();
    ASSERT_EQ(count, 11u) << "and the end, which is forced";
    const std::string text = choice.at("text");
    double sum = 0;
    for (size_t i = 0; i < count; ++i) {
      const double own = logprobs.at("token_logprobs").at(i);
      sum += own;
      const Json& top = logprobs.at("top_logprobs").at(i);
      EXPECT_EQ(top.at(logprobs.at("tokens").at(i).get<std::string>()), own);
      double best = -1e9;
      for (const auto& [token, value] : top.items()) best = std::max(best, value.get<double>());
      if (temperature == 0) {
        EXPECT_EQ(top.size(), 3u);
        EXPECT_EQ(best, own) << "greedy search takes the best";
      }
      EXPECT_LE(logprobs.at("text_offset").at(i), text.size());
    }
    EXPECT_EQ(logprobs.at("text_offset").at(0), 0);
    EXPECT_NEAR(sum, choice.at("trivium").at("score").get<double>(), 1e-5);
    Json streamed = {{"tokens", Json::array()}, {"token_logprobs", Json::array()}};
    for (const Json& event : stream(asked)) {
      const Json& part = event.at("choices").at(0).at("logprobs");
      for (auto& [key, list] : streamed.items()) {
        for (const Json& one : part.at(key)) list.push_back(one);
      }
    }
    EXPECT_EQ(streamed.at("tokens"), logprobs.at("tokens"));
    EXPECT_EQ(streamed.at("token_logprobs"), logprobs.at("token_logprobs"));
  }
  Json without = request;
  without["logprobs"] = 0;
  EXPECT_TRUE(complete(without).at("choices").at(0).at("logprobs").at("top_logprobs").is_null());
  without.erase("logprobs");
  EXPECT_TRUE(complete(without).at("choices").at(0).at("logprobs").is_null());
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

}  // namespace
}  // namespace trivium::cli
