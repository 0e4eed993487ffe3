#include "learning/examples/perturbation.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <functional>
#include <utility>

#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/base/rng.h"
#include "core/base/text.h"

namespace trivium::learning {
namespace {

constexpr size_t kShortestWord = 4;
constexpr size_t kWordsPerTypo = 10;

constexpr std::array<std::pair<Perturbation, const char*>, 3> kNames{{
    {Perturbation::kTypos, "typos"},
    {Perturbation::kNegation, "negation"},
    {Perturbation::kParaphrase, "paraphrase"},
}};

// Short form, long form. "'s" is left out: it may be a possessive.
constexpr std::array<std::pair<const char*, const char*>, 16> kContractions{{
    {"can't", "cannot"},
    {"won't", "will not"},
    {"don't", "do not"},
    {"doesn't", "does not"},
    {"didn't", "did not"},
    {"isn't", "is not"},
    {"aren't", "are not"},
    {"wasn't", "was not"},
    {"weren't", "were not"},
    {"haven't", "have not"},
    {"hasn't", "has not"},
    {"couldn't", "could not"},
    {"wouldn't", "would not"},
    {"i'm", "i am"},
    {"they're", "they are"},
    {"you're", "you are"},
}};

bool is_letter(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; }

std::string with_typos(std::string text, const std::string& spared) {
  std::vector<std::pair<size_t, size_t>> words;  // of letters alone, [begin, end)
  for (size_t begin = 0; begin < text.size();) {
    size_t end = begin;
    while (end < text.size() && is_letter(text[end])) ++end;
    const std::string word = to_lower_ascii(text.substr(begin, end - begin));
    if (end - begin >= kShortestWord && (spared.empty() || !word.starts_with(spared))) {
      words.emplace_back(begin, end);
    }
    begin = std::max(end, begin + 1);
  }
  Rng rng(fnv1a(text));
  rng.shuffle(words);
  if (words.empty()) return text;
  words.resize(std::max<size_t>(1, words.size() / kWordsPerTypo));
  for (const auto& [begin, end] : words) {
    // Neither the first letter nor the last moves.
    const size_t at = begin + 1 + rng.below(end - begin - kShortestWord + 1);
    std::swap(text[at], text[at + 1]);
  }
  return text;
}

std::string with_negation(const std::string& text) {
  size_t end = text.find_last_not_of(" .");
  end = end == std::string::npos ? 0 : end + 1;
  return text.substr(0, end) + " and false is not true" + text.substr(end);
}

// Replaces whole words, keeping a capital at the beginning; all of them, or the first only.
bool replace_words(std::string& text, const std::string& from, const std::string& to, bool all) {
  bool replaced = false;
  for (size_t at = 0; (at = to_lower_ascii(text).find(from, at)) != std::string::npos;) {
    const bool starts = at == 0 || !is_letter(text[at - 1]);
    const size_t after = at + from.size();
    const bool ends = after == text.size() || !is_letter(text[after]);
    if (!starts || !ends) {
      ++at;
      continue;
    }
    const bool capital = std::isupper(static_cast<unsigned char>(text[at])) != 0;
    text.replace(at, from.size(), to);
    if (capital) text[at] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[at])));
    at += to.size();
    replaced = true;
    if (!all) break;
  }
  return replaced;
}

std::string with_paraphrase(std::string text) {
  bool written_out = false;
  for (const auto& [brief, full] : kContractions) {
    written_out = replace_words(text, brief, full, /*all=*/true) || written_out;
  }
  if (!written_out) {
    for (const auto& [brief, full] : kContractions) {
      if (replace_words(text, full, brief, /*all=*/false)) break;
    }
  }
  for (const std::string word : {" and ", " but ", " or "}) {
    for (const std::string comma : {",", " ,"}) {
      for (size_t at = 0; (at = text.find(comma + word)) != std::string::npos;) {
        text.replace(at, comma.size() + word.size(), word);
      }
    }
  }
  std::replace(text.begin(), text.end(), '!', '.');
  return text;
}

}  // namespace

Perturbation perturbation(const std::string& name) {
  for (const auto& [kind, known] : kNames) {
    if (name == known) return kind;
  }
  throw std::logic_error("no perturbation is named " + name);
}

std::vector<std::string> perturbation_names() {
  std::vector<std::string> names;
  for (const auto& [kind, name] : kNames) names.emplace_back(name);
  return names;
}

std::string perturbed(const std::string& text, Perturbation kind) {
  if (kind == Perturbation::kTypos) return with_typos(text, "");
  return kind == Perturbation::kNegation ? with_negation(text) : with_paraphrase(text);
}

LabelledRecord perturbed(const LabelledRecord& record, Perturbation kind) {
  LabelledRecord result = record;
  if (kind == Perturbation::kTypos) {
    const std::string spared = to_lower_ascii(record.word);
    result.first = with_typos(record.first, spared);
    if (!record.second.empty()) result.second = with_typos(record.second, spared);
  } else if (kind == Perturbation::kNegation) {
    std::string& last = record.second.empty() ? result.first : result.second;
    last = with_negation(last);
  } else {
    result.first = with_paraphrase(record.first);
    result.second = with_paraphrase(record.second);
  }
  return result;
}

}  // namespace trivium::learning
