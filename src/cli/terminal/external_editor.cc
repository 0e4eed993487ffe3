#include "cli/terminal/external_editor.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/text.h"

namespace trivium::cli {
namespace {

constexpr size_t kMaxBytes = size_t{1} << 20;
constexpr int kNotFound = 127;  // how a shell says so

std::string named_editor() {
  for (const char* name : {"VISUAL", "EDITOR"}) {
    const char* value = std::getenv(name);
    if (value != nullptr && *value != '\0') return value;
  }
  throw Error(ExitCode::kUnavailable,
              "no editor is named; set VISUAL or EDITOR to one before trivium starts");
}

// A file of which nobody else knows, with `text` in it; removed at its end.
class PrivateFile {
 public:
  explicit PrivateFile(const std::string& text)
      : path_((std::filesystem::temp_directory_path() / "trivium-XXXXXX").string()) {
    const int descriptor = ::mkstemp(path_.data());  // mode 0600
    const bool written = descriptor >= 0 && ::write(descriptor, text.data(), text.size()) ==
                                                static_cast<ssize_t>(text.size());
    const int error = errno;
    if (descriptor >= 0) ::close(descriptor);
    if (written) return;
    if (descriptor >= 0) ::unlink(path_.c_str());
    throw Error(ExitCode::kIo, "cannot write " + path_ + ": " + std::strerror(error));
  }
  ~PrivateFile() { ::unlink(path_.c_str()); }
  PrivateFile(const PrivateFile&) = delete;
  PrivateFile& operator=(const PrivateFile&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Keys that send signals are the editor's while it runs.
class IgnoredSignals {
 public:
  IgnoredSignals() {
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    for (size_t i = 0; i < kCount; ++i) ::sigaction(kSignals[i], &ignore, &old_[i]);
  }
  ~IgnoredSignals() {
    for (size_t i = 0; i < kCount; ++i) ::sigaction(kSignals[i], &old_[i], nullptr);
  }
  IgnoredSignals(const IgnoredSignals&) = delete;
  IgnoredSignals& operator=(const IgnoredSignals&) = delete;

 private:
  static constexpr int kSignals[] = {SIGINT, SIGQUIT, SIGTSTP};
  static constexpr size_t kCount = 3;
  struct sigaction old_[kCount];
};

// Runs the shell's `command FILE`, as git does: an editor may be named with arguments. The exit
// code, or 128 + a signal.
int run_editor(const std::string& command, const std::string& file) {
  const std::string script = command + " \"$1\"";
  const char* const arguments[] = {"sh", "-c", script.c_str(), "sh", file.c_str(), nullptr};
  const IgnoredSignals ignored;
  // Ctrl-Z stays ignored in the editor too: no shell would bring it back.
  sigset_t defaults;
  ::sigemptyset(&defaults);
  for (const int signal : {SIGINT, SIGQUIT, SIGPIPE}) ::sigaddset(&defaults, signal);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setsigdefault(&attributes, &defaults);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  pid_t process = 0;
  const int error = ::posix_spawn(&process, "/bin/sh", nullptr, &attributes,
                                  const_cast<char* const*>(arguments), environ);
  ::posix_spawnattr_destroy(&attributes);
  if (error != 0) {
    throw Error(ExitCode::kUnavailable, std::string("cannot start /bin/sh: ") + strerror(error));
  }
  int status = 0;
  while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

std::string edit_in_editor(const std::string& text) {
  const std::string command = named_editor();
  const PrivateFile file(text + '\n');
  const int code = run_editor(command, file.path());
  if (code == kNotFound) {
    throw Error(ExitCode::kUnavailable, "cannot start the editor " + command +
                                            "; set VISUAL or EDITOR to one that is there");
  }
  if (code != 0) {
    throw Error(ExitCode::kBadData, "the editor " + command + " ended with code " +
                                        std::to_string(code) + "; the line stays as it was");
  }
  if (std::filesystem::file_size(file.path()) > kMaxBytes) {
    throw Error(ExitCode::kBadData, "the editor left more than 1 MiB; the line stays as it was");
  }
  std::string edited = replace_invalid_utf8(read_file(file.path()));
  edited.erase(edited.find_last_not_of("\r\n") + 1);
  return edited;
}

}  // namespace trivium::cli
