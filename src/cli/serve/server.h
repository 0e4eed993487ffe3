// The HTTP interface: which path does what, who may ask, and how much.
#pragma once

#include <httplib.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <regex>
#include <set>
#include <string>

#include "cli/serve/connections.h"
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
  Connections::Limits connection;       // of what they take to ask
};

class Server {
 public:
  Server(Service& service, ServerOptions options);

  // Takes the address; returns the port. Error kUnavailable where it is taken.
  int bind();
  // Method and pattern of everything that it answers.
  std::set<std::pair<std::string, std::string>> paths() const;
  // Answers until `stop`, then lets the replies that are on their way end, for up to 10 seconds.
  void run(const std::atomic<bool>& stop);

 private:
  using Clock = std::chrono::steady_clock;
  // A request with its body, and what becomes its reply.
  struct Exchange {
    const httplib::Request& request;
    const std::string& body;
    httplib::Response& response;
    Clock::time_point begun;
  };
  using Work = std::function<void(const Exchange&)>;

  void add_paths();
  // `pattern` of a path, and how the metrics and messages name it.
  void add_get(const std::string& pattern, const std::string& name, Work work);
  void add_post(const std::string& path, Work work);
  // Refuses what has no path here, before anything of it is read.
  bool refuse_unknown(const std::string& asked_method, const std::string& path,
                      httplib::Response& response) const;
  // Checks the asker, reads the body, turns errors into replies, and counts.
  void answer(const std::string& name, const httplib::Request& request,
              const httplib::ContentReader* reader, httplib::Response& response, const Work& work);
  void check_asker(const httplib::Request& request) const;
  // Throws where nobody waits for the reply any longer, or nobody may.
  StillWanted wanted_by(const Exchange& exchange) const;
  void complete(const Exchange& exchange);
  void stream(const std::shared_ptr<CompletionReply>& reply, const Exchange& exchange);
  bool is_over(Clock::time_point begun) const;

  Service& service_;
  ServerOptions options_;
  Metrics metrics_;
  Connections connections_;
  std::map<std::pair<std::string, std::string>, std::regex> paths_;  // by method and pattern
  int port_ = 0;
  std::atomic<int> on_their_way_{0};    // requests, streams among them until their end
  std::atomic<bool> is_ending_{false};  // no new request is taken
  std::atomic<bool> ends_now_{false};   // the time for those on their way is over
  httplib::Server http_;
};

}  // namespace trivium::cli
