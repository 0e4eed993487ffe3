// Ctrl-C and its relatives while the program talks with a person.
#pragma once

#include <signal.h>

#include <atomic>
#include <map>
#include <vector>

namespace trivium::cli {

// From its construction on, SIGINT sets a flag instead of ending the program; only one may live at
// a time. Each signal that is watched can also be waited for with poll(), since a signal may be
// delivered to any thread and so need not interrupt a read.
class InterruptWatch {
 public:
  InterruptWatch();
  ~InterruptWatch();
  InterruptWatch(const InterruptWatch&) = delete;
  InterruptWatch& operator=(const InterruptWatch&) = delete;

  const std::atomic<bool>& interrupted() const;
  // Forgets the signals that came so far.
  void clear();

  // Readable while next_signal() has something to give.
  int descriptor() const { return pipe_[0]; }
  // A signal that came and was not given before, or 0.
  int next_signal();

  // While it lives, other signals are watched as well.
  class Scope {
   public:
    explicit Scope(const std::vector<int>& signals);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    std::map<int, struct sigaction> old_;
  };

 private:
  int pipe_[2];
};

}  // namespace trivium::cli
