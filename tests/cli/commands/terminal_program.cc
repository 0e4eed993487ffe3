#include "cli/commands/terminal_program.h"

#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <regex>
#include <stdexcept>

namespace trivium::cli {
namespace {

std::string without_escapes(const std::string& raw) {
  static const std::regex escape("\x1b\\[[0-9;?]*[A-Za-z]|\x1b[=>]|\x07|\r");
  return std::regex_replace(raw, escape, "");
}

}  // namespace

TerminalProgram::TerminalProgram(
    const std::vector<std::string>& arguments,
    const std::vector<std::pair<std::string, std::string>>& environment) {
  const winsize size = {24, 80, 0, 0};
  process_ = ::forkpty(&terminal_, nullptr, nullptr, &size);
  if (process_ < 0) throw std::runtime_error("no pseudo-terminal");
  if (process_ > 0) return;
  for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
  std::vector<char*> argv = {const_cast<char*>(TRIVIUM_PROGRAM)};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  ::execv(argv[0], argv.data());
  ::_exit(127);
}

TerminalProgram::~TerminalProgram() {
  if (process_ > 0) {
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
  ::close(terminal_);
}

void TerminalProgram::type(const std::string& keys) {
  if (::write(terminal_, keys.data(), keys.size()) != static_cast<ssize_t>(keys.size())) {
    throw std::runtime_error("cannot type");
  }
}

bool TerminalProgram::read_more(int milliseconds) {
  pollfd poller = {terminal_, POLLIN, 0};
  char bytes[4096];
  if (::poll(&poller, 1, milliseconds) <= 0) return false;
  const ssize_t count = ::read(terminal_, bytes, sizeof bytes);
  if (count <= 0) return false;  // the program has closed its side
  raw_.append(bytes, static_cast<size_t>(count));
  // An escape sequence may be cut between two reads: all is converted anew.
  text_ = without_escapes(raw_);
  return true;
}

std::string TerminalProgram::read_until(const std::string& text) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  for (;;) {
    const size_t place = text_.find(text, read_);
    if (place != std::string::npos) {
      const std::string found = text_.substr(read_, place + text.size() - read_);
      read_ = place + text.size();
      return found;
    }
    if (std::chrono::steady_clock::now() > end || !read_more(60000)) {
      return text_.substr(read_) + "[no " + text + "]";
    }
  }
}

bool TerminalProgram::echoes() const {
  termios state = {};
  return ::tcgetattr(terminal_, &state) == 0 && (state.c_lflag & ECHO) != 0 &&
         (state.c_lflag & ICANON) != 0;
}

void TerminalProgram::signal(int number) const { ::kill(process_, number); }

int TerminalProgram::wait() {
  while (read_more(60000)) {
  }
  int status = 0;
  ::waitpid(process_, &status, 0);
  process_ = -1;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace trivium::cli
