#include "core/tokenizers/vocabulary.h"

#include <algorithm>
#include <vector>

#include "core/base/error.h"
#include "core/tokenizers/model_file.h"

namespace trivium {

void Vocabulary::append(std::string_view token) {
  if (token.empty()) throw_bad_model(where_.string(), "an empty token");
  if (find(token) >= 0) {
    throw_bad_model(where_.string(), "the token \"" + std::string(token) + "\" is there twice");
  }
  append_line(token);
}

void Vocabulary::append_line(std::string_view token) {
  const int32_t id = size();
  ids_.insert_or_assign(tokens_.emplace_back(token), id);
}

bool Vocabulary::has(int32_t id) const {
  return id >= 0 && id < size() && find(tokens_[static_cast<size_t>(id)]) == id;
}

void Vocabulary::append_missing(const AddedTokens& added) {
  std::vector<AddedToken> tokens = added.tokens();
  std::sort(tokens.begin(), tokens.end(),
            [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
  for (const AddedToken& token : tokens) {
    if (token.id == size()) append(token.content);
    if (token.id < 0 || find(token.content) != token.id) {
      throw_bad_model(where_.string(), "the added token \"" + token.content + "\" has the id " +
                                           std::to_string(token.id) +
                                           ", which the vocabulary does not give it");
    }
  }
}

Vocabulary Vocabulary::from_json(const nlohmann::json& object, const std::filesystem::path& where) {
  if (!object.is_object()) {
    throw_bad_model(where.string(), "the vocabulary is not a JSON object of tokens and ids");
  }
  std::vector<const std::string*> tokens(object.size(), nullptr);
  for (auto entry = object.begin(); entry != object.end(); ++entry) {
    const auto& id = entry.value();
    if (!id.is_number_unsigned() || id.get<uint64_t>() >= tokens.size()) {
      throw_bad_model(where.string(), "the id of \"" + entry.key() + "\" is not in 0.." +
                                          std::to_string(tokens.size() - 1));
    }
    const std::string*& place = tokens[id.get<size_t>()];
    if (place) {
      throw_bad_model(where.string(),
                      "both \"" + *place + "\" and \"" + entry.key() + "\" have the same id");
    }
    place = &entry.key();
  }
  Vocabulary vocabulary(where);
  for (const std::string* token : tokens) vocabulary.append(*token);
  return vocabulary;
}

int32_t Vocabulary::find(std::string_view token) const {
  const auto found = ids_.find(token);
  return found == ids_.end() ? -1 : found->second;
}

int32_t Vocabulary::require(std::string_view token) const {
  const int32_t id = find(token);
  if (id < 0) throw_bad_model(where_.string(), "lacks the token " + std::string(token));
  return id;
}

const std::string& Vocabulary::token(int32_t id) const {
  if (id < 0 || id >= size()) throw_unknown_id(id, size());
  return tokens_[static_cast<size_t>(id)];
}

}  // namespace trivium
