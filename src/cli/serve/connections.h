// The server's connections. The HTTP library tells nothing of those that have not asked anything
// whole yet, so that they are looked for among the files that the process has open.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace trivium::cli {

// The other end of a connection: its address as text, and its port.
using Peer = std::pair<std::string, int>;

// Tells whether the client of a request still waits for its reply: the library says so only while
// something is written to it.
class ClientWatch {
 public:
  explicit ClientWatch(const Peer& peer);
  bool is_gone() const;
  // What the client still sends is not read any more.
  void stop_reading() const;

 private:
  int socket_ = -1;
};

class Connections {
 public:
  // What a connection may take to ask something: a head of a request has no limit of its own.
  struct Limits {
    std::chrono::milliseconds time = std::chrono::seconds(30);
    uint64_t bytes = 1 << 20;
  };
  explicit Connections(const Limits& limits) : limits_(limits) {}

  // From begin() to end() a request of the peer's is answered, and takes as long as it may.
  void begin(const Peer& peer);
  void end(const Peer& peer);

  // Of those that the server on `port` has: ends what has taken too much. To be called often.
  void end_overdue(int port);
  // Ends all, so that nobody who sends a byte now and then keeps the server from ending.
  static void end_all(int port);

 private:
  using Clock = std::chrono::steady_clock;
  struct Turn {
    int answered = 0;  // requests that are being answered
    Clock::time_point begun;
    uint64_t bytes = 0;  // received before it began
    bool is_new = true;  // since the last look
  };

  bool is_overdue(const Peer& peer, uint64_t bytes);

  Limits limits_;
  std::mutex mutex_;
  std::map<Peer, Turn> turns_;
};

}  // namespace trivium::cli
