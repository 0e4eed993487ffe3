#include "learning/training/multi_task_training.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/logging.h"
#include "core/evaluation/evaluator.h"
#include "learning/model/model_routes.h"
#include "learning/reference/fast_generator.h"
#include "learning/storage/expert_copies.h"
#include "learning/training/dry_run.h"
#include "learning/training/multi_task_stream.h"
#include "learning/training/output_bias.h"
#include "learning/training/routed_start.h"
#include "learning/training/run_record.h"
#include "learning/training/trainer.h"

namespace trivium::learning {
namespace {

namespace fs = std::filesystem;

// What a stage is trained with, and the fingerprints of what the whole training begins with.
struct StageRun {
  TrainSettings settings;
  TrainingContext context;
  std::string start, data;
};

TrainerOptions trainer_options(const StageRun& run, SelectionKind selection) {
  TrainSettings settings = run.settings;
  TrainerOptions options;
  options.optimiser = settings.optimiser;
  options.run = settings.run;
  options.routes = {selection,
                    {settings.temperature, settings.temperature_min, settings.temperature_rate},
                    settings.freeze_routes,
                    settings.routes == RoutePlan::kInstanceRandom,
                    settings.exploration};
  options.device = run.context.device;
  options.stop = run.context.stop;
  options.processes = run.context.processes;
  options.record = run_record(settings, run.start, run.data);
  return options;
}

// Generates the answers of every task's first dev examples and averages the tasks' scores.
Trainer::Validator make_validator(const Checkpoint& checkpoint, const StageRun& run,
                                  const std::vector<EvaluationTask>& tasks) {
  return [&checkpoint, &run, &tasks](double temperature) -> std::optional<Validation> {
    const std::atomic<bool>* stop = run.context.stop;
    TextGenerator generator = fast_generator(
        checkpoint, {.max_source_length = run.settings.max_source_length, .stop = stop});
    Evaluator evaluator(generator, generator.greedy_search(run.settings.max_target_length),
                        /*resamples=*/0);
    std::vector<TaskScore> scores;
    int above_majority = 0;
    Seq2SeqModel model = checkpoint.model;
    for (size_t t = 0; t < tasks.size(); ++t) {
      const TaskRoute route = route_of_task(model, static_cast<int64_t>(t), temperature);
      scores.push_back(evaluator.evaluate(tasks[t], route, EvaluationMode::kGeneration));
      if (stop != nullptr && stop->load()) return std::nullopt;
      above_majority += scores.back().score > scores.back().majority;
      spdlog::debug("{}: {:.4f} (majority {:.4f})", tasks[t].name, scores.back().score,
                    scores.back().majority);
    }
    return Validation{mean_score(scores),
                      fmt::format("(mean of {} tasks; {} above the majority answer)", scores.size(),
                                  above_majority)};
  };
}

SamplerOptions sampler_options(const TrainSettings& settings) {
  SamplerOptions sampling;
  sampling.batching = settings.batching;
  sampling.batch_tokens = settings.optimiser.batch_tokens;
  sampling.share_alpha = settings.share_alpha;
  sampling.batches_per_step = settings.optimiser.accumulation;
  sampling.window_batches = settings.length_window > 0
                                ? std::max(settings.length_window, sampling.batches_per_step)
                                : sampling.batches_per_step;
  return sampling;
}

// A stage, ready for its first step.
class Stage {
 public:
  Stage(const Checkpoint& start, const TaskMixture& mixture, const StageRun& run)
      : mixture_(mixture),
        settings_(run.settings),
        stream_(mixture.examples, sampler_options(settings_),
                static_cast<uint64_t>(settings_.optimiser.seed)),
        checkpoint_(start_of(start, mixture, run)),
        trainer_(checkpoint_, stream_, trainer_options(run, checkpoint_.config().routing.selection),
                 make_validator(checkpoint_, run, mixture.dev)) {
    spdlog::info("{} examples in {} batches an epoch; {:.1f} % of their tokens are padding",
                 mixture.examples.size(), stream_.sampler().batches_in_epoch(),
                 100 * stream_.sampler().padding_share());
  }

  Trainer& trainer() { return trainer_; }
  const Checkpoint& checkpoint() const { return checkpoint_; }

  Json plan() {
    DryRunData data;
    data.examples = Json::object();
    for (const std::string& task : mixture_.tasks) data.examples[task] = 0;
    double source = 0, all = 0;
    for (const EncodedExample& example : mixture_.examples) {
      Json& count = data.examples[mixture_.tasks.at(static_cast<size_t>(example.task))];
      count = count.get<int64_t>() + 1;
      source += static_cast<double>(example.source.size());
      all += static_cast<double>(example.source.size() + example.target.size());
    }
    data.batches_in_epoch = static_cast<int64_t>(stream_.sampler().batches_in_epoch());
    data.batch_tokens = settings_.optimiser.batch_tokens;
    data.source_share = source / all;
    return dry_run(trainer_, *checkpoint_.model, checkpoint_.config(), settings_.optimiser, data);
  }

 private:
  static Checkpoint start_of(const Checkpoint& start, const TaskMixture& mixture,
                             const StageRun& run) {
    Checkpoint checkpoint = routed_start(start, run.settings, mixture.examples, mixture.tasks);
    checkpoint.tasks = mixture.catalog;
    checkpoint.finder = mixture.finder;
    checkpoint.model->set_max_length(run.settings.max_target_length);
    if (run.settings.output_bias == OutputBias::kFrequency) {
      set_output_bias(checkpoint.model, mixture.examples);
    }
    checkpoint.model->to(run.context.device);
    return checkpoint;
  }

  const TaskMixture& mixture_;
  const TrainSettings& settings_;
  MultiTaskStream stream_;
  Checkpoint checkpoint_;
  Trainer trainer_;
};

bool train_stage(const Checkpoint& start, const TaskMixture& mixture, const StageRun& run) {
  Stage stage(start, mixture, run);
  Trainer& trainer = stage.trainer();
  const std::string& output = run.settings.run.output;
  if (run.context.resume && fs::exists(fs::path(output) / "last")) trainer.resume();
  if (trainer.done()) {
    spdlog::info("{} is finished: all of its {} steps are done", output, trainer.steps());
    return true;
  }
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

void refuse_unfit_start(const Checkpoint& start, const TaskMixture& mixture,
                        const TrainSettings& settings) {
  if (start.model->is_routed() && !start.tasks.entries().empty() &&
      start.tasks.names() != mixture.tasks) {
    throw Error(ExitCode::kConfig,
                "model.init knows other tasks than data.gym has, or in another order, and its "
                "routes are theirs: begin with a dense checkpoint (trivium import, or trivium "
                "export --task)");
  }
  if (settings.second_stage.steps > 0 &&
      (start.model->is_routed() || settings.routes != RoutePlan::kLearned ||
       settings.num_experts == 1 || settings.pool != PoolKind::kLayer)) {
    throw Error(ExitCode::kConfig,
                "a second stage needs a dense checkpoint to start from and learned routes: set "
                "model.pool = \"layer\", model.routes = \"learned\" and model.num_experts above 1");
  }
}

}  // namespace

Json plan_training(const Checkpoint& start, const TaskMixture& mixture,
                   const TrainSettings& settings, const TrainingContext& context) {
  refuse_unfit_start(start, mixture, settings);
  StageRun run = {settings, context, "", ""};
  Stage first(start, mixture, run);
  Json plan = first.plan();
  if (settings.second_stage.steps == 0) return plan;
  Checkpoint learned = first.checkpoint();
  learned.model->to(torch::kCPU);
  StageRun second = {second_stage_settings(settings), context, "", ""};
  plan["second_stage"] =
      Stage(second_stage_start(start, learned, settings), mixture, second).plan();
  return plan;
}

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
  refuse_unfit_start(start, mixture, settings);
  StageRun run = {settings, context, fingerprint_of(model_tensors(start.model)),
                  fingerprint_of(mixture.examples, mixture.tasks)};
  if (settings.second_stage.steps == 0) return train_stage(start, mixture, run);
  run.settings = first;
  if (!fs::exists(output / "last") && !train_stage(start, mixture, run)) return false;
  const Checkpoint learned = load_checkpoint(fs::path(first.run.output) / "best");
  run.settings = second_stage_settings(settings);
  return train_stage(second_stage_start(start, learned, settings), mixture, run);
}

}  // namespace trivium::learning
