#include "learning/storage/named_tensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/temporary_folder.h"
#include "core/checkpoint/safetensors.h"

namespace trivium::learning {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kUnlimited = int64_t{1} << 40;
constexpr const char* kIndex = "model.safetensors.index.json";

class NamedTensorsTest : public ::testing::Test {
 protected:
  NamedTensorsTest() { torch::manual_seed(0); }

  const fs::path& folder() const { return folder_.path(); }

  std::string refusal(ExitCode code = ExitCode::kBadModel) {
    try {
      read_tensors(folder());
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), code) << e.what();
      return e.what();
    }
    return "";
  }

  void write_index(const Json& weight_map) {
    std::ofstream(folder() / kIndex) << Json{{"weight_map", weight_map}};
  }

  // One file with the named scalars.
  void write_shard(const std::string& file, const std::vector<std::string>& names) {
    const std::string bytes(4, '\0');
    std::vector<TensorToWrite> tensors;
    for (const std::string& name : names) {
      tensors.push_back({name, Dtype::kF32, {}, std::as_bytes(std::span(bytes))});
    }
    write_safetensors(folder() / file, tensors);
  }

  TemporaryFolder folder_;
};

NamedTensors some_tensors() {
  return {{"big", torch::randn({256, 96})},        {"bias", torch::randn({96})},
          {"big.3d", torch::randn({128, 16, 16})}, {"one_row", torch::randn({1, 20000})},
          {"small", torch::randn({64, 128})},      {"scalar", torch::tensor(2.5f)}};
}

TEST_F(NamedTensorsTest, Float32ComesBackExactly) {
  const NamedTensors tensors = some_tensors();
  EXPECT_THAT(write_tensors(folder(), tensors, StorageKind::kFloat32, kUnlimited),
              ElementsAre("model.safetensors"));
  const NamedTensors loaded = read_tensors(folder());
  ASSERT_EQ(loaded.size(), tensors.size());
  for (const auto& [name, tensor] : tensors) EXPECT_TRUE(torch::equal(tensor, loaded.at(name)));
}

TEST_F(NamedTensorsTest, ViewsAreWrittenAsTheyAreSeen) {
  const torch::Tensor transposed = torch::arange(6.0f).view({2, 3}).t();
  write_tensors(folder(), {{"t", transposed}}, StorageKind::kFloat32, kUnlimited);
  EXPECT_TRUE(torch::equal(read_tensors(folder()).at("t"), transposed));
}

TEST_F(NamedTensorsTest, BFloat16RoundsOnce) {
  const NamedTensors tensors = some_tensors();
  write_tensors(folder(), tensors, StorageKind::kBFloat16, kUnlimited);
  const NamedTensors loaded = read_tensors(folder());
  for (const auto& [name, tensor] : tensors) {
    EXPECT_EQ(loaded.at(name).scalar_type(), torch::kFloat32);
    EXPECT_TRUE(torch::equal(tensor.to(torch::kBFloat16).to(torch::kFloat32), loaded.at(name)));
  }
}

TEST_F(NamedTensorsTest, Int8IsWithinHalfAStepOfEveryRow) {
  NamedTensors tensors = some_tensors();
  tensors["big"][3] *= 1000;  // a loud row must not spoil the others
  tensors["big"][4].zero_();
  write_tensors(folder(), tensors, StorageKind::kInt8, kUnlimited);
  const NamedTensors loaded = read_tensors(folder());
  ASSERT_EQ(loaded.size(), tensors.size());
  for (const char* name : {"bias", "one_row", "small", "scalar"}) {
    EXPECT_TRUE(torch::equal(tensors.at(name), loaded.at(name))) << name;  // left in float32
  }
  for (const char* name : {"big", "big.3d"}) {
    const torch::Tensor rows = tensors.at(name).flatten(1), read = loaded.at(name).flatten(1);
    // A step is max|row| / 127, rounded up by at most 2^-16 of itself.
    const torch::Tensor bound = rows.abs().amax(1, true) / 127 * (0.5 + 1e-4);
    EXPECT_TRUE(((rows - read).abs() <= bound).all().item<bool>()) << name;
    EXPECT_EQ(loaded.at(name).sizes(), tensors.at(name).sizes());
  }
  EXPECT_LT(fs::file_size(folder() / "model.safetensors"),
            (256 * 96 + 128 * 256) * 1 + (96 + 20000 + 64 * 128 + 1 + 384) * 4 + 2000u);
}

TEST_F(NamedTensorsTest, WritingWhatWasReadGivesTheSameBytes) {
  for (const StorageKind kind :
       {StorageKind::kFloat32, StorageKind::kBFloat16, StorageKind::kInt8}) {
    TemporaryFolder first, second;
    const auto files = write_tensors(first.path(), some_tensors(), kind, 60000);
    EXPECT_GT(files.size(), 2u);
    EXPECT_EQ(write_tensors(second.path(), read_tensors(first.path()), kind, 60000), files);
    for (const std::string& file : files) {
      EXPECT_EQ(read_file(first.path() / file), read_file(second.path() / file)) << file;
    }
  }
}

TEST_F(NamedTensorsTest, ShardsKeepToTheLimit) {
  NamedTensors tensors;
  for (int i = 0; i < 40; ++i) tensors[std::to_string(i)] = torch::randn({50, 50});
  const auto files = write_tensors(folder(), tensors, StorageKind::kFloat32, 100000);
  EXPECT_EQ(files.back(), kIndex);
  EXPECT_EQ(files.front(), "model-00001-of-00005.safetensors");
  EXPECT_EQ(files.size(), 6u);
  for (const std::string& file : files) EXPECT_LE(fs::file_size(folder() / file), 100000u);
  EXPECT_EQ(read_json_file(folder() / kIndex).at("metadata").at("total_size"), 40 * 2500 * 4);
  const NamedTensors loaded = read_tensors(folder());
  ASSERT_EQ(loaded.size(), 40u);
  for (const auto& [name, tensor] : tensors) EXPECT_TRUE(torch::equal(tensor, loaded.at(name)));
}

TEST_F(NamedTensorsTest, WidensEveryDtypeOfTheReference) {
  fs::copy(fs::path(TRIVIUM_TEST_DATA) / "safetensors/reference.safetensors",
           folder() / "model.safetensors");
  EXPECT_THAT(refusal(), HasSubstr("\"i8\" is I8 and lacks"));
  // The same without i8, which means quantised weights to us.
  SafetensorsReader reader(fs::path(TRIVIUM_TEST_DATA) / "safetensors/reference.safetensors");
  std::vector<TensorToWrite> tensors;
  std::vector<std::vector<std::byte>> bytes;
  bytes.reserve(reader.entries().size());
  for (const TensorEntry& entry : reader.entries()) {
    if (entry.name == "i8") continue;
    reader.read(entry, bytes.emplace_back(entry.size()));
    tensors.push_back({entry.name, entry.dtype, entry.shape, bytes.back()});
  }
  write_safetensors(folder() / "model.safetensors", tensors);
  const NamedTensors loaded = read_tensors(folder());
  const torch::Tensor steps = torch::arange(6.0f);
  const NamedTensors expected = {
      {"bool", torch::tensor({1.0f, 0.0f, 1.0f})},
      {"u8", steps * 50},
      {"i16", (steps - 3) * 1000},
      {"i32", ((steps - 3) * 100000).view({2, 3})},
      {"i64", (steps - 3) * 1e12f},
      {"f16", (steps * 0.25).view({3, 2})},
      {"bf16", (steps * 0.5 - 1).view({3, 1, 2})},
      {"f32.z", steps / 7},
      {"f32.a", torch::tensor(3.5f)},
      {"f64", (steps.to(torch::kFloat64) / 3).to(torch::kFloat32)},
      {"empty", torch::zeros({0, 4})},
  };
  ASSERT_EQ(loaded.size(), expected.size());
  for (const auto& [name, tensor] : expected) {
    EXPECT_TRUE(torch::equal(loaded.at(name), tensor)) << name;
  }
}

TEST_F(NamedTensorsTest, RefusesFoldersWithoutWeights) {
  EXPECT_THAT(refusal(ExitCode::kMissingInput), HasSubstr("no model.safetensors"));
  std::ofstream(folder() / "pytorch_model.bin") << "\x80\x02";
  EXPECT_THAT(refusal(), HasSubstr("is a pickle"));
  EXPECT_THAT(refusal(), HasSubstr("safe_serialization=True"));
}

TEST_F(NamedTensorsTest, RefusesBadIndexes) {
  write_shard("a.safetensors", {"x", "y"});
  write_shard("b.safetensors", {"z"});
  const Json good = {{"x", "a.safetensors"}, {"y", "a.safetensors"}, {"z", "b.safetensors"}};
  write_index(good);
  EXPECT_EQ(refusal(), "");
  const auto changed = [&](const char* key, const Json& value) {
    Json map = good;
    map[key] = value;
    write_index(map);
    return refusal();
  };
  EXPECT_THAT(changed("x", "../a.safetensors"), HasSubstr("must be the name of a .safetensors"));
  EXPECT_THAT(changed("x", "/tmp/a.safetensors"), HasSubstr("must be the name of a .safetensors"));
  EXPECT_THAT(changed("x", ".safetensors"), HasSubstr("must be the name of a .safetensors"));
  EXPECT_THAT(changed("x", "pytorch_model.bin"), HasSubstr("must be the name of a .safetensors"));
  EXPECT_THAT(changed("x", 5), HasSubstr("must be the name of a .safetensors"));
  EXPECT_THAT(changed("x", "b.safetensors"), HasSubstr("\"x\" is not in \"b.safetensors\""));
  EXPECT_THAT(changed("w", "a.safetensors"), HasSubstr("\"w\" is not in \"a.safetensors\""));
  Json shorter = good;
  shorter.erase("y");
  write_index(shorter);
  EXPECT_THAT(refusal(), HasSubstr("\"y\" is not in model.safetensors.index.json"));
  write_shard("b.safetensors", {"z", "x"});
  write_index(good);
  EXPECT_THAT(refusal(), HasSubstr("\"x\" is also in another shard"));
  fs::remove(folder() / "b.safetensors");
  EXPECT_THAT(refusal(ExitCode::kMissingInput), HasSubstr("b.safetensors"));
  for (const char* text : {"[]", "{}", "{\"weight_map\": []}", "{"}) {
    std::ofstream(folder() / kIndex) << text;
    EXPECT_THAT(refusal(), HasSubstr(kIndex));
  }
}

TEST_F(NamedTensorsTest, RefusesScalesThatDoNotFit) {
  const std::string values(6, '\1'), scales(8, '\0');
  const auto write = [&](const std::vector<TensorToWrite>& tensors) {
    write_safetensors(folder() / "model.safetensors", tensors);
  };
  const TensorToWrite x{"x", Dtype::kI8, {2, 3}, std::as_bytes(std::span(values))};
  const TensorToWrite s{"x.row_scale", Dtype::kF32, {2}, std::as_bytes(std::span(scales))};
  write({x, s});
  EXPECT_EQ(refusal(), "");
  write({s});
  EXPECT_THAT(refusal(), HasSubstr("has no matrix to scale"));
  write({x});
  EXPECT_THAT(refusal(), HasSubstr("lacks \"x.row_scale\""));
  TensorToWrite bad = s;
  bad.shape = {1, 2};
  write({x, bad});
  EXPECT_THAT(refusal(), HasSubstr("one F32 for each row"));
  bad.dtype = Dtype::kF64;
  bad.shape = {1};
  write({x, bad});
  EXPECT_THAT(refusal(), HasSubstr("one F32 for each row"));
  TensorToWrite unsigned_x = x;
  unsigned_x.dtype = Dtype::kU8;
  write({unsigned_x, s});
  EXPECT_THAT(refusal(), HasSubstr("one F32 for each row"));
}

TEST_F(NamedTensorsTest, StorageNames) {
  EXPECT_EQ(storage_kind("float32"), StorageKind::kFloat32);
  EXPECT_EQ(storage_kind("bfloat16"), StorageKind::kBFloat16);
  EXPECT_EQ(storage_kind("int8"), StorageKind::kInt8);
  EXPECT_THROW(storage_kind("int4"), Error);
}

}  // namespace
}  // namespace trivium::learning
