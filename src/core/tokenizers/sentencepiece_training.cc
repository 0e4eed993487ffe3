#include "core/tokenizers/sentencepiece_training.h"

#include <sentencepiece_trainer.h>

#include <fstream>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/text.h"

namespace trivium {
namespace {

// The corpus's lines, for a library that wants to pull them.
class CorpusLines : public sentencepiece::SentenceIterator {
 public:
  explicit CorpusLines(const std::filesystem::path& path) : stream_(path, std::ios::binary) {
    if (!stream_ || std::filesystem::is_directory(path)) {
      throw Error(ExitCode::kMissingInput, "cannot read the corpus " + path.string());
    }
    Next();
  }

  bool done() const override { return done_; }
  const std::string& value() const override { return line_; }
  sentencepiece::util::Status status() const override { return {}; }

  void Next() override {
    if (auto line = reader_.next()) {
      line_ = replace_invalid_utf8(line->text);
    } else {
      done_ = true;
    }
  }

 private:
  std::ifstream stream_;
  LineReader reader_{stream_};
  std::string line_;
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
