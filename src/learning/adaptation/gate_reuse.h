// Gates for a task that a classifier never saw, and how gates use their experts
// (docs/spec/mt_tag.md, section 10).
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "learning/adaptation/gate_choice.h"
#include "learning/storage/classifier_checkpoint.h"

namespace trivium::learning {

// A task's vector: the mean final hidden state over all tokens of its examples, [d_model].
torch::Tensor mean_state(ClassifierCheckpoint& encoder,
                         const std::vector<LabelledExample>& examples);

// The row of `vectors` [tasks, d_model] nearest to `vector` by cosine, after the mean of `vectors`
// was taken from both: what all texts have in common says nothing.
int64_t nearest_vector(const torch::Tensor& vectors, const torch::Tensor& vector);

// How many of a task's examples its vector is made of, the first ones.
constexpr int64_t kTextsOfAVector = 64;

// A task's train examples as ids of the tokenizer, or the first kTextsOfAVector of them; `task` of
// the examples is 0.
using TaskTexts = std::function<std::vector<LabelledExample>(const std::string& task,
                                                             const Tokenizer& tokenizer)>;

// The row of the classifier's gates that `task` begins with; nothing for new ones, and where the
// classifier has not a gate for every task.
//
// Of kNearest it is the known task whose vector is nearest to the task's (nearest_vector), where
// a vector is the mean_state of an encoder that no gate has touched: the pre-trained one in the
// folder `encoder`, with all its layers. The classifier's own states would not do: a text goes
// through one task's gates, so the vectors would tell which gates were taken, and there is no
// choice of them that favours no task. A task that the classifier knows is nearest to itself, and
// needs no encoder.
//
// Error kUsage where kNearest needs an encoder and `encoder` is empty; kMissingInput, with the
// nearest names, for a task without gates; the errors of import_classifier.
std::optional<int64_t> gate_row(const ClassifierCheckpoint& checkpoint, const std::string& task,
                                const GateChoice& choice, const std::filesystem::path& encoder,
                                const TaskTexts& texts);

// The share of the examples' tokens that each expert of each layer gets, [layers][experts]. Only
// for a model with token gates.
std::vector<std::vector<double>> expert_use(EncoderClassifier& model,
                                            const std::vector<LabelledExample>& examples,
                                            int32_t pad_id);

}  // namespace trivium::learning
