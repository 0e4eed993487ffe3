// trivium train: multi-task training of experts and routes.
#include <algorithm>
#include <memory>
#include <thread>

#include "base/error.h"
#include "base/logging.h"
#include "checkpoint/checkpoint.h"
#include "commands/command.h"
#include "config/train_settings.h"
#include "evaluation/evaluator.h"
#include "model/device.h"
#include "training/multi_task_stream.h"
#include "training/routed_start.h"
#include "training/trainer.h"

namespace trivium {
namespace {

struct TrainFlags {
  std::string config, device = "cpu";
  std::vector<std::string> overrides;
  bool resume = false, reference = false;
};

TrainerOptions trainer_options(const TrainSettings& settings, SelectionKind selection,
                               torch::Device device) {
  TrainerOptions options;
  options.optimiser = settings.optimiser;
  options.run = settings.run;
  options.routes = {selection,
                    {settings.temperature, settings.temperature_min, settings.temperature_rate},
                    settings.freeze_routes};
  options.device = device;
  options.stop = &stop_requested();
  return options;
}

// Generates the answers of every task's first dev examples and averages the tasks' scores.
Trainer::Validator make_validator(const Checkpoint& checkpoint, const TrainSettings& settings,
                                  const std::vector<EvaluationTask>& tasks) {
  return [&checkpoint, &settings, &tasks](double temperature) {
    TextGenerator generator(checkpoint.model, checkpoint.tokenizer,
                            {.max_source_length = settings.max_source_length});
    SearchOptions search = generator.default_search();
    search.num_beams = 1;
    search.max_length = static_cast<int>(settings.max_target_length);
    Evaluator evaluator(generator, search, /*resamples=*/0);
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

// What the checkpoint will know of its tasks: their templates, and how to tell them apart.
void describe_tasks(Checkpoint& checkpoint, const Gym& gym, const PromptLibrary& prompts,
                    const std::vector<std::string>& tasks) {
  if (checkpoint.model->is_routed() && !checkpoint.tasks.entries().empty() &&
      checkpoint.tasks.names() != tasks) {
    throw Error(ExitCode::kConfig,
                "the routed checkpoint to start from knows other tasks, or in another order");
  }
  checkpoint.tasks = {};
  std::vector<TaskFinder::TaskTexts> texts;
  for (const std::string& name : tasks) {
    const Task task = gym.load_task(name);
    checkpoint.tasks.add(task, prompts);
    texts.push_back(finder_texts(task, prompts.templates_of(task), prompts.description_of(name)));
  }
  checkpoint.finder = TaskFinder::train(texts);
}

int run_train(const TrainFlags& flags) {
  TrainSettings settings;
  if (flags.reference) {
    std::fputs(settings_reference(settings).c_str(), stdout);
    return 0;
  }
  load_settings(settings, flags.config, flags.overrides);
  const torch::Device device = parse_device(flags.device);
  if (settings.optimiser.threads > 0)
    at::set_num_threads(static_cast<int>(settings.optimiser.threads));
  const std::filesystem::path last = std::filesystem::path(settings.run.output) / "last";
  if (!flags.resume && std::filesystem::exists(last)) {
    throw Error(ExitCode::kExists,
                last.string() + " exists; go on with --resume or choose another run.output");
  }
  const Gym gym(settings.gym);
  const PromptLibrary prompts(settings.prompts);
  const std::vector<std::string> tasks =
      settings.tasks.empty() ? gym.tasks_of(settings.part) : settings.tasks;
  Checkpoint start = load_checkpoint(settings.init);
  spdlog::info("reading {} tasks", tasks.size());
  describe_tasks(start, gym, prompts, tasks);
  MultiTaskStream stream(
      encode_training_examples(gym, prompts, tasks, *start.tokenizer, settings),
      {settings.batching == "homogeneous" ? Batching::kHomogeneous : Batching::kHeterogeneous,
       settings.optimiser.batch_tokens, settings.share_alpha},
      static_cast<uint64_t>(settings.optimiser.seed));
  std::vector<EvaluationTask> dev;
  for (const std::string& task : tasks) {
    dev.push_back(load_evaluation_task(gym, prompts, task, Split::kDev,
                                       static_cast<size_t>(settings.eval_examples)));
  }
  spdlog::info("{} training examples", stream.examples().size());
  Checkpoint checkpoint =
      routed_start(start, settings, stream.examples(), static_cast<int64_t>(tasks.size()));
  checkpoint.config.max_length = static_cast<int>(settings.max_target_length);
  checkpoint.model->to(device);
  watch_stop_signals();
  Trainer trainer(checkpoint, stream,
                  trainer_options(settings, checkpoint.config.routing.selection, device),
                  make_validator(checkpoint, settings, dev));
  if (flags.resume) trainer.resume();
  if (trainer.run()) return 0;
  spdlog::warn("stopped at step {}; go on with --resume", trainer.steps_done());
  return static_cast<int>(ExitCode::kStopped);
}

}  // namespace

void add_train_command(CLI::App& app, int& status) {
  auto flags = std::make_shared<TrainFlags>();
  CLI::App* command = app.add_subcommand("train", "train experts and routes on many tasks");
  command->add_option("config", flags->config, "settings file (TOML), see configs/");
  command->add_option("--set", flags->overrides, "override a setting: key=value")->take_all();
  command->add_option("--device", flags->device, "cpu, cuda or cuda:N")->capture_default_str();
  command->add_flag("--resume", flags->resume, "go on from the run's last/");
  command->add_flag("--settings", flags->reference, "print every setting, its default and meaning");
  command->callback([flags, &status] {
    if (!flags->reference && flags->config.empty()) {
      throw Error(ExitCode::kUsage, "name a settings file: trivium train configs/FILE.toml");
    }
    status = run_train(*flags);
  });
}

}  // namespace trivium
