#include "cli/repl/teaching.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <regex>
#include <utility>

#include "cli/program/companion.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/data/gym.h"

namespace trivium::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kArrow = "=>";
constexpr size_t kMostExamples = 10000;  // that are typed

// A new file of the lines that only the user can read.
fs::path private_file(const std::vector<std::string>& lines) {
  std::string path = (fs::temp_directory_path() / "trivium-examples-XXXXXX.jsonl").string();
  const int descriptor = ::mkstemps(path.data(), 6);  // mode 0600
  if (descriptor < 0) {
    throw Error(ExitCode::kIo, "cannot write " + path + ": " + std::strerror(errno));
  }
  ::close(descriptor);
  std::string text;
  for (const std::string& line : lines) text += line + '\n';
  write_file_atomically(path, text);
  return path;
}

// A message without the time and the level that it begins with, which say nothing here.
std::string without_stamp(const std::string& message) {
  static const std::regex kStamp("^[0-9:]{8} [a-z]+ ");
  return std::regex_replace(message, kStamp, "");
}

}  // namespace

Teaching::Teaching(Conversation& conversation, const Screen& screen)
    : conversation_(conversation), screen_(screen) {}

Teaching::~Teaching() {
  process_.reset();
  remove_typed_file();
}

void Teaching::remove_typed_file() {
  std::error_code ignored;
  if (const fs::path typed = std::exchange(typed_file_, {}); !typed.empty()) {
    fs::remove(typed, ignored);
  }
}

void Teaching::check_name(const std::string& name) const {
  if (process_) {
    throw Error(ExitCode::kUsage, task_ + " is being taught; wait for it, or stop it: /teach off");
  }
  if (!is_plain_name(name)) {
    throw Error(
        ExitCode::kUsage,
        '"' + sanitise(name) + "\" is no name for a task: letters, digits, _ and - make one");
  }
  if (conversation_.model.tasks().has(name)) {
    throw Error(ExitCode::kUsage, "the model knows a task " + name + " already; name another");
  }
  train_program();
}

void Teaching::run(const std::vector<std::string>& arguments, const std::string& rest) {
  if (arguments.empty()) {
    const std::string state = process_ ? status() : "nothing is being taught; /help /teach";
    return screen_.say(state, Ink::kDim);
  }
  const std::string& name = arguments.front();
  if (name == "off" && arguments.size() == 1) {
    if (!process_) return screen_.say("nothing is being taught", Ink::kDim);
    process_.reset();
    remove_typed_file();
    return screen_.say("stopped; " + task_ + " is not learned", Ink::kDim);
  }
  check_name(name);
  if (arguments.size() == 1) {
    collected_ = Collected{name, {}};
    return screen_.say("Type examples as INPUT => ANSWER; an empty line ends them.", Ink::kDim);
  }
  const fs::path file(trim(std::string_view(rest).substr(name.size())));
  if (!fs::is_regular_file(file)) {
    throw Error(ExitCode::kMissingInput, "no file " + sanitise(file.string()));
  }
  start(name, file);
}

void Teaching::add_example(const std::string& line) {
  const std::string text = replace_invalid_utf8(trim(line));
  if (text.empty()) {
    const Collected collected = *std::exchange(collected_, std::nullopt);
    if (collected.lines.empty()) return screen_.say("no examples: nothing is taught", Ink::kDim);
    typed_file_ = private_file(collected.lines);
    return start(collected.task, typed_file_);
  }
  const size_t arrow = text.rfind(kArrow);
  const std::string input(trim(text.substr(0, arrow)));
  const std::string answer(
      arrow == std::string::npos ? "" : trim(std::string_view(text).substr(arrow + kArrow.size())));
  if (input.empty() || answer.empty()) {
    throw Error(
        ExitCode::kUsage,
        "write INPUT => ANSWER, as: thank you so much => friendly; an empty line ends them");
  }
  if (collected_->lines.size() == kMostExamples) {
    throw Error(ExitCode::kUsage, "these are " + std::to_string(kMostExamples) +
                                      " examples; put more into a file: /teach NAME FILE");
  }
  collected_->lines.push_back(to_json_line({{"inputs", input}, {"targets", answer}}));
}

void Teaching::start(const std::string& task, const fs::path& examples) {
  task_ = task;
  begin_ = std::chrono::steady_clock::now();
  process_ = std::make_unique<TrainProcess>(std::vector<std::string>{
      "task", "add", task, "--checkpoint=" + conversation_.model.folder().string(),
      "--examples=" + examples.string()});
  screen_.say("teaching " + task + "; go on asking meanwhile", Ink::kDim);
}

std::string Teaching::wait() {
  if (!process_) return "";
  process_->wait();
  return finish();
}

std::string Teaching::news() {
  process_->read();
  if (!process_->code()) return "";
  try {
    return finish();
  } catch (const std::exception& e) {
    return wrap("error: " + sanitise(e.what()), screen_.style) + '\n';
  }
}

std::string Teaching::finish() {
  const std::unique_ptr<TrainProcess> ended = std::move(process_);
  remove_typed_file();
  if (*ended->code() != 0) {
    throw Error(ExitCode::kBadData, task_ +
                                        " is not learned: " + without_stamp(ended->last_message()) +
                                        " (exit code " + std::to_string(*ended->code()) + ")");
  }
  conversation_.model.refresh_tasks();
  std::string text;
  for (const std::string& line : split(trim(ended->output()), '\n')) {
    text += paint(wrap(sanitise(line), screen_.style, 2), Ink::kDim, screen_.style) + '\n';
  }
  return text +
         wrap("The model knows " + task_ + " now: /task " + task_ + " asks it.", screen_.style) +
         '\n';
}

std::string Teaching::status() const {
  if (!process_) return "";
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - begin_);
  const std::string message = without_stamp(process_->last_message());
  return "teaching " + task_ + " (" + std::to_string(seconds.count()) + " s)" +
         (message.empty() ? "" : ": " + message);
}

}  // namespace trivium::cli
