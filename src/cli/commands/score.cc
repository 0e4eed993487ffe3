// trivium score: how likely each option is as a prompt's answer.
#include <algorithm>
#include <memory>

#include "core/base/error.h"
#include "cli/batch/batch.h"
#include "cli/commands/commands.h"

namespace trivium::cli {
namespace {

constexpr const char* kScoreFooter =
    "Input lines: {\"input\": TEXT, \"options\"?: [TEXT...], \"task\"?: NAME, \"id\"?: ANY}, as "
    "for\n"
    "generate; the task's own options where a line gives none. A line out for each line in:\n"
    "  {\"id\"?, \"line\", \"task\", \"task_source\", \"best\", \"options\", \"log_likelihoods\",\n"
    "   \"finish\": scored | skipped | error, \"truncated\", \"route\": {\"encoder\", "
    "\"decoder\"}}\n"
    "A log-likelihood is the sum over the option's tokens and its end. Bad lines as for generate.\n"
    "Example:\n"
    "  echo '{\"task\":\"sst2\",\"input\":\"a gorgeous "
    "film\",\"options\":[\"positive\",\"negative\"]}' |\n"
    "    trivium score";
constexpr size_t kMaxOptions = 1000;  // of a line; each is a row of the batch

// The line's options, or the task's.
const std::vector<std::string>& options_of(const BatchItem& item) {
  return item.request.options.empty() ? item.resolved.options : item.request.options;
}

Json result_of(const BatchItem& item, const std::vector<double>& scores) {
  const std::vector<std::string>& options = options_of(item);
  const auto best = std::max_element(scores.begin(), scores.end()) - scores.begin();
  Json result = result_head(item);
  result.update({{"best", options[static_cast<size_t>(best)]},
                 {"options", options},
                 {"log_likelihoods", scores},
                 {"finish", "scored"},
                 {"truncated", item.request.truncated},
                 {"route", route_summary(item.resolved.prompt.route)}});
  return result;
}

void score_items(LoadedModel& model, const std::vector<BatchItem*>& items) {
  std::vector<BatchItem*> good;
  std::vector<Prompt> prompts;
  std::vector<std::vector<std::string>> options;
  for (BatchItem* item : items) {
    const size_t count = options_of(*item).size();
    if (count == 0) {
      item->request.error = "no \"options\", and the task has none of its own";
    } else if (count > kMaxOptions) {
      item->request.error = "more than 1000 options";
    } else {
      good.push_back(item);
      prompts.push_back(item->resolved.prompt);
      options.push_back(options_of(*item));
    }
  }
  const auto scores = model.generator().score(prompts, options);
  for (size_t i = 0; i < good.size(); ++i) {
    if (!scores[i].empty()) good[i]->result = result_of(*good[i], scores[i]);
  }
}

}  // namespace

void add_score_command(CLI::App& app, int& status) {
  auto flags = std::make_shared<BatchFlags>();
  CLI::App* command = app.add_subcommand("score", "rank the options of every line");
  add_batch_flags(*command, *flags);
  command->footer(kScoreFooter);
  command->callback([flags, &status] { status = run_batch(*flags, score_items); });
}

}  // namespace trivium::cli
