// Sources of one decoder searched together, each in a way of its own: one that ends leaves the
// batch and gives its place to one that waits (continuous batching).
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "core/generation/search.h"
#include "core/generation/source_search.h"
#include "core/generation/step_decoder.h"

namespace trivium {

class ContinuousSearch {
 public:
  explicit ContinuousSearch(StepDecoder& decoder) : decoder_(decoder) {}

  // Says how the decoder's next source is searched and who is told. The first call is for source 0;
  // every source that the decoder has, or waits in it, needs one before step(). `draw` is which of
  // the seed's streams of random numbers it samples with. Error kUsage for impossible options.
  void add(std::shared_ptr<const SearchOptions> options, uint64_t draw, HypothesisCallback on_end,
           const TokenCallback& on_token = nullptr);
  // The same for a search that is made already.
  void add(std::unique_ptr<SourceSearch> search, HypothesisCallback on_end);

  // Ends the search of a source, if it has not ended: it leaves before the next step, and nobody is
  // told. Where it waits for a place in the decoder, it gets that first.
  void cancel(int64_t source);

  // Takes sources that wait in the decoder into its free places and decodes one token of every row.
  // Returns false, with nothing done, where there is no source. Errors: kBadModel for logits that
  // are not finite, what the callbacks throw.
  bool step();

 private:
  struct Active {
    int64_t source = 0;
    std::unique_ptr<SourceSearch> search;
    HypothesisCallback on_end;
    bool is_cancelled = false;
  };

  void drop_cancelled();
  int64_t new_rows();
  void take_in();
  void prepare_rows();
  void run_decoder();
  void advance();

  StepDecoder& decoder_;
  bool has_begun_ = false;
  int64_t num_sources_ = 0;
  std::deque<Active> waiting_;  // in the decoder's order
  std::vector<Active> active_;  // in the order of their rows
  // Of the rows, in the order of their sources. What parents_ says is done before the next step.
  std::vector<int32_t> tokens_, parents_;
  std::vector<std::vector<int32_t>> banned_;  // may have more, from earlier steps
  std::vector<RowOutput> outputs_;
  std::vector<LogitScan> scans_;  // of rows whose source asks for no logits, beside one that does
  std::vector<int32_t> own_parents_;
};

}  // namespace trivium
