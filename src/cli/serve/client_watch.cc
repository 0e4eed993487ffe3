#include "cli/serve/client_watch.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <utility>

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
std::optional<std::pair<std::string, std::string>> end_of(int socket, GetName get_name) {
  sockaddr_storage end{};
  socklen_t size = sizeof end;
  char host[NI_MAXHOST], service[NI_MAXSERV];
  if (get_name(socket, reinterpret_cast<sockaddr*>(&end), &size) != 0 ||
      ::getnameinfo(reinterpret_cast<sockaddr*>(&end), size, host, sizeof host, service,
                    sizeof service, NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return {};
  }
  return std::pair<std::string, std::string>(host, service);
}

}  // namespace

ClientWatch::ClientWatch(const std::string& address, int port) {
  for_each_file([&](int socket) {
    if (end_of(socket, ::getpeername) != std::pair(address, std::to_string(port))) return false;
    socket_ = socket;
    return true;
  });
}

void close_connections(int port) {
  for_each_file([&](int socket) {
    const auto own = end_of(socket, ::getsockname);
    if (own && own->second == std::to_string(port) && end_of(socket, ::getpeername)) {
      ::shutdown(socket, SHUT_RDWR);
    }
    return false;
  });
}

bool ClientWatch::is_gone() const {
  if (socket_ < 0) return false;
  pollfd poller = {socket_, POLLRDHUP, 0};
  return ::poll(&poller, 1, 0) > 0 && (poller.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

}  // namespace trivium::cli
