// The API's HTTP server on a Unix socket. Versioned as a whole: everything lies under /v1.
//
// Its threads touch no state: they ask the Source and wait. Requests are bounded in size and time; whoever
// may write to the socket (its owner and group, mode 0660) may use the API.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "dataplane/net/result.h"
#include "mgmt/api/source.h"

namespace weir::api {

class Server {
 public:
  /// Binds the socket and starts to serve. A socket that an earlier hub left behind is replaced; one that
  /// somebody answers on is an error (`in_use`). Requests with more than
  /// `max_request_mib` are refused. `on_start` runs first on the server's thread; its other
  /// threads inherit its cores.
  static Result<std::unique_ptr<Server>> start(const std::string& socket, size_t max_request_mib,
                                               Source& source, std::function<void()> on_start);
  /// Stops serving and removes the socket.
  ~Server();

 private:
  Server() = default;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::api
