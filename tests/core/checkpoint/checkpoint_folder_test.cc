#include "core/checkpoint/checkpoint_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <thread>
#include <utility>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/rng.h"
#include "core/base/temporary_folder.h"

namespace trivium {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class CheckpointFolderTest : public ::testing::Test {
 protected:
  // A checkpoint of two files that both hold `text`.
  void save(const std::string& text) {
    replace_checkpoint_folder(folder_, [&](const fs::path& staging) {
      std::ofstream(staging / "a.txt") << text;
      std::ofstream(staging / "b.txt") << text;
    });
  }

  // The Error of `action`; its code is kOk when there is none.
  template <typename Action>
  static Error error_of(Action&& action) {
    try {
      action();
    } catch (const Error& e) {
      return e;
    }
    return Error(ExitCode::kOk, "");
  }

  Error verify_error(Verify verify) {
    return error_of([&] { verify_checkpoint_folder(folder_, verify); });
  }

  std::vector<std::string> names_beside() {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(temporary_.path())) {
      names.push_back(entry.path().filename());
    }
    return names;
  }

  TemporaryFolder temporary_;
  fs::path folder_ = temporary_.path() / "model";
};

TEST_F(CheckpointFolderTest, SavesReplacesAndVerifies) {
  save("one");
  EXPECT_EQ(verify_error(Verify::kHashes).code(), ExitCode::kOk);
  save("two");
  EXPECT_EQ(verify_error(Verify::kHashes).code(), ExitCode::kOk);
  EXPECT_EQ(read_file(folder_ / "a.txt"), "two");
  EXPECT_EQ(names_beside(), std::vector<std::string>{"model"});  // nothing is left over
  const Json manifest = read_json_file(folder_ / "manifest.json");
  EXPECT_EQ(manifest.at("files").at("a.txt").at("size"), 3);
  // sha256sum of "two"
  EXPECT_EQ(manifest.at("files").at("a.txt").at("sha256"),
            "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3");
}

TEST_F(CheckpointFolderTest, NamesTheFileThatIsDamaged) {
  save("text");
  std::ofstream(folder_ / "b.txt") << "tExt";
  for (const Verify verify : {Verify::kChecksums, Verify::kHashes}) {
    EXPECT_EQ(verify_error(verify).code(), ExitCode::kBadModel);
    EXPECT_THAT(verify_error(verify).what(), HasSubstr("b.txt is damaged"));
  }
  std::ofstream(folder_ / "b.txt") << "tex";
  EXPECT_THAT(verify_error(Verify::kChecksums).what(), HasSubstr("b.txt has 3 bytes"));
  fs::remove(folder_ / "b.txt");
  EXPECT_THAT(verify_error(Verify::kChecksums).what(), HasSubstr("b.txt is missing"));
}

TEST_F(CheckpointFolderTest, AManifestWithoutChecksumsIsHeldToItsHashes) {
  save("text");
  Json manifest = read_json_file(folder_ / "manifest.json");
  // XXH3 of "text", by the reference program: xxhsum -H3.
  EXPECT_EQ(manifest.at("files").at("a.txt").at("xxh3"), "4769fd1c60e8a611");
  for (auto& [name, entry] : manifest.at("files").items()) entry.erase("xxh3");
  std::ofstream(folder_ / "manifest.json") << manifest.dump();
  EXPECT_EQ(verify_error(Verify::kChecksums).code(), ExitCode::kOk);
  std::ofstream(folder_ / "b.txt") << "tExt";
  EXPECT_THAT(verify_error(Verify::kChecksums).what(), HasSubstr("its SHA-256 is not"));
}

TEST_F(CheckpointFolderTest, SaysWhenThereIsNoCheckpoint) {
  EXPECT_EQ(verify_error(Verify::kChecksums).code(), ExitCode::kMissingInput);
  fs::create_directory(folder_);
  EXPECT_EQ(verify_error(Verify::kChecksums).code(), ExitCode::kMissingInput);
  EXPECT_THAT(verify_error(Verify::kChecksums).what(), HasSubstr("has no manifest.json"));
  // What a kill between the two renames of a file system without exchange leaves.
  save("text");
  fs::rename(folder_, folder_.string() + ".old-123");
  EXPECT_THAT(verify_error(Verify::kChecksums).what(), HasSubstr("model.old-123: rename that"));
}

TEST_F(CheckpointFolderTest, RefusesBadManifests) {
  save("text");
  const std::string entry = R"({"size": 4, "sha256": ""})";
  for (const std::string& text :
       {std::string("{"), std::string("[]"), std::string("{\"version\": 1}"),
        std::string("{\"version\": 2, \"files\": {}}"), std::string("{\"files\": {}}"),
        "{\"version\": 1, \"files\": {\"../a.txt\": " + entry + "}}",
        "{\"version\": 1, \"files\": {\"/etc/passwd\": " + entry + "}}",
        "{\"version\": 1, \"files\": {\"..\": " + entry + "}}",
        "{\"version\": 1, \"files\": {\"\": " + entry + "}}",
        std::string("{\"version\": 1, \"files\": {\"a.txt\": 4}}"),
        std::string(R"({"version": 1, "files": {"a.txt": {"size": -4, "sha256": ""}}})"),
        std::string(R"({"version": 1, "files": {"a.txt": {"size": 4, "sha256": 1}}})"),
        std::string(R"({"version": 1, "files": {"a.txt": {"size": 4, "sha256": "", "xxh3": 1}}})"),
        std::string(R"({"version": 1, "files": {"a.txt":
                        {"size": 4, "sha256": "", "xxh3": "4769fd1c60e8a61g"}}})"),
        std::string(R"({"version": 1, "files": {"a.txt":
                        {"size": 4, "sha256": "", "header_xxh3": "4769fd1c60e8a611"}}})")}) {
    std::ofstream(folder_ / "manifest.json") << text;
    EXPECT_EQ(verify_error(Verify::kChecksums).code(), ExitCode::kBadModel) << text;
    EXPECT_THAT(verify_error(Verify::kChecksums).what(), HasSubstr("manifest.json")) << text;
  }
}

TEST_F(CheckpointFolderTest, NeverReplacesWhatIsNoCheckpoint) {
  fs::create_directory(folder_);
  std::ofstream(folder_ / "thesis.txt") << "years of work";
  EXPECT_EQ(error_of([&] { save("text"); }).code(), ExitCode::kExists);
  EXPECT_EQ(read_file(folder_ / "thesis.txt"), "years of work");
  fs::remove_all(folder_);
  std::ofstream(folder_) << "a file";
  EXPECT_EQ(error_of([&] { save("text"); }).code(), ExitCode::kExists);
}

TEST_F(CheckpointFolderTest, FillsAnEmptyOrNestedFolder) {
  fs::create_directory(folder_);
  save("text");
  EXPECT_EQ(verify_error(Verify::kHashes).code(), ExitCode::kOk);
  folder_ = temporary_.path() / "new" / "nested/";
  save("text");
  EXPECT_EQ(verify_error(Verify::kHashes).code(), ExitCode::kOk);
}

TEST_F(CheckpointFolderTest, KeepsFilesThatItDidNotWrite) {
  save("one");
  std::ofstream(folder_ / "README.md") << "card";
  save("two");
  EXPECT_EQ(read_file(folder_ / "README.md"), "card");
  EXPECT_EQ(read_file(folder_ / "a.txt"), "two");
  // A file of the old manifest that the new one lacks is gone.
  replace_checkpoint_folder(
      folder_, [](const fs::path& staging) { std::ofstream(staging / "a.txt") << "three"; });
  EXPECT_FALSE(fs::exists(folder_ / "b.txt"));
  EXPECT_TRUE(fs::exists(folder_ / "README.md"));
}

TEST_F(CheckpointFolderTest, FollowsALinkToTheFolder) {
  save("one");
  const fs::path real = std::exchange(folder_, temporary_.path() / "latest");
  fs::create_directory_symlink(real, folder_);
  save("two");
  EXPECT_TRUE(fs::is_symlink(folder_));
  EXPECT_EQ(read_file(real / "a.txt"), "two");
}

TEST_F(CheckpointFolderTest, AFailedSaveLeavesTheOldOneAndNoRubbish) {
  save("one");
  EXPECT_THROW(replace_checkpoint_folder(folder_,
                                         [](const fs::path& staging) {
                                           std::ofstream(staging / "a.txt") << "half";
                                           throw Error(ExitCode::kIo, "disk full");
                                         }),
               Error);
  EXPECT_EQ(read_file(folder_ / "a.txt"), "one");
  EXPECT_EQ(names_beside(), std::vector<std::string>{"model"});
}

TEST_F(CheckpointFolderTest, RemovesWhatADeadProcessLeft) {
  fs::create_directory(folder_.string() + ".tmp-999999999");  // beyond the greatest process id
  fs::create_directory(folder_.string() + ".tmp-1");          // alive
  save("one");
  EXPECT_FALSE(fs::exists(folder_.string() + ".tmp-999999999"));
  EXPECT_TRUE(fs::exists(folder_.string() + ".tmp-1"));
}

TEST_F(CheckpointFolderTest, AReaderAlwaysFindsAWholeCheckpoint) {
  save("0");
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (int i = 1; i <= 20; ++i) save(std::to_string(i));
    done = true;
  });
  while (!done) ASSERT_TRUE(fs::exists(folder_ / "manifest.json"));
  writer.join();
}

TEST_F(CheckpointFolderTest, SurvivesKillsAtRandomMoments) {
  save("start");
  Rng rng(3);
  for (int round = 0; round < 25; ++round) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      for (int i = 0;; ++i) save(std::string(1000 + i % 3, 'x'));
    }
    ::usleep(static_cast<useconds_t>(rng.below(40000)));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    ASSERT_EQ(verify_error(Verify::kHashes).code(), ExitCode::kOk) << round;
  }
  save("end");
  EXPECT_EQ(names_beside(), std::vector<std::string>{"model"});
}

}  // namespace
}  // namespace trivium
