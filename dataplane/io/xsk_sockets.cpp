#include "dataplane/io/xsk_sockets.h"

#include <dirent.h>
#include <linux/if_xdp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <system_error>
#include <thread>

namespace weir::dataplane {
namespace {

/// Asks for zero copy, which a virtual interface refuses only after it has looked whether the queue is free:
/// so nothing is taken by asking. Returns bind()'s errno value.
int ask_for_queue(uint32_t ifindex, unsigned queue) {
  constexpr size_t kMemory = 8192;
  alignas(4096) static std::array<std::byte, kMemory> memory;
  const int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  xdp_umem_reg memory_reg{};
  memory_reg.addr = reinterpret_cast<uintptr_t>(memory.data());
  memory_reg.len = kMemory;
  memory_reg.chunk_size = kMemory / 2;
  const int entries = 2;
  sockaddr_xdp address{};
  address.sxdp_family = AF_XDP;
  address.sxdp_flags = XDP_ZEROCOPY;
  address.sxdp_ifindex = ifindex;
  address.sxdp_queue_id = queue;
  int error = 0;
  if (setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &memory_reg, sizeof(memory_reg)) != 0 ||
      setsockopt(fd, SOL_XDP, XDP_UMEM_FILL_RING, &entries, sizeof(entries)) != 0 ||
      setsockopt(fd, SOL_XDP, XDP_UMEM_COMPLETION_RING, &entries, sizeof(entries)) != 0 ||
      setsockopt(fd, SOL_XDP, XDP_RX_RING, &entries, sizeof(entries)) != 0 ||
      bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    error = errno;
  }
  close(fd);
  return error;
}

bool is_real_device(const std::string& interface) {
  return access(("/sys/class/net/" + interface + "/device").c_str(), F_OK) == 0;
}

}  // namespace

XskSockets::XskSockets() : before_(open_now()) {}

XskSockets::~XskSockets() {
  const std::vector<Socket> now = open_now();
  for (const Socket& socket : ours_) {
    if (std::find(now.begin(), now.end(), socket) != now.end()) close(socket.fd);
  }
}

void XskSockets::note_new() {
  ours_ = open_now();
  std::erase_if(ours_, [&](const Socket& socket) {
    return std::find(before_.begin(), before_.end(), socket) != before_.end();
  });
}

std::vector<XskSockets::Socket> XskSockets::open_now() {
  std::vector<Socket> sockets;
  DIR* folder = opendir("/proc/self/fd");
  if (folder == nullptr) return sockets;
  while (const dirent* entry = readdir(folder)) {
    const int fd = std::atoi(entry->d_name);
    int domain = 0;
    socklen_t size = sizeof(domain);
    struct stat facts {};
    const bool is_xsk = entry->d_name[0] != '.' &&
                        getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_XDP &&
                        fstat(fd, &facts) == 0;
    if (is_xsk) sockets.push_back({fd, facts.st_ino});
  }
  closedir(folder);
  return sockets;
}

Status wait_for_free_queues(const std::string& interface, uint32_t ifindex, unsigned queues) {
  if (is_real_device(interface)) return {};
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  for (unsigned queue = 0; queue < queues; ++queue) {
    while (ask_for_queue(ifindex, queue) == EBUSY) {
      if (std::chrono::steady_clock::now() > deadline) {
        return fail(ErrorCode::in_use, "another program has an AF_XDP socket on queue " +
                                           std::to_string(queue) + " of " + interface);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  return {};
}

}  // namespace weir::dataplane
