#include "cli/repl/option_ranking.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace trivium::cli {
namespace {

constexpr size_t kShownInWords = 5;
constexpr size_t kBarColumns = 20;

std::string bar(double share, const TerminalStyle& style) {
  const auto columns = static_cast<size_t>(std::lround(share * kBarColumns));
  std::string text;
  for (size_t i = 0; i < kBarColumns; ++i) {
    const bool full = i < columns;
    text += style.utf8 ? (full ? "█" : "·") : (full ? "#" : ".");
  }
  return text;
}

}  // namespace

OptionRanking rank_options(TextGenerator& generator, const Prompt& prompt,
                           const std::vector<std::string>& options) {
  const OptionScores scored = generator.score({prompt}, {options}).at(0);
  OptionRanking ranking;
  ranking.truncated = scored.truncated;
  if (scored.log_likelihoods.empty()) return ranking;
  const double best =
      *std::max_element(scored.log_likelihoods.begin(), scored.log_likelihoods.end());
  double total = 0;
  for (size_t i = 0; i < options.size(); ++i) {
    const double likelihood = std::exp(scored.log_likelihoods[i] - best);
    ranking.options.push_back({options[i], scored.log_likelihoods[i], likelihood});
    total += likelihood;
  }
  for (RankedOption& option : ranking.options) option.share /= total;
  std::stable_sort(ranking.options.begin(), ranking.options.end(),
                   [](const auto& a, const auto& b) { return a.share > b.share; });
  return ranking;
}

std::string ranking_in_words(const OptionRanking& ranking) {
  std::string text;
  for (size_t i = 0; i < std::min(kShownInWords, ranking.options.size()); ++i) {
    char share[16];
    std::snprintf(share, sizeof share, " %.2f", ranking.options[i].share);
    text += (i > 0 ? ", " : "") + ranking.options[i].text + share;
  }
  if (ranking.options.size() > kShownInWords) {
    text += ", " + std::to_string(ranking.options.size() - kShownInWords) + " more";
  }
  return text;
}

std::string ranking_picture(const OptionRanking& ranking, const TerminalStyle& style) {
  constexpr size_t kHeadColumns = 38;
  char head[64];
  std::snprintf(head, sizeof head, "%5s  %-20s%9s  ", "share", "", "log-lik.");
  std::string text = paint(std::string(head) + "answer", Ink::kDim, style) + '\n';
  for (const RankedOption& option : ranking.options) {
    char share[16], likelihood[32];
    std::snprintf(share, sizeof share, "%5.2f  ", option.share);
    std::snprintf(likelihood, sizeof likelihood, "%9.2f  ", option.log_likelihood);
    std::string shown = sanitise(option.text);
    std::replace(shown.begin(), shown.end(), '\n', ' ');
    const size_t room = style.width > kHeadColumns + 8 ? style.width - kHeadColumns : 8;
    text += share + paint(bar(option.share, style), Ink::kAccent, style) + likelihood +
            cut(shown, room, style) + '\n';
  }
  return text;
}

}  // namespace trivium::cli
