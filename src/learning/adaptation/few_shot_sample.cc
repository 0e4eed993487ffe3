#include "learning/adaptation/few_shot_sample.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <numeric>

#include "core/base/error.h"
#include "core/base/rng.h"

namespace trivium::learning {
namespace {

// Renders what was drawn.
FewShotSample make_sample(const FewShotTask& task, uint64_t seed, std::vector<const Record*> train,
                          std::vector<const Record*> dev) {
  FewShotSample sample{seed, {}, {}, std::move(train), std::move(dev)};
  const auto render = [&](const Record* record) {
    return task.entry.prompt->render(task.task, *record);
  };
  std::transform(sample.train_records.begin(), sample.train_records.end(),
                 std::back_inserter(sample.train), render);
  std::transform(sample.dev_records.begin(), sample.dev_records.end(),
                 std::back_inserter(sample.dev), render);
  return sample;
}

FewShotSample given_sample(const FewShotTask& task) {
  const auto all_of = [&](Split split) {
    std::vector<const Record*> records;
    for (const Record& record : task.task.records.at(split)) records.push_back(&record);
    return records;
  };
  return make_sample(task, *task.task.sample_seed, all_of(Split::kTrain), all_of(Split::kDev));
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
  std::map<std::string, std::vector<const Record*>> classes;
  for (size_t index : order) {
    const Record& record = records[index];
    // The raw label: a template may answer with an option's own text, which every record has anew.
    const std::string label =
        task.task.labels.empty()
            ? ""
            : json_get<std::string>(record.fields, task.task.target.c_str(), record.where);
    classes[label].push_back(&record);
  }
  std::vector<const Record*> train_records, dev_records;
  const auto wanted = static_cast<size_t>(task.task.labels.empty() ? total : per_class);
  for (const auto& [label, members] : classes) {
    const size_t train = std::min(wanted, (members.size() + 1) / 2);
    const size_t dev = std::min(wanted, members.size() - train);
    const auto split = members.begin() + static_cast<std::ptrdiff_t>(train);
    train_records.insert(train_records.end(), members.begin(), split);
    dev_records.insert(dev_records.end(), split, split + static_cast<std::ptrdiff_t>(dev));
  }
  if (dev_records.empty()) {
    throw Error(ExitCode::kBadData, "task " + task.task.name +
                                        " has too few train records to draw examples to learn "
                                        "from and examples to choose by");
  }
  return make_sample(task, seed, std::move(train_records), std::move(dev_records));
}

}  // namespace trivium::learning
