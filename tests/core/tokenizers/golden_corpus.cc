#include "core/tokenizers/golden_corpus.h"

#include "core/base/file.h"
#include "core/tokenizers/unicode.h"

namespace trivium {
namespace {

void append_scalar(std::string& text, uint32_t code_point) {
  append_utf8(text, code_point >= 0xD800 && code_point <= 0xDFFF ? 0xFFFD : code_point);
}

// 256 code points in a row, every second one after a letter and every fourth before a digit.
std::string sweep_line(int number) {
  std::string line;
  const auto first = static_cast<uint32_t>(number) * 256;
  for (uint32_t code_point = first; code_point < first + 256; ++code_point) {
    line += code_point % 2 ? 'a' : ' ';
    append_scalar(line, code_point);
    if (code_point % 4 == 0) line += '1';
  }
  return line;
}

}  // namespace

GoldenCorpus::GoldenCorpus() : tables_(read_json_file(golden_folder() / "corpus.json")) {
  tables_.at("separators").get_to(separators_);
  tables_.at("words").get_to(words_);
  tables_.at("bases").get_to(bases_);
  tables_.at("blocks").get_to(blocks_);
  tables_.at("marks").get_to(marks_);
}

std::string GoldenCorpus::line(int number) const {
  return number < kRandomLines ? random_line(number) : sweep_line(number - kRandomLines);
}

std::string GoldenCorpus::random_line(int number) const {
  GoldenRandom random(static_cast<uint64_t>(number));
  const uint32_t kind = random.below(6);
  std::string line;
  for (uint32_t part = random.below(14); part > 0; --part) {
    if (kind == 0) {
      const uint32_t plane = random.below(17) * 65536;
      append_scalar(line, plane + random.below(65536));
      line += random.choice(separators_);
    } else if (kind == 1) {
      line += random.choice(words_) + " ";
    } else if (kind == 2) {
      line += random.choice(words_);
      line += random.choice(separators_);
    } else if (kind == 3) {
      const std::vector<uint32_t>& block = random.choice(blocks_);
      for (uint32_t i = 1 + random.below(6); i > 0; --i) {
        append_scalar(line, block[0] + random.below(block[1]));
      }
    } else if (kind == 4) {
      line += random.choice(bases_);
      for (uint32_t i = random.below(6); i > 0; --i) append_scalar(line, random.choice(marks_));
    } else {
      const std::string& word = random.choice(words_);
      for (uint32_t i = 1 + random.below(20); i > 0; --i) line += word;
      line += random.choice(separators_);
    }
  }
  return line;
}

std::string GoldenCorpus::english_line(int number) const {
  constexpr uint32_t kEnglishWords = 300;  // corpus.json begins with them
  GoldenRandom random(static_cast<uint64_t>(number));
  std::string line = words_[random.below(kEnglishWords)];
  for (int i = 1; i < 10; ++i) line += " " + words_[random.below(kEnglishWords)];
  return line;
}

std::vector<int32_t> GoldenCorpus::id_list(int number, int32_t vocab_size,
                                           const std::vector<int32_t>& frequent) {
  GoldenRandom random(static_cast<uint64_t>(number));
  std::vector<int32_t> ids(random.below(25));
  for (int32_t& id : ids) {
    id = random.below(2) ? random.choice(frequent)
                         : static_cast<int32_t>(random.below(static_cast<uint32_t>(vocab_size)));
  }
  return ids;
}

std::filesystem::path golden_folder() {
  return std::filesystem::path(TRIVIUM_TEST_DATA) / "tokenizers";
}

uint32_t hash_bytes(std::string_view bytes) {
  uint32_t hash = 2166136261;  // FNV-1a
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619;
  return hash;
}

uint32_t hash_ids(const std::vector<int32_t>& ids) {
  std::string bytes;
  for (const int32_t id : ids) {
    for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(id >> shift & 0xFF);
  }
  return hash_bytes(bytes);
}

std::vector<uint32_t> read_hashes(const std::filesystem::path& path) {
  const std::string bytes = read_file(path);
  std::vector<uint32_t> hashes(bytes.size() / 4);
  for (size_t i = 0; i < hashes.size() * 4; ++i) {
    hashes[i / 4] |= uint32_t{static_cast<unsigned char>(bytes[i])} << (i % 4 * 8);
  }
  return hashes;
}

std::filesystem::path shared_vocab() {
  return std::filesystem::path(TRIVIUM_SOURCE_DIR).parent_path() / "shared" / "vocab";
}

std::string random_bytes(GoldenRandom& random, int count) {
  std::string bytes;
  for (int i = 0; i < count; ++i) bytes += static_cast<char>(random.below(256));
  return bytes;
}

std::string random_text(GoldenRandom& random, int count) {
  // Code points of one, two, three and four bytes are equally frequent.
  static const std::vector<uint32_t> kEnds = {0x80, 0x800, 0x10000, 0x110000};
  std::string text;
  for (int i = 0; i < count; ++i) append_scalar(text, random.below(random.choice(kEnds)));
  return text;
}

std::string damaged(GoldenRandom& random, std::string bytes) {
  const auto size = static_cast<uint32_t>(bytes.size());
  for (uint32_t i = 1 + random.below(8); i > 0; --i) {
    bytes[random.below(size)] = static_cast<char>(random.below(256));
  }
  if (random.below(8) == 0) bytes.resize(random.below(size));
  return bytes;
}

}  // namespace trivium
