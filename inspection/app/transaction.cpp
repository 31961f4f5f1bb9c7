#include "inspection/app/transaction.h"

#include <array>

namespace weir::inspection {

std::string_view name_of(AppProtocol protocol) {
  switch (protocol) {
    case AppProtocol::unknown:
      return "unknown";
    case AppProtocol::failed:
      return "failed";
#define APP(id, name)   \
  case AppProtocol::id: \
    return name;
#include "inspection/app/protocols.def"
#undef APP
  }
  return "unknown";
}

std::span<const BufferInfo> buffer_infos() {
  static constexpr BufferInfo kInfos[] = {
#define BUFFER(id, keyword, modifier, protocol, direction, step, kind) \
  {BufferId::id,                                                       \
   keyword,                                                            \
   modifier,                                                           \
   AppProtocol::protocol,                                              \
   BufferDirection::direction,                                         \
   static_cast<uint8_t>(step),                                         \
   BufferKind::kind},
#include "inspection/app/buffers.def"
#undef BUFFER
  };
  return kInfos;
}

}  // namespace weir::inspection
