// The list of anomalies, its names and what the documentation says of them.
#include "inspection/app/http/events.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

namespace weir::inspection::test {
namespace {

TEST(HttpEvents, AreFoundByName) {
  for (unsigned i = 0; i < static_cast<unsigned>(HttpEvent::count); ++i) {
    const auto event = static_cast<HttpEvent>(i);
    EXPECT_EQ(http_event_of(name_of(event)), event);
  }
  EXPECT_FALSE(http_event_of("no_such_event"));
}

TEST(HttpEvents, AreDocumented) {
  std::ifstream file(WEIR_SOURCE_DIR "/docs/http.md");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  for (unsigned i = 0; i < static_cast<unsigned>(HttpEvent::count); ++i) {
    const std::string name(name_of(static_cast<HttpEvent>(i)));
    EXPECT_NE(text.find('`' + name + '`'), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace weir::inspection::test
