#include "cli/serve/metrics.h"

#include <spdlog/fmt/fmt.h>

#include <vector>

#include "core/routes/layer_place.h"

namespace trivium::cli {

void Metrics::count_request(const std::string& path, int status,
                            std::chrono::duration<double> took) {
  const std::lock_guard lock(mutex_);
  ++requests_[{path, status}];
  Latency& latency = latencies_[path];
  ++latency.count;
  latency.sum += took.count();
  for (size_t i = 0; i < kSeconds.size(); ++i) latency.up_to[i] += took.count() <= kSeconds[i];
}

void Metrics::count_route(const std::string& task, const TaskRoute& route) {
  const std::lock_guard lock(mutex_);
  ++tasks_[task];
  for (const LayerPlace& place : places_of(route)) {
    const std::vector<float>& weights = weights_at(route, place);
    const bool is_taken = !place.in_decoder || !route.head;
    if (weights.size() == 1 || !is_taken) continue;
    ++experts_[{name_of(place), TaskRoute::main_expert(weights) + 1}];
  }
}

std::string Metrics::text(const LiveGenerator::Load& load) const {
  const std::lock_guard lock(mutex_);
  std::string text;
  const auto family = [&](const char* name, const char* type, const char* help) {
    text += fmt::format("# HELP trivium_{} {}\n# TYPE trivium_{} {}\n", name, help, name, type);
  };
  family("requests_total", "counter", "Requests by path and status.");
  for (const auto& [key, count] : requests_) {
    text += fmt::format("trivium_requests_total{{path=\"{}\",status=\"{}\"}} {}\n", key.first,
                        key.second, count);
  }
  family("request_seconds", "histogram", "Seconds from a request to the end of its reply.");
  for (const auto& [path, latency] : latencies_) {
    for (size_t i = 0; i < kSeconds.size(); ++i) {
      text += fmt::format("trivium_request_seconds_bucket{{path=\"{}\",le=\"{}\"}} {}\n", path,
                          kSeconds[i], latency.up_to[i]);
    }
    text += fmt::format("trivium_request_seconds_bucket{{path=\"{}\",le=\"+Inf\"}} {}\n", path,
                        latency.count);
    text += fmt::format("trivium_request_seconds_sum{{path=\"{}\"}} {}\n", path, latency.sum);
    text += fmt::format("trivium_request_seconds_count{{path=\"{}\"}} {}\n", path, latency.count);
  }
  family("answers_active", "gauge", "Answers that are decoded now.");
  text += fmt::format("trivium_answers_active {}\n", load.active);
  family("answers_waiting", "gauge", "Answers that wait for a place in the batch.");
  text += fmt::format("trivium_answers_waiting {}\n", load.waiting);
  family("answers_total", "counter", "Answers that were given whole.");
  text += fmt::format("trivium_answers_total {}\n", load.answers);
  family("tokens_total", "counter", "Tokens of the answers that were given whole.");
  text += fmt::format("trivium_tokens_total {}\n", load.tokens);
  family("prompts_total", "counter", "Prompts by their task.");
  for (const auto& [task, count] : tasks_) {
    text += fmt::format("trivium_prompts_total{{task=\"{}\"}} {}\n", task, count);
  }
  family("expert_prompts_total", "counter", "Prompts by a pool's layer and the expert they took.");
  for (const auto& [key, count] : experts_) {
    text += fmt::format("trivium_expert_prompts_total{{layer=\"{}\",expert=\"{}\"}} {}\n",
                        key.first, key.second, count);
  }
  return text;
}

}  // namespace trivium::cli
