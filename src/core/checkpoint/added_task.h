// Tasks that a checkpoint gets after it was trained: a folder CHECKPOINT/tasks/NAME for each, which
// changes nothing of the checkpoint itself, so that every other task answers as before and a task
// can be taken away by taking away its folder. It holds
//   added.json    {"version", "weights": the weights that it belongs to, "gates": the row of the
//                 token gates}
//   tasks.json    what there is to know of the task, as a checkpoint's, of this task alone
//   routes.json   its route through the checkpoint's experts, as a checkpoint's, of this task alone
//   model.safetensors, where it has experts of its own: what those are more than the experts of
//                 the route. Of tensor T of a layer either "T.lora_A" [rank, columns] and
//                 "T.lora_B" [rows, rank], whose product B A is added to it (Hu et al. 2021, LoRA),
//                 or "T.difference", of its own shape. Where the task's labels are answered by a
//                 head (label_head.h), "label_head.weight" and "label_head.bias" besides, and
//                 "head_parts" in added.json
//   manifest.json as a checkpoint's
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/host_tensor.h"
#include "core/checkpoint/checkpoint.h"
#include "core/data/task_catalog.h"
#include "core/routes/task_route.h"

namespace trivium {

inline constexpr const char* kAddedTasksFolder = "tasks";  // in a checkpoint
// What is put behind a tensor's name.
inline constexpr const char* kLowRankA = ".lora_A";
inline constexpr const char* kLowRankB = ".lora_B";
inline constexpr const char* kDifference = ".difference";
inline constexpr const char* kHeadWeight = "label_head.weight";
inline constexpr const char* kHeadBias = "label_head.bias";

struct AddedTask {
  TaskEntry entry;
  TaskRoute route;   // with the task's own experts
  TaskRoute likely;  // ModelRoutes::likely, of the same layers
  TaskRoute base;    // through the checkpoint's experts, which its own ones differ from
};

// Error kExists where the checkpoint knows a task of that name, trained or added.
void refuse_known_task(const std::filesystem::path& checkpoint, const OpenCheckpoint& base,
                       const std::string& name);

// Writes CHECKPOINT/tasks/NAME, in one step. `route`: one expert a layer, those that `differences`
// (named as above) belong to, and the task's head where it has one, whose labels are the fixed
// options of the entry's template. Errors as refuse_known_task, kDiverged where a difference is NaN
// or infinite, kIo.
void save_added_task(const std::filesystem::path& checkpoint, const OpenCheckpoint& base,
                     const TaskEntry& entry, const TaskRoute& route,
                     const std::map<std::string, HostTensor>& differences);

// The names of the tasks that were added, whether or not they can be used; sorted.
std::vector<std::string> added_task_names(const std::filesystem::path& checkpoint);

// Takes a task away. Error kMissingInput, which lists those that there are, where it was not added.
void remove_added_task(const std::filesystem::path& checkpoint, const std::string& name);

// The tasks that were added to a checkpoint, which may become more and fewer while it is in use.
class AddedTasks {
 public:
  // Of the checkpoint that `base` was opened from.
  AddedTasks(const std::filesystem::path& checkpoint, const OpenCheckpoint& base);

  // Looks at the folder again and returns whether other tasks are there than before.
  bool refresh();

  // By name. A task that is still there keeps its experts.
  const std::vector<std::shared_ptr<const AddedTask>>& tasks() const { return tasks_; }
  // Why folders' tasks cannot be used, by their names: damaged, or of other weights.
  const std::map<std::string, std::string>& problems() const { return problems_; }

 private:
  struct Seen {
    std::string manifest;
    std::shared_ptr<const AddedTask> task;
    std::string problem;
  };
  Seen read(const std::filesystem::path& folder) const;

  std::filesystem::path folder_;
  OpenCheckpoint base_;
  std::map<std::string, Seen> seen_;  // by name
  std::vector<std::shared_ptr<const AddedTask>> tasks_;
  std::map<std::string, std::string> problems_;
};

}  // namespace trivium
