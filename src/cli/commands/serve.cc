// trivium serve: the model over HTTP.
#include <cstdio>
#include <memory>

#include "cli/commands/commands.h"
#include "cli/output/output.h"
#include "cli/program/model_flags.h"
#include "cli/program/stop_signal.h"
#include "cli/serve/server.h"
#include "cli/serve/service.h"
#include "core/base/error.h"
#include "core/base/logging.h"

namespace trivium::cli {
namespace {

constexpr const char* kServeFooter =
    R"(OpenAI's clients can ask it: POST /v1/completions (with "stream" or without), GET /v1/models (one
entry a task, NAME:TASK, and NAME:auto, which finds the task by the prompt). Besides:
  GET /v1/tasks, /v1/routes            what the model knows, and each task's route
  POST /v1/route {"input", "task"?}    the task of a text, and why
  POST /v1/score {"input", "options"?, "task"?}   options ranked
  POST /v1/embeddings                  the encoder's sentence vectors, as OpenAI's
  GET /health, /metrics                for those who watch over it (Prometheus)
  GET /openapi.json                    all of this, for programs
  GET /                                a page to try the model out in a browser
All who ask share one continuous batch; the answers are those of generate. Ctrl-C or SIGTERM ends
it: no new request is taken, and those on their way have 10 seconds.
Example:
  trivium serve --port 8080
  curl localhost:8080/v1/completions -H 'Content-Type: application/json' \
    -d '{"model": "trivium-small:sst2", "prompt": "a gorgeous, witty film"}')";

struct ServeFlags {
  ModelFlags model;
  GeneratorOptions generator;
  LiveOptions live;
  ServerOptions server;
  int timeout = 120;
};

int run_serve(ServeFlags flags) {
  if (flags.server.host.empty()) {
    throw Error(ExitCode::kUsage, "--host is empty; name an address, or 0.0.0.0 for all");
  }
  flags.server.timeout = std::chrono::seconds(flags.timeout);
  flags.server.connections = static_cast<size_t>(flags.live.places) + flags.live.max_waiting + 16;
  watch_stop_signals();
  Service service(load_model(flags.model, flags.generator), flags.live);
  Server server(service, flags.server);
  const int port = server.bind();
  const bool is_ipv6 = flags.server.host.find(':') != std::string::npos;
  const std::string host = is_ipv6 ? "[" + flags.server.host + "]" : flags.server.host;
  write_output("http://" + host + ":" + std::to_string(port) + "\n");
  spdlog::info("serving {} on {} port {}", service.name(), flags.server.host, port);
  server.run(stop_requested());
  return static_cast<int>(ExitCode::kOk);
}

}  // namespace

void add_serve_command(CLI::App& app, int& status) {
  auto flags = std::make_shared<ServeFlags>();
  CLI::App* command = app.add_subcommand("serve", "answer over HTTP, as OpenAI's interface");
  command->add_option("--host", flags->server.host, "address to listen on")->capture_default_str();
  command->add_option("--port", flags->server.port, "port to listen on; 0: any that is free")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  command->add_option(
      "--api-key", flags->server.api_key,
      "what askers have to send; seen by all who see the processes of this machine, unlike the "
      "environment's variable");
  command->add_option("--places", flags->live.places, "answers that are decoded at once")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command->add_option("--queue", flags->live.max_waiting, "answers that may wait for a place")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  command->add_option("--timeout", flags->timeout, "seconds that a reply may take")
      ->check(CLI::Range(1, 86400))
      ->capture_default_str();
  command
      ->add_option("--max-input", flags->generator.max_source_length,
                   "tokens of a prompt that are read; of a longer one the reply says \"truncated\"")
      ->check(CLI::Range(8, 1 << 20))
      ->capture_default_str();
  add_model_flags(*command, flags->model);
  command->footer(kServeFooter);
  command->callback([flags, &status] { status = run_serve(*flags); });
}

}  // namespace trivium::cli
