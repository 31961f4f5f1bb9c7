// Sessions whose rules ask libmagic what a file is: the worker goes on meanwhile, and is told between
// packets.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "inspection/engine/ruleset_builder.h"
#include "tests/packet/conversation.h"
#include "tests/packet/spokes.h"
#include "tests/packet/test_hub.h"

namespace weir::test {
namespace {

using namespace dataplane;
using inspection::EventKind;
using inspection::FileMagic;

/// Says of a file what it begins with.
class Echo final : public inspection::MagicTeller {
 public:
  std::optional<size_t> tell(std::span<const uint8_t> begin, std::span<char> text) override {
    const size_t size = std::min({begin.size(), text.size(), size_t{4}});
    std::copy_n(begin.begin(), size, text.begin());
    return size;
  }
};

std::shared_ptr<FileMagic> answered_by_hand() {
  return std::make_shared<FileMagic>(
      1, inspection::MagicSettings{.bytes = 64, .queue = 16}, FileMagic::Mode::by_hand, [] {},
      []() -> Result<std::unique_ptr<inspection::MagicTeller>> { return std::make_unique<Echo>(); });
}

std::shared_ptr<const inspection::Ruleset> rules(const std::string& text,
                                                 const std::shared_ptr<FileMagic>& magic) {
  const std::string path = testing::TempDir() + "weir_packet_magic.rules";
  std::ofstream(path) << text;
  inspection::ProfileSpec spec;
  spec.source.files = {path};
  spec.magic = magic;
  auto built = inspection::RulesetBuilder(1).build(spec);
  if (!built || !built->refused.empty()) throw std::runtime_error("a rule was refused");
  return built->ruleset;
}

constexpr const char* kRules =
    "alert http any any -> any any (msg:\"a zebra\"; filemagic:\"zebr\"; sid:1;)\n"
    "drop http any any -> any any (msg:\"an ogre\"; filemagic:\"ogre\"; sid:2;)\n"
    "reject http any any -> any any (msg:\"an orc\"; filemagic:\"orcs\"; sid:3;)\n";

SnapshotBuilder inspected(std::shared_ptr<const inspection::Ruleset> ruleset, OnDrop on_drop) {
  SnapshotBuilder b = network_without_rules(true, 1);
  b.profile({.name = "ips", .on_drop = on_drop, .ruleset = std::move(ruleset)});
  b.rule({.id = "inspect", .action = PolicyAction::inspect, .from = {"red"}, .to = {"blue"}, .profile = 0});
  return b;
}

const std::string kRequest = "GET /file HTTP/1.1\r\nHost: b\r\n\r\n";
std::string response(const std::string& file) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(file.size()) + "\r\n\r\n" + file;
}

class FileMagicPackets : public ::testing::Test {
 protected:
  explicit FileMagicPackets(OnDrop on_drop = OnDrop::silent)
      : hub_(inspected(rules(kRules, magic_), on_drop).build()) {}
  void fetch(Conversation& talk, const std::string& file) {
    EXPECT_EQ(talk.client(kRequest).size(), 1u);
    EXPECT_EQ(talk.server(response(file)).size(), 1u);
  }
  const inspection::InspectorCounters& counted() { return hub_.plane().inspection_counters(0); }
  std::vector<uint32_t> alerts() {
    std::vector<uint32_t> sids;
    for (const inspection::Event& event : hub_.events()) {
      if (event.kind == EventKind::alert) sids.push_back(event.alert.sid);
    }
    return sids;
  }

  std::shared_ptr<FileMagic> magic_ = answered_by_hand();
  TestHub hub_;
};

TEST_F(FileMagicPackets, TheAlertComesWithTheNextTurnThoughNoPacketDoes) {
  Conversation talk(hub_, Ip::v4), other(hub_, Ip::v4, 1001);
  talk.handshake();
  other.handshake();
  fetch(talk, "zebra");
  fetch(other, "horse");
  hub_.settle();
  EXPECT_TRUE(alerts().empty());
  EXPECT_EQ(magic_->serve(100), 2u);
  hub_.turn();
  const auto events = hub_.events();
  const auto alert = std::ranges::find(events, EventKind::alert, &inspection::Event::kind);
  ASSERT_NE(alert, events.end());
  EXPECT_EQ(alert->alert.sid, 1u);
  EXPECT_TRUE(alert->alert.to_client);
  EXPECT_EQ(alert->flow.src_port, 1000) << "of the session that had it";
  EXPECT_EQ(alert->flow_stats.packets_to_client, 2u);
  EXPECT_EQ(counted().magic_told, 2u);
  hub_.turn();
  EXPECT_TRUE(alerts().empty()) << "once";
  hub_.expect_balance();
}

TEST_F(FileMagicPackets, ADropTakesTheNextPacket) {
  Conversation talk(hub_, Ip::v4);
  talk.handshake();
  fetch(talk, "ogre");
  EXPECT_EQ(talk.send(true, kAck).size(), 1u) << "nobody knows yet";
  magic_->serve(100);
  hub_.turn();
  EXPECT_EQ(alerts(), std::vector<uint32_t>{2});
  hub_.moved();
  EXPECT_TRUE(talk.client(kRequest).empty());
  EXPECT_EQ(hub_.moved(), dropped(DropReason::inspect_drop) + Counts({{"inspected_packets", 1}}));
  EXPECT_TRUE(talk.server("more").empty());
  EXPECT_EQ(hub_.moved(), dropped(DropReason::session_dropped));
}

TEST_F(FileMagicPackets, ARejectTellsBothEndsWhateverTheProfileSays) {
  Conversation talk(hub_, Ip::v4);
  talk.handshake();
  fetch(talk, "orcs");
  magic_->serve(100);
  hub_.turn();
  const auto got = talk.client(kRequest);
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[0], hub_tunnelled(kB, talk.reset_for_server(0), got[0]));
}

TEST_F(FileMagicPackets, AnAnswerForAnIndexThatIsUsedAgainReachesNobody) {
  {
    Conversation talk(hub_, Ip::v4);
    talk.handshake();
    fetch(talk, "ogre");
  }
  // Its policy goes, and with it the session; another one takes its place.
  hub_.pass_seconds(100'000);
  hub_.settle();
  Conversation next(hub_, Ip::v4);
  next.handshake();
  fetch(next, "horse");
  magic_->serve(100);
  hub_.turn();
  EXPECT_TRUE(alerts().empty());
  EXPECT_EQ(next.client(kRequest).size(), 1u);
  EXPECT_EQ(counted().magic_late, 1u);
  EXPECT_EQ(counted().magic_told, 1u);
}

TEST_F(FileMagicPackets, AnswersLiveThroughAReload) {
  Conversation talk(hub_, Ip::v4);
  talk.handshake();
  fetch(talk, "ogre");
  auto none = rules("alert http any any -> any any (http.uri; content:\"/nothing\"; sid:9;)\n", magic_);
  hub_.publish(inspected(std::move(none), OnDrop::silent).build());
  magic_->serve(100);
  hub_.turn();
  EXPECT_TRUE(alerts().empty()) << "the rule is gone";
  EXPECT_EQ(counted().magic_told, 1u);
  EXPECT_EQ(talk.client(kRequest).size(), 1u);
  EXPECT_EQ(talk.server(response("ogre")).size(), 1u);
  EXPECT_EQ(counted().magic_asked, 1u) << "nobody asks any more";
  hub_.expect_balance();
}

}  // namespace
}  // namespace weir::test
