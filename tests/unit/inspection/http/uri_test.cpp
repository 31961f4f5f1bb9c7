// Targets and host names as rules see them.
#include "inspection/app/http/uri.h"

#include <gtest/gtest.h>

#include "tests/unit/inspection/http/reading.h"

namespace weir::inspection::test {
namespace {

using namespace std::string_literals;

std::string normalised(std::string_view target) {
  BytePool pool(1 << 20);
  PoolBytes out(pool);
  bool double_encoded = false;
  EXPECT_TRUE(http::append_uri(http::split_target(target, false), out, double_encoded));
  return text_of(out.view());
}

struct UriRow {
  std::string raw, expected;
};

class Uris : public testing::TestWithParam<UriRow> {};

TEST_P(Uris, AreNormalised) { EXPECT_EQ(normalised(GetParam().raw), GetParam().expected); }

INSTANTIATE_TEST_SUITE_P(
    Table, Uris,
    testing::Values(UriRow{"/", "/"}, UriRow{"*", "*"}, UriRow{"/a%20b", "/a b"},
                    UriRow{"/%41%2e%2E", "/A.."}, UriRow{"/a%2fb", "/a/b"}, UriRow{"/a\\b", "/a/b"},
                    UriRow{"/a%5cb", "/a/b"}, UriRow{"//a///b", "/a/b"}, UriRow{"/a/./b", "/a/b"},
                    UriRow{"/a/../b", "/b"}, UriRow{"/../../b", "/b"}, UriRow{"/a/..", "/"},
                    UriRow{"/a/.", "/a/"}, UriRow{"/%2e%2e/b", "/b"}, UriRow{"/a%zz%4", "/a%zz%4"},
                    UriRow{"/%2541", "/%41"}, UriRow{"/%u0041%uff21", "/AA"}, UriRow{"/%c0%af%c1%81", "/A"},
                    UriRow{"/\xc3\xa9", "/\xc3\xa9"}, UriRow{"/%00x", "/\0x"s}, UriRow{"/Aa", "/Aa"},
                    UriRow{"/a?b=%2e%2e//./+", "/a?b=..//./+"}, UriRow{"/a?", "/a?"},
                    UriRow{"/a#b%41", "/a#b%41"}, UriRow{"http://h:1/a//b?c", "/a/b?c"},
                    UriRow{"http://h", ""}, UriRow{"/x://y", "/x:/y"}));

TEST(HttpHosts, AreTakenApart) {
  const auto is = [](std::string_view authority, std::string_view host, std::string_view port) {
    const http::HostPort parts = http::split_authority(authority);
    EXPECT_EQ(parts.host, host) << authority;
    EXPECT_EQ(parts.port, port) << authority;
  };
  is("a.b", "a.b", "");
  is("a.b:80", "a.b", "80");
  is("u:p@a.b:80", "a.b", "80");
  is("[::1]:8", "[::1]", "8");
  is("[::1]", "[::1]", "");
  is("[::1", "[::1", "");
  is(" a : 1 ", "a", "1");
}

TEST(HttpHosts, CanBeHostNames) {
  for (const char* good : {"a", "a.b.", "a_b.c", "1.2.3.4", "[::1]"})
    EXPECT_TRUE(http::valid_host(good)) << good;
  for (const char* bad : {"", ".", "a..b", ".a", "a b", "a/b", "[]"})
    EXPECT_FALSE(http::valid_host(bad)) << bad;
  EXPECT_FALSE(http::valid_host(std::string(64, 'a')));
  EXPECT_TRUE(http::valid_host(std::string(63, 'a') + ".b"));
}

TEST(HttpParameters, AreFound) {
  const auto name = [](std::string_view value) { return http::parameter_of(value, "filename"); };
  EXPECT_EQ(name("form-data; name=\"a;filename=b\"; filename=\"c\""), "c");
  EXPECT_EQ(name("attachment;FILENAME=c;d=e"), "c");
  EXPECT_EQ(name("attachment; x; filename=\"a\\\"b\""), "a\\\"b");
  EXPECT_EQ(name("attachment; filename=\"open"), "open");
  EXPECT_EQ(name("attachment; filename="), "");
  EXPECT_EQ(name("attachment; filenames=a").data(), nullptr);
  EXPECT_EQ(name("filename=a").data(), nullptr);
  EXPECT_EQ(name("").data(), nullptr);
}

}  // namespace
}  // namespace weir::inspection::test
