#include "dataplane/tunnel/tunnel_table.h"

namespace weir::dataplane {

namespace {

std::string describe(const TunnelKey& key) {
  return "local " + net::to_string(key.local) + ", remote " + net::to_string(key.remote) + ", port " +
         std::to_string(key.udp_port) + ", VNI " + std::to_string(key.vni.value);
}

}  // namespace

Result<TunnelTable> TunnelTable::build(const std::vector<Entry>& entries) {
  TunnelTable table(static_cast<uint32_t>(entries.size()));
  for (const Entry& entry : entries) {
    if (!entry.attachment.valid()) {
      return fail(ErrorCode::invalid, "no attachment for the tunnel with " + describe(entry.key));
    }
    if (table.find(entry.key).valid()) {
      return fail(ErrorCode::in_use, "two attachments have the same tunnel: " + describe(entry.key));
    }
    table.set(entry.key, entry.attachment);
  }
  return table;
}

}  // namespace weir::dataplane
