#include "cli/serve/client_watch.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstdlib>
#include <memory>

namespace trivium::cli {
namespace {

bool has_peer(int socket, const std::string& address, int port) {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  char host[NI_MAXHOST], service[NI_MAXSERV];
  return ::getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &size) == 0 &&
         ::getnameinfo(reinterpret_cast<sockaddr*>(&peer), size, host, sizeof host, service,
                       sizeof service, NI_NUMERICHOST | NI_NUMERICSERV) == 0 &&
         address == host && std::to_string(port) == service;
}

}  // namespace

ClientWatch::ClientWatch(const std::string& address, int port) {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/proc/self/fd"), ::closedir);
  if (!folder) return;
  while (const dirent* entry = ::readdir(folder.get())) {
    const int number = std::atoi(entry->d_name);
    if (number > 2 && has_peer(number, address, port)) {
      socket_ = number;
      return;
    }
  }
}

bool ClientWatch::is_gone() const {
  if (socket_ < 0) return false;
  pollfd poller = {socket_, POLLRDHUP, 0};
  return ::poll(&poller, 1, 0) > 0 && (poller.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

}  // namespace trivium::cli
