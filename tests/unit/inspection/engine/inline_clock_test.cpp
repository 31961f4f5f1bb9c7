// Rules on points in time go by the wall clock that comes with each packet.
#include "tests/unit/inspection/engine/keyword_traffic.h"
#include "tests/unit/inspection/support.h"

namespace weir::inspection::test {
namespace {

std::vector<uint32_t> alerts_at(uint64_t wall_seconds) {
  const auto inspector = make_inspector();
  RecordingSink sink;
  Session session(*inspector,
                  compile("alert tls any any -> any any (tls_cert_valid; sid:1;)\n"
                          "alert tls any any -> any any (tls_cert_expired; sid:2;)"),
                  sink);
  session.wall_seconds = wall_seconds;
  session.handshake();
  const std::string client = tls_bytes(true);
  session.client(0, client);
  session.server(0, tls_bytes(false), static_cast<uint32_t>(client.size()));
  session.end();
  return sink.alerts();
}

TEST(InlineClock, SaysWhetherACertificateIsValid) {
  // It is from 2020-01-01 to 2022-01-01.
  EXPECT_EQ(alerts_at(1'609'459'200), std::vector<uint32_t>{1}) << "2021";
  EXPECT_EQ(alerts_at(1'893'456'000), std::vector<uint32_t>{2}) << "2030";
  EXPECT_EQ(alerts_at(1'546'300'800), std::vector<uint32_t>{}) << "2019";
}

}  // namespace
}  // namespace weir::inspection::test
