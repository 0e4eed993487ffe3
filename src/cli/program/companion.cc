#include "cli/program/companion.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "cli/program/home.h"
#include "core/base/error.h"
#include "core/base/launch.h"

namespace trivium::cli {
namespace {

// Whether processes that a launcher started share the command's work, which takes LibTorch's c10d.
bool shares_work(const std::string& command) {
  return command == "generate" || command == "score" || command == "eval";
}

}  // namespace

const std::vector<TrainCommand>& train_commands() {
  static const std::vector<TrainCommand> commands = {
      {"", "pretrain", "train a dense model to undo noise (BART's denoising)"},
      {"", "train", "train experts and routes on many tasks"},
      {"", "adapt", "tune a checkpoint on an unseen task from a few examples"},
      {"", "classifier", "an encoder with a head for every task: train, adapt, eval, gates"},
      {"", "import", "a Hugging Face BART, BERT or MiniLM folder becomes a checkpoint"},
      {"", "config", "settings files: each resolved value, and where it comes from"},
      {"", "experiment", "run a comparison of the papers, from training to the report"},
      {"routes", "disable", "whether the tasks of a feature need the expert it goes with"},
      {"routes", "resolve", "write routes.json into a checkpoint that was saved without it"},
      {"task", "vector", "make vectors of a gym's tasks for training"},
      {"task", "add", "give a checkpoint a new task: a vector, and so a route"},
      {"bench", "agreement", "how often bfloat16 and int8 give float32's answers"},
      {"bench", "straight-through",
       "the training step of hard routes against running all experts in full"},
      {"bench", "token-gates", "the training step of token gates against a dense model's"},
      {"bench", "training", "a training step of a dense model, examples a second"},
  };
  return commands;
}

const char* help_of_train_command(const std::string& parent, const std::string& name) {
  for (const TrainCommand& command : train_commands()) {
    if (parent == command.parent && name == command.name) return command.help;
  }
  throw std::logic_error("no command of trivium-train: " + parent + " " + name);
}

bool asks_for_train_command(const std::vector<std::string>& arguments) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--engine=torch") return true;
    if (arguments[i] == "torch" && i > 0 && arguments[i - 1] == "--engine") return true;
  }
  std::vector<std::string> words;
  for (const std::string& argument : arguments) {
    if (argument.starts_with('-')) {
      if (words.empty()) continue;  // -q and -v may stand before the command
      break;
    }
    words.push_back(argument);
    if (words.size() == 2) break;
  }
  if (!words.empty() && shares_work(words[0]) && launch_from_environment().size > 1) return true;
  for (const TrainCommand& command : train_commands()) {
    const bool is_top = *command.parent == '\0';
    if (is_top && !words.empty() && words[0] == command.name) return true;
    if (!is_top && words.size() == 2 && words[0] == command.parent && words[1] == command.name) {
      return true;
    }
  }
  return false;
}

std::filesystem::path train_program() {
  const char* named = std::getenv("TRIVIUM_TRAIN");
  const std::filesystem::path program =
      named != nullptr && *named != '\0' ? named : program_folder() / "trivium-train";
  if (std::filesystem::exists(program)) return program;
  throw Error(ExitCode::kUnavailable,
              "this needs trivium-train, which is not beside the program; in the source tree "
              "tools/trivium builds it (cmake -DTRIVIUM_LEARNING=ON), on Debian the package "
              "trivium-train holds it");
}

void start_train_program(const std::vector<std::string>& arguments) {
  const std::filesystem::path program = train_program();
  std::vector<char*> pointers = {const_cast<char*>("trivium")};
  for (const std::string& argument : arguments) {
    pointers.push_back(const_cast<char*>(argument.c_str()));
  }
  pointers.push_back(nullptr);
  ::execv(program.c_str(), pointers.data());
  throw Error(ExitCode::kIo, "cannot start " + program.string() + ": " + std::strerror(errno));
}

}  // namespace trivium::cli
