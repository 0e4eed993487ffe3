// Errors a user can mend. Bugs are std::logic_error (see check()); main.cc turns both into one
// line.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace trivium {

// The documented exit codes of every command (README.md, "Exit codes").
enum class ExitCode : int {
  kOk = 0,
  kInternal = 1,       // a bug in trivium
  kUsage = 2,          // wrong flags or arguments
  kConfig = 64,        // a bad value, or an unknown key, in a configuration file
  kBadData = 65,       // malformed input data; the message names file:line
  kMissingInput = 66,  // a file, folder, checkpoint or task that does not exist
  kUnavailable = 69,   // a device that was asked for is not there
  kDiverged = 70,      // training diverged (NaN), or a self-test failed
  kExists = 73,        // refuses to overwrite
  kIo = 74,            // disk full, read or write failure
  kStopped = 75,       // stopped by a signal; the work can be resumed
  kBadModel = 76,      // a corrupt or unsupported checkpoint
  kInterrupted = 130,  // Ctrl-C
};

// Its kind for programs: "internal", "usage", "config", "bad_data", "missing_input", "unavailable",
// "diverged", "exists", "io", "stopped", "bad_model", "interrupted"; "ok".
const char* name_of(ExitCode code);

// Something the user can mend. `what()` is one line: what is wrong, where, and what to do.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

// Throws std::logic_error when a condition that only a bug can break does not hold.
inline void check(bool condition, const char* message) {
  if (!condition) throw std::logic_error(message);
}

}  // namespace trivium
