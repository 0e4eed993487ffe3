// The HTTP interface: which path does what, who may ask, and how much.
#pragma once

#include <httplib.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "cli/serve/metrics.h"
#include "cli/serve/service.h"

namespace trivium::cli {

class CompletionReply;

struct ServerOptions {
  std::string host = "127.0.0.1";
  int port = 8080;                      // 0: any that is free
  std::string api_key;                  // "": nobody needs one
  std::chrono::seconds timeout{120};    // for a reply
  size_t connections = 128;             // at once
  size_t most_bytes = size_t{4} << 20;  // of a request's body
};

class Server {
 public:
  Server(Service& service, ServerOptions options);

  // Takes the address; returns the port. Error kUnavailable where it is taken.
  int bind();
  // Answers until `stop`, then lets the replies that are on their way end, for up to 10 seconds.
  void run(const std::atomic<bool>& stop);

 private:
  using Handler = std::function<void(const httplib::Request&, httplib::Response&)>;

  void add_paths();
  // Checks the asker, turns errors into replies, and counts.
  Handler guarded(const std::string& path, Handler handler);
  void check_asker(const httplib::Request& request) const;
  void complete(const httplib::Request& request, httplib::Response& response);
  void stream(const std::shared_ptr<CompletionReply>& reply, httplib::Response& response);
  bool is_over(std::chrono::steady_clock::time_point begun) const;

  Service& service_;
  ServerOptions options_;
  Metrics metrics_;
  int port_ = 0;
  std::atomic<int> on_their_way_{0};    // requests, streams among them until their end
  std::atomic<bool> is_ending_{false};  // no new request is taken
  std::atomic<bool> ends_now_{false};   // the time for those on their way is over
  httplib::Server http_;
};

}  // namespace trivium::cli
