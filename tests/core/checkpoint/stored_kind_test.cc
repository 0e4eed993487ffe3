#include "core/checkpoint/stored_kind.h"

#include <gtest/gtest.h>

#include "core/base/file.h"
#include "core/base/random_tensor.h"
#include "core/base/temporary_folder.h"

namespace trivium {
namespace {

TEST(StoredKindTest, IsThatOfTheWeights) {
  Rng rng(1);
  const std::map<std::string, HostTensor> tensors = {{"bias", random_tensor(rng, {128}, 1)},
                                                     {"matrix", random_tensor(rng, {128, 256}, 1)}};
  for (const StorageKind kind :
       {StorageKind::kFloat32, StorageKind::kBFloat16, StorageKind::kInt8}) {
    for (const int64_t most : {int64_t{1} << 32, int64_t{1000}}) {  // in one file, and in shards
      TemporaryFolder folder;
      write_tensor_files(folder.path(), tensors, kind, most);
      EXPECT_EQ(stored_kind(folder.path()), kind);
    }
  }
}

// So that a checkpoint that gets a task keeps every other weight to the byte.
TEST(StoredKindTest, Int8ThatIsReadAndSavedAgainIsTheSame) {
  Rng rng(2);
  TemporaryFolder once, twice;
  std::map<std::string, HostTensor> tensors;
  for (int i = 0; i < 20; ++i) {
    tensors["matrix" + std::to_string(i)] = random_tensor(rng, {64, 256 + 8 * i}, 0.01 * (i + 1));
  }
  write_tensor_files(once.path(), tensors, StorageKind::kInt8, int64_t{1} << 32);
  const TensorFiles files(once.path());
  for (auto& [name, tensor] : tensors) tensor = files.read(name);
  write_tensor_files(twice.path(), tensors, StorageKind::kInt8, int64_t{1} << 32);
  EXPECT_EQ(read_file(once.path() / "model.safetensors"),
            read_file(twice.path() / "model.safetensors"));
}

}  // namespace
}  // namespace trivium
