#include "learning/examples/perturbation.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace trivium::learning {
namespace {

TEST(Perturbation, TyposExchangeInnerLettersOfOneWordInTen) {
  const std::string text =
      "The quick brown foxes jumped over seventeen extremely lazy sleeping dogs";
  const std::string changed = perturbed(text, Perturbation::kTypos);
  EXPECT_NE(changed, text);
  EXPECT_EQ(changed, perturbed(text, Perturbation::kTypos));  // no chance from call to call
  std::string a = text, b = changed;
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  EXPECT_EQ(a, b);
  int differing = 0;
  for (size_t i = 0; i < text.size(); ++i) differing += text[i] != changed[i];
  EXPECT_EQ(differing, 2);
  EXPECT_EQ(perturbed("a of it", Perturbation::kTypos), "a of it");
}

TEST(Perturbation, NegationIsATautologyBeforeTheStop) {
  EXPECT_EQ(perturbed("It rains.", Perturbation::kNegation), "It rains and false is not true.");
  EXPECT_EQ(perturbed("it rains . ", Perturbation::kNegation), "it rains and false is not true . ");
  EXPECT_EQ(perturbed("", Perturbation::kNegation), " and false is not true");
}

TEST(Perturbation, ParaphraseWritesContractionsOutOrContracts) {
  EXPECT_EQ(perturbed("Don't go, and I'm sure they can't!", Perturbation::kParaphrase),
            "Do not go and I am sure they cannot.");
  EXPECT_EQ(perturbed("They did not go", Perturbation::kParaphrase), "They didn't go");
  EXPECT_EQ(perturbed("abandon't", Perturbation::kParaphrase), "abandon't");
}

TEST(Perturbation, OfARecordTheAnswerStays) {
  LabelledRecord record;
  record.first = "He pulls the long rope.";
  record.second = "A pull of strength.";
  record.word = "pull";
  record.label = 1;
  const LabelledRecord negated = perturbed(record, Perturbation::kNegation);
  EXPECT_EQ(negated.first, record.first);
  EXPECT_EQ(negated.second, "A pull of strength and false is not true.");
  const LabelledRecord typos = perturbed(record, Perturbation::kTypos);
  EXPECT_EQ(typos.label, 1);
  EXPECT_EQ(typos.first.substr(0, 8), "He pulls");
  EXPECT_EQ(typos.second.substr(0, 6), "A pull");
}

TEST(Perturbation, NamesLeadBack) {
  for (const std::string& name : perturbation_names()) EXPECT_NO_THROW(perturbation(name));
  EXPECT_THROW(perturbation("none"), std::logic_error);
}

}  // namespace
}  // namespace trivium::learning
