#include "cli/repl/answer_stream.h"

#include <algorithm>

namespace trivium::cli {
namespace {

constexpr size_t kLongestWord = 32;  // bytes; beyond them a text without spaces flows too

}  // namespace

size_t settled_bytes(std::string_view text) {
  const size_t space = text.find_last_of(" \n\t");
  size_t settled = space == std::string_view::npos ? 0 : space;
  if (text.size() > kLongestWord) settled = std::max(settled, text.size() - kLongestWord);
  const auto in_character = [&](size_t i) {
    return i > 0 && i < text.size() && (static_cast<unsigned char>(text[i]) & 0xC0) == 0x80;
  };
  while (in_character(settled)) --settled;
  return settled;
}

void AnswerStream::update(const std::string& text) {
  const std::string safe = sanitise(text);
  const size_t settled = settled_bytes(safe);
  if (settled <= printed_.size() || !safe.starts_with(printed_)) return;
  print(std::string_view(safe).substr(printed_.size(), settled - printed_.size()));
  printed_ = safe.substr(0, settled);
}

void AnswerStream::finish(const std::string& text) {
  const std::string safe = sanitise(text);
  if (!safe.starts_with(printed_)) {
    out_ << '\n';
    printed_.clear();
  }
  print(std::string_view(safe).substr(printed_.size()));
  out_ << '\n' << std::flush;
}

void AnswerStream::print(std::string_view part) {
  out_ << paint(part, Ink::kBold, style_) << std::flush;
}

}  // namespace trivium::cli
