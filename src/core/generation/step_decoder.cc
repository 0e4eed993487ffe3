#include "core/generation/step_decoder.h"

#include <stdexcept>

namespace trivium {

// NOLINTNEXTLINE(performance-unnecessary-value-param): the decoders that can keep the ids.
void StepDecoder::add_source(std::vector<int32_t> /*ids*/, const TaskRoute* /*route*/) {
  throw std::logic_error("this decoder has its sources from the start");
}

std::span<const LogitScan> StepDecoder::step_scan(std::span<const int32_t> tokens, int count,
                                                  std::span<const std::vector<int32_t>> banned) {
  const std::span<const float> logits = step(tokens);
  const auto width = static_cast<size_t>(vocab_size());
  scans_.resize(tokens.size());
  for (size_t row = 0; row < tokens.size(); ++row) {
    scans_[row].begin(count);
    scans_[row].read(logits.subspan(row * width, width), banned[row]);
  }
  return scans_;
}

}  // namespace trivium
