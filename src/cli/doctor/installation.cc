#include "cli/doctor/installation.h"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>

#include "cli/program/build_info.h"
#include "cli/program/companion.h"
#include "cli/program/home.h"
#include "cli/program/train_process.h"
#include "cli/terminal/line_history.h"
#include "core/base/text.h"
#include "core/checkpoint/checkpoint_folder.h"

namespace trivium::cli {
namespace {

namespace fs = std::filesystem;

bool is_built_program(const fs::path& file) {
  char magic[4] = {};
  std::ifstream(file, std::ios::binary).read(magic, sizeof magic);
  return std::string_view(magic, sizeof magic) ==
         "\x7f"
         "ELF";
}

std::string commit_text() {
  const std::string commit = build_info().commit;
  return commit.empty() ? "unknown commit"
                        : "commit " + commit + (build_info().has_changes ? " with changes" : "");
}

// What `trivium-train --version` says in its first two lines.
struct TrainVersion {
  std::string program, commit;
};

TrainVersion version_of_train() {
  TrainProcess process({"--version"});
  process.wait();
  const std::vector<std::string> lines = split(process.output(), '\n');
  if (process.code() != 0 || lines.size() < 2 || !lines[0].starts_with("trivium-train ")) {
    throw Error(ExitCode::kUnavailable, "it does not run: " + process.last_message());
  }
  return {lines[0], lines[1]};
}

}  // namespace

Finding examine_program() {
  const BuildInfo& info = build_info();
  return {.topic = "program",
          .text = fmt::format("trivium {}, {}, {}", info.version, commit_text(), info.compiler),
          .details = {{"version", info.version},
                      {"commit", info.commit},
                      {"has_changes", info.has_changes},
                      {"compiler", info.compiler}}};
}

Finding examine_train() {
  Finding finding{.topic = "trivium-train"};
  try {
    const fs::path program = train_program();
    finding.details["path"] = program.string();
    finding.text = program.string();
    if (::access(program.c_str(), X_OK) != 0) {
      return not_well(std::move(finding), Health::kFailed,
                      "it may not be executed; chmod +x it, or name another by TRIVIUM_TRAIN",
                      ExitCode::kUnavailable);
    }
    if (!is_built_program(program)) {
      finding.text += ": a script, started when a command needs it";
      return finding;
    }
    const TrainVersion version = version_of_train();
    finding.text += ": " + version.program + ", " + version.commit;
    finding.details["version"] = version.program.substr(version.program.find(' ') + 1);
    if (finding.details["version"] != build_info().version) {
      return not_well(std::move(finding), Health::kWarning,
                      "the two programs are of different versions; install both of one");
    }
  } catch (const Error& error) {
    const bool is_there = !finding.text.empty();
    finding.text += (is_there ? ": " : "") + std::string(error.what());
    return not_well(std::move(finding), is_there ? Health::kFailed : Health::kWarning,
                    "train, adapt, import and experiment need it; the others do not",
                    is_there ? error.code() : ExitCode::kOk);
  }
  return finding;
}

Finding examine_home() {
  Finding finding{.topic = "home"};
  try {
    const fs::path home = home_folder();
    finding.text = home.string();
    finding.details["path"] = home.string();
    for (const char* part : {"prompts", "configs", "checkpoints"}) {
      if (fs::is_directory(home / part)) continue;
      finding.text += fmt::format("{}no {}/", finding.advice.empty() ? ": " : ", ", part);
      finding.health = Health::kWarning;
      finding.advice = "set TRIVIUM_HOME to the folder that holds all three, or install anew";
    }
  } catch (const Error& error) {
    finding.text = error.what();
    return not_well(std::move(finding), Health::kFailed,
                    "set TRIVIUM_HOME to the folder that holds prompts/ and checkpoints/",
                    error.code());
  }
  return finding;
}

Finding examine_checkpoint(const fs::path& folder) {
  Finding finding{.topic = "checkpoint", .details = {{"path", folder.string()}}};
  try {
    const size_t files = verify_every_byte(folder);
    finding.text = fmt::format("{}: all {} files are as they were saved", folder.string(), files);
    finding.details["files"] = files;
  } catch (const Error& error) {
    finding.text = error.what();
    return not_well(std::move(finding), Health::kFailed,
                    "take the folder from where it came from again, or name another: --checkpoint",
                    error.code());
  }
  return finding;
}

Finding examine_state_folder() {
  const fs::path file = LineHistory::default_file();
  Finding finding{.topic = "history", .text = file.string(), .details = {{"path", file.string()}}};
  if (file.empty()) {
    finding.text = "neither XDG_STATE_HOME nor HOME is set";
    return not_well(std::move(finding), Health::kWarning,
                    "the REPL forgets its lines; set one of them to keep them");
  }
  fs::path there = file;  // it, or the folder in which it can be made
  std::error_code error;
  while (!fs::exists(there, error) && there.has_relative_path()) there = there.parent_path();
  const bool is_file = there == file;
  if (::access(there.c_str(), W_OK | (is_file ? 0 : X_OK)) == 0 &&
      (is_file || fs::is_directory(there, error))) {
    return finding;
  }
  finding.text += " cannot be written";
  return not_well(std::move(finding), Health::kWarning,
                  "the REPL forgets its lines; give yourself the right to write " + there.string() +
                      ", or set XDG_STATE_HOME");
}

}  // namespace trivium::cli
