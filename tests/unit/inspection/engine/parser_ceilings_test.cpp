// Ceilings of parsers: what lies beyond is not read, it is counted, and the profile's policy decides.
#include "inspection/engine/engine.h"
#include "tests/unit/inspection/engine/bytes.h"
#include "tests/unit/inspection/engine/keyword_traffic.h"
#include "tests/unit/inspection/support.h"

namespace weir::inspection::test {
namespace {

ProfileSpec with(Ceiling ceiling, ExceptionPolicy policy) {
  ProfileSpec spec;
  spec.settings = hub_settings(InspectMode::ips);
  spec.settings.app = {.dns_pointers = 2, .tls_certificates = 1};
  spec.settings.policies[static_cast<size_t>(ceiling)] = policy;
  return spec;
}
uint64_t met(const Inspector& inspector, Ceiling ceiling) {
  return (*inspector.counters().exceptions)[static_cast<size_t>(ceiling)];
}

/// A query for "a.example", whose first label is followed by so many pointers before the rest.
std::string query(size_t pointers) {
  Octets out;
  for (const size_t word : {size_t{7}, size_t{0x0100}, size_t{1}, size_t{0}, size_t{0}, size_t{1}})
    put16(out, word);
  const size_t label_at = out.size() + 4 + 4 + 1 + 10;  // in the data of the record behind the question
  put(out, {1, 'a'});
  put16(out, pointers == 0 ? 0x0000 : 0xc000 | label_at);
  if (pointers == 0) out.pop_back();
  put16(out, 1);
  put16(out, 1);
  put(out, {0});
  put16(out, 16);  // TXT
  put(out, {0, 1, 0, 0, 0, 0});
  Octets data;
  for (size_t i = 1; i < pointers; ++i) put16(data, 0xc000 | (label_at + 2 * i));
  put(data, {1, 'b', 0});
  put16(out, data.size());
  put(out, data);
  return std::string(out.begin(), out.end());
}

TEST(ParserCeilings, PointersOfDns) {
  const struct {
    ExceptionPolicy policy;
    size_t pointers;
    Action action;
    uint64_t met;
  } rows[] = {{ExceptionPolicy::drop_flow, 2, Action::pass, 0},
              {ExceptionPolicy::drop_flow, 3, Action::drop_session, 1},
              {ExceptionPolicy::drop_packet, 3, Action::drop_packet, 1},
              {ExceptionPolicy::ignore, 3, Action::pass, 1}};
  for (const auto& row : rows) {
    const auto inspector = make_inspector();
    RecordingSink sink;
    FlowInfo info = flow_info(17);
    info.dst_port = 53;
    Session session(*inspector,
                    compile("alert dns any any -> any any (dns.opcode:0; sid:1;)", 1,
                            with(Ceiling::dns_pointers, row.policy)),
                    sink, info);
    EXPECT_EQ(session.client(0, query(0)), Action::pass);
    EXPECT_EQ(session.client(0, query(row.pointers)), row.action) << row.pointers;
    EXPECT_EQ(met(*inspector, Ceiling::dns_pointers), row.met) << row.pointers;
  }
}

TEST(ParserCeilings, ChainsOfCertificates) {
  for (const bool drops : {false, true}) {
    const auto inspector = make_inspector();
    RecordingSink sink;
    ProfileSpec spec =
        with(Ceiling::certificates, drops ? ExceptionPolicy::drop_flow : ExceptionPolicy::ignore);
    Session session(
        *inspector,
        compile("alert tls any any -> any any (tls.cert_subject; content:\"CN=\"; sid:1;)", 1, spec), sink);
    session.handshake();
    const std::string client = tls_bytes(true);
    session.client(0, client);
    // Two certificates, of which the first is no certificate at all.
    Octets list, stream = {22, 3, 3};
    for (int i = 0; i < 2; ++i) put(list, {0, 0, 2, 0x30, 0});
    Octets message = {11};
    put24(message, list.size() + 3);
    put24(message, list.size());
    put(message, list);
    put16(stream, message.size());
    put(stream, message);
    const std::string text(stream.begin(), stream.end());
    EXPECT_EQ(session.server(0, text, static_cast<uint32_t>(client.size())),
              drops ? Action::drop_session : Action::pass);
    EXPECT_EQ(met(*inspector, Ceiling::certificates), 1U);
  }
}

}  // namespace
}  // namespace weir::inspection::test
