// What a checkpoint makes of itself for a task it does not know, before any tuning
// (docs/spec/task_level.md, section 11).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "learning/adaptation/few_shot_sample.h"
#include "learning/storage/checkpoint.h"

namespace trivium::learning {

enum class StartKind {
  kDense,     // "dense": a dense checkpoint as it is
  kRouted,    // "routed": all experts, along the main ones of the nearest known task, or its own
  kAveraged,  // "averaged": every expert, all with equal weight
  kRandom,    // "random": every expert, along one random expert a layer
  kSqueezed,  // "squeezed": dense, of the experts that "routed" takes
  kFrozen,    // "frozen": the same, or a dense checkpoint, for a head on it (few_shot_head.h)
};

// Error kUsage for another name.
StartKind start_kind(const std::string& name);
const char* name_of(StartKind kind);
std::vector<std::string> start_names();

struct Start {
  Checkpoint checkpoint;  // knows only the task
  std::string route;  // for people: "own", "sst2 (28 of 32)", "vector", "average", "random", "none"
};

// `seed` and the task's name decide the random route. Where the task has a `vector`
// [task_vector_dim], the router makes its route from that instead of the nearest task's. Error
// kUsage where the kind does not fit the checkpoint, kMissingInput where it knows no task whose
// route to take.
Start make_start(const Checkpoint& checkpoint, StartKind kind, const FewShotTask& task,
                 uint64_t seed, const torch::Tensor& vector = {});

// Equal weights in every pool, and those of `count` random experts a pool.
TaskRoute average_route(const ModelConfig& config);
TaskRoute random_route(const ModelConfig& config, uint64_t seed, int64_t count = 1);

}  // namespace trivium::learning
