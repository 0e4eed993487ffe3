#include "core/tokenizers/sentencepiece_training.h"

#include <sentencepiece_trainer.h>

#include <fstream>
#include <optional>
#include <string_view>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/text.h"

namespace trivium {
namespace {

constexpr size_t kMostBytes = 4096;  // of a sentence; the library drops longer ones

// How much of a text that is longer makes a sentence: up to its last space, or to a character.
size_t sentence_end(std::string_view text) {
  const size_t space = text.rfind(' ', kMostBytes);
  if (space != std::string_view::npos && space > 0) return space;
  size_t end = kMostBytes;
  while (end > 1 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return end;
}

// The corpus's lines, for a library that wants to pull them. A long line comes as several
// sentences; the space between two of them is what the library puts before each.
class CorpusLines : public sentencepiece::SentenceIterator {
 public:
  explicit CorpusLines(const std::filesystem::path& path)
      : path_(path), stream_(path, std::ios::binary) {
    if (!stream_ || std::filesystem::is_directory(path)) {
      throw Error(ExitCode::kMissingInput, "cannot read the corpus " + path.string());
    }
    Next();
  }

  bool done() const override { return done_; }
  const std::string& value() const override { return sentence_; }
  sentencepiece::util::Status status() const override { return {}; }

  void Next() override {
    if (begin_ >= text_.size()) {
      const std::optional<LineReader::Line> line = reader_.next();
      done_ = !line;
      if (done_) return;
      if (line->truncated) {
        throw Error(ExitCode::kBadData, reader_.place(*line) + ": the line is longer than 1 GiB");
      }
      text_ = replace_invalid_utf8(line->text);
      begin_ = 0;
    }
    const std::string_view rest = std::string_view(text_).substr(begin_);
    sentence_ = rest.size() > kMostBytes ? rest.substr(0, sentence_end(rest)) : rest;
    begin_ += sentence_.size();
    if (begin_ < text_.size() && text_[begin_] == ' ') ++begin_;
  }

 private:
  std::filesystem::path path_;
  std::ifstream stream_;
  LineReader reader_{stream_, path_.string(), size_t{1} << 30};
  std::string text_;      // a line
  size_t begin_ = 0;      // of what is left of it
  std::string sentence_;  // what was taken of it
  bool done_ = false;
};

}  // namespace

void train_sentencepiece(const std::filesystem::path& corpus, const std::filesystem::path& folder,
                         int32_t vocab_size) {
  std::filesystem::create_directories(folder);  // before the work whose result it is to hold
  CorpusLines lines(corpus);
  std::string model;
  const auto status = sentencepiece::SentencePieceTrainer::Train(
      {{"model_type", "unigram"},
       {"vocab_size", std::to_string(vocab_size)},
       {"hard_vocab_limit", "false"},  // a small corpus makes a small vocabulary, not an error
       {"normalization_rule_name", "identity"},
       {"remove_extra_whitespaces", "false"},
       {"byte_fallback", "true"},
       {"bos_id", "0"},
       {"pad_id", "1"},
       {"eos_id", "2"},
       {"unk_id", "3"},
       {"control_symbols", "<mask>"},
       {"max_sentence_length", std::to_string(kMostBytes)},
       {"num_threads", "4"},  // fixed: sums of floating-point numbers depend on it
       {"minloglevel", "2"}},
      &lines, &model);
  if (!status.ok()) {
    throw Error(ExitCode::kBadData, "cannot train a sentencepiece model on " + corpus.string() +
                                        ": " + status.ToString());
  }
  write_file_atomically(folder / "spiece.model", model);
}

}  // namespace trivium
