// trivium task vector, add: vectors of tasks, and new tasks.
#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <set>

#include "cli/commands/commands.h"
#include "cli/output/output.h"
#include "cli/program/choice.h"
#include "cli/program/given_paths.h"
#include "cli/program/home.h"
#include "cli/program/model_flags.h"
#include "core/base/error.h"
#include "core/base/logging.h"
#include "core/checkpoint/added_task.h"
#include "core/data/gym.h"
#include "core/evaluation/answer_text.h"
#include "core/evaluation/evaluator.h"
#include "learning/adaptation/few_shot.h"
#include "learning/adaptation/head_tuning.h"
#include "learning/adaptation/new_task.h"
#include "learning/adaptation/own_experts.h"
#include "learning/reference/fixed_route.h"
#include "learning/training/multi_task_stream.h"
#include "learning/training/task_vectors.h"

namespace trivium::learning {
namespace {

void print(const std::string& text) { cli::write_output(text); }

void set_threads(int threads) {
  if (threads > 0) at::set_num_threads(threads);
}

void refuse_to_overwrite(const std::string& path) {
  if (std::filesystem::exists(path)) {
    throw Error(ExitCode::kExists, path + " exists; name another --output");
  }
}

// --- trivium task vector

// What a task's vector is made from.
enum class VectorKind { kRandom, kText, kTunedText, kFisher };
const EnumNames<VectorKind> kVectorKinds = {{"random", VectorKind::kRandom},
                                            {"text", VectorKind::kText},
                                            {"text_tuned", VectorKind::kTunedText},
                                            {"fisher", VectorKind::kFisher}};

struct VectorFlags {
  std::string gym, part = "all", checkpoint, output;
  VectorKind kind = VectorKind::kText;
  std::vector<std::string> tasks;
  int64_t dim = 0, per_task = 64, max_source_length = 128, max_target_length = 64, batch_size = 8;
  uint64_t seed = 42;
  OptimiserSettings optimiser;
  int threads = 0;
};

torch::Tensor compute_vectors(const VectorFlags& flags, const Gym& gym,
                              const std::vector<std::string>& tasks) {
  const auto count = static_cast<int64_t>(tasks.size());
  if (flags.kind == VectorKind::kRandom) {
    auto generator = at::make_generator<at::CPUGeneratorImpl>(flags.seed);
    return torch::randn({count, flags.dim > 0 ? flags.dim : 128}, generator);
  }
  if (flags.checkpoint.empty()) {
    throw Error(ExitCode::kUsage,
                "--kind " + name_in(kVectorKinds, flags.kind) + " needs a dense --checkpoint");
  }
  Checkpoint dense = load_checkpoint(flags.checkpoint);
  if (dense.model->is_routed()) {
    throw Error(ExitCode::kUsage, flags.checkpoint + " is routed; vectors are a dense model's");
  }
  TrainSettings settings;
  settings.examples_per_task = flags.per_task;
  const std::vector<EncodedExample> examples = encode_training_examples(
      gym, PromptLibrary(cli::prompts_folder()), tasks,
      example_encoder(dense, flags.max_source_length, flags.max_target_length), settings);
  if (flags.kind == VectorKind::kFisher) {
    const int64_t dim = flags.dim > 0 ? flags.dim : std::min<int64_t>(128, count - 1);
    return fisher_task_vectors(dense, examples, count, dim, flags.seed);
  }
  const torch::Tensor vectors =
      flags.kind == VectorKind::kText
          ? text_task_vectors(dense.model, examples, count, flags.per_task)
          : tuned_text_task_vectors(dense, examples, count, flags.per_task, flags.batch_size,
                                    flags.optimiser);
  return flags.dim > 0 ? principal_components(vectors, flags.dim) : vectors;
}

void run_vector(VectorFlags flags) {
  cli::check_output_file(flags.output, "--output");
  set_threads(flags.threads);
  refuse_to_overwrite(flags.output);
  flags.optimiser.seed = static_cast<int64_t>(flags.seed);
  const Gym gym(flags.gym);
  TaskVectors result;
  result.tasks = gym.chosen_tasks(flags.part, flags.tasks);
  result.vectors = compute_vectors(flags, gym, result.tasks);
  save_task_vectors(result, flags.output);
  spdlog::info("wrote {}: {} tasks, {} numbers each", flags.output, result.tasks.size(),
               result.vectors.size(1));
}

// --- trivium task add

struct AddFlags {
  std::string name, checkpoint, examples, description;
  int64_t max_source_length = 512, max_target_length = 64;
  OwnExpertSettings experts;
  std::optional<AnswersBy> answers;
  int threads = 0;
};

// "encoder 0 3 2, decoder 2 2 1": each layer's main expert, counted from 1; 0 stands for an
// ordinary layer, as everywhere.
std::string route_text(const TaskRoute& route) {
  const auto main_expert = [](const std::vector<float>& layer) {
    return layer.size() == 1 ? 0 : TaskRoute::main_expert(layer) + 1;
  };
  std::string text = "encoder";
  for (const auto& layer : route.encoder) text += fmt::format(" {}", main_expert(layer));
  text += ", decoder";
  for (const auto& layer : route.decoder) text += fmt::format(" {}", main_expert(layer));
  return text;
}

// The records of a file of examples, as texts for the finder and as examples to learn from.
struct NewExamples {
  std::vector<std::string> texts;
  std::vector<EncodedExample> encoded;
  std::vector<std::vector<std::string>> indistinguishable;  // of their answers
  int64_t cut = 0;                                          // of more tokens than are learned from
};

NewExamples encode_examples(const AddFlags& flags, const Task& task, const TaskEntry& entry,
                            const Checkpoint& checkpoint) {
  NewExamples result;
  const ExampleEncoder encoder =
      example_encoder(checkpoint, flags.max_source_length, flags.max_target_length);
  std::set<std::string> answers;
  for (const auto& [split, records] : task.records) {
    if (split == Split::kTest) continue;  // what `eval` asks
    for (const Record& record : records) {
      const Example example = entry.prompt->render(entry.task, record);
      result.texts.push_back(example.input);
      answers.insert(example.targets.at(0));
      result.encoded.push_back(encoder.encode(example, 0));
      bool cut = false;
      checkpoint.tokenizer->encode_with_special(example.input,
                                                static_cast<size_t>(flags.max_source_length), &cut);
      result.cut += cut;
    }
  }
  if (result.texts.empty()) {
    throw Error(ExitCode::kBadData, flags.examples + " has no examples to learn from");
  }
  result.indistinguishable = OptionTexts(*checkpoint.tokenizer, {answers.begin(), answers.end()},
                                         static_cast<size_t>(flags.max_target_length))
                                 .indistinguishable();
  return result;
}

// Everything that the flags can have wrong, before anything is read.
void check_flags(const AddFlags& flags) {
  if (flags.examples.empty() && flags.description.empty()) {
    throw Error(ExitCode::kUsage,
                "say what the task is: --description TEXT, --examples FILE, or "
                "both");
  }
  if (!is_plain_name(flags.name)) {
    throw Error(ExitCode::kConfig,
                "\"" + flags.name + "\" is not a plain name: letters, digits, _ and - make one");
  }
}

// What a task has learned.
struct Learned {
  NamedTensors differences;  // its own experts'
  std::shared_ptr<const LabelHead> head;
};

std::vector<const Record*> records_of(const Task& task, std::initializer_list<Split> splits) {
  std::vector<const Record*> records;
  for (const Split split : splits) {
    for (const Record& record : task.records.at(split)) records.push_back(&record);
  }
  return records;
}

// A head, and experts of the encoder, that begin as those of `route`. The dev rows say how many
// steps are good; then it learns from them too.
Learned learn_head(const AddFlags& flags, const Checkpoint& checkpoint, const TaskRoute& route,
                   const Task& task, const TaskEntry& entry, std::string& report) {
  const Checkpoint dense = checkpoint.model->is_routed() ? squeeze(checkpoint, route) : checkpoint;
  const LabelledTexts train = labelled_texts(entry, records_of(task, {Split::kTrain}));
  const LabelledTexts dev = labelled_texts(entry, records_of(task, {Split::kDev}));
  const LabelledTexts both = labelled_texts(entry, records_of(task, {Split::kTrain, Split::kDev}));
  HeadSettings settings;
  settings.steps = flags.experts.optimiser.steps;
  settings.batch_size = flags.experts.batch_size;
  settings.rank = flags.experts.rank;
  settings.learning_rate = flags.experts.optimiser.learning_rate;
  settings.seed = static_cast<uint64_t>(flags.experts.optimiser.seed);
  settings.max_length = flags.max_source_length;
  spdlog::info(
      "learning a head and the encoder's own experts: {} steps on {} examples, {} to "
      "choose by",
      settings.steps, train.prompts.size(), dev.prompts.size());
  const int64_t parts = head_parts(task);
  const TunedHead chosen = tune_head(dense, task.labels, parts, train, dev, settings);
  settings.steps = dev.prompts.empty() ? settings.steps : chosen.step;
  const TunedHead tuned = tune_head(dense, task.labels, parts, both, {}, settings);
  const auto right = [&](double share) {
    return std::lround(share * static_cast<double>(dev.prompts.size()));
  };
  report += fmt::format(
      "\nright on {} of {} examples that it had not learned from, after {} steps ({} with the "
      "encoder as it was)",
      right(chosen.dev_score), dev.prompts.size(), chosen.step, right(chosen.frozen_score));
  return {tuned.differences, std::make_shared<const LabelHead>(tuned.head)};
}

// Experts of the task's own, that begin as those of `route`.
NamedTensors learn_experts(const AddFlags& flags, const Checkpoint& checkpoint,
                           const TaskRoute& route, const NewExamples& examples,
                           std::string& report) {
  if (checkpoint.model->has_token_gates()) {
    throw Error(ExitCode::kUsage,
                "experts of a task's own are whole layers, and this checkpoint has token gates: "
                "leave --examples out to add the task along its nearest task's gates");
  }
  const Checkpoint dense = checkpoint.model->is_routed() ? squeeze(checkpoint, route) : checkpoint;
  spdlog::info("learning the task's own experts: {} steps on {} examples",
               flags.experts.optimiser.steps, examples.encoded.size());
  const OwnExpertTuning tuning = tune_own_experts(dense, examples.encoded, flags.experts);
  report += fmt::format("\nloss on {} examples: {:.4f} before, {:.4f} with experts of its own",
                        examples.encoded.size(), tuning.loss_before, tuning.loss_after);
  return tuning.differences;
}

// What is to answer. Error kUsage for a head that cannot.
AnswersBy answers_of(const AddFlags& flags, const Task& task, const Checkpoint& checkpoint) {
  if (flags.answers != AnswersBy::kHead) {
    return flags.answers.value_or(usual_answers(task, checkpoint));
  }
  if (usual_answers(task, checkpoint) != AnswersBy::kHead) {
    throw Error(ExitCode::kUsage,
                "a head needs examples with fixed labels, and a checkpoint without token gates; "
                "leave --answers-by out");
  }
  return AnswersBy::kHead;
}

void run_add(AddFlags flags) {
  check_flags(flags);
  set_threads(flags.threads);
  Task task = plain_task(flags.name);
  if (!flags.examples.empty()) {
    if (!std::filesystem::is_regular_file(flags.examples)) {
      throw Error(ExitCode::kMissingInput, "there is no file " + flags.examples);
    }
    const Gym file(flags.examples);
    task = file.load_task(file.task_names().at(0));
    task.name = flags.name;
    const size_t kept = task.records[Split::kTest].size();
    if (kept > 0) spdlog::info("{} of them are kept aside for trivium eval", kept);
  }
  const std::string folder = cli::checkpoint_folder(flags.checkpoint);
  spdlog::info("reading {}", folder);
  const OpenCheckpoint open = open_checkpoint(folder);
  refuse_known_task(folder, open, flags.name);
  const Checkpoint checkpoint = load_checkpoint(folder);
  flags.max_source_length =
      std::min(flags.max_source_length, checkpoint.config().max_position_embeddings);
  const AnswersBy answers = answers_of(flags, task, checkpoint);
  const TaskEntry entry = plain_entry(task, flags.description, answers);
  NewExamples examples;
  if (!flags.examples.empty()) examples = encode_examples(flags, task, entry, checkpoint);
  if (answers == AnswersBy::kDecoder) {
    warn_of_indistinguishable(flags.name, examples.indistinguishable);
  }
  if (examples.cut > 0) {
    spdlog::warn(
        "{} of {} examples have more than {} tokens, and are learned from in part; "
        "--max-input says how many",
        examples.cut, examples.texts.size(), flags.max_source_length);
  }
  std::vector<std::string> texts = examples.texts;
  if (!flags.description.empty()) texts.push_back(flags.description);
  TaskMix shares;
  if (checkpoint.finder) shares = nearest_tasks(checkpoint, texts);
  TaskRoute route = mixed_route(checkpoint, shares);
  std::string report = flags.name + ":";
  for (const auto& [near, share] : shares) report += fmt::format(" near {} {:.2f}", near, share);
  Learned learned;
  if (answers == AnswersBy::kHead) {
    learned = learn_head(flags, checkpoint, route, task, entry, report);
  } else if (!examples.encoded.empty()) {
    learned.differences = learn_experts(flags, checkpoint, route, examples, report);
  }
  route.head = learned.head;
  save_added_task(folder, open, entry, route, as_host(learned.differences));
  const char* begin = learned.differences.empty() ? "route: " : "its experts began as those of ";
  print(report + "\n" + begin + route_text(route) + "\nadded to " + folder +
        "; ask it with --task " + flags.name + "\n");
}

void add_vector(CLI::App& task) {
  auto flags = std::make_shared<VectorFlags>();
  flags->optimiser.steps = 2500;
  flags->optimiser.learning_rate = 3e-5;
  flags->optimiser.clip = 0.1;
  CLI::App* command = task.add_subcommand("vector", "make vectors of a gym's tasks for training");
  command->add_option("--gym", flags->gym, "gym folder")->required();
  command->add_option("--part", flags->part, "part of split.json; vectors of all share a space")
      ->capture_default_str();
  command->add_option("--tasks", flags->tasks, "these tasks instead: NAME,NAME...")->delimiter(',');
  cli::add_choice(*command, "--kind", flags->kind, kVectorKinds,
                  "random; text: mean encoder state of the inputs; text_tuned: the same after "
                  "tuning on the task; fisher: how the loss bends in adapters");
  command->add_option("--checkpoint", flags->checkpoint, "dense checkpoint; not for random");
  command
      ->add_option("--dim", flags->dim,
                   "numbers a vector; fewer than the tasks but for random [128; text: d_model]")
      ->check(CLI::Range(int64_t{1}, int64_t{65536}));
  command->add_option("--examples", flags->per_task, "train records read a task")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 40))
      ->capture_default_str();
  command->add_option("--steps", flags->optimiser.steps, "text_tuned: optimiser steps a task")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 40))
      ->capture_default_str();
  command->add_option("--seed", flags->seed, "of random numbers")->capture_default_str();
  command->add_option("--output", flags->output, "safetensors file to write")->required();
  cli::add_threads_flag(*command, flags->threads);
  command->footer(
      "Example:\n  trivium task vector --gym ../shared/gym --kind fisher --checkpoint DENSE\n"
      "      --output fisher.safetensors\n"
      "and then trivium train ... --set model.task_vectors=fisher.safetensors");
  command->callback([flags] { run_vector(*flags); });
}

void add_add(CLI::App& task) {
  auto flags = std::make_shared<AddFlags>();
  const FewShotSettings quick = few_shot_settings(FewShotPreset::kQuick);
  OptimiserSettings& optimiser = flags->experts.optimiser;
  optimiser = quick.optimiser;
  optimiser.learning_rate = quick.learning_rates[0];
  flags->experts.rank = quick.rank;
  flags->experts.batch_size = quick.batch_sizes[0];
  CLI::App* command =
      task.add_subcommand("add", "teach a checkpoint a new task, with experts of its own");
  command->add_option("name", flags->name, "the new task's name")->required();
  cli::add_checkpoint_flag(*command, flags->checkpoint);
  command->add_option("--description", flags->description, "what the task is, in a sentence");
  command->add_option("--examples", flags->examples,
                      "CSV, TSV or JSONL file that the experts learn from");
  cli::add_choice(*command, "--answers-by", flags->answers, answers_by_names(),
                  "what answers: a head over the text's sentence vector, which is learned better "
                  "from few examples, or the decoder, which export takes along [head where labels "
                  "are fixed]");
  command->add_option("--steps", optimiser.steps, "of learning")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 40))
      ->capture_default_str();
  command->add_option("--batch-size", flags->experts.batch_size, "examples a step")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 20))
      ->capture_default_str();
  command->add_option("--learning-rate", optimiser.learning_rate, "of the differences")
      ->check(CLI::Range(0.0, 10.0))
      ->capture_default_str();
  command->add_option("--rank", flags->experts.rank, "of the differences of matrices (LoRA)")
      ->check(CLI::Range(int64_t{1}, int64_t{4096}))
      ->capture_default_str();
  command->add_option("--max-input", flags->max_source_length, "tokens of an example's input")
      ->check(CLI::Range(8, 1 << 20))
      ->capture_default_str();
  command->add_option("--seed", optimiser.seed, "of random numbers")->capture_default_str();
  cli::add_threads_flag(*command, flags->threads);
  command->footer(
      "The task is written to tasks/NAME in the checkpoint's folder, a megabyte or two; nothing\n"
      "else there changes, and all other tasks answer as before. Its route begins as a mixture of\n"
      "the nearest known tasks' routes; with --examples every layer gets an expert that this task\n"
      "alone takes. The task is found by its name (--task, /task) only: what guesses the task of "
      "a\n"
      "prompt without a name is not trained again, since that needs all tasks' texts. The\n"
      "columns of --examples that are asked and the one with the answer are found out by their\n"
      "names; docs/data.md says how. trivium task remove takes a task away again.\n"
      "Example:\n"
      "  trivium task add tone --examples tone.csv\n"
      "      --description 'whether a message is friendly'");
  command->callback([flags] { run_add(*flags); });
}

}  // namespace

void add_task_commands(CLI::App& app) {
  CLI::App* task = app.get_subcommand("task");
  add_vector(*task);
  add_add(*task);
}

}  // namespace trivium::learning
