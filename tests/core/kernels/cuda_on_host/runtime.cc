#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "fibers.h"

using Work = std::function<std::string()>;  // what is wrong, or ""

struct HostGraph {
  std::vector<Work> work;
};
struct HostStream {
  std::vector<Work> queue;
  HostGraph* recording = nullptr;
};

namespace {

constexpr size_t kWithoutAsking = 48 * 1024;  // shared memory of a block

cudaError_t last_error = cudaSuccess;
int64_t launch_count = 0;
std::map<const void*, size_t> most_shared;  // by kernel

cudaError_t fail(cudaError_t error) { return last_error = error; }

cudaError_t allocate(void** memory, size_t bytes) {
  *memory = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  if (*memory == nullptr) return fail(cudaErrorMemoryAllocation);
  std::memset(*memory, 0xFF, (bytes + 255) / 256 * 256);
  return cudaSuccess;
}

void add(HostStream* stream, Work work) {
  (stream->recording ? stream->recording->work : stream->queue).push_back(std::move(work));
}

}  // namespace

const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaSuccess ? "no error" : "an error of the host's stand-in for CUDA";
}
const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "cudaSuccess";
    case cudaErrorInvalidValue:
      return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation:
      return "cudaErrorMemoryAllocation";
    case cudaErrorInvalidConfiguration:
      return "cudaErrorInvalidConfiguration";
    case cudaErrorLaunchFailure:
      return "cudaErrorLaunchFailure";
    case cudaErrorStreamCaptureUnsupported:
      return "cudaErrorStreamCaptureUnsupported";
  }
  return "unknown";
}
cudaError_t cudaGetLastError() {
  const cudaError_t error = last_error;
  last_error = cudaSuccess;
  return error;
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  std::snprintf(properties->name, sizeof(properties->name), "host");
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
  return device == 0 ? cudaSuccess : fail(cudaErrorInvalidValue);
}

cudaError_t cudaMalloc(void** memory, size_t bytes) { return allocate(memory, bytes); }
cudaError_t cudaFree(void* memory) {
  std::free(memory);
  return cudaSuccess;
}
cudaError_t cudaMallocHost(void** memory, size_t bytes) { return allocate(memory, bytes); }
cudaError_t cudaFreeHost(void* memory) { return cudaFree(memory); }

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind,
                            cudaStream_t stream) {
  if (bytes == 0) return cudaSuccess;
  add(stream, [=] {
    std::memmove(to, from, bytes);
    return std::string();
  });
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = new HostStream;
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  delete stream;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (stream->recording != nullptr) return fail(cudaErrorStreamCaptureUnsupported);
  std::vector<Work> queue;
  std::swap(queue, stream->queue);
  for (const Work& work : queue) {
    const std::string problem = work();
    if (!problem.empty()) {
      std::fprintf(stderr, "cuda_on_host: %s\n", problem.c_str());
      return fail(cudaErrorLaunchFailure);
    }
  }
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  if (stream->recording != nullptr) return fail(cudaErrorStreamCaptureUnsupported);
  stream->recording = new HostGraph;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  *graph = stream->recording;
  stream->recording = nullptr;
  return *graph != nullptr ? cudaSuccess : fail(cudaErrorStreamCaptureUnsupported);
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph,
                                 unsigned long long) {
  *executable = new HostGraph(*graph);
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  for (const Work& work : executable->work) add(stream, work);
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  return cudaGraphDestroy(executable);
}

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute, int value) {
  if (value < 0 || static_cast<size_t>(value) > cuda_on_host::kMostShared) {
    return fail(cudaErrorInvalidValue);
  }
  most_shared[kernel] = static_cast<size_t>(value);
  return cudaSuccess;
}

namespace cuda_on_host {

cudaError_t queue_launch(const cudaLaunchConfig_t& config, const void* kernel,
                         std::function<void()> thread) {
  const auto asked = most_shared.find(kernel);
  const size_t most = std::max(kWithoutAsking, asked == most_shared.end() ? 0 : asked->second);
  if (config.dynamicSmemBytes > most) return fail(cudaErrorInvalidConfiguration);
  add(config.stream, [config, thread = std::move(thread)] {
    ++launch_count;
    return run_grid(config.gridDim, config.blockDim, config.dynamicSmemBytes, thread);
  });
  return cudaSuccess;
}

int64_t launches() { return launch_count; }

}  // namespace cuda_on_host
