// What policy rules ask of names: patterns that are none, what fits, and how several kinds answer together.
#include "inspection/names/name_question.h"
#include "inspection/names/told_name.h"

#include <gtest/gtest.h>

#include <map>

namespace weir::inspection {
namespace {

struct BadRow {
  NameKind kind;
  std::string text;
  const char* wrong;  // is said of it
};

TEST(NamePattern, RefusesWhatIsNone) {
  const BadRow rows[] = {
      {NameKind::sni, "", "empty"},
      {NameKind::sni, "a b", "blanks"},
      {NameKind::sni, std::string("a\0b", 3), "control"},
      {NameKind::sni, std::string(1'025, 'a'), "1024"},
      {NameKind::sni, "*example.org", "before a dot"},
      {NameKind::http_host, "www.*", "before a dot"},
      {NameKind::http_host, "*.", "beside the star"},
      {NameKind::app, "kong", "expected one of kong-cluster, kuma-mesh, http"},
      {NameKind::app, "*", "expected one of"},
      {NameKind::spiffe, "demo/backend", "begins with spiffe://"},
      {NameKind::spiffe, "spiffe://*/backend", "at the end"},
      {NameKind::kuma_service, "back*end", "\"back*\""},
  };
  for (const BadRow& row : rows) {
    const PatternRead read = read_name_pattern(row.kind, row.text);
    EXPECT_FALSE(read.pattern) << row.text;
    EXPECT_NE(read.wrong.find(row.wrong), std::string::npos) << row.text << ": " << read.wrong;
  }
}

TEST(NamePattern, ANameIsWhatARuleMayAskForWithoutAStar) {
  const BadRow bad[] = {{NameKind::sni, "", "empty"},
                        {NameKind::sni, ".", "empty"},
                        {NameKind::sni, "a b", "blanks"},
                        {NameKind::http_host, "*", "not a pattern"},
                        {NameKind::kuma_service, "back*", "not a pattern"},
                        {NameKind::app, "kong", "expected one of"},
                        {NameKind::spiffe_server, "demo", "begins with spiffe://"}};
  for (const BadRow& row : bad)
    EXPECT_NE(misfit_of_told_name(row.kind, row.text).find(row.wrong), std::string::npos) << row.text;
  const std::pair<NameKind, std::string> good[] = {{NameKind::sni, "WWW.example.org."},
                                                   {NameKind::app, "tls"},
                                                   {NameKind::kuma_mesh, "demo"},
                                                   {NameKind::spiffe, "spiffe://demo/backend"}};
  for (const auto& [kind, text] : good) {
    EXPECT_EQ(misfit_of_told_name(kind, text), "") << text;
    EXPECT_TRUE(read_name_pattern(kind, text).pattern) << text;
  }
}

TEST(NamePattern, EveryProtocolThatIsToldByContentMayBeAskedFor) {
  constexpr std::string_view kAll[] = {
#define APP(enumerator, name) name,
#include "inspection/app/protocols.def"
#undef APP
  };
  for (const std::string_view name : kAll) {
    const bool told = name != "ftp-data";  // by another session
    EXPECT_EQ(read_name_pattern(NameKind::app, std::string(name)).pattern.has_value(), told) << name;
  }
}

struct FitRow {
  NameKind kind;
  const char* pattern;
  std::string name;
  bool fits;
};

TEST(NamePattern, FitsAsUsersExpect) {
  const FitRow rows[] = {
      {NameKind::sni, "www.Example.org", "WWW.example.org", true},
      {NameKind::sni, "www.example.org", "www.example.org.", true},
      {NameKind::sni, "www.example.org.", "www.example.org", true},
      {NameKind::sni, "www.example.org", "xwww.example.org", false},
      {NameKind::sni, "*.example.org", "a.b.Example.org", true},
      {NameKind::sni, "*.example.org", "example.org", false},
      {NameKind::sni, "*.example.org", "badexample.org", false},
      {NameKind::sni, "*.example.org", ".example.org", false},
      {NameKind::sni, "www.example.org", std::string("www.example.org\0", 16), false},
      {NameKind::sni, "*", "anything", true},
      {NameKind::sni, "kong_clustering", "kong_clustering", true},
      {NameKind::sni, "backend{mesh=demo}", "backend{mesh=demo}", true},
      {NameKind::kuma_service, "backend*", "backend-v2", true},
      {NameKind::kuma_service, "backend", "Backend", false},
      {NameKind::spiffe, "spiffe://demo/*", "spiffe://demo/backend", true},
      {NameKind::spiffe, "spiffe://demo/*", "spiffe://demo2/backend", false},
      {NameKind::spiffe, "spiffe://demo/backend", "spiffe://demo/backend2", false},
      {NameKind::app, "tls", "tls", true},
  };
  for (const FitRow& row : rows) {
    const PatternRead read = read_name_pattern(row.kind, row.pattern);
    ASSERT_TRUE(read.pattern) << row.pattern << ": " << read.wrong;
    EXPECT_EQ(fits(row.kind, *read.pattern, row.name), row.fits) << row.pattern << " " << row.name;
  }
}

struct Told final : KnownNames {
  std::map<NameKind, NameState> states;
  std::map<NameKind, std::string> names;
  NameState state(NameKind kind) const override { return states.at(kind); }
  bool has(NameKind kind, const NamePattern& pattern) const override {
    return fits(kind, pattern, names.at(kind));
  }
};

TEST(NameQuestion, EveryKindHasToFit) {
  NameQuestion question;
  EXPECT_TRUE(question.empty());
  question.of(NameKind::sni) = {*read_name_pattern(NameKind::sni, "a.example").pattern,
                                *read_name_pattern(NameKind::sni, "b.example").pattern};
  question.of(NameKind::app) = {*read_name_pattern(NameKind::app, "tls").pattern};
  EXPECT_FALSE(question.empty());
  using enum NameState;
  struct Row {
    NameState sni;
    const char* name;
    NameState app;
    NameAnswer answer;
  };
  const Row rows[] = {
      {known, "a.example", known, NameAnswer::yes},        {known, "b.example", known, NameAnswer::yes},
      {known, "c.example", known, NameAnswer::no},         {known, "c.example", not_yet, NameAnswer::no},
      {known, "c.example", unknown, NameAnswer::no},       {known, "a.example", not_yet, NameAnswer::not_yet},
      {known, "a.example", unknown, NameAnswer::given_up}, {not_yet, "", unknown, NameAnswer::given_up},
      {not_yet, "", not_yet, NameAnswer::not_yet},         {unknown, "", known, NameAnswer::given_up},
  };
  for (const Row& row : rows) {
    Told told;
    told.states = {{NameKind::sni, row.sni}, {NameKind::app, row.app}};
    told.names = {{NameKind::sni, row.name}, {NameKind::app, "tls"}};
    EXPECT_EQ(answer(question, told), row.answer)
        << row.name << static_cast<int>(row.sni) << static_cast<int>(row.app);
  }
}

}  // namespace
}  // namespace weir::inspection
