// A classifier as a checkpoint folder, its start from a BERT-family folder, and its copies for one
// task.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "core/tokenizers/tokenizer.h"
#include "learning/examples/labelled_task.h"
#include "learning/model/encoder_classifier.h"
#include "learning/storage/checkpoint.h"

namespace trivium::learning {

struct ClassifierCheckpoint {
  ModelConfig config;
  std::vector<LabelledTaskInfo> tasks;  // in the order of the model's heads and gates
  EncoderClassifier model{nullptr};
  std::shared_ptr<Tokenizer> tokenizer;

  // Error kMissingInput, with the nearest names, for a task that is not there.
  int64_t index_of(const std::string& name) const;
};

struct ClassifierOptions {
  int64_t encoder_layers = 0;  // the first so many of the folder's; 0: all
  TokenExpertConfig token_experts;
  uint64_t seed = 42;  // of the heads and the gates
};

// The encoder of a BERT or MiniLM folder with a head of N(0, 0.02) for every task, and, where the
// options ask for feed-forward experts, copies of every feed-forward part and new gates
// (docs/spec/mt_tag.md, section 2). Hidden states are BERT's, for pairs too; the pooler is left
// out. Error kMissingInput, kBadModel, and kUsage for more layers than there are.
ClassifierCheckpoint import_classifier(const std::filesystem::path& folder,
                                       const std::vector<LabelledTaskInfo>& tasks,
                                       const ClassifierOptions& options);

// A copy that knows one task only: the encoder and its experts as they are; the gates of row
// `gate_row` (ignored by a shared gate), or new ones; the task's own head where the original has
// that task, else a new one.
ClassifierCheckpoint single_task_copy(const ClassifierCheckpoint& original,
                                      const LabelledTaskInfo& task, std::optional<int64_t> gate_row,
                                      uint64_t seed);

// Writes and reads the folder as save_checkpoint and load_checkpoint do (the same errors); the
// tasks are in classifier.json.
void save_classifier(const ClassifierCheckpoint& checkpoint, const std::filesystem::path& folder,
                     const SaveOptions& options = {});
ClassifierCheckpoint load_classifier(const std::filesystem::path& folder,
                                     Verify verify = Verify::kChecksums);

}  // namespace trivium::learning
