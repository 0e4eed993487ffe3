// Checkpoints whose weights, or whole files, are damaged: each is refused with exit code 76, and by
// name; and no bit of the weights can flip unseen.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <cmath>
#include <limits>

#include "core/base/rng.h"
#include "core/checkpoint/damage.h"

namespace trivium {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// Replaces the first `from` in the header's text by `to`; the message holds `named`.
struct BadHeader {
  const char* from;
  const char* to;
  const char* named;
};

struct BadFloat {
  const char* what;
  float value;
};

class BadWeightsTest : public DamageTest {
 protected:
  void expect_refused(const std::string& change, const std::string& named) {
    EXPECT_THAT(refusal(), AllOf(StartsWith("76: "), HasSubstr(named))) << change;
    repair();
  }
};

TEST_F(BadWeightsTest, Headers) {
  // The first tensor of the header, and the names that stand there.
  const std::string first = R"("decoder.embed_positions.weight":{"dtype":"F32","shape":[202,32],)"
                            R"("data_offsets":[0,25856]})";
  ASSERT_THAT(TensorBytes::of(folder_ / kWeights).header, HasSubstr(first));
  const std::string
      twice = first + "," + first,
      no_shape = R"("decoder.embed_positions.weight":{"dtype":"F32","data_offsets":[0,25856]})";
  const std::vector<BadHeader> headers = {
      {"{", "[", "object"},
      {"{", "\xEF\xBB\xBF{", "object"},
      {"{", "{{", "malformed JSON"},
      {"{", "{\x01", "malformed JSON"},
      {"\"decoder.embed_positions.weight\"", "\"decoder.embed_positions.weigth\"",
       "decoder.embed_positions.weight\" is missing"},
      {"\"decoder.embed_positions.weight\"", "\"\"", "decoder.embed_positions.weight"},
      {"\"decoder.embed_positions.weight\"", "\"shared.weight\"", "shared.weight\" occurs twice"},
      {"\"decoder.embed_positions.weight\"", "\"\xff\"", "malformed JSON"},
      {"\"decoder.embed_positions.weight\"", "\"\\ud800\"", "malformed JSON"},
      {"\"decoder.embed_positions.weight\"", "\"x\\u0000\"", "decoder.embed_positions.weight"},
      {first.c_str(), twice.c_str(), "decoder.embed_positions.weight\" occurs twice"},
      {first.c_str(), no_shape.c_str(), "needs dtype, shape and data_offsets"},
      {first.c_str(), "\"decoder.embed_positions.weight\":5", "decoder.embed_positions.weight"},
      {first.c_str(), "\"decoder.embed_positions.weight\":null", "has a null"},
      {first.c_str(), "\"decoder.embed_positions.weight\":[]", "has a list"},
      {"\"dtype\":\"F32\"", "\"dtype\":\"F31\"", "F31"},
      {"\"dtype\":\"F32\"", "\"dtype\":32", "has a number"},
      {"\"dtype\":\"F32\"", "\"dtype\":true", "has a boolean"},
      {"\"dtype\":\"F32\"", "\"dtype\":\"F64\"", "bytes where its shape needs"},
      {"\"dtype\":\"F32\"", "\"dtype\":\"I8\"", "bytes where its shape needs"},
      {"\"dtype\":\"F32\"", "\"dtype\":\"F32\",\"dtype\":\"F32\"", "has a key twice"},
      {"\"dtype\":\"F32\"", "\"dtype\":\"F32\",\"more\":[1]", "more"},
      {"\"shape\":[202,32]", "\"shape\":[32,202]", "has the shape [32, 202]"},
      {"\"shape\":[202,32]", "\"shape\":[6464]", "has the shape [6464]"},
      {"\"shape\":[202,32]", "\"shape\":[202,32,1]", "has the shape [202, 32, 1]"},
      {"\"shape\":[202,32]", "\"shape\":[202,-32]", "negative"},
      {"\"shape\":[202,32]", "\"shape\":[202,32.0]", "not whole"},
      {"\"shape\":[202,32]", "\"shape\":[202,1e999]", "malformed JSON"},
      {"\"shape\":[202,32]", "\"shape\":[202,31]", "bytes where its shape needs"},
      {"\"shape\":[202,32]", "\"shape\":[]", "bytes where its shape needs"},
      {"\"shape\":[202,32]", "\"shape\":[4611686018427387904,4]", "overflows"},
      {"\"shape\":[202,32]", "\"shape\":[18446744073709551615]", "too large"},
      {"\"shape\":[202,32]", "\"shape\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,202,32]", "16 dimensions"},
      {"\"shape\":[202,32]", "\"shape\":{}", "has an object"},
      {"[0,25856]", "[25856,0]", "not [begin, end]"},
      {"[0,25856]", "[0]", "not [begin, end]"},
      {"[0,25856]", "[0,25856,25856]", "more than two"},
      {"[0,25856]", "[4,25860]", "hole"},
      {"[0,25856]", "[25856,51712]", "decoder"},
      {"[0,25856]", "[0,18446744073709551615]", "bytes where its shape needs"},
      {"[0,25856]", "[18446744073709525760,18446744073709551616]", "not whole, or too large"},
      {"[0,25856]", "[18446744073709525759,18446744073709551615]", "decoder"},
      {"[0,25856]", "\"0,25856\"", "has a string"},
      {"\"__metadata__\":{\"format\":\"pt\"}", "\"__metadata__\":{\"format\":1}", "__metadata__"},
      {"\"__metadata__\":{\"format\":\"pt\"}", "\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}",
       "has a key twice"},
      {"\"__metadata__\":{\"format\":\"pt\"}", "\"__metadata__\":{},\"__metadata__\":{}",
       "occurs twice"}};
  for (const BadHeader& bad : headers) {
    TensorBytes file = TensorBytes::of(folder_ / kWeights);
    const size_t at = file.header.find(bad.from);
    ASSERT_NE(at, std::string::npos) << bad.from;
    file.header.replace(at, std::string(bad.from).size(), bad.to);
    file.write(folder_ / kWeights);
    seal(folder_, kWeights);
    expect_refused(std::string(bad.from) + " -> " + bad.to, bad.named);
  }
}

TEST_F(BadWeightsTest, Tensors) {
  const std::vector<BadFloat> floats = {{"NaN", std::nanf("")},
                                        {"negative NaN", -std::nanf("")},
                                        {"infinity", std::numeric_limits<float>::infinity()},
                                        {"-infinity", -std::numeric_limits<float>::infinity()}};
  const size_t size = TensorBytes::of(folder_ / kWeights).data.size();
  for (const BadFloat& bad : floats) {
    for (const size_t at : {size_t{0}, size / 8 * 4, size - 4}) {
      TensorBytes file = TensorBytes::of(folder_ / kWeights);
      std::memcpy(file.data.data() + at, &bad.value, sizeof bad.value);
      file.write(folder_ / kWeights);
      seal(folder_, kWeights);
      expect_refused(bad.what, "has a NaN or an infinity");
    }
  }
  TensorBytes file = TensorBytes::of(folder_ / kWeights);
  file.data += "trailing";
  file.write(folder_ / kWeights);
  seal(folder_, kWeights);
  expect_refused("bytes behind the last tensor", "8 bytes follow the last tensor");
}

// Tensors of a model otherwise than its config has them, written by the project's own writer.
TEST_F(BadWeightsTest, Models) {
  const std::vector<std::pair<std::string, std::function<void(TinyCheckpoint&)>>> changes = {
      {"final_logits_bias", [](auto& c) { c.tensors.erase("final_logits_bias"); }},
      {"shared.weight", [](auto& c) { c.tensors.erase("shared.weight"); }},
      {"task_vectors.weight", [](auto& c) { c.tensors.erase("task_vectors.weight"); }},
      {"encoder.layers.1.experts.2.fc1.weight",
       [](auto& c) { c.tensors.erase("encoder.layers.1.experts.2.fc1.weight"); }},
      {"surprise", [](auto& c) { c.tensors["surprise"] = c.tensors.at("shared.weight"); }},
      {"encoder.layers.2",
       [](auto& c) { c.tensors["encoder.layers.2.fc1.bias"] = c.tensors.at("shared.weight"); }},
      {"router", [](auto& c) { c.tensors["routers.0"] = c.tensors.at("shared.weight"); }},
      {"shared.weight",
       [](auto& c) {
         c.tensors["shared.weight"].shape = {32, 100};
       }},
      {"3 tasks",
       [](auto& c) {
         c.tensors["task_vectors.weight"].shape = {2, 8};
       }},
      {"task_vectors.weight",
       [](auto& c) {
         c.tensors["task_vectors.weight"].shape = {3, 4};
       }},
      {"row_scale", [](auto& c) { c.tensors["x.row_scale"] = c.tensors.at("shared.weight"); }}};
  for (const auto& [named, change] : changes) {
    TinyCheckpoint checkpoint = tiny_checkpoint();
    change(checkpoint);
    save_checkpoint(checkpoint, folder_);
    EXPECT_THAT(refusal(), AllOf(StartsWith("76: "), HasSubstr(named))) << named;
  }
}

TEST_F(BadWeightsTest, ShardsAndTheirIndex) {
  SaveOptions options;
  options.max_file_bytes = 200000;
  save_checkpoint(tiny_checkpoint(), folder_, options);
  std::map<std::string, std::string> whole;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    whole[entry.path().filename()] = read_file(entry.path());
  }
  files_ = whole;
  ASSERT_EQ(refusal(), "");
  const std::string index = "model.safetensors.index.json";
  const std::string first = "model-00001-of-00003.safetensors";
  ASSERT_TRUE(whole.contains(first));
  const std::vector<std::pair<const char*, const char*>> edits = {
      {R"(["shared.weight"])", "5"},
      {"shared.weight", R"("../model.safetensors")"},
      {"shared.weight", R"("/etc/passwd")"},
      {"shared.weight", R"(".safetensors")"},
      {"shared.weight", R"("config.json")"},
      {"shared.weight", R"("model-00001-of-00003.safetensors")"},
      {"shared.weight", R"("model-00009-of-00003.safetensors")"},
      {"shared.weight", ""},
      {"unheard.of", R"("model-00001-of-00003.safetensors")"}};
  for (const auto& [tensor, shard] : edits) {
    Json json = Json::parse(whole.at(index));
    if (std::string(shard).empty()) {
      json["weight_map"].erase(tensor);
    } else {
      json["weight_map"][tensor] = Json::parse(shard);
    }
    put_bytes(folder_ / index, json.dump());
    seal(folder_, index);
    expect_refused(std::string(tensor) + " -> " + shard, "safetensors");
  }
  for (const char* text : {"{}", "[]", "{\"weight_map\": []}", "{\"weight_map\": {}}"}) {
    put_bytes(folder_ / index, text);
    seal(folder_, index);
    expect_refused(text, text == std::string("{\"weight_map\": {}}") ? "is missing" : index);
  }
  fs::copy_file(folder_ / first, folder_ / "model-00002-of-00003.safetensors",
                fs::copy_options::overwrite_existing);
  seal(folder_, "model-00002-of-00003.safetensors");
  expect_refused("a shard twice", "is also in another shard");
}

TEST_F(BadWeightsTest, WholeFiles) {
  for (const auto& [name, bytes] : files_) {
    if (name == kManifestFile) continue;
    for (const size_t length :
         {size_t{0}, size_t{1}, size_t{8}, bytes.size() / 2, bytes.size() - 1}) {
      put_bytes(folder_ / name, bytes.substr(0, length));
      expect_refused("cut to " + std::to_string(length), name);
      if (name == "vocab.txt") continue;  // a shorter vocabulary is one, too
      put_bytes(folder_ / name, bytes.substr(0, length));
      seal(folder_, name);
      if (name.ends_with(".json") && length == bytes.size() - 1) {  // only its last line end
        repair();
        continue;
      }
      expect_refused("cut to " + std::to_string(length) + ", with its checksum", name);
    }
    fs::remove(folder_ / name);
    expect_refused("removed", name);
    fs::remove(folder_ / name);
    fs::create_directory(folder_ / name);
    expect_refused("a folder in its place", name);
    if (!name.ends_with(".json")) continue;
    put_bytes(folder_ / name, "\xff\xfe{\0}\0" + std::string(2, '\0'));
    seal(folder_, name);
    expect_refused("UTF-16", name);
    put_bytes(folder_ / name, bytes.substr(0, bytes.rfind('}')) + std::string("}\0{", 3));
    seal(folder_, name);
    expect_refused("a NUL", name);
    put_bytes(folder_ / name, "{\"a\":" + std::string(70, '[') + std::string(70, ']') + "}");
    seal(folder_, name);
    expect_refused("nested deeply", name);
    put_bytes(folder_ / name, "{\"a\":1e999}");
    seal(folder_, name);
    expect_refused("a number that is too large", name);
  }
}

TEST_F(BadWeightsTest, Vocabularies) {
  const std::string& vocabulary = files_.at("vocab.txt");
  for (const char* token : {"[PAD]", "[UNK]", "[CLS]", "[SEP]"}) {
    std::string changed = vocabulary;
    changed.replace(changed.find(token), std::string(token).size(), "gone");
    put_bytes(folder_ / "vocab.txt", changed);
    seal(folder_, "vocab.txt");
    expect_refused(token, "vocab.txt");
  }
  put_bytes(folder_ / "vocab.txt", vocabulary + "\xff\n");
  seal(folder_, "vocab.txt");
  expect_refused("not UTF-8", "vocab.txt:101");
}

class BitFlipTest : public DamageTest {
 protected:
  BitFlipTest() : DamageTest(TinyModel::kDense) {}
};

TEST_F(BitFlipTest, TenThousandOfTheWeightsAreAllFound) {
  constexpr int kFlips = 10000;
  const CheckpointManifest manifest = verify_checkpoint_folder(folder_, Verify::kChecksums);
  const auto read_all = [&] {
    const TensorFiles files(folder_, manifest.tensors);
    for (const std::string& name : files.names()) files.read(name);
  };
  ASSERT_EQ(error_of(read_all), "");
  const std::string& bytes = files_.at(kWeights);
  const int file = ::open((folder_ / kWeights).c_str(), O_WRONLY | O_CLOEXEC);
  ASSERT_GE(file, 0);
  Rng rng(11);
  int found = 0;
  for (int i = 0; i < kFlips; ++i) {
    const size_t at = rng.below(bytes.size());
    const char flipped = static_cast<char>(bytes[at] ^ (1 << rng.below(8)));
    ASSERT_EQ(::pwrite(file, &flipped, 1, static_cast<off_t>(at)), 1);
    const std::string said = error_of(read_all);
    found += said.starts_with("76: ") && said.find(kWeights) != said.npos;
    ASSERT_EQ(::pwrite(file, &bytes[at], 1, static_cast<off_t>(at)), 1);
  }
  ::close(file);
  EXPECT_EQ(found, kFlips);
  EXPECT_EQ(error_of(read_all), "") << "put back";
}

}  // namespace
}  // namespace trivium
