#include "core/generation/continuous_search.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"

namespace trivium {

void ContinuousSearch::add(std::shared_ptr<const SearchOptions> options, uint64_t draw,
                           HypothesisCallback on_end, const TokenCallback& on_token) {
  check_search_options(*options, decoder_.vocab_size());
  if (options->num_beams > 1) {
    add(beamed_source(std::move(options)), std::move(on_end));
    return;
  }
  ChosenCallback on_chosen;
  if (on_token) {
    on_chosen = [source = num_sources_, on_token](const ChosenToken& token) {
      return on_token(source, token);
    };
  }
  add(greedy_source(std::move(options), draw, std::move(on_chosen)), std::move(on_end));
}

void ContinuousSearch::add(std::unique_ptr<SourceSearch> search, HypothesisCallback on_end) {
  waiting_.push_back({num_sources_++, std::move(search), std::move(on_end)});
}

void ContinuousSearch::cancel(int64_t source) {
  const auto is_it = [&](const Active& active) { return active.source == source; };
  const auto active = std::find_if(active_.begin(), active_.end(), is_it);
  if (active != active_.end()) active->is_cancelled = true;
  const auto waiting = std::find_if(waiting_.begin(), waiting_.end(), is_it);
  if (waiting != waiting_.end()) waiting->is_cancelled = true;
}

// Takes the rows of cancelled sources out of what the next step goes on with.
void ContinuousSearch::drop_cancelled() {
  auto rows_begin = parents_.begin();
  for (const Active& active : active_) {
    const auto rows_end = rows_begin + static_cast<int64_t>(active.search->num_rows());
    rows_begin = active.is_cancelled ? parents_.erase(rows_begin, rows_end) : rows_end;
  }
  std::erase_if(active_, [](const Active& active) { return active.is_cancelled; });
}

bool ContinuousSearch::step() {
  drop_cancelled();
  take_in();
  if (active_.empty()) return false;
  prepare_rows();
  run_decoder();
  advance();
  return true;
}

// How many rows of new sources stand behind the others in the decoder. At its start a decoder has
// filled its places by itself.
int64_t ContinuousSearch::new_rows() {
  const bool is_first = !has_begun_;
  has_begun_ = true;
  if (is_first && decoder_.rows() > 0) return decoder_.rows();
  if (!is_first && (!active_.empty() || decoder_.waiting() > 0)) {
    select_rows_if_changed(decoder_, parents_);
  }
  return decoder_.waiting() > 0 ? decoder_.admit() : 0;
}

void ContinuousSearch::take_in() {
  for (int64_t count = new_rows(); count > 0; --count) {
    check(!waiting_.empty(), "every source of a decoder has its search");
    active_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
}

// Each row's last token and the rules for its next.
void ContinuousSearch::prepare_rows() {
  tokens_.clear();
  outputs_.clear();
  for (const Active& active : active_) {
    LogitsProcessor& processor = active.search->processor();
    for (size_t row = 0; row < active.search->num_rows(); ++row) {
      const std::span<const int32_t> ids = active.search->ids(row);
      processor.process(ids);
      if (banned_.size() == tokens_.size()) banned_.emplace_back();
      banned_[tokens_.size()].assign(processor.banned().begin(), processor.banned().end());
      tokens_.push_back(ids.back());
      outputs_.emplace_back().forced = processor.forced();
    }
  }
  for (size_t row = 0; row < outputs_.size(); ++row) outputs_[row].banned = banned_[row];
}

// The logits of the whole vocabulary are asked for only where a source reads them.
void ContinuousSearch::run_decoder() {
  int most = 0;
  bool whole = false;
  for (const Active& active : active_) {
    most = std::max(most, active.search->candidates());
    whole = whole || active.search->reads_logits();
  }
  if (!whole) {
    const auto scans = decoder_.step_scan(tokens_, most, std::span(banned_).first(tokens_.size()));
    for (size_t row = 0; row < outputs_.size(); ++row) outputs_[row].scan = &scans[row];
    return;
  }
  const std::span<const float> logits = decoder_.step(tokens_);
  const auto width = static_cast<size_t>(decoder_.vocab_size());
  scans_.resize(std::max(scans_.size(), tokens_.size()));
  size_t row = 0;
  for (const Active& active : active_) {
    for (size_t own = 0; own < active.search->num_rows(); ++own, ++row) {
      RowOutput& output = outputs_[row];
      output.logits = logits.subspan(row * width, width);
      if (active.search->reads_logits()) continue;
      scans_[row].begin(active.search->candidates());
      scans_[row].read(output.logits, output.banned);
      output.scan = &scans_[row];
    }
  }
}

// Sources that end leave.
void ContinuousSearch::advance() {
  parents_.clear();
  size_t row = 0;
  for (Active& active : active_) {
    const size_t rows = active.search->num_rows();
    own_parents_.clear();
    active.search->advance(std::span(outputs_).subspan(row, rows), own_parents_);
    for (const int32_t parent : own_parents_) {
      parents_.push_back(static_cast<int32_t>(row) + parent);
    }
    row += rows;
    if (active.search->num_rows() == 0) {
      active.on_end(active.source, active.search->take_hypothesis());
    }
  }
  std::erase_if(active_, [](const Active& active) { return active.search->num_rows() == 0; });
}

}  // namespace trivium
