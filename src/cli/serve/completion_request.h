// What /v1/completions is asked.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/json.h"
#include "core/generation/search.h"

namespace trivium::cli {

struct CompletionRequest {
  std::string model;          // as it was named; "" where it was not
  std::vector<Json> prompts;  // each a text, or an object of its task's fields
  SearchOptions search;       // the checkpoint's, with what the request changes
  int choices = 1;            // "n": answers of each prompt
  Json route;                 // to take in place of the task's, as route_changes has it; null: none
  std::string prefix;         // what the answers begin with
  std::vector<std::string> stops;
  std::optional<int> logprobs;  // asked for, with so many of the likeliest tokens
  bool streams = false;
  bool streams_usage = false;  // "stream_options": {"include_usage": true}
};

struct CompletionLimits {
  size_t prompts = 64, choices = 16;
  int beams = 16;
  int64_t positions = 0;  // of the model: the longest answer
};

// Reads a request as OpenAI's clients send it, with num_beams, top_k, min_tokens,
// repetition_penalty and prefix besides. Without a temperature above 0, top_p or top_k nothing is
// sampled. ApiError 400 for what is malformed, beyond `limits`, or would change the answer and is
// not implemented, by its name.
CompletionRequest parse_completion_request(const std::string& body, const SearchOptions& checkpoint,
                                           const CompletionLimits& limits);

// Where the first of `stops` begins in `text`; npos where none is in it.
size_t find_stop(const std::string& text, const std::vector<std::string>& stops);

}  // namespace trivium::cli
