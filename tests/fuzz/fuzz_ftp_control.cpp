// One end of an FTP control connection whose endpoints are translated, in any segments, also sent again: what
// its peer gets at one place is always the same, and acknowledgements find their way back.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "dataplane/nat/ftp_control.h"

namespace {

using namespace weir;
using namespace weir::dataplane;
using net::read_ftp_command;
using net::read_ftp_reply;
using net::write_ftp_endpoint;

void require(bool condition) {
  if (!condition) std::abort();
}

/// Every endpoint becomes another one of a length that depends on it.
size_t replace(const FtpEndpoint& endpoint, std::span<char, kFtpEndpointText> out) {
  const auto port = static_cast<uint16_t>(endpoint.port ^ 0x5a5a);
  if (endpoint.port % 5 == 0 || port == 0) return 0;
  const bool v6 = !endpoint.address.is_v4();
  const net::IpAddress address = v6 ? net::IpAddress(net::Ipv6{0x2001'0db8'0000'0000, endpoint.port})
                                    : net::IpAddress(net::Ipv4{endpoint.port * 0x0101'0007u});
  const size_t size = write_ftp_endpoint(endpoint.form, address, port, out);
  require(size > 0 && size <= out.size());
  // What is written is read as the same.
  const std::string line = endpoint.form == FtpEndpoint::Form::port_alone
                               ? "229 (" + std::string(out.data(), size) + ")"
                               : (endpoint.form == FtpEndpoint::Form::extended ? "EPRT " : "PORT ") +
                                     std::string(out.data(), size);
  const auto again = line[0] == '2' ? read_ftp_reply(line) : read_ftp_command(line);
  require(again && again->port == port && again->form == endpoint.form && again->size == size);
  return size;
}

/// The segment as it leaves.
std::string applied(std::string_view payload, const FtpPlan& plan) {
  std::string out(payload);
  for (size_t i = plan.count; i-- > 0;) {
    const FtpPlan::Place& place = plan.places[i];
    require(place.at + place.size <= payload.size());
    out.replace(place.at, place.size, place.text.data(), place.text_size);
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 4) return 0;
  const bool reply = (data[0] & 1) != 0;
  const uint32_t first = 0xffff'ff00u + data[1];
  FtpSide side;
  side.begin(first, reply);
  const std::string stream(reinterpret_cast<const char*>(data + 4), size - 4);
  std::string received;  // by the peer, from `first` on
  uint32_t step = data[2] | 1u;
  // A segment that names too many is dropped for ever.
  for (unsigned segments = 0; segments < 1'000 && side.next - first < stream.size(); ++segments) {
    step = step * 1'103'515'245 + 12'345;
    uint32_t at = side.next - first;
    // Not from before the oldest edit that is remembered.
    const uint32_t reach = side.edits.size() == SequenceEdits::kKept ? side.edits.at(0).end() - first : 0;
    if ((step >> 16 & 3) == 0 && at > reach) at -= (step >> 20) % (at - reach + 1);
    const size_t length = std::min<size_t>(1 + (step >> 24) % (1u + data[3]), stream.size() - at);
    const std::string_view payload(stream.data() + at, length);
    const uint32_t seq = first + at;
    FtpPlan plan;
    if (plan_again(side, seq, payload.size(), plan) != FtpSegment::good) continue;
    const uint32_t place = side.edits.to_peer(seq) - first;  // before edits behind it make others give way
    const size_t known = side.next - seq;
    if (known < payload.size()) {
      if (plan_lines(side, payload, known, plan, replace) != FtpSegment::good) continue;
      note_segment(side, seq, payload.size(), payload.back(), plan);
    }
    const std::string sent = applied(payload, plan);
    require(place <= received.size());
    for (size_t i = 0; i < sent.size(); ++i) {
      if (place + i < received.size()) {
        require(received[place + i] == sent[i]);
      } else {
        received.push_back(sent[i]);
      }
    }
    require(side.edits.from_peer(first + static_cast<uint32_t>(received.size())) == side.next);
    require(side.edits.to_peer(side.next) == first + static_cast<uint32_t>(received.size()));
  }
  return 0;
}
