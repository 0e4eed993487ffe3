#include "checkpoint/hugging_face.h"

#include <gtest/gtest.h>

#include <chrono>

namespace trivium {
namespace {
TEST(Import, MiniLm) {
  ImportOptions options;
  options.routing.num_experts = 3;
  options.num_tasks = 54;
  auto t0 = std::chrono::steady_clock::now();
  auto lap = [&](const char* what) {
    auto t = std::chrono::steady_clock::now();
    printf("%s %.3f s\n", what, std::chrono::duration<double>(t - t0).count());
    t0 = t;
  };
  Checkpoint c = import_bert_as_seq2seq(getenv("MINILM"), {6, 2}, options);
  lap("import");
  SaveOptions save;
  save.storage = StorageKind::kInt8;
  save.max_file_bytes = 16 << 20;
  save_checkpoint(c, "/tmp/ckpt-try", save);
  lap("save");
  c = load_checkpoint("/tmp/ckpt-try");
  lap("load");
  c = load_checkpoint("/tmp/ckpt-try", Verify::kHashes);
  lap("load with hashes");
}
}  // namespace
}  // namespace trivium
