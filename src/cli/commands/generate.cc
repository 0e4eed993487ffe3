// trivium generate: an answer for every line.
#include <memory>

#include "cli/batch/batch.h"
#include "cli/batch/dry_run.h"
#include "cli/commands/commands.h"
#include "core/base/error.h"

namespace trivium::cli {
namespace {

constexpr const char* kGenerateFooter =
    R"(Input lines: {"input": TEXT, "task"?: NAME, "id"?: ANY, "prefix"?: TEXT}, where the input
may also be an object of the task's fields, or plain text; the answer begins with the prefix. A
line out for each line in, in the same order:
  {"id"?, "line", "task", "task_source": named | nearest | none, "text", "score", "tokens"?,
   "finish": eos | length | skipped | too_long | no_task | error, "truncated",
   "route": {"encoder", "decoder"}, "n_best"?: [{"text", "score", "tokens"?, "finish"}...]}
A route has the expert of each layer, counted from 1; 0 stands for an ordinary layer. The score
is the answer's log-probability, of beams divided by its tokens to the power of the checkpoint's
length penalty; with --token-scores, tokens has [TOKEN, LOG-PROBABILITY] of each token and of the
end, which add up to it; those of a prefix are forced and count 0. With --n-best above 1, n_best
has the so many best answers, the best first. A line that cannot be read gets "finish": "error"
with an "error", and the exit code is 65 in the end; an empty one is skipped. Of a TSV line the
first column is the input. Lines are read up to 16
MiB and texts up to 1 MiB; what is cut, there or at --max-input, is "truncated", unless
--on-long has it otherwise. A line that names no task goes to the nearest known; where even that
is unlike it, it gets "finish": "no_task" and no answer. What the model writes need not be one
of a task's fixed answers: score ranks those, as the REPL does.
Example:
  echo '{"task":"sst2","input":"a gorgeous, witty film"}' | trivium generate)";

struct GenerateFlags {
  BatchFlags batch;
  SearchFlags search;
  std::string prefix;  // of lines that have none
  bool token_scores = false;
};

Json answer_json(const Answer& answer, bool tells_tokens) {
  Json json = {{"text", answer.text},
               {"score", answer.score},
               {"finish", answer.finished ? "eos" : "length"}};
  if (!tells_tokens) return json;
  json["tokens"] = Json::array();
  for (const TokenScore& token : answer.tokens) {
    json["tokens"].push_back({token.token, token.log_probability});
  }
  return json;
}

Json result_of(const BatchItem& item, const Answer& answer, const GenerateFlags& flags) {
  Json result = result_head(item);
  result.update(answer_json(answer, flags.token_scores));
  result.update({{"truncated", item.request.truncated || answer.truncated},
                 {"route", route_summary(item.resolved.prompt.route)}});
  if (flags.search.n_best == 1) return result;
  Json best = Json::array({answer_json(answer, flags.token_scores)});
  for (const Answer& other : answer.others) {
    best.push_back(answer_json(other, flags.token_scores));
  }
  result["n_best"] = std::move(best);
  return result;
}

// The line's prompt with its prefix. Error kBadData for one that leaves no room for an answer.
Prompt prompt_of(const BatchItem& item, const GenerateFlags& flags, LoadedModel& model,
                 const SearchOptions& search) {
  Prompt prompt = item.resolved.prompt;
  prompt.prefix = item.request.prefix.value_or(flags.prefix);
  const auto tokens =
      static_cast<int64_t>(model.generator().search_of(prompt, search).prefix.size());
  if (tokens + 1 >= search.max_length) {
    throw Error(ExitCode::kBadData,
                "the prefix has " + std::to_string(tokens) +
                    " tokens, which leave no room for an answer of --max-length " +
                    std::to_string(search.max_length));
  }
  return prompt;
}

void answer_items(LoadedModel& model, const std::vector<BatchItem*>& items,
                  const GenerateFlags& flags) {
  const SearchOptions search = search_options(flags.search, model);
  std::vector<BatchItem*> asked;
  std::vector<Prompt> prompts;
  for (BatchItem* item : items) {
    try {
      prompts.push_back(prompt_of(*item, flags, model, search));
      asked.push_back(item);
    } catch (const Error& error) {
      item->request.error = error.what();
    }
  }
  model.generator().generate(prompts, search, [&](size_t i, const Answer& answer) {
    asked[i]->result = result_of(*asked[i], answer, flags);
  });
}

int run_generate(const GenerateFlags& flags) {
  if (flags.batch.dry_run) {
    return run_dry(flags.batch, [&](LoadedModel& model, const BatchItem& item) {
      const SearchOptions search = search_options(flags.search, model);
      prompt_of(item, flags, model, search);
      return int64_t{search.num_beams} * search.max_length;
    });
  }
  return run_batch(flags.batch, [&](LoadedModel& model, const std::vector<BatchItem*>& items) {
    answer_items(model, items, flags);
  });
}

}  // namespace

void add_generate_command(CLI::App& app, int& status) {
  auto flags = std::make_shared<GenerateFlags>();
  CLI::App* command = app.add_subcommand("generate", "answer every line of a file or a pipe");
  add_batch_flags(*command, flags->batch);
  add_search_flags(*command, flags->search);
  command->add_option("--prefix", flags->prefix,
                      "what the answers begin with, of lines that have no prefix of their own");
  command->add_flag("--token-scores", flags->token_scores,
                    "with each answer the log-probabilities of its tokens");
  command->footer(kGenerateFooter);
  command->callback([flags, &status] { status = run_generate(*flags); });
}

}  // namespace trivium::cli
