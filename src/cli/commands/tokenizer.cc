// trivium tokenizer: train a vocabulary, look at what a tokenizer does to text.
#include "core/tokenizers/tokenizer.h"

#include <charconv>
#include <iostream>
#include <memory>
#include <sstream>

#include "cli/commands/commands.h"
#include "cli/output/output.h"
#include "cli/program/given_paths.h"
#include "cli/program/json_flag.h"
#include "cli/program/model_flags.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/tokenizers/sentencepiece_training.h"

namespace trivium::cli {
namespace {

struct TokenizerFlags {
  std::string folder;
  bool pieces = false, json = false;
};

struct TrainingFlags {
  std::string corpus, folder;
  int32_t vocab_size = 8000;
};

void refuse_cut(const LineReader& lines, const LineReader::Line& line) {
  if (!line.truncated) return;
  throw Error(ExitCode::kBadData, lines.place(line) + ": the line is longer than 1 MiB; part it");
}

void encode_lines(const TokenizerFlags& flags) {
  const auto tokenizer = load_tokenizer(checkpoint_folder(flags.folder));
  LineReader lines(std::cin, "stdin");
  while (const auto line = lines.next()) {
    refuse_cut(lines, *line);
    const std::vector<int32_t> ids = tokenizer->encode(line->text);
    if (flags.json) {
      std::vector<std::string> tokens;
      for (const int32_t id : ids) tokens.push_back(tokenizer->token(id));
      write_output(to_json_line({{"ids", ids}, {"tokens", tokens}}) + '\n');
      continue;
    }
    std::string out;
    for (const int32_t id : ids) {
      if (!out.empty()) out += ' ';
      out += flags.pieces ? tokenizer->token(id) : std::to_string(id);
    }
    write_output(out + '\n');
  }
}

void decode_lines(const TokenizerFlags& flags) {
  const auto tokenizer = load_tokenizer(checkpoint_folder(flags.folder));
  LineReader lines(std::cin, "stdin");
  while (const auto line = lines.next()) {
    refuse_cut(lines, *line);
    std::istringstream in(line->text);
    std::vector<int32_t> ids;
    for (std::string word; in >> word;) {
      const char* const end = word.data() + word.size();
      const auto [rest, error] = std::from_chars(word.data(), end, ids.emplace_back());
      if (error == std::errc() && rest == end) {
        tokenizer->token(ids.back());  // refuses what is no token
        continue;
      }
      throw Error(ExitCode::kBadData,
                  lines.place(*line) + ": write token ids, numbers between spaces");
    }
    const std::string text = tokenizer->decode(ids);
    write_output((flags.json ? to_json_line({{"text", text}}) : text) + '\n');
  }
}

CLI::App* add_filter(CLI::App* command, const char* name, const char* help, const char* footer,
                     std::shared_ptr<TokenizerFlags> flags, void (*run)(const TokenizerFlags&)) {
  CLI::App* filter = command->add_subcommand(name, help);
  filter->add_option("--checkpoint", flags->folder,
                     "folder with the tokenizer's files [the checkpoint shipped in checkpoints/]");
  add_json_flag(*filter, flags->json, "a JSON object a line; an error is one too");
  filter->footer(footer);
  filter->callback([flags, run] {
    choose_broken_pipe(BrokenPipe::kEndsQuietly);
    run(*flags);
  });
  return filter;
}

}  // namespace

void add_tokenizer_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("tokenizer", "train, encode, decode");
  command->require_subcommand(1);
  command->footer("Example:\n  echo 'a gorgeous film' | trivium tokenizer encode --pieces");
  auto flags = std::make_shared<TokenizerFlags>();
  add_filter(command, "encode", "text lines on standard input to ids",
             "Example:\n  echo 'a gorgeous film' | trivium tokenizer encode --pieces", flags,
             encode_lines)
      ->add_flag("--pieces", flags->pieces, "print the tokens themselves");
  add_filter(command, "decode", "lines of ids on standard input to text",
             "Example:\n  echo 'a gorgeous film' | trivium tokenizer encode | trivium tokenizer "
             "decode",
             flags, decode_lines);
  auto training = std::make_shared<TrainingFlags>();
  CLI::App* train = command->add_subcommand("train", "a sentencepiece model from plain text");
  train->add_option("--input", training->corpus, "text file, a sentence a line")->required();
  train->add_option("--output", training->folder, "folder to write")->required();
  train->add_option("--vocab-size", training->vocab_size, "tokens")->capture_default_str();
  train->footer(
      "Nothing of the text is left out: a long line is read in parts.\n"
      "Example:\n  trivium tokenizer train --input text.txt --output runs/tokenizer");
  train->callback([training] {
    check_output_folder(training->folder, "--output");
    train_sentencepiece(training->corpus, training->folder, training->vocab_size);
  });
}

}  // namespace trivium::cli
