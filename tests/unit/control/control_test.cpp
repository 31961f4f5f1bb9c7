// The control loop: the underlay, health, packets on their way to the right place, and what it tells of
// itself.
#include <future>
#include <thread>

#include "control_fixture.h"
#include "tests/support/packet_builder.h"

namespace weir::test {
namespace {

TEST_F(ControlTest, ASilentAttachmentGoesDownIsAnnouncedAndItsRoutesAreWithdrawn) {
  const std::string health =
      "gateway = [\"10.1.0.1/24\", \"2001:db8:1::1/64\"]\nhealth = { probe = \"icmp\", address = "
      "\"10.1.0.9\", "
      "interval_ms = 100, withdraw = true }\n";
  const std::string watched =
      replaced(kTwoClouds, "gateway = [\"10.1.0.1/24\", \"2001:db8:1::1/64\"]\n", health);
  write(watched);
  ASSERT_TRUE(reload().problems.empty());
  const AttachmentId a = attachment("cloud-a");
  const auto state = [&] { return control_->health().view(a).state; };
  const auto route_is_there = [&] {
    const auto views = routes({"prod"}).value().domains;
    return std::any_of(views[0].routes.begin(), views[0].routes.end(),
                       [](const auto& route) { return route.prefix == "10.1.64.0/18"; });
  };
  EXPECT_TRUE(route_is_there());
  const auto pass = [&](unsigned tenths) {
    for (unsigned i = 0; i < 10 * tenths; ++i) {
      now_ += 10 * kNanosPerMilli;
      settle();
    }
  };
  pass(8);
  EXPECT_EQ(state(), control::HealthState::down);
  EXPECT_FALSE(model_.board.usable(a));
  settle();
  EXPECT_FALSE(route_is_there());
  ASSERT_EQ(announced_.size(), 1u);
  EXPECT_EQ(announced_[0].attachment, "cloud-a");
  EXPECT_EQ(announced_[0].domain, "prod");
  EXPECT_EQ(announced_[0].reason, "probe not answered");
  EXPECT_NE(log_text_.str().find("attachment cloud-a is down, was unknown: probe not answered"),
            std::string::npos);
  const auto status = control_->status();
  const auto row = std::find_if(status.attachments.begin(), status.attachments.end(),
                                [](const auto& view) { return view.name == "cloud-a"; });
  ASSERT_NE(row, status.attachments.end());
  EXPECT_EQ(row->health.state, "down");

  write(kTwoClouds);  // not watched any more
  ASSERT_TRUE(reload().problems.empty());
  settle();
  EXPECT_EQ(state(), control::HealthState::unknown);
  EXPECT_TRUE(model_.board.usable(a));
  EXPECT_TRUE(route_is_there());
}

TEST_F(ControlTest, AHostThatDoesNotAnswerIsToldToTheSender) {
  const auto frame = PacketBuilder()
                         .ether(model::default_hub_mac("cloud-a"), mac(0x02000000aaaa))
                         .ipv4("10.1.0.9", "10.2.0.77")
                         .udp(1, 2)
                         .build();
  Punt punt;
  punt.reason = PuntReason::resolve;
  punt.attachment = attachment("cloud-b");
  punt.target = ip("10.2.0.77");
  punt.ingress = attachment("cloud-a");
  punt.frame = frame;
  dataplane_->punts = {punt};
  control_->turn(now_, false);
  ASSERT_EQ(dataplane_->sent.size(), 1u) << "ARP";
  for (int second = 0; second < 4; ++second) control_->turn(now_ += kNanosPerSecond, false);
  ASSERT_EQ(dataplane_->sent.size(), 4u) << "three requests, one answer";
  EXPECT_EQ(dataplane_->sent[3].first, attachment("cloud-a"));
  EXPECT_EQ(dataplane_->sent[3].second[34], 3);
  EXPECT_EQ(dataplane_->sent[3].second[35], 1);
  EXPECT_EQ(dataplane_->discarded.back().second, DropReason::neighbor_unresolved);
}

TEST_F(ControlTest, APoolWithoutAPortIsToldAtMostEveryTenSeconds) {
  write(kTwoClouds +
        "[[nat]]\nname = \"out\"\nsnat = { from = [\"prod\"], domain = \"shared\", pool = "
        "[\"10.2.0.72/31\"], ports = "
        "\"2000-2063\", destinations = [\"10.2.0.0/24\"] }\n");
  ASSERT_TRUE(reload().problems.empty());
  PortPool& pool = *dataplane_->current().nat->rules().pools.at(0).pool;
  const auto lines = [&] {
    size_t count = 0;
    const std::string text = log_text_.str();
    for (size_t at = text.find("had no port"); at != std::string::npos; at = text.find("had no port", at + 1))
      ++count;
    return count;
  };
  const auto pass = [&](unsigned seconds) { control_->turn(now_ += seconds * kNanosPerSecond, false); };
  pass(10);
  EXPECT_EQ(lines(), 0u);
  for (int i = 0; i < 3; ++i) pool.count_exhausted(0);
  pass(10);
  EXPECT_EQ(lines(), 1u);
  EXPECT_NE(log_text_.str().find(
                "pool out had no port for 3 sessions; 0 of them are taken, 64 an address and protocol"),
            std::string::npos)
      << log_text_.str();
  pool.count_exhausted(0);
  pass(1);
  EXPECT_EQ(lines(), 1u) << "it was told lately";
  pass(9);
  EXPECT_EQ(lines(), 2u);
  EXPECT_NE(log_text_.str().find("pool out had no port for 1 sessions"), std::string::npos) << "what is new";
  pass(100);
  EXPECT_EQ(lines(), 2u) << "nothing is new";
}

TEST_F(ControlTest, HopsAreSetFromTheUnderlay) {
  net::Mac hop;
  ASSERT_TRUE(dataplane_->current().attachment(attachment("cloud-a"))->underlay->get(hop));
  EXPECT_EQ(hop, mac(0x020000000002));
  EXPECT_TRUE(control_->status().attachments.front().resolved);
  underlay_.hops[ip("198.18.0.10").v4()].link_up = false;
  control_->turn(++now_, true);
  EXPECT_FALSE(dataplane_->current().attachment(attachment("cloud-a"))->underlay->get(hop));
  EXPECT_NE(log_text_.str().find("198.18.0.10 is no longer reached: the link is down"), std::string::npos);
}

TEST_F(ControlTest, UnderlayMtuReachesTheAttachment) {
  underlay_.hops[ip("198.18.0.10").v4()].mtu = 1400;
  control_->turn(++now_, true);
  settle();
  EXPECT_EQ(dataplane_->current().attachment(attachment("cloud-a"))->mtu, 1350);
}

TEST_F(ControlTest, PuntsGoWhereTheyBelong) {
  Punt arp;
  arp.reason = PuntReason::underlay_arp;
  Punt resolve;
  resolve.reason = PuntReason::resolve;
  resolve.attachment = attachment("cloud-a");
  resolve.target = ip("10.1.0.9");
  dataplane_->punts = {arp, resolve};
  dataplane_->notes = {{attachment("cloud-b"), ip("10.2.0.9"), mac(0x02000000aaaa)}};
  EXPECT_TRUE(control_->turn(++now_, false));
  EXPECT_EQ(underlay_.arps, 1);
  EXPECT_EQ(dataplane_->discarded.size(), 1u);  // the ARP packet, used up
  EXPECT_EQ(control_->neighbors().held(), 1u);
  EXPECT_TRUE(model_.adjacencies->find(attachment("cloud-b"), ip("10.2.0.9")).valid());
}

TEST_F(ControlTest, MulticastGoesToTheTapPortOfItsAttachment) {
  const std::vector<uint8_t> frame(60, 0xff);
  Punt punt;
  punt.reason = PuntReason::multicast;
  punt.attachment = attachment("cloud-a");
  punt.frame = frame;
  // No port: the attachment had one when the packet came.
  dataplane_->punts = {punt};
  control_->turn(++now_, false);
  EXPECT_TRUE(dataplane_->frames.empty());
  EXPECT_EQ(dataplane_->control_dropped(DropReason::punt_unwanted), 1u);

  config::Attachment wanting = parse(kTwoClouds).attachments[0];
  wanting.multicast_to = "tap0";
  EXPECT_TRUE(transact({{config::ChangeVerb::replace, wanting}}).problems.empty());
  punt.attachment = attachment("cloud-a");
  dataplane_->punts = {punt};
  control_->turn(++now_, false);
  ASSERT_EQ(dataplane_->frames.size(), 1u);
  EXPECT_EQ(dataplane_->frames[0], std::pair(PortIndex{1}, frame));
  EXPECT_EQ(dataplane_->control_dropped(DropReason::none), 1u);
  dataplane_->full = true;
  dataplane_->punts = {punt};
  control_->turn(++now_, false);
  EXPECT_EQ(dataplane_->control_dropped(DropReason::punt_full), 1u);
}

TEST_F(ControlTest, MulticastToAPortThatIsNoTapIsRefused) {
  for (const char* port : {"wan0", "tap1"}) {
    config::Attachment wanting = parse(kTwoClouds).attachments[0];
    wanting.multicast_to = port;
    const ChangeView view = transact({{config::ChangeVerb::replace, wanting}});
    ASSERT_EQ(view.problems.size(), 1u);
    EXPECT_NE(view.problems[0].find("there is no tap port \"" + std::string(port) + "\""), std::string::npos)
        << view.problems[0];
  }
}

TEST_F(ControlTest, ANewMacOfAPortIsInAllTables) {
  const net::Mac other = mac(0x0200000000ee);
  EXPECT_EQ(dataplane_->current().ports[0].mac, mac(0x020000000001));
  underlay_.mac = other;
  control_->turn(++now_, true);
  settle();
  EXPECT_EQ(dataplane_->current().ports[0].mac, other);
  const Attachment* a = dataplane_->current().attachment(attachment("cloud-a"));
  ASSERT_NE(a, nullptr);
  EXPECT_TRUE(std::equal(other.bytes.begin(), other.bytes.end(), a->outer.end() - a->outer_length + 6))
      << "the outer header's source";
  const size_t published = dataplane_->published.size();
  control_->turn(++now_, true);
  settle();
  EXPECT_EQ(dataplane_->published.size(), published) << "nothing changed since";
}

TEST_F(ControlTest, SlowTurnIsCounted) {
  dataplane_->clock = now_ + 11 * kNanosPerMilli;
  control_->turn(now_, false);
  EXPECT_EQ(control_->status().control_stalls, 1u);
}

TEST_F(ControlTest, LookingAtTheTopHasEveryTurnSampledFor2Seconds) {
  dataplane_->clock = 10 * kNanosPerSecond;
  EXPECT_EQ(dataplane_->watched_until, 0u);
  const control::TopView view = control_->top();
  EXPECT_EQ(view.now_ns, 10 * kNanosPerSecond);
  EXPECT_EQ(view.stall_us, 1'000u);
  ASSERT_EQ(view.workers.size(), 1u);
  EXPECT_EQ(view.workers[0].core, 1u);
  EXPECT_EQ(dataplane_->watched_until, 12 * kNanosPerSecond);
}

TEST_F(ControlTest, SessionsAreNamed) {
  SessionRow row;
  row.tuple = {ip("10.1.0.5"), ip("10.2.0.5"), 1000, 80, 6};
  row.ingress = attachment("cloud-a");
  row.from = dataplane_->current().attachment(row.ingress)->domain;
  row.state = SessionState::established;
  row.flags = Session::kDropped;
  row.rule = 0;
  dataplane_->sessions = {row};
  control::SessionsView seen;
  control_->sessions(5, [&](control::SessionsView view) { seen = std::move(view); });
  ASSERT_EQ(seen.rows.size(), 1u);
  EXPECT_EQ(seen.rows[0].ingress, "cloud-a");
  EXPECT_EQ(seen.rows[0].from, "prod");
  EXPECT_EQ(seen.rows[0].rule, "web");
  EXPECT_EQ(seen.rows[0].state, "established");
  EXPECT_TRUE(seen.rows[0].dropped);
  EXPECT_EQ(seen.rows[0].egress, "");  // an id that names nothing any more
}

TEST_F(ControlTest, RoutesSayWhoseTheyAre) {
  const auto all = routes({});
  ASSERT_TRUE(all);
  EXPECT_EQ(all->domains.size(), 3u);
  const auto shared = routes({"shared"});
  ASSERT_TRUE(shared);
  const auto has = [&](std::string_view kind, std::string_view prefix) {
    const auto& routes = shared->domains.front().routes;
    return std::any_of(routes.begin(), routes.end(), [&](const auto& r) {
      return r.kind == kind && r.prefix == prefix && r.from_domain == "prod" &&
             r.weight.has_value() == (kind != "blackhole");
    });
  };
  EXPECT_TRUE(has("exposed", "10.1.64.0/18"));
  EXPECT_TRUE(has("blackhole", "10.66.0.0/16"));
  EXPECT_FALSE(routes({"nope"}));
  ASSERT_TRUE(transact({{add, spoke("cloud-e", "prod", 50)}}).problems.empty());
  config::Route made;
  made.domain = "prod";
  made.prefix = net::parse_prefix("10.1.65.0/24").value();
  made.attachment = "cloud-e";
  made.via = ip("10.100.50.9");
  ASSERT_TRUE(transact({{add, made}}).problems.empty());
  const auto within = [&](const char* prefix, size_t max) {
    const auto view = routes({"prod", net::parse_prefix(prefix), max}).value();
    std::string text;
    for (const auto& r : view.domains[0].routes)
      text +=
          std::string(r.prefix) + " " + std::string(r.origin) + (r.from_domain.empty() ? "; " : " exposed; ");
    return text + (view.more ? "more" : "");
  };
  EXPECT_EQ(within("10.1.64.0/18", 100), "10.1.64.0/18 file; 10.1.65.0/24 api; ");
  EXPECT_EQ(within("10.1.64.0/18", 1), "10.1.64.0/18 file; more");
  EXPECT_EQ(within("10.1.0.0/23", 100), "10.1.0.0/24 gateway; ");
  EXPECT_EQ(within("10.2.0.0/16", 100), "10.2.0.0/24 gateway exposed; ");
}

TEST(Mailbox, RefusesWhenFullAndAfterClosing) {
  control::Mailbox mailbox;
  for (size_t i = 0; i < control::Mailbox::kCapacity; ++i) ASSERT_TRUE(mailbox.post([] {}));
  EXPECT_FALSE(mailbox.post([] {}));
  EXPECT_EQ(mailbox.run(), control::Mailbox::kCapacity);
  EXPECT_TRUE(mailbox.post([] {}));
  mailbox.close();
  EXPECT_FALSE(mailbox.post([] {}));
  EXPECT_EQ(mailbox.run(), 0u);
}

TEST(Mailbox, CallerIsLetGoWhenItCloses) {
  control::Mailbox mailbox;
  std::thread closer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    mailbox.close();
  });
  const auto answer = mailbox.call<int>([](auto) {}, std::chrono::seconds(60));
  closer.join();
  EXPECT_FALSE(answer);
}

}  // namespace
}  // namespace weir::test
