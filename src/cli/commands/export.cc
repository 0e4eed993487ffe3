// trivium export: a checkpoint written anew, smaller or in shards, without its training state, or a
// dense model for other programs.
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "cli/commands/commands.h"
#include "cli/output/output.h"
#include "cli/program/choice.h"
#include "cli/program/given_paths.h"
#include "cli/program/json_flag.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/logging.h"
#include "core/checkpoint/checkpoint.h"
#include "core/checkpoint/hugging_face_folder.h"
#include "core/checkpoint/squeeze.h"

namespace trivium::cli {
namespace {

enum class ExportFormat {
  kTrivium,      // "trivium": a checkpoint
  kHuggingFace,  // "hugging-face": a folder for transformers
};

struct ExportFlags {
  std::string checkpoint, output, task;
  ExportFormat format = ExportFormat::kTrivium;
  std::optional<StorageKind> storage;  // none: int8 of a checkpoint, float32 for others
  int64_t shard_megabytes = 4096;
  bool json = false;
};

// The names that the exported model has, and what they are called in `open`. With --task an
// ordinary dense model of that task alone, from the experts that its route takes.
std::map<std::string, std::string> exported_names(const ExportFlags& flags,
                                                  const OpenCheckpoint& open,
                                                  CheckpointInfo& info) {
  const std::vector<std::string> names = open.files->names();
  if (flags.task.empty()) {
    std::map<std::string, std::string> same;
    for (const std::string& name : names) same[name] = name;
    return same;
  }
  if (!info.routes) {
    throw Error(ExitCode::kUsage,
                "--task takes a task's experts out of a routed checkpoint, but "
                "this one is dense");
  }
  const TaskEntry entry = open.info.tasks.find(flags.task);
  const auto row = static_cast<int64_t>(open.info.tasks.index_of(flags.task));
  know_only(info, entry);
  info.config.routing = RoutingConfig{};
  info.routes.reset();
  return squeezed_names(names, open.route(row));
}

void run_export(const ExportFlags& flags) {
  check_output_folder(flags.output, "--output");
  if (std::filesystem::exists(flags.output) && !std::filesystem::is_empty(flags.output)) {
    throw Error(ExitCode::kExists, flags.output + " is there; name another --output");
  }
  const OpenCheckpoint open = open_checkpoint(flags.checkpoint, Verify::kHashes);
  const TensorReader read = open.reader(flags.checkpoint);
  CheckpointInfo info = open.info;
  std::map<std::string, HostTensor> tensors;
  for (const auto& [name, original] : exported_names(flags, open, info)) {
    tensors[name] = read(original);
  }
  const int64_t max_file_bytes = flags.shard_megabytes * 1'000'000;
  if (flags.format == ExportFormat::kHuggingFace) {
    write_hugging_face_folder(info, std::move(tensors), flags.output,
                              flags.storage.value_or(StorageKind::kFloat32), max_file_bytes);
  } else {
    SaveOptions options;
    options.storage = flags.storage.value_or(StorageKind::kInt8);
    options.max_file_bytes = max_file_bytes;
    save_checkpoint(info, tensors, flags.output, options);
  }
  uintmax_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(flags.output)) {
    if (entry.is_regular_file()) bytes += entry.file_size();
  }
  spdlog::info("wrote {} ({:.1f} MB)", flags.output, static_cast<double>(bytes) / 1e6);
  if (flags.json) write_output(to_json_line({{"output", flags.output}, {"bytes", bytes}}) + "\n");
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
  add_choice<ExportFormat>(
      *command, "--format", flags->format,
      {{"trivium", ExportFormat::kTrivium}, {"hugging-face", ExportFormat::kHuggingFace}},
      "trivium: a checkpoint; hugging-face: a dense model for transformers (routed: with --task)");
  command
      ->add_option_function<std::string>(
          "--storage", [flags](const std::string& name) { flags->storage = storage_kind(name); },
          "float32, bfloat16, or int8 with a scale per row; float32 in memory all the same [int8; "
          "for hugging-face float32]")
      ->check(CLI::IsMember({"float32", "bfloat16", "int8"}));
  command->add_option("--shard-mb", flags->shard_megabytes, "largest file, in 10^6 bytes")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  add_json_flag(*command, flags->json, "what was written as one JSON object; an error is one too");
  command->footer(
      "Example:\n"
      "  trivium export --checkpoint checkpoints/trivium-small --task sst2 --output runs/sst2");
  command->callback([flags] { run_export(*flags); });
}

}  // namespace trivium::cli
