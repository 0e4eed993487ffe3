#include "learning/training/routed_start.h"

#include "core/base/error.h"
#include "learning/model/selection.h"
#include "learning/storage/expert_copies.h"
#include "learning/training/task_vectors.h"
#include "learning/training/tuned_copy.h"

namespace trivium::learning {
namespace {

constexpr int64_t kTextsPerTask = 64;

void freeze(Seq2SeqModel& model, const TrainSettings& settings) {
  if (!model->has_router()) return;
  if (settings.freeze_routes) {
    for (torch::Tensor& parameter : model->router()->parameters()) parameter.requires_grad_(false);
  }
  if (settings.freeze_routes || settings.optimiser.task_vector_learning_rate == 0) {
    model->task_vectors().requires_grad_(false);
  }
}

// The constant routes that the settings ask for, [layers, num_tasks, num_experts]. For
// instance-level random routes the table is what evaluation uses: one draw for all tasks, by the
// seed (docs/spec/parity.md, A5 has a fresh one at every evaluation).
torch::Tensor constant_routes(const ModelConfig& config, const TrainSettings& settings,
                              int64_t num_tasks) {
  const int64_t layers = config.encoder_layers + config.decoder_layers;
  const int64_t num_experts = config.routing.num_experts;
  auto generator =
      at::make_generator<at::CPUGeneratorImpl>(static_cast<uint64_t>(settings.optimiser.seed));
  if (settings.routes == RoutePlan::kAverage) {
    return draw_random_routes({layers, num_tasks, num_experts}, num_experts, generator);
  }
  if (settings.routes == RoutePlan::kTaskRandom) {
    return draw_random_routes({layers, num_tasks, num_experts}, settings.random_experts, generator);
  }
  return draw_random_routes({layers, 1, num_experts}, 1, generator)
      .expand({layers, num_tasks, num_experts});
}

void check_routed(const Checkpoint& start, const TrainSettings& settings, int64_t num_tasks) {
  const auto fail = [&](const std::string& problem) {
    throw Error(ExitCode::kConfig, settings.init + " " + problem);
  };
  const RoutingConfig& routing = start.config().routing;
  if (routing.num_experts != settings.num_experts) {
    fail("has pools of " + std::to_string(routing.num_experts) +
         " experts, but model.num_experts is " + std::to_string(settings.num_experts));
  }
  if ((settings.routes == RoutePlan::kLearned) != start.model->has_router()) {
    fail("has " + std::string(start.model->has_router() ? "learned" : "constant") +
         " routes, but model.routes is " + name_in(route_plan_names(), settings.routes));
  }
  // The reference silently takes the shape that it finds (docs/spec/parity.md, A11).
  if (start.model->has_router() && routing.router != settings.router) {
    fail("has a router of another kind than model.router, " +
         name_in(router_names(), settings.router));
  }
  if (routing.encoder_vanilla_layers != settings.encoder_vanilla_layers ||
      routing.decoder_vanilla_layers != settings.decoder_vanilla_layers) {
    fail("has its pools in other layers than model.*_vanilla_layers leave");
  }
  if (start.model->num_tasks() != num_tasks) {
    fail("knows " + std::to_string(start.model->num_tasks()) + " tasks, but the data has " +
         std::to_string(num_tasks));
  }
}

// The vectors that the settings ask for, [num_tasks, dim]; undefined where they are learned.
torch::Tensor given_vectors(const Checkpoint& dense, const TrainSettings& settings,
                            const std::vector<EncodedExample>& examples,
                            const std::vector<std::string>& tasks) {
  if (settings.task_vector_source() == TaskVectorSource::kLearned) return {};
  if (settings.task_vector_source() == TaskVectorSource::kText) {
    Seq2SeqModel model = dense.model;
    return text_task_vectors(model, examples, static_cast<int64_t>(tasks.size()), kTextsPerTask);
  }
  if (!std::filesystem::exists(settings.task_vectors)) {
    throw Error(ExitCode::kConfig,
                "model.task_vectors is neither learned nor text, and there is "
                "no file " +
                    settings.task_vectors);
  }
  return load_task_vectors(settings.task_vectors).rows_of(tasks, settings.task_vectors);
}

// The experts that gates choose token by token; `start` itself where it has them already.
Checkpoint gated_start(const Checkpoint& start, const TrainSettings& settings, int64_t num_tasks) {
  ExpertOptions options;
  TokenExpertConfig& experts = options.token_experts;
  experts.num_experts = settings.num_experts;
  experts.gates = settings.token_gates;
  experts.gate_embedding_dim = settings.gate_embedding_dim;
  experts.scale = settings.gate_scale;
  if (start.model->has_token_gates()) {
    if (!(start.config().token_experts == experts)) {
      throw Error(
          ExitCode::kConfig,
          settings.init + " has feed-forward experts or gates of another kind than [model]");
    }
    if (experts.gates == TokenGates::kPerTask && start.model->num_tasks() != num_tasks) {
      throw Error(ExitCode::kConfig, settings.init + " has gates for " +
                                         std::to_string(start.model->num_tasks()) +
                                         " tasks, but the data has " + std::to_string(num_tasks));
    }
    return copy_of(start);
  }
  options.num_tasks = num_tasks;
  options.expert_noise = settings.expert_noise;
  options.seed = static_cast<uint64_t>(settings.optimiser.seed);
  return make_routed(start, options);
}

}  // namespace

Checkpoint routed_start(const Checkpoint& start, const TrainSettings& settings,
                        const std::vector<EncodedExample>& examples,
                        const std::vector<std::string>& tasks) {
  const auto num_tasks = static_cast<int64_t>(tasks.size());
  Checkpoint result;
  if (start.model->has_token_gates() ||
      (settings.pool == PoolKind::kFeedForward && settings.num_experts > 1)) {
    result = gated_start(start, settings, num_tasks);
  } else if (start.model->is_routed()) {
    check_routed(start, settings, num_tasks);
    result = copy_of(start);
    ModelConfig config = result.config();
    config.routing.selection = settings.selection;
    result.model = model_from_tensors(config, model_tensors(result.model), settings.init);
  } else if (settings.num_experts > 1) {
    ExpertOptions options;
    options.routing.num_experts = settings.num_experts;
    options.routing.encoder_vanilla_layers = settings.encoder_vanilla_layers;
    options.routing.decoder_vanilla_layers = settings.decoder_vanilla_layers;
    options.routing.selection = settings.selection;
    options.routing.router = settings.router;
    const bool learned = settings.routes == RoutePlan::kLearned;
    if (!learned) options.routing.route_source = RouteSource::kTable;
    const torch::Tensor vectors =
        learned ? given_vectors(start, settings, examples, tasks) : torch::Tensor();
    options.routing.task_vector_dim =
        vectors.defined() ? vectors.size(1) : settings.task_vector_dim;
    options.num_tasks = num_tasks;
    options.expert_noise = settings.expert_noise;
    options.router_std = settings.router_init_std;
    options.seed = static_cast<uint64_t>(settings.optimiser.seed);
    if (settings.random_experts > settings.num_experts) {
      throw Error(ExitCode::kConfig, "model.random_experts is more than model.num_experts");
    }
    result = make_routed(start, options);
    if (!learned) {
      result.model->route_table().copy_(
          route_table(constant_routes(result.config(), settings, num_tasks)));
    }
    if (vectors.defined()) {
      torch::NoGradGuard no_grad;
      result.model->task_vectors().copy_(vectors);
    }
  } else {
    result = copy_of(start);
  }
  freeze(result.model, settings);
  return result;
}

}  // namespace trivium::learning
