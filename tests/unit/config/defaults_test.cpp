// The defaults that the key table documents are those of config.h.
#include <gtest/gtest.h>

#include <map>

#include "mgmt/config/diff.h"
#include "mgmt/config/key_table.h"
#include "tests/unit/config/samples.h"

namespace weir::config::test {
namespace {

/// Every section, with what is required and nothing more, each one ending in a line `#SECTION`.
constexpr const char* kPlain = R"([hub]
#hub
[eal]
#eal
[worker]
cores = [1]
#worker
[limits]
#limits
[timeouts]
#timeouts
[tcp]
#tcp
[api]
#api
[rule_cache]
#rule_cache
[log]
#log
[events]
#events
[routes]
#routes
[[port]]
name = "wan0"
interface = "eth1"
#port[]
[[domain]]
name = "prod"
[[attachment]]
name = "cloud-a"
domain = "prod"
gateway = ["10.1.0.1/24"]
#attachment[]
[attachment.vxlan]
vni = 10
local = "198.18.0.1"
remote = "198.18.0.10"
#attachment[].vxlan
[attachment.health]
#attachment[].health
[[attachment]]
name = "geneve"
domain = "prod"
gateway = ["10.2.0.1/24"]
[attachment.geneve]
vni = 10
local = "198.18.0.1"
remote = "198.18.0.11"
#attachment[].geneve
[[attachment]]
name = "gre"
domain = "prod"
gateway = ["10.3.0.1/24"]
[attachment.gre]
local = "198.18.0.1"
remote = "198.18.0.11"
#attachment[].gre
[[attachment]]
name = "ipip"
domain = "prod"
gateway = ["10.4.0.1/24"]
[attachment.ipip]
local = "198.18.0.1"
remote = "198.18.0.11"
#attachment[].ipip
[[route]]
domain = "prod"
prefix = "10.1.64.0/18"
attachment = "cloud-a"
#route[]
[[domain]]
name = "net"
[[nat]]
name = "web"
[nat.dnat]
seen_by = ["net"]
address = "192.0.2.80"
port = 443
domain = "prod"
server = "10.1.0.5"
#nat[].dnat
[[nat]]
name = "fixed"
[nat.static]
domain = "prod"
inside = "10.77.0.0/24"
outside = "100.64.0.0/24"
seen_by = ["net"]
#nat[].static
[[nat]]
name = "out"
[nat.snat]
from = ["net"]
domain = "prod"
pool = ["10.1.0.128/29"]
#nat[].snat
[[nat]]
name = "six"
[nat.nat64]
from = ["net"]
domain = "prod"
pool = ["10.1.0.136/30"]
#nat[].nat64
[[group]]
name = "g"
prefixes = ["10.0.0.0/8"]
#group[]
[[service]]
name = "s"
protocol = "tcp"
#service[]
[[policy]]
id = "web"
action = "allow"
#policy[]
[[profile]]
name = "default"
rules = ["a.rules"]
#profile[]
[profile.limits]
#profile[].limits
[profile.exceptions]
#profile[].exceptions
)";

TEST(Defaults, AreTheSameInTheKeyTableAndInConfig) {
  const Config plain = read_good(kPlain);
  size_t checked = 0;
  for (const KeySpec& key : keys()) {
    if (key.fallback.empty()) continue;
    std::string text = kPlain;
    replace(text, "#" + std::string(section_of(key.path)) + "\n",
            std::string(leaf_of(key.path)) + " = " + std::string(key.fallback) + "\n");
    const std::string changes = to_string(diff(plain, read_good(text)));
    EXPECT_EQ(changes, "") << key.path << " = " << key.fallback;
    ++checked;
  }
  EXPECT_GT(checked, 30u);
}

TEST(Defaults, OfEmptyConfigAreThoseOfAFileThatSetsNothing) {
  const Config c = read_good(kPlain);
  const Config empty;
  const Attachment empty_attachment;
  EXPECT_EQ(c.limits.sessions, empty.limits.sessions);
  EXPECT_EQ(c.timeouts.tcp_established, empty.timeouts.tcp_established);
  EXPECT_EQ(c.api.socket, empty.api.socket);
  EXPECT_EQ(c.rule_cache.folder, empty.rule_cache.folder);
  EXPECT_EQ(c.rule_cache.max_mib, empty.rule_cache.max_mib);
  EXPECT_EQ(c.control.core, std::nullopt);
  EXPECT_EQ(c.attachments[0].mtu, 0u);
  EXPECT_EQ(c.attachments[0].tunnel.udp_port, 4'789);
  EXPECT_EQ(c.attachments[0].tunnel.ttl, empty_attachment.tunnel.ttl);
  EXPECT_EQ(c.attachments[0].mac, std::nullopt);
}

}  // namespace
}  // namespace weir::config::test
