// The two ways to search; search() chooses between them once the options are checked.
#pragma once

#include "core/generation/search.h"

namespace trivium {

// Greedy search, or sampling.
void greedy_search(StepDecoder& decoder, const SearchOptions& options,
                   const HypothesisCallback& on_end, const TokenCallback& on_token);

void beam_search(StepDecoder& decoder, const SearchOptions& options,
                 const HypothesisCallback& on_end);

}  // namespace trivium
