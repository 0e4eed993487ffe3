// Runs the built program as a user does.
#pragma once

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/base/json.h"

namespace trivium::cli {

struct Outcome {
  int code = -1;  // 128 + the signal that ended it, as a shell says it
  std::string out;
  std::string err;
  int64_t most_memory = 0;  // KiB that it had in memory at once
};

// `trivium ARGUMENTS < input`.
Outcome run_program(const std::vector<std::string>& arguments, const std::string& input = "");

// The same of a program that is elsewhere.
Outcome run_program_at(const std::filesystem::path& program,
                       const std::vector<std::string>& arguments, const std::string& input = "");

// The lines of JSON in `text`.
std::vector<Json> json_lines(const std::string& text);

// The program with its standard input and output in the test's hands.
class RunningProgram {
 public:
  explicit RunningProgram(const std::vector<std::string>& arguments);
  ~RunningProgram();
  RunningProgram(const RunningProgram&) = delete;
  RunningProgram& operator=(const RunningProgram&) = delete;

  void write(const std::string& text);
  void close_input();
  void close_output();
  // The next line of standard output; "" after a minute without one.
  std::string read_line();
  void signal(int number) const { ::kill(process_, number); }
  int wait();  // the code as in Outcome

 private:
  int process_ = -1;
  int input_ = -1, output_ = -1;
};

}  // namespace trivium::cli
