#include "core/checkpoint/tensor_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/random_tensor.h"
#include "core/base/temporary_folder.h"
#include "core/checkpoint/safetensors.h"

namespace trivium {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using TensorsByName = std::map<std::string, HostTensor>;

constexpr int64_t kUnlimited = int64_t{1} << 40;
constexpr const char* kIndex = "model.safetensors.index.json";

class TensorFilesTest : public ::testing::Test {
 protected:
  const fs::path& folder() const { return folder_.path(); }

  std::string refusal() {
    return error_of([&] { TensorFiles files(folder()); });
  }

  void write_index(const Json& weight_map) {
    folder_.write(kIndex, Json{{"weight_map", weight_map}}.dump());
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

TensorsByName some_tensors() {
  Rng rng(1);
  return {
      {"big", random_tensor(rng, {256, 96})},        {"bias", random_tensor(rng, {96})},
      {"big.3d", random_tensor(rng, {128, 16, 16})}, {"one_row", random_tensor(rng, {1, 20000})},
      {"small", random_tensor(rng, {64, 128})},      {"scalar", tensor_of({2.5f}, {})}};
}

TensorsByName read_all(const fs::path& folder) {
  const TensorFiles files(folder);
  TensorsByName tensors;
  for (const std::string& name : files.names()) tensors[name] = files.read(name);
  return tensors;
}

// Every bit, the sign of a zero included.
void expect_equal(const HostTensor& found, const HostTensor& expected, const std::string& name) {
  ASSERT_EQ(found.shape, expected.shape) << name;
  for (int64_t i = 0; i < expected.size(); ++i) {
    ASSERT_EQ(std::bit_cast<uint32_t>(found.values.get()[i]),
              std::bit_cast<uint32_t>(expected.values.get()[i]))
        << name << " element " << i;
  }
}

void expect_equal(const TensorsByName& found, const TensorsByName& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (const auto& [name, tensor] : expected) expect_equal(found.at(name), tensor, name);
}

TEST_F(TensorFilesTest, Float32ComesBackExactly) {
  const TensorsByName tensors = some_tensors();
  EXPECT_THAT(write_tensor_files(folder(), tensors, StorageKind::kFloat32, kUnlimited),
              ElementsAre("model.safetensors"));
  expect_equal(read_all(folder()), tensors);
  const TensorFiles files(folder());
  EXPECT_TRUE(files.has("big.3d"));
  EXPECT_FALSE(files.has("big.2d"));
  EXPECT_EQ(files.shape("big.3d"), (std::vector<int64_t>{128, 16, 16}));
  EXPECT_EQ(files.elements(), 256 * 96 + 96 + 128 * 256 + 20000 + 64 * 128 + 1);
  EXPECT_THROW(files.read("big.2d"), std::out_of_range);
}

// The nearest of the two bfloat16 around a number, the even one of two as near: worked out in
// double from the neighbours, not from the bits.
float nearest_bfloat16(float value) {
  const auto truncated = [](float v) {
    return std::bit_cast<float>(std::bit_cast<uint32_t>(v) & 0xFFFF0000u);
  };
  const float low = truncated(value);
  const float high = std::bit_cast<float>(std::bit_cast<uint32_t>(low) + 0x10000u);
  const double below = std::abs(static_cast<double>(value) - low);
  const double above = std::abs(static_cast<double>(high) - value);
  if (below != above) return below < above ? low : high;
  return (std::bit_cast<uint32_t>(low) & 0x10000u) == 0 ? low : high;
}

TEST_F(TensorFilesTest, Bfloat16IsTheNearest) {
  TensorsByName tensors = some_tensors();
  // Halfway between two, once below an even and once below an odd one; the largest below infinity
  // whose rounding stays finite; zeros of both signs.
  tensors["edges"] = tensor_of({0x1.01p0f, 0x1.03p0f, -0x1.01p0f, 0x1.fep127f, 0.0f, -0.0f}, {6});
  write_tensor_files(folder(), tensors, StorageKind::kBFloat16, kUnlimited);
  TensorsByName expected;
  for (const auto& [name, tensor] : tensors) {
    std::vector<float> values = values_of(tensor);
    for (float& value : values) value = nearest_bfloat16(value);
    expected[name] = tensor_of(std::move(values), tensor.shape);
  }
  expect_equal(read_all(folder()), expected);
  EXPECT_EQ(values_of(expected["edges"])[0], 1.0f);
  EXPECT_EQ(values_of(expected["edges"])[1], 0x1.04p0f);
}

// The largest distance of a row's values from what was read, in steps of max|row| / 127.
double largest_error_in_steps(const HostTensor& tensor, const HostTensor& read) {
  const int64_t rows = tensor.shape[0], columns = tensor.size() / rows;
  double largest = 0;
  for (int64_t row = 0; row < rows; ++row) {
    const float* from = tensor.values.get() + row * columns;
    const float* to = read.values.get() + row * columns;
    double most = 0, error = 0;
    for (int64_t i = 0; i < columns; ++i) {
      most = std::max(most, std::abs(static_cast<double>(from[i])));
      error = std::max(error, std::abs(static_cast<double>(from[i]) - to[i]));
    }
    if (most == 0) {
      EXPECT_EQ(error, 0) << "a row of zeros";
      continue;
    }
    largest = std::max(largest, error / (most / 127));
  }
  return largest;
}

TEST_F(TensorFilesTest, Int8IsWithinHalfAStepOfEveryRow) {
  TensorsByName tensors = some_tensors();
  std::vector<float> big = values_of(tensors["big"]);
  for (int i = 0; i < 96; ++i) big[3 * 96 + i] *= 1000;  // a loud row must not spoil the others
  std::fill_n(big.begin() + 4 * 96, 96, 0.0f);
  tensors["big"] = tensor_of(big, {256, 96});
  write_tensor_files(folder(), tensors, StorageKind::kInt8, kUnlimited);
  const TensorsByName loaded = read_all(folder());
  ASSERT_EQ(loaded.size(), tensors.size());
  for (const char* name : {"bias", "one_row", "small", "scalar"}) {
    expect_equal(loaded.at(name), tensors.at(name), name);  // left in float32
  }
  for (const char* name : {"big", "big.3d"}) {
    EXPECT_EQ(loaded.at(name).shape, tensors.at(name).shape);
    // The step is rounded up by at most 2^-16 of itself.
    const double error = largest_error_in_steps(tensors.at(name), loaded.at(name));
    EXPECT_LE(error, 0.5 + 1e-4) << name;
    EXPECT_GT(error, 0.4) << name << ": rounded to steps of another size";
  }
  EXPECT_LT(fs::file_size(folder() / "model.safetensors"),
            (256 * 96 + 128 * 256) * 1 + (96 + 20000 + 64 * 128 + 1 + 384) * 4 + 2000u);
}

TEST_F(TensorFilesTest, WritingWhatWasReadGivesTheSameBytes) {
  for (const StorageKind kind :
       {StorageKind::kFloat32, StorageKind::kBFloat16, StorageKind::kInt8}) {
    TemporaryFolder first, second;
    const auto files = write_tensor_files(first.path(), some_tensors(), kind, 60000);
    EXPECT_GT(files.size(), 2u);
    EXPECT_EQ(write_tensor_files(second.path(), read_all(first.path()), kind, 60000), files);
    for (const std::string& file : files) {
      EXPECT_EQ(read_file(first.path() / file), read_file(second.path() / file)) << file;
    }
  }
}

TEST_F(TensorFilesTest, ShardsKeepToTheLimit) {
  TensorsByName tensors;
  Rng rng(2);
  for (int i = 0; i < 40; ++i) tensors[std::to_string(i)] = random_tensor(rng, {50, 50});
  const auto files = write_tensor_files(folder(), tensors, StorageKind::kFloat32, 100000);
  EXPECT_EQ(files.back(), kIndex);
  EXPECT_EQ(files.front(), "model-00001-of-00005.safetensors");
  EXPECT_EQ(files.size(), 6u);
  for (const std::string& file : files) EXPECT_LE(fs::file_size(folder() / file), 100000u);
  EXPECT_EQ(read_json_file(folder() / kIndex).at("metadata").at("total_size"), 40 * 2500 * 4);
  expect_equal(read_all(folder()), tensors);
}

TEST_F(TensorFilesTest, WidensEveryDtypeOfTheReference) {
  const fs::path reference = fs::path(TRIVIUM_TEST_DATA) / "safetensors/reference.safetensors";
  fs::copy(reference, folder() / "model.safetensors");
  EXPECT_THAT(refusal(), HasSubstr("\"i8\" is I8 and lacks"));
  // The same without i8, which means quantised weights to us.
  SafetensorsReader reader(reference);
  std::vector<TensorToWrite> tensors;
  std::vector<std::vector<std::byte>> bytes;
  bytes.reserve(reader.entries().size());
  for (const TensorEntry& entry : reader.entries()) {
    if (entry.name == "i8") continue;
    reader.read(entry, bytes.emplace_back(entry.size()));
    tensors.push_back({entry.name, entry.dtype, entry.shape, bytes.back()});
  }
  write_safetensors(folder() / "model.safetensors", tensors);
  const auto steps = [](std::vector<int64_t> shape, const auto& of) {
    std::vector<float> values;
    for (int i = 0; i < 6; ++i) values.push_back(static_cast<float>(of(i)));
    return tensor_of(std::move(values), std::move(shape));
  };
  const TensorsByName expected = {
      {"bool", tensor_of({1, 0, 1}, {3})},
      {"u8", steps({6}, [](int i) { return 50 * i; })},
      {"i16", steps({6}, [](int i) { return (i - 3) * 1000; })},
      {"i32", steps({2, 3}, [](int i) { return (i - 3) * 100000; })},
      {"i64", steps({6}, [](int i) { return (i - 3) * 1e12; })},
      {"f16", steps({3, 2}, [](int i) { return i * 0.25; })},
      {"bf16", steps({3, 1, 2}, [](int i) { return i * 0.5 - 1; })},
      {"f32.z", steps({6}, [](int i) { return static_cast<float>(i) / 7; })},
      {"f32.a", tensor_of({3.5f}, {})},
      {"f64", steps({6}, [](int i) { return static_cast<double>(i) / 3; })},
      {"empty", tensor_of({}, {0, 4})},
  };
  expect_equal(read_all(folder()), expected);
}

// Subnormal, smallest normal, largest, negative zero, infinity: each by its definition.
TEST_F(TensorFilesTest, WidensTheEdgesOfFloat16) {
  const std::vector<uint16_t> halves = {0x0001, 0x03FF, 0x0400, 0x7BFF, 0x8000, 0xFC00};
  write_safetensors(folder() / "model.safetensors",
                    {{"h", Dtype::kF16, {6}, std::as_bytes(std::span(halves))}});
  expect_equal(TensorFiles(folder()).read("h"),
               tensor_of({0x1p-24f, 0x1.ff8p-15f, 0x1p-14f, 65504.0f, -0.0f,
                          -std::numeric_limits<float>::infinity()},
                         {6}),
               "h");
}

TEST_F(TensorFilesTest, RefusesFoldersWithoutWeights) {
  EXPECT_THAT(refusal(), AllOf(StartsWith("66: "), HasSubstr("no model.safetensors")));
  folder_.write("pytorch_model.bin", "\x80\x02");
  EXPECT_THAT(refusal(), AllOf(StartsWith("76: "), HasSubstr("is a pickle"),
                               HasSubstr("safe_serialization=True")));
  EXPECT_THAT(error_of([&] { TensorFiles files(folder() / "nowhere"); }),
              AllOf(StartsWith("66: "), HasSubstr("there is no model folder")));
}

TEST_F(TensorFilesTest, RefusesBadIndexes) {
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
  for (const Json& shard : {Json("../a.safetensors"), Json("/tmp/a.safetensors"),
                            Json(".safetensors"), Json("pytorch_model.bin"), Json(5)}) {
    EXPECT_THAT(changed("x", shard),
                AllOf(StartsWith("76: "), HasSubstr("the shard of tensor \"x\""),
                      HasSubstr("must be the name of a .safetensors")))
        << shard;
  }
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
  EXPECT_THAT(refusal(), AllOf(StartsWith("66: "), HasSubstr("b.safetensors")));
  for (const char* text : {"[]", "{}", "{\"weight_map\": []}", "{"}) {
    folder_.write(kIndex, text);
    EXPECT_THAT(refusal(), AllOf(StartsWith("76: "), HasSubstr(kIndex))) << text;
  }
}

TEST_F(TensorFilesTest, RefusesScalesThatDoNotFit) {
  const std::string values(6, '\1');
  const std::vector<float> scales = {0.5f, -2.0f};
  const auto write = [&](const std::vector<TensorToWrite>& tensors) {
    write_safetensors(folder() / "model.safetensors", tensors);
  };
  const auto read_x = [&] { return error_of([&] { TensorFiles(folder()).read("x"); }); };
  const TensorToWrite x{"x", Dtype::kI8, {2, 3}, std::as_bytes(std::span(values))};
  const TensorToWrite s{"x.row_scale", Dtype::kF32, {2}, std::as_bytes(std::span(scales))};
  write({x, s});
  expect_equal(read_all(folder()), {{"x", tensor_of({.5f, .5f, .5f, -2, -2, -2}, {2, 3})}});
  write({s});
  EXPECT_THAT(refusal(), HasSubstr("has no matrix to scale"));
  write({x});
  EXPECT_THAT(refusal(), HasSubstr("lacks \"x.row_scale\""));
  TensorToWrite bad = s;
  bad.shape = {1, 2};
  write({x, bad});
  EXPECT_THAT(read_x(), AllOf(StartsWith("76: "), HasSubstr("one F32 for each row")));
  bad.dtype = Dtype::kF64;
  bad.shape = {1};
  write({x, bad});
  EXPECT_THAT(read_x(), HasSubstr("one F32 for each row"));
  TensorToWrite unsigned_x = x;
  unsigned_x.dtype = Dtype::kU8;
  write({unsigned_x, s});
  EXPECT_THAT(read_x(), HasSubstr("one F32 for each row"));
}

TEST_F(TensorFilesTest, ReadingAFileThatShrankIsAnError) {
  write_tensor_files(folder(), some_tensors(), StorageKind::kFloat32, kUnlimited);
  const TensorFiles files(folder());
  fs::resize_file(folder() / "model.safetensors", 4000);
  EXPECT_THAT(error_of([&] { files.read("small"); }),
              AllOf(StartsWith("76: "), HasSubstr("\"small\"")));
}

TEST(IsFiniteTest, FindsANanOrAnInfinityInAnyPlace) {
  EXPECT_TRUE(is_finite(tensor_of({}, {0})));
  EXPECT_TRUE(is_finite(tensor_of({0, -0.0f, 0x1p-149f, 0x1.fffffep127f}, {4})));
  for (const float bad :
       {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
        std::numeric_limits<float>::quiet_NaN()}) {
    for (size_t at = 0; at < 37; ++at) {
      std::vector<float> values(37, 1.0f);
      values[at] = bad;
      EXPECT_FALSE(is_finite(tensor_of(values, {37}))) << bad << " at " << at;
    }
  }
}

TEST(StorageKindTest, HasItsNames) {
  EXPECT_EQ(storage_kind("float32"), StorageKind::kFloat32);
  EXPECT_EQ(storage_kind("bfloat16"), StorageKind::kBFloat16);
  EXPECT_EQ(storage_kind("int8"), StorageKind::kInt8);
  EXPECT_THAT(error_of([] { storage_kind("int4"); }),
              AllOf(StartsWith("2: "), HasSubstr("\"int4\"")));
}

}  // namespace
}  // namespace trivium
