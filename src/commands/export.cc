// trivium export: a checkpoint written anew, smaller or in shards, without its training state.
#include <memory>

#include "base/error.h"
#include "base/logging.h"
#include "checkpoint/checkpoint.h"
#include "commands/command.h"
#include "inference/fixed_route.h"

namespace trivium {
namespace {

struct ExportFlags {
  std::string checkpoint, output, task, storage = "int8";
  int64_t shard_megabytes = 4096;
};

// An ordinary dense model of one task, from the experts that its route takes.
Checkpoint squeeze_task(const Checkpoint& routed, const std::string& task) {
  if (!routed.model->is_routed()) {
    throw Error(ExitCode::kUsage,
                "--task takes a task's experts out of a routed checkpoint, but "
                "this one is dense");
  }
  const TaskEntry& entry = routed.tasks.find(task);
  const auto row = static_cast<int64_t>(routed.tasks.index_of(task));
  Seq2SeqModel model = routed.model;
  model->eval();
  Checkpoint dense =
      squeeze(routed, route_of_task(model, row, routed.config.routing.selection_temperature));
  know_only(dense, entry);
  return dense;
}

void run_export(const ExportFlags& flags) {
  SaveOptions options;
  options.storage = storage_kind(flags.storage);
  options.max_file_bytes = flags.shard_megabytes * 1'000'000;
  Checkpoint checkpoint = load_checkpoint(flags.checkpoint, Verify::kHashes);
  if (!flags.task.empty()) checkpoint = squeeze_task(checkpoint, flags.task);
  save_checkpoint(checkpoint, flags.output, options);
  uintmax_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(flags.output)) {
    if (entry.is_regular_file()) bytes += entry.file_size();
  }
  spdlog::info("wrote {} ({:.1f} MB)", flags.output, static_cast<double>(bytes) / 1e6);
}

}  // namespace

void add_export_command(CLI::App& app) {
  auto flags = std::make_shared<ExportFlags>();
  CLI::App* command = app.add_subcommand(
      "export", "write a checkpoint anew: smaller, in shards, without training state");
  command->add_option("--checkpoint", flags->checkpoint, "checkpoint folder to read")->required();
  command->add_option("--output", flags->output, "checkpoint folder to write")->required();
  command->add_option("--task", flags->task,
                      "only this task's main expert of each layer: an ordinary dense model");
  command
      ->add_option("--storage", flags->storage,
                   "float32, bfloat16, or int8 with a scale a row; float32 in memory all the same")
      ->check(CLI::IsMember({"float32", "bfloat16", "int8"}))
      ->capture_default_str();
  command->add_option("--shard-mb", flags->shard_megabytes, "largest file, in 10^6 bytes")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  command->callback([flags] { run_export(*flags); });
}

}  // namespace trivium
