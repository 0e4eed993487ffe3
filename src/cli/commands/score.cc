// trivium score: how likely each option is as a prompt's answer.
#include <algorithm>
#include <memory>

#include "cli/batch/batch.h"
#include "cli/batch/dry_run.h"
#include "cli/commands/commands.h"
#include "core/base/error.h"

namespace trivium::cli {
namespace {

constexpr const char* kScoreFooter =
    "Input lines: {\"input\": TEXT, \"options\"?: [TEXT...], \"task\"?: NAME, \"id\"?: ANY}, as "
    "for\n"
    "generate; the task's own options where a line gives none. A line out for each line in:\n"
    "  {\"id\"?, \"line\", \"task\", \"task_source\", \"best\", \"options\", \"log_likelihoods\",\n"
    "   \"finish\": scored | skipped | too_long | no_task | error, \"truncated\",\n"
    "   \"route\": {\"encoder\", \"decoder\"}, \"tied\"?: [OPTION...]}\n"
    "A log-likelihood is the sum over the option's tokens and its end; of options that are "
    "equally\n"
    "likely the first is the best, and all are in \"tied\". Of a TSV line the first column is the "
    "input\n"
    "and the others are the options. Long and bad lines as for generate.\n"
    "Example:\n"
    "  echo '{\"task\":\"sst2\",\"input\":\"a gorgeous "
    "film\",\"options\":[\"positive\",\"negative\"]}' |\n"
    "    trivium score";
constexpr size_t kMaxOptions = 1000;  // of a line; each is a row of the batch

// The line's options, or the task's.
const std::vector<std::string>& options_of(const BatchItem& item) {
  return item.request.options.empty() ? item.resolved.options : item.request.options;
}

Json result_of(const BatchItem& item, const OptionScores& scored) {
  const std::vector<std::string>& options = options_of(item);
  const std::vector<double>& scores = scored.log_likelihoods;
  const auto best = std::max_element(scores.begin(), scores.end());
  Json tied = Json::array();
  for (size_t i = 0; i < scores.size(); ++i) {
    if (scores[i] == *best) tied.push_back(options[i]);
  }
  Json result = result_head(item);
  result.update({{"best", tied.front()},
                 {"options", options},
                 {"log_likelihoods", scores},
                 {"finish", "scored"},
                 {"truncated", item.request.truncated || scored.truncated},
                 {"route", route_summary(item.resolved.prompt.route)}});
  if (tied.size() > 1) result["tied"] = tied;
  return result;
}

bool all_fit(const TextGenerator& generator, const std::vector<std::string>& options) {
  return std::all_of(options.begin(), options.end(),
                     [&](const std::string& option) { return generator.scores_whole(option); });
}

// What keeps a line from being scored; "" for a good one.
std::string problem_of(const BatchItem& item) {
  const std::vector<std::string>& options = options_of(item);
  if (options.empty()) return "no \"options\", and the task has none of its own";
  if (options.size() > kMaxOptions) return "more than 1000 options";
  try {
    check_options(item.resolved.prompt, options);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

// The tokens of all options of a line, which are decoded side by side.
int64_t tokens_of(LoadedModel& model, const BatchItem& item) {
  const std::string problem = problem_of(item);
  if (!problem.empty()) throw Error(ExitCode::kBadData, problem);
  size_t tokens = 0;
  for (const std::string& option : options_of(item)) {
    tokens += 1 + model.generator().tokenizer().encode(option).size();
  }
  return static_cast<int64_t>(tokens);
}

void score_items(LoadedModel& model, const std::vector<BatchItem*>& items, OnLong on_long) {
  std::vector<BatchItem*> good;
  std::vector<Prompt> prompts;
  std::vector<std::vector<std::string>> options;
  for (BatchItem* item : items) {
    item->request.error = problem_of(*item);
    if (!item->request.error.empty()) continue;
    if (on_long != OnLong::kTruncate && !all_fit(model.generator(), options_of(*item))) {
      refuse_long(*item, on_long, "an option");
    } else {
      good.push_back(item);
      prompts.push_back(item->resolved.prompt);
      options.push_back(options_of(*item));
    }
  }
  model.generator().score(prompts, options, [&](size_t i, const OptionScores& scores) {
    good[i]->result = result_of(*good[i], scores);
  });
}

}  // namespace

void add_score_command(CLI::App& app, int& status) {
  auto flags = std::make_shared<BatchFlags>();
  CLI::App* command = app.add_subcommand("score", "rank the options of every line");
  add_batch_flags(*command, *flags);
  command->footer(kScoreFooter);
  command->callback([flags, &status] {
    if (flags->dry_run) {
      status = run_dry(*flags, tokens_of);
      return;
    }
    status = run_batch(*flags, [&](LoadedModel& model, const std::vector<BatchItem*>& items) {
      score_items(model, items, flags->on_long);
    });
  });
}

}  // namespace trivium::cli
