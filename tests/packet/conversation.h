// A TCP connection through the hub, both ends driven by hand.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/packet/spokes.h"
#include "tests/packet/test_hub.h"

namespace weir::test {

/// Both ends of a TCP connection from a's host to b's, as the two see it.
class Conversation {
 public:
  Conversation(TestHub& hub, Ip ip, uint16_t port = 1000) : hub_(hub), ip_(ip), port_(port) {}

  void handshake() {
    EXPECT_EQ(send(true, kSyn).size(), 1u);
    ++client_;
    EXPECT_EQ(send(false, kSyn | kAck).size(), 1u);
    ++server_;
    EXPECT_EQ(send(true, kAck).size(), 1u);
  }
  /// Sends a segment and, if it passed, moves the sender on. Returns what the hub sent.
  std::vector<Bytes> client(const std::string& data) { return say(true, data); }
  std::vector<Bytes> server(const std::string& data) { return say(false, data); }
  std::vector<Bytes> send(bool from_client, uint8_t flags, const std::string& data = "") {
    return hub_.pass_through(
        from_spoke(from_client ? kA : kB, from_client ? kB : kA, segment(from_client, flags, data), ip_));
  }
  Transport segment(bool from_client, uint8_t flags, const std::string& data) const {
    if (from_client) return tcp(flags, client_, (flags & kAck) != 0 ? server_ : 0, data, port_, 80);
    return tcp(flags, server_, client_, data, 80, port_);
  }
  /// The reset that an end has to get: its sequence number is the one that the end expects next, so that it
  /// believes it at once (RFC 5961), `ack` covers what the end has sent.
  Bytes reset_for_client(uint32_t client_sent) const {
    return reset(kB, kA, 80, port_, server_, client_ + client_sent);
  }
  Bytes reset_for_server(uint32_t server_sent) const {
    return reset(kA, kB, port_, 80, client_, server_ + server_sent);
  }

 private:
  std::vector<Bytes> say(bool from_client, const std::string& data) {
    const auto got = send(from_client, kPsh | kAck, data);
    if (got.size() == 1 && got[0].size() > 54 + 50 + data.size() - 1 && !data.empty() &&
        passed(got[0], from_client)) {
      (from_client ? client_ : server_) += static_cast<uint32_t>(data.size());
    }
    return got;
  }
  static bool passed(const Bytes& frame, bool from_client) {
    return vni_of(frame) == (from_client ? kB : kA).vni;
  }
  Bytes reset(const Spoke& from, const Spoke& to, uint16_t sport, uint16_t dport, uint32_t seq,
              uint32_t ack) const {
    PacketBuilder b;
    b.ether(to.host_mac, to.hub_mac).ip(host_of(from, ip_), host_of(to, ip_));
    if (ip_ == Ip::v4) b.dont_fragment();
    return b.tcp(sport, dport, kRst | kAck, seq, ack).window(0).build();
  }

  TestHub& hub_;
  Ip ip_;
  uint16_t port_;
  uint32_t client_ = 0xffff'fff0, server_ = 7'000;  // the client's numbers wrap
};

}  // namespace weir::test
