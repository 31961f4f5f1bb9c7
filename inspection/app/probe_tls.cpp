#include "inspection/app/probes.h"

namespace weir::inspection::probe {

namespace {

/// Records of a connection that is encrypted already, one behind the other as far as they are there.
Recognition midst(Bytes bytes) {
  constexpr uint8_t kChangeCipher = 20, kApplication = 23;
  constexpr size_t kHeader = 5, kMaxRecord = 16'384 + 2'048, kLeastSealed = 16;
  for (Bytes rest = bytes; !rest.empty();) {
    if (rest[0] < kChangeCipher || rest[0] > kApplication) return kNo;
    if (rest.size() > 1 && rest[1] != 3) return kNo;
    if (rest.size() > 2 && rest[2] > 4) return kNo;
    if (rest.size() < kHeader) return rest.size() == bytes.size() ? kMore : yes(AppProtocol::tls);
    const size_t length = static_cast<size_t>(rest[3]) << 8 | rest[4];
    const bool plausible = rest[0] == kApplication ? length >= kLeastSealed : length > 0;
    if (!plausible || length > kMaxRecord) return kNo;
    if (rest.size() - kHeader <= length) return yes(AppProtocol::tls);
    rest = rest.subspan(kHeader + length);
  }
  return kNo;
}

}  // namespace

Recognition tls(Direction direction, Bytes bytes, const StreamBefore& before) {
  constexpr uint8_t kHandshake = 22, kAlert = 21, kClientHello = 1, kServerHello = 2, kHelloRequest = 0;
  // SSL 2.0's hello, in which older clients offer 3.0 and later (RFC 5246 appendix E.2).
  if ((bytes[0] & 0x80) != 0) {
    if (bytes.size() < 5) return bytes.size() < 3 || bytes[2] == kClientHello || bytes[2] == 4 ? kMore : kNo;
    const size_t length = (bytes[0] & 0x7fu) << 8 | bytes[1];
    const bool version = (bytes[3] == 3 && bytes[4] <= 4) || (bytes[3] == 0 && bytes[4] == 2);
    if (direction == Direction::to_server && bytes[2] == kClientHello && version && length >= 9)
      return yes(AppProtocol::tls);
    if (direction == Direction::to_client && bytes[2] == 4 && bytes.size() >= 7 && bytes[5] == 0 &&
        bytes[6] == 2)
      return yes(AppProtocol::tls, true);
    return kNo;
  }
  if (before.midstream) {
    if (const Recognition told = midst(bytes); told.answer != Recognition::Answer::no) return told;
  }
  if (bytes[0] != kHandshake && bytes[0] != kAlert) return kNo;
  if (bytes.size() > 1 && bytes[1] != 3) return kNo;
  if (bytes.size() > 2 && bytes[2] > 4) return kNo;
  if (bytes.size() < 6) return kMore;
  const size_t length = static_cast<size_t>(bytes[3]) << 8 | bytes[4];
  if (bytes[0] == kAlert)
    return length == 2 && (bytes[5] == 1 || bytes[5] == 2) ? yes(AppProtocol::tls) : kNo;
  const bool hello = direction == Direction::to_server
                         ? bytes[5] == kClientHello
                         : bytes[5] == kServerHello || bytes[5] == kHelloRequest;
  return hello && length >= 1 ? yes(AppProtocol::tls) : kNo;
}

}  // namespace weir::inspection::probe
