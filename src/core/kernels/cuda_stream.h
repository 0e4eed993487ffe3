// Memory of a CUDA device, a queue of work on it, and recorded work. No header of CUDA's is needed
// to use them; in a build without nvcc their functions throw Error kUnavailable.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace trivium::cuda {

// Of the current device, to be given back by release_*; Error kUnavailable where there is none.
void* allocate_device(size_t bytes);
void release_device(void* memory);
void* allocate_pinned(size_t bytes);  // host memory that the device copies to and from by itself
void release_pinned(void* memory);

template <void* (*kAllocate)(size_t), void (*kRelease)(void*)>
class Memory {
 public:
  Memory() = default;
  explicit Memory(size_t bytes) { reserve(bytes); }

  // Room for `bytes`; true where that took another place, and what was there is lost.
  bool reserve(size_t bytes) {
    if (bytes <= bytes_) return false;
    memory_.reset();
    bytes_ = 0;
    memory_.reset(kAllocate(bytes));
    bytes_ = bytes;
    return true;
  }
  size_t bytes() const { return bytes_; }
  template <typename T>
  T* as() const {
    return static_cast<T*>(memory_.get());
  }

 private:
  struct Release {
    void operator()(void* memory) const { kRelease(memory); }
  };
  std::unique_ptr<void, Release> memory_;
  size_t bytes_ = 0;
};
using DeviceMemory = Memory<allocate_device, release_device>;
using PinnedMemory = Memory<allocate_pinned, release_pinned>;

// Work that was recorded once and is queued as a whole (a CUDA graph). The addresses in it stay
// those of the recording; what lies there is read anew each time.
class Graph {
 public:
  explicit operator bool() const { return executable_ != nullptr; }

 private:
  friend class Stream;
  std::shared_ptr<void> executable_;
};

// A queue of work on one device, done in order. Copies need pinned memory, or host memory that
// stays until synchronize().
class Stream {
 public:
  // Error kUnavailable where device number `device` is not there.
  explicit Stream(int device);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Makes this stream's device the calling thread's, which allocations and queued work go by.
  void make_current() const;
  void copy_to_device(void* device, const void* host, size_t bytes);
  void copy_to_host(void* host, const void* device, size_t bytes);
  void copy_on_device(void* to, const void* from, size_t bytes);
  // Waits for everything queued. Error kUnavailable where any of it failed.
  void synchronize();

  // Records what `work` queues on this stream, and runs none of it.
  Graph record(const std::function<void()>& work);
  void launch(const Graph& graph);

  void* handle() const { return handle_; }  // the cudaStream_t
  std::string device_name() const;

 private:
  int device_;
  void* handle_ = nullptr;
};

}  // namespace trivium::cuda
