// Texts ranked as answers to a prompt.
#pragma once

#include <string>
#include <vector>

#include "cli/terminal/terminal_text.h"
#include "core/inference/text_generator.h"

namespace trivium::cli {

struct RankedOption {
  std::string text;
  double log_likelihood = 0;
  double share = 0;  // of the likelihood of all options together
};

struct OptionRanking {
  std::vector<RankedOption> options;  // the likeliest first; empty after a stop
  bool truncated = false;             // of the prompt, or of an option, not all was read
};

OptionRanking rank_options(TextGenerator& generator, const Prompt& prompt,
                           const std::vector<std::string>& options);

// "positive 0.93, negative 0.07", the first few.
std::string ranking_in_words(const OptionRanking& ranking);
// A line for each option: its share, as a number and a bar, its log-likelihood, its text.
std::string ranking_picture(const OptionRanking& ranking, const TerminalStyle& style);

}  // namespace trivium::cli
