// `weirctl path`: the words for each decision.
#include <gtest/gtest.h>

#include "fakes.h"
#include "mgmt/control/path.h"

namespace weir::test {
namespace {

using namespace dataplane;
using control::explain_path;
using control::PathQuery;

class PathTest : public ::testing::Test {
 protected:
  void use(const std::string& text) {
    hub_.use(text);
    for (const auto& hop : hub_.hops()) hop->set(mac(0x020000000002));
  }
  std::string steps(const control::PathAnswer& answer) {
    std::string text;
    for (const auto& s : answer.steps) text += (text.empty() ? "" : " ") + s.step + (s.ok ? "+" : "-");
    return text;
  }

  FileModel hub_;
};

TEST_F(PathTest, EveryOutcomeStopsAtItsStep) {
  use(kTwoClouds);
  struct Row {
    const char* name;
    const char* from;
    const char* to;
    uint16_t port;
    const char* verdict;
    const char* reason;
    const char* steps;
  };
  const Row rows[] = {
      {"allowed", "10.1.0.5", "10.2.0.5", 80, "allow", "rule web: allow",
       "reverse_path+ route+ connection+ policy+ next_hop+"},
      {"wrong port", "10.1.0.5", "10.2.0.5", 81, "deny", "policy_default_deny",
       "reverse_path+ route+ connection+ policy-"},
      {"the other way", "10.2.0.5", "10.1.0.5", 80, "deny", "policy_default_deny",
       "reverse_path+ route+ connection+ policy-"},
      {"not connected", "10.1.0.5", "10.3.0.5", 80, "drop", "no_connection", nullptr},
      {"nowhere", "10.1.0.5", "10.200.0.5", 80, "drop", "no_route", nullptr},
      {"blackhole", "10.1.0.5", "10.66.0.5", 80, "drop", "blackhole", nullptr},
  };
  for (const Row& row : rows) {
    const auto answer = explain_path(*hub_.snapshot, {{}, ip(row.from), ip(row.to), 6, row.port});
    ASSERT_TRUE(answer) << row.name;
    EXPECT_EQ(answer->verdict, row.verdict) << row.name;
    EXPECT_EQ(answer->reason, row.reason) << row.name;
    EXPECT_EQ(answer->steps.back().ok, answer->verdict == "allow") << row.name;
    if (row.steps != nullptr) {
      EXPECT_EQ(steps(*answer), row.steps) << row.name;
    }
  }
}

TEST_F(PathTest, NamesAttachmentRouterAndMac) {
  use(kTwoClouds);
  const auto unknown = explain_path(*hub_.snapshot, {{}, ip("10.1.0.5"), ip("10.2.0.5"), 6, 80});
  EXPECT_NE(unknown->steps.back().text.find("not known yet"), std::string::npos);
  const auto b = hub_.attachment("cloud-b");
  ASSERT_TRUE(hub_.adjacencies->set(b, ip("10.2.0.5"), mac(0x02000000beef)));
  const auto known = explain_path(*hub_.snapshot, {{}, ip("10.1.0.5"), ip("10.2.0.5"), 6, 80});
  EXPECT_NE(known->steps.back().text.find("02:00:00:00:be:ef"), std::string::npos);
  EXPECT_NE(known->steps.at(1).text.find("attachment cloud-b"), std::string::npos);
}

TEST_F(PathTest, ATunnelWithoutEthernetLeadsToItsPeer) {
  std::string text = kTwoClouds;
  const std::string vxlan = "vxlan = { vni = 20, local = \"198.18.0.1\", remote = \"198.18.0.20\" }";
  text.replace(text.find(vxlan), vxlan.size(),
               "gre = { key = 20, local = \"198.18.0.1\", remote = \"198.18.0.20\" }");
  use(text);
  const auto answer = explain_path(*hub_.snapshot, {{}, ip("10.1.0.5"), ip("10.2.0.5"), 6, 80});
  EXPECT_EQ(answer->verdict, "allow");
  EXPECT_EQ(answer->steps.back().text, "the peer of attachment cloud-b");
}

TEST_F(PathTest, HubsOwnAddressesAreNeitherSourceNorDestination) {
  use(kTwoClouds);
  struct Row {
    const char *from, *to, *reason, *steps, *text;
  };
  const Row rows[] = {
      {"10.1.0.5", "10.2.0.1", "inner_hub_address", "reverse_path+ route-",
       "10.2.0.1 is the hub's own address in attachment cloud-b; it answers only hosts of that attachment"},
      {"10.1.0.5", "10.1.0.1", "inner_hub_address", "reverse_path+ route-",
       "10.1.0.1 is the hub's own address in attachment cloud-a; it answers echo requests and has no "
       "sessions"},
      {"10.1.0.1", "10.2.0.5", "inner_martian", "reverse_path-",
       "10.1.0.1 is the hub's own address in attachment cloud-a; no host there may send from it"},
  };
  for (const Row& row : rows) {
    const auto answer = explain_path(*hub_.snapshot, {{}, ip(row.from), ip(row.to), 6, 80});
    ASSERT_TRUE(answer) << row.text;
    EXPECT_EQ(answer->verdict, "drop");
    EXPECT_EQ(answer->reason, row.reason);
    EXPECT_EQ(steps(*answer), row.steps);
    EXPECT_EQ(answer->steps.back().text, row.text);
  }
}

TEST_F(PathTest, PeerThatIsNotReachedIsADrop) {
  use(kTwoClouds);
  for (const auto& hop : hub_.hops()) hop->clear();
  const auto answer = explain_path(*hub_.snapshot, {{}, ip("10.1.0.5"), ip("10.2.0.5"), 6, 80});
  EXPECT_EQ(answer->verdict, "drop");
}

TEST_F(PathTest, NamesAreThoseThatAreTold) {
  std::string text = kTwoClouds;
  const std::string web = "id = \"web\"";
  text.replace(text.find(web), web.size(), web + "\nnames = { sni = [\"*.example.org\"], app = [\"tls\"] }");
  use(text);
  using enum inspection::NameKind;
  struct Row {
    std::vector<std::pair<inspection::NameKind, std::string>> names;
    const char *verdict, *reason, *why;
  };
  const Row rows[] = {
      {{{sni, "www.example.org"}, {app, "tls"}}, "allow", "rule web: allow", "fit: sni, app"},
      {{{sni, "www.example.org"}}, "deny", "policy_deny", "not known, so its unknown = deny"},
      {{{sni, "www.example.net"}, {app, "tls"}}, "deny", "policy_default_deny", ""},
      {{}, "deny", "policy_deny", "not known, so its unknown = deny"},
  };
  for (const Row& row : rows) {
    const auto answer = explain_path(*hub_.snapshot, {{}, ip("10.1.0.5"), ip("10.2.0.5"), 6, 80, row.names});
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->verdict, row.verdict);
    EXPECT_EQ(answer->reason, row.reason);
    EXPECT_EQ(answer->why.empty() ? "" : answer->why.back().text, row.why);
  }
}

TEST_F(PathTest, SourceThatNobodyHas) {
  use(kTwoClouds);
  const auto nobody = explain_path(*hub_.snapshot, {{}, ip("10.9.0.5"), ip("10.2.0.5"), 6, 80});
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().code, ErrorCode::not_found);
  const auto here = explain_path(*hub_.snapshot, {"prod", ip("10.9.0.5"), ip("10.2.0.5"), 6, 80});
  ASSERT_TRUE(here);
  EXPECT_EQ(here->reason, "reverse_path");
  const auto nope = explain_path(*hub_.snapshot, {"prd", ip("10.1.0.5"), ip("10.2.0.5"), 6, 80});
  ASSERT_FALSE(nope);
  EXPECT_EQ(nope.error().code, ErrorCode::not_found);
  EXPECT_EQ(nope.error().message, "no domain is called \"prd\"; the nearest is \"prod\"");
}

TEST_F(PathTest, AmbiguousSourceListsTheDomains) {
  use(replaced(kTwoClouds, "\"10.3.0.1/24\"", "\"10.1.0.1/24\""));
  const auto both = explain_path(*hub_.snapshot, {{}, ip("10.1.0.5"), ip("10.2.0.5"), 6, 80});
  ASSERT_FALSE(both);
  EXPECT_NE(both.error().message.find("prod"), std::string::npos);
  EXPECT_NE(both.error().message.find("lonely"), std::string::npos);
  const auto named = explain_path(*hub_.snapshot, {"lonely", ip("10.1.0.5"), ip("10.1.0.6"), 6, 80});
  ASSERT_TRUE(named);
  EXPECT_EQ(named->reason, "rule inside: allow");
}

TEST_F(PathTest, FamiliesMustAgree) {
  use(kTwoClouds);
  EXPECT_EQ(explain_path(*hub_.snapshot, {{}, ip("10.1.0.5"), ip("2001:db8::1"), 6, 80}).error().code,
            ErrorCode::invalid);
}

}  // namespace
}  // namespace weir::test
