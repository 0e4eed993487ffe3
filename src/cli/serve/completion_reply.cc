#include "cli/serve/completion_reply.h"

#include <algorithm>
#include <atomic>
#include <utility>

namespace trivium::cli {
namespace {

std::string next_id() {
  static std::atomic<int64_t> count{0};
  return "cmpl-" + std::to_string(unix_seconds()) + "-" + std::to_string(++count);
}

// How many characters the first `bytes` of a text are: offsets in JSON count those.
int64_t characters(std::string_view text, size_t bytes) {
  const std::string_view part = text.substr(0, bytes);
  return std::count_if(part.begin(), part.end(),
                       [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; });
}

}  // namespace

CompletionReply::CompletionReply(CompletionRequest request, std::vector<LiveChoice> choices,
                                 std::string model, const Tokenizer& tokenizer)
    : request_(std::move(request)),
      choices_(std::move(choices)),
      progress_(choices_.size()),
      id_(next_id()),
      model_(std::move(model)),
      tokenizer_(tokenizer),
      created_(unix_seconds()) {
  for (size_t i = 0; i < choices_.size(); ++i) {
    progress_[i].finish = choices_[i].finish;
  }
}

// Of several choices none is waited for long while others may have grown.
void CompletionReply::advance(std::chrono::milliseconds patience) {
  const auto open = std::count_if(progress_.begin(), progress_.end(),
                                  [](const Progress& one) { return one.finish.empty(); });
  for (size_t i = 0; i < choices_.size(); ++i) {
    if (progress_[i].finish.empty()) look(i, open > 1 ? patience / open : patience);
  }
}

void CompletionReply::look(size_t choice, std::chrono::milliseconds patience) {
  Progress& progress = progress_[choice];
  LiveAnswer& answer = *choices_[choice].answer;
  const LiveAnswer::State state = answer.wait(progress.tokens, patience);
  progress.text = state.text;
  progress.tokens = state.tokens;
  if (request_.logprobs) progress.chosen = answer.tokens();
  progress.source_tokens = state.source_tokens;
  progress.truncated = state.truncated;
  const size_t stop = find_stop(progress.text, request_.stops);
  if (stop != std::string::npos) {
    answer.cancel();
    progress.text.resize(stop);
    std::erase_if(progress.chosen, [&](const auto& token) { return token.begin >= stop; });
    progress.finish = "stop";
  } else if (state.answer) {
    progress.finish = state.answer->finished ? "stop" : "length";
  }
  if (state.answer) progress.score = state.answer->score;
}

bool CompletionReply::has_ended() const {
  return std::none_of(progress_.begin(), progress_.end(),
                      [](const Progress& one) { return one.finish.empty(); });
}

void CompletionReply::cancel() {
  is_cancelled_ = true;
  for (const LiveChoice& choice : choices_) {
    if (choice.answer) choice.answer->cancel();
  }
}

int64_t CompletionReply::completion_tokens() const {
  int64_t tokens = 0;
  for (const Progress& progress : progress_) tokens += progress.tokens;
  return tokens;
}

Json CompletionReply::head() const {
  return {{"id", id_}, {"object", "text_completion"}, {"created", created_}, {"model", model_}};
}

// A prompt counts once, however many answers it gets.
Json CompletionReply::usage() const {
  int64_t prompt = 0;
  for (size_t i = 0; i < progress_.size(); i += static_cast<size_t>(request_.choices)) {
    prompt += progress_[i].source_tokens;
  }
  return {{"prompt_tokens", prompt},
          {"completion_tokens", completion_tokens()},
          {"total_tokens", prompt + completion_tokens()}};
}

Json CompletionReply::facts(size_t choice) const {
  Json facts = route_facts(choices_[choice].resolved);
  facts["score"] = progress_[choice].score ? Json(*progress_[choice].score) : Json();
  facts["truncated"] = progress_[choice].truncated;
  return facts;
}

Json CompletionReply::whole() const {
  Json reply = head();
  reply["choices"] = Json::array();
  for (size_t i = 0; i < choices_.size(); ++i) {
    reply["choices"].push_back({{"text", progress_[i].text},
                                {"index", i},
                                {"logprobs", logprobs(progress_[i], 0, progress_[i].chosen.size())},
                                {"finish_reason", progress_[i].finish},
                                {"trivium", facts(i)}});
  }
  reply["usage"] = usage();
  return reply;
}

// Text that no later token changes and that no stop may still begin in.
size_t CompletionReply::settled(const Progress& progress) const {
  if (!progress.finish.empty()) return progress.text.size();
  size_t settled = settled_bytes(progress.text), longest = 1;
  for (const std::string& stop : request_.stops) longest = std::max(longest, stop.size());
  settled -= std::min(settled, longest - 1);
  while (settled > 0 && (static_cast<unsigned char>(progress.text[settled]) & 0xC0) == 0x80) {
    --settled;
  }
  return settled;
}

Json CompletionReply::logprobs(const Progress& progress, size_t begin, size_t end) const {
  if (!request_.logprobs) return nullptr;
  Json tokens = Json::array(), own = Json::array(), top = Json::array(), offsets = Json::array();
  // A model's matrix may have more rows than there are tokens.
  const auto text_of = [&](int32_t id) {
    return id < tokenizer_.vocab_size() ? tokenizer_.token(id) : "";
  };
  for (size_t i = begin; i < end; ++i) {
    const ChosenToken& chosen = progress.chosen[i].chosen;
    Json likeliest = Json::object();
    for (const TokenProbability& other : chosen.alternatives) {
      likeliest[text_of(other.id)] = other.log_probability;
    }
    likeliest[text_of(chosen.id)] = chosen.log_probability;
    tokens.push_back(text_of(chosen.id));
    own.push_back(chosen.log_probability);
    top.push_back(std::move(likeliest));
    offsets.push_back(characters(progress.text, progress.chosen[i].begin));
  }
  return {{"tokens", std::move(tokens)},
          {"token_logprobs", std::move(own)},
          {"top_logprobs", *request_.logprobs > 0 ? std::move(top) : Json()},
          {"text_offset", std::move(offsets)}};
}

std::string CompletionReply::event(size_t choice, size_t end) {
  Progress& progress = progress_[choice];
  const bool is_last = !progress.finish.empty();
  const size_t begin = std::min(progress.sent, end);
  size_t chosen_end = progress.chosen_sent;
  while (chosen_end < progress.chosen.size() &&
         (is_last || progress.chosen[chosen_end].begin < end)) {
    ++chosen_end;
  }
  Json part = {{"text", progress.text.substr(begin, end - begin)},
               {"index", choice},
               {"logprobs", logprobs(progress, progress.chosen_sent, chosen_end)},
               {"finish_reason", nullptr}};
  if (is_last) {
    part["finish_reason"] = progress.finish;
    part["trivium"] = facts(choice);
  }
  progress.sent = end;
  progress.chosen_sent = chosen_end;
  progress.end_is_sent = is_last;
  Json chunk = head();
  chunk["choices"] = Json::array({part});
  return "data: " + to_json_line(chunk) + "\n\n";
}

std::string CompletionReply::take_events() {
  std::string events;
  for (size_t i = 0; i < progress_.size(); ++i) {
    const Progress& progress = progress_[i];
    const size_t end = settled(progress);
    if (progress.end_is_sent || (end <= progress.sent && progress.finish.empty())) continue;
    events += event(i, end);
  }
  if (!has_ended() || end_is_sent_) return events;
  end_is_sent_ = true;
  if (request_.streams_usage) {
    Json chunk = head();
    chunk["choices"] = Json::array();
    chunk["usage"] = usage();
    events += "data: " + to_json_line(chunk) + "\n\n";
  }
  return events + "data: [DONE]\n\n";
}

}  // namespace trivium::cli
