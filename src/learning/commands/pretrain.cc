// trivium pretrain: BART's denoising on plain text.
#include <cmath>
#include <fstream>
#include <memory>
#include <optional>

#include "cli/output/output.h"
#include "cli/program/given_paths.h"
#include "cli/program/stop_signal.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/file_lock.h"
#include "core/base/logging.h"
#include "core/data/gym.h"
#include "learning/commands/commands.h"
#include "learning/model/device.h"
#include "learning/processes/join.h"
#include "learning/settings/train_settings.h"
#include "learning/storage/checkpoint.h"
#include "learning/training/denoising_stream.h"
#include "learning/training/dry_run.h"
#include "learning/training/run_record.h"
#include "learning/training/trainer.h"

namespace trivium::learning {
namespace {

struct PretrainFlags {
  std::string config, device = "cpu";
  std::vector<std::string> overrides;
  bool resume = false, reference = false, dry_run = false;
};

// Paragraphs of the text files and of the gym's train inputs, in order.
std::vector<std::string> read_paragraphs(const PretrainSettings& settings) {
  std::vector<std::string> paragraphs;
  for (const std::string& file : settings.text_files) {
    std::ifstream stream(file, std::ios::binary);
    if (!stream) throw Error(ExitCode::kMissingInput, "cannot read " + file);
    LineReader lines(stream, file);
    while (auto line = lines.next()) paragraphs.push_back(std::move(line->text));
  }
  if (settings.gym.empty()) return paragraphs;
  const Gym gym(settings.gym);
  for (const std::string& name : gym.chosen_tasks(settings.part, {})) {
    const Task task = gym.load_task(name);
    for (const Record& record : task.records.at(Split::kTrain)) {
      for (const std::string& field : task.inputs) {
        const auto value = record.fields.find(field);
        if (value != record.fields.end() && value->is_string()) {
          paragraphs.push_back(value->get<std::string>());
        }
      }
    }
  }
  return paragraphs;
}

// The mean negative log-likelihood of held-out paragraphs under fixed noise, negated.
Trainer::Validator make_validator(Checkpoint& checkpoint, const std::vector<std::string>& held_out,
                                  const DenoisingOptions& options) {
  return [&checkpoint, &held_out, options](double) -> std::optional<Validation> {
    torch::InferenceMode inference;
    DenoisingStream stream(held_out, *checkpoint.tokenizer, options, /*seed=*/1);
    double sum = 0;
    int64_t tokens = 0;
    size_t seen = 0;
    while (seen < held_out.size()) {
      if (cli::stop_requested()) return std::nullopt;
      const std::vector<EncodedExample> examples = stream.next_batch();
      seen += examples.size();
      const Batch batch = collate(examples, checkpoint.config().pad_token_id,
                                  checkpoint.config().decoder_start_token_id)
                              .to(checkpoint.model->shared_weight().device());
      const torch::Tensor losses =
          checkpoint.model->loss(batch, RoutingWeights{}, /*weights=*/{}, /*smoothing=*/0).losses;
      sum += losses.sum().item<double>();
      tokens += losses.numel();
    }
    const double loss = sum / static_cast<double>(tokens);
    return Validation{-loss, "(negative mean log-likelihood a token)"};
  };
}

// Paragraphs to train on and to score by, drawn by the seed.
struct Text {
  std::vector<std::string> paragraphs, held_out;
  std::string fingerprint;
};

Text read_text(const PretrainSettings& settings) {
  Text text;
  text.paragraphs = read_paragraphs(settings);
  Rng(static_cast<uint64_t>(settings.optimiser.seed)).shuffle(text.paragraphs);
  text.fingerprint = fingerprint_of(text.paragraphs);
  const size_t held =
      std::min(text.paragraphs.size() / 2, static_cast<size_t>(settings.eval_paragraphs));
  text.held_out.assign(text.paragraphs.end() - static_cast<int64_t>(held), text.paragraphs.end());
  text.paragraphs.resize(text.paragraphs.size() - held);
  return text;
}

Json plan_of(Trainer& trainer, const Checkpoint& checkpoint, const Text& text,
             const DenoisingStream& stream, const PretrainSettings& settings) {
  const auto count = static_cast<double>(text.paragraphs.size());
  DryRunData data;
  data.examples = {{"paragraphs", text.paragraphs.size()}, {"held_out", text.held_out.size()}};
  data.batches_in_epoch = std::llround(count / stream.mean_batch_size());
  data.batch_tokens = 2 * settings.optimiser.batch_tokens;  // of targets, and of sources as long
  data.source_share = 0.5;
  return dry_run(trainer, *checkpoint.model, checkpoint.config(), settings.optimiser, data);
}

int run_pretrain(const PretrainFlags& flags) {
  PretrainSettings settings;
  if (flags.reference) {
    cli::write_output(settings_reference(settings));
    return 0;
  }
  load_settings(settings, flags.config, flags.overrides);
  cli::check_start(settings.init, "model.init");
  cli::check_output_folder(settings.run.output, "run.output");
  const Processes processes = join_processes(flags.dry_run ? RunsIn::kOne : RunsIn::kSeveral);
  std::optional<FileLock> lock;
  if (!flags.dry_run && processes.is_first()) lock.emplace(settings.run.output);
  const torch::Device device = parse_device(flags.device);
  refuse_device(processes, device);
  if (settings.optimiser.threads > 0)
    at::set_num_threads(static_cast<int>(settings.optimiser.threads));
  const std::filesystem::path last = std::filesystem::path(settings.run.output) / "last";
  if (!flags.resume && !flags.dry_run && std::filesystem::exists(last)) {
    throw Error(ExitCode::kExists,
                last.string() + " exists; go on with --resume or choose another run.output");
  }
  Checkpoint checkpoint = load_checkpoint(settings.init);
  if (checkpoint.model->is_routed()) {
    throw Error(ExitCode::kConfig, settings.init + " is a routed model; denoise before routing");
  }
  const Text text = read_text(settings);
  const Json record =
      run_record(settings, fingerprint_of(model_tensors(checkpoint.model)), text.fingerprint);
  const DenoisingOptions options{settings.mask_ratio,
                                 settings.span_mean,
                                 settings.permute_sentences,
                                 settings.max_length,
                                 settings.optimiser.batch_tokens,
                                 checkpoint.config().decoder_start_token_id};
  DenoisingStream stream(text.paragraphs, *checkpoint.tokenizer, options,
                         static_cast<uint64_t>(settings.optimiser.seed));
  checkpoint.model->to(device);
  cli::watch_stop_signals();
  Trainer trainer(
      checkpoint, stream,
      {settings.optimiser, settings.run, {}, device, &cli::stop_requested(), &processes, record},
      make_validator(checkpoint, text.held_out, options));
  if (flags.dry_run) {
    cli::write_output(plan_of(trainer, checkpoint, text, stream, settings).dump(2) + "\n");
    return 0;
  }
  if (flags.resume && std::filesystem::exists(last)) trainer.resume();
  if (trainer.done()) {
    spdlog::info("{} is finished: all of its {} steps are done", settings.run.output,
                 trainer.steps());
    return 0;
  }
  if (trainer.run()) return 0;
  spdlog::warn("stopped at step {}; go on with --resume", trainer.steps_done());
  return static_cast<int>(ExitCode::kStopped);
}

}  // namespace

void add_pretrain_command(CLI::App& app, int& status) {
  auto flags = std::make_shared<PretrainFlags>();
  CLI::App* command =
      app.add_subcommand("pretrain", "denoise plain text: infilling, permuted sentences");
  command->add_option("config", flags->config, "settings file (TOML), see configs/");
  command->add_option("--set", flags->overrides, "override a setting: key=value")->take_all();
  command->add_option("--device", flags->device, "cpu, cuda or cuda:N")->capture_default_str();
  command->add_flag("--resume", flags->resume, "go on from the run's last/");
  command->add_flag("--dry-run", flags->dry_run, kDryRunHelp);
  command->add_flag("--settings", flags->reference, "print every setting, its default and meaning");
  command->footer(
      "Example:\n"
      "  trivium pretrain configs/pretrain_small.toml --set model.init=runs/minilm\n"
      "      --set run.output=runs/denoised");
  command->callback([flags, &status] {
    if (!flags->reference && flags->config.empty()) {
      throw Error(ExitCode::kUsage, "name a settings file: trivium pretrain configs/FILE.toml");
    }
    status = run_pretrain(*flags);
  });
}

}  // namespace trivium::learning
