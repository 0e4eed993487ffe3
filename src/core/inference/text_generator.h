// Prompts in, answers out: tokenising, batching by length, routing each row, searching,
// detokenising.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/enum_names.h"
#include "core/engine/engine.h"
#include "core/generation/search.h"
#include "core/routes/task_route.h"
#include "core/tokenizers/tokenizer.h"

namespace trivium {

struct Prompt {
  std::string text;
  TaskRoute route;
  std::string prefix = {};  // what the answer begins with; its tokens are forced
};

// A token of an answer as it stands in the vocabulary, "##ing", and its log-probability.
struct TokenScore {
  std::string token;
  float log_probability = 0;
};

struct Answer {
  std::string text;
  double score = 0;        // log-probability (beam search: length-normalised)
  bool finished = false;   // ended by itself, not cut at the maximal length
  bool truncated = false;  // the prompt was longer than the model's input and was cut
  int64_t source_tokens = 0;
  int64_t target_tokens = 0;
  // The answer's tokens, and the end token where it ended by itself. A forced one has 0; a beam's
  // are after the repetition penalty, as in its score.
  std::vector<TokenScore> tokens = {};
  // Of SearchOptions::n_best: other answers, the best first, none better than this.
  std::vector<Answer> others = {};
};

struct GeneratorOptions {
  int64_t max_source_length = 512;  // ids of the input, cut on the right
  int64_t batch_tokens = 4096;      // source tokens in a batch, padding included where there is any
  int64_t batch_size = 64;          // prompts in a batch
  // Asked before each token (not owned): once it is true, the prompts left over get no answer.
  const std::atomic<bool>* stop = nullptr;
};

// How many bytes of an answer's text so far can be shown: later tokens may still change the last
// word (a tokenizer's clean-up joins "do" and "n't"; a character may lack bytes).
size_t settled_bytes(std::string_view text);

// What is done with a text of more tokens than the model reads.
enum class OnLong {
  kTruncate,  // what is too much is cut, and the result says so
  kMark,      // it gets no answer, and the result says why
  kError,     // it is an error
};
const EnumNames<OnLong>& on_long_names();  // "truncate", "mark", "error"

// Error kBadData, which lists the labels, where a head answers the prompt and one of the options is
// none of them: the decoder, which could rank any, never learned the task.
void check_options(const Prompt& prompt, const std::vector<std::string>& options);

// How likely each option is as a prompt's answer.
struct OptionScores {
  std::vector<double> log_likelihoods;  // summed over an option's tokens and its end
  bool truncated = false;               // of the prompt, or of an option, not all was read
};

// Called with a prompt's index and its result as soon as there is one: what ends with an error
// later (a damaged weight that only some prompts meet) has given these.
using AnswerCallback = std::function<void(size_t prompt, const Answer& answer)>;
using ScoresCallback = std::function<void(size_t prompt, const OptionScores& scores)>;

class TextGenerator {
 public:
  // max_source_length is cut to what the model can embed.
  TextGenerator(std::shared_ptr<Engine> engine, std::shared_ptr<const Tokenizer> tokenizer,
                GeneratorOptions options);

  // The search settings that the model's config.json asks for.
  SearchOptions default_search() const;
  // The same without beams and of other length, as evaluations of many tasks search.
  SearchOptions greedy_search(int64_t max_length) const;

  // One answer a prompt, in the prompts' order; after a stop, nothing (source_tokens is 0) for
  // those left over. Rows of a batch may take different routes. Where the engine batches
  // continuously, a waiting prompt takes the place of each that ends, prompts of one route one
  // after the other, the longest first. A head's answer is its likeliest label (of those that begin
  // with the prefix), however the search says to search, in one token of that label's
  // log-probability. Errors as search_of.
  std::vector<Answer> generate(const std::vector<Prompt>& prompts, const SearchOptions& search,
                               const AnswerCallback& on_answer = nullptr);

  // Streams one prompt's answer: `on_text` gets the whole text so far after each token and returns
  // false to stop. Greedy or sampled; beam search has no answer before its end.
  Answer stream(const Prompt& prompt, const SearchOptions& search,
                const std::function<bool(const std::string& text)>& on_text);

  // Rank scoring: each option after its prompt; after a stop, no likelihoods for the prompts left
  // over. Where a route has a head, by that. Error as check_options.
  std::vector<OptionScores> score(const std::vector<Prompt>& prompts,
                                  const std::vector<std::vector<std::string>>& options,
                                  const ScoresCallback& on_scores = nullptr);

  // Of each prompt the mean of the encoder's output over its tokens, of length 1: [d_model]. Two
  // are alike as far as their product is near 1. Error kUnavailable where the engine gives none.
  std::vector<std::vector<float>> sentence_vectors(const std::vector<Prompt>& prompts);

  // A prompt's ids as the model reads them, and what a hypothesis of its search says.
  struct Encoded {
    std::vector<int32_t> ids;
    bool truncated = false;
  };
  Encoded encode(const std::string& text) const;
  // `search` with the prompt's prefix. Error kBadData where the tokenizer cannot write it, or where
  // a head answers and no label begins so.
  SearchOptions search_of(const Prompt& prompt, const SearchOptions& search) const;
  Answer make_answer(const Hypothesis& hypothesis, const Encoded& source) const;

  // Whether all of a prompt's text is read, and all of an option's.
  bool reads_whole(const std::string& text) const;
  bool scores_whole(const std::string& option) const;

  const Tokenizer& tokenizer() const { return *tokenizer_; }
  const ModelConfig& config() const { return engine_->config(); }
  Engine& engine() { return *engine_; }

 private:
  // Prompt i takes up to `rows_of(i)` rows of `max_length` tokens while it is decoded.
  struct Space {
    std::function<int64_t(size_t)> rows_of;
    int64_t max_length = 0;
  };
  using BatchHandler = std::function<void(const std::vector<size_t>&, StepDecoder&)>;
  // Runs `handle(indices, decoder)` over batches of prompts of similar length; with `continuous`
  // over all at once, of which as many as make a batch have places.
  void for_each_batch(const std::vector<Prompt>& prompts, std::vector<Encoded>& encoded,
                      const Space& space, bool continuous, const BatchHandler& handle);
  // What the head of a prompt's route makes of it: a log-probability a label.
  struct Labelled {
    std::vector<double> log_probabilities;
    bool truncated = false;
    int64_t source_tokens = 0;
  };
  using LabelHandler = std::function<void(size_t prompt, const Labelled& labelled)>;
  // Of the prompts of these indices, until a stop.
  void label(const std::vector<Prompt>& prompts, const std::vector<size_t>& indices,
             const LabelHandler& handle);
  static Answer label_answer(const Prompt& prompt, const Labelled& labelled, int n_best);
  std::vector<std::vector<float>> unit_vectors(const std::vector<std::vector<int32_t>>& sources,
                                               const std::vector<const TaskRoute*>& routes);
  std::vector<size_t> encode_by_length(const std::vector<Prompt>& prompts,
                                       std::vector<Encoded>& encoded) const;

  std::shared_ptr<Engine> engine_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  GeneratorOptions options_;
};

}  // namespace trivium
