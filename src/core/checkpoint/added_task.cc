#include "core/checkpoint/added_task.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/checkpoint/model_shapes.h"
#include "core/checkpoint/safetensors_header.h"
#include "core/checkpoint/squeeze.h"
#include "core/checkpoint/tensor_file_names.h"
#include "core/data/gym.h"
#include "core/routes/layer_place.h"

namespace trivium {
namespace {

namespace fs = std::filesystem;

constexpr int kAddedVersion = 1;
constexpr const char* kAddedFile = "added.json";
constexpr const char* kTaskFile = "tasks.json";
constexpr const char* kHeadParts = "head_parts";
constexpr int64_t kMostRank = 1 << 16;
constexpr int64_t kMostBytes = int64_t{1} << 32;  // of a file

[[noreturn]] void refuse(const fs::path& file, const std::string& problem) {
  throw Error(ExitCode::kBadModel, file.string() + ": " + problem);
}

// The layer that a tensor of a model without pools is of; false where it is of none.
bool parse_layer(const std::string& name, LayerPlace& place) {
  place.in_decoder = name.starts_with("decoder.layers.");
  if (!place.in_decoder && !name.starts_with("encoder.layers.")) return false;
  place.layer = 0;
  size_t at = std::string_view("encoder.layers.").size();
  for (; at < name.size() && name[at] >= '0' && name[at] <= '9' && place.layer < 10'000; ++at) {
    place.layer = 10 * place.layer + static_cast<size_t>(name[at] - '0');
  }
  return at < name.size() && name[at] == '.';
}

// What the tensors of a task's own experts are made from.
struct OwnTensors {
  std::shared_ptr<const TensorFiles> base, differences;
  std::map<std::string, std::string> base_names;  // by those in a model without pools
  std::string where;

  HostTensor base_tensor(const std::string& name) const {
    const std::string& original = base_names.at(name);
    HostTensor tensor = base->read(original);
    if (!is_finite(tensor)) refuse_tensor(original, "has a NaN or an infinity", where);
    return tensor;
  }

  HostTensor difference(const std::string& name) const {
    HostTensor tensor = differences->read(name);
    if (!is_finite(tensor)) refuse_tensor(name, "has a NaN or an infinity", where);
    return tensor;
  }

  // The base's tensor and what is to be added to it.
  HostTensor read(const std::string& name) const {
    HostTensor base = base_tensor(name);
    const bool is_low_rank = differences->has(name + kLowRankA);
    if (!is_low_rank && !differences->has(name + kDifference)) return base;
    const std::shared_ptr<float[]> sum(new float[static_cast<size_t>(base.size())]);
    std::copy_n(base.values.get(), base.size(), sum.get());
    if (is_low_rank) {
      add_product(difference(name + kLowRankB), difference(name + kLowRankA), sum.get());
    } else {
      const HostTensor added = difference(name + kDifference);
      for (int64_t i = 0; i < base.size(); ++i)
        sum[static_cast<size_t>(i)] += added.values.get()[i];
    }
    return {std::shared_ptr<const float>(sum, sum.get()), base.shape};
  }

  // sum += b a: b [rows, rank], a [rank, columns].
  static void add_product(const HostTensor& b, const HostTensor& a, float* sum) {
    const int64_t rows = b.shape[0], rank = b.shape[1], columns = a.shape[1];
    for (int64_t row = 0; row < rows; ++row) {
      float* place = sum + row * columns;
      for (int64_t k = 0; k < rank; ++k) {
        const float factor = b.values.get()[row * rank + k];
        const float* from = a.values.get() + k * columns;
        for (int64_t column = 0; column < columns; ++column) place[column] += factor * from[column];
      }
    }
  }
};

// The layers that the differences are of. Refuses what fits no tensor of them.
std::vector<LayerPlace> check_differences(const OwnTensors& own, const fs::path& file) {
  std::vector<LayerPlace> layers;
  for (const std::string& name : own.differences->names()) {
    if (name == kHeadWeight || name == kHeadBias) continue;
    const std::string_view kind = name.ends_with(kLowRankA)     ? kLowRankA
                                  : name.ends_with(kLowRankB)   ? kLowRankB
                                  : name.ends_with(kDifference) ? kDifference
                                                                : "";
    const std::string tensor = name.substr(0, name.size() - kind.size());
    LayerPlace place;
    const auto base = own.base_names.find(tensor);
    if (kind.empty() || base == own.base_names.end() || !parse_layer(tensor, place)) {
      refuse(file, quoted_name(name) + " is no difference of a tensor of the model's layers");
    }
    const std::vector<int64_t> shape = own.base->shape(base->second);
    const std::vector<int64_t> found = own.differences->shape(name);
    bool fits = found == shape;
    if (kind != kDifference) {
      const bool is_a = kind == kLowRankA;
      const std::string other = tensor + (is_a ? kLowRankB : kLowRankA);
      const auto rank = found.empty() ? 0 : found[is_a ? 0 : found.size() - 1];
      fits = shape.size() == 2 && rank >= 1 && rank <= kMostRank && own.differences->has(other) &&
             !own.differences->has(tensor + kDifference) &&
             found == (is_a ? std::vector<int64_t>{rank, shape[1]}
                            : std::vector<int64_t>{shape[0], rank}) &&
             own.differences->shape(other).size() == 2 &&
             own.differences->shape(other)[is_a ? 1 : 0] == rank;
    }
    if (!fits) refuse(file, quoted_name(name) + " does not fit the tensor that it is to change");
    if (std::find(layers.begin(), layers.end(), place) == layers.end()) layers.push_back(place);
  }
  return layers;
}

// Lets `weights` take the task's own expert.
void take_own(std::vector<float>& weights) {
  std::fill(weights.begin(), weights.end(), 0.0f);
  weights.push_back(1);
}

fs::path folder_of(const fs::path& checkpoint, const std::string& name) {
  return checkpoint / kAddedTasksFolder / name;
}

// `json` is what `file`, added.json, holds.
int64_t read_gates(const Json& json, const fs::path& file, const OpenCheckpoint& base) {
  if (!json.is_object() || json.value("version", Json()) != kAddedVersion ||
      !json.value("weights", Json()).is_string() ||
      !json.value("gates", Json()).is_number_integer()) {
    refuse(file, "keys \"version\" (1), \"weights\" and \"gates\" are needed");
  }
  if (json["weights"].get<std::string>() != base.weights_id) {
    refuse(file,
           "the task was learned from other weights than the checkpoint has now; take it away "
           "(trivium task remove) and add it again");
  }
  const auto gates = json["gates"].get<int64_t>();
  const int64_t rows = std::max<int64_t>(
      1, count_task_rows(base.info.config, [&](const std::string& name) {
        return base.files->has(name) ? base.files->shape(name) : std::vector<int64_t>();
      }));
  if (gates < 0 || gates >= rows) refuse(file, "\"gates\" is no row of the model's token gates");
  return gates;
}

// The head of a task, where it has one. `json` is what added.json holds.
std::shared_ptr<const LabelHead> read_head(const Json& json, const fs::path& folder,
                                           const OpenCheckpoint& base, const TaskEntry& entry,
                                           const TensorFiles& tensors) {
  if (!json.contains(kHeadParts) && !tensors.has(kHeadWeight) && !tensors.has(kHeadBias)) return {};
  LabelHead head{entry.prompt->fixed_options(), 0, {}, {}};
  const Json parts = json.value(kHeadParts, Json());
  if (parts != 1 && parts != 2) refuse(folder / kAddedFile, "\"head_parts\" must be 1 or 2");
  head.parts = parts.get<int64_t>();
  if (head.labels.size() < 2) {
    refuse(folder / kTaskFile, "the task has a head, but no labels for it");
  }
  const auto read = [&](const char* name, const std::vector<int64_t>& shape) {
    if (!tensors.has(name) || tensors.shape(name) != shape) {
      refuse(folder / kWeightsFile, quoted_name(name) + " is missing or does not fit the labels");
    }
    HostTensor tensor = tensors.read(name);
    if (!is_finite(tensor)) refuse_tensor(name, "has a NaN or an infinity", folder.string());
    return tensor;
  };
  const int64_t labels = std::ssize(head.labels);
  head.weight = read(kHeadWeight, {labels, head_features(head.parts, base.info.config.d_model)});
  head.bias = read(kHeadBias, {labels});
  return std::make_shared<const LabelHead>(std::move(head));
}

// The task of one folder.
AddedTask read_added_task(const fs::path& folder, const OpenCheckpoint& base) {
  const CheckpointManifest manifest = verify_checkpoint_folder(folder, Verify::kChecksums);
  const Json added = read_json_file(folder / kAddedFile, ExitCode::kBadModel);
  const int64_t gates = read_gates(added, folder / kAddedFile, base);
  const fs::path routes_file = folder / kRoutesFile;
  const TaskCatalog tasks = read_task_catalog(folder);
  const ModelRoutes routes = model_routes_from_json(
      read_json_file(routes_file, ExitCode::kBadModel), base.info.config, routes_file.string());
  if (tasks.entries().size() != 1 || routes.used.size() != 1) {
    refuse(folder, "tasks.json and routes.json must be of one task");
  }
  AddedTask task{tasks.entries()[0], routes.used[0], routes.likely[0], {}};
  if (task.entry.task.name != folder.filename().string()) {
    refuse(folder / kTaskFile, "the task has another name than its folder");
  }
  if (base.info.tasks.has(task.entry.task.name)) {
    refuse(folder, "the checkpoint knows a task of this name already");
  }
  task.route.gates = task.likely.gates = gates;
  task.base = task.route;
  if (!manifest.tensors.contains(kWeightsFile)) {
    if (added.contains(kHeadParts)) {
      refuse(folder / kManifestFile, "the task has a head, but there are no weights of it");
    }
    return task;
  }
  const auto own = std::make_shared<OwnTensors>();
  own->base = base.files;
  own->differences = std::make_shared<TensorFiles>(folder, manifest.tensors);
  own->base_names = squeezed_names(base.files->names(), task.route);
  own->where = folder.string();
  task.route.head = task.likely.head = task.base.head =
      read_head(added, folder, base, task.entry, *own->differences);
  const std::vector<LayerPlace> layers = check_differences(*own, folder / kWeightsFile);
  for (const LayerPlace& place : layers) {
    take_own(weights_at(task.route, place));
    weights_at(task.likely, place).push_back(0);
  }
  if (task.route == task.base) return task;  // a head alone
  OwnExperts experts{[own](const std::string& name) { return own->read(name); },
                     std::vector<bool>(task.route.encoder.size()),
                     std::vector<bool>(task.route.decoder.size())};
  for (const LayerPlace& place : layers) {
    (place.in_decoder ? experts.decoder : experts.encoder)[place.layer] = true;
  }
  task.route.own = std::make_shared<const OwnExperts>(std::move(experts));
  task.likely.own = task.route.own;
  return task;
}

// The names of the folders that may hold added tasks, sorted.
std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (is_plain_name(name) && fs::exists(at->path() / kManifestFile)) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

void refuse_known_task(const fs::path& checkpoint, const OpenCheckpoint& base,
                       const std::string& name) {
  if (base.info.tasks.has(name)) {
    throw Error(ExitCode::kExists,
                "the checkpoint knows a task " + name + " already; choose another name");
  }
  if (fs::exists(folder_of(checkpoint, name))) {
    throw Error(ExitCode::kExists, "a task " + name +
                                       " was added already; choose another name, or take that one "
                                       "away first: trivium task remove " +
                                       name);
  }
}

void save_added_task(const fs::path& checkpoint, const OpenCheckpoint& base, const TaskEntry& entry,
                     const TaskRoute& route, const std::map<std::string, HostTensor>& differences) {
  const std::string& name = entry.task.name;
  check(is_plain_name(name), "a task's name is a folder's");
  refuse_known_task(checkpoint, base, name);
  TaskCatalog catalog;
  catalog.add(entry);
  const ModelRoutes routes{1, {route}, {route}};
  Json added = {{"version", kAddedVersion}, {"weights", base.weights_id}, {"gates", route.gates}};
  std::map<std::string, HostTensor> tensors = differences;
  if (route.head) {
    added[kHeadParts] = route.head->parts;
    tensors[kHeadWeight] = route.head->weight;
    tensors[kHeadBias] = route.head->bias;
  }
  for (const auto& [tensor, values] : tensors) {
    if (is_finite(values)) continue;
    throw Error(ExitCode::kDiverged,
                "not saved: tensor " + quoted_name(tensor) + " has a NaN or an infinity");
  }
  replace_checkpoint_folder(folder_of(checkpoint, name), [&](const fs::path& staging) {
    write_file_atomically(staging / kAddedFile, added.dump(1) + "\n");
    write_file_atomically(staging / kTaskFile, catalog.to_json().dump(1) + "\n");
    write_file_atomically(staging / kRoutesFile, to_json_line(to_json(routes)) + "\n");
    if (tensors.empty()) return;
    write_tensor_files(staging, tensors, StorageKind::kFloat32, kMostBytes);
  });
}

std::vector<std::string> added_task_names(const fs::path& checkpoint) {
  return names_in(checkpoint / kAddedTasksFolder);
}

void remove_added_task(const fs::path& checkpoint, const std::string& name) {
  const fs::path folder = folder_of(checkpoint, name);
  const std::vector<std::string> names = added_task_names(checkpoint);
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    throw Error(ExitCode::kMissingInput,
                "no task " + quoted_name(name) + " was added to " + checkpoint.string() +
                    (names.empty() ? ", nor any other" : name_hint(name, names)));
  }
  // Under another name first, so that nobody finds half a task.
  const fs::path leaving = folder.parent_path() / (name + ".removed");
  try {
    fs::remove_all(leaving);
    fs::rename(folder, leaving);
    sync_path(folder.parent_path());
    fs::remove_all(leaving);
  } catch (const fs::filesystem_error& e) {
    throw Error(ExitCode::kIo, "cannot take away " + folder.string() + ": " + e.code().message());
  }
}

AddedTasks::AddedTasks(const fs::path& checkpoint, const OpenCheckpoint& base)
    : folder_(checkpoint / kAddedTasksFolder), base_(base) {
  refresh();
}

AddedTasks::Seen AddedTasks::read(const fs::path& folder) const {
  Seen seen;
  try {
    seen.manifest = read_file(folder / kManifestFile);
    seen.task = std::make_shared<const AddedTask>(read_added_task(folder, base_));
  } catch (const Error& error) {
    seen.problem = error.what();
  }
  return seen;
}

bool AddedTasks::refresh() {
  std::map<std::string, Seen> now;
  bool has_changed = false;
  for (const std::string& name : names_in(folder_)) {
    const fs::path folder = folder_ / name;
    const auto before = seen_.find(name);
    std::error_code error;
    if (before != seen_.end() && !before->second.manifest.empty() &&
        fs::exists(folder / kManifestFile, error) &&
        read_file(folder / kManifestFile) == before->second.manifest) {
      now.insert(*before);
      continue;
    }
    now.emplace(name, read(folder));
    has_changed = true;
  }
  if (!has_changed && now.size() == seen_.size()) return false;
  seen_ = std::move(now);
  tasks_.clear();
  problems_.clear();
  for (const auto& [name, seen] : seen_) {
    if (seen.task) {
      tasks_.push_back(seen.task);
    } else {
      problems_[name] = seen.problem;
    }
  }
  return true;
}

}  // namespace trivium
