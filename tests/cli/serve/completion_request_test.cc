#include "cli/serve/completion_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/serve/api_error.h"

namespace trivium::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

SearchOptions checkpoint() {
  SearchOptions search;
  search.num_beams = 4;
  search.max_length = 20;
  return search;
}

CompletionRequest parse(const std::string& body) {
  CompletionLimits limits;
  limits.positions = 100;
  return parse_completion_request(body, checkpoint(), limits);
}

std::string message_of(const std::string& body) {
  try {
    parse(body);
  } catch (const ApiError& error) {
    EXPECT_EQ(error.status(), 400);
    EXPECT_EQ(error.body().at("error").at("type"), "invalid_request_error");
    return error.what();
  } catch (const Error& error) {
    EXPECT_EQ(api_error_of(error).status(), 400);
    return error.what();
  }
  return "";
}

TEST(CompletionRequestTest, WithoutOptionsIsTheCheckpointsSearch) {
  const CompletionRequest request = parse(R"({"prompt": "a film"})");
  EXPECT_EQ(request.model, "");
  EXPECT_THAT(request.prompts, ElementsAre(Json("a film")));
  EXPECT_EQ(request.search.num_beams, 4);
  EXPECT_EQ(request.search.max_length, 20);
  EXPECT_FALSE(request.search.sample);
  EXPECT_FALSE(request.streams);
  EXPECT_EQ(request.choices, 1);
}

TEST(CompletionRequestTest, ReadsWhatClientsSend) {
  const CompletionRequest request = parse(
      R"({"model": "m:sst2", "prompt": ["a", {"premise": "b"}], "max_tokens": 7, "min_tokens": 2,
          "temperature": 0.5, "top_p": 0.9, "top_k": 5, "seed": 3, "n": 2, "prefix": "it is", "stop": ["x", "\n"],
          "stream": true, "stream_options": {"include_usage": true}, "user": "u",
          "presence_penalty": 0, "frequency_penalty": 0.0, "logit_bias": {}, "logprobs": null,
          "echo": false, "best_of": 1, "suffix": null, "repetition_penalty": 1.2})");
  EXPECT_EQ(request.model, "m:sst2");
  EXPECT_EQ(request.prompts.size(), 2u);
  EXPECT_EQ(request.search.max_length, 8) << "the start token counts";
  EXPECT_EQ(request.search.min_length, 3);
  EXPECT_TRUE(request.search.sample);
  EXPECT_EQ(request.search.num_beams, 1);
  EXPECT_DOUBLE_EQ(request.search.temperature, 0.5);
  EXPECT_DOUBLE_EQ(request.search.top_p, 0.9);
  EXPECT_EQ(request.search.top_k, 5);
  EXPECT_EQ(request.search.seed, 3u);
  EXPECT_EQ(request.prefix, "it is");
  EXPECT_DOUBLE_EQ(request.search.repetition_penalty, 1.2);
  EXPECT_EQ(request.choices, 2);
  EXPECT_THAT(request.stops, ElementsAre("x", "\n"));
  EXPECT_TRUE(request.streams && request.streams_usage);
}

TEST(CompletionRequestTest, ATemperatureOfZeroDoesNotSample) {
  EXPECT_FALSE(parse(R"({"prompt": "a", "temperature": 0})").search.sample);
  EXPECT_EQ(parse(R"({"prompt": "a", "temperature": 0, "num_beams": 2})").search.num_beams, 2);
  EXPECT_TRUE(parse(R"({"prompt": "a", "top_p": 0.5})").search.sample);
}

TEST(CompletionRequestTest, RefusesByNameWhatItCannotDo) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{", "malformed JSON"},
      {"[]", "not a JSON object"},
      {"{}", "\"prompt\" is missing"},
      {R"({"prompt": 3})", "\"prompt\" must be"},
      {R"({"prompt": [1, 2]})", "token ids are not supported"},
      {R"({"prompt": []})", "from 1 to 64"},
      {R"({"prompt": "a", "max_tokens": 0})", "\"max_tokens\" must be from 1 to 99"},
      {R"({"prompt": "a", "max_tokens": 100})", "\"max_tokens\""},
      {R"({"prompt": "a", "max_tokens": 4294967298})", "\"max_tokens\" must be from 1 to 99"},
      {R"({"prompt": "a", "max_tokens": 1e30})", "\"max_tokens\""},
      {R"({"prompt": "a", "max_tokens": 18446744073709551615})", "must be from 1 to 99"},
      {R"({"prompt": "a", "max_tokens": 2.5})", "\"max_tokens\""},
      {R"({"prompt": "a", "min_tokens": 30})", "\"min_tokens\" is more"},
      {R"({"prompt": "a", "temperature": -1})", "\"temperature\""},
      {R"({"prompt": "a", "temperature": "hot"})", "\"temperature\""},
      {R"({"prompt": "a", "top_p": 0})", "\"top_p\""},
      {R"({"prompt": "a", "n": 2})", "\"n\" above 1 needs sampling"},
      {R"({"prompt": "a", "n": 17, "temperature": 1})", "\"n\" must be from 1 to 16"},
      {R"({"prompt": "a", "temperature": 1, "num_beams": 2})", "without beams"},
      {R"({"prompt": "a", "num_beams": 17})", "\"num_beams\" must be from 1 to 16"},
      {R"({"prompt": "a", "stop": ["a", "b", "c", "d", "e"]})", "\"stop\""},
      {R"({"prompt": "a", "stop": ""})", "\"stop\""},
      {R"({"prompt": "a", "stop": [1]})", "\"stop\""},
      {R"({"prompt": "a", "logprobs": 5})", "give \"num_beams\": 1"},
      {R"({"prompt": "a", "logprobs": 6, "num_beams": 1})", "\"logprobs\" must be from 0 to 5"},
      {R"({"prompt": "a", "echo": true})",
       "\"echo\" is not supported; leave it out; POST /v1/score"},
      {R"({"prompt": "a", "stream_options": {"include": 1}})", "unknown key \"include\""},
      {R"({"prompt": "a", "stream_options": []})", "\"stream_options\" is not a JSON object"},
      {R"({"prompt": "a", "presence_penalty": 0.5})", "\"presence_penalty\" is not supported"},
      {R"({"prompt": "a", "max_token": 5})", "unknown key \"max_token\"; did you mean max_tokens"},
  };
  for (const auto& [body, problem] : cases)
    EXPECT_THAT(message_of(body), HasSubstr(problem)) << body;
}

TEST(CompletionRequestTest, AStopIsTheFirstOfAny) {
  EXPECT_EQ(find_stop("one two three", {"three", "two"}), 4u);
  EXPECT_EQ(find_stop("one", {"two"}), std::string::npos);
  EXPECT_EQ(find_stop("one", {}), std::string::npos);
}

}  // namespace
}  // namespace trivium::cli
