// How an answer that a model wrote is compared with the answers that a task accepts, as raw text.
#pragma once

#include <string>
#include <vector>

#include "core/tokenizers/tokenizer.h"

namespace trivium {

// `text` in lower case, without the white space that vocabularies put or drop: around it, beside
// ASCII punctuation ("New - York", "4. 35") and beside East Asian characters. Nothing else goes:
// accents, emoji and what a vocabulary lacks stay.
std::string comparable(const std::string& text);

// The answer as the one of `golds` that it differs from in nothing but comparable()'s white space
// and case, or as it is.
std::string accepted_form(const std::string& answer, const std::vector<std::string>& golds);

// What a tokenizer makes of the options of a closed task.
class OptionTexts {
 public:
  // `max_ids` is how many ids of an option the model reads.
  OptionTexts(const Tokenizer& tokenizer, const std::vector<std::string>& options, size_t max_ids);

  // The options that are the same ids as another, in groups of two and more: nothing that the model
  // computes can tell them apart.
  const std::vector<std::vector<std::string>>& indistinguishable() const { return alike_; }
  // The options that an answer stands for: those that the tokenizer writes so, or, where there is
  // none, those that it writes so but for comparable()'s white space and case. Several are a tie;
  // none, the answer is no option.
  std::vector<std::string> meant_by(const std::string& answer) const;

 private:
  const std::vector<std::string> options_;
  std::vector<std::string> written_;  // of each option, what its ids are decoded to
  std::vector<std::vector<std::string>> alike_;
};

// `["❤", "😂"] and ["a", "A"]`, at most three groups: for a message.
std::string describe_groups(const std::vector<std::vector<std::string>>& groups);

}  // namespace trivium
