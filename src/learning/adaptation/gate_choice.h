// Where the gates of a task begin that a classifier with a gate for every task is tuned on.
#pragma once

#include <string>

namespace trivium::learning {

enum class GateStart {
  kOwn,      // "own": the task's own, which the classifier has learned
  kNew,      // "random": new ones
  kNearest,  // "nearest": those of the known task whose texts are most like it (gate_reuse.h)
  kTask,     // any other name: those of the known task of that name
};

struct GateChoice {
  GateStart start = GateStart::kOwn;
  std::string task;  // of kTask only

  bool operator==(const GateChoice&) const = default;
};

// By its name on the command line and in a plan; gate_choice(name_of(choice)) == choice.
GateChoice gate_choice(const std::string& name);
std::string name_of(const GateChoice& choice);

}  // namespace trivium::learning
