#include "learning/training/unfinite_step.h"

#include <cmath>

namespace trivium::learning {
namespace {

constexpr size_t kNamedTasks = 5;

// "tasks a, b and 3 more"; "" where no task has a name.
std::string task_text(const std::vector<std::string>& tasks) {
  std::string text;
  size_t named = 0;
  for (const std::string& task : tasks) {
    if (task.empty()) continue;
    if (named < kNamedTasks) text += (named == 0 ? "" : ", ") + task;
    ++named;
  }
  if (named == 0) return "";
  if (named > kNamedTasks) text += " and " + std::to_string(named - kNamedTasks) + " more";
  return (named == 1 ? "task " : "tasks ") + text;
}

bool has_unfinite_gradient(const torch::Tensor& parameter) {
  const torch::Tensor& gradient = parameter.grad();
  return gradient.defined() && !torch::isfinite(gradient).all().item<bool>();
}

// What follows `key` in a tensor's name, up to the next point; "" where `key` is not in it.
std::string part_behind(const std::string& name, const std::string& key) {
  const size_t at = name.find(key);
  if (at == std::string::npos) return "";
  const size_t begin = at + key.size();
  return name.substr(begin, name.find('.', begin) - begin);
}

}  // namespace

std::string place_of_tensor(const std::string& name) {
  const std::string layer = part_behind(name, ".layers.");
  if (layer.empty()) return name;
  const std::string expert = part_behind(name, ".experts.");
  return name.substr(0, name.find('.')) + " layer " + layer +
         (expert.empty() ? "" : ", expert " + expert) + " (" + name + ")";
}

std::string unfinite_step_text(const torch::nn::Module& model, double loss,
                               const std::vector<std::string>& unfinite_tasks,
                               const std::vector<std::string>& tasks) {
  std::string last, last_of_expert;
  int64_t count = 0;
  for (const auto& item : model.named_parameters()) {
    if (!has_unfinite_gradient(item.value())) continue;
    ++count;
    last = item.key();
    if (item.key().find(".experts.") != std::string::npos) last_of_expert = item.key();
  }
  const std::string of_tasks = task_text(unfinite_tasks.empty() ? tasks : unfinite_tasks);
  std::string text = std::isfinite(loss) ? "the gradient" : "the loss";
  if (!of_tasks.empty()) text += " of " + of_tasks;
  text += " is not finite";
  if (count == 0) return text + (std::isfinite(loss) ? ": its norm is too large" : "");
  const std::string& named = last_of_expert.empty() ? last : last_of_expert;
  text += std::isfinite(loss) ? ": that of " : ", nor is the gradient of ";
  text += place_of_tensor(named);
  if (count > 1) text += " and of " + std::to_string(count - 1) + " more tensors";
  return text;
}

}  // namespace trivium::learning
