#include "learning/processes/processes.h"

// LibTorch's Gloo backend is in libtorch_cpu.so, but its header is empty without this.
#define USE_C10D_GLOO
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <numeric>
#include <string>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <vector>

#include "core/base/error.h"

namespace trivium::learning {
namespace {

// The others may evaluate meanwhile; a process that ends is noticed at once, by its connection.
constexpr std::chrono::hours kLongestWait(24);
constexpr std::chrono::minutes kLongestMeeting(10);

// What LibTorch throws has its stack in it; people get the first line.
template <typename Work>
auto guarded(const std::string& what, const Work& work) {
  try {
    return work();
  } catch (const std::exception& e) {
    const std::string message = e.what();
    throw Error(ExitCode::kUnavailable, what + ": " + message.substr(0, message.find('\n')));
  }
}

// What Gloo says of it are its own files and ports.
template <typename Work>
auto with_others(const Work& work) {
  try {
    return work();
  } catch (const std::exception&) {
    throw Error(ExitCode::kUnavailable,
                "another process of this run has ended; start all of them anew, with --resume");
  }
}

std::shared_ptr<::gloo::transport::Device> device_for(const std::string& address) {
  if (const char* interface = std::getenv("GLOO_SOCKET_IFNAME")) {
    return c10d::ProcessGroupGloo::createDeviceForInterface(interface);
  }
  const bool is_local = address == "127.0.0.1" || address == "localhost" || address == "::1";
  if (is_local) return c10d::ProcessGroupGloo::createDeviceForHostname(address);
  return c10d::ProcessGroupGloo::createDefaultDevice();
}

c10::intrusive_ptr<c10d::Store> store_for(const Launch& launch) {
  c10d::TCPStoreOptions options;
  options.port = static_cast<uint16_t>(launch.port);
  options.isServer = launch.rank == 0 && !launch.launcher_serves;
  options.waitWorkers = false;
  options.timeout = kLongestMeeting;
  // A launcher that starts the processes anew may keep what an earlier try has left in its store.
  return c10::make_intrusive<c10d::PrefixStore>(
      "trivium/" + launch.attempt, c10::make_intrusive<c10d::TCPStore>(launch.address, options));
}

c10::intrusive_ptr<c10d::ProcessGroupGloo> connect(const c10::intrusive_ptr<c10d::Store>& store,
                                                   const std::string& address, int rank, int size) {
  auto options = c10d::ProcessGroupGloo::Options::create(kLongestMeeting);
  options->devices.push_back(device_for(address));
  auto gloo = c10::make_intrusive<c10d::ProcessGroupGloo>(store, rank, size, options);
  gloo->barrier()->wait();
  gloo->setTimeout(kLongestWait);
  return gloo;
}

// How a text travels: its length in bytes, and then they.
torch::Tensor size_of(const std::string& text) {
  return torch::full({1}, static_cast<int64_t>(text.size()), torch::kInt64);
}

torch::Tensor bytes_of(const std::string& text) {
  torch::Tensor bytes = torch::empty(static_cast<int64_t>(text.size()), torch::kUInt8);
  std::copy(text.begin(), text.end(), bytes.data_ptr<uint8_t>());
  return bytes;
}

std::string text_of(const torch::Tensor& bytes) {
  const uint8_t* begin = bytes.data_ptr<uint8_t>();
  return {begin, begin + bytes.numel()};
}

}  // namespace

struct PendingSum::Work {
  c10::intrusive_ptr<c10d::Work> work;
};

struct Processes::Group {
  std::string address;
  c10::intrusive_ptr<c10d::Store> store;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> gloo;
};

void PendingSum::wait() {
  if (work_) with_others([&] { return work_->work->wait(); });
  work_.reset();
}

Processes::Processes(const Launch& launch) : rank_(launch.rank), size_(launch.size) {
  if (size_ == 1) return;
  const std::string place = launch.address + ":" + std::to_string(launch.port);
  group_ = std::make_shared<Group>();
  guarded("the processes do not find one another at " + place, [&] {
    group_->address = launch.address;
    group_->store = store_for(launch);
    group_->gloo = connect(group_->store, launch.address, rank_, size_);
    return true;
  });
}

Processes Processes::branch(const std::string& name) const {
  Processes branch = *this;
  if (size_ == 1) return branch;
  branch.group_ = std::make_shared<Group>(*group_);
  with_others([&] {
    branch.group_->store = c10::make_intrusive<c10d::PrefixStore>(name, group_->store);
    branch.group_->gloo = connect(branch.group_->store, group_->address, rank_, size_);
    return true;
  });
  return branch;
}

PendingSum Processes::begin_sum(torch::Tensor& tensor) const {
  PendingSum pending;
  if (size_ == 1) return pending;
  pending.work_ = std::make_shared<PendingSum::Work>();
  std::vector<torch::Tensor> tensors = {tensor};
  pending.work_->work = with_others([&] { return group_->gloo->allreduce(tensors); });
  return pending;
}

void Processes::sum(torch::Tensor& tensor) const { begin_sum(tensor).wait(); }

void Processes::largest(torch::Tensor& numbers) const {
  if (size_ == 1) return;
  std::vector<torch::Tensor> tensors = {numbers};
  c10d::AllreduceOptions options;
  options.reduceOp = c10d::ReduceOp::MAX;
  with_others([&] { return group_->gloo->allreduce(tensors, options)->wait(); });
}

bool Processes::any(bool is_so) const {
  if (size_ == 1) return is_so;
  torch::Tensor count = torch::full({1}, is_so ? 1 : 0, torch::kInt64);
  sum(count);
  return count.item<int64_t>() > 0;
}

void Processes::share(torch::Tensor& tensor, int from) const {
  if (size_ == 1) return;
  std::vector<torch::Tensor> tensors = {tensor};
  c10d::BroadcastOptions options;
  options.rootRank = from;
  with_others([&] { return group_->gloo->broadcast(tensors, options)->wait(); });
}

void Processes::send_to_first(torch::Tensor& tensor, int from) const {
  if (size_ == 1 || from == 0 || (rank_ != 0 && rank_ != from)) return;
  std::vector<torch::Tensor> tensors = {tensor};
  with_others([&] {
    auto work = rank_ == 0 ? group_->gloo->recv(tensors, from, /*tag=*/0)
                           : group_->gloo->send(tensors, /*dstRank=*/0, /*tag=*/0);
    return work->wait();
  });
}

torch::Tensor Processes::exchange(const torch::Tensor& rows, const std::vector<int64_t>& sent,
                                  const std::vector<int64_t>& received) const {
  if (size_ == 1) return rows;
  const int64_t count = std::accumulate(received.begin(), received.end(), int64_t{0});
  torch::Tensor result = torch::empty({count, rows.size(1)}, rows.options());
  // As bytes, since Gloo does not know all types.
  torch::Tensor to = result.view(torch::kUInt8), from = rows.contiguous().view(torch::kUInt8);
  std::vector<int64_t> to_counts = received, from_counts = sent;
  with_others(
      [&] { return group_->gloo->alltoall_base(to, from, to_counts, from_counts)->wait(); });
  return result;
}

std::vector<std::string> Processes::gather(const std::string& text) const {
  torch::Tensor size = size_of(text);
  if (!is_first()) {
    send_to_first(size, rank_);
    torch::Tensor bytes = bytes_of(text);
    if (!text.empty()) send_to_first(bytes, rank_);
    return {};
  }
  std::vector<std::string> texts = {text};
  for (int from = 1; from < size_; ++from) {
    send_to_first(size, from);
    torch::Tensor bytes = torch::empty(size.item<int64_t>(), torch::kUInt8);
    if (bytes.numel() > 0) send_to_first(bytes, from);
    texts.push_back(text_of(bytes));
  }
  return texts;
}

std::string Processes::share(const std::string& of_first) const {
  torch::Tensor size = size_of(of_first);
  share(size, 0);
  torch::Tensor bytes =
      is_first() ? bytes_of(of_first) : torch::empty(size.item<int64_t>(), torch::kUInt8);
  if (bytes.numel() > 0) share(bytes, 0);
  return text_of(bytes);
}

}  // namespace trivium::learning
