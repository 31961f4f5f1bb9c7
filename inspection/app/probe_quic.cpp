#include "inspection/app/probes.h"
#include "inspection/app/quic/quic_header.h"

namespace weir::inspection::probe {

Recognition quic(Bytes datagram) {
  QuicHeader header;
  if (read_quic_header(datagram, header) != QuicHeaderError::none) return kNo;
  return yes(AppProtocol::quic, header.form == QuicForm::negotiation);
}

}  // namespace weir::inspection::probe
