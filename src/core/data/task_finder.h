// Which known task a prompt that names none is nearest to, and why.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/base/json.h"
#include "core/data/prompt_template.h"
#include "core/data/task.h"

namespace trivium {

struct TaskGuess {
  std::string task;
  double probability = 0;
  // Up to three words (or pairs of words, or the prompt's length) that speak most for the task, as
  // `"film"` or `its length`, with the log of how much likelier each is in the task than in all
  // tasks.
  std::vector<std::pair<std::string, double>> words;
};

// Naive Bayes over lower-cased words, pairs of neighbouring words and the prompt's length, each
// counted once a text; every task equally likely beforehand. The sum of the log-odds is divided by
// the square root of their number, since neighbouring words are not independent and plain naive
// Bayes is far too sure of itself.
class TaskFinder {
 public:
  struct TaskTexts {
    std::string task;
    std::vector<std::string> texts;
  };
  // Keeps the `vocabulary` most telling words. Deterministic.
  static TaskFinder train(const std::vector<TaskTexts>& tasks, size_t vocabulary = 4000);

  // The likeliest tasks, best first; at most `count`.
  std::vector<TaskGuess> find(std::string_view text, size_t count = 3) const;

  // Every word with one character a task: its log-odds in steps of 0.15. About 70 bytes a word.
  Json to_json() const;
  // Error kBadModel, beginning with `where`, for malformed JSON.
  static TaskFinder from_json(const Json& json, const std::string& where);

 private:
  void add_word(const std::string& word, const std::vector<int8_t>& steps);

  std::vector<std::string> tasks_;
  std::vector<std::string> words_;
  std::unordered_map<std::string, size_t> index_;  // of words_
  std::vector<int8_t> steps_;                      // [num_words, num_tasks], in units of 0.15
};

// What to train a finder on: up to `max_records` records of the task's train split, each rendered
// by its templates in turn and as its bare input fields, and the description.
TaskFinder::TaskTexts finder_texts(
    const Task& task, const std::vector<std::shared_ptr<const PromptTemplate>>& templates,
    const std::string& description, size_t max_records = 2000);

// The record's input fields one after the other, as a user might type them.
std::string bare_input(const Task& task, const Json& fields);

// `nearest known task: sst2 (0.83; words: "film", "witty"); next: movie_reviews 0.11, imdb 0.02`.
std::string describe_guesses(const std::vector<TaskGuess>& guesses);

}  // namespace trivium
