// trivium bench agreement: how often the fast engine's number types give LibTorch's answers.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>

#include "cli/batch/batch.h"
#include "cli/output/output.h"
#include "cli/program/stop_signal.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/timing.h"
#include "research/benches/benches.h"

namespace trivium::research {
namespace {

constexpr const char* kAgreementFooter =
    "Answers the lines of --input, as `trivium generate` reads them, with LibTorch in float32 and\n"
    "with the fast engine in float32, bfloat16 and int8. same_text counts the answers whose text "
    "is\n"
    "LibTorch's; score_difference is the largest of those answers' scores. The JSON goes to\n"
    "standard output, the table to standard error.\n"
    "Example:\n  trivium bench agreement --input prompts.jsonl";

struct AgreementFlags {
  cli::ModelFlags model;
  cli::SearchFlags search;
  std::string input = "-", task;
  int64_t batch_size = 64;
};

std::vector<cli::Request> read_requests(const AgreementFlags& flags) {
  cli::watch_stop_signals();
  cli::RequestReader reader(flags.input, cli::InputFormat::kAuto, cli::stop_requested());
  std::vector<cli::Request> requests;
  while (!cli::stop_requested()) {
    const std::vector<cli::Request> window = reader.next_window();
    if (window.empty()) break;
    for (const cli::Request& request : window) {
      if (!request.error.empty()) {
        throw Error(ExitCode::kBadData, reader.place(request.line) + ": " + request.error);
      }
      if (!request.is_empty) requests.push_back(request);
    }
  }
  if (requests.empty()) {
    throw Error(ExitCode::kBadData, flags.input + ": there is no line to answer");
  }
  return requests;
}

struct Answers {
  std::vector<Answer> answers;
  double seconds = 0;
};

Answers answer_all(const AgreementFlags& flags, const std::vector<cli::Request>& requests,
                   cli::EngineKind engine, ComputeType compute) {
  cli::ModelFlags own = flags.model;
  own.engine = engine;
  own.compute = compute;
  LoadedModel model =
      cli::load_model(own, {.batch_size = flags.batch_size, .stop = &cli::stop_requested()});
  std::vector<Prompt> prompts;
  for (const cli::Request& request : requests) {
    prompts.push_back(cli::resolve_request(model, request, flags.task).prompt);
  }
  const SearchOptions search = cli::search_options(flags.search, model);
  const auto start = std::chrono::steady_clock::now();
  Answers result{model.generator().generate(prompts, search), 0};
  result.seconds = seconds_since(start);
  if (cli::stop_requested()) throw Error(ExitCode::kInterrupted, "stopped before the last answer");
  return result;
}

void run(const AgreementFlags& flags) {
  const std::vector<cli::Request> requests = read_requests(flags);
  const Answers reference =
      answer_all(flags, requests, cli::EngineKind::kReference, ComputeType::kFloat32);
  Json rows = Json::array();
  std::fprintf(stderr, "%zu prompts; LibTorch took %.1f s\n%-10s %10s %8s %18s %8s\n",
               requests.size(), reference.seconds, "compute", "same text", "share",
               "score difference", "seconds");
  for (const ComputeType compute :
       {ComputeType::kFloat32, ComputeType::kBfloat16, ComputeType::kInt8}) {
    const Answers found = answer_all(flags, requests, cli::EngineKind::kFast, compute);
    int64_t same = 0;
    double difference = 0;
    for (size_t i = 0; i < requests.size(); ++i) {
      if (found.answers[i].text != reference.answers[i].text) continue;
      ++same;
      difference =
          std::max(difference, std::abs(found.answers[i].score - reference.answers[i].score));
    }
    const double share = static_cast<double>(same) / static_cast<double>(requests.size());
    rows.push_back({{"compute", trivium::name_of(compute)},
                    {"same_text", same},
                    {"share", share},
                    {"score_difference", difference},
                    {"seconds", found.seconds}});
    std::fprintf(stderr, "%-10s %10lld %8.4f %18.2e %8.1f\n", trivium::name_of(compute),
                 static_cast<long long>(same), share, difference, found.seconds);
  }
  const Json result = {{"benchmark", "agreement"},
                       {"prompts", requests.size()},
                       {"torch_seconds", reference.seconds},
                       {"engines", std::move(rows)}};
  cli::write_output(result.dump(2) + "\n");
}

}  // namespace

void add_agreement_bench(CLI::App& bench) {
  auto flags = std::make_shared<AgreementFlags>();
  CLI::App* command =
      bench.add_subcommand("agreement", "how often bfloat16 and int8 give float32's answers");
  cli::add_model_flags(*command, flags->model);
  command->add_option("--input", flags->input, "file of lines; -: standard input")
      ->capture_default_str();
  command->add_option("--task", flags->task,
                      "the task of lines that name none [the nearest known]");
  command->add_option("--batch-size", flags->batch_size, "prompts in a batch, at most")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  cli::add_search_flags(*command, flags->search);
  command->footer(kAgreementFooter);
  command->callback([flags] { run(*flags); });
}

}  // namespace trivium::research
