#include "core/data/text_features.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/base/hash.h"

namespace trivium {
namespace {

constexpr size_t kEndBytes = 300;
constexpr size_t kLongestRun = 4;
// What tells kinds of features apart.
enum class Kind : uint32_t { kRun = 1, kWord = 2, kPair = 3 };

Fnv1a hash_of(Kind kind) {
  Fnv1a hash;
  hash.add(static_cast<char>(kind));
  return hash;
}

// The upper bits, which hold more of the last bytes, mixed into the lower.
uint32_t mixed(const Fnv1a& hash) {
  return static_cast<uint32_t>(hash.value() ^ (hash.value() >> 29));
}

void add_features(std::string_view text, TextFeatures& result) {
  // The word that each byte is of, or that it stands before.
  std::vector<uint32_t> word_at(text.size() + 2);
  const size_t first = result.words.size();
  for (size_t begin = 0, end; begin < text.size(); begin = end) {
    end = begin + 1;
    const bool space = static_cast<unsigned char>(text[begin]) <= ' ';
    if (is_word_byte(text[begin])) {
      while (end < text.size() && is_word_byte(text[end])) ++end;
    }
    const auto word = static_cast<uint32_t>(result.words.size());
    std::fill(word_at.begin() + static_cast<std::ptrdiff_t>(begin) + 1,
              word_at.begin() + static_cast<std::ptrdiff_t>(end) + 1, word);
    if (!space) result.words.push_back(text.substr(begin, end - begin));
  }
  if (result.words.size() == first) return;
  const auto last = static_cast<uint32_t>(result.words.size() - 1);
  word_at.back() = last;
  const std::string padded = ' ' + std::string(text) + ' ';
  for (size_t i = 0; i < padded.size(); ++i) {
    Fnv1a run = hash_of(Kind::kRun);
    for (size_t length = 1; length <= kLongestRun && i + length <= padded.size(); ++length) {
      run.add(padded[i + length - 1]);
      result.features.push_back({mixed(run), std::min(word_at[i], last)});
    }
  }
  for (auto word = static_cast<uint32_t>(first); word <= last; ++word) {
    Fnv1a own = hash_of(Kind::kWord), pair = hash_of(Kind::kPair);
    own.add(result.words[word]);
    result.features.push_back({mixed(own), word});
    if (word == last) continue;
    pair.add(result.words[word]);
    pair.add(' ');
    pair.add(result.words[word + 1]);
    result.features.push_back({mixed(pair), word});
  }
}

}  // namespace

bool is_word_byte(char byte) {
  const auto c = static_cast<unsigned char>(byte);
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c >= 0x80;
}

TextFeatures features_of(std::string_view text) {
  TextFeatures result;
  if (text.size() <= 2 * kEndBytes) {
    add_features(text, result);
  } else {
    add_features(text.substr(0, kEndBytes), result);
    add_features(text.substr(text.size() - kEndBytes), result);
  }
  return result;
}

const FeatureCounter::Values& FeatureCounter::count(const TextFeatures& text) {
  values_.clear();
  for (const TextFeature& feature : text.features) {
    const uint32_t place = place_of(feature);
    if (counts_[place]++ == 0) values_.emplace_back(place, 0);
  }
  double squares = 0;
  for (auto& [place, value] : values_) {
    value = 1 + std::log(static_cast<float>(counts_[place]));
    squares += value * value;
    counts_[place] = 0;
  }
  const auto scale = static_cast<float>(1 / std::sqrt(std::max(squares, 1.0)));
  for (auto& [place, value] : values_) value *= scale;
  return values_;
}

}  // namespace trivium
