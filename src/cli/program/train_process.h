// A command of trivium-train that runs beside this program.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace trivium::cli {

// Has no terminal: it reads nothing, and Ctrl-C does not reach it. It ends with this program,
// however that ends.
class TrainProcess {
 public:
  // `trivium-train ARGUMENTS`. Errors as train_program; kIo where it cannot be started.
  explicit TrainProcess(const std::vector<std::string>& arguments);
  // Ends it with SIGTERM; with SIGKILL where it does not obey within some seconds.
  ~TrainProcess();
  TrainProcess(const TrainProcess&) = delete;
  TrainProcess& operator=(const TrainProcess&) = delete;

  // Readable when read() has something to take.
  int descriptor() const { return messages_; }
  // Takes what it wrote to standard error since, without waiting.
  void read();
  // Waits until it has ended, reading on.
  void wait();

  // The last line of standard error so far, valid UTF-8.
  const std::string& last_message() const { return last_message_; }
  // Once it has ended: its exit code, or 128 + a signal.
  const std::optional<int>& code() const { return code_; }
  // What it wrote to standard output; the first MiB.
  std::string output() const;

 private:
  void take(const char* bytes, size_t count);
  void reap();

  pid_t process_ = -1;
  int messages_ = -1;  // its standard error, not blocking
  int output_ = -1;    // a file in memory: its standard output
  std::string line_, last_message_;
  std::optional<int> code_;
};

}  // namespace trivium::cli
