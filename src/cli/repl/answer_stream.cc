#include "cli/repl/answer_stream.h"

#include "core/inference/text_generator.h"

namespace trivium::cli {

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
