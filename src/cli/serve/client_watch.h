// Whether the one who asked is still there, while the answer is made.
#pragma once

#include <string>

namespace trivium::cli {

// Watches the connection of a request by its other end. cpp-httplib 0.11 does not tell a handler
// its socket, so it is looked for among those that are open.
class ClientWatch {
 public:
  ClientWatch(const std::string& address, int port);

  // Whether the other end has closed the connection. False where it cannot be found.
  bool is_gone() const;

 private:
  int socket_ = -1;  // the server's; not to be closed
};

// Ends the connections that this program has taken on `port`: whoever sends or reads slowly does
// not keep it from ending.
void close_connections(int port);

}  // namespace trivium::cli
