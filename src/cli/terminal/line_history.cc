#include "cli/terminal/line_history.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "cli/terminal/terminal_text.h"
#include "core/base/file.h"

namespace trivium::cli {
namespace {

constexpr size_t kMaxLines = 2000;
constexpr size_t kMaxLineBytes = size_t{1} << 16;

}  // namespace

LineHistory::LineHistory(std::filesystem::path file) : file_(std::move(file)) {
  if (file_.empty()) return;
  const mode_t old_mask = ::umask(077);
  try {
    std::filesystem::create_directories(file_.parent_path());
    if (std::filesystem::exists(file_)) load();
  } catch (const std::exception& e) {
    problem_ = std::string("no history is kept: ") + e.what();
    file_.clear();
  }
  ::umask(old_mask);
}

void LineHistory::load() {
  using std::filesystem::perms;
  std::filesystem::permissions(file_, perms::owner_read | perms::owner_write);
  std::ifstream stream(file_, std::ios::binary);
  LineReader reader(stream, file_.string(), kMaxLineBytes);
  size_t lines_read = 0;
  while (std::optional<LineReader::Line> line = reader.next()) {
    ++lines_read;
    if (!line->truncated && !line->text.empty()) lines_.push_back(sanitise(line->text));
  }
  if (lines_read <= 2 * kMaxLines) return;
  lines_.erase(lines_.begin(), lines_.end() - std::min<int64_t>(kMaxLines, lines_.size()));
  std::string text;
  for (const std::string& line : lines_) text += line + '\n';
  write_file_atomically(file_, text);
}

void LineHistory::add(const std::string& line) {
  if (line.size() > kMaxLineBytes || (!lines_.empty() && lines_.back() == line)) return;
  lines_.push_back(line);
  if (file_.empty()) return;
  const int descriptor =
      ::open(file_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
  const std::string text = line + '\n';
  // One write, so that lines of sessions side by side stay whole.
  if (descriptor < 0 ||
      ::write(descriptor, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    problem_ = "no history is kept: cannot write " + file_.string() + ": " + std::strerror(errno);
    file_.clear();
  }
  if (descriptor >= 0) ::close(descriptor);
}

std::filesystem::path LineHistory::default_file() {
  const char* state = std::getenv("XDG_STATE_HOME");
  const char* home = std::getenv("HOME");
  if (state != nullptr && *state != '\0') {
    return std::filesystem::path(state) / "trivium" / "history";
  }
  if (home == nullptr || *home == '\0') return {};
  return std::filesystem::path(home) / ".local" / "state" / "trivium" / "history";
}

}  // namespace trivium::cli
