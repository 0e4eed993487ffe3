// The two ways to search; search() chooses between them once the options are checked.
#pragma once

#include "generation/search.h"

namespace trivium {

// Greedy search, or sampling.
std::vector<Hypothesis> greedy_search(StepDecoder& decoder, const SearchOptions& options,
                                      const TokenCallback& on_token);

std::vector<Hypothesis> beam_search(StepDecoder& decoder, const SearchOptions& options);

}  // namespace trivium
