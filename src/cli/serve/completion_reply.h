// The reply to a completion, whole or as a stream of events, while its answers are made.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "cli/serve/completion_request.h"
#include "cli/serve/service.h"
#include "core/base/json.h"

namespace trivium::cli {

class CompletionReply {
 public:
  // `model`: as the reply names it. `tokenizer` outlives the reply.
  CompletionReply(CompletionRequest request, std::vector<LiveChoice> choices, std::string model,
                  const Tokenizer& tokenizer);

  // Waits up to `patience` for something new. Throws what ended an answer.
  void advance(std::chrono::milliseconds patience);
  bool has_ended() const;

  // OpenAI's object of a reply, whose choices have "trivium" besides, as route_facts and "score"
  // and "truncated". A prompt that no known task fits gets "finish_reason": "no_task".
  Json whole() const;

  // Server-sent events of what is new since the last call; those of the end, "[DONE]" among them,
  // once all have ended.
  std::string take_events();

  // Nobody waits for it any longer.
  void cancel();
  bool is_cancelled() const { return is_cancelled_; }

  int64_t completion_tokens() const;
  const std::vector<LiveChoice>& choices() const { return choices_; }

 private:
  struct Progress {
    std::string text;  // so far, without what a stop cut off
    size_t sent = 0;   // bytes of it that are in events
    int64_t tokens = 0, source_tokens = 0;
    std::vector<LiveAnswer::Token>
        chosen;              // where they are asked for; whose text begins before a stop
    size_t chosen_sent = 0;  // of them, in events
    bool truncated = false;
    std::optional<double> score;  // of an answer that ended by itself
    std::string finish;           // "" while it goes on
    bool end_is_sent = false;
  };

  void look(size_t choice, std::chrono::milliseconds patience);
  size_t settled(const Progress& progress) const;
  // OpenAI's "logprobs" of the tokens [begin, end); null where nobody asked for them.
  Json logprobs(const Progress& progress, size_t begin, size_t end) const;
  Json head() const;
  Json usage() const;
  Json facts(size_t choice) const;
  // What is new of the text up to `end`.
  std::string event(size_t choice, size_t end);

  CompletionRequest request_;
  std::vector<LiveChoice> choices_;
  std::vector<Progress> progress_;
  std::string id_, model_;
  const Tokenizer& tokenizer_;
  int64_t created_;
  bool end_is_sent_ = false, is_cancelled_ = false;
};

}  // namespace trivium::cli
