#include "cli/serve/connections.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <linux/tcp.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <set>

namespace trivium::cli {
namespace {

// Calls work(socket) for every open file until it returns true.
template <typename Work>
void for_each_file(const Work& work) {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/proc/self/fd"), ::closedir);
  if (!folder) return;
  while (const dirent* entry = ::readdir(folder.get())) {
    const int number = std::atoi(entry->d_name);
    if (number > 2 && work(number)) return;
  }
}

// An end of a connection by address and port, or nothing where the file is no connection.
using GetName = int (*)(int, sockaddr*, socklen_t*);
std::optional<Peer> end_of(int socket, GetName get_name) {
  sockaddr_storage end{};
  socklen_t size = sizeof end;
  char host[NI_MAXHOST], service[NI_MAXSERV];
  if (get_name(socket, reinterpret_cast<sockaddr*>(&end), &size) != 0 ||
      ::getnameinfo(reinterpret_cast<sockaddr*>(&end), size, host, sizeof host, service,
                    sizeof service, NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return {};
  }
  return Peer(host, std::atoi(service));
}

// Calls work(socket, peer) for every connection to the server on `port`.
template <typename Work>
void for_each_connection(int port, const Work& work) {
  for_each_file([&](int socket) {
    const std::optional<Peer> own = end_of(socket, ::getsockname);
    if (!own || own->second != port) return false;
    if (const std::optional<Peer> peer = end_of(socket, ::getpeername)) work(socket, *peer);
    return false;
  });
}

uint64_t bytes_received(int socket) {
  tcp_info info{};
  socklen_t size = sizeof info;
  return ::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 ? info.tcpi_bytes_received
                                                                        : 0;
}

}  // namespace

ClientWatch::ClientWatch(const Peer& peer) {
  for_each_file([&](int socket) {
    if (end_of(socket, ::getpeername) != peer) return false;
    socket_ = socket;
    return true;
  });
}

bool ClientWatch::is_gone() const {
  if (socket_ < 0) return false;
  pollfd poller = {socket_, POLLRDHUP, 0};
  return ::poll(&poller, 1, 0) > 0 && (poller.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

void ClientWatch::stop_reading() const {
  if (socket_ >= 0) ::shutdown(socket_, SHUT_RD);
}

void Connections::begin(const Peer& peer) {
  const std::lock_guard lock(mutex_);
  ++turns_[peer].answered;
}

// The next request's turn begins with the next look, which sees how much was received before it.
void Connections::end(const Peer& peer) {
  const std::lock_guard lock(mutex_);
  Turn& turn = turns_[peer];
  --turn.answered;
  turn.is_new = true;
}

// With the lock held.
bool Connections::is_overdue(const Peer& peer, uint64_t bytes) {
  Turn& turn = turns_[peer];
  if (turn.answered > 0) return false;
  if (turn.is_new) {
    turn.is_new = false;
    turn.begun = Clock::now();
    turn.bytes = bytes;
  }
  return Clock::now() - turn.begun > limits_.time || bytes - turn.bytes > limits_.bytes;
}

void Connections::end_overdue(int port) {
  const std::lock_guard lock(mutex_);
  std::set<Peer> open;
  for_each_connection(port, [&](int socket, const Peer& peer) {
    open.insert(peer);
    if (is_overdue(peer, bytes_received(socket))) ::shutdown(socket, SHUT_RDWR);
  });
  std::erase_if(turns_, [&](const auto& turn) {
    return turn.second.answered == 0 && !open.contains(turn.first);
  });
}

void Connections::end_all(int port) {
  for_each_connection(port, [](int socket, const Peer&) { ::shutdown(socket, SHUT_RDWR); });
}

}  // namespace trivium::cli
