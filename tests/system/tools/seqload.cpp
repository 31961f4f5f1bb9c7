// Numbered UDP datagrams at a steady rate, and the account of what became of them.
//
//   seqload send --to 10.2.0.10 --port 5000 --pps 20000 --seconds 5 [--flows 4] [--size 200]
//   seqload recv --bind 10.2.0.10 --port 5000      until SIGTERM or SIGINT
//
// Each flow is a socket of its own (a source port of its own) with its own numbers. Both print one line of
// JSON. Both addresses may be IPv4 or IPv6.
#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr uint64_t kMagic = 0x5745'4952'5345'5131;  // marks our datagrams
constexpr size_t kMaxFlows = 256;
constexpr int kReceiveBufferBytes = 32 << 20;
volatile std::sig_atomic_t stop_requested = 0;

/// What every datagram begins with. Sender and receiver are the same program on the same machine: host byte
/// order.
struct Header {
  uint64_t magic;
  uint32_t flow;
  uint32_t sequence;
  int64_t sent_ns;  // CLOCK_MONOTONIC
};

struct Options {
  std::string address;
  std::string port = "5000";
  uint64_t pps = 20'000;
  double seconds = 5;
  uint32_t flows = 1;
  size_t size = 200;  // of the UDP payload, bytes
};

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "seqload: %s\n", what.c_str());
  std::exit(2);
}

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

Address resolve(const Options& options) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(options.address.c_str(), options.port.c_str(), &hints, &found);
      error != 0) {
    fail(options.address + ": " + gai_strerror(error));
  }
  Address address;
  std::memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
  address.length = found->ai_addrlen;
  freeaddrinfo(found);
  return address;
}

std::vector<int> open_flows(const Options& options) {
  const Address to = resolve(options);
  std::vector<int> sockets(options.flows);
  for (int& fd : sockets) {
    fd = socket(to.storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, reinterpret_cast<const sockaddr*>(&to.storage), to.length) != 0) {
      fail(options.address + ": " + std::strerror(errno));
    }
  }
  return sockets;
}

int run_send(const Options& options) {
  const std::vector<int> sockets = open_flows(options);
  std::vector<uint32_t> next_sequence(options.flows, 0);
  std::vector<uint8_t> datagram(std::max(options.size, sizeof(Header)), 0x57);
  uint64_t sent = 0, refused = 0;
  const auto total = static_cast<uint64_t>(static_cast<double>(options.pps) * options.seconds);
  const int64_t start = now_ns();
  while (sent + refused < total && stop_requested == 0) {
    const auto elapsed = static_cast<double>(now_ns() - start) / 1e9;
    const uint64_t due =
        std::min(total, static_cast<uint64_t>(elapsed * static_cast<double>(options.pps)) + 1);
    for (; sent + refused < due;) {
      const auto flow = static_cast<uint32_t>((sent + refused) % options.flows);
      const Header header{kMagic, flow, next_sequence[flow], now_ns()};
      std::memcpy(datagram.data(), &header, sizeof header);
      if (send(sockets[flow], datagram.data(), datagram.size(), 0) < 0) {
        ++refused;  // an ICMP error of an earlier datagram, or no buffer: this number was never on the wire
        continue;
      }
      ++next_sequence[flow];
      ++sent;
    }
    std::this_thread::sleep_for(std::chrono::microseconds(500));
  }
  const double seconds = static_cast<double>(now_ns() - start) / 1e9;
  std::printf("{\"sent\": %lu, \"refused\": %lu, \"seconds\": %.3f}\n", sent, refused, seconds);
  for (const int fd : sockets) close(fd);
  return 0;
}

/// The account of one flow.
struct Flow {
  std::vector<bool> seen;
  uint64_t received = 0, duplicated = 0, reordered = 0;
  uint32_t lowest = UINT32_MAX, highest = 0;

  /// Missing between the first and the last that came, whichever those are.
  uint64_t holes() const { return received == 0 ? 0 : highest - lowest + 1ULL - received; }

  void add(uint32_t sequence) {
    if (sequence >= seen.size()) seen.resize(std::max<size_t>(sequence + 1UL, seen.size() * 2));
    if (seen[sequence]) {
      ++duplicated;
      return;
    }
    seen[sequence] = true;
    if (received > 0 && sequence < highest) ++reordered;
    lowest = std::min(lowest, sequence);
    highest = std::max(highest, sequence);
    ++received;
  }
};

struct Account {
  std::map<uint32_t, Flow> flows;
  uint64_t foreign = 0;
  int64_t last_ns = 0, longest_gap_ns = 0, longest_delay_ns = 0;

  void add(const uint8_t* bytes, size_t size) {
    Header header;
    if (size < sizeof header) {
      ++foreign;
      return;
    }
    std::memcpy(&header, bytes, sizeof header);
    if (header.magic != kMagic || header.flow >= kMaxFlows) {
      ++foreign;
      return;
    }
    const int64_t now = now_ns();
    if (last_ns != 0) longest_gap_ns = std::max(longest_gap_ns, now - last_ns);
    longest_delay_ns = std::max(longest_delay_ns, now - header.sent_ns);
    last_ns = now;
    flows[header.flow].add(header.sequence);
  }

  void print() const {
    uint64_t received = 0, duplicated = 0, reordered = 0, holes = 0;
    for (const auto& [id, flow] : flows) {
      received += flow.received;
      duplicated += flow.duplicated;
      reordered += flow.reordered;
      holes += flow.holes();
    }
    std::printf(
        "{\"received\": %lu, \"duplicated\": %lu, \"reordered\": %lu, \"flows\": %zu, \"foreign\": %lu, "
        "\"holes\": %lu, \"longest_gap_ms\": %.1f, \"longest_delay_ms\": %.1f}\n",
        received, duplicated, reordered, flows.size(), foreign, holes,
        static_cast<double>(longest_gap_ns) / 1e6, static_cast<double>(longest_delay_ns) / 1e6);
  }
};

int run_recv(const Options& options) {
  const Address here = resolve(options);
  const int fd = socket(here.storage.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) fail(std::strerror(errno));
  // What the socket has no room for would look as if the hub had lost it.
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBufferBytes, sizeof kReceiveBufferBytes) != 0) {
    fail(std::string("SO_RCVBUFFORCE: ") + std::strerror(errno));
  }
  if (bind(fd, reinterpret_cast<const sockaddr*>(&here.storage), here.length) != 0) {
    fail(options.address + ": " + std::strerror(errno));
  }
  std::printf("listening\n");
  std::fflush(stdout);
  Account account;
  std::array<uint8_t, 65'536> buffer;
  while (stop_requested == 0) {
    pollfd ready{fd, POLLIN, 0};
    if (poll(&ready, 1, 100) <= 0) continue;
    ssize_t size = 0;
    while ((size = recv(fd, buffer.data(), buffer.size(), 0)) >= 0) {
      account.add(buffer.data(), static_cast<size_t>(size));
    }
  }
  account.print();
  close(fd);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  Options options;
  for (int i = 2; i + 1 < argc; i += 2) {
    const std::string key = argv[i];
    const char* value = argv[i + 1];
    if (key == "--to" || key == "--bind") {
      options.address = value;
    } else if (key == "--port") {
      options.port = value;
    } else if (key == "--pps") {
      options.pps = std::strtoull(value, nullptr, 10);
    } else if (key == "--seconds") {
      options.seconds = std::strtod(value, nullptr);
    } else if (key == "--flows") {
      options.flows =
          static_cast<uint32_t>(std::clamp<unsigned long>(std::strtoul(value, nullptr, 10), 1, kMaxFlows));
    } else if (key == "--size") {
      options.size = std::min<size_t>(std::strtoul(value, nullptr, 10), 60'000);
    } else {
      fail("unknown option " + key);
    }
  }
  struct sigaction action {};
  action.sa_handler = [](int) { stop_requested = 1; };
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  if (mode == "send") return run_send(options);
  if (mode == "recv") return run_recv(options);
  fail("send or recv?");
}
