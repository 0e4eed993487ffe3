#include "core/evaluation/task_choice.h"

#include <algorithm>
#include <map>
#include <utility>

#include "core/base/error.h"

namespace trivium {

TaskChoice vote_for_task(const TaskFinder& finder, const std::vector<std::string>& inputs) {
  check(!inputs.empty(), "a task is chosen by its inputs");
  std::map<std::string, std::pair<size_t, double>> tally;  // votes, probability
  for (const std::string& input : inputs) {
    const TaskGuess guess = finder.find(input, 1).at(0);
    auto& [votes, probability] = tally[guess.task];
    ++votes;
    probability += guess.probability;
  }
  const auto best = std::max_element(
      tally.begin(), tally.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return {best->first, best->second.first, inputs.size()};
}

RouteChoice choose_route(const TaskCatalog& tasks, const std::optional<TaskFinder>& finder,
                         const std::string& task, const std::vector<std::string>& inputs) {
  if (tasks.has(task)) return {static_cast<int64_t>(tasks.index_of(task)), "own"};
  if (!finder || inputs.empty()) return {};
  const TaskChoice choice = vote_for_task(*finder, inputs);
  return {static_cast<int64_t>(tasks.index_of(choice.task)),
          choice.task + " (" + std::to_string(choice.votes) + " of " +
              std::to_string(choice.inputs) + ")"};
}

}  // namespace trivium
