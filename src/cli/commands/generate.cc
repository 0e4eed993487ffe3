// trivium generate: an answer for every line.
#include <memory>

#include "cli/batch/batch.h"
#include "cli/batch/dry_run.h"
#include "cli/commands/commands.h"
#include "core/base/error.h"

namespace trivium::cli {
namespace {

constexpr const char* kGenerateFooter =
    R"(Input lines: {"input": TEXT, "task"?: NAME, "id"?: ANY}, where the input may also be an
object of the task's fields, or plain text. A line out for each line in, in the same order:
  {"id"?, "line", "task", "task_source": named | nearest | none, "text", "score",
   "finish": eos | length | skipped | too_long | no_task | error, "truncated",
   "route": {"encoder", "decoder"}, "n_best"?: [{"text", "score", "finish"}...]}
A route has the expert of each layer, counted from 1; 0 stands for an ordinary layer. With
--n-best above 1, n_best has the so many best answers, the best first. A line that cannot be
read gets "finish": "error" with an "error", and the exit code is 65 in the end; an empty one
is skipped. Of a TSV line the first column is the input. Lines are read up to 16
MiB and texts up to 1 MiB; what is cut, there or at --max-input, is "truncated", unless
--on-long has it otherwise. A line that names no task goes to the nearest known; where even that
is unlike it, it gets "finish": "no_task" and no answer. What the model writes need not be one
of a task's fixed answers: score ranks those, as the REPL does.
Example:
  echo '{"task":"sst2","input":"a gorgeous, witty film"}' | trivium generate)";

Json answer_json(const Answer& answer) {
  return {{"text", answer.text},
          {"score", answer.score},
          {"finish", answer.finished ? "eos" : "length"}};
}

Json result_of(const BatchItem& item, const Answer& answer, bool tells_n_best) {
  Json result = result_head(item);
  result.update(answer_json(answer));
  result.update({{"truncated", item.request.truncated || answer.truncated},
                 {"route", route_summary(item.resolved.prompt.route)}});
  if (!tells_n_best) return result;
  Json best = Json::array({answer_json(answer)});
  for (const Answer& other : answer.others) best.push_back(answer_json(other));
  result["n_best"] = std::move(best);
  return result;
}

int run_generate(const BatchFlags& flags, const SearchFlags& search_flags) {
  if (flags.dry_run) {
    return run_dry(flags, [&](LoadedModel& model, const BatchItem& /*item*/) {
      const SearchOptions search = search_options(search_flags, model);
      return int64_t{search.num_beams} * search.max_length;
    });
  }
  return run_batch(flags, [&](LoadedModel& model, const std::vector<BatchItem*>& items) {
    std::vector<Prompt> prompts;
    for (const BatchItem* item : items) prompts.push_back(item->resolved.prompt);
    const SearchOptions search = search_options(search_flags, model);
    model.generator().generate(prompts, search, [&](size_t i, const Answer& answer) {
      items[i]->result = result_of(*items[i], answer, search.n_best > 1);
    });
  });
}

}  // namespace

void add_generate_command(CLI::App& app, int& status) {
  auto flags = std::make_shared<BatchFlags>();
  auto search = std::make_shared<SearchFlags>();
  CLI::App* command = app.add_subcommand("generate", "answer every line of a file or a pipe");
  add_batch_flags(*command, *flags);
  add_search_flags(*command, *search);
  command->footer(kGenerateFooter);
  command->callback([flags, search, &status] { status = run_generate(*flags, *search); });
}

}  // namespace trivium::cli
