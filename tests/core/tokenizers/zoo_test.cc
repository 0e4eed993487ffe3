#include "core/tokenizers/zoo.h"

#include <gtest/gtest.h>

#include "core/base/temporary_folder.h"
#include "core/tokenizers/tokenizer.h"

namespace trivium {
namespace {

using Ids = std::vector<int32_t>;

// The ids of every text, with what is put around them, and the texts of those.
void expect_transformers(const Tokenizer& tokenizer, const Zoo& zoo, const Json& zoo_case) {
  const std::vector<std::string> texts = zoo.texts();
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto ids = zoo_case.at("ids").at(i).get<Ids>();
    EXPECT_EQ(tokenizer.encode_with_special(texts[i], 1000), ids) << to_json_line(texts[i]);
    EXPECT_EQ(tokenizer.decode(ids), zoo_case.at("decoded").at(i).get<std::string>())
        << to_json_line(texts[i]);
  }
}

TEST(TokenizerZoo, EveryFolderGivesTheIdsAndTextsOfTransformers) {
  const Zoo zoo;
  int compared = 0;
  for (const Json& zoo_case : zoo.cases()) {
    if (zoo_case.contains("refused")) continue;  // some for what is not the tokenizer's
    SCOPED_TRACE(zoo_case.at("name").get<std::string>());
    const TemporaryFolder folder, saved;
    zoo.write(zoo_case, folder);
    const auto tokenizer = load_tokenizer(folder.path());
    expect_transformers(*tokenizer, zoo, zoo_case);
    tokenizer->save(saved.path());
    expect_transformers(*load_tokenizer(saved.path()), zoo, zoo_case);
    ++compared;
  }
  EXPECT_GE(compared, 60);
}

}  // namespace
}  // namespace trivium
