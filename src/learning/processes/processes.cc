#include "learning/processes/processes.h"

// LibTorch's Gloo backend is in libtorch_cpu.so, but its header is empty without this.
#define USE_C10D_GLOO
#include <chrono>
#include <cstdlib>
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

template <typename Work>
auto with_others(const Work& work) {
  return guarded(
      "another process of this training does not answer; start all of them with "
      "--resume",
      work);
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

}  // namespace

struct PendingSum::Work {
  c10::intrusive_ptr<c10d::Work> work;
};

struct Processes::Group {
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
  group_->gloo = guarded("the processes do not find one another at " + place, [&] {
    auto options = c10d::ProcessGroupGloo::Options::create(kLongestMeeting);
    options->devices.push_back(device_for(launch.address));
    auto gloo =
        c10::make_intrusive<c10d::ProcessGroupGloo>(store_for(launch), rank_, size_, options);
    gloo->barrier()->wait();
    gloo->setTimeout(kLongestWait);
    return gloo;
  });
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

}  // namespace trivium::learning
