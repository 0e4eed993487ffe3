#include "core/tokenizers/sentencepiece_charsmap.h"

#include <cstddef>
#include <cstdint>

#include "core/tokenizers/model_file.h"

namespace trivium {
namespace {

// Field numbers of sentencepiece_model.proto.
constexpr uint64_t kNormalizerSpec = 3, kDenormalizerSpec = 5;  // of ModelProto
constexpr uint64_t kPrecompiledCharsmap = 2;                    // of NormalizerSpec

// Reads the fields of one protocol-buffer message in order.
class FieldReader {
 public:
  FieldReader(std::string_view message, const std::string& where) : rest_(message), where_(where) {}

  struct Field {
    uint64_t number = 0;
    std::string_view bytes;  // of a length-delimited field; of others, empty
  };

  // False at the end of the message.
  bool next(Field& field) {
    if (rest_.empty()) return false;
    const uint64_t tag = varint();
    field = {tag >> 3, {}};
    switch (tag & 7) {
      case 0:
        varint();
        break;
      case 1:
        take(8);
        break;
      case 2:
        field.bytes = take(varint());
        break;
      case 5:
        take(4);
        break;
      default:
        fail();  // the groups of old versions, which the format does not use
    }
    return true;
  }

 private:
  [[noreturn]] void fail() { throw_bad_model(where_, "not a sentencepiece model"); }

  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1)[0]);
      value |= uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return value;
    }
    fail();
  }

  std::string_view take(uint64_t count) {
    if (count > rest_.size()) fail();
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }

  std::string_view rest_;
  const std::string& where_;
};

uint32_t little_endian(std::string_view bytes, size_t position) {
  const auto byte = [&](size_t i) { return uint32_t{static_cast<unsigned char>(bytes[i])}; };
  return byte(position) | byte(position + 1) << 8 | byte(position + 2) << 16 |
         byte(position + 3) << 24;
}

// <size of the trie, 4 bytes> <trie: units of 4 bytes> <zero-terminated replacements>
bool is_sound_charsmap(std::string_view charsmap) {
  if (charsmap.empty()) return true;
  if (charsmap.size() < 4 || charsmap.back() != '\0') return false;
  const size_t trie_bytes = little_endian(charsmap, 0);
  if (trie_bytes >= charsmap.size() - 4) return false;
  const std::string_view trie = charsmap.substr(4, trie_bytes);
  const size_t replacements = charsmap.size() - 4 - trie_bytes;
  const size_t count = trie_bytes / 4;
  if (count == 0) return false;
  for (size_t i = 0; i < count; ++i) {
    // A unit of Darts-clone: label in bits 0-7, "has a value" bit 8, offset in bits 10-30, scaled
    // by 256 where bit 9 is set; bit 31 marks a value, which no walk takes for a node.
    const uint32_t unit = little_endian(trie, i * 4);
    if (i > 0 && unit >> 31) continue;  // the root is read without a look at its label
    const size_t children = i ^ (size_t{unit} >> 10 << (unit & 0x200 ? 8 : 0));
    if ((children | 0xFF) >= count) return false;
    const bool has_value = unit & 0x100;
    if (has_value && (little_endian(trie, children * 4) & 0x7FFFFFFF) >= replacements) return false;
  }
  return true;
}

}  // namespace

void check_charsmap(std::string_view model, const std::string& where) {
  FieldReader fields(model, where);
  for (FieldReader::Field field; fields.next(field);) {
    if (field.number != kNormalizerSpec && field.number != kDenormalizerSpec) continue;
    FieldReader spec(field.bytes, where);
    for (FieldReader::Field part; spec.next(part);) {
      if (part.number == kPrecompiledCharsmap && !is_sound_charsmap(part.bytes)) {
        throw_bad_model(where, "the model's normalisation table is damaged");
      }
    }
  }
}

}  // namespace trivium
