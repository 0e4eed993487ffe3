#include "learning/training/event_file.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>

#include "core/base/file.h"
#include "core/base/temporary_folder.h"

namespace trivium::learning {
namespace {

namespace fs = std::filesystem;

fs::path only_file(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  EXPECT_EQ(files.size(), 1u);
  return files.empty() ? fs::path() : files[0];
}

std::vector<std::string> records_of(const fs::path& file) {
  const std::string bytes = read_file(file);
  std::vector<std::string> records;
  size_t at = 0;
  while (const auto record = read_tf_record(bytes, at)) records.emplace_back(*record);
  EXPECT_EQ(at, bytes.size());
  return records;
}

std::vector<int64_t> steps_of(const fs::path& file) {
  std::vector<int64_t> steps;
  for (const std::string& record : records_of(file)) steps.push_back(step_of_event(record));
  return steps;
}

// RFC 3720, appendix B.4, and the check value of the polynomial.
TEST(EventFileTest, ChecksumIsCastagnolis) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  const uint32_t crc = 0xe3069283u;
  EXPECT_EQ(masked_crc32c("123456789"), ((crc >> 15) | (crc << 17)) + 0xa282ead8u);
}

// Every byte of an event: what event.proto and summary.proto say.
TEST(EventFileTest, AnEventIsItsProtocolBuffer) {
  const std::string event = scalar_event(1.0, 300, {{"loss", 0.5}});
  const std::string expected(
      "\x09\0\0\0\0\0\0\xf0\x3f"  // 1: double 1.0
      "\x10\xac\x02"              // 2: varint 300
      "\x2a\x0d"                  // 5: a summary of 13 bytes
      "\x0a\x0b"                  // 1: a value of 11 bytes
      "\x0a\x04loss"              // 1: the tag
      "\x15\0\0\0\x3f",           // 2: float 0.5
      27);
  EXPECT_EQ(event, expected);
  EXPECT_EQ(step_of_event(event), 300);
  const std::string record = tf_record("abc");
  ASSERT_EQ(record.size(), 8 + 4 + 3 + 4u);
  EXPECT_EQ(record.substr(0, 8), std::string("\3\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(record.substr(12, 3), "abc");
  uint32_t crc = 0;
  std::memcpy(&crc, record.data() + 15, 4);
  EXPECT_EQ(crc, masked_crc32c("abc"));
}

TEST(EventFileTest, ARunThatGoesOnHasEveryStepOnce) {
  TemporaryFolder folder;
  const fs::path run = folder.path() / "run";
  {
    EventFile events(run);
    events.truncate_after(0);  // nothing there
    events.add(10, {{"loss", 2}, {"gradient_norm", std::numeric_limits<double>::quiet_NaN()}});
    events.add(20, {{"loss", 1}});
    events.add(300, {{"loss", 0.5}});
  }
  const fs::path file = only_file(run);
  EXPECT_TRUE(file.filename().string().starts_with("events.out.tfevents."));
  EXPECT_EQ(steps_of(file), (std::vector<int64_t>{0, 10, 20, 300}));
  EXPECT_NE(records_of(file)[0].find("brain.Event:2"), std::string::npos);
  EXPECT_EQ(records_of(file)[1].find("gradient_norm"), std::string::npos);
  std::ofstream(file, std::ios::app) << "cut";  // a crash within a record
  EventFile events(run);
  events.truncate_after(20);
  events.add(30, {{"loss", 0.25}});
  EXPECT_EQ(only_file(run), file);
  EXPECT_EQ(steps_of(file), (std::vector<int64_t>{0, 10, 20, 30}));
  // A run that begins anew.
  EventFile(run).truncate_after(0);
  EXPECT_TRUE(fs::is_empty(run));
}

TEST(EventFileTest, WhatIsDamagedEndsTheFile) {
  std::string bytes = tf_record("one") + tf_record("two");
  size_t at = 0;
  EXPECT_EQ(read_tf_record(bytes, at), "one");
  bytes[bytes.size() - 6] ^= 1;  // of "two"
  EXPECT_EQ(read_tf_record(bytes, at), std::nullopt);
  bytes[at] = '\x7f';  // its length
  EXPECT_EQ(read_tf_record(bytes, at), std::nullopt);
  at = bytes.size() + 1;
  EXPECT_EQ(read_tf_record(bytes, at), std::nullopt);
  for (const std::string event : {"\x10", "\x2a\xff\xff\xff\xff\x0f", "\x09", ""}) {
    EXPECT_EQ(step_of_event(event), 0);
  }
}

}  // namespace
}  // namespace trivium::learning
