#include "cli/output/output.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <functional>
#include <iostream>

#include "core/base/error.h"

namespace trivium::cli {
namespace {

constexpr int kNoError = 0;

// The exit code of a process with `descriptor` as its standard output that does `work`: that of an
// Error, kNoError without one, 128 + the signal that ended it.
int code_of(int descriptor, const std::function<void()>& work) {
  std::fflush(stdout);
  const pid_t process = ::fork();
  if (process == 0) {
    std::signal(SIGPIPE, SIG_DFL);
    if (descriptor < 0) {
      ::close(STDOUT_FILENO);
    } else {
      ::dup2(descriptor, STDOUT_FILENO);
    }
    int code = kNoError;
    try {
      work();
    } catch (const Error& error) {
      code = static_cast<int>(error.code());
    } catch (...) {
      code = 99;
    }
    ::_exit(code);
  }
  int status = 0;
  ::waitpid(process, &status, 0);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int code_on_full_device(const std::function<void()>& work) {
  const int device = ::open("/dev/full", O_WRONLY);
  EXPECT_GE(device, 0);
  const int code = code_of(device, work);
  ::close(device);
  return code;
}

int code_on_broken_pipe(const std::function<void()>& work) {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  ::close(ends[0]);
  const int code = code_of(ends[1], work);
  ::close(ends[1]);
  return code;
}

// What `work` writes to a pipe, of at most a pipe's 64 KiB.
std::string written_by(const std::function<void()>& work) {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  EXPECT_EQ(code_of(ends[1], work), kNoError);
  ::close(ends[1]);
  std::string text;
  char bytes[4096];
  for (ssize_t count; (count = ::read(ends[0], bytes, sizeof bytes)) > 0;) {
    text.append(bytes, static_cast<size_t>(count));
  }
  ::close(ends[0]);
  return text;
}

TEST(WriteOutputTest, WritesAtOnceAndBehindWhatStdioHolds) {
  EXPECT_EQ(written_by([] {
              std::fputs("stdio, ", stdout);
              std::cout << "cout, ";
              write_output("output\n");
              // No clean-up writes what is not written by now: _exit ends the process.
            }),
            "stdio, cout, output\n");
}

TEST(WriteOutputTest, AFullDeviceIsAnError) {
  EXPECT_EQ(code_on_full_device([] { write_output("x"); }), 74);
  EXPECT_EQ(code_on_full_device([] { write_output(""); }), kNoError);
}

TEST(WriteOutputTest, WhatStdioCouldNotWriteIsAnErrorToo) {
  EXPECT_EQ(code_on_full_device([] {
              std::cout << "help";
              write_output("");
            }),
            74);
  EXPECT_EQ(code_on_full_device([] {
              std::cout << "help" << std::flush;
              write_output("");
            }),
            74);
}

TEST(WriteOutputTest, AClosedDescriptorIsAnError) {
  EXPECT_EQ(code_of(-1, [] { write_output("x"); }), 74);
}

TEST(WriteOutputTest, ABrokenPipeIsAnErrorUnlessAFilterWritesIt) {
  EXPECT_EQ(code_on_broken_pipe([] { write_output("x"); }), 74);
  EXPECT_EQ(code_on_broken_pipe([] {
              std::signal(SIGPIPE, SIG_IGN);  // as some parents leave it
              choose_broken_pipe(BrokenPipe::kEndsQuietly);
              write_output("x");
            }),
            128 + SIGPIPE);
}

TEST(OutputStreamTest, HoldsTextBackUntilItIsFlushed) {
  EXPECT_EQ(written_by([] {
              OutputStream out;
              out << "a" << 1 << '\n' << std::flush << "dropped";
            }),
            "a1\n");
  EXPECT_EQ(written_by([] {
              OutputStream out;
              out << std::string(60000, 'x') << std::string(5536, 'y') << "dropped";
            }).size(),
            size_t{64} << 10);
}

TEST(OutputStreamTest, PassesTheErrorOnAndIsBadAfterwards) {
  const auto is_bad_afterwards = [](const std::function<void(OutputStream&)>& write) {
    return [write] {
      OutputStream out;
      try {
        write(out);
      } catch (const Error&) {
        if (out.bad()) throw;
      }
    };
  };
  EXPECT_EQ(code_on_full_device(is_bad_afterwards([](auto& out) { out << "x" << std::flush; })),
            74);
  EXPECT_EQ(code_on_full_device(is_bad_afterwards([](auto& out) { out << std::endl; })), 74);
  EXPECT_EQ(
      code_on_full_device(is_bad_afterwards([](auto& out) { out << std::string(100000, 'x'); })),
      74);
}

TEST(WriteAsideTest, WhatCannotBeWrittenIsLost) {
  EXPECT_EQ(code_of(STDOUT_FILENO,
                    [] {
                      ::close(STDERR_FILENO);
                      write_aside("x");
                    }),
            kNoError);
}

}  // namespace
}  // namespace trivium::cli
