// trivium routes gates: which expert each token takes, as a page.
#include <memory>

#include "cli/batch/result_file.h"
#include "cli/commands/commands.h"
#include "cli/program/given_paths.h"
#include "cli/program/model_flags.h"
#include "core/analysis/gates_page.h"
#include "core/base/error.h"
#include "core/inference/gate_map.h"

namespace trivium::cli {
namespace {

constexpr size_t kMostTasks = 64;  // of a page

struct RoutesGatesFlags {
  ModelFlags model;
  std::vector<std::string> texts, tasks;
  std::string output;
  bool overwrite = false;
};

// The prompts: those of the flags, or the known tasks' examples.
std::vector<std::string> prompts_of(const LoadedModel& model, const RoutesGatesFlags& flags) {
  if (!flags.texts.empty()) return flags.texts;
  std::vector<std::string> prompts;
  for (const TaskEntry& entry : model.tasks().entries()) {
    const std::string prompt = entry.example_prompt();
    if (!prompt.empty()) prompts.push_back(prompt);
  }
  return prompts;
}

void run(const RoutesGatesFlags& flags) {
  LoadedModel model = load_model(flags.model);
  if (model.config().token_experts.num_experts == 1) {
    throw Error(ExitCode::kUsage,
                "this model has no token gates (trivium routes plot shows routes "
                "of whole layers)");
  }
  std::vector<std::string> tasks = flags.tasks.empty() ? model.tasks().names() : flags.tasks;
  if (tasks.size() > kMostTasks) tasks.resize(kMostTasks);
  const Tokenizer& tokenizer = model.generator().tokenizer();
  const auto longest = static_cast<size_t>(model.config().max_position_embeddings);
  std::vector<TextGates> texts;
  for (const std::string& text : prompts_of(model, flags)) {
    const std::vector<int32_t> source = tokenizer.encode_with_special(text, longest);
    TextGates gates{text.substr(0, 80), {}};
    for (const std::string& task : tasks) {
      const auto row = static_cast<int64_t>(model.tasks().index_of(task));
      gates.maps.push_back(gate_map(model.generator().engine(), tokenizer, source, {}, row, task));
    }
    if (tasks.empty()) {
      gates.maps.push_back(
          gate_map(model.generator().engine(), tokenizer, source, {}, 0, "all tasks"));
    }
    texts.push_back(std::move(gates));
  }
  check_ending(flags.output, {".html"}, "--output");
  ResultFile file(flags.output, flags.overwrite ? OldFile::kReplaced : OldFile::kRefused);
  file.write(gates_page("Gates of " + model.folder().lexically_normal().string(), texts));
  file.finish();
}

}  // namespace

void add_routes_gates(CLI::App& routes) {
  auto flags = std::make_shared<RoutesGatesFlags>();
  CLI::App* command = routes.add_subcommand(
      "gates", "which expert each token takes, as a page: for models with token gates");
  command->add_option("--text", flags->texts,
                      "a prompt as the model reads it; may be repeated [the tasks' examples]");
  command->add_option("--tasks", flags->tasks, "the gates of these tasks only");
  command->add_option("--output,-o", flags->output, "the page (FILE.html)")->required();
  command->add_flag("--overwrite", flags->overwrite, "replace the file where it exists");
  add_model_flags(*command, flags->model);
  command->footer(
      "Example:\n  trivium routes gates --checkpoint runs/gated/last --output gates.html");
  command->callback([flags] { run(*flags); });
}

}  // namespace trivium::cli
