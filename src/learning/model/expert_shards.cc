#include "learning/model/expert_shards.h"

#include <ATen/native/Resize.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/base/error.h"

namespace trivium::learning {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Its gradient takes the way back. A backward pass comes to the same exchanges in all processes, in
// the same order, since each layer's depends on the next one's.
struct Exchange : torch::autograd::Function<Exchange> {
  // `processes` outlives the graph.
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& rows,
                               const Processes* processes, const std::vector<int64_t>& sent,
                               const std::vector<int64_t>& received) {
    context->saved_data["processes"] = reinterpret_cast<int64_t>(processes);
    context->saved_data["sent"] = sent;
    context->saved_data["received"] = received;
    return processes->exchange(rows, sent, received);
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto* processes =
        reinterpret_cast<const Processes*>(context->saved_data["processes"].toInt());
    const std::vector<int64_t> sent = context->saved_data["sent"].toIntVector();
    const std::vector<int64_t> received = context->saved_data["received"].toIntVector();
    return {processes->exchange(gradients[0], received, sent), {}, {}, {}};
  }
};

// Each is the other's gradient, since the order is a permutation.
struct Permute : torch::autograd::Function<Permute> {
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& rows,
                               const torch::Tensor& order, const torch::Tensor& inverse) {
    context->save_for_backward({inverse});
    return rows.index_select(0, order);
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    return {gradients[0].index_select(0, context->get_saved_variables()[0]), {}, {}};
  }
};

// How the rows that come to this process are brought into the order of its experts.
struct Arrivals {
  std::vector<int64_t> sent, received;  // rows to and from each process
  std::vector<int64_t> experts;         // those of this process
  std::vector<int64_t> counts;          // rows of each of them
  torch::Tensor order, inverse;         // int64 [rows]
};

int64_t sum_of(const std::vector<int64_t>& numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), int64_t{0});
}

// from[p][k]: rows of the k-th own expert that come from process p.
void set_order(Arrivals& arrivals, const std::vector<std::vector<int64_t>>& from) {
  std::vector<int64_t> order;
  for (size_t k = 0; k < arrivals.experts.size(); ++k) {
    int64_t begin = 0;  // of the process's rows
    arrivals.counts.push_back(0);
    for (size_t p = 0; p < from.size(); ++p) {
      const int64_t before =
          begin + std::accumulate(from[p].begin(), from[p].begin() + std::ptrdiff_t(k), int64_t{0});
      for (int64_t i = 0; i < from[p][k]; ++i) order.push_back(before + i);
      arrivals.counts.back() += from[p][k];
      begin += arrivals.received[p];
    }
  }
  arrivals.order = torch::tensor(order, torch::kInt64);
  arrivals.inverse = torch::argsort(arrivals.order);
}

Arrivals arrivals_of(const Processes& processes, const std::vector<int64_t>& counts) {
  Arrivals arrivals;
  const auto count = static_cast<int64_t>(counts.size());
  const auto size = static_cast<size_t>(processes.size());
  std::vector<int64_t> experts_of(size, 0);
  arrivals.sent.assign(size, 0);
  for (int64_t e = 0; e < count; ++e) {
    const int owner = ExpertShards::owner(e, count, processes.size());
    ++experts_of[static_cast<size_t>(owner)];
    arrivals.sent[static_cast<size_t>(owner)] += counts[static_cast<size_t>(e)];
    if (owner == processes.rank()) arrivals.experts.push_back(e);
  }
  const auto own = static_cast<int64_t>(arrivals.experts.size());
  const torch::Tensor told = processes.exchange(torch::tensor(counts, torch::kInt64).view({-1, 1}),
                                                experts_of, std::vector<int64_t>(size, own));
  const int64_t* number = told.data_ptr<int64_t>();
  std::vector<std::vector<int64_t>> from;
  for (size_t p = 0; p < size; ++p, number += own) {
    from.emplace_back(number, number + own);
    arrivals.received.push_back(sum_of(from.back()));
  }
  set_order(arrivals, from);
  return arrivals;
}

// All columns that a layer computes from, as one row for each example: hidden, memory, mask, each
// as long as the longest of all processes.
class PackedInput {
 public:
  PackedInput(const LayerInput& input, const ExpertShards& shards) : width_(input.hidden.size(2)) {
    const std::vector<int64_t> lengths =
        shards.largest({input.hidden.size(1), input.memory.defined() ? input.memory.size(1) : 0,
                        input.mask.size(3)});
    length_ = lengths[0];
    memory_length_ = lengths[1];
    mask_length_ = lengths[2];
    std::vector<torch::Tensor> parts = {padded(input.hidden, length_)};
    if (input.memory.defined()) {
      parts.push_back(padded(input.memory.to(input.hidden.scalar_type()), memory_length_));
    }
    const torch::Tensor mask = input.mask.flatten(1).to(input.hidden.scalar_type());
    parts.push_back(torch::constant_pad_nd(mask, {0, mask_length_ - mask.size(1)}));
    rows_ = torch::cat(parts, 1);
  }

  const torch::Tensor& rows() const { return rows_; }  // [batch, columns]
  int64_t hidden_columns() const { return length_ * width_; }
  int64_t length() const { return length_; }

  LayerInput unpacked(const torch::Tensor& rows) const {
    LayerInput input;
    input.hidden = rows.narrow(1, 0, hidden_columns()).view({-1, length_, width_});
    if (memory_length_ > 0) {
      input.memory = rows.narrow(1, hidden_columns(), memory_length_ * width_)
                         .view({-1, memory_length_, width_});
    }
    input.mask = rows.narrow(1, rows.size(1) - mask_length_, mask_length_)
                     .detach()
                     .gt(0.5)
                     .view({-1, 1, 1, mask_length_});
    return input;
  }

 private:
  // [batch, len, d] -> [batch, length * d]
  static torch::Tensor padded(const torch::Tensor& states, int64_t length) {
    return torch::constant_pad_nd(states, {0, 0, 0, length - states.size(1)}).flatten(1);
  }

  int64_t width_, length_ = 0, memory_length_ = 0, mask_length_ = 0;
  torch::Tensor rows_;
};

}  // namespace

torch::Tensor ExpertShards::run(const torch::Tensor& rows, const std::vector<int64_t>& counts,
                                int64_t out, const Run& run) const {
  check(out <= rows.size(1), "an expert's rows do not grow");
  const Arrivals arrivals = arrivals_of(processes_, counts);
  // All processes have to make the same exchanges in the backward pass, whatever their rows are of.
  torch::Tensor departing = rows;
  if (torch::GradMode::is_enabled() && !rows.requires_grad()) {
    departing = rows.detach().requires_grad_(true);
  }
  const torch::Tensor arrived =
      Permute::apply(Exchange::apply(departing, &processes_, arrivals.sent, arrivals.received),
                     arrivals.order, arrivals.inverse);
  std::vector<torch::Tensor> parts, made;
  if (!arrivals.counts.empty()) parts = arrived.split_with_sizes(arrivals.counts);
  for (size_t k = 0; k < parts.size(); ++k) {
    if (arrivals.counts[k] == 0) continue;
    made.push_back(run(arrivals.experts[k], parts[k]).to(rows.scalar_type()));
  }
  if (made.empty()) made.push_back(arrived.narrow(1, 0, out));
  return Exchange::apply(Permute::apply(torch::cat(made), arrivals.inverse, arrivals.order),
                         &processes_, arrivals.received, arrivals.sent);
}

std::vector<int64_t> ExpertShards::largest(std::vector<int64_t> numbers) const {
  torch::Tensor all = torch::tensor(numbers, torch::kInt64);
  processes_.largest(all);
  std::copy_n(all.data_ptr<int64_t>(), numbers.size(), numbers.begin());
  return numbers;
}

void ExpertShards::release(const std::vector<ExpertParameter>& parameters) const {
  for (const ExpertParameter& parameter : parameters) {
    if (is_own(parameter)) continue;
    at::native::resize_bytes_cpu(parameter.value.storage().unsafeGetStorageImpl(), 0);
  }
}

void ExpertShards::allocate(const std::vector<ExpertParameter>& parameters) const {
  for (const ExpertParameter& parameter : parameters) {
    if (parameter.value.storage().nbytes() > 0) continue;
    at::native::resize_bytes_cpu(parameter.value.storage().unsafeGetStorageImpl(),
                                 parameter.value.nbytes());
  }
}

void ExpertShards::gather(const std::vector<ExpertParameter>& parameters) const {
  const torch::NoGradGuard no_grad;
  if (processes_.is_first()) allocate(parameters);
  for (const ExpertParameter& parameter : parameters) {
    torch::Tensor value = parameter.value.detach();
    processes_.send_to_first(value, owner(parameter.expert, parameter.count));
  }
}

void ExpertShards::gather_everywhere(const std::vector<ExpertParameter>& parameters) const {
  const torch::NoGradGuard no_grad;
  allocate(parameters);
  for (const ExpertParameter& parameter : parameters) {
    torch::Tensor value = parameter.value.detach();
    processes_.share(value, owner(parameter.expert, parameter.count));
    parameter.value.unsafeGetTensorImpl()->bump_version();  // for what is computed of it once
  }
}

torch::Tensor mix_sharded_experts(
    const ExpertShards& shards, const LayerPlan& plan, const LayerInput& input,
    const std::function<torch::Tensor(int64_t expert, const LayerInput& rows)>& run) {
  const int64_t length = input.hidden.size(1), width = input.hidden.size(2);
  const torch::Tensor everyone = torch::arange(input.hidden.size(0));
  const PackedInput packed(input, shards);
  std::vector<ExpertOutput> outputs;
  const auto add = [&](const std::vector<ExpertRows>& rows, bool is_active) {
    std::vector<torch::Tensor> index = {everyone.narrow(0, 0, 0)};
    std::vector<int64_t> counts;
    for (const ExpertRows& of_expert : rows) {
      counts.push_back(of_expert.count);
      if (of_expert.count > 0) index.push_back(of_expert.all() ? everyone : of_expert.index);
    }
    const torch::Tensor made =
        shards
            .run(packed.rows().index_select(0, torch::cat(index)), counts, packed.hidden_columns(),
                 [&](int64_t expert, const torch::Tensor& part) {
                   return run(expert, packed.unpacked(part)).flatten(1);
                 })
            .view({-1, packed.length(), width})
            .narrow(1, 0, length);
    const std::vector<torch::Tensor> parts = made.split_with_sizes(counts);
    for (size_t e = 0; e < rows.size(); ++e) {
      if (counts[e] == 0) continue;
      outputs.push_back({static_cast<int64_t>(e), is_active, rows[e], parts[e]});
    }
  };
  add(plan.active, true);
  if (plan.needs_gradient) {
    const torch::NoGradGuard no_grad;
    add(plan.inactive, false);
  }
  return combine_outputs(plan, input.hidden, outputs);
}

}  // namespace trivium::learning
