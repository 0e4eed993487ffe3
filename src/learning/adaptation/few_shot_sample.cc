#include "learning/adaptation/few_shot_sample.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "core/base/error.h"
#include "core/base/rng.h"

namespace trivium::learning {
namespace {

FewShotSample given_sample(const FewShotTask& task) {
  FewShotSample sample;
  sample.seed = *task.task.sample_seed;
  for (const Record& record : task.task.records.at(Split::kTrain)) {
    sample.train.push_back(task.entry.prompt->render(task.task, record));
  }
  for (const Record& record : task.task.records.at(Split::kDev)) {
    sample.dev.push_back(task.entry.prompt->render(task.task, record));
  }
  return sample;
}

}  // namespace

FewShotTask load_few_shot_task(const Gym& gym, const PromptLibrary& prompts,
                               const std::string& name, size_t test_limit) {
  FewShotTask result;
  result.task = gym.load_task(name);
  TaskCatalog catalog;
  catalog.add(result.task, prompts);
  result.entry = catalog.find(name);
  result.test = make_evaluation_task(result.task, *result.entry.prompt, Split::kTest, test_limit);
  return result;
}

FewShotSample draw_few_shot_sample(const FewShotTask& task, int64_t per_class, int64_t total,
                                   uint64_t seed) {
  if (task.task.sample_seed) return given_sample(task);
  const std::vector<Record>& records = task.task.records.at(Split::kTrain);
  std::vector<size_t> order(records.size());
  std::iota(order.begin(), order.end(), size_t{0});
  Rng rng(seed);
  rng.shuffle(order);
  // Members of every class in the order of the draw; one class where labels are not fixed.
  std::map<std::string, std::vector<Example>> classes;
  for (size_t index : order) {
    Example example = task.entry.prompt->render(task.task, records[index]);
    // The raw label: a template may answer with an option's own text, which every record has anew.
    const std::string label =
        task.task.labels.empty()
            ? ""
            : json_get<std::string>(records[index].fields, task.task.target.c_str(), example.where);
    classes[label].push_back(std::move(example));
  }
  FewShotSample sample;
  sample.seed = seed;
  const auto wanted = static_cast<size_t>(task.task.labels.empty() ? total : per_class);
  for (auto& [label, members] : classes) {
    const size_t train = std::min(wanted, (members.size() + 1) / 2);
    const size_t dev = std::min(wanted, members.size() - train);
    const auto begin = std::make_move_iterator(members.begin());
    const auto split = begin + static_cast<std::ptrdiff_t>(train);
    sample.train.insert(sample.train.end(), begin, split);
    sample.dev.insert(sample.dev.end(), split, split + static_cast<std::ptrdiff_t>(dev));
  }
  if (sample.dev.empty()) {
    throw Error(ExitCode::kBadData, "task " + task.task.name +
                                        " has too few train records to draw examples to learn "
                                        "from and examples to choose by");
  }
  return sample;
}

}  // namespace trivium::learning
