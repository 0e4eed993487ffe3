// Which known task a prompt that names none is nearest to, and why.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/json.h"
#include "core/data/prompt_template.h"
#include "core/data/task.h"

namespace trivium {

struct TaskGuess {
  std::string task;
  std::string family;
  double probability = 0;
  double family_probability = 0;  // of all tasks of the family together
  // Up to three words that speak most for the task, as `"film"`, with what each adds to the task's
  // logit over what it adds to the average task's.
  std::vector<std::pair<std::string, double>> words;
};

// Multinomial logistic regression over a text's words, pairs of neighbouring words and runs of one
// to four bytes, hashed into a table (the hashing trick of Weinberger et al. 2009). Runs of bytes
// know a collection's manner of writing too: its capitals, spaces and signs.
class TaskFinder {
 public:
  struct TaskTexts {
    std::string task;
    std::vector<std::string> texts;
    std::string family = "";  // "": none but its own
  };
  // Every task counts alike, however many texts it has. Deterministic.
  static TaskFinder train(const std::vector<TaskTexts>& tasks);

  // The tasks, at most `count`: first the likeliest of the likeliest family, since tasks of a
  // family may share their texts, then the others, the likeliest first.
  std::vector<TaskGuess> find(std::string_view text, size_t count = 3) const;
  // Whether a text of which `guess` is the first guess belongs to a known family of tasks at all.
  static bool fits(const TaskGuess& guess) { return guess.family_probability >= kFits; }
  static constexpr double kFits = 0.4;

  const std::vector<std::string>& tasks() const { return tasks_; }

  // One character a task and place of the table: about 1.8 MB for 54 tasks.
  Json to_json() const;
  // Error kBadModel, beginning with `where`, for malformed JSON.
  static TaskFinder from_json(const Json& json, const std::string& where);

 private:
  TaskFinder(std::vector<std::string> tasks, std::vector<std::string> families, size_t places);
  struct Evidence;
  Evidence weigh(std::string_view text) const;
  static std::vector<std::pair<std::string, double>> telling_words(const Evidence& evidence,
                                                                   size_t task);
  const int8_t* row(uint32_t place) const { return &steps_[place * tasks_.size()]; }

  std::vector<std::string> tasks_, families_;
  size_t places_ = 0;          // of the table; a power of two
  double step_ = 0;            // what 1 in steps_ stands for
  std::vector<int8_t> steps_;  // [places, tasks]
};

// What to train a finder on: up to `max_records` records of the task's train split as their bare
// input fields, every fourth also rendered, by the templates in turn, and the description.
TaskFinder::TaskTexts finder_texts(
    const Task& task, const std::vector<std::shared_ptr<const PromptTemplate>>& templates,
    const std::string& description, size_t max_records = 4000);

// The record's fields of these names one after the other, as a user might type them. Error
// kBadData, which names the record's place, where one is missing.
std::string bare_input(const std::vector<std::string>& fields, const Record& record);

// `nearest known task: sst2 (0.83; words: "film", "witty"); next: movie_reviews 0.11, imdb 0.02`.
std::string describe_guesses(const std::vector<TaskGuess>& guesses);

}  // namespace trivium
