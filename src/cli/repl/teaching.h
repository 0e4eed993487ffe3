// New tasks, taught while the conversation goes on.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/program/train_process.h"
#include "cli/repl/conversation.h"
#include "cli/repl/screen.h"
#include "cli/terminal/line_editor.h"

namespace trivium::cli {

// Opens another checkpoint folder as the conversation's model was opened.
// `trivium task add` in a process of its own; the conversation's model knows the task afterwards.
class Teaching : public Background {
 public:
  // All must outlive it.
  Teaching(Conversation& conversation, const Screen& screen);
  ~Teaching() override;  // ends what goes on

  // /teach and its arguments; `rest` as typed. Error kUsage, kExists, kUnavailable.
  void run(const std::vector<std::string>& arguments, const std::string& rest);

  // Whether lines are examples now, until an empty one.
  bool collects() const { return collected_.has_value(); }
  size_t examples() const { return collected_ ? collected_->lines.size() : 0; }
  // One of them: "INPUT => ANSWER"; an empty one begins the teaching. Error kUsage for another
  // form; the line is then as if it had not been typed.
  void add_example(const std::string& line);
  // Forgets them.
  void drop_examples() { collected_.reset(); }

  // Waits for its end. Returns what there is to say; "" where nothing goes on. Error kBadData where
  // the task was not learned.
  std::string wait();

  int descriptor() const override { return process_ ? process_->descriptor() : -1; }
  std::string news() override;
  std::string status() const override;

 private:
  struct Collected {
    std::string task;
    std::vector<std::string> lines;  // of JSON
  };
  void check_name(const std::string& name) const;
  void start(const std::string& task, const std::filesystem::path& examples);
  std::string finish();
  void remove_typed_file();

  Conversation& conversation_;
  const Screen& screen_;
  std::optional<Collected> collected_;
  std::string task_;
  std::chrono::steady_clock::time_point begin_;
  std::filesystem::path typed_file_;  // of typed examples, removed when they are learned
  std::unique_ptr<TrainProcess> process_;
};

}  // namespace trivium::cli
