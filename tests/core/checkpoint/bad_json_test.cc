// Checkpoints whose JSON files say what cannot be: each is refused with exit code 76, and by name.
#include <gmock/gmock.h>

#include "core/checkpoint/damage.h"

namespace trivium {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// Puts `value`, JSON, at `place`, a JSON pointer; nothing takes away what is there. The message
// holds `named` besides the file's name.
struct BadValue {
  const char* place;
  const char* value;
  const char* named;
};
constexpr const char* kNothing = "";

class BadJsonTest : public DamageTest {
 protected:
  void expect_refused(const std::string& file, const std::vector<BadValue>& values) {
    ASSERT_EQ(refusal(), "");
    for (const BadValue& bad : values) {
      const std::string change = file + " " + bad.place + " = " + bad.value;
      Json json = Json::parse(files_.at(file));
      const Json::json_pointer place(bad.place);
      if (std::string(bad.value) != kNothing) {
        json[place] = Json::parse(bad.value);
      } else if (json[place.parent_pointer()].is_array()) {
        json[place.parent_pointer()].erase(std::stoul(place.back()));
      } else {
        json[place.parent_pointer()].erase(place.back());
      }
      put_bytes(folder_ / file, json.dump());
      if (file != kManifestFile) seal(folder_, file);
      EXPECT_THAT(refusal(), AllOf(StartsWith("76: "), HasSubstr(file), HasSubstr(bad.named)))
          << change;
      repair();
    }
    EXPECT_EQ(refusal(), "") << "repaired";
  }
};

TEST_F(BadJsonTest, Config) {
  expect_refused("config.json",
                 {{"", "[]", "object"},
                  {"", "null", "object"},
                  {"", "5", "object"},
                  {"/vocab_size", kNothing, "vocab_size"},
                  {"/vocab_size", "0", "vocab_size"},
                  {"/vocab_size", "-1", "vocab_size"},
                  {"/vocab_size", "100.5", "vocab_size"},
                  {"/vocab_size", "\"100\"", "vocab_size"},
                  {"/vocab_size", "true", "vocab_size"},
                  {"/vocab_size", "18446744073709551615", "vocab_size"},
                  {"/vocab_size", "4194305", "vocab_size"},
                  {"/max_position_embeddings", kNothing, "max_position_embeddings"},
                  {"/max_position_embeddings", "131073", "max_position_embeddings"},
                  {"/max_position_embeddings", "[200]", "max_position_embeddings"},
                  {"/max_position_embeddings", "9", "max_length"},
                  {"/d_model", kNothing, "d_model"},
                  {"/d_model", "0", "d_model"},
                  {"/d_model", "65537", "d_model"},
                  {"/d_model", "{}", "d_model"},
                  {"/d_model", "30", "does not divide"},
                  {"/encoder_layers", kNothing, "encoder_layers"},
                  {"/encoder_layers", "0", "encoder_layers"},
                  {"/encoder_layers", "257", "encoder_layers"},
                  {"/encoder_layers", "2.0", "encoder_layers"},
                  {"/decoder_layers", kNothing, "decoder_layers"},
                  {"/decoder_layers", "-1", "decoder_layers"},
                  {"/encoder_attention_heads", "0", "encoder_attention_heads"},
                  {"/encoder_attention_heads", "5", "encoder_attention_heads"},
                  {"/decoder_attention_heads", "3", "decoder_attention_heads"},
                  {"/decoder_attention_heads", "null", "decoder_attention_heads"},
                  {"/encoder_ffn_dim", "0", "encoder_ffn_dim"},
                  {"/decoder_ffn_dim", "1e300", "decoder_ffn_dim"},
                  {"/dropout", "1", "dropout"},
                  {"/dropout", "-0.1", "dropout"},
                  {"/dropout", "\"none\"", "dropout"},
                  {"/attention_dropout", "2", "attention_dropout"},
                  {"/activation_dropout", "[]", "activation_dropout"},
                  {"/init_std", "11", "init_std"},
                  {"/scale_embedding", "1", "scale_embedding"},
                  {"/pad_token_id", "100", "pad_token_id"},
                  {"/pad_token_id", "-1", "pad_token_id"},
                  {"/bos_token_id", "4294967298", "bos_token_id"},
                  {"/eos_token_id", "1.5", "eos_token_id"},
                  {"/eos_token_id", "[3]", "eos_token_id"},
                  {"/decoder_start_token_id", "1000", "decoder_start_token_id"},
                  {"/forced_bos_token_id", "-2", "forced_bos_token_id"},
                  {"/forced_eos_token_id", "100", "forced_eos_token_id"},
                  {"/num_beams", "0", "num_beams"},
                  {"/num_beams", "257", "num_beams"},
                  {"/max_length", "0", "max_length"},
                  {"/max_length", "201", "max_length"},
                  {"/max_new_tokens", "200", "max_new_tokens"},
                  {"/min_length", "-1", "min_length"},
                  {"/no_repeat_ngram_size", "1025", "no_repeat_ngram_size"},
                  {"/repetition_penalty", "0", "repetition_penalty"},
                  {"/length_penalty", "101", "length_penalty"},
                  {"/early_stopping", "\"always\"", "early_stopping"},
                  {"/early_stopping", "1", "early_stopping"},
                  {"/bad_words_ids", "5", "bad_words_ids"},
                  {"/bad_words_ids", "[[]]", "bad_words_ids"},
                  {"/bad_words_ids", "[[100]]", "bad_words_ids"},
                  {"/bad_words_ids", "[3]", "bad_words_ids"},
                  {"/suppress_tokens", "[-1]", "suppress_tokens"},
                  {"/suppress_tokens", "[18446744073709551615]", "suppress_tokens"},
                  {"/begin_suppress_tokens", "{\"a\": 1}", "begin_suppress_tokens"},
                  {"/model_type", "\"t5\"", "model_type"},
                  {"/activation_function", "\"relu\"", "activation_function"},
                  {"/normalize_before", "true", "normalize_before"},
                  {"/tie_word_embeddings", "false", "tie_word_embeddings"},
                  {"/extra_pos_embeddings", "0", "extra_pos_embeddings"},
                  {"/do_sample", "true", "do_sample"},
                  {"/quantization_config", "{}", "quantization_config"},
                  {"/trivium", "[]", "trivium"},
                  {"/trivium/surprise", "1", "surprise"},
                  {"/trivium/layer_norm_eps", "0", "layer_norm_eps"},
                  {"/trivium/num_experts", "0", "num_experts"},
                  {"/trivium/num_experts", "257", "num_experts"},
                  {"/trivium/encoder_vanilla_layers", "[2]", "encoder_vanilla_layers"},
                  {"/trivium/encoder_vanilla_layers", "[0, 0]", "encoder_vanilla_layers"},
                  {"/trivium/encoder_vanilla_layers", "[0.0]", "encoder_vanilla_layers"},
                  {"/trivium/decoder_vanilla_layers", "[-1]", "decoder_vanilla_layers"},
                  {"/trivium/decoder_vanilla_layers", "0", "decoder_vanilla_layers"},
                  {"/trivium/route_source", "\"dice\"", "route_source"},
                  {"/trivium/router", "3", "router"},
                  {"/trivium/router", "\"mlp\"", "router"},
                  {"/trivium/selection", "[]", "selection"},
                  {"/trivium/selection_temperature", "0", "selection_temperature"},
                  {"/trivium/task_vector_dim", "0", "task_vector_dim"},
                  {"/trivium/router_hidden_dim", "65537", "router_hidden_dim"},
                  {"/trivium/feed_forward_experts", "2", "feed_forward_experts"},
                  {"/trivium/token_gates", "\"none\"", "token_gates"},
                  {"/trivium/gate_scale", "\"two\"", "gate_scale"},
                  {"/trivium/gate_embedding_dim", "-1", "gate_embedding_dim"}});
}

TEST_F(BadJsonTest, Routes) {
  expect_refused("routes.json", {{"", "[]", "temperature"},
                                 {"/temperature", kNothing, "temperature"},
                                 {"/temperature", "\"1\"", "temperature"},
                                 {"/tasks", kNothing, "tasks"},
                                 {"/tasks", "{}", "tasks"},
                                 {"/tasks", "[]", "tasks"},
                                 {"/tasks/2", kNothing, "2 tasks"},
                                 {"/tasks/0", "null", "likely"},
                                 {"/tasks/0/likely", kNothing, "likely"},
                                 {"/tasks/1/used", kNothing, "task 2"},
                                 {"/tasks/1/used", "[]", "encoder"},
                                 {"/tasks/0/used/encoder", kNothing, "encoder"},
                                 {"/tasks/0/used/encoder", "\"x\"", "encoder"},
                                 {"/tasks/0/used/encoder", "[[1]]", "not of 2 layers"},
                                 {"/tasks/0/used/encoder/1", "[1, 0]", "3 weights"},
                                 {"/tasks/0/used/encoder/1", "[1, 0, 0, 0]", "3 weights"},
                                 {"/tasks/0/used/encoder/1", "[0.5, 0.4, 0]", "add up to 1"},
                                 {"/tasks/0/used/encoder/1", "[2, -1, 0]", "add up to 1"},
                                 {"/tasks/0/used/encoder/1", "[1e300, 0, 0]", "add up to 1"},
                                 {"/tasks/0/used/encoder/1", "[true, 0, 0]", "encoder"},
                                 {"/tasks/0/used/encoder/0", "[0.9]", "1 weights"},
                                 {"/tasks/2/likely/decoder", "null", "decoder"},
                                 {"/tasks/2/likely/decoder/0", "1", "decoder"},
                                 {"/tasks/2/likely/decoder/1", "[]", "task 3"}});
}

TEST_F(BadJsonTest, Tasks) {
  expect_refused(
      "tasks.json",
      {{"", "[]", "object"},
       {"/version", kNothing, "version"},
       {"/version", "2", "version 2"},
       {"/version", "1.5", "version"},
       {"/more", "1", "more"},
       {"/tasks", "{}", "tasks"},
       {"/tasks/2", kNothing, "2 tasks"},
       {"/tasks/0", "5", "task 0"},
       {"/tasks/0/surprise", "1", "surprise"},
       {"/tasks/0/name", "\"mnli\"", "mnli"},
       {"/tasks/0/name", "null", "name"},
       {"/tasks/0/family", kNothing, "family"},
       {"/tasks/0/description", "[]", "description"},
       {"/tasks/0/metric", "1", "metric"},
       {"/tasks/0/inputs", "\"text\"", "inputs"},
       {"/tasks/0/inputs", "[1]", "inputs"},
       {"/tasks/0/inputs", "[]", "text"},
       {"/tasks/0/target", kNothing, "target"},
       {"/tasks/0/target", "\"}}\"", "task 0"},
       {"/tasks/0/labels", "{\"a\": 1}", "labels"},
       {"/tasks/0/labels", "[\"\"]", "target is empty"},
       {"/tasks/0/example", "[]", "example"},
       {"/tasks/0/example", "{\"text\": 5}", "text"},
       {"/tasks/0/example", "{\"other\": \"a\"}", "text"},
       {"/tasks/0/licence", "false", "licence"},
       {"/tasks/0/template", "null", "task 0"},
       {"/tasks/0/template/name", kNothing, "name"},
       {"/tasks/0/template/more", "1", "more"},
       {"/tasks/0/template/input", "\"{{text\"", "}}"},
       {"/tasks/0/template/input", "\"{{#text}}\"", "not closed"},
       {"/tasks/0/template/input", "\"{{label}}\"", "label"},
       {"/tasks/0/template/input", "\"{{> file}}\"", "not a usable tag"},
       {"/tasks/0/template/target", "\"{{{label}}}\"", "not a usable tag"},
       {"/tasks/0/template/words", "[]", "words"},
       {"/tasks/0/template/words", "{\"negative\": \"no\"}", "positive"},
       {"/tasks/0/template/words", "{\"negative\": 1, \"positive\": 2}", "words"},
       {"/tasks/2/template/numbers", "{\"from\": 0, \"to\": 5}", "step"},
       {"/tasks/2/template/numbers", "{\"from\": 0, \"to\": 5, \"step\": 0}", "numbers"},
       {"/tasks/2/template/numbers", "{\"from\": 0, \"to\": 1e308, \"step\": 1e-300}", "numbers"},
       {"/tasks/2/template/numbers", "{\"from\": 5, \"to\": 0, \"step\": 1}", "numbers"}});
}

TEST_F(BadJsonTest, TaskFinder) {
  expect_refused("task_finder.json", {{"", "[]", "version"},
                                      {"/version", "1", "version"},
                                      {"/version", kNothing, "version"},
                                      {"/tasks", "[]", "tasks"},
                                      {"/tasks/0", "\"unheard_of\"", "tasks.json"},
                                      {"/tasks/0", "\"mnli\"", "twice"},
                                      {"/tasks/0", kNothing, "task"},
                                      {"/families", "[]", "family"},
                                      {"/families", "5", "families"},
                                      {"/step", "-1", "step"},
                                      {"/step", "1001", "step"},
                                      {"/step", "\"a\"", "step"},
                                      {"/rows", "[1, 2, 3]", "rows"},
                                      {"/rows/2", kNothing, "row"},
                                      {"/rows/0", "\"\"", "row"},
                                      {"/rows/0", "\"PPP\"", "row"},
                                      {"/rows/1", "\"PP\"", "length"},
                                      {"/rows", "[\"P~\", \"PP\", \"PP\"]", "out of range"},
                                      {"/rows", "[\"P\u00e9\", \"PPP\", \"PPP\"]", "row"}});
}

TEST_F(BadJsonTest, TokenizerConfig) {
  expect_refused("tokenizer_config.json",
                 {{"", "[]", "object"},
                  {"/tokenizer_class", "\"T5Tokenizer\"", "tokenizer_class"},
                  {"/tokenizer_class", "7", "tokenizer_class"},
                  {"/do_lower_case", "1", "do_lower_case"},
                  {"/strip_accents", "\"no\"", "strip_accents"},
                  {"/truncation_side", "\"left\"", "truncation_side"},
                  {"/split_special_tokens", "true", "split_special_tokens"},
                  {"/extra_special_tokens", "{\"a\": \"b\"}", "extra_special_tokens"},
                  {"/additional_special_tokens", "5", "additional_special_tokens"},
                  {"/additional_special_tokens", "[\"\"]", "empty"},
                  {"/unk_token", "{}", "malformed added token"},
                  {"/added_tokens_decoder", "5", "added tokens"},
                  {"/added_tokens_decoder", "{\"x\": {\"content\": \"a\"}}", "is no id"},
                  {"/added_tokens_decoder", "{\"0\": 5}", "malformed added token"}});
}

TEST_F(BadJsonTest, Manifest) {
  expect_refused("manifest.json",
                 {{"", "[]", "files"},
                  {"/version", kNothing, "version"},
                  {"/version", "2", "version"},
                  {"/files", kNothing, "files"},
                  {"/files", "[]", "files"},
                  {"/files/config.json", "5", "config.json"},
                  {"/files/config.json/size", kNothing, "config.json"},
                  {"/files/config.json/size", "-1", "config.json"},
                  {"/files/config.json/size", "1.5", "config.json"},
                  {"/files/config.json/sha256", "5", "config.json"},
                  {"/files/config.json/xxh3", "\"12\"", "config.json"},
                  {"/files/config.json/xxh3", "\"905f6592c9c3a12g\"", "config.json"},
                  {"/files/config.json/xxh3", "5", "config.json"},
                  {"/files/model.safetensors/header_xxh3", "null", "model.safetensors"},
                  {"/files/model.safetensors/tensors_xxh3", kNothing, "model.safetensors"},
                  {"/files/model.safetensors/tensors_xxh3", "{}", "model.safetensors"},
                  {"/files/model.safetensors/tensors_xxh3/0", "7", "model.safetensors"},
                  {"/files/~1etc~1passwd", R"({"size": 1, "sha256": ""})", "passwd"},
                  {"/files/..", R"({"size": 1, "sha256": ""})", ".."}});
}

}  // namespace
}  // namespace trivium
