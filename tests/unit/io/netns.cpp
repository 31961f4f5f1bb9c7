#include "tests/unit/io/netns.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <thread>

namespace weir::test {
namespace {

/// What each namespace begins with. No duplicate address detection: until that is through with a link-local
/// address, for two seconds or more, the kernel asks for no neighbour, and gives up after three questions not
/// asked.
constexpr const char* kFirst =
    "sh -c 'dad=/proc/sys/net/ipv6/conf/default/accept_dad; { [ ! -e $dad ] || echo 0 > $dad; } && ip link "
    "set lo up'";

int open_packet_socket(const std::string& interface) {
  const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
  if (fd < 0) return -1;
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
  if (address.sll_ifindex != 0 && bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0)
    return fd;
  close(fd);
  return -1;
}

}  // namespace

std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return text;
  std::array<char, 512> chunk;
  while (fgets(chunk.data(), chunk.size(), pipe) != nullptr) text += chunk.data();
  pclose(pipe);
  return text;
}

bool run(const std::string& command) {
  std::string text;
  FILE* pipe = popen(("{ " + command + "; } 2>&1").c_str(), "r");
  if (pipe == nullptr) return false;
  std::array<char, 512> chunk;
  while (fgets(chunk.data(), chunk.size(), pipe) != nullptr) text += chunk.data();
  if (pclose(pipe) == 0) return true;
  fprintf(stderr, "failed: %s\n%s", command.c_str(), text.c_str());
  return false;
}

bool can_make_namespaces(std::string& why) {
  if (geteuid() != 0) {
    why = "needs root, for network namespaces";
    return false;
  }
  const pid_t child = fork();
  if (child == 0) _exit(unshare(CLONE_NEWNET) == 0 ? 0 : 1);
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
    why = "needs network namespaces, which this machine does not let us make";
    return false;
  }
  if (system("command -v ip nsenter ping >/dev/null") != 0) {
    why = "needs the commands ip, nsenter and ping";
    return false;
  }
  return true;
}

bool enter_new_namespace() { return unshare(CLONE_NEWNET) == 0 && run(kFirst); }

PeerNamespace::PeerNamespace() {
  int ready[2];
  if (pipe2(ready, O_CLOEXEC) != 0) return;
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(ready[0]);
    const char answer = unshare(CLONE_NEWNET) == 0 ? 'y' : 'n';
    if (write(ready[1], &answer, 1) != 1) _exit(1);
    for (;;) pause();
  }
  close(ready[1]);
  char answer = 'n';
  const bool answered = read(ready[0], &answer, 1) == 1;
  close(ready[0]);
  pid_ = child;
  open_ = answered && answer == 'y' && run(kFirst);
}

PeerNamespace::~PeerNamespace() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

bool PeerNamespace::run(const std::string& command) const {
  return test::run("nsenter --net=/proc/" + std::to_string(pid_) + "/ns/net " + command);
}

bool make_veth(const PeerNamespace& peer, const std::string& hub_side, const std::string& peer_side) {
  const std::string queues = " numrxqueues 1 numtxqueues 1 ";
  return run("ip link add " + hub_side + queues + "type veth peer name " + peer_side + queues + "netns " +
             std::to_string(peer.pid())) &&
         run("ip link set " + hub_side + " up") && peer.run("ip link set " + peer_side + " up") &&
         peer.run("ethtool -K " + peer_side + " tx off");
}

RawSocket::RawSocket(const std::string& interface) : fd_(open_packet_socket(interface)) {}

RawSocket::RawSocket(const PeerNamespace& peer, const std::string& interface) {
  // A socket stays in the namespace in which it was made, so a thread that goes there and ends will do.
  std::thread([&] {
    const int ns = open(("/proc/" + std::to_string(peer.pid()) + "/ns/net").c_str(), O_RDONLY | O_CLOEXEC);
    if (ns >= 0 && setns(ns, CLONE_NEWNET) == 0) fd_ = open_packet_socket(interface);
    if (ns >= 0) close(ns);
  }).join();
}

RawSocket::~RawSocket() {
  if (fd_ >= 0) close(fd_);
}

bool RawSocket::send(std::span<const uint8_t> frame) const {
  return ::send(fd_, frame.data(), frame.size(), 0) == static_cast<ssize_t>(frame.size());
}

std::vector<uint8_t> RawSocket::receive(int timeout_ms) const {
  pollfd wait{fd_, POLLIN, 0};
  std::vector<uint8_t> frame(16'384);
  if (poll(&wait, 1, timeout_ms) != 1) return {};
  const ssize_t got = recv(fd_, frame.data(), frame.size(), 0);
  frame.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return frame;
}

}  // namespace weir::test
