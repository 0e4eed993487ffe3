#include "cli/commands/program.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "core/base/file.h"
#include "core/base/memory.h"

namespace trivium::cli {
namespace {

// Starts a program with these descriptors as its standard ones; 0, 1 and 2 stay what they are.
int start(const std::string& program, const std::vector<std::string>& arguments, int in, int out,
          int err) {
  std::vector<char*> argv = {const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const int process = ::fork();
  if (process == 0) {
    ::dup2(in, 0);
    ::dup2(out, 1);
    ::dup2(err, 2);
    ::signal(SIGPIPE, SIG_IGN);  // as some parents leave it
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  return process;
}

// `most_memory` is what the program had held some milliseconds before its end: getrusage's figure
// would count what this process, whose copy it began as, held when it was started.
int code_of(int process, int64_t* most_memory = nullptr) {
  int status = 0;
  while (most_memory != nullptr && ::waitpid(process, &status, WNOHANG) == 0) {
    if (const auto bytes = peak_memory(process)) *most_memory = *bytes / 1024;
    ::usleep(5000);
  }
  if (most_memory == nullptr) ::waitpid(process, &status, 0);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int open_file(const std::filesystem::path& path, int flags) {
  const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (descriptor < 0) throw std::runtime_error("cannot open " + path.string());
  return descriptor;
}

}  // namespace

Outcome run_program(const std::vector<std::string>& arguments, const std::string& input) {
  return run_program_at(TRIVIUM_PROGRAM, arguments, input);
}

Outcome run_program_at(const std::filesystem::path& program,
                       const std::vector<std::string>& arguments, const std::string& input) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("trivium_run_" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "in", std::ios::binary) << input;
  const int descriptors[] = {open_file(folder / "in", O_RDONLY),
                             open_file(folder / "out", O_WRONLY | O_CREAT | O_TRUNC),
                             open_file(folder / "err", O_WRONLY | O_CREAT | O_TRUNC)};
  Outcome outcome;
  outcome.code =
      code_of(start(program.string(), arguments, descriptors[0], descriptors[1], descriptors[2]),
              &outcome.most_memory);
  for (const int descriptor : descriptors) ::close(descriptor);
  outcome.out = read_file(folder / "out");
  outcome.err = read_file(folder / "err");
  std::filesystem::remove_all(folder);
  return outcome;
}

std::vector<Json> json_lines(const std::string& text) {
  std::vector<Json> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(Json::parse(line));
  return lines;
}

RunningProgram::RunningProgram(const std::vector<std::string>& arguments) {
  int input[2], output[2];
  if (::pipe2(input, O_CLOEXEC) != 0 || ::pipe2(output, O_CLOEXEC) != 0) {
    throw std::runtime_error("no pipe");
  }
  process_ = start(TRIVIUM_PROGRAM, arguments, input[0], output[1], STDERR_FILENO);
  ::close(input[0]);
  ::close(output[1]);
  input_ = input[1];
  output_ = output[0];
}

RunningProgram::~RunningProgram() {
  close_input();
  close_output();
  if (process_ > 0) {
    ::kill(process_, SIGKILL);
    code_of(process_);
  }
}

void RunningProgram::write(const std::string& text) {
  if (::write(input_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    throw std::runtime_error("cannot write to the program");
  }
}

void RunningProgram::close_input() {
  if (input_ >= 0) ::close(input_);
  input_ = -1;
}

void RunningProgram::close_output() {
  if (output_ >= 0) ::close(output_);
  output_ = -1;
}

std::string RunningProgram::read_line() {
  std::string line;
  pollfd poller = {output_, POLLIN, 0};
  for (char c; ::poll(&poller, 1, 60000) > 0 && ::read(output_, &c, 1) == 1;) {
    if (c == '\n') return line;
    line += c;
  }
  return "";
}

int RunningProgram::wait() {
  const int code = code_of(process_);
  process_ = -1;
  return code;
}

}  // namespace trivium::cli
