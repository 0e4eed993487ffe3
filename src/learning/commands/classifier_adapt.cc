// trivium classifier adapt: a classifier for one task, known or new, from one of many.
#include <fmt/format.h>

#include <memory>

#include "cli/output/output.h"
#include "cli/program/choice.h"
#include "cli/program/given_paths.h"
#include "cli/program/stop_signal.h"
#include "core/base/error.h"
#include "core/base/logging.h"
#include "core/data/gym.h"
#include "learning/adaptation/gate_reuse.h"
#include "learning/commands/commands.h"
#include "learning/reference/classifier_scores.h"
#include "learning/reference/labelled_examples.h"
#include "learning/training/classifier_training.h"

namespace trivium::learning {
namespace {

namespace fs = std::filesystem;

constexpr int kAdaptResamples = 1000;
constexpr const char* kClassifierAdaptFooter =
    "The encoder and its experts go on from where they are; the gates are those of --gates, in "
    "every\n"
    "layer; the head is the task's own, or new. Training stops early by the score on dev.\n"
    "Example:\n"
    "  trivium classifier adapt --checkpoint runs/classifier/mt_tag --gym ../shared/gym --task "
    "scitail\n"
    "    --gates mnli --output runs/classifier/scitail";

struct ClassifierAdaptFlags {
  std::string checkpoint, gym, task, gates = "nearest", encoder, output;
  int64_t limit = 0, epochs = 5, seed = 1, max_length = 128;
  int threads = 0;
  ClassifierStepSettings step;
};

// The row of the gates that the task begins with; nothing for new ones, or where there are none.
std::optional<int64_t> first_gates(const ClassifierCheckpoint& checkpoint, const Gym& gym,
                                   const ClassifierAdaptFlags& flags) {
  const auto texts = [&](const std::string& task, const Tokenizer& tokenizer) {
    const LabelledTask labelled = labelled_task(gym.load_task(task, kTextsOfAVector));
    return encode_labelled(labelled.records.at(Split::kTrain), labelled.info.kind, 0, tokenizer,
                           flags.max_length);
  };
  const GateChoice choice = gate_choice(flags.gates);
  const std::optional<int64_t> row = gate_row(checkpoint, flags.task, choice, flags.encoder, texts);
  if (row && choice.start == GateStart::kNearest) {
    spdlog::info("nearest by its texts: {}", checkpoint.tasks.at(static_cast<size_t>(*row)).name);
  }
  return row;
}

int run(const ClassifierAdaptFlags& flags) {
  cli::check_output_folder(flags.output, "--output");
  if (fs::exists(flags.output)) {
    throw Error(ExitCode::kExists, flags.output + " is there; choose another --output");
  }
  if (flags.threads > 0) at::set_num_threads(flags.threads);
  cli::watch_stop_signals();
  ClassifierCheckpoint many = load_classifier(flags.checkpoint);
  const Gym gym(flags.gym);
  const LabelledTask task =
      labelled_task(gym.load_task(flags.task, static_cast<size_t>(flags.limit)));
  const std::optional<int64_t> row = first_gates(many, gym, flags);
  ClassifierCheckpoint tuned =
      single_task_copy(many, task.info, row, static_cast<uint64_t>(flags.seed));
  const auto encode = [&](Split split) {
    return encode_labelled(task.records.at(split), task.info.kind, 0, *tuned.tokenizer,
                           flags.max_length);
  };
  const auto result =
      fine_tune(tuned, {encode(Split::kTrain), encode(Split::kDev), task.info.metric},
                {flags.step.optimiser(0, static_cast<uint64_t>(flags.seed)),
                 flags.step.batch_tokens, flags.step.batch_examples, TaskShares::kNatural, 0},
                flags.epochs, &cli::stop_requested());
  if (!result) return static_cast<int>(ExitCode::kInterrupted);
  save_classifier(tuned, flags.output);
  const TaskScore score =
      score_classifier(tuned, 0, encode(Split::kTest), task.info.metric,
                       flags.step.precision == Precision::kBfloat16, kAdaptResamples);
  const Json line = {{"task", flags.task},
                     {"gates", row ? many.tasks.at(static_cast<size_t>(*row)).name : ""},
                     {"dev", result->dev_score},
                     {"best_epoch", result->best_epoch},
                     {"metric", score.metric},
                     {"test", score.score},
                     {"low", score.interval.low},
                     {"high", score.interval.high}};
  cli::write_output(to_json_line(line) + "\n");
  return 0;
}

}  // namespace

void add_classifier_adapt(CLI::App& classifier, int& status) {
  auto flags = std::make_shared<ClassifierAdaptFlags>();
  flags->step.batch_examples = 32;
  CLI::App* command =
      classifier.add_subcommand("adapt", "tune one on a task that it knows, or on a new one");
  command->add_option("--checkpoint", flags->checkpoint, "the classifier of many tasks")
      ->required();
  command->add_option("--gym", flags->gym, "gym folder: split.json and a folder a task")
      ->required();
  command->add_option("--task", flags->task, "the task to tune on")->required();
  command
      ->add_option("--gates", flags->gates,
                   "a known task whose gates to begin with; nearest: those of the known task whose "
                   "texts are most like it (its own, if it is known); or random: new ones")
      ->capture_default_str();
  command->add_option("--encoder", flags->encoder,
                      "the BERT or MiniLM folder that the classifier was made from; it tells which "
                      "known task is nearest to a new one");
  command->add_option("--output,-o", flags->output, "folder of the tuned classifier")->required();
  command->add_option("--limit", flags->limit, "only the first so many lines; 0: all")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 40))
      ->capture_default_str();
  command->add_option("--epochs", flags->epochs, "passes over the train lines at most")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  command->add_option("--learning-rate", flags->step.learning_rate, "peak learning rate")
      ->check(CLI::Range(1e-9, 1.0))
      ->capture_default_str();
  command->add_option("--batch-examples", flags->step.batch_examples, "examples in a batch")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  cli::add_choice(*command, "--precision", flags->step.precision, precision_names(),
                  "numbers of the matrix products");
  command->add_option("--seed", flags->seed, "of new gates and heads, order and dropout")
      ->capture_default_str();
  command->add_option("--max-length", flags->max_length, "ids of a text or pair")
      ->check(CLI::Range(8, 1 << 17))
      ->capture_default_str();
  command->add_option("--threads", flags->threads, "CPU threads; 0: all")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  command->footer(kClassifierAdaptFooter);
  command->callback([flags, &status] { status = run(*flags); });
}

}  // namespace trivium::learning
