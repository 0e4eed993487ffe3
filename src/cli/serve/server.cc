#include "cli/serve/server.h"

#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>
#include <thread>
#include <utility>

#include "cli/serve/api_error.h"
#include "cli/serve/client_watch.h"
#include "cli/serve/completion_reply.h"
#include "cli/serve/completion_request.h"
#include "cli/serve/page.h"
#include "core/base/logging.h"
#include "core/base/text.h"

namespace trivium::cli {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr int kClientLeft = 499;   // counted as nginx does; nobody reads it
constexpr auto kPatience = 100ms;  // between two looks at whether the asker is still there
constexpr auto kLastWords = 1s;    // for what tells them so
constexpr auto kGrace = 10s;       // for replies that are on their way when the program is to end
constexpr const char* kJson = "application/json";
constexpr const char* kEvents = "text/event-stream";
constexpr const char* kCompletions = "/v1/completions";

void reply_json(httplib::Response& response, const Json& body) {
  response.set_content(to_json_line(body) + "\n", kJson);
}

void reply_error(httplib::Response& response, const ApiError& error) {
  response.status = error.status();
  if (error.status() == 429) response.set_header("Retry-After", "1");
  if (error.status() == 401) response.set_header("WWW-Authenticate", "Bearer");
  reply_json(response, error.body());
}

// Whether two texts are equal, in a time that does not tell how far they are.
bool equal_secrets(const std::string& a, const std::string& b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

bool is_stream(const httplib::Response& response) {
  return response.get_header_value("Content-Type") == kEvents;
}

// "localhost", or an address of the loopback written out; no name that only begins like one.
bool is_loopback(const std::string& host) {
  in_addr address{};
  if (::inet_pton(AF_INET, host.c_str(), &address) == 1) return ntohl(address.s_addr) >> 24 == 127;
  return to_lower_ascii(host) == "localhost" || host == "::1" || host == "[::1]";
}

// "127.0.0.1" of "127.0.0.1:8080".
std::string without_port(const std::string& host) {
  const size_t colon = host.find_last_of(':');
  return colon == std::string::npos || host.ends_with("]") ? host : host.substr(0, colon);
}

}  // namespace

Server::Server(Service& service, ServerOptions options)
    : service_(service), options_(std::move(options)) {
  const size_t connections = options_.connections;
  http_.new_task_queue = [connections] { return new httplib::ThreadPool(connections); };
  http_.set_payload_max_length(options_.most_bytes);
  http_.set_read_timeout(10s);
  http_.set_write_timeout(10s);
  http_.set_keep_alive_timeout(5);
  http_.set_tcp_nodelay(true);
  // Not the library's SO_REUSEPORT, with which two servers share a port and nobody is told.
  http_.set_socket_options([](socket_t socket) {
    const int yes = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
  http_.set_error_handler([](const httplib::Request& request, httplib::Response& response) {
    if (!response.body.empty()) return;
    const std::string message = response.status == 404   ? "there is no " + request.path
                                : response.status == 413 ? "the request is too large"
                                                         : "the request cannot be read";
    const int status = response.status;
    reply_json(response, ApiError(status, "invalid_request_error", message).body());
  });
  add_paths();
}

int Server::bind() {
  int port = options_.port;
  if (port == 0) {
    port = http_.bind_to_any_port(options_.host);
  } else if (!http_.bind_to_port(options_.host, port)) {
    port = -1;
  }
  if (port <= 0) {
    throw Error(ExitCode::kUnavailable, "cannot listen on " + options_.host + " port " +
                                            std::to_string(options_.port) +
                                            "; name another --host or --port");
  }
  return port_ = port;
}

// The library stops replies that are on their way at once, so that it is asked to stop only when
// they have ended, and asked what is new is refused until then.
void Server::run(const std::atomic<bool>& stop) {
  std::atomic<bool> has_ended{false};
  std::thread watcher([&] {
    while (!stop.load() && !has_ended.load()) std::this_thread::sleep_for(kPatience);
    is_ending_.store(true);
    for (auto waited = 0ms; waited < kGrace && on_their_way_.load() > 0; waited += kPatience) {
      std::this_thread::sleep_for(kPatience);
    }
    ends_now_.store(true);
    for (auto waited = 0ms; waited < kLastWords && on_their_way_.load() > 0; waited += kPatience) {
      std::this_thread::sleep_for(kPatience);
    }
    while (!has_ended.load()) {
      http_.stop();  // does nothing before the server runs
      close_connections(port_);
      std::this_thread::sleep_for(kPatience);
    }
  });
  http_.listen_after_bind();
  has_ended.store(true);
  watcher.join();
}

void Server::add_paths() {
  const auto get = [this](const char* path, const std::function<Json()>& make) {
    http_.Get(path, guarded(path, [make](const httplib::Request&, httplib::Response& response) {
                reply_json(response, make());
              }));
  };
  const auto post = [this](const char* path, const std::function<Json(const std::string&)>& make) {
    http_.Post(path,
               guarded(path, [make](const httplib::Request& request, httplib::Response& response) {
                 reply_json(response, make(request.body));
               }));
  };
  add_page(http_, [this](const std::string& path, Handler handler) {
    return guarded(path, std::move(handler));
  });
  // Without a key, so that whoever starts servers can see that this one lives.
  http_.Get("/health", [](const httplib::Request&, httplib::Response& response) {
    reply_json(response, {{"status", "ok"}});
  });
  get("/v1/models", [this] { return service_.models(); });
  get("/v1/tasks", [this] { return service_.tasks(); });
  get("/v1/routes", [this] { return service_.routes(); });
  post("/v1/route", [this](const std::string& body) { return service_.route(body); });
  post("/v1/embeddings", [this](const std::string& body) { return service_.embeddings(body); });
  post("/v1/score", [this](const std::string& body) { return service_.score(body); });
  http_.Post(kCompletions, guarded(kCompletions, [this](const httplib::Request& request,
                                                        httplib::Response& response) {
               complete(request, response);
             }));
  http_.Get("/metrics",
            guarded("/metrics", [this](const httplib::Request&, httplib::Response& response) {
              response.set_content(metrics_.text(service_.load()), "text/plain; version=0.0.4");
            }));
}

Server::Handler Server::guarded(const std::string& path, Handler handler) {
  return [this, path, handler = std::move(handler)](const httplib::Request& request,
                                                    httplib::Response& response) {
    const auto begun = Clock::now();
    ++on_their_way_;
    try {
      check_asker(request);
      if (is_ending_.load()) throw ApiError(503, "unavailable_error", "the program ends");
      handler(request, response);
    } catch (const ApiError& error) {
      reply_error(response, error);
    } catch (const Error& error) {
      reply_error(response, api_error_of(error));
    } catch (const std::exception& error) {
      spdlog::error("{}: {}", path, error.what());
      reply_error(response, ApiError(500, "server_error", "internal error"));
    }
    if (is_stream(response)) return;  // counted at its end
    --on_their_way_;
    metrics_.count_request(path, response.status < 0 ? 200 : response.status, Clock::now() - begun);
  };
}

// A page of another site that a browser shows may send requests here: one that says it is JSON has
// to ask first, which nobody allows, and one under another site's name is not for this server.
void Server::check_asker(const httplib::Request& request) const {
  if (!options_.api_key.empty() && !is_page_path(request.path) &&
      !equal_secrets(request.get_header_value("Authorization"), "Bearer " + options_.api_key)) {
    throw ApiError(401, "authentication_error",
                   "the key is missing or wrong; send Authorization: Bearer KEY");
  }
  if (is_loopback(options_.host) &&
      (request.get_header_value_count("Host") != 1 ||
       !is_loopback(without_port(request.get_header_value("Host"))))) {
    throw ApiError(403, "permission_error", "the Host header names another server");
  }
  if (request.method == "POST" && !request.get_header_value("Content-Type").starts_with(kJson)) {
    throw ApiError(415, "invalid_request_error", "send Content-Type: application/json");
  }
}

bool Server::is_over(Clock::time_point begun) const {
  return ends_now_.load() || Clock::now() - begun > options_.timeout;
}

void Server::complete(const httplib::Request& request, httplib::Response& response) {
  const auto begun = Clock::now();
  CompletionRequest asked =
      parse_completion_request(request.body, service_.default_search(), service_.limits());
  std::vector<LiveChoice> choices = service_.ask(asked);
  for (size_t i = 0; i < choices.size(); i += static_cast<size_t>(asked.choices)) {
    metrics_.count_route(choices[i].resolved.task, choices[i].resolved.prompt.route);
  }
  const bool streams = asked.streams;
  std::string model = asked.model.empty() ? service_.name() + ":auto" : asked.model;
  const auto reply =
      std::make_shared<CompletionReply>(std::move(asked), std::move(choices), std::move(model));
  if (streams) return stream(reply, response);
  const ClientWatch client(request.remote_addr, request.remote_port);
  while (!reply->has_ended()) {
    reply->advance(kPatience);
    if (reply->has_ended()) break;
    if (client.is_gone() || is_over(begun)) {
      reply->cancel();
      throw ApiError(client.is_gone() ? kClientLeft : 503, "timeout_error",
                     "the answer took longer than the server waits");
    }
  }
  reply_json(response, reply->whole());
}

void Server::stream(const std::shared_ptr<CompletionReply>& reply, httplib::Response& response) {
  const auto begun = Clock::now();
  response.set_header("Cache-Control", "no-store");
  response.set_chunked_content_provider(
      kEvents,
      [this, reply, begun](size_t, httplib::DataSink& sink) {
        std::string events;
        try {
          reply->advance(kPatience);
          events = reply->take_events();
          if (!reply->has_ended() && is_over(begun)) {
            throw ApiError(503, "timeout_error", "the answer took longer than the server waits");
          }
        } catch (const ApiError& error) {
          events += "data: " + to_json_line(error.body()) + "\n\n";
          reply->cancel();
        } catch (const Error& error) {
          events += "data: " + to_json_line(api_error_of(error).body()) + "\n\n";
          reply->cancel();
        }
        const bool is_there =
            sink.is_writable() && (events.empty() || sink.write(events.data(), events.size()));
        if (!is_there) reply->cancel();
        if (is_there && (reply->has_ended() || reply->is_cancelled())) sink.done();
        return is_there;
      },
      [this, reply, begun](bool is_whole) {
        reply->cancel();
        --on_their_way_;
        metrics_.count_request(kCompletions, is_whole ? 200 : kClientLeft, Clock::now() - begun);
      });
}

}  // namespace trivium::cli
