#include "learning/training/route_watch.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/logging.h"

namespace trivium::learning {
namespace {

constexpr double kCollapsed = 0.95, kStarved = 1e-3;
constexpr double kTokens = 64;  // of a task whose share means something
constexpr size_t kNamed = 3;    // alarms in a line
// Behind it an alarm has figures, which make it no other alarm.
constexpr const char* kFigures = " (";

std::string layer_name(int64_t layer, int64_t encoder_layers) {
  return layer < encoder_layers ? "encoder layer " + std::to_string(layer)
                                : "decoder layer " + std::to_string(layer - encoder_layers);
}

struct Findings {
  double largest = 0;  // share of a row
  int64_t collapsed = 0, starved = 0;
  std::vector<std::string> alarms;
};

// Tokens of each task and expert in one layer: [tasks, experts].
torch::Tensor tokens_of_layer(const torch::Tensor& probabilities, const torch::Tensor& mask,
                              const torch::Tensor& task_ids, int64_t tasks) {
  const int64_t experts = probabilities.size(2);
  const torch::Tensor cell = task_ids.unsqueeze(1) * experts + probabilities.argmax(-1);
  return torch::bincount(cell.masked_select(mask), /*weights=*/{}, tasks * experts)
      .view({tasks, experts});
}

void look_at_layer(const ExpertUse& use, int64_t index, Findings& findings) {
  const std::string layer = layer_name(index, use.encoder_layers);
  const torch::Tensor amounts = use.amounts[index];  // [rows, experts]
  for (int64_t r = 0; r < amounts.size(0); ++r) {
    const double sum = amounts[r].sum().item<double>();
    if (sum < use.enough) continue;
    const auto [most, expert] = amounts[r].max(0);
    const double share = most.item<double>() / sum;
    findings.largest = std::max(findings.largest, share);
    if (share < kCollapsed) continue;
    ++findings.collapsed;
    const std::string& name = use.rows[static_cast<size_t>(r)];
    findings.alarms.push_back(fmt::format("{} gives {} to one expert{}{}, {:.1f} %)", layer,
                                          name.empty() ? "all tasks" : name, kFigures,
                                          expert.item<int64_t>(), 100 * share));
  }
  const torch::Tensor of_experts = amounts.sum(0);
  const double of_layer = of_experts.sum().item<double>();
  if (of_layer < use.enough * static_cast<double>(amounts.size(1))) return;
  for (int64_t e = 0; e < amounts.size(1); ++e) {
    if (of_experts[e].item<double>() >= kStarved * of_layer) continue;
    ++findings.starved;
    findings.alarms.push_back(fmt::format("expert {} of {} gets nothing", e, layer));
  }
}

}  // namespace

ExpertUse use_of_logits(const torch::Tensor& logits, int64_t encoder_layers) {
  torch::NoGradGuard no_grad;
  // The largest of logits with Gumbel noise is drawn from their softmax, whatever the temperature.
  const torch::Tensor shares = torch::softmax(logits.detach().to(torch::kCPU), -1);
  // One task's route is one expert a layer in the end: nothing to be told.
  const double enough = logits.size(1) > 1 ? 1 : 1e9;
  return {shares.sum(1, /*keepdim=*/true).contiguous(), {""}, encoder_layers, enough};
}

ExpertUse use_of_gates(std::vector<TokenGate>& gates, int64_t encoder_layers,
                       const torch::Tensor& source_mask, const torch::Tensor& target_mask,
                       const torch::Tensor& task_ids, const std::vector<std::string>& tasks) {
  torch::NoGradGuard no_grad;
  const int64_t highest = task_ids.max().item<int64_t>() + 1;
  const auto rows = std::max(static_cast<int64_t>(tasks.size()), highest);
  ExpertUse use;
  use.rows = tasks;
  for (auto row = static_cast<int64_t>(tasks.size()); row < rows; ++row) {
    use.rows.push_back("task " + std::to_string(row));
  }
  use.encoder_layers = encoder_layers;
  use.enough = kTokens;
  std::vector<torch::Tensor> layers;
  for (size_t l = 0; l < gates.size(); ++l) {
    const bool in_encoder = static_cast<int64_t>(l) < encoder_layers;
    layers.push_back(tokens_of_layer(gates[l]->recorded(), in_encoder ? source_mask : target_mask,
                                     task_ids, rows));
  }
  use.amounts = torch::stack(layers).to(torch::kCPU, torch::kFloat32).contiguous();
  return use;
}

std::vector<std::pair<std::string, double>> RouteWatch::look(const ExpertUse& use) {
  Findings findings;
  for (int64_t layer = 0; layer < use.amounts.size(0); ++layer) look_at_layer(use, layer, findings);
  std::string text;
  size_t fresh = 0;
  for (const std::string& alarm : findings.alarms) {
    if (!known_.insert(alarm.substr(0, alarm.find(kFigures))).second) continue;
    if (fresh < kNamed) text += (fresh == 0 ? "" : "; ") + alarm;
    ++fresh;
  }
  if (fresh > kNamed) text += fmt::format("; and {} more", fresh - kNamed);
  if (fresh > 0) spdlog::warn("routes: {}", text);
  return {{"largest_expert_share", findings.largest},
          {"collapsed_routes", static_cast<double>(findings.collapsed)},
          {"starved_experts", static_cast<double>(findings.starved)}};
}

}  // namespace trivium::learning
