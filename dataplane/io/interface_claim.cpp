#include "dataplane/io/interface_claim.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <system_error>

namespace weir::dataplane {

Result<std::unique_ptr<InterfaceClaim>> InterfaceClaim::take(const std::string& interface, uint32_t ifindex) {
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail(ErrorCode::io, interface + ": " + std::generic_category().message(errno));
  std::unique_ptr<InterfaceClaim> claim(new InterfaceClaim(fd));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  // sun_path[0] stays zero: an abstract name.
  const std::string name = "weir/interface/" + std::to_string(ifindex);
  name.copy(address.sun_path + 1, sizeof(address.sun_path) - 1);
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), length) != 0) {
    if (errno == EADDRINUSE) {
      return fail(ErrorCode::in_use,
                  interface + " belongs to another running hub, or to another port of this one");
    }
    return fail(ErrorCode::io, interface + ": cannot claim it: " + std::generic_category().message(errno));
  }
  return claim;
}

InterfaceClaim::~InterfaceClaim() { close(fd_); }

}  // namespace weir::dataplane
