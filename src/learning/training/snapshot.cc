#include "learning/training/snapshot.h"

#include <unistd.h>

#include <charconv>
#include <map>
#include <optional>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/checkpoint/checkpoint_folder.h"
#include "core/checkpoint/safetensors.h"

namespace trivium::learning {
namespace {

namespace fs = std::filesystem;

constexpr const char* kKeptPrefix = "step-";
constexpr const char* kTensorFile = "training.safetensors";
constexpr const char* kStateFile = "training.json";
constexpr const char* kOptimiserPrefix = "optimiser.";

TensorToWrite view_of(const std::string& name, const torch::Tensor& tensor) {
  return {name,
          Dtype::kF32,
          tensor.sizes().vec(),
          {static_cast<const std::byte*>(tensor.data_ptr()), tensor.nbytes()}};
}

torch::Tensor read_entry(const SafetensorsReader& reader, const TensorEntry& entry) {
  if (entry.dtype != Dtype::kF32) {
    throw Error(ExitCode::kBadModel, reader.file().string() + ": tensor " + entry.name +
                                         " has a type that a training does not save");
  }
  torch::Tensor tensor = torch::empty(entry.shape, torch::kFloat32);
  reader.read(entry, {static_cast<std::byte*>(tensor.data_ptr()), tensor.nbytes()});
  return tensor;
}

// What there is beside tensors.
TrainingSnapshot read_state(const std::filesystem::path& file) {
  const std::string where = file.string();
  const Json state = read_json_file(file, ExitCode::kBadModel);
  try {
    TrainingSnapshot snapshot;
    snapshot.step = json_get<int64_t>(state, "step", where);
    snapshot.stream_state = json_get<Json>(state, "stream", where);
    snapshot.loss_sum = json_get<double>(state, "loss_sum", where);
    snapshot.loss_steps = json_get<int64_t>(state, "loss_steps", where);
    snapshot.skipped = json_get_or<int64_t>(state, "skipped", where, 0);
    snapshot.skipped_in_row = json_get_or<int64_t>(state, "skipped_in_row", where, 0);
    snapshot.evaluation_due = json_get_or<bool>(state, "evaluation_due", where, false);
    snapshot.finished = json_get_or<bool>(state, "finished", where, false);
    snapshot.record = json_get_or<Json>(state, "record", where, nullptr);
    if (!snapshot.record.is_null()) json_get<Json>(snapshot.record, "settings", where);
    if (state.contains("best_score")) {
      snapshot.best_score = json_get<double>(state, "best_score", where);
    }
    return snapshot;
  } catch (const Error& e) {
    throw Error(ExitCode::kBadModel, e.what());
  }
}

void write_state_tensors(const TrainingSnapshot& snapshot, const fs::path& file) {
  NamedTensors tensors;
  for (const auto& [name, tensor] : snapshot.optimiser) {
    tensors[kOptimiserPrefix + name] = tensor.cpu().contiguous();
  }
  std::vector<TensorToWrite> views;
  for (const auto& [name, tensor] : tensors) views.push_back(view_of(name, tensor));
  write_safetensors(file, views);
}

// Writes the state beside the model. `snapshot` must outlive the result.
SaveOptions with_snapshot(const TrainingSnapshot& snapshot) {
  SaveOptions options;
  options.write_more = [&snapshot](const std::filesystem::path& folder) {
    Json state = {{"step", snapshot.step},
                  {"stream", snapshot.stream_state},
                  {"loss_sum", snapshot.loss_sum},
                  {"loss_steps", snapshot.loss_steps},
                  {"skipped", snapshot.skipped},
                  {"skipped_in_row", snapshot.skipped_in_row},
                  {"evaluation_due", snapshot.evaluation_due},
                  {"finished", snapshot.finished},
                  {"record", snapshot.record}};
    if (snapshot.best_score) state["best_score"] = *snapshot.best_score;
    if (!snapshot.finished) write_state_tensors(snapshot, folder / kTensorFile);
    write_file_atomically(folder / kStateFile, to_json_line(state) + "\n");
  };
  return options;
}

// Takes no room where the file system has links. Whoever replaces `from` by another file, as saving
// does, leaves `to` as it is.
void link_or_copy(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::create_hard_link(from, to, error);
  if (error) fs::copy_file(from, to);
}

// Of the kept snapshots of steps before `step` the `count` latest stay; those of later steps are of
// a training that went back, and what else is there was left half-written.
void remove_old(const fs::path& saved, int64_t step, int64_t count) {
  std::map<int64_t, fs::path> by_step;
  std::vector<fs::path> gone;
  for (const auto& entry : fs::directory_iterator(saved)) {
    const std::string name = entry.path().filename();
    int64_t number = -1;
    if (name.starts_with(kKeptPrefix)) {
      std::from_chars(name.data() + std::string_view(kKeptPrefix).size(), name.data() + name.size(),
                      number);
    }
    if (number >= 0 && number < step) {
      by_step[number] = entry.path();
    } else if (number != step && (number >= 0 || name.starts_with("tmp-"))) {
      gone.push_back(entry.path());
    }
  }
  while (static_cast<int64_t>(by_step.size()) > count) {
    gone.push_back(by_step.begin()->second);
    by_step.erase(by_step.begin());
  }
  for (const fs::path& path : gone) fs::remove_all(path);
}

}  // namespace

void save_training_snapshot(const Checkpoint& checkpoint, const TrainingSnapshot& snapshot,
                            const std::filesystem::path& folder) {
  save_checkpoint(checkpoint, folder, with_snapshot(snapshot));
}

void save_training_snapshot(const ClassifierCheckpoint& checkpoint,
                            const TrainingSnapshot& snapshot, const std::filesystem::path& folder) {
  save_classifier(checkpoint, folder, with_snapshot(snapshot));
}

void keep_snapshot(const fs::path& last, int64_t step, int64_t count) {
  if (count == 0) return;
  const fs::path saved = last.parent_path() / "saved";
  const fs::path kept = saved / (kKeptPrefix + std::to_string(step));
  const fs::path staging = saved / ("tmp-" + std::to_string(::getpid()));
  try {
    fs::create_directories(saved);
    remove_old(saved, step, count - 1);
    fs::create_directory(staging);
    for (const auto& entry : fs::directory_iterator(last)) {
      if (entry.is_regular_file()) link_or_copy(entry.path(), staging / entry.path().filename());
    }
    sync_path(staging);
    fs::remove_all(kept);
    fs::rename(staging, kept);
    sync_path(saved);
  } catch (const fs::filesystem_error& e) {
    throw Error(ExitCode::kIo, "cannot keep " + kept.string() + ": " + e.code().message());
  }
}

void remove_half_written(const fs::path& folder, const std::string& name) {
  if (!fs::is_directory(folder)) return;
  std::vector<fs::path> gone;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string full = entry.path().filename();
    const size_t mark = full.rfind(".tmp");
    if (mark == std::string::npos || (!name.empty() && full.substr(0, mark) != name)) continue;
    std::string_view number = std::string_view(full).substr(mark + 4);
    if (number.starts_with('-')) number.remove_prefix(1);
    if (number.empty() || number.find_first_not_of("0123456789") != number.npos) continue;
    gone.push_back(entry.path());
  }
  for (const fs::path& path : gone) fs::remove_all(path);
}

TrainingSnapshot load_training_snapshot(const std::filesystem::path& folder) {
  const auto refuse_missing = [&] {
    throw Error(ExitCode::kMissingInput,
                "no training to resume in " + folder.string() + "; start without --resume");
  };
  if (!fs::exists(folder / kStateFile)) refuse_missing();
  const ChecksumsByFile checksums = verify_checkpoint_folder(folder, Verify::kChecksums).tensors;
  TrainingSnapshot snapshot = read_state(folder / kStateFile);
  if (snapshot.finished) return snapshot;
  const fs::path file = folder / kTensorFile;
  if (!fs::exists(file)) refuse_missing();
  const auto expected = checksums.find(kTensorFile);
  const SafetensorsReader reader(
      file, expected == checksums.end() ? std::nullopt : std::optional(expected->second));
  for (const TensorEntry& entry : reader.entries()) {
    if (!entry.name.starts_with(kOptimiserPrefix)) continue;
    snapshot.optimiser[entry.name.substr(std::string(kOptimiserPrefix).size())] =
        read_entry(reader, entry);
  }
  return snapshot;
}

void restore_parameters(torch::nn::Module& model, const std::filesystem::path& folder) {
  const NamedTensors saved =
      read_tensors(folder, verify_checkpoint_folder(folder, Verify::kChecksums).tensors);
  torch::NoGradGuard no_grad;
  for (auto& item : model.named_parameters()) {
    const auto found = saved.find(item.key());
    if (found == saved.end() || found->second.sizes() != item.value().sizes()) {
      throw Error(ExitCode::kConfig, "the snapshot is of another model: it has no fitting " +
                                         item.key() + "; train into another run.output");
    }
    item.value().copy_(found->second);
  }
}

}  // namespace trivium::learning
