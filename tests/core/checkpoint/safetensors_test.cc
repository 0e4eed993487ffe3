#include "core/checkpoint/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <bit>
#include <filesystem>
#include <fstream>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/rng.h"
#include "core/base/temporary_folder.h"
#include "core/checkpoint/safetensors_header.h"

namespace trivium {
namespace {

namespace fs = std::filesystem;
using ::testing::AnyOf;
using ::testing::HasSubstr;

std::string file_of(const std::string& header, const std::string& data = "") {
  const uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + header + data;
}

// A tensor's header entry: `tensor("a", "F32", "[2]", "[0,8]")`.
std::string tensor(const std::string& name, const std::string& dtype, const std::string& shape,
                   const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape +
         ",\"data_offsets\":" + offsets + "}";
}

class SafetensorsTest : public ::testing::Test {
 protected:
  fs::path write(const std::string& bytes) {
    const fs::path file = folder_.path() / "w.safetensors";
    std::ofstream(file, std::ios::binary) << bytes;  // write_file_atomically would flush the disk
    return file;
  }

  // The message with which the reader refuses `bytes`; "" when it accepts them.
  std::string refusal(const std::string& bytes) {
    const fs::path file = write(bytes);
    try {
      SafetensorsReader reader{file};
      return "";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ExitCode::kBadModel);
      EXPECT_THAT(e.what(), HasSubstr(file.string()));
      EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos);
      return e.what();
    }
  }

  TemporaryFolder folder_;
};

TEST_F(SafetensorsTest, RefusesHandMadeBadFiles) {
  const std::string a = tensor("a", "F32", "[2]", "[0,8]");
  const std::string eight(8, '\0'), huge = "4611686018427387904";
  struct Case {
    std::string bytes;
    const char* message;
  };
  const std::vector<Case> cases = {
      {"", "too short"},
      {"1234567", "too short"},
      {std::string("\x01\xe1\xf5\x05\0\0\0\0{}", 10), "100 MB"},  // 100,000,001
      {std::string(8, '\xff') + "{}", "100 MB"},
      {std::string("\x03\0\0\0\0\0\0\0{}", 10), "cut off inside its header"},
      {file_of(""), "must be a JSON object"},
      {file_of("[]"), "must be a JSON object"},
      {file_of("3"), "must be a JSON object"},
      {file_of(" {}"), "must be a JSON object"},
      {file_of("{}\n"), "must be a JSON object"},
      {file_of(std::string("{}\0{}", 5)), "must be a JSON object"},
      {file_of("{}{}"), "malformed JSON at byte 3"},
      {file_of("{" + a + ",}", eight), "malformed JSON"},
      {file_of("{\"\xff\":{}}"), "malformed JSON"},
      {file_of("{" + std::string(100000, '[') + "}"), "malformed JSON"},
      {file_of("{\"a\":" + std::string(100000, '[') + "}"), "\"a\" has a list"},
      {file_of("{\"a\":{\"b\":{}}}"), "\"a\" has an object"},
      {file_of("{\"a\":null}"), "\"a\" has a null"},
      {file_of("{\"a\":true}"), "\"a\" has a boolean"},
      {file_of("{\"a\":\"b\"}"), "\"a\" has a string"},
      {file_of("{\"a\":{}}"), "\"a\" needs dtype, shape and data_offsets"},
      {file_of("{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", eight), "\"a\" needs"},
      {file_of("{\"a\":{\"dtype\":1}}"), "\"a\" has a number"},
      {file_of("{\"a\":{\"size\":[1]}}"), "\"a\" has the unknown key \"size\""},
      {file_of("{\"a\":{\"shape\":[1],\"shape\":[1]}}"), "\"a\" has a key twice: \"shape\""},
      {file_of("{" + tensor("a", "F33", "[2]", "[0,8]") + "}", eight), "unknown dtype \"F33\""},
      {file_of("{" + tensor("a", "F32", "[-2]", "[0,8]") + "}", eight), "\"a\" has a negative"},
      {file_of("{" + tensor("a", "F32", "[2.0]", "[0,8]") + "}", eight), "\"a\" has a number"},
      {file_of("{" + tensor("a", "F32", "[1e400]", "[0,8]") + "}", eight), "malformed JSON"},
      {file_of("{" + tensor("a", "F32", "[99999999999999999999]", "[0,8]") + "}", eight),
       "too large"},
      {file_of("{" + tensor("a", "F32", "[9223372036854775808]", "[0,8]") + "}", eight),
       "too large"},
      {file_of("{" + tensor("a", "F32", "[\"2\"]", "[0,8]") + "}", eight), "\"a\" has a string"},
      {file_of("{" + tensor("a", "F32", "[[2]]", "[0,8]") + "}", eight), "\"a\" has a list"},
      {file_of("{" + tensor("a", "U8", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[0,1]") + "}", "x"),
       "16 dimensions"},
      {file_of("{" + tensor("a", "F32", "[" + huge + "]", "[0,0]") + "}"),
       "\"a\" has a shape whose"},
      {file_of("{" + tensor("a", "U8", "[4294967296,4294967296]", "[0,0]") + "}"), "overflows"},
      {file_of("{" + tensor("a", "F32", "[2]", "[0]") + "}", eight), "[begin, end]"},
      {file_of("{" + tensor("a", "F32", "[2]", "[]") + "}", eight), "[begin, end]"},
      {file_of("{" + tensor("a", "F32", "[2]", "[0,8,8]") + "}", eight), "more than two"},
      {file_of("{" + tensor("a", "F32", "[2]", "[8,0]") + "}", eight), "[begin, end]"},
      {file_of("{" + tensor("a", "F32", "[3]", "[0,8]") + "}", eight),
       "8 bytes where its shape needs 12"},
      {file_of("{" + a + "," + a + "}", eight), "\"a\" occurs twice"},
      {file_of("{" + a + "}", eight + "x"), "1 bytes follow"},
      {file_of("{" + a + "}", "1234567"), "\"a\" ends after the end"},
      {file_of("{}", "x"), "1 bytes follow"},
      {file_of("{" + tensor("a", "F32", "[2]", "[4,12]") + "}", eight + "1234"),
       "\"a\" follows a hole"},
      {file_of("{" + a + "," + tensor("b", "F32", "[2]", "[4,12]") + "}", eight + "1234"),
       "\"b\" overlaps"},
      {file_of("{" + a + "," + tensor("b", "F32", "[2]", "[12,20]") + "}", eight + eight + "1234"),
       "\"b\" follows a hole"},
      {file_of("{\"__metadata__\":5}"), "has a number"},
      {file_of("{\"__metadata__\":[]}"), "has a list"},
      {file_of("{\"__metadata__\":{\"k\":1}}"), "has a number"},
      {file_of("{\"__metadata__\":{\"k\":{}}}"), "has an object"},
      {file_of("{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}"), "has a key twice: \"k\""},
      {file_of("{\"__metadata__\":{},\"__metadata__\":{}}"), "occurs twice"},
  };
  for (const Case& c : cases) {
    EXPECT_THAT(refusal(c.bytes), HasSubstr(c.message)) << c.bytes.substr(0, 200);
  }
}

TEST_F(SafetensorsTest, MessagesEscapeHostileNames) {
  const std::string message =
      refusal(file_of("{\"\\u001b[31m\\n" + std::string(5000, 'n') + "\":null}"));
  EXPECT_THAT(message, HasSubstr("\\u001b[31m\\nnnn"));
  EXPECT_LT(message.size(), 400u);
}

TEST_F(SafetensorsTest, RefusesWhatIsNoFile) {
  const auto code_of = [](const fs::path& path) {
    try {
      SafetensorsReader reader{path};
    } catch (const Error& e) {
      return e.code();
    }
    return ExitCode::kOk;
  };
  EXPECT_EQ(code_of(folder_.path() / "absent"), ExitCode::kMissingInput);
  EXPECT_EQ(code_of(folder_.path()), ExitCode::kBadModel);
  const fs::path pipe = folder_.path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(code_of(pipe), ExitCode::kBadModel);  // and does not wait for a writer
}

TEST_F(SafetensorsTest, AcceptsOddButLegalFiles) {
  EXPECT_EQ(refusal(file_of("{}")), "");
  EXPECT_EQ(refusal(file_of("{}      ")), "");
  EXPECT_EQ(refusal(file_of("{\"__metadata__\":{}}")), "");
  EXPECT_EQ(refusal(file_of("{" + tensor("", "F64", "[]", "[0,8]") + "}", "12345678")), "");
  // Entries out of order, an empty tensor between two others, and one after all.
  EXPECT_EQ(
      refusal(file_of(
          "{" + tensor("b", "U8", "[2]", "[1,3]") + "," + tensor("a", "I8", "[1]", "[0,1]") + "," +
              tensor("e", "F32", "[0,5]", "[1,1]") + "," + tensor("z", "F32", "[0]", "[3,3]") + "}",
          "123")),
      "");
}

TEST_F(SafetensorsTest, ReadsWhatTheReferenceWrites) {
  // tools/make_safetensors_golden.py
  const fs::path golden = fs::path(TRIVIUM_TEST_DATA) / "safetensors/reference.safetensors";
  SafetensorsReader reader(golden);
  EXPECT_EQ(reader.metadata(), (std::map<std::string, std::string>{{"format", "pt"}}));
  std::vector<std::string> contents;
  std::vector<TensorToWrite> tensors;
  contents.reserve(reader.entries().size());
  for (const TensorEntry& entry : reader.entries()) {
    contents.emplace_back(entry.size(), '\0');
    const auto bytes = std::as_writable_bytes(std::span(contents.back()));
    reader.read(entry, bytes);
    tensors.push_back({entry.name, entry.dtype, entry.shape, bytes});
    if (entry.name == "f64") {
      EXPECT_EQ(
          std::bit_cast<double>(*reinterpret_cast<const uint64_t*>(contents.back().data() + 8)),
          1.0 / 3);
    }
    if (entry.name == "bool") {
      EXPECT_EQ(contents.back(), std::string("\1\0\1", 3));
    }
  }
  EXPECT_EQ(tensors.size(), 12u);
  // The same tensors, in whatever order they come, give the reference's very bytes.
  std::reverse(tensors.begin(), tensors.end());
  const fs::path copy = folder_.path() / "copy.safetensors";
  write_safetensors(copy, tensors, reader.metadata());
  EXPECT_EQ(read_file(copy), read_file(golden));
}

int base64_value(char c) {
  static const std::string kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  return static_cast<int>(kAlphabet.find(c));
}

std::string decode_base64(const std::string& text) {
  std::string bytes;
  unsigned buffer = 0, bits = 0;
  for (const char c : text) {
    if (c == '=') break;
    buffer = (buffer << 6) | static_cast<unsigned>(base64_value(c));
    bits += 6;
    if (bits >= 8) bytes += static_cast<char>(buffer >> (bits -= 8));
  }
  return bytes;
}

TEST_F(SafetensorsTest, AgreesWithTheReferenceOnDamagedFiles) {
  const Json rows = read_json_file(fs::path(TRIVIUM_TEST_DATA) / "safetensors/verdicts.json");
  int stricter = 0, accepted = 0;
  for (const Json& row : rows) {
    const std::string bytes = decode_base64(row.at("base64"));
    const std::string message = refusal(bytes);
    if (row.at("accepted")) {
      ++accepted;
      stricter += message.empty() ? 0 : 1;
      // We refuse more than the reference does in two ways: a tensor with a key of another name,
      // and a header that does not begin with its brace, as the format's description demands.
      if (!message.empty()) {
        EXPECT_THAT(message,
                    AnyOf(HasSubstr("has the unknown key"), HasSubstr("must be a JSON object")))
            << bytes;
      }
    } else {
      EXPECT_NE(message, "") << bytes;
    }
  }
  EXPECT_GT(rows.size(), 400u);
  EXPECT_GT(accepted - stricter, 30);
}

TEST_F(SafetensorsTest, RefusesEveryTruncation) {
  const std::string good = file_of("{" + tensor("a", "F32", "[2]", "[0,8]") + "}", "12345678");
  EXPECT_EQ(refusal(good), "");
  for (size_t length = 0; length < good.size(); ++length) {
    EXPECT_NE(refusal(good.substr(0, length)), "") << length;
  }
}

TEST_F(SafetensorsTest, NoticesAFileThatShrinks) {
  const std::string good = file_of("{" + tensor("a", "F32", "[2]", "[0,8]") + "}", "12345678");
  const fs::path file = write(good);
  SafetensorsReader reader(file);
  fs::resize_file(file, good.size() - 3);
  std::vector<std::byte> bytes(8);
  EXPECT_THROW(reader.read(reader.entries()[0], bytes), Error);
}

TEST_F(SafetensorsTest, RandomFilesSurviveARoundTripByteForByte) {
  Rng rng(1);
  for (int round = 0; round < 50; ++round) {
    std::vector<std::string> contents;
    std::vector<TensorToWrite> tensors;
    const size_t count = rng.below(8);
    contents.reserve(count);
    for (size_t i = 0; i < count; ++i) {
      TensorToWrite t;
      t.name = std::to_string(i) + "\n\"é";
      t.dtype = static_cast<Dtype>(rng.below(10));
      size_t bytes = size_of(t.dtype);
      for (size_t d = rng.below(4); d > 0; --d) {
        t.shape.push_back(static_cast<int64_t>(rng.below(5)));
        bytes *= static_cast<size_t>(t.shape.back());
      }
      contents.emplace_back(bytes, '\0');
      for (char& c : contents.back()) c = static_cast<char>(rng.next());
      t.bytes = std::as_bytes(std::span(contents.back()));
      tensors.push_back(t);
    }
    const fs::path first = folder_.path() / "1.safetensors",
                   second = folder_.path() / "2.safetensors";
    write_safetensors(first, tensors, {{"round", std::to_string(round)}});
    SafetensorsReader reader(first);
    ASSERT_EQ(reader.entries().size(), tensors.size());
    std::vector<TensorToWrite> again;
    for (const TensorEntry& entry : reader.entries()) {
      const size_t i = std::stoul(entry.name);
      std::string bytes(entry.size(), '\0');
      reader.read(entry, std::as_writable_bytes(std::span(bytes)));
      EXPECT_EQ(bytes, contents[i]);
      EXPECT_EQ(entry.shape, tensors[i].shape);
      EXPECT_EQ(entry.dtype, tensors[i].dtype);
      again.push_back(tensors[i]);
    }
    write_safetensors(second, again, reader.metadata());
    EXPECT_EQ(read_file(first), read_file(second));
  }
}

TEST_F(SafetensorsTest, RandomHeadersNeverCrash) {
  const std::string good = "{\"__metadata__\":{\"k\":\"v\"}," +
                           tensor("a", "F32", "[2,1]", "[0,8]") + "," +
                           tensor("b", "BF16", "[]", "[8,10]") + "}";
  const std::string alphabet = "{}[]\",:0129-.eE \\abf\xc3\x01";
  Rng rng(2);
  int accepted = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string header = good;
    for (uint64_t edits = 1 + rng.below(3); edits > 0; --edits) {
      const size_t at = rng.below(header.size());
      if (rng.below(2) == 0) {
        header[at] = alphabet[rng.below(alphabet.size())];
      } else {
        header.erase(at, 1 + rng.below(8));
      }
    }
    try {
      parse_safetensors_header(header, 10, "header");
      ++accepted;
    } catch (const Error& e) {
      ASSERT_EQ(e.code(), ExitCode::kBadModel);
    }
  }
  EXPECT_GT(accepted, 100);
  EXPECT_LT(accepted, 10000);
}

TEST_F(SafetensorsTest, AFailedWriteKeepsTheOldFile) {
  const fs::path file = write("old");
  const std::string bytes(8, 'x');
  const TensorToWrite broken{"a", Dtype::kF32, {3}, std::as_bytes(std::span(bytes))};
  EXPECT_THROW(write_safetensors(file, {broken}), Error);  // 8 bytes where the shape needs 12
  EXPECT_EQ(read_file(file), "old");
  EXPECT_THROW(write_safetensors(folder_.path() / "absent" / "x.safetensors", {}), Error);
}

}  // namespace
}  // namespace trivium
