#include "learning/training/multi_task_training.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/logging.h"
#include "core/evaluation/evaluator.h"
#include "learning/model/model_routes.h"
#include "learning/reference/fast_generator.h"
#include "learning/storage/expert_copies.h"
#include "learning/training/multi_task_stream.h"
#include "learning/training/output_bias.h"
#include "learning/training/routed_start.h"
#include "learning/training/trainer.h"

namespace trivium::learning {
namespace {

namespace fs = std::filesystem;

TrainerOptions trainer_options(const TrainSettings& settings, SelectionKind selection,
                               const TrainingContext& context) {
  TrainerOptions options;
  options.optimiser = settings.optimiser;
  options.run = settings.run;
  options.routes = {selection,
                    {settings.temperature, settings.temperature_min, settings.temperature_rate},
                    settings.freeze_routes,
                    settings.routes == RoutePlan::kInstanceRandom,
                    settings.exploration};
  options.device = context.device;
  options.stop = context.stop;
  return options;
}

// Generates the answers of every task's first dev examples and averages the tasks' scores.
Trainer::Validator make_validator(const Checkpoint& checkpoint, const TrainSettings& settings,
                                  const std::vector<EvaluationTask>& tasks) {
  return [&checkpoint, &settings, &tasks](double temperature) {
    TextGenerator generator =
        fast_generator(checkpoint, {.max_source_length = settings.max_source_length});
    Evaluator evaluator(generator, generator.greedy_search(settings.max_target_length),
                        /*resamples=*/0);
    std::vector<TaskScore> scores;
    int above_majority = 0;
    Seq2SeqModel model = checkpoint.model;
    for (size_t t = 0; t < tasks.size(); ++t) {
      const TaskRoute route = route_of_task(model, static_cast<int64_t>(t), temperature);
      scores.push_back(evaluator.evaluate(tasks[t], route, EvaluationMode::kGeneration));
      above_majority += scores.back().score > scores.back().majority;
      spdlog::debug("{}: {:.4f} (majority {:.4f})", tasks[t].name, scores.back().score,
                    scores.back().majority);
    }
    return Validation{mean_score(scores),
                      fmt::format("(mean of {} tasks; {} above the majority answer)", scores.size(),
                                  above_majority)};
  };
}

bool train_stage(const Checkpoint& start, const TaskMixture& mixture, const TrainSettings& settings,
                 const TrainingContext& context) {
  SamplerOptions sampling;
  sampling.batching = settings.batching;
  sampling.batch_tokens = settings.optimiser.batch_tokens;
  sampling.share_alpha = settings.share_alpha;
  sampling.batches_per_step = settings.optimiser.accumulation;
  sampling.window_batches = settings.length_window > 0
                                ? std::max(settings.length_window, sampling.batches_per_step)
                                : sampling.batches_per_step;
  MultiTaskStream stream(mixture.examples, sampling,
                         static_cast<uint64_t>(settings.optimiser.seed));
  spdlog::info("{} examples in {} batches an epoch; {:.1f} % of their tokens are padding",
               mixture.examples.size(), stream.sampler().batches_in_epoch(),
               100 * stream.sampler().padding_share());
  Checkpoint checkpoint = routed_start(start, settings, mixture.examples, mixture.tasks);
  checkpoint.tasks = mixture.catalog;
  checkpoint.finder = mixture.finder;
  checkpoint.model->set_max_length(settings.max_target_length);
  if (settings.output_bias == OutputBias::kFrequency) {
    set_output_bias(checkpoint.model, mixture.examples);
  }
  checkpoint.model->to(context.device);
  Trainer trainer(checkpoint, stream,
                  trainer_options(settings, checkpoint.config().routing.selection, context),
                  make_validator(checkpoint, settings, mixture.dev));
  if (context.resume && fs::exists(fs::path(settings.run.output) / "last")) trainer.resume();
  if (trainer.run()) return true;
  spdlog::warn("stopped at step {}; go on with --resume", trainer.steps_done());
  return false;
}

TrainSettings first_stage_settings(const TrainSettings& settings) {
  TrainSettings first = settings;
  first.run.output = (fs::path(settings.run.output) / "first_stage").string();
  return first;
}

// Router and task vectors as learned, all else frozen out: annealed from the average of the experts
// to the learned routes.
TrainSettings second_stage_settings(const TrainSettings& settings) {
  const SecondStageSettings& stage = settings.second_stage;
  TrainSettings second = settings;
  second.freeze_routes = true;
  second.selection = stage.selection;
  second.temperature = stage.temperature;
  second.temperature_min = stage.temperature_min;
  second.temperature_rate = stage.temperature_rate;
  second.optimiser.steps = stage.steps;
  second.optimiser.alternate_every = 0;  // frozen routes take no turns
  return second;
}

Checkpoint second_stage_start(const Checkpoint& dense, const Checkpoint& first_stage,
                              const TrainSettings& settings) {
  ExpertOptions options;
  options.routing = first_stage.config().routing;
  options.num_tasks = first_stage.model->num_tasks();
  options.expert_noise = settings.expert_noise;
  options.seed = static_cast<uint64_t>(settings.optimiser.seed);
  Checkpoint start = make_routed(dense, options);
  const NamedTensors learned = model_tensors(first_stage.model);
  torch::NoGradGuard no_grad;
  for (auto& item : start.model->named_parameters()) {
    if (!item.key().starts_with("router.") && !item.key().starts_with("task_vectors.")) continue;
    item.value().copy_(learned.at(item.key()));
  }
  return start;
}

}  // namespace

bool train_on_mixture(const Checkpoint& start, const TaskMixture& mixture,
                      const TrainSettings& settings, const TrainingContext& context) {
  const fs::path output = settings.run.output;
  const TrainSettings first = first_stage_settings(settings);
  const bool begun = fs::exists(output / "last") || fs::exists(fs::path(first.run.output) / "last");
  if (begun && !context.resume) {
    throw Error(ExitCode::kExists, output.string() +
                                       " holds a training; go on with --resume or choose another "
                                       "run.output");
  }
  if (!begun && context.resume) {
    spdlog::info("{} holds no training to resume; it begins", output.string());
  }
  if (start.model->is_routed() && !start.tasks.entries().empty() &&
      start.tasks.names() != mixture.tasks) {
    throw Error(ExitCode::kConfig,
                "the routed checkpoint to start from knows other tasks, or in another order");
  }
  if (settings.second_stage.steps == 0) return train_stage(start, mixture, settings, context);
  if (start.model->is_routed() || settings.routes != RoutePlan::kLearned ||
      settings.num_experts == 1 || settings.pool != PoolKind::kLayer) {
    throw Error(ExitCode::kConfig,
                "a second stage needs a dense checkpoint to start from and learned routes: set "
                "model.pool = \"layer\", model.routes = \"learned\" and model.num_experts above 1");
  }
  if (!fs::exists(output / "last") && !train_stage(start, mixture, first, context)) return false;
  const Checkpoint learned = load_checkpoint(fs::path(first.run.output) / "best");
  return train_stage(second_stage_start(start, learned, settings), mixture,
                     second_stage_settings(settings), context);
}

}  // namespace trivium::learning
