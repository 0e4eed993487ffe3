#include "cli/serve/server.h"

#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>
#include <thread>
#include <utility>

#include "cli/serve/api_error.h"
#include "cli/serve/completion_reply.h"
#include "cli/serve/completion_request.h"
#include "cli/serve/openapi_asset.h"
#include "cli/serve/page.h"
#include "cli/serve/request_body.h"
#include "core/base/logging.h"
#include "core/base/text.h"

namespace trivium::cli {
namespace {

using namespace std::chrono_literals;
constexpr int kClientLeft = 499;   // counted as nginx does; nobody reads it
constexpr auto kPatience = 100ms;  // between two looks at whether the asker is still there
constexpr auto kLastWords = 1s;    // for what tells them so
constexpr auto kGrace = 10s;       // for replies that are on their way when the program is to end
constexpr size_t kLongestPath = 1024;  // bytes; matching one takes stack for each of them
constexpr const char* kJson = "application/json";
constexpr const char* kEvents = "text/event-stream";
constexpr const char* kCompletions = "/v1/completions";
constexpr const char* kHealth = "/health";
constexpr const char* kOpenapi = "/openapi.json";

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

Peer peer_of(const httplib::Request& request) { return {request.remote_addr, request.remote_port}; }

// KEY of "Authorization: Bearer KEY".
std::string bearer_of(const httplib::Request& request) {
  const std::string value = request.get_header_value("Authorization");
  constexpr std::string_view kScheme = "bearer ";
  return to_lower_ascii(value.substr(0, kScheme.size())) == kScheme ? value.substr(kScheme.size())
                                                                    : "";
}

// "application/json" of "Application/JSON; charset=utf-8".
std::string media_type_of(const httplib::Request& request) {
  const std::string value = request.get_header_value("Content-Type");
  return to_lower_ascii(trim(std::string_view(value).substr(0, value.find(';'))));
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
    : service_(service), options_(std::move(options)), connections_(options_.connection) {
  const size_t connections = options_.connections;
  http_.new_task_queue = [connections] { return new httplib::ThreadPool(connections); };
  http_.set_read_timeout(10s);
  http_.set_write_timeout(10s);
  http_.set_keep_alive_timeout(5);
  http_.set_tcp_nodelay(true);
  // Not the library's SO_REUSEPORT, with which two servers share a port and nobody is told.
  http_.set_socket_options([](socket_t socket) {
    const int yes = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
  // What the library itself finds wrong: a method that it does not know, among others, for which
  // it has not read the path yet.
  http_.set_error_handler([this](const httplib::Request& request, httplib::Response& response) {
    if (!response.body.empty()) return;
    const std::string path = request.target.substr(0, request.target.find('?'));
    if (path.starts_with("/") && refuse_unknown(request.method, path, response)) return;
    reply_error(response,
                ApiError(response.status, "invalid_request_error", "the request cannot be read"));
  });
  // Called when a reply is sent: what follows a body that was not read is no request.
  http_.set_logger([](const httplib::Request& request, const httplib::Response& response) {
    if (response.get_header_value("Connection") == "close") {
      ClientWatch(peer_of(request)).stop_reading();
    }
  });
  http_.set_pre_routing_handler(
      [this](const httplib::Request& request, httplib::Response& response) {
        // A server may pass over ranges (RFC 9110, section 14.2). The library would send each of a
        // request's thousand with a head of its own. What it hands out here as const is its own
        // variable.
        const_cast<httplib::Request&>(request).ranges.clear();
        return refuse_unknown(request.method, request.path, response)
                   ? httplib::Server::HandlerResponse::Handled
                   : httplib::Server::HandlerResponse::Unhandled;
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
    while (!stop.load() && !has_ended.load()) {
      connections_.end_overdue(port_);
      std::this_thread::sleep_for(kPatience);
    }
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
      Connections::end_all(port_);
      std::this_thread::sleep_for(kPatience);
    }
  });
  http_.listen_after_bind();
  has_ended.store(true);
  watcher.join();
}

void Server::add_paths() {
  const auto get = [this](const char* path, const std::function<Json()>& make) {
    add_get(path, path,
            [make](const Exchange& exchange) { reply_json(exchange.response, make()); });
  };
  using Make = Json (Service::*)(const std::string&, const StillWanted&);
  const auto post = [this](const char* path, Make make) {
    add_post(path, [this, make](const Exchange& exchange) {
      reply_json(exchange.response, (service_.*make)(exchange.body, wanted_by(exchange)));
    });
  };
  get(kHealth, [] { return Json{{"status", "ok"}}; });
  add_get(kPagePattern, "/",
          [](const Exchange& exchange) { reply_page(exchange.request.path, exchange.response); });
  get("/v1/models", [this] { return service_.models(); });
  add_get("/v1/models/(.+)", "/v1/models/{model}", [this](const Exchange& exchange) {
    reply_json(exchange.response, service_.model(exchange.request.matches[1]));
  });
  get("/v1/tasks", [this] { return service_.tasks(); });
  get("/v1/routes", [this] { return service_.routes(); });
  post("/v1/route", &Service::route);
  post("/v1/embeddings", &Service::embeddings);
  post("/v1/score", &Service::score);
  add_post(kCompletions, [this](const Exchange& exchange) { complete(exchange); });
  add_get(kOpenapi, kOpenapi, [](const Exchange& exchange) {
    exchange.response.set_content(kOpenapiJson.data(), kOpenapiJson.size(), kJson);
  });
  add_get("/metrics", "/metrics", [this](const Exchange& exchange) {
    exchange.response.set_content(metrics_.text(service_.load()), "text/plain; version=0.0.4");
  });
}

std::set<std::pair<std::string, std::string>> Server::paths() const {
  std::set<std::pair<std::string, std::string>> paths;
  for (const auto& [path, pattern] : paths_) paths.insert(path);
  return paths;
}

void Server::add_get(const std::string& pattern, const std::string& name, Work work) {
  paths_[{"GET", pattern}] = std::regex(pattern);
  http_.Get(pattern, [this, name, work = std::move(work)](const httplib::Request& request,
                                                          httplib::Response& response) {
    answer(name, request, nullptr, response, work);
  });
}

void Server::add_post(const std::string& path, Work work) {
  paths_[{"POST", path}] = std::regex(path);
  http_.Post(path, [this, path, work = std::move(work)](const httplib::Request& request,
                                                        httplib::Response& response,
                                                        const httplib::ContentReader& reader) {
    answer(path, request, &reader, response, work);
  });
}

// The library reads the whole body of what it has no path for, however long it is.
bool Server::refuse_unknown(const std::string& asked_method, const std::string& path,
                            httplib::Response& response) const {
  const std::string method = asked_method == "HEAD" ? "GET" : asked_method;
  std::string allowed;
  if (path.size() > kLongestPath) {
    reply_error(response,
                ApiError(414, "invalid_request_error",
                         "the path is longer than " + std::to_string(kLongestPath) + " bytes"));
    response.set_header("Connection", "close");
    return true;
  }
  for (const auto& [known, pattern] : paths_) {
    if (!std::regex_match(path, pattern)) continue;
    if (known.first == method) return false;
    allowed += (allowed.empty() ? "" : ", ") + known.first;
  }
  if (allowed.empty()) {
    reply_error(response, ApiError(404, "not_found_error", "there is no " + path));
  } else {
    response.set_header("Allow", allowed);
    reply_error(response, ApiError(405, "invalid_request_error",
                                   path + " takes " + allowed + ", not " + asked_method));
  }
  response.set_header("Connection", "close");
  return true;
}

void Server::answer(const std::string& name, const httplib::Request& request,
                    const httplib::ContentReader* reader, httplib::Response& response,
                    const Work& work) {
  const auto begun = Clock::now();
  const Peer peer = peer_of(request);
  connections_.begin(peer);
  ++on_their_way_;
  bool is_read = reader == nullptr;
  try {
    check_asker(request);
    if (is_ending_.load()) throw ApiError(503, "unavailable_error", "the program ends");
    std::string body;
    if (reader != nullptr) body = read_body(request, *reader, options_.most_bytes);
    is_read = true;
    work({request, body, response, begun});
  } catch (const ApiError& error) {
    reply_error(response, error);
  } catch (const Error& error) {
    reply_error(response, api_error_of(error));
  } catch (const std::exception& error) {
    spdlog::error("{}: {}", name, error.what());
    reply_error(response, ApiError(500, "server_error", "internal error"));
  }
  if (is_stream(response)) return;  // counted at its end
  const int status = response.status < 0 ? 200 : response.status;
  if (!is_read && !discard_body(request, *reader)) response.set_header("Connection", "close");
  response.status = status;  // which the library changes when the body is not read to its end
  --on_their_way_;
  connections_.end(peer);
  metrics_.count_request(name, status, Clock::now() - begun);
}

// A page of another site that a browser shows may send requests here: one that says it is JSON has
// to ask first, which nobody allows, and one under another site's name is not for this server.
void Server::check_asker(const httplib::Request& request) const {
  // Whoever starts servers can see without a key that this one lives, and what it is.
  const bool is_open =
      request.path == kHealth || request.path == kOpenapi || is_page_path(request.path);
  if (!options_.api_key.empty() && !is_open &&
      !equal_secrets(bearer_of(request), options_.api_key)) {
    throw ApiError(401, "authentication_error",
                   "the key is missing or wrong; send Authorization: Bearer KEY");
  }
  if (is_loopback(options_.host) &&
      (request.get_header_value_count("Host") != 1 ||
       !is_loopback(without_port(request.get_header_value("Host"))))) {
    throw ApiError(403, "permission_error", "the Host header names another server");
  }
  if (request.method == "POST" && media_type_of(request) != kJson) {
    throw ApiError(415, "invalid_request_error", "send Content-Type: application/json");
  }
}

StillWanted Server::wanted_by(const Exchange& exchange) const {
  const ClientWatch client(peer_of(exchange.request));
  return [this, client, begun = exchange.begun] {
    const bool is_gone = client.is_gone();
    if (!is_gone && !is_over(begun)) return;
    throw ApiError(is_gone ? kClientLeft : 503, "timeout_error",
                   "the answer took longer than the server waits");
  };
}

bool Server::is_over(Clock::time_point begun) const {
  return ends_now_.load() || Clock::now() - begun > options_.timeout;
}

void Server::complete(const Exchange& exchange) {
  CompletionRequest asked =
      parse_completion_request(exchange.body, service_.default_search(), service_.limits());
  std::vector<LiveChoice> choices = service_.ask(asked);
  for (size_t i = 0; i < choices.size(); i += static_cast<size_t>(asked.choices)) {
    metrics_.count_route(choices[i].resolved.task, choices[i].resolved.prompt.route);
  }
  const bool streams = asked.streams;
  std::string model = asked.model.empty() ? service_.name() + ":auto" : asked.model;
  const auto reply = std::make_shared<CompletionReply>(std::move(asked), std::move(choices),
                                                       std::move(model), service_.tokenizer());
  if (streams) return stream(reply, exchange);
  const StillWanted wanted = wanted_by(exchange);
  try {
    for (; !reply->has_ended(); wanted()) reply->advance(kPatience);
  } catch (...) {
    reply->cancel();
    throw;
  }
  reply_json(exchange.response, reply->whole());
}

void Server::stream(const std::shared_ptr<CompletionReply>& reply, const Exchange& exchange) {
  const Peer peer = peer_of(exchange.request);
  const Clock::time_point begun = exchange.begun;
  httplib::Response& response = exchange.response;
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
      [this, reply, begun, peer](bool is_whole) {
        reply->cancel();
        --on_their_way_;
        connections_.end(peer);
        metrics_.count_request(kCompletions, is_whole ? 200 : kClientLeft, Clock::now() - begun);
      });
}

}  // namespace trivium::cli
