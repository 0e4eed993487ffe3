// trivium import: a Hugging Face BART or BERT folder becomes a checkpoint.
#include <memory>

#include "cli/program/choice.h"
#include "cli/program/given_paths.h"
#include "core/base/error.h"
#include "core/base/logging.h"
#include "learning/commands/commands.h"
#include "learning/storage/hugging_face.h"

namespace trivium::learning {
namespace {

enum class Architecture { kBart, kBert };

struct ImportFlags {
  std::string from, output;
  Architecture architecture = Architecture::kBart;
  BertLayers bert;
  ExpertOptions options;
};

void run_import(const ImportFlags& flags) {
  cli::check_output_folder(flags.output, "--output");
  const Checkpoint checkpoint = flags.architecture == Architecture::kBart
                                    ? import_bart(flags.from, flags.options)
                                    : import_bert_as_seq2seq(flags.from, flags.bert, flags.options);
  save_checkpoint(checkpoint, flags.output);
  int64_t count = 0;
  for (const torch::Tensor& parameter : checkpoint.model->parameters()) count += parameter.numel();
  spdlog::info("wrote {} ({:.1f} M parameters)", flags.output, static_cast<double>(count) / 1e6);
}

}  // namespace

void add_import_command(CLI::App& app) {
  auto flags = std::make_shared<ImportFlags>();
  CLI::App* command = app.add_subcommand("import", "make a checkpoint of a Hugging Face folder");
  command
      ->add_option("--from", flags->from, "folder with config.json, *.safetensors, tokenizer files")
      ->required();
  command->add_option("--output", flags->output, "checkpoint folder to write")->required();
  cli::add_choice<Architecture>(
      *command, "--architecture", flags->architecture,
      {{"bart", Architecture::kBart}, {"bert", Architecture::kBert}},
      "bart, or bert: an encoder (MiniLM, BERT) whose layers also warm-start a decoder");
  command->add_option("--encoder-layers", flags->bert.encoder, "bert: encoder layers to take")
      ->capture_default_str();
  command->add_option("--decoder-layers", flags->bert.decoder, "bert: decoder layers to make")
      ->capture_default_str();
  cli::add_choice<DecoderStart>(
      *command, "--decoder-start", flags->bert.start,
      {{"mean", DecoderStart::kMean}, {"copy", DecoderStart::kCopy}},
      "bert: a decoder that begins with the mean of the encoder's states, or with copies of its "
      "layers");
  command
      ->add_option("--num-experts", flags->options.routing.num_experts,
                   "experts a pool, copied from the dense layers")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  command->add_option("--seed", flags->options.seed, "seed of router and noise")
      ->capture_default_str();
  command->footer(
      "Examples:\n"
      "  trivium import --from bart-base --output runs/bart_base\n"
      "  trivium import --architecture bert --from all-MiniLM-L6-v2 --output runs/minilm");
  command->callback([flags] { run_import(*flags); });
}

}  // namespace trivium::learning
