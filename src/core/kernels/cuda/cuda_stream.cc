#include "core/kernels/cuda_stream.h"

#include <cuda_runtime_api.h>

#include "core/base/error.h"
#include "core/kernels/backend.h"
#include "core/kernels/cuda/check.h"

namespace trivium::cuda {
namespace {

cudaStream_t stream_of(void* handle) { return static_cast<cudaStream_t>(handle); }

}  // namespace

void* allocate_device(size_t bytes) {
  void* memory = nullptr;
  check_cuda(cudaMalloc(&memory, bytes), "cudaMalloc");
  return memory;
}

void release_device(void* memory) { cudaFree(memory); }

void* allocate_pinned(size_t bytes) {
  void* memory = nullptr;
  check_cuda(cudaMallocHost(&memory, bytes), "cudaMallocHost");
  return memory;
}

void release_pinned(void* memory) { cudaFreeHost(memory); }

Stream::Stream(int device) : device_(device) {
  const int count = cuda_device_count();
  if (device < 0 || device >= count) {
    throw Error(ExitCode::kUnavailable, "there is no CUDA device " + std::to_string(device) + " (" +
                                            std::to_string(count) + " found); use --device cpu");
  }
  make_current();
  cudaStream_t stream = nullptr;
  check_cuda(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreate");
  handle_ = stream;
}

Stream::~Stream() {
  cudaStreamSynchronize(stream_of(handle_));
  cudaStreamDestroy(stream_of(handle_));
}

void Stream::make_current() const { check_cuda(cudaSetDevice(device_), "cudaSetDevice"); }

void Stream::copy_to_device(void* device, const void* host, size_t bytes) {
  check_cuda(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, stream_of(handle_)),
             "cudaMemcpyAsync to the device");
}

void Stream::copy_to_host(void* host, const void* device, size_t bytes) {
  check_cuda(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, stream_of(handle_)),
             "cudaMemcpyAsync to the host");
}

void Stream::copy_on_device(void* to, const void* from, size_t bytes) {
  check_cuda(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream_of(handle_)),
             "cudaMemcpyAsync on the device");
}

void Stream::synchronize() {
  check_cuda(cudaStreamSynchronize(stream_of(handle_)), "cudaStreamSynchronize");
}

Graph Stream::record(const std::function<void()>& work) {
  // Thread-local: what other threads do meanwhile (they may allocate) is no part of it.
  check_cuda(cudaStreamBeginCapture(stream_of(handle_), cudaStreamCaptureModeThreadLocal),
             "cudaStreamBeginCapture");
  cudaGraph_t recorded = nullptr;
  try {
    work();
  } catch (...) {
    cudaStreamEndCapture(stream_of(handle_), &recorded);
    if (recorded != nullptr) cudaGraphDestroy(recorded);
    throw;
  }
  check_cuda(cudaStreamEndCapture(stream_of(handle_), &recorded), "cudaStreamEndCapture");
  cudaGraphExec_t executable = nullptr;
  const cudaError_t status = cudaGraphInstantiate(&executable, recorded, 0);
  cudaGraphDestroy(recorded);
  check_cuda(status, "cudaGraphInstantiate");
  Graph graph;
  graph.executable_ = {
      executable, [](void* held) { cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(held)); }};
  return graph;
}

void Stream::launch(const Graph& graph) {
  check(static_cast<bool>(graph), "a graph was recorded");
  check_cuda(
      cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph.executable_.get()), stream_of(handle_)),
      "cudaGraphLaunch");
}

std::string Stream::device_name() const {
  cudaDeviceProp properties;
  check_cuda(cudaGetDeviceProperties(&properties, device_), "cudaGetDeviceProperties");
  return properties.name;
}

}  // namespace trivium::cuda
