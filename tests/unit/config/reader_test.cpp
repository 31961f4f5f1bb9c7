// Every value of a file arrives in its field.
#include "mgmt/config/reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/config/samples.h"

namespace weir::config::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(ReadConfig, ReadsTheSectionsThatAFileHasOnce) {
  const Config c = read_good(full_text());
  EXPECT_EQ(c.file, "/etc/weir/hub.toml");
  EXPECT_EQ(c.hub_name, "hub-1");
  EXPECT_EQ(c.eal.hugepages, Hugepages::off);
  EXPECT_EQ(c.eal.memory_mib, 512u);
  EXPECT_THAT(c.eal.extra_args, ElementsAre("--log-level=8", "--no-shconf"));
  EXPECT_THAT(c.workers.cores, ElementsAre(2u, 3u));
  EXPECT_EQ(c.workers.idle, Idle::poll);
  EXPECT_EQ(c.workers.burst, 64u);
  EXPECT_EQ(c.workers.stall_us, 750u);
  EXPECT_EQ(c.control.core, 1u);
  EXPECT_EQ(c.api.socket, "/etc/weir/weir.sock");
  EXPECT_EQ(c.rule_cache.folder, "/etc/weir/cache");
  EXPECT_EQ(c.rule_cache.max_mib, 17U);
  EXPECT_EQ(c.log.level, "debug");
  EXPECT_EQ(c.events.eve, "/etc/weir/eve.json");
  EXPECT_FALSE(c.events.flow);
}

TEST(ReadConfig, ReadsLimitsAndTimeouts) {
  const Config c = read_good(full_text());
  EXPECT_EQ(c.limits.sessions, 1'000u);
  EXPECT_EQ(c.limits.packet_buffers, 8'192u);
  EXPECT_EQ(c.limits.ring_size, 1'024u);
  EXPECT_EQ(c.limits.adjacencies, 100u);
  EXPECT_EQ(c.limits.routes, 31'000u);
  EXPECT_EQ(c.limits.held_packets, 500u);
  EXPECT_EQ(c.limits.held_per_neighbor, 8u);
  EXPECT_EQ(c.limits.held_fragments, 600u);
  EXPECT_EQ(c.limits.fragmented_datagrams, 700u);
  EXPECT_EQ(c.limits.fragments_per_datagram, 16u);
  EXPECT_EQ(c.limits.punts_per_second, 100u);
  EXPECT_EQ(c.limits.punts_per_attachment, 50u);
  EXPECT_EQ(c.limits.icmp_errors_per_second, 70u);
  EXPECT_EQ(c.limits.inspected_sessions, 200u);
  EXPECT_EQ(c.limits.stream_window, 2'048u);
  EXPECT_EQ(c.limits.out_of_order_segments, 8u);
  EXPECT_EQ(c.limits.nat_bindings, 900u);
  EXPECT_EQ(c.limits.ftp_controls, 9u);
  EXPECT_EQ(c.limits.policy_rules, 900u);
  EXPECT_EQ(c.limits.pending_sessions, 901u);
  EXPECT_EQ(c.limits.pending_packets, 902u);
  EXPECT_EQ(c.limits.pending_packets_per_session, 903u);
  EXPECT_EQ(c.limits.pending_bytes_per_session, 904u);
  EXPECT_EQ(c.limits.pending_ms, 905u);
  EXPECT_EQ(c.limits.event_queue, 128u);
  EXPECT_EQ(c.limits.when_full, WhenFull::refuse);
  EXPECT_EQ(c.limits.half_open_sessions, 21u);
  EXPECT_EQ(c.limits.half_open_per_source, 22u);
  EXPECT_EQ(c.limits.half_open_per_attachment, 23u);
  EXPECT_EQ(c.limits.half_open_per_domain, 24u);
  EXPECT_EQ(c.limits.new_sessions_per_source, 25u);
  EXPECT_EQ(c.limits.new_sessions_per_attachment, 26u);
  EXPECT_EQ(c.limits.new_sessions_per_domain, 27u);
  EXPECT_EQ(c.limits.hosts, 128u);
  EXPECT_EQ(c.events.flow_interval, 28u);
  EXPECT_EQ(c.events.rule_events_per_second, 29u);
  EXPECT_TRUE(c.events.default_deny);
  EXPECT_EQ(c.events.types, (std::vector<std::string>{"alert", "tls"}));
  EXPECT_TRUE(c.events.payload);
  EXPECT_TRUE(c.events.payload_printable);
  EXPECT_EQ(c.events.xff, XffMode::overwrite);
  EXPECT_EQ(c.events.xff_deployment, XffDeployment::forward);
  EXPECT_EQ(c.events.xff_header, "True-Client-IP");
  EXPECT_TRUE(c.events.community_id);
  EXPECT_EQ(c.events.community_id_seed, 31u);
  EXPECT_EQ(c.events.stats_interval, 30u);
  EXPECT_EQ(c.timeouts.tcp_handshake, 1u);
  EXPECT_EQ(c.timeouts.tcp_established, 2u);
  EXPECT_EQ(c.timeouts.tcp_closing, 3u);
  EXPECT_EQ(c.timeouts.udp, 4u);
  EXPECT_EQ(c.timeouts.icmp, 5u);
  EXPECT_EQ(c.timeouts.other, 6u);
  EXPECT_EQ(c.timeouts.fragment, 7u);
  EXPECT_EQ(c.timeouts.tcp_half_closed, 8u);
  EXPECT_EQ(c.timeouts.tcp_loose, 9u);
  EXPECT_EQ(c.timeouts.udp_unanswered, 10u);
  EXPECT_TRUE(c.tcp.strict_windows && c.tcp.mid_stream && c.tcp.one_sided && c.tcp.reset_idle);
}

TEST(ReadConfig, ReadsAddressTranslation) {
  const Config c = read_good(full_text());
  ASSERT_EQ(c.nat.size(), 8u);
  EXPECT_EQ(c.nat[0].kind, NatKind::snat);
  EXPECT_THAT(c.nat[0].from, ElementsAre("shared"));
  EXPECT_EQ(c.nat[0].domain, "prod");
  EXPECT_THAT(c.nat[0].pool, ElementsAre(*net::parse_prefix("10.33.0.128/29")));
  EXPECT_EQ(c.nat[0].ports.first, 2'000u);
  EXPECT_EQ(c.nat[0].ports.last, 3'000u);
  EXPECT_THAT(c.nat[0].sources, ElementsAre(*net::parse_prefix("172.16.0.0/16")));
  EXPECT_THAT(c.nat[0].destinations, ElementsAre(*net::parse_prefix("192.0.2.0/24")));
  EXPECT_EQ(c.nat[1].kind, NatKind::dnat);
  EXPECT_EQ(c.nat[1].address, *net::parse_ip("10.9.9.9"));
  EXPECT_EQ(c.nat[1].protocol, Protocol::udp);
  EXPECT_EQ(c.nat[1].port, 5'353u);
  EXPECT_EQ(c.nat[1].server, *net::parse_ip("10.1.0.53"));
  EXPECT_EQ(c.nat[1].server_port, 53u);
  EXPECT_TRUE(c.nat[0].ftp && !c.nat[1].ftp && c.nat[2].ftp && c.nat[3].ftp);
  EXPECT_TRUE(!c.nat[4].server && c.nat[1].servers.empty());
  EXPECT_THAT(c.nat[4].servers, ElementsAre(*net::parse_ip("10.1.0.22"), *net::parse_ip("10.1.0.23")));
  EXPECT_THAT(c.nat[4].weights, ElementsAre(3u, 1u));
  EXPECT_EQ(c.nat[7].kind, NatKind::nat64);
  EXPECT_THAT(c.nat[7].from, ElementsAre("shared"));
  EXPECT_EQ(c.nat[7].prefix, *net::parse_prefix("2001:db8:64::/48"));
  EXPECT_EQ(c.nat[7].domain, "prod");
  EXPECT_THAT(c.nat[7].pool, ElementsAre(*net::parse_prefix("10.33.0.152/30")));
  EXPECT_EQ(c.nat[7].ports.first, 3'000u);
  EXPECT_THAT(c.nat[7].sources, ElementsAre(*net::parse_prefix("2001:db8:2::/64")));
  EXPECT_THAT(c.nat[7].destinations, ElementsAre(*net::parse_prefix("192.0.2.0/25")));
  EXPECT_TRUE(c.nat[5].nptv6 && !c.nat[2].nptv6);
  EXPECT_EQ(c.nat[6].ports_per_host, 1'024u);
  EXPECT_EQ(c.nat[0].ports_per_host, 0u);
  EXPECT_EQ(c.nat[2].kind, NatKind::fixed);
  EXPECT_EQ(c.nat[2].name, "mapped");
  EXPECT_EQ(c.nat[2].inside, *net::parse_prefix("10.1.0.64/28"));
  EXPECT_EQ(c.nat[2].outside, *net::parse_prefix("100.64.7.64/28"));
}

TEST(ReadConfig, ReadsPorts) {
  const Config c = read_good(full_text());
  ASSERT_EQ(c.ports.size(), 5u);
  EXPECT_EQ(c.ports[0].name, "wan0");
  EXPECT_EQ(c.ports[0].driver, PortDriver::af_packet);
  EXPECT_EQ(c.ports[0].interface, "eth1");
  EXPECT_THAT(c.ports[0].addresses, ElementsAre(*net::parse_interface_address("198.18.0.1/24"),
                                                *net::parse_interface_address("198.18.1.1/24")));
  EXPECT_EQ(c.ports[0].gateways, std::vector{*net::parse_ip("198.18.0.254")});
  EXPECT_EQ(c.ports[0].mac, std::nullopt);
  EXPECT_EQ(c.ports[0].mtu, 1'600u);
  EXPECT_EQ(c.ports[1].driver, PortDriver::pci);
  EXPECT_EQ(c.ports[1].pci, "0000:03:00.0");
  EXPECT_THAT(c.ports[1].addresses, IsEmpty());
  EXPECT_TRUE(c.ports[1].gateways.empty());
  EXPECT_EQ(c.ports[1].mac, net::parse_mac("02:00:00:00:00:01"));
  EXPECT_EQ(c.ports[2].driver, PortDriver::pcap);
  EXPECT_EQ(c.ports[2].rx_pcap, "/etc/weir/in.pcap");
  EXPECT_EQ(c.ports[2].tx_pcap, "/tmp/out.pcap");
  EXPECT_EQ(c.ports[3].driver, PortDriver::tap);
  EXPECT_EQ(c.ports[3].interface, "weir0");
}

TEST(ReadConfig, ReadsDomainsAttachmentsRoutesConnections) {
  const Config c = read_good(full_text());
  ASSERT_EQ(c.domains.size(), 2u);
  EXPECT_EQ(c.domains[1].name, "shared");
  ASSERT_EQ(c.attachments.size(), 5u);
  const Attachment& a = c.attachments[0];
  EXPECT_EQ(a.name, "cloud-a");
  EXPECT_EQ(a.domain, "prod");
  using dataplane::TunnelKind;
  const dataplane::Tunnel& vxlan = a.tunnel;
  EXPECT_EQ(vxlan.kind, TunnelKind::vxlan);
  EXPECT_TRUE(vxlan.ethernet);
  EXPECT_EQ(vxlan.id, 10u);
  EXPECT_EQ(vxlan.local, net::parse_ip("198.18.0.1"));
  EXPECT_EQ(vxlan.remote, net::parse_ip("198.18.0.10"));
  EXPECT_EQ(vxlan.udp_port, 4'790);
  EXPECT_EQ(vxlan.ttl, 63);
  EXPECT_EQ(vxlan.dscp, 46);
  EXPECT_TRUE(vxlan.udp_checksum);
  const dataplane::Tunnel &geneve = c.attachments[1].tunnel, &gre = c.attachments[2].tunnel,
                          &ipip = c.attachments[3].tunnel, &native = c.attachments[4].tunnel;
  EXPECT_EQ(geneve.kind, TunnelKind::geneve);
  EXPECT_EQ(geneve.id, 30u);
  EXPECT_EQ(geneve.udp_port, 6'082);
  EXPECT_FALSE(geneve.ethernet);
  EXPECT_EQ(gre.kind, TunnelKind::gre);
  EXPECT_TRUE(gre.keyed);
  EXPECT_EQ(gre.id, 31u);
  EXPECT_TRUE(gre.ethernet);
  EXPECT_EQ(ipip.kind, TunnelKind::ipip);
  EXPECT_EQ(ipip.inner, dataplane::InnerFamilies::ipv6);
  EXPECT_FALSE(ipip.ethernet);
  EXPECT_EQ(native.kind, TunnelKind::native);
  EXPECT_EQ(c.attachments[4].port, "trace");
  EXPECT_EQ(native.vlan, 33);
  EXPECT_EQ(native.outer_vlan, 330);
  EXPECT_THAT(a.gateways, ElementsAre(*net::parse_interface_address("10.1.0.1/24"),
                                      *net::parse_interface_address("2001:db8:1::1/64")));
  EXPECT_EQ(a.mac, net::parse_mac("02:57:00:00:00:01"));
  EXPECT_EQ(a.mtu, 1'450u);
  EXPECT_FALSE(a.mss_clamp);
  EXPECT_FALSE(a.reverse_path);
  EXPECT_EQ(a.max_packets_per_second, 1'000u);
  EXPECT_EQ(a.max_bytes_per_second, 1'000'000u);
  EXPECT_EQ(a.multicast_to, "tap0");
  ASSERT_EQ(c.routes.size(), 2u);
  EXPECT_EQ(c.routes[0].domain, "prod");
  EXPECT_EQ(c.routes[0].prefix, net::parse_prefix("10.1.64.0/18"));
  EXPECT_EQ(c.routes[0].attachment, "cloud-a");
  EXPECT_EQ(c.routes[0].via, net::parse_ip("10.1.0.2"));
  EXPECT_EQ(c.routes[0].weight, 3u);
  EXPECT_TRUE(c.routes[0].ecmp);
  EXPECT_FALSE(c.routes[0].blackhole);
  EXPECT_TRUE(c.routes[1].blackhole);
  EXPECT_EQ(c.routes[1].attachment, "");
  EXPECT_EQ(c.routes[1].via, std::nullopt);
  ASSERT_EQ(c.connections.size(), 1u);
  EXPECT_EQ(c.connections[0].a, "prod");
  EXPECT_EQ(c.connections[0].b, "shared");
}

TEST(ReadConfig, ReadsPolicyAndProfiles) {
  const Config c = read_good(full_text());
  ASSERT_EQ(c.policy.size(), 2u);
  const PolicyRule& r = c.policy[0];
  EXPECT_EQ(r.id, "web");
  EXPECT_EQ(r.action, PolicyAction::inspect);
  EXPECT_THAT(r.from.domains, ElementsAre("prod"));
  EXPECT_THAT(r.from.prefixes,
              ElementsAre(*net::parse_prefix("10.1.0.0/16"), *net::parse_prefix("10.2.3.4/32")));
  EXPECT_THAT(r.from.groups, ElementsAre("clients"));
  EXPECT_TRUE(r.enabled);
  EXPECT_FALSE(r.watch);
  EXPECT_THAT(r.to.domains, ElementsAre("shared", "prod"));
  EXPECT_THAT(r.to.prefixes, ElementsAre(*net::parse_prefix("0.0.0.0/0")));
  EXPECT_EQ(r.protocol, Protocol::tcp);
  ASSERT_EQ(r.ports.size(), 3u);
  EXPECT_EQ(r.ports[0].first, 80);
  EXPECT_EQ(r.ports[0].last, 80);
  EXPECT_EQ(r.ports[1].first, 8'000);
  EXPECT_EQ(r.ports[1].last, 8'100);
  EXPECT_EQ(r.ports[2].first, 443);
  EXPECT_EQ(r.profile, "default");
  EXPECT_TRUE(r.log && r.log->start && r.log->end);
  EXPECT_EQ(r.dscp, 45u);
  EXPECT_EQ(r.timeouts.udp, 61u);
  EXPECT_EQ(r.timeouts.udp_unanswered, 62u);
  EXPECT_EQ(r.timeouts.tcp_handshake, 63u);
  EXPECT_EQ(r.timeouts.tcp_established, 64u);
  EXPECT_EQ(r.timeouts.tcp_half_closed, 65u);
  EXPECT_EQ(r.timeouts.tcp_closing, 66u);
  EXPECT_EQ(r.timeouts.tcp_loose, 67u);
  EXPECT_EQ(r.timeouts.icmp, 68u);
  EXPECT_EQ(r.timeouts.other, 69u);
  EXPECT_EQ(r.comment, "all of it");
  EXPECT_EQ(c.policy[1].id, "rest");
  EXPECT_THAT(c.policy[1].from.domains, IsEmpty());
  EXPECT_EQ(c.policy[1].protocol, Protocol::any);
  EXPECT_THAT(c.policy[1].services, ElementsAre("dns", "ping"));
  EXPECT_FALSE(c.policy[1].enabled);
  EXPECT_TRUE(c.policy[1].watch);
  ASSERT_EQ(c.profiles.size(), 1u);
  EXPECT_EQ(c.profiles[0].name, "default");
  EXPECT_THAT(c.profiles[0].rule_files,
              ElementsAre("/etc/weir/demo.rules", "/etc/rules/b.rules", "/opt/c.rules"));
  EXPECT_EQ(c.profiles[0].on_drop, OnDrop::silent);
  EXPECT_EQ(c.profiles[0].fail, FailMode::open);
}

TEST(ReadConfig, ReadsWhatPolicySpeaksOf) {
  const Config c = read_good(full_text());
  EXPECT_THAT(c.attachments[0].tags, ElementsAre("prod", "pci"));
  const PolicyObjects& o = c.objects;
  ASSERT_EQ(o.prefixes.size(), 1u);
  EXPECT_EQ(net::to_string(o.prefixes[0].prefix), "10.9.0.0/16");
  EXPECT_THAT(o.prefixes[0].tags, ElementsAre("lab"));
  EXPECT_EQ(o.prefixes[0].domain, "shared");
  ASSERT_EQ(o.groups.size(), 3u);
  EXPECT_THAT(o.groups[0].domains, ElementsAre("shared"));
  EXPECT_THAT(o.groups[0].attachments, ElementsAre("gre", "ipip"));
  EXPECT_EQ(o.groups[0].prefixes.size(), 2u);
  EXPECT_EQ(o.groups[0].comment, "who asks");
  EXPECT_EQ(o.groups[1].match, "prod and not (pci or lab)");
  EXPECT_THAT(o.groups[2].groups, ElementsAre("clients", "servers"));
  ASSERT_EQ(o.services.size(), 2u);
  EXPECT_EQ(o.services[0].protocol, Protocol::udp);
  EXPECT_EQ(o.services[0].ports.at(1).last, 5'354);
  EXPECT_THAT(o.services[1].icmp_types, ElementsAre(8u, 13u));
}

TEST(ReadConfig, KnowsWhereThingsStand) {
  const Config c = read_good(R"([worker]
cores = [1]
[[port]]
name = "wan0"
  interface = "eth1"
address = ["198.18.0.1/24"]
[[domain]]
name = "d"

[[attachment]]
name = "a"
domain = "d"
gateway = ["10.0.0.1/24"]
[attachment.vxlan]
vni = 1
local = "198.18.0.1"
remote = "198.18.0.2"
[[profile]]
name = "p"
rules = ["a",
         "b"]
)");
  const auto place = [](const Location& where) { return std::pair(where.line, where.column); };
  EXPECT_EQ(place(c.workers.where), std::pair(1u, 1u));
  EXPECT_EQ(place(c.workers.cores_where), std::pair(2u, 9u));
  EXPECT_EQ(place(c.ports[0].where), std::pair(3u, 1u));
  EXPECT_EQ(place(c.ports[0].device_where), std::pair(5u, 15u));
  EXPECT_EQ(place(c.ports[0].addresses_where), std::pair(6u, 11u));
  EXPECT_EQ(place(c.attachments[0].where), std::pair(10u, 1u));
  EXPECT_EQ(place(c.attachments[0].local_where), std::pair(16u, 9u));
  EXPECT_EQ(place(c.profiles[0].rule_files_where.at(1)), std::pair(21u, 10u));
  EXPECT_EQ(place(c.key_where.at("worker.cores")), std::pair(2u, 9u));
  EXPECT_EQ(place(c.key_where.at("port[wan0].interface")), std::pair(5u, 15u));
  EXPECT_EQ(c.ports[0].where.file, "/etc/weir/hub.toml");
}

TEST(ReadConfig, LeavesTheNamesOfNoFileAlone) {
  EXPECT_EQ(read_good(text_of(Base::machine) + "[events]\neve = \"-\"\n").events.eve, "-");
  EXPECT_EQ(read_good(text_of(Base::machine) + "[events]\neve = \"\"\n").events.eve, "");
}

}  // namespace
}  // namespace weir::config::test
