#include "cli/program/train_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>

#include "cli/program/companion.h"
#include "core/base/error.h"
#include "core/base/text.h"

namespace trivium::cli {
namespace {

constexpr size_t kMostLineBytes = 4096;
constexpr size_t kMostOutput = size_t{1} << 20;
constexpr auto kPatience = std::chrono::seconds(5);

// In the child, where only what is safe in a signal handler may be called.
[[noreturn]] void become(const char* program, char* const* arguments, const int (&streams)[3],
                         pid_t parent) {
  ::setpgid(0, 0);  // Ctrl-C is the terminal's foreground group's
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(1);  // it ended before the line above
  for (int i = 0; i < 3; ++i) ::dup2(streams[i], i);
  for (const int signal : {SIGINT, SIGQUIT, SIGPIPE, SIGTSTP}) ::signal(signal, SIG_DFL);
  ::execv(program, arguments);
  constexpr char kMessage[] = "trivium-train cannot be started\n";
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, kMessage, sizeof kMessage - 1);
  ::_exit(127);
}

}  // namespace

TrainProcess::TrainProcess(const std::vector<std::string>& arguments) {
  const std::string program = train_program().string();
  std::vector<char*> pointers = {const_cast<char*>("trivium")};
  for (const std::string& argument : arguments) {
    pointers.push_back(const_cast<char*>(argument.c_str()));
  }
  pointers.push_back(nullptr);
  int ends[2] = {-1, -1};
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  output_ = ::memfd_create("trivium-train", MFD_CLOEXEC);
  const bool is_ready = nothing >= 0 && output_ >= 0 && ::pipe2(ends, O_CLOEXEC) == 0;
  const pid_t parent = ::getpid();
  if (is_ready) process_ = ::fork();
  if (process_ == 0) {
    become(program.c_str(), pointers.data(), {nothing, output_, ends[1]}, parent);
  }
  const int error = errno;
  if (nothing >= 0) ::close(nothing);
  if (ends[1] >= 0) ::close(ends[1]);
  messages_ = ends[0];
  if (process_ < 0) {
    if (messages_ >= 0) ::close(messages_);
    if (output_ >= 0) ::close(output_);
    throw Error(ExitCode::kIo, "cannot start " + program + ": " + std::strerror(error));
  }
  ::setpgid(process_, process_);  // also here, so that it has happened whoever comes first
  ::fcntl(messages_, F_SETFL, O_NONBLOCK);
}

TrainProcess::~TrainProcess() {
  if (!code_) {
    ::kill(-process_, SIGTERM);
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (::waitpid(process_, nullptr, WNOHANG) == 0) {
      if (std::chrono::steady_clock::now() < end) {
        ::poll(nullptr, 0, 10);
        continue;
      }
      ::kill(-process_, SIGKILL);
      ::waitpid(process_, nullptr, 0);
      break;
    }
  }
  ::close(messages_);
  ::close(output_);
}

void TrainProcess::read() {
  char bytes[4096];
  while (!code_) {
    const ssize_t count = ::read(messages_, bytes, sizeof bytes);
    if (count > 0) {
      take(bytes, static_cast<size_t>(count));
    } else if (count == 0) {
      reap();  // it closed standard error, which it does at its end
    } else if (errno != EINTR) {
      return;
    }
  }
}

void TrainProcess::wait() {
  while (!code_) {
    pollfd ready = {messages_, POLLIN, 0};
    ::poll(&ready, 1, -1);
    read();
  }
}

// Keeps the last line, however it ends: a progress bar goes back with CR.
void TrainProcess::take(const char* bytes, size_t count) {
  for (const char c : std::string_view(bytes, count)) {
    if (c != '\n' && c != '\r') {
      if (line_.size() < kMostLineBytes) line_ += c;
      continue;
    }
    if (!trim(line_).empty()) last_message_ = replace_invalid_utf8(trim(line_));
    line_.clear();
  }
}

void TrainProcess::reap() {
  take("\n", 1);
  int status = 0;
  while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) {
  }
  code_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

std::string TrainProcess::output() const {
  std::string text(kMostOutput, '\0');
  const ssize_t count = ::pread(output_, text.data(), text.size(), 0);
  text.resize(count > 0 ? static_cast<size_t>(count) : 0);
  return replace_invalid_utf8(text);
}

}  // namespace trivium::cli
