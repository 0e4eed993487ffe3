#include "cli/doctor/self_test.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "core/inference/loaded_model.h"

namespace trivium::cli {
namespace {

constexpr const char* kTopic = "self-test";

// The prompt of the first task that has an example; a plain sentence for a model without tasks.
Prompt test_prompt(const LoadedModel& model) {
  for (const TaskEntry& entry : model.tasks().entries()) {
    const std::string example = entry.example_prompt();
    if (!example.empty()) return model.resolve(entry.task.name, example).prompt;
  }
  const std::string task = model.tasks().entries().empty() ? "" : model.tasks().names().front();
  return model.resolve(task, "a sentence to see whether all is well").prompt;
}

struct TestRun {
  std::vector<SetAnswer> answers;
  int64_t tokens = 0;  // of the first answer
};

void answer_on(InstructionSet set, const std::filesystem::path& checkpoint, int threads,
               TestRun& run) {
  const auto begin = std::chrono::steady_clock::now();
  EngineOptions options;
  options.threads = threads;
  options.instructions = set;
  LoadedModel model(checkpoint, options);
  const Prompt prompt = test_prompt(model);
  TextGenerator& generator = model.generator();
  const Answer answer = generator.generate({prompt}, generator.default_search()).at(0);
  if (run.answers.empty()) run.tokens = answer.target_tokens;
  const std::string& first = run.answers.empty() ? answer.text : run.answers.front().text;
  const double likelihood = generator.score({prompt}, {{first}}).at(0).log_likelihoods.at(0);
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
  run.answers.push_back({set, answer.text, likelihood, took.count()});
}

}  // namespace

Finding judge(const std::vector<SetAnswer>& answers, int64_t tokens) {
  Finding finding{.topic = kTopic, .details = {{"sets", Json::array()}}};
  const SetAnswer& first = answers.at(0);
  std::string times, wrong;
  double largest = 0;
  for (const SetAnswer& answer : answers) {
    const double off = std::abs(answer.log_likelihood - first.log_likelihood) /
                       static_cast<double>(std::max<int64_t>(1, tokens));
    // A likelihood that is no number is not within the bound either.
    const bool agrees = off <= kSelfTestBound && answer.text == first.text;
    if (!agrees) wrong += (wrong.empty() ? "" : ", ") + std::string(name_of(answer.set));
    largest = std::max(largest, off);
    times += fmt::format("{}{} {:.0f} ms", times.empty() ? "" : ", ", name_of(answer.set),
                         answer.milliseconds);
    finding.details["sets"].push_back({{"instruction_set", name_of(answer.set)},
                                       {"text", answer.text},
                                       {"log_likelihood", answer.log_likelihood},
                                       {"agrees", agrees},
                                       {"milliseconds", answer.milliseconds}});
  }
  finding.details["bound"] = kSelfTestBound;
  if (wrong.empty()) {
    finding.text = fmt::format(
        "one answer, \"{}\", on all {} instruction sets; its likelihoods differ by at most {:.1e} "
        "a token ({:.0e} is allowed); read and answered: {}",
        first.text, answers.size(), largest, kSelfTestBound, times);
    return finding;
  }
  finding.text = fmt::format("the answer of {} is not that of {}", wrong, name_of(first.set));
  return not_well(std::move(finding), Health::kFailed,
                  "do not trust this machine's answers; test its memory and processor, and report "
                  "it with the output of trivium doctor --json",
                  ExitCode::kDiverged);
}

Finding run_self_test(const std::filesystem::path& checkpoint, int threads) {
  TestRun run;
  try {
    for (const InstructionSet set : available_instruction_sets()) {
      answer_on(set, checkpoint, threads, run);
    }
  } catch (const Error& error) {
    return not_well({.topic = kTopic, .text = error.what()}, Health::kFailed,
                    "name a checkpoint that answers: --checkpoint", error.code());
  }
  return judge(run.answers, run.tokens);
}

}  // namespace trivium::cli
