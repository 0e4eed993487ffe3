// Answers for many askers at once: whoever asks, from whatever thread, shares one continuous batch.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/generation/continuous_search.h"
#include "core/inference/text_generator.h"

namespace trivium {

// An answer on its way. All may be called from any thread.
class LiveAnswer {
 public:
  struct Token {
    ChosenToken chosen;
    size_t begin = 0;  // bytes of the text before it, which later tokens may still change
  };
  struct State {
    std::string text;              // so far; beam search has none before its end
    int64_t tokens = 0;            // that the text so far has
    std::optional<Answer> answer;  // once it has ended
    int64_t source_tokens = 0;     // of the prompt, as far as it is read
    bool truncated = false;        // the prompt was longer than that
  };

  // Waits until the text has more than `seen` tokens, the answer has ended, or `patience` is over,
  // and says how it stands. Throws what ended it: Error kBadModel for a damaged model.
  State wait(int64_t seen, std::chrono::milliseconds patience) const;

  // The text's tokens so far, maybe more than wait() has told; none in beam search.
  std::vector<Token> tokens() const;

  // Nobody wants it any longer: its place goes to another.
  void cancel();

 private:
  friend class LiveGenerator;

  bool is_cancelled() const;
  void grow(std::string text, const ChosenToken& token);
  void end(Answer answer);
  void fail(const std::exception_ptr& error);

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  State state_;
  std::vector<Token> tokens_;
  std::exception_ptr error_;
  bool is_cancelled_ = false;
};

struct LiveOptions {
  int64_t places = 16;      // answers that are decoded at once
  size_t max_waiting = 64;  // answers that wait for a place
};

class LiveGenerator {
 public:
  // While it lives, `generator` is its alone. `routes`, which outlive it, are those that prompts
  // may take. Error kUnavailable where the engine takes no sources while it decodes.
  LiveGenerator(TextGenerator& generator, std::vector<const TaskRoute*> routes,
                const LiveOptions& options);
  // Answers that have not ended end with an Error kInterrupted.
  ~LiveGenerator();
  LiveGenerator(const LiveGenerator&) = delete;
  LiveGenerator& operator=(const LiveGenerator&) = delete;

  // The answer, the same to the byte as TextGenerator::generate gives for this prompt as number
  // `draw` of its prompts; null where as many wait as may. The prompt's route is one of `routes`,
  // or like one. Error kUsage for impossible options.
  std::shared_ptr<LiveAnswer> ask(const Prompt& prompt, const SearchOptions& search,
                                  uint64_t draw = 0);

  // Runs `work` between two steps of the batch and returns true when it is done; throws what it
  // throws. Every answer waits for it meanwhile, so that it is to be short: some options to rank,
  // some sentence vectors. False where as many wait as may. Error kInterrupted at the end.
  bool run(const std::function<void(TextGenerator& generator)>& work);

  struct Load {
    int64_t active = 0, waiting = 0;  // answers that are decoded, and that wait
    int64_t answers = 0, tokens = 0;  // that were given so far
  };
  Load load() const;

 private:
  struct Question {
    std::shared_ptr<LiveAnswer> answer;
    Prompt prompt;
    TextGenerator::Encoded source;
    std::shared_ptr<const SearchOptions> search;
    uint64_t draw = 0;
    std::vector<int32_t> ids;  // so far, of a search that tells them
  };
  struct Job {
    const std::function<void(TextGenerator&)>* work;
    std::exception_ptr error;
    bool is_done = false;
  };

  void serve();
  bool has_work() const;
  size_t free_places() const;
  void run_jobs(std::unique_lock<std::mutex>& lock);
  std::vector<std::shared_ptr<Question>> take_questions();
  void begin_batch();
  void start(const std::shared_ptr<Question>& question);
  void answer_at_once(const Question& question);
  bool extend(Question& question, const ChosenToken& token);
  void end(int64_t source, const Hypothesis& hypothesis);
  void cancel_unwanted();
  void decode(const std::vector<std::shared_ptr<Question>>& taken);
  void fail_all(const std::exception_ptr& error);
  void leave_batch(int64_t source);

  TextGenerator& generator_;
  std::vector<const TaskRoute*> routes_;
  LiveOptions options_;

  mutable std::mutex mutex_;
  std::condition_variable asked_, job_done_;
  std::deque<std::shared_ptr<Question>> questions_;  // that have no place yet
  std::deque<Job*> jobs_;
  bool is_ending_ = false;
  Load load_;

  // The worker's own.
  std::unique_ptr<StepDecoder> decoder_;  // null after a failure, until it is needed again
  std::unique_ptr<ContinuousSearch> search_;
  std::map<int64_t, std::shared_ptr<Question>> in_batch_;  // by the source's number
  int64_t next_source_ = 0;
  std::thread worker_;
};

}  // namespace trivium
