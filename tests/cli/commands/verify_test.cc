#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

#include "cli/commands/program.h"
#include "core/base/file.h"
#include "core/base/temporary_folder.h"
#include "core/checkpoint/tiny_checkpoint.h"

namespace trivium::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

TEST(VerifyCommandTest, SaysThatAllIsWellOrWhatIsDamaged) {
  TemporaryFolder temporary;
  const fs::path folder = temporary.path() / "model";
  save_checkpoint(tiny_checkpoint(), folder);
  const Outcome sound = run_program({"verify", "--checkpoint", folder});
  EXPECT_EQ(sound.code, 0) << sound.err;
  EXPECT_EQ(sound.out, folder.string() + ": all 7 files are as they were saved\n");

  const fs::path file = folder / "model.safetensors";
  std::string text = read_file(file);
  // Of the first tensor, which every answer needs; the header is 8 bytes of length and as many
  // bytes.
  uint64_t header = 0;
  std::memcpy(&header, text.data(), sizeof header);
  char& byte = text.at(8 + header);
  byte = static_cast<char>(byte ^ 0x40);
  std::ofstream(file, std::ios::binary) << text;
  const Outcome damaged = run_program({"verify", "--checkpoint", folder});
  EXPECT_EQ(damaged.code, 76);
  EXPECT_EQ(damaged.out, "");
  EXPECT_THAT(damaged.err, HasSubstr("model.safetensors is damaged"));
  // Whoever answers with it finds it too.
  const Outcome answer = run_program({"generate", "--checkpoint", folder}, "ab c\n");
  EXPECT_EQ(answer.code, 76);
  EXPECT_EQ(answer.out, "");
  EXPECT_THAT(answer.err, HasSubstr("is damaged: its checksum is not the manifest's"));
}

TEST(VerifyCommandTest, WhatIsNoCheckpointIsSaid) {
  TemporaryFolder temporary;
  EXPECT_EQ(run_program({"verify", "--checkpoint", temporary.path()}).code, 66);
}

}  // namespace
}  // namespace trivium::cli
