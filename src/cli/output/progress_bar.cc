#include "cli/output/progress_bar.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "cli/output/output.h"
#include "core/base/error.h"
#include "core/base/logging.h"
#include "core/text/display_text.h"

namespace trivium::cli {
namespace {

constexpr int64_t kBarWidth = 24;
constexpr const char* kClearLine = "\r\x1b[K";

}  // namespace

ProgressPlace standard_error_place() {
  ProgressPlace place;
  place.is_terminal = isatty(STDERR_FILENO) == 1;
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) place.width = size.ws_col;
  place.draw = write_aside;
  place.log_line = [](const std::string& line) { spdlog::info("{}", line); };
  return place;
}

ProgressBar::ProgressBar(int64_t total, ProgressPlace place)
    : total_(total), place_(std::move(place)) {
  check(total > 0, "a progress bar is of one step at least");
}

ProgressBar::~ProgressBar() { clear(); }

void ProgressBar::begin(int64_t done, std::string_view what) {
  if (place_.is_terminal) redraw(done, what);
}

void ProgressBar::report(int64_t done, const std::string& result) {
  if (place_.is_terminal) {
    redraw(done, result);
  } else {
    place_.log_line(std::to_string(done) + '/' + std::to_string(total_) + ' ' + result);
  }
}

void ProgressBar::clear() {
  if (std::exchange(stands_, false)) place_.draw(kClearLine);
}

void ProgressBar::keep() {
  if (std::exchange(stands_, false)) place_.draw("\n");
}

void ProgressBar::redraw(int64_t done, std::string_view text) {
  const auto filled =
      static_cast<size_t>(std::clamp(kBarWidth * done / total_, int64_t{0}, kBarWidth));
  const std::string line = '[' + std::string(filled, '=') + std::string(kBarWidth - filled, ' ') +
                           "] " + std::to_string(done) + '/' + std::to_string(total_) + ' ' +
                           sanitise(text);
  // A line that fills the last column would wrap on some terminals, and could not be taken away.
  place_.draw(kClearLine + std::string(fitting_prefix(line, place_.width - 1)));
  stands_ = true;
}

}  // namespace trivium::cli
