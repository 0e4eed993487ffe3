#include "cli/repl/several_lines.h"

#include <utility>

#include "core/base/error.h"
#include "core/base/text.h"

namespace trivium::cli {
namespace {

constexpr std::string_view kQuotes = "\"\"\"";
constexpr size_t kMaxBytes = size_t{1} << 20;

}  // namespace

std::optional<ReplLine> SeveralLines::add(std::string_view line) {
  if (text_.size() + line.size() > kMaxBytes) {
    drop();
    throw Error(ExitCode::kBadData, "a prompt of more than 1 MiB; shorten it");
  }
  const std::string_view bare = trim(line);
  if (!goes_on() && bare.starts_with(kQuotes)) {
    in_block_ = true;
    return add(bare.substr(kQuotes.size()));
  }
  if (in_block_) {
    const bool ends = bare.ends_with(kQuotes);
    if (ends) line = line.substr(0, line.rfind(kQuotes));
    text_ += std::string(line) + (ends ? "" : "\n");
    if (!ends) return std::nullopt;
    ReplLine block;
    block.prompt = replace_invalid_utf8(trim(text_));
    drop();
    return block;
  }
  is_continued_ = bare.ends_with('\\');
  if (is_continued_) {
    text_ += std::string(bare.substr(0, bare.size() - 1)) + '\n';
    return std::nullopt;
  }
  const std::string whole = std::exchange(text_, {}) + std::string(line);
  return parse_repl_line(whole);
}

}  // namespace trivium::cli
