// A text as hashed features of a linear model.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace trivium {

// Whether words are made of it: ASCII letters, digits, and what is above 127.
bool is_word_byte(char byte);

// A feature at its place in a text: a word, a pair of neighbouring words, or one to four bytes.
struct TextFeature {
  uint32_t hash;
  uint32_t word;  // of TextFeatures::words, which it begins in or stands before
};

struct TextFeatures {
  std::vector<std::string_view> words;  // of the text, in order
  std::vector<TextFeature> features;
};

// Of a text of up to 600 bytes, and of the first and the last 300 of a longer one, whose question
// often comes last. The views are into `text`.
TextFeatures features_of(std::string_view text);

// The features of a text by their places in a table of a power of two: each once, its value
// 1 + log(count), scaled to a vector of length 1.
class FeatureCounter {
 public:
  explicit FeatureCounter(size_t places) : counts_(places) {}
  using Values = std::vector<std::pair<uint32_t, float>>;
  // Valid until the next call.
  const Values& count(const TextFeatures& text);
  uint32_t place_of(const TextFeature& feature) const {
    return feature.hash & static_cast<uint32_t>(counts_.size() - 1);
  }

 private:
  std::vector<uint16_t> counts_;
  Values values_;
};

}  // namespace trivium
