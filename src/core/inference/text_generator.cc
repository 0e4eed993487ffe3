#include "core/inference/text_generator.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <numeric>
#include <optional>
#include <stdexcept>

#include "core/base/error.h"
#include "core/generation/continuous_search.h"

namespace trivium {
namespace {

// A beam or an option is a row of its own with its own caches: how many of them a prompt may have
// on average before the batch gets fewer prompts.
constexpr int64_t kRowsPerPrompt = 16;

constexpr size_t kLongestWord = 32;  // bytes; beyond them a text without spaces flows too

// What ends a search between two of its tokens.
struct Stopped {};

class StoppableDecoder : public StepDecoder {
 public:
  StoppableDecoder(StepDecoder& decoder, const std::atomic<bool>* stop)
      : decoder_(decoder), stop_(stop) {}
  int64_t vocab_size() const override { return decoder_.vocab_size(); }
  int64_t rows() const override { return decoder_.rows(); }
  int64_t waiting() const override { return decoder_.waiting(); }
  int64_t admit() override { return decoder_.admit(); }
  std::span<const float> step(std::span<const int32_t> tokens) override {
    if (stop_ != nullptr && stop_->load()) throw Stopped{};
    return decoder_.step(tokens);
  }
  std::span<const LogitScan> step_scan(std::span<const int32_t> tokens, int count,
                                       std::span<const std::vector<int32_t>> banned) override {
    if (stop_ != nullptr && stop_->load()) throw Stopped{};
    return decoder_.step_scan(tokens, count, banned);
  }
  void select_rows(std::span<const int32_t> parents) override { decoder_.select_rows(parents); }

 private:
  StepDecoder& decoder_;
  const std::atomic<bool>* stop_;
};

// `order` with the prompts of each route side by side: a batch of one route reads the weights of
// one expert a layer.
std::vector<size_t> by_route(const std::vector<Prompt>& prompts, const std::vector<size_t>& order) {
  std::vector<std::vector<size_t>> groups;
  for (const size_t i : order) {
    const auto group = std::find_if(groups.begin(), groups.end(), [&](const auto& members) {
      return prompts[members.front()].route == prompts[i].route;
    });
    if (group == groups.end()) {
      groups.push_back({i});
    } else {
      group->push_back(i);
    }
  }
  std::vector<size_t> grouped;
  for (const auto& group : groups) grouped.insert(grouped.end(), group.begin(), group.end());
  return grouped;
}

// Which prompts their route's head answers, and which the decoder.
struct ByHead {
  std::vector<size_t> labelled, written;  // indices
  std::vector<Prompt> others;             // the written ones, where any is labelled
};

ByHead by_head(const std::vector<Prompt>& prompts) {
  ByHead parts;
  for (size_t i = 0; i < prompts.size(); ++i) {
    (prompts[i].route.head ? parts.labelled : parts.written).push_back(i);
  }
  if (parts.labelled.empty()) return parts;
  for (const size_t i : parts.written) parts.others.push_back(prompts[i]);
  return parts;
}

std::optional<size_t> label_number(const LabelHead& head, const std::string& option) {
  const auto place = std::find(head.labels.begin(), head.labels.end(), option);
  if (place == head.labels.end()) return {};
  return static_cast<size_t>(place - head.labels.begin());
}

// The first few, quoted.
std::string labels_in_words(const LabelHead& head) {
  constexpr size_t kMostNamed = 10;
  std::string text;
  for (size_t i = 0; i < std::min(head.labels.size(), kMostNamed); ++i) {
    text += (i == 0 ? "\"" : ", \"") + head.labels[i] + "\"";
  }
  const size_t more = head.labels.size() - std::min(head.labels.size(), kMostNamed);
  return more == 0 ? text : text + " and " + std::to_string(more) + " more";
}

BeamEnd beam_end_of(EarlyStopping stopping) {
  switch (stopping) {
    case EarlyStopping::kOff:
      return BeamEnd::kAsItIs;
    case EarlyStopping::kOn:
      return BeamEnd::kAtOnce;
    case EarlyStopping::kNever:
      return BeamEnd::kAtMaxLength;
  }
  throw std::logic_error("unknown early stopping");
}

}  // namespace

size_t settled_bytes(std::string_view text) {
  const size_t space = text.find_last_of(" \n\t");
  size_t settled = space == std::string_view::npos ? 0 : space;
  if (text.size() > kLongestWord) settled = std::max(settled, text.size() - kLongestWord);
  const auto in_character = [&](size_t i) {
    return i > 0 && i < text.size() && (static_cast<unsigned char>(text[i]) & 0xC0) == 0x80;
  };
  while (in_character(settled)) --settled;
  return settled;
}

const EnumNames<OnLong>& on_long_names() {
  static const EnumNames<OnLong> names = {
      {"truncate", OnLong::kTruncate}, {"mark", OnLong::kMark}, {"error", OnLong::kError}};
  return names;
}

void check_options(const Prompt& prompt, const std::vector<std::string>& options) {
  const LabelHead* head = prompt.route.head.get();
  if (head == nullptr) return;
  for (const std::string& option : options) {
    if (label_number(*head, option)) continue;
    throw Error(ExitCode::kBadData, "\"" + option +
                                        "\" is no answer of this task, whose head knows " +
                                        labels_in_words(*head) + " alone");
  }
}

TextGenerator::TextGenerator(std::shared_ptr<Engine> engine,
                             std::shared_ptr<const Tokenizer> tokenizer, GeneratorOptions options)
    : engine_(std::move(engine)), tokenizer_(std::move(tokenizer)), options_(options) {
  options_.max_source_length =
      std::min(options_.max_source_length, config().max_position_embeddings);
}

SearchOptions TextGenerator::default_search() const {
  const ModelConfig& config = this->config();
  SearchOptions search;
  search.num_beams = config.num_beams;
  search.max_length = config.max_length;
  search.length_penalty = config.length_penalty;
  search.min_length = config.min_length;
  search.beam_end = beam_end_of(config.early_stopping);
  search.repetition_penalty = config.repetition_penalty;
  search.bad_words = config.bad_words_ids;
  search.suppressed = config.suppress_tokens;
  search.suppressed_first = config.begin_suppress_tokens;
  search.no_repeat_ngram_size = config.no_repeat_ngram_size;
  search.start_id = config.decoder_start_token_id;
  search.eos_id = config.eos_token_id;
  search.forced_bos_id = config.forced_bos_token_id;
  search.forced_eos_id = config.forced_eos_token_id;
  return search;
}

SearchOptions TextGenerator::greedy_search(int64_t max_length) const {
  SearchOptions search = default_search();
  search.num_beams = 1;
  search.max_length = static_cast<int>(max_length);
  return search;
}

TextGenerator::Encoded TextGenerator::encode(const std::string& text) const {
  Encoded encoded;
  encoded.ids = tokenizer_->encode_with_special(
      text, static_cast<size_t>(options_.max_source_length), &encoded.truncated);
  return encoded;
}

// Returns the prompts' indices, the longest first.
std::vector<size_t> TextGenerator::encode_by_length(const std::vector<Prompt>& prompts,
                                                    std::vector<Encoded>& encoded) const {
  encoded.clear();
  for (const Prompt& prompt : prompts) encoded.push_back(encode(prompt.text));
  std::vector<size_t> order(prompts.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return encoded[a].ids.size() > encoded[b].ids.size();
  });
  return order;
}

void TextGenerator::for_each_batch(const std::vector<Prompt>& prompts,
                                   std::vector<Encoded>& encoded, const Space& space,
                                   bool continuous, const BatchHandler& handle) {
  std::vector<size_t> order = encode_by_length(prompts, encoded);
  for (size_t begin = 0, end; begin < order.size(); begin = end) {
    const auto longest = static_cast<int64_t>(encoded[order[begin]].ids.size());
    int64_t places = 0, rows = 0, tokens = 0;
    for (end = begin; end < order.size() && places < options_.batch_size; ++end) {
      const auto own = static_cast<int64_t>(encoded[order[end]].ids.size());
      tokens = continuous ? tokens + own : (places + 1) * longest;
      const int64_t more = rows + space.rows_of(order[end]);
      if (places > 0 && (tokens > options_.batch_tokens ||
                         more * longest > kRowsPerPrompt * options_.batch_tokens)) {
        break;
      }
      ++places;
      rows = more;
    }
    if (continuous) {
      order = by_route(prompts, order);
      end = order.size();
    }
    const std::vector<size_t> batch(order.begin() + static_cast<int64_t>(begin),
                                    order.begin() + static_cast<int64_t>(end));
    std::vector<std::vector<int32_t>> sources;
    std::vector<const TaskRoute*> routes;
    for (size_t i : batch) {
      sources.push_back(encoded[i].ids);
      routes.push_back(&prompts[i].route);
    }
    const std::unique_ptr<StepDecoder> decoder =
        engine_->start(sources, routes, places, rows * space.max_length);
    StoppableDecoder stoppable(*decoder, options_.stop);
    try {
      handle(batch, stoppable);
    } catch (const Stopped&) {
      return;
    }
  }
}

SearchOptions TextGenerator::search_of(const Prompt& prompt, const SearchOptions& search) const {
  SearchOptions own = search;
  if (prompt.prefix.empty()) return own;
  if (const LabelHead* head = prompt.route.head.get()) {
    const bool any =
        std::any_of(head->labels.begin(), head->labels.end(),
                    [&](const std::string& label) { return label.starts_with(prompt.prefix); });
    if (any) return own;
    throw Error(ExitCode::kBadData, "no answer of this task begins with \"" + prompt.prefix +
                                        "\": its head knows " + labels_in_words(*head));
  }
  own.prefix = tokenizer_->encode_target(prompt.prefix, std::numeric_limits<size_t>::max(),
                                         config().decoder_start_token_id);
  own.prefix.pop_back();  // the end token
  const SpecialTokens& special = tokenizer_->special();
  const bool writes = std::any_of(own.prefix.begin(), own.prefix.end(),
                                  [&](int32_t id) { return id != special.bos; });
  if (!writes || std::find(own.prefix.begin(), own.prefix.end(), special.unk) != own.prefix.end()) {
    throw Error(ExitCode::kBadData,
                "the model has no tokens to write the prefix \"" + prompt.prefix + "\" with");
  }
  return own;
}

void TextGenerator::label(const std::vector<Prompt>& prompts, const std::vector<size_t>& indices,
                          const LabelHandler& handle) {
  for (size_t begin = 0, end; begin < indices.size(); begin = end) {
    if (options_.stop != nullptr && options_.stop->load()) return;
    std::vector<std::vector<int32_t>> sources;
    std::vector<const TaskRoute*> routes;
    std::vector<Labelled> labelled;
    int64_t tokens = 0;
    for (end = begin; end < indices.size() && tokens < options_.batch_tokens; ++end) {
      const Prompt& prompt = prompts[indices[end]];
      Labelled& own = labelled.emplace_back();
      for (const std::string& text : head_texts(prompt.text, prompt.route.head->parts)) {
        Encoded part = encode(text);
        own.truncated = own.truncated || part.truncated;
        own.source_tokens += static_cast<int64_t>(part.ids.size());
        sources.push_back(std::move(part.ids));
        routes.push_back(&prompt.route);
      }
      tokens += own.source_tokens;
    }
    const std::vector<std::vector<float>> vectors = unit_vectors(sources, routes);
    auto first = vectors.begin();
    for (size_t i = begin; i < end; ++i) {
      const LabelHead& head = *prompts[indices[i]].route.head;
      Labelled& own = labelled[i - begin];
      own.log_probabilities = label_log_probabilities(head, {first, first + head.parts});
      first += head.parts;
      handle(indices[i], own);
    }
  }
}

Answer TextGenerator::label_answer(const Prompt& prompt, const Labelled& labelled, int n_best) {
  const std::vector<std::string>& labels = prompt.route.head->labels;
  std::vector<size_t> order;
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i].starts_with(prompt.prefix)) order.push_back(i);
  }
  check(!order.empty(), "a label begins with the prefix");
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return labelled.log_probabilities[a] > labelled.log_probabilities[b];
  });
  std::vector<Answer> ranked;
  for (size_t i = 0; i < order.size() && std::ssize(ranked) < n_best; ++i) {
    const double score = labelled.log_probabilities[order[i]];
    ranked.push_back({.text = labels[order[i]],
                      .score = score,
                      .finished = true,
                      .truncated = labelled.truncated,
                      .source_tokens = labelled.source_tokens,
                      .target_tokens = 1,
                      .tokens = {{labels[order[i]], static_cast<float>(score)}}});
  }
  Answer best = std::move(ranked.at(0));
  best.others.assign(std::make_move_iterator(ranked.begin() + 1),
                     std::make_move_iterator(ranked.end()));
  return best;
}

Answer TextGenerator::make_answer(const Hypothesis& hypothesis, const Encoded& source) const {
  Answer answer;
  answer.text = tokenizer_->decode(hypothesis.ids);
  answer.score = hypothesis.score;
  answer.finished = hypothesis.finished;
  answer.truncated = source.truncated;
  answer.source_tokens = static_cast<int64_t>(source.ids.size());
  answer.target_tokens = static_cast<int64_t>(hypothesis.ids.size());
  for (size_t i = 0; i < hypothesis.log_probabilities.size(); ++i) {
    const bool is_end = i == hypothesis.ids.size();
    const int32_t id = is_end ? config().eos_token_id : hypothesis.ids[i];
    // A model's matrix may have more rows than there are tokens.
    const bool is_token = id < tokenizer_->vocab_size();
    answer.tokens.push_back(
        {is_token ? tokenizer_->token(id) : "", hypothesis.log_probabilities[i]});
  }
  for (const Hypothesis& other : hypothesis.others) {
    answer.others.push_back(make_answer(other, source));
  }
  return answer;
}

std::vector<Answer> TextGenerator::generate(const std::vector<Prompt>& prompts,
                                            const SearchOptions& options,
                                            const AnswerCallback& on_answer) {
  std::vector<Answer> answers(prompts.size());
  const auto take = [&](size_t prompt, Answer answer) {
    answers[prompt] = std::move(answer);
    if (on_answer) on_answer(prompt, answers[prompt]);
  };
  const ByHead parts = by_head(prompts);
  for (const size_t i : parts.labelled) search_of(prompts[i], options);
  label(prompts, parts.labelled, [&](size_t prompt, const Labelled& labelled) {
    take(prompt, label_answer(prompts[prompt], labelled, options.n_best));
  });
  const std::vector<Prompt>& asked = parts.labelled.empty() ? prompts : parts.others;
  std::vector<Encoded> encoded;
  const auto rows_of = [&](size_t) { return options.num_beams; };
  const auto handle = [&](const std::vector<size_t>& batch, StepDecoder& decoder) {
    ContinuousSearch searched(decoder);
    const auto on_end = [&](int64_t source, const Hypothesis& hypothesis) {
      const size_t place = batch[source];
      take(parts.written[place], make_answer(hypothesis, encoded[place]));
    };
    const auto shared = std::make_shared<const SearchOptions>(options);
    for (size_t i = 0; i < batch.size(); ++i) {
      const Prompt& prompt = asked[batch[i]];
      searched.add(prompt.prefix.empty()
                       ? shared
                       : std::make_shared<const SearchOptions>(search_of(prompt, options)),
                   i, on_end);
    }
    while (searched.step()) {
    }
  };
  for_each_batch(asked, encoded, {rows_of, options.max_length}, engine_->batches_continuously(),
                 handle);
  return answers;
}

Answer TextGenerator::stream(const Prompt& prompt, const SearchOptions& options,
                             const std::function<bool(const std::string& text)>& on_text) {
  check(options.num_beams == 1, "beam search has nothing to stream");
  if (prompt.route.head) {
    Answer answer = generate({prompt}, options).at(0);
    if (answer.source_tokens > 0) on_text(answer.text);
    return answer;
  }
  Answer answer;
  std::vector<Encoded> encoded;
  const auto handle = [&](const std::vector<size_t>&, StepDecoder& decoder) {
    std::vector<int32_t> ids;
    const auto on_token = [&](int64_t, const ChosenToken& token) {
      ids.push_back(token.id);
      return on_text(tokenizer_->decode(ids));
    };
    answer = make_answer(search(decoder, search_of(prompt, options), on_token).at(0), encoded[0]);
  };
  for_each_batch({prompt}, encoded, {[](size_t) { return 1; }, options.max_length},
                 /*continuous=*/false, handle);
  return answer;
}

std::vector<OptionScores> TextGenerator::score(const std::vector<Prompt>& prompts,
                                               const std::vector<std::vector<std::string>>& options,
                                               const ScoresCallback& on_scores) {
  check(prompts.size() == options.size(), "one list of options a prompt");
  std::vector<OptionScores> scores(prompts.size());
  for (size_t i = 0; i < prompts.size(); ++i) check_options(prompts[i], options[i]);
  const ByHead parts = by_head(prompts);
  label(prompts, parts.labelled, [&](size_t prompt, const Labelled& labelled) {
    const LabelHead& head = *prompts[prompt].route.head;
    for (const std::string& option : options[prompt]) {
      scores[prompt].log_likelihoods.push_back(
          labelled.log_probabilities[*label_number(head, option)]);
    }
    scores[prompt].truncated = labelled.truncated;
    if (on_scores) on_scores(prompt, scores[prompt]);
  });
  const std::vector<Prompt>& asked = parts.labelled.empty() ? prompts : parts.others;
  std::vector<Encoded> encoded;
  const ModelConfig& config = this->config();
  const auto rows_of = [&](size_t i) {
    return static_cast<int64_t>(options[parts.written[i]].size());
  };
  const auto handle = [&](const std::vector<size_t>& batch, StepDecoder& decoder) {
    std::vector<std::vector<std::vector<int32_t>>> ids(batch.size());
    for (size_t i = 0; i < batch.size(); ++i) {
      const size_t prompt = parts.written[batch[i]];
      OptionScores& own = scores[prompt];
      own.truncated = encoded[batch[i]].truncated;
      for (const std::string& option : options[prompt]) {
        bool cut = false;
        ids[i].push_back(
            tokenizer_->encode_target(option, static_cast<size_t>(config.max_position_embeddings),
                                      config.decoder_start_token_id, &cut));
        own.truncated = own.truncated || cut;
      }
    }
    const auto found = score_options(decoder, config.decoder_start_token_id, ids);
    for (size_t i = 0; i < batch.size(); ++i) {
      const size_t prompt = parts.written[batch[i]];
      scores[prompt].log_likelihoods = found[i];
      if (on_scores) on_scores(prompt, scores[prompt]);
    }
  };
  constexpr int64_t kUsualOptionTokens = 8;
  for_each_batch(asked, encoded, {rows_of, kUsualOptionTokens}, /*continuous=*/false, handle);
  return scores;
}

std::vector<std::vector<float>> TextGenerator::sentence_vectors(
    const std::vector<Prompt>& prompts) {
  std::vector<std::vector<int32_t>> sources;
  std::vector<const TaskRoute*> routes;
  for (const Prompt& prompt : prompts) {
    sources.push_back(encode(prompt.text).ids);
    routes.push_back(&prompt.route);
  }
  return unit_vectors(sources, routes);
}

std::vector<std::vector<float>> TextGenerator::unit_vectors(
    const std::vector<std::vector<int32_t>>& sources, const std::vector<const TaskRoute*>& routes) {
  std::vector<std::vector<float>> vectors = engine_->mean_states(sources, routes);
  for (std::vector<float>& vector : vectors) {
    double square = 0;
    for (const float value : vector) square += double{value} * value;
    if (!std::isfinite(square)) {
      throw Error(ExitCode::kBadModel,
                  "a sentence vector is not finite: the model's weights are damaged");
    }
    const double length = std::max(std::sqrt(square), 1e-30);
    for (float& value : vector) value = static_cast<float>(value / length);
  }
  return vectors;
}

bool TextGenerator::reads_whole(const std::string& text) const { return !encode(text).truncated; }

bool TextGenerator::scores_whole(const std::string& option) const {
  bool truncated = false;
  tokenizer_->encode_target(option, static_cast<size_t>(config().max_position_embeddings),
                            config().decoder_start_token_id, &truncated);
  return !truncated;
}

}  // namespace trivium
