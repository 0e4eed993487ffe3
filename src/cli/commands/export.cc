// trivium export: a checkpoint written anew, smaller or in shards, without its training state, or a
// dense model for other programs.
#include <algorithm>
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
#include "core/checkpoint/added_task.h"
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

// Makes `info` that of an ordinary dense model of the task alone, and returns its tensors.
std::map<std::string, HostTensor> tensors_of_task(const ExportFlags& flags,
                                                  const OpenCheckpoint& open,
                                                  CheckpointInfo& info) {
  const AddedTasks added(flags.checkpoint, open);
  const auto found =
      std::find_if(added.tasks().begin(), added.tasks().end(),
                   [&](const auto& task) { return task->entry.task.name == flags.task; });
  const bool is_added = found != added.tasks().end();
  if (!is_added && added.problems().contains(flags.task)) {
    throw Error(ExitCode::kBadModel, added.problems().at(flags.task));
  }
  if (!is_added && !info.routes) {
    throw Error(ExitCode::kUsage,
                "--task takes a task's experts out of a routed checkpoint, but "
                "this one is dense");
  }
  if (is_added && (*found)->route.head) {
    throw Error(ExitCode::kUsage,
                "the task " + flags.task +
                    " is answered by a head over sentence vectors, which no exported model has a "
                    "place for; add it with --answers-by decoder to export it");
  }
  const TaskEntry entry = is_added ? (*found)->entry : open.info.tasks.find(flags.task);
  const TaskRoute route =
      is_added ? (*found)->base
               : open.route(static_cast<int64_t>(open.info.tasks.index_of(flags.task)));
  know_only(info, entry);
  info.config.routing = RoutingConfig{};
  info.routes.reset();
  const TensorReader read = open.reader(flags.checkpoint);
  std::map<std::string, HostTensor> tensors;
  for (const auto& [name, original] : squeezed_names(open.files->names(), route)) {
    tensors[name] =
        is_added && (*found)->route.own ? (*found)->route.own->read(name) : read(original);
  }
  return tensors;
}

std::map<std::string, HostTensor> all_tensors(const ExportFlags& flags,
                                              const OpenCheckpoint& open) {
  const size_t added = AddedTasks(flags.checkpoint, open).tasks().size();
  if (added > 0) {
    spdlog::warn("tasks that were added stay behind ({}); export each with --task", added);
  }
  const TensorReader read = open.reader(flags.checkpoint);
  std::map<std::string, HostTensor> tensors;
  for (const std::string& name : open.files->names()) tensors[name] = read(name);
  return tensors;
}

void run_export(const ExportFlags& flags) {
  check_output_folder(flags.output, "--output");
  if (std::filesystem::exists(flags.output) && !std::filesystem::is_empty(flags.output)) {
    throw Error(ExitCode::kExists, flags.output + " is there; name another --output");
  }
  const OpenCheckpoint open = open_checkpoint(flags.checkpoint, Verify::kHashes);
  CheckpointInfo info = open.info;
  std::map<std::string, HostTensor> tensors =
      flags.task.empty() ? all_tensors(flags, open) : tensors_of_task(flags, open, info);
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
