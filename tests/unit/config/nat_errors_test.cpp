// Rules of address translation.
#include <gtest/gtest.h>

#include "tests/unit/config/samples.h"

namespace weir::config::test {
namespace {

using enum Base;

std::string nat(const std::string& rest, const std::string& name = "n") {
  return "[[nat]]\nname = \"" + name + "\"\n" + rest + "\n";
}

const ErrorRow kRows[] = {
    {"no table",
     policy,
     "@@" + nat(""),
     {"nat[]: missing: exactly one of the tables"},
     nat("static = { domain = \"prod\", inside = \"10.1.0.5\", outside = \"10.2.0.99\" }")},
    {"two tables",
     policy,
     nat("static = { domain = \"prod\", inside = \"10.1.0.5\", outside = \"10.2.0.99\" }\n"
         "snat = @@{ from = [\"prod\"], domain = \"shared\", pool = [\"10.2.0.64/29\"] }"),
     {"nat[].snat: a rule has exactly one of the tables"},
     nat("snat = { from = [\"prod\"], domain = \"shared\", pool = [\"10.2.0.64/29\"] }")},
    {"unknown domains",
     policy,
     nat("snat = { from = [@@\"prd\"], domain = @@\"shred\", pool = [\"10.2.0.64/29\"] }"),
     {"nat[].snat.from: no domain is called \"prd\"; the nearest is \"prod\"",
      "nat[].snat.domain: no domain is called \"shred\"; the nearest is \"shared\""},
     nat("snat = { from = [\"prod\"], domain = \"shared\", pool = [\"10.2.0.64/29\"] }")},
    {"a pool outside any route",
     policy,
     nat("snat = { from = [\"prod\"], domain = \"shared\", pool = [\"10.2.0.64/29\", @@\"203.0.113.0/29\"] "
         "}"),
     {"nat[].snat.pool: 203.0.113.0/29 is in no subnet and no route of domain \"shared\""},
     nat("snat = { from = [\"prod\"], domain = \"shared\", pool = [\"10.2.0.64/29\"] }")},
    {"overlapping pools",
     policy,
     nat("snat = { from = [\"prod\"], domain = \"shared\", pool = [\"10.2.0.64/28\"] }") +
         nat("snat = { from = [\"lone\"], domain = \"shared\", pool = [@@\"10.2.0.72/29\"] }", "m"),
     {"nat[].snat.pool: overlaps with addresses of \"n\""},
     nat("snat = { from = [\"prod\"], domain = \"shared\", pool = [\"10.2.0.64/29\"] }") +
         nat("snat = { from = [\"lone\"], domain = \"shared\", pool = [\"10.2.0.72/29\"] }", "m")},
    {"a mapped prefix in the midst of a pool",
     policy,
     nat("static = { domain = \"prod\", inside = \"10.1.0.5\", outside = \"10.2.0.65\" }") +
         nat("snat = { from = [\"lone\"], domain = \"shared\", pool = [@@\"10.2.0.64/29\"] }", "m"),
     {"nat[].snat.pool: overlaps with addresses of \"n\""},
     nat("static = { domain = \"prod\", inside = \"10.1.0.5\", outside = \"10.2.0.65\", seen_by = [\"lone\"] "
         "}") +
         nat("snat = { from = [\"prod\"], domain = \"shared\", pool = [\"10.2.0.64/29\"] }", "m")},
    {"prefixes of different lengths",
     policy,
     nat("static = { domain = \"prod\", inside = \"10.1.0.0/24\", outside = @@\"100.64.0.0/16\" }"),
     {"nat[].static.outside: has to be of the same family and length as `inside`, 10.1.0.0/24"},
     nat("static = { domain = \"prod\", inside = \"10.1.0.0/24\", outside = \"100.64.0.0/24\" }")},
    {"ports out of range",
     policy,
     nat("snat = { from = [\"prod\"], domain = \"shared\", pool = [\"10.2.0.64/29\"], ports = "
         "@@\"1024-70000\" }") +
         nat("dnat = { seen_by = [\"shared\"], address = \"10.2.0.80\", port = @@0, domain = \"prod\", "
             "server = "
             "\"10.1.0.5\" }",
             "m"),
     {"nat[].snat.ports: \"1024-70000\" is not a port from 1 to 65535 or a range",
      "nat[].dnat.port: 0 is not a whole number from 1 to 65535"},
     nat("snat = { from = [\"prod\"], domain = \"shared\", pool = [\"10.2.0.64/29\"], ports = \"1024-60000\" "
         "}")},
    {"published twice",
     policy,
     nat("dnat = { seen_by = [\"shared\"], address = \"10.2.0.80\", port = 443, domain = \"prod\", server = "
         "\"10.1.0.5\" }") +
         nat("dnat = @@{ seen_by = [\"lone\", \"shared\"], address = \"10.2.0.80\", port = 443, domain = "
             "\"prod\", server = "
             "\"10.1.0.6\" }",
             "m"),
     {"nat[].dnat: 10.2.0.80 port 443 is published in domain \"shared\" already, by \"n\""},
     nat("dnat = { seen_by = [\"shared\"], address = \"10.2.0.80\", port = 443, domain = \"prod\", server = "
         "\"10.1.0.5\" }") +
         nat("dnat = { seen_by = [\"shared\"], address = \"10.2.0.80\", protocol = \"udp\", port = 443, "
             "domain = \"prod\", "
             "server = \"10.1.0.6\" }",
             "m")},
    {"another family",
     policy,
     nat("dnat = { seen_by = [\"shared\"], address = \"10.2.0.80\", port = 443, domain = \"prod\", server = "
         "@@\"2001:db8:1::5\" }") +
         nat("snat = { from = [\"prod\"], domain = \"shared\", pool = [\"10.2.0.64/29\"], sources = "
             "[@@\"fd00::/8\"] }",
             "m"),
     {"nat[].dnat.server: has to be of the same family as `address`",
      "nat[].snat.sources: is of another family than the pool"},
     nat("snat = { from = [\"prod\"], domain = \"shared\", pool = [\"10.2.0.64/29\"], sources = "
         "[\"10.0.0.0/8\"] }")},
    {"one server and several, and none",
     policy,
     nat("dnat = { seen_by = [\"shared\"], address = \"10.2.0.80\", port = 443, domain = \"prod\", server = "
         "\"10.1.0.5\", servers = @@[\"10.1.0.6\"] }") +
         nat("dnat = @@{ seen_by = [\"shared\"], address = \"10.2.0.80\", port = 80, domain = \"prod\" }",
             "m"),
     {"nat[].dnat.servers: there is one `server`, or there are `servers`",
      "nat[].dnat: missing: `server` or `servers`"},
     nat("dnat = { seen_by = [\"shared\"], address = \"10.2.0.80\", port = 443, domain = \"prod\", servers = "
         "[\"10.1.0.5\"] }")},
    {"servers",
     policy,
     nat("dnat = { seen_by = [\"shared\"], address = \"10.2.0.80\", port = 443, domain = \"prod\", servers = "
         "[\"10.1.0.5\", @@\"2001:db8:1::5\", @@\"127.0.0.1\", @@\"10.1.0.5\"], ftp = @@true }"),
     {"nat[].dnat.servers: has to be of the same family as `address`",
      "nat[].dnat.servers: is no address of a host", "nat[].dnat.servers: 10.1.0.5 is there twice",
      "nat[].dnat.ftp: with several `servers` nobody knows which of them a data connection is for"},
     nat("dnat = { seen_by = [\"shared\"], address = \"10.2.0.80\", port = 443, domain = \"prod\", servers = "
         "[\"10.1.0.5\", \"10.1.0.6\"] }")},
    {"weights",
     policy,
     nat("dnat = { seen_by = [\"shared\"], address = \"10.2.0.80\", port = 443, domain = \"prod\", servers = "
         "[\"10.1.0.5\", \"10.1.0.6\"], weights = @@[1] }") +
         nat("dnat = { seen_by = [\"shared\"], address = \"10.2.0.80\", port = 80, domain = \"prod\", "
             "servers = "
             "[\"10.1.0.5\", \"10.1.0.6\"], weights = @@[0, 0] }",
             "m") +
         nat("dnat = { seen_by = [\"shared\"], address = \"10.2.0.80\", port = 81, domain = \"prod\", server "
             "= "
             "\"10.1.0.5\", weights = @@[1] }",
             "o"),
     {"nat[].dnat.weights: has to have one for each of the 2 `servers`, not 1",
      "nat[].dnat.weights: are all 0: no server is given a session",
      "nat[].dnat.weights: are of `servers`, and there is one `server`"},
     nat("dnat = { seen_by = [\"shared\"], address = \"10.2.0.80\", port = 443, domain = \"prod\", servers = "
         "[\"10.1.0.5\", \"10.1.0.6\"], weights = [0, 1] }")},
    {"checksum-neutral prefixes",
     policy,
     nat("static = { domain = \"prod\", inside = \"10.1.0.0/24\", outside = \"100.64.0.0/24\", nptv6 = "
         "@@true }") +
         nat("static = { domain = \"prod\", inside = \"fd01:1::/72\", outside = \"fd01:2::/72\", nptv6 = "
             "@@true }",
             "m"),
     {"nat[].static.nptv6: is for prefixes of IPv6, /64 or shorter, not 10.1.0.0/24",
      "nat[].static.nptv6: is for prefixes of IPv6, /64 or shorter, not fd01:1::/72"},
     nat("static = { domain = \"prod\", inside = \"fd01:1::/64\", outside = \"fd01:2::/64\", nptv6 = true "
         "}")},
    {"NAT64",
     policy,
     nat("nat64 = { from = [\"prod\"], domain = \"shared\", pool = [\"10.2.0.64/31\", "
         "@@\"2001:db8:2::64/127\"], "
         "prefix = @@\"2001:db8:64::/52\" }") +
         nat("nat64 = { from = [\"prod\"], domain = \"shared\", pool = [\"10.2.0.70/31\"], "
             "sources = [@@\"10.1.0.0/24\"], destinations = [@@\"2001:db8::/32\"], "
             "prefix = @@\"2001:db8:0:0:ff00::/96\" }",
             "m") +
         nat("nat64 = { from = [\"lone\"], domain = \"shared\", pool = [@@\"203.0.113.0/31\"] }", "o"),
     {"nat[].nat64.pool: has to be of IPv4",
      "nat[].nat64.prefix: is no prefix of IPv6 with /32, /40, /48, /56, /64 or /96",
      "nat[].nat64.sources: has to be of IPv6", "nat[].nat64.destinations: has to be of IPv4",
      "nat[].nat64.prefix: is no prefix of IPv6 with /32, /40, /48, /56, /64 or /96 whose bits 64 to 71 are "
      "zero",
      "nat[].nat64.pool: 203.0.113.0/31 is in no subnet and no route of domain \"shared\""},
     nat("nat64 = { from = [\"prod\"], domain = \"shared\", pool = [\"10.2.0.64/31\"], "
         "destinations = [\"0.0.0.0/0\"] }")},
    {"a prefix of NAT64 that is something else",
     policy,
     nat("static = { domain = \"lone\", inside = \"2001:db8:9::/64\", outside = \"64:ff9b::/64\", "
         "seen_by = [\"prod\"] }") +
         nat("nat64 = { from = [\"prod\"], domain = \"shared\", pool = [\"10.2.0.64/31\"], "
             "prefix = @@\"64:ff9b::/96\" }",
             "m"),
     {"nat[].nat64.prefix: overlaps with addresses of \"n\""},
     nat("nat64 = { from = [\"prod\"], domain = \"shared\", pool = [\"10.2.0.64/31\"] }")},
    {"ports by host",
     policy,
     nat("snat = { from = @@[\"prod\", \"lone\"], domain = \"shared\", pool = [\"10.2.0.64/31\"], "
         "ports_per_host = @@1000 }") +
         nat("snat = { from = [\"prod\"], domain = \"shared\", pool = [\"10.2.0.72/31\"], "
             "sources = [\"10.1.0.0/24\", @@\"10.1.0.128/25\"], ports_per_host = 1000 }",
             "m") +
         nat("snat = { from = [\"prod\"], domain = \"shared\", pool = [\"10.2.0.74/31\"], "
             "sources = [\"10.1.0.0/24\"], ports_per_host = @@1000 }",
             "o"),
     {"nat[].snat.from: has to be one domain with `ports_per_host`",
      "nat[].snat.ports_per_host: needs `sources`", "nat[].snat.sources: overlaps with 10.1.0.0/24",
      "nat[].snat.ports_per_host: leaves room for 128 hosts: 64 on each of 2 addresses; `sources` are 256"},
     nat("snat = { from = [\"prod\"], domain = \"shared\", pool = [\"10.2.0.64/31\"], "
         "sources = [\"10.1.0.0/25\"], ports_per_host = 1000 }")},
    {"the hub's own address",
     policy,
     nat("dnat = { seen_by = [\"shared\"], address = @@\"10.2.0.1\", port = 443, domain = \"prod\", server = "
         "\"10.1.0.5\" }") +
         nat("snat = { from = [\"prod\"], domain = \"shared\", pool = [@@\"10.2.0.0/29\"] }", "m"),
     {"nat[].dnat.address: 10.2.0.1 is the hub's own address in attachment \"cloud-b\"",
      "nat[].snat.pool: 10.2.0.1 is the hub's own address in attachment \"cloud-b\""},
     nat("dnat = { seen_by = [\"lone\"], address = \"10.2.0.1\", port = 443, domain = \"prod\", server = "
         "\"10.1.0.5\" }") +
         nat("snat = { from = [\"prod\"], domain = \"shared\", pool = [\"10.2.0.8/29\"] }", "m")},
    {"a pool for its own domain",
     policy,
     nat("snat = { from = @@[\"prod\", \"shared\"], domain = \"shared\", pool = [\"10.2.0.64/29\"] }"),
     {"nat[].snat.from: \"shared\" is where the pool is"},
     nat("snat = { from = [\"prod\"], domain = \"shared\", pool = [\"10.2.0.64/29\"] }")},
    {"name twice",
     policy,
     nat("static = { domain = \"prod\", inside = \"10.1.0.5\", outside = \"100.64.0.5\" }") +
         "[[nat]]\nname = @@\"n\"\nstatic = { domain = \"prod\", inside = \"10.1.0.6\", outside = "
         "\"100.64.0.6\" }\n",
     {"nat[].name: another nat rule is called \"n\" already"},
     nat("static = { domain = \"prod\", inside = \"10.1.0.5\", outside = \"100.64.0.5\" }")},
};

class NatErrors : public testing::TestWithParam<ErrorRow> {};
TEST_P(NatErrors, AreToldAtTheirPlace) { expect_row(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Config, NatErrors, testing::ValuesIn(kRows));

TEST(NatErrors, APoolOfTooManyAddresses) {
  const std::string text =
      text_of(policy) +
      "[[route]]\ndomain = \"shared\"\nprefix = \"100.64.0.0/10\"\nattachment = \"cloud-b\"\n";
  EXPECT_NE(
      problems_of(text + nat("snat = { from = [\"prod\"], domain = \"shared\", pool = [\"100.64.0.0/19\"] }"))
          .find("nat[].snat.pool: more than 4096 addresses"),
      std::string::npos);
  EXPECT_EQ(problems_of(text +
                        nat("snat = { from = [\"prod\"], domain = \"shared\", pool = [\"100.64.0.0/20\"] }")),
            "");
}

}  // namespace
}  // namespace weir::config::test
