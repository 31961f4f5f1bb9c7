// Routes as lines: what they mean, what is wrong with them at which place, and that it is quick.
#include "mgmt/config/route_lines.h"

#include <gtest/gtest.h>

#include <random>

#include "mgmt/config/toml_values.h"
#include "tests/unit/config/samples.h"

namespace weir::config::test {
namespace {

/// The lines of a routes file, written again, or each problem.
std::string file(const std::string& text) {
  Problems problems;
  std::vector<Route> routes;
  read_route_lines(text, "r.routes", routes, problems);
  std::string lines;
  for (const Route& route : routes) lines += to_line(route) + "\n";
  for (const Problem& problem : problems.take()) lines += to_string(problem) + "\n";
  return lines;
}

/// The same of a batch.
std::string batch(const std::string& text) {
  const auto changes = read_route_changes(text, "batch");
  std::string lines;
  if (!changes) {
    for (const Problem& problem : changes.error()) lines += to_string(problem) + "\n";
    return lines;
  }
  constexpr const char* kVerbNames[] = {"add ", "remove ", "replace "};
  for (const ModelChange& change : *changes) {
    lines += kVerbNames[static_cast<size_t>(change.verb)] + to_line(std::get<Route>(change.subject)) + "\n";
  }
  return lines;
}

TEST(RouteLines, ReadWhatTheySay) {
  const std::string text =
      "prod 10.9.0.0/16 attachment spoke-7\n"
      "prod 10.9.0.0/16 attachment spoke-7 via 10.1.0.2\n"
      "prod 0.0.0.0/0 attachment a via 10.1.0.2 weight 255 ecmp\n"
      "prod 10.9.1.1/32 attachment a weight 3\n"
      "v6 2001:db8::/32 attachment a via 2001:db8:1::2 ecmp\n"
      "v6 ::/0 blackhole\n";
  EXPECT_EQ(file(text), text);
}

TEST(RouteLines, SpaceCommentsAndEmptyLinesMeanNothing) {
  EXPECT_EQ(
      file("# all\n\n   \t\r\n\tprod\t10.0.0.0/8   blackhole # not there\r\n  #x\nprod 11.0.0.0/8 blackhole"),
      "prod 10.0.0.0/8 blackhole\nprod 11.0.0.0/8 blackhole\n");
  EXPECT_EQ(file("prod 10.1.2.3 attachment a"), "prod 10.1.2.3/32 attachment a\n");
  EXPECT_EQ(file("prod 10.0.0.0/8 attachment a ecmp weight 2 via 10.1.0.2"),
            "prod 10.0.0.0/8 attachment a via 10.1.0.2 weight 2 ecmp\n");
}

TEST(RouteLines, ABatchHasVerbs) {
  EXPECT_EQ(
      batch("add d 10.0.0.0/8 blackhole\nreplace d 10.0.0.0/8 attachment a weight 2\nremove d 10.0.0.0/8\n"
            "remove d 10.0.0.0/8 attachment a via 10.1.0.2\nremove d 10.0.0.0/8 blackhole\n"),
      "add d 10.0.0.0/8 blackhole\nreplace d 10.0.0.0/8 attachment a weight 2\n"
      "remove d 10.0.0.0/8\nremove d 10.0.0.0/8 attachment a via 10.1.0.2\n"
      "remove d 10.0.0.0/8 blackhole\n");
}

TEST(RouteLines, KnowTheirPlace) {
  Problems problems;
  std::vector<Route> routes;
  read_route_lines("\n# x\nd 10.0.0.0/8 blackhole\n", "r.routes", routes, problems);
  ASSERT_EQ(routes.size(), 1u);
  EXPECT_EQ(routes[0].where.file, "r.routes");
  EXPECT_EQ(routes[0].where.line, 3u);
}

struct Row {
  const char* text;
  const char* problem;
};

TEST(RouteLines, NameWhatIsWrongInTheWordsOfTheFile) {
  const Row rows[] = {
      {"d", "r.routes:1:2: route[].prefix: missing; it has to be a prefix such as \"10.1.0.0/16\"\n"},
      {"d!  10.0.0.0/8 blackhole",
       "r.routes:1:1: route[].domain: \"d!\" is not a name of 1 to 32 letters, digits, \"-\", \"_\" and "
       "\".\"\n"},
      {"d 10.0.0.0/33 blackhole",
       "r.routes:1:3: route[].prefix: \"10.0.0.0/33\" is not a prefix such as \"10.1.0.0/16\"\n"},
      {"d 10.0.0.1/8 blackhole",
       "r.routes:1:3: route[].prefix: \"10.0.0.1/8\" has bits set beyond its length; the prefix is "
       "\"10.0.0.0/8\"\n"},
      {"d 10.0.0.0/8",
       "r.routes:1:13: route[]: after the prefix comes \"attachment NAME\" or \"blackhole\"; the line "
       "ends\n"},
      {"d 10.0.0.0/8 via 10.1.0.2",
       "r.routes:1:14: route[]: after the prefix comes \"attachment NAME\" or \"blackhole\"; found "
       "\"via\"\n"},
      {"d 10.0.0.0/8 attachment",
       "r.routes:1:24: route[].attachment: missing; it has to be a name of 1 to 32 letters, digits, \"-\", "
       "\"_\" and "
       "\".\"\n"},
      {"d 10.0.0.0/8 attachment a via",
       "r.routes:1:30: route[].via: missing; it has to be an IP address such as \"10.1.0.2\"\n"},
      {"d 10.0.0.0/8 attachment a via b",
       "r.routes:1:31: route[].via: \"b\" is not an IP address such as \"10.1.0.2\"\n"},
      {"d 10.0.0.0/8 attachment a weight 256",
       "r.routes:1:34: route[].weight: 256 is not a whole number from 1 to 255\n"},
      {"d 10.0.0.0/8 attachment a weight x",
       "r.routes:1:34: route[].weight: expected a whole number from 1 to 255, found a string\n"},
      {"d 10.0.0.0/8 attachment a ecmp ecmp", "r.routes:1:32: route[].ecmp: it stands twice on the line\n"},
      {"d 10.0.0.0/8 attachment a metric 3",
       "r.routes:1:27: route[]: \"metric\" is no word of a route; after the attachment there may be \"via "
       "ADDRESS\", "
       "\"weight N\" and \"ecmp\"\n"},
      {"d 10.0.0.0/8 blackhole ecmp",
       "r.routes:1:24: route[].blackhole: a blackhole route leads nowhere; nothing follows it on the line\n"},
  };
  for (const Row& row : rows) EXPECT_EQ(file(row.text), row.problem) << row.text;
  EXPECT_EQ(batch("d 10.0.0.0/8 blackhole"),
            "batch:1:1: \"d\" is no verb; a line begins with \"add\", \"remove\" or \"replace\"\n");
  EXPECT_EQ(batch("remove d 10.0.0.0/8 attachment a weight 2"),
            "batch:1:34: route[]: a removal says no more than what names the route, so \"weight\" does not "
            "belong here\n");
}

TEST(RouteLines, AllProblemsComeAtOnceUpToTheCeiling) {
  EXPECT_EQ(
      file("d x blackhole\nd 10.0.0.0/8 blackhole\n y"),
      "d 10.0.0.0/8 blackhole\nr.routes:1:3: route[].prefix: \"x\" is not a prefix such as \"10.1.0.0/16\"\n"
      "r.routes:3:3: route[].prefix: missing; it has to be a prefix such as \"10.1.0.0/16\"\n");
  std::string many;
  for (size_t i = 0; i < 2 * Problems::kMax; ++i) many += "d x\n";
  const auto changes = read_route_changes(many, "batch");
  ASSERT_FALSE(changes);
  EXPECT_EQ(changes.error().size(), Problems::kMax + 1);
}

/// The fast reading of IPv4 prefixes takes what net::parse_prefix() takes, and means the same by it.
TEST(RouteLines, PrefixesAreThoseOfTheConfiguration) {
  std::mt19937 random(7);
  constexpr std::string_view kLetters = "0123456789./:af";
  size_t right = 0;
  for (int i = 0; i < 200'000; ++i) {
    std::string text;
    if (i % 2 == 0) {
      const uint8_t length = static_cast<uint8_t>(random() % 33);
      text = net::to_string(
          net::Prefix{net::masked(net::Ipv4{static_cast<uint32_t>(random())}, length), length});
      if (i % 4 == 0) text[random() % text.size()] = kLetters[random() % kLetters.size()];
    } else {
      for (auto n = 1 + random() % 12; n > 0; --n) text += kLetters[random() % kLetters.size()];
    }
    const auto slow = net::parse_prefix(text);
    Problems problems;
    std::vector<Route> routes;
    read_route_lines("d " + text + " blackhole", "r", routes, problems);
    ASSERT_EQ(routes.size() == 1, slow.has_value()) << text;
    if (!slow) continue;
    ASSERT_EQ(routes[0].prefix, *slow) << text;
    ++right;
  }
  EXPECT_GT(right, 50'000u);
}

}  // namespace
}  // namespace weir::config::test
