#include "learning/training/snapshot.h"

#include <optional>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/checkpoint/checkpoint_folder.h"
#include "core/checkpoint/safetensors.h"

namespace trivium::learning {
namespace {

constexpr const char* kTensorFile = "training.safetensors";
constexpr const char* kStateFile = "training.json";
constexpr const char* kOptimiserPrefix = "optimiser.";
constexpr const char* kNoise = "generator.noise";
constexpr const char* kDropout = "generator.dropout";

TensorToWrite view_of(const std::string& name, const torch::Tensor& tensor) {
  return {name,
          tensor.scalar_type() == torch::kUInt8 ? Dtype::kU8 : Dtype::kF32,
          tensor.sizes().vec(),
          {static_cast<const std::byte*>(tensor.data_ptr()), tensor.nbytes()}};
}

torch::Tensor read_entry(const SafetensorsReader& reader, const TensorEntry& entry) {
  if (entry.dtype != Dtype::kF32 && entry.dtype != Dtype::kU8) {
    throw Error(ExitCode::kBadModel, reader.file().string() + ": tensor " + entry.name +
                                         " has a type that a training does not save");
  }
  torch::Tensor tensor =
      torch::empty(entry.shape, entry.dtype == Dtype::kU8 ? torch::kUInt8 : torch::kFloat32);
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
    if (state.contains("best_score")) {
      snapshot.best_score = json_get<double>(state, "best_score", where);
    }
    return snapshot;
  } catch (const Error& e) {
    throw Error(ExitCode::kBadModel, e.what());
  }
}

// Writes the state beside the model. `snapshot` must outlive the result.
SaveOptions with_snapshot(const TrainingSnapshot& snapshot) {
  SaveOptions options;
  options.write_more = [&snapshot](const std::filesystem::path& folder) {
    NamedTensors tensors = {{kDropout, snapshot.dropout_state}};
    if (snapshot.noise_state.defined()) tensors[kNoise] = snapshot.noise_state;
    for (const auto& [name, tensor] : snapshot.optimiser) {
      tensors[kOptimiserPrefix + name] = tensor.cpu().contiguous();
    }
    std::vector<TensorToWrite> views;
    for (const auto& [name, tensor] : tensors) views.push_back(view_of(name, tensor));
    Json state = {{"step", snapshot.step},
                  {"stream", snapshot.stream_state},
                  {"loss_sum", snapshot.loss_sum},
                  {"loss_steps", snapshot.loss_steps}};
    if (snapshot.best_score) state["best_score"] = *snapshot.best_score;
    write_safetensors(folder / kTensorFile, views);
    write_file_atomically(folder / kStateFile, to_json_line(state) + "\n");
  };
  return options;
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

TrainingSnapshot load_training_snapshot(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / kTensorFile;
  if (!std::filesystem::exists(folder / kStateFile) || !std::filesystem::exists(file)) {
    throw Error(ExitCode::kMissingInput,
                "no training to resume in " + folder.string() + "; start without --resume");
  }
  const ChecksumsByFile checksums = verify_checkpoint_folder(folder, Verify::kChecksums).tensors;
  const auto expected = checksums.find(kTensorFile);
  const SafetensorsReader reader(
      file, expected == checksums.end() ? std::nullopt : std::optional(expected->second));
  TrainingSnapshot snapshot = read_state(folder / kStateFile);
  for (const TensorEntry& entry : reader.entries()) {
    torch::Tensor tensor = read_entry(reader, entry);
    if (entry.name == kNoise) {
      snapshot.noise_state = tensor;
    } else if (entry.name == kDropout) {
      snapshot.dropout_state = tensor;
    } else if (entry.name.starts_with(kOptimiserPrefix)) {
      snapshot.optimiser[entry.name.substr(std::string(kOptimiserPrefix).size())] = tensor;
    }
  }
  if (!snapshot.dropout_state.defined()) {
    throw Error(ExitCode::kBadModel, file.string() + " lacks the generator's state");
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

void restore_generator(torch::Generator generator, const torch::Tensor& state) {
  try {
    if (state.defined()) {
      generator.set_state(state);
      return;
    }
  } catch (const c10::Error&) {
  }
  throw Error(ExitCode::kBadModel, "the snapshot's state of a random generator is malformed");
}

torch::Generator dropout_generator(torch::Device device) {
  return at::globalContext().defaultGenerator(device);
}

}  // namespace trivium::learning
