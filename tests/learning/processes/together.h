// Child processes of a test that take part in a training.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <functional>
#include <vector>

#include "core/base/error.h"
#include "learning/processes/processes.h"

namespace trivium::learning {

// A port of the loopback that was free a moment ago.
inline int free_port() {
  const int file = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  EXPECT_EQ(::bind(file, reinterpret_cast<sockaddr*>(&address), length), 0);
  EXPECT_EQ(::getsockname(file, reinterpret_cast<sockaddr*>(&address), &length), 0);
  ::close(file);
  return ntohs(address.sin_port);
}

// Runs `work` in `size` processes, children of this one; what fails in one of them fails the test.
// Threads would not do: c10d keeps records for a whole process, unguarded.
inline void together(int size, const std::function<void(const Processes&)>& work) {
  Launch launch;
  launch.size = size;
  launch.port = free_port();
  std::vector<pid_t> children;
  for (launch.rank = 0; launch.rank < size; ++launch.rank) {
    const pid_t child = ::fork();
    if (child == 0) {
      try {
        work(Processes(launch));
      } catch (const std::exception& error) {
        ADD_FAILURE() << launch.rank << ": " << error.what();
      }
      std::fflush(stdout);
      ::_exit(testing::Test::HasFailure() ? 1 : 0);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = -1;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
}

}  // namespace trivium::learning
