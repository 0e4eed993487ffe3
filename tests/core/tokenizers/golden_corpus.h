// The corpus of tools/make_tokenizer_golden.py, generated again from the same random numbers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/json.h"

namespace trivium {

// Knuth's MMIX linear congruential generator; the upper 31 bits.
class GoldenRandom {
 public:
  explicit GoldenRandom(uint64_t seed) : state_(seed) {}
  uint32_t below(uint32_t bound) {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<uint32_t>(state_ >> 33) % bound;
  }
  template <typename T>
  const T& choice(const std::vector<T>& items) {
    return items[below(static_cast<uint32_t>(items.size()))];
  }

 private:
  uint64_t state_;
};

class GoldenCorpus {
 public:
  static constexpr int kRandomLines = 20480;
  static constexpr int kSweepLines = 4352;
  static constexpr int kLines = kRandomLines + kSweepLines;
  static constexpr int kDecodedLists = 2048;

  GoldenCorpus();

  // Line `number` of kLines: random text of six kinds, then every code point of all 17 planes.
  std::string line(int number) const;

  // Ten common English words, the same for the same number.
  std::string english_line(int number) const;

  // List `number` of kDecodedLists: random ids, half of them `frequent` ones.
  static std::vector<int32_t> id_list(int number, int32_t vocab_size,
                                      const std::vector<int32_t>& frequent);

  // corpus.json
  const Json& tables() const { return tables_; }

 private:
  std::string random_line(int number) const;

  Json tables_;
  std::vector<std::string> separators_, words_, bases_;
  std::vector<std::vector<uint32_t>> blocks_;  // {first code point, count}
  std::vector<uint32_t> marks_;
};

std::filesystem::path golden_folder();

uint32_t hash_bytes(std::string_view bytes);
uint32_t hash_ids(const std::vector<int32_t>& ids);

// The little-endian 32-bit numbers of a .hashes file.
std::vector<uint32_t> read_hashes(const std::filesystem::path& path);

// A sibling of the repository with vocabularies that it may not hold; it may be absent.
std::filesystem::path shared_vocab();

// `count` random bytes, or a random text of valid UTF-8 with `count` code points.
std::string random_bytes(GoldenRandom& random, int count);
std::string random_text(GoldenRandom& random, int count);

// `bytes` with up to eight of them changed and, now and then, the end cut off.
std::string damaged(GoldenRandom& random, std::string bytes);

}  // namespace trivium
