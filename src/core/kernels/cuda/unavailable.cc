// Stands in for the other files of this folder in a build without nvcc.
#include "core/base/error.h"
#include "core/kernels/backend.h"
#include "core/kernels/cuda_stream.h"
#include "core/kernels/grouped_linear.h"
#include "core/kernels/row_attention.h"
#include "core/kernels/row_norm.h"
#include "core/kernels/token_dispatch.h"
#include "core/kernels/vocabulary_scan.h"

namespace trivium {
namespace {

[[noreturn]] void throw_unavailable() {
  throw Error(ExitCode::kUnavailable,
              "this build has no CUDA kernels; install the CUDA Toolkit (nvcc) and build again, or "
              "use --device cpu");
}

}  // namespace

int cuda_device_count() { return 0; }

namespace cuda {

void* allocate_device(size_t) { throw_unavailable(); }
void release_device(void*) {}
void* allocate_pinned(size_t) { throw_unavailable(); }
void release_pinned(void*) {}

Stream::Stream(int device) : device_(device) { throw_unavailable(); }
Stream::~Stream() = default;
void Stream::make_current() const { throw_unavailable(); }
void Stream::copy_to_device(void*, const void*, size_t) { throw_unavailable(); }
void Stream::copy_to_host(void*, const void*, size_t) { throw_unavailable(); }
void Stream::copy_on_device(void*, const void*, size_t) { throw_unavailable(); }
void Stream::synchronize() { throw_unavailable(); }
Graph Stream::record(const std::function<void()>&) { throw_unavailable(); }
void Stream::launch(const Graph&) { throw_unavailable(); }
std::string Stream::device_name() const { throw_unavailable(); }

void grouped_linear(Stream&, const GroupedLinear&) { throw_unavailable(); }
void attend_rows(Stream&, const RowAttention&) { throw_unavailable(); }
void norm_rows(Stream&, const RowNorm&) { throw_unavailable(); }
void embed_rows(Stream&, const RowEmbedding&) { throw_unavailable(); }
void dispatch_tokens(Stream&, const TokenDispatch&) { throw_unavailable(); }
int64_t vocabulary_scan_scratch(int64_t, int64_t, int64_t) { throw_unavailable(); }
void vocabulary_scan(Stream&, const VocabularyScan&) { throw_unavailable(); }

}  // namespace cuda
}  // namespace trivium
