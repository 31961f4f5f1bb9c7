// What the networks that a feed stands for answer to a contender's ARP and ND.
#include "pktgen-scripts/feed/answers.h"

#include <gtest/gtest.h>

#include <array>

#include "tests/support/packet_builder.h"

namespace weir::feed {
namespace {

using test::Bytes;
using test::PacketBuilder;

constexpr net::Mac kHub{{2, 0, 0, 0, 0, 1}}, kInside{{2, 0x57, 0, 0, 0, 1}}, kPeer{{2, 0, 198, 18, 0, 10}},
    kAll{{255, 255, 255, 255, 255, 255}};

Bytes answer_to(const Bytes& question) {
  std::array<uint8_t, kMaxAnswer> room{};
  const size_t length = question_answer(question, room);
  return {room.begin(), room.begin() + static_cast<long>(length)};
}

Bytes tunnelled(net::Mac to, net::Mac from, const char* source, const char* target, const Bytes& inner) {
  return PacketBuilder()
      .ether(to, from)
      .ipv4(source, target)
      .udp(50'000, 4789)
      .no_checksum()
      .vxlan(10)
      .frame(inner)
      .build();
}

Bytes arp_question() {
  return PacketBuilder().ether(kAll, kHub).arp_request(kHub, "198.18.0.1", "198.18.0.10").build();
}

TEST(FeedAnswers, ArpOnTheUnderlay) {
  EXPECT_TRUE(may_be_question(arp_question().size()));
  EXPECT_EQ(answer_to(arp_question()),
            PacketBuilder().ether(kHub, kPeer).arp_reply(kPeer, "198.18.0.10", kHub, "198.18.0.1").build());
}

TEST(FeedAnswers, ArpInsideATunnel) {
  const net::Mac router{{2, 0, 10, 255, 1, 2}};
  const Bytes inner =
      PacketBuilder().ether(router, kInside).arp_request(kInside, "10.255.1.1", "10.255.1.2").build();
  const Bytes question = tunnelled(kPeer, kHub, "198.18.0.1", "198.18.0.10", inner);
  EXPECT_TRUE(may_be_question(question.size()));
  EXPECT_EQ(answer_to(question), tunnelled(kHub, kPeer, "198.18.0.10", "198.18.0.1",
                                           PacketBuilder()
                                               .ether(kInside, router)
                                               .arp_reply(router, "10.255.1.2", kInside, "10.255.1.1")
                                               .build()));
}

TEST(FeedAnswers, NeighborDiscoveryInsideATunnel) {
  const net::Mac router{{2, 6, 0x0a, 0xff, 1, 2}}, group{{0x33, 0x33, 0xff, 0xff, 1, 2}};
  const char* target = "2001:db8:ff:1::aff:102";
  const Bytes inner = PacketBuilder()
                          .ether(group, kInside)
                          .ipv6("2001:db8:ff:1::1", "ff02::1:ffff:102")
                          .nd_solicit(target, kInside)
                          .build();
  const Bytes question = tunnelled(kPeer, kHub, "198.18.0.1", "198.18.0.10", inner);
  EXPECT_TRUE(may_be_question(question.size()));
  EXPECT_EQ(answer_to(question), tunnelled(kHub, kPeer, "198.18.0.10", "198.18.0.1",
                                           PacketBuilder()
                                               .ether(kInside, router)
                                               .ipv6(target, "2001:db8:ff:1::1")
                                               .nd_advertise(target, router)
                                               .build()));
}

TEST(FeedAnswers, NothingElseIsAQuestion) {
  const Bytes announcement =
      PacketBuilder().ether(kAll, kHub).arp_request(kHub, "198.18.0.1", "198.18.0.1").build();
  const Bytes reply =
      PacketBuilder().ether(kHub, kPeer).arp_reply(kPeer, "198.18.0.10", kHub, "198.18.0.1").build();
  const Bytes data =
      PacketBuilder().ether(kHub, kPeer).ipv4("10.1.0.1", "10.2.0.1").udp(1, 2).filler(30).build();
  const Bytes detection = PacketBuilder()
                              .ether(kHub, kPeer)
                              .ipv6("::", "ff02::1:ff00:1")
                              .nd_solicit("2001:db8::1", net::Mac{})
                              .build();
  for (const Bytes& frame :
       {announcement, reply, data, detection, tunnelled(kPeer, kHub, "198.18.0.1", "198.18.0.2", data)})
    EXPECT_TRUE(answer_to(frame).empty());
}

TEST(FeedAnswers, CutFramesAreNoQuestions) {
  const Bytes inner = PacketBuilder()
                          .ether(kAll, kInside)
                          .ipv6("2001:db8::1", "ff02::1:ff00:2")
                          .nd_solicit("2001:db8::2", kInside)
                          .build();
  for (const Bytes& whole :
       {arp_question(), inner, tunnelled(kPeer, kHub, "198.18.0.1", "198.18.0.10", arp_question())}) {
    for (size_t length = 0; length < whole.size(); ++length) {
      const Bytes cut(whole.begin(), whole.begin() + static_cast<long>(length));
      const Bytes answer = answer_to(cut);
      // The option at a solicitation's end is not read.
      EXPECT_TRUE(answer.empty() || (whole == inner && length + 8 >= whole.size())) << length;
    }
  }
}

}  // namespace
}  // namespace weir::feed
