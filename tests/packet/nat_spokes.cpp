#include "tests/packet/nat_spokes.h"

#include <memory>

namespace weir::test {

using namespace dataplane;

Bytes frame(net::Mac dst, net::Mac src, const Ends& ends, const Transport& transport, uint8_t ttl) {
  return frame_of(dst, src, ends.src, ends.dst, transport, ttl);
}
Bytes sent_by(const Spoke& spoke, const Ends& ends, const Transport& transport) {
  return tunnelled(spoke, frame(spoke.hub_mac, spoke.host_mac, ends, transport, 64));
}
void expect_at(const std::vector<Bytes>& got, const Spoke& spoke, const Ends& ends,
               const Transport& transport) {
  expect_sent(got, spoke, frame(spoke.host_mac, spoke.hub_mac, ends, transport, 63));
}

uint16_t port_at(const Bytes& inner_frame, size_t offset) {
  return static_cast<uint16_t>(inner_frame[offset] << 8 | inner_frame[offset + 1]);
}
uint16_t source_port(const Bytes& sent) { return port_at(inner_of(sent), 34); }
uint16_t identifier(const Bytes& sent) { return port_at(inner_of(sent), 38); }

namespace {

std::string address_at(const Bytes& sent, size_t offset) {
  const Bytes inside = inner_of(sent);
  std::string text;
  for (size_t i = 0; i < 4; ++i) text += (i == 0 ? "" : ".") + std::to_string(inside[offset + i]);
  return text;
}

}  // namespace

std::string source_address(const Bytes& sent) { return address_at(sent, 26); }
std::string destination_address(const Bytes& sent) { return address_at(sent, 30); }

SnapshotBuilder open_network(uint16_t workers) {
  SnapshotBuilder b = network_without_rules(true, workers);
  b.connection("red", "green").connection("green", "blue");
  b.rule({.id = "all", .action = PolicyAction::allow});
  return b;
}

NatRules pool_rules(const SnapshotBuilder& b, uint16_t workers, const char* first, const char* last,
                    uint16_t low, uint16_t high) {
  NatRules rules;
  PoolRule rule;
  rule.name = "internet";
  rule.from = {b.domain_id("red")};
  rule.to = b.domain_id("blue");
  rule.destinations = {*net::parse_prefix("10.2.0.0/24"), *net::parse_prefix("2001:db8:2::/64")};
  rule.pool = std::make_shared<PortPool>(std::vector<PortPool::Range>{{ip_of(first), ip_of(last)}}, low, high,
                                         workers);
  rules.pools.push_back(rule);
  return rules;
}

NatRules web_rules(const SnapshotBuilder& b) {
  NatRules rules;
  PublishedRule web;
  web.name = "web";
  web.seen_by = {b.domain_id("blue"), b.domain_id("red")};
  web.protocol = 6;
  web.address = ip_of("10.2.0.80");
  web.port = 443;
  web.domain = b.domain_id("red");
  web.server = ip_of(kA.host4);
  web.server_port = 8'443;
  rules.published.push_back(web);
  return rules;
}

}  // namespace weir::test
