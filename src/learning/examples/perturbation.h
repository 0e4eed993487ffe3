// Changes of a test's texts that leave its answer as it is, by rule: how much a model's score falls
// says how robust it is.
#pragma once

#include <string>
#include <vector>

#include "learning/examples/labelled_task.h"

namespace trivium::learning {

enum class Perturbation {
  // Every tenth word of at least four letters, at least one a text, gets two neighbouring inner
  // letters exchanged; which ones is drawn by the text itself.
  kTypos,
  // "and false is not true" is added to the last text, before its final stop: a tautology with the
  // words that models take for a sign of contradiction.
  kNegation,
  // Contractions are written out ("don't": "do not") or, where there are none, the first pair that
  // can be is contracted; a comma before "and", "but", "or" is dropped; "!" becomes ".".
  kParaphrase,
};

// "typos", "negation", "paraphrase"; another name is a bug.
Perturbation perturbation(const std::string& name);
std::vector<std::string> perturbation_names();

std::string perturbed(const std::string& text, Perturbation kind);

// The record with its texts changed: both of a pair; of kNegation the last only. The word of a word
// pair keeps its spelling, so typos spare it.
LabelledRecord perturbed(const LabelledRecord& record, Perturbation kind);

}  // namespace trivium::learning
