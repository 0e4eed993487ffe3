#include "core/evaluation/answer_text.h"

#include <algorithm>
#include <map>

#include "core/base/json.h"
#include "core/base/text.h"
#include "core/metrics/normalization.h"

namespace trivium {
namespace {

// Whether vocabularies take such a character for a word of its own, so that they may lose the white
// space beside it.
bool stands_alone(CodePoint c) {
  return is_ascii_punctuation(static_cast<int32_t>(c)) || (c >= 0x2E80 && c < 0xAC00) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0xFF00 && c <= 0xFFEF);
}

CodePoint first_of(std::string_view text) {
  size_t position = 0;
  return next_code_point(text, position);
}

CodePoint last_of(std::string_view text) {
  size_t begin = text.size() - 1;
  while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) --begin;
  return first_of(text.substr(begin));
}

}  // namespace

std::string comparable(const std::string& text) {
  std::string joined;
  for (const std::string& word :
       split_on_white_space(to_lower_unicode(replace_invalid_utf8(text)))) {
    if (!joined.empty() && !stands_alone(last_of(joined)) && !stands_alone(first_of(word))) {
      joined += ' ';
    }
    joined += word;
  }
  return joined;
}

std::string accepted_form(const std::string& answer, const std::vector<std::string>& golds) {
  const std::string form = comparable(answer);
  for (const std::string& gold : golds) {
    if (comparable(gold) == form) return gold;
  }
  return answer;
}

OptionTexts::OptionTexts(const Tokenizer& tokenizer, const std::vector<std::string>& options,
                         size_t max_ids)
    : options_(options) {
  std::map<std::vector<int32_t>, std::vector<std::string>> by_ids;
  std::vector<std::vector<int32_t>> order;  // of their first option
  for (const std::string& option : options_) {
    written_.emplace_back(trim(tokenizer.decode(tokenizer.encode(option))));
    std::vector<int32_t> ids = tokenizer.encode_with_special(option, max_ids);
    std::vector<std::string>& group = by_ids[ids];
    if (group.empty()) order.push_back(std::move(ids));
    group.push_back(option);
  }
  for (const std::vector<int32_t>& ids : order) {
    if (by_ids.at(ids).size() > 1) alike_.push_back(by_ids.at(ids));
  }
}

std::vector<std::string> OptionTexts::meant_by(const std::string& answer) const {
  const std::string text(trim(answer)), form = comparable(answer);
  std::vector<std::string> same, near;
  for (size_t i = 0; i < options_.size(); ++i) {
    if (written_[i].empty()) continue;  // no answer can be this option
    if (written_[i] == text) same.push_back(options_[i]);
    if (comparable(written_[i]) == form) near.push_back(options_[i]);
  }
  return same.empty() ? near : same;
}

std::string describe_groups(const std::vector<std::vector<std::string>>& groups) {
  constexpr size_t kShown = 3;
  std::string text;
  for (size_t i = 0; i < std::min(groups.size(), kShown); ++i) {
    text += (i > 0 ? " and " : "") + to_json_line(groups[i]);
  }
  if (groups.size() > kShown) text += " and " + std::to_string(groups.size() - kShown) + " more";
  return text;
}

}  // namespace trivium
