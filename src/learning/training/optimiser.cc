#include "learning/training/optimiser.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "learning/model/squared_norm.h"

namespace trivium::learning {
namespace {

constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kEpsilon = 1e-8;

// Matrices, not vectors: biases and the gains of LayerNorms, which the reference decays by mistake
// (docs/spec/parity.md, A8), do not decay. Names, of which a task's head has the task's, do not
// decide.
bool decays(const torch::Tensor& parameter) { return parameter.dim() >= 2; }

bool is_of_routes(const AdamW::Group& group) {
  return group.name.starts_with("router") || group.name.starts_with("task_vectors");
}

template <typename Moments>
void allocate(Moments& moments, const torch::Tensor& parameter) {
  moments.first = torch::zeros_like(parameter);
  moments.second = torch::zeros_like(parameter);
  moments.step = torch::zeros({}, parameter.options().dtype(torch::kFloat32));
}

}  // namespace

double learning_rate_factor(int64_t step, int64_t steps, double warmup_share,
                            double cooldown_share) {
  const auto share_of_steps = [&](double share) {
    return static_cast<int64_t>(share * static_cast<double>(steps));
  };
  const int64_t warmup = share_of_steps(warmup_share);
  if (step < warmup) return static_cast<double>(step) / static_cast<double>(warmup);
  const int64_t cooldown =
      std::max<int64_t>(1, std::min(steps - warmup, share_of_steps(cooldown_share)));
  return std::clamp(static_cast<double>(steps - step) / static_cast<double>(cooldown), 0.0, 1.0);
}

AdamW::AdamW(torch::nn::Module& model, const OptimiserSettings& settings,
             const Processes& processes, const OwnerOf& owner_of)
    : settings_(settings), processes_(processes) {
  const double decoder_rate =
      settings.decoder_learning_rate > 0 ? settings.decoder_learning_rate : settings.learning_rate;
  const auto place = [&](const std::string& name) -> std::pair<std::string, double> {
    if (name.starts_with("router.")) return {"router", settings.router_learning_rate};
    if (name.starts_with("task_vectors.")) {
      return {"task_vectors", settings.task_vector_learning_rate};
    }
    if (name.starts_with("decoder.")) return {"decoder", decoder_rate};
    return {"encoder", settings.learning_rate};
  };
  std::map<std::string, Group> by_name;
  for (const auto& item : model.named_parameters()) {
    if (!item.value().requires_grad()) continue;
    const auto [part, rate] = place(item.key());
    const bool decay = decays(item.value());
    Group& group = by_name[part + (decay ? "" : ".no_decay")];
    group.name = part + (decay ? "" : ".no_decay");
    group.learning_rate = rate;
    group.weight_decay = decay ? settings.weight_decay : 0;
    group.names.push_back(item.key());
    group.parameters.push_back(item.value());
  }
  std::vector<int64_t> numbers_of(static_cast<size_t>(processes.size()));  // of each process
  for (auto& [name, group] : by_name) {
    std::vector<Moments> moments;
    for (const torch::Tensor& parameter : group.parameters) {
      const int only = owner_of ? owner_of(parameter) : -1;
      const auto least = only >= 0 ? numbers_of.begin() + only
                                   : std::min_element(numbers_of.begin(), numbers_of.end());
      *least += parameter.numel();
      moments.push_back({{}, {}, {}, static_cast<int>(least - numbers_of.begin()), only >= 0});
      if (is_own(moments.back())) allocate(moments.back(), parameter);
    }
    moments_.push_back(std::move(moments));
    groups_.push_back(std::move(group));
  }
  divisors_.assign(groups_.size(), 1);
  const auto of_routes = std::count_if(groups_.begin(), groups_.end(), is_of_routes);
  if (settings.alternate_every > 0 &&
      (of_routes == 0 || of_routes == static_cast<int64_t>(groups_.size()))) {
    throw Error(ExitCode::kConfig,
                "train.alternate_every gives the Transformer and its routes turns, but only one of "
                "them is trained; set it to 0");
  }
}

void AdamW::take_turns(int64_t step) {
  if (settings_.alternate_every == 0) return;
  const bool routes = step / settings_.alternate_every % 2 == 0;
  for (Group& group : groups_) {
    for (torch::Tensor& parameter : group.parameters) {
      parameter.requires_grad_(is_of_routes(group) == routes);
    }
  }
}

std::vector<double> AdamW::norms() const {
  std::vector<double> squares(groups_.size(), 0);
  torch::Tensor sharded = torch::zeros({std::ssize(groups_)}, torch::kFloat64);
  bool has_shards = false;
  for (size_t i = 0; i < groups_.size(); ++i) {
    for (size_t j = 0; j < groups_[i].parameters.size(); ++j) {
      const torch::Tensor& gradient = groups_[i].parameters[j].grad();
      has_shards = has_shards || moments_[i][j].is_sharded;
      if (!gradient.defined()) continue;
      double& sum = moments_[i][j].is_sharded ? sharded.data_ptr<double>()[i] : squares[i];
      sum += squared_norm(gradient);
    }
  }
  if (has_shards) processes_.sum(sharded);
  for (size_t i = 0; i < squares.size(); ++i) {
    squares[i] = std::sqrt(squares[i] + sharded.data_ptr<double>()[i]);
  }
  return squares;
}

double AdamW::clip_gradients() {
  double sum = 0;
  const std::vector<double> norms = this->norms();
  for (const double norm : norms) sum += norm * norm;
  const double total = std::sqrt(sum);
  divisors_.assign(groups_.size(), 1);
  if (settings_.clip <= 0 || !std::isfinite(total)) return total;
  for (size_t i = 0; i < groups_.size(); ++i) {
    const double norm = settings_.clip_by == ClipBy::kGlobal ? total : norms[i];
    divisors_[i] = std::max(1.0, (norm + 1e-6) / settings_.clip);
  }
  return total;
}

void AdamW::step(double factor) {
  torch::NoGradGuard no_grad;
  for (size_t i = 0; i < groups_.size(); ++i) {
    std::vector<torch::Tensor> parameters, gradients, first, second, steps;
    for (size_t j = 0; j < groups_[i].parameters.size(); ++j) {
      const torch::Tensor& parameter = groups_[i].parameters[j];
      Moments& moments = moments_[i][j];
      if (!parameter.grad().defined() || !is_own(moments)) continue;
      moments.step.add_(1);
      parameters.push_back(parameter);
      gradients.push_back(parameter.grad());
      first.push_back(moments.first);
      second.push_back(moments.second);
      steps.push_back(moments.step);
    }
    if (parameters.empty()) continue;
    std::optional<torch::Tensor> divisor;
    if (divisors_[i] > 1) {
      divisor = torch::full({}, divisors_[i], parameters[0].options().dtype(torch::kFloat32));
    }
    at::_fused_adamw_(parameters, gradients, first, second, /*max_exp_avg_sqs=*/{}, steps,
                      groups_[i].learning_rate * factor, kBeta1, kBeta2, groups_[i].weight_decay,
                      kEpsilon, /*amsgrad=*/false, /*maximize=*/false, /*grad_scale=*/divisor);
    // The fused kernel writes behind autograd's back; what is computed from a parameter once
    // (NarrowWeight) is known to be old by its version.
    for (const torch::Tensor& parameter : parameters) {
      parameter.unsafeGetTensorImpl()->bump_version();
    }
  }
  divisors_.assign(groups_.size(), 1);
  share_weights();
}

// What a step has changed goes from each process to the others, in one message.
void AdamW::share_weights() {
  for (int owner = 0; processes_.size() > 1 && owner < processes_.size(); ++owner) {
    std::vector<torch::Tensor> changed;
    for (size_t i = 0; i < groups_.size(); ++i) {
      for (size_t j = 0; j < groups_[i].parameters.size(); ++j) {
        const torch::Tensor& parameter = groups_[i].parameters[j];
        const Moments& moments = moments_[i][j];
        if (moments.owner == owner && !moments.is_sharded && parameter.grad().defined()) {
          changed.push_back(parameter);
        }
      }
    }
    if (changed.empty()) continue;
    torch::Tensor flat = at::flatten_dense_tensors(changed);
    processes_.share(flat, owner);
    const std::vector<torch::Tensor> shared = at::unflatten_dense_tensors(flat, changed);
    for (size_t i = 0; i < changed.size(); ++i) changed[i].copy_(shared[i]);
  }
}

void AdamW::zero_gradients() {
  for (Group& group : groups_) {
    for (torch::Tensor& parameter : group.parameters) {
      parameter.mutable_grad().reset();
      parameter.requires_grad_(true);
    }
  }
}

std::map<std::string, torch::Tensor> AdamW::state() const {
  std::map<std::string, torch::Tensor> state;
  for (size_t i = 0; i < groups_.size(); ++i) {
    for (size_t j = 0; j < groups_[i].names.size(); ++j) {
      const std::string& name = groups_[i].names[j];
      Moments moments = moments_[i][j];
      if (processes_.is_first() && !is_own(moments)) allocate(moments, groups_[i].parameters[j]);
      for (torch::Tensor* tensor : {&moments.first, &moments.second, &moments.step}) {
        processes_.send_to_first(*tensor, moments.owner);
      }
      if (!moments.first.defined()) continue;
      state[name + ".exp_avg"] = moments.first;
      state[name + ".exp_avg_sq"] = moments.second;
      state[name + ".step"] = moments.step;
    }
  }
  return state;
}

void AdamW::load_state(const std::map<std::string, torch::Tensor>& state) {
  torch::NoGradGuard no_grad;
  const auto take = [&](const std::string& name, const torch::Tensor& target) {
    const auto found = state.find(name);
    if (found == state.end() || found->second.sizes() != target.sizes()) {
      throw Error(ExitCode::kBadModel, "the snapshot's optimiser state has no fitting " + name);
    }
    target.copy_(found->second);
  };
  for (size_t i = 0; i < groups_.size(); ++i) {
    for (size_t j = 0; j < groups_[i].names.size(); ++j) {
      const Moments& moments = moments_[i][j];
      if (!is_own(moments)) continue;
      take(groups_[i].names[j] + ".exp_avg", moments.first);
      take(groups_[i].names[j] + ".exp_avg_sq", moments.second);
      take(groups_[i].names[j] + ".step", moments.step);
    }
  }
}

}  // namespace trivium::learning
