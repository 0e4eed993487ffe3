// Models in Hugging Face's format become trivium checkpoints.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "learning/storage/checkpoint.h"
#include "learning/storage/expert_copies.h"

namespace trivium::learning {

// A BART folder: config.json (and generation_config.json), model.safetensors or its shards with or
// without the prefix "model.", and the tokenizer's files. Error kMissingInput, kBadModel.
Checkpoint import_bart(const std::filesystem::path& folder, const ExpertOptions& options);

// What the layers of a decoder that no one has trained begin with.
enum class DecoderStart {
  // The encoder's layers, whose self-attention serves as cross-attention too.
  kCopy,
  // The mean of the encoder's states: attention to the source is even, its values go through as
  // they are, and all else of a layer adds nothing. A sentence encoder was trained to be read so.
  kMean,
};

// How many layers each stack takes from the BERT encoder (see evenly_spaced_layers), and how the
// decoder's begin.
struct BertLayers {
  int64_t encoder = 6;
  int64_t decoder = 2;
  DecoderStart start = DecoderStart::kMean;
};

// A BERT or MiniLM encoder folder becomes an encoder-decoder (docs/spec/parity.md, section 4).
// Encoder: the chosen layers as they are, token-type row 0 folded into the positions; with all
// layers its hidden states are BERT's. Decoder: a warm start from the chosen layers, whose
// self-attention serves as cross-attention too (so do their LayerNorms), with the encoder's
// embeddings, and the output tied to them; DecoderStart says what becomes of them. The decoder
// starts with [CLS], so that the first token it learns to write is the answer's.
Checkpoint import_bert_as_seq2seq(const std::filesystem::path& folder, const BertLayers& layers,
                                  const ExpertOptions& options);

// A BERT or MiniLM encoder without a decoder: its first `layers` layers (0: all) in trivium's
// names, the hidden states BERT's. Token-type row 0 is folded into the positions, and what row 1
// adds to it is "second_segment.weight". Error kUsage for more layers than there are.
struct BertEncoder {
  ModelConfig config;  // of decoder_layers 0
  NamedTensors tensors;
  std::shared_ptr<Tokenizer> tokenizer;
};
BertEncoder import_bert_encoder(const std::filesystem::path& folder, int64_t layers);

// `count` of the layers 0..available-1, evenly spaced, the last one among them: 2 of 6 are 2 and 5.
std::vector<int64_t> evenly_spaced_layers(int64_t count, int64_t available);

}  // namespace trivium::learning
