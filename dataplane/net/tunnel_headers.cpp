#include "dataplane/net/tunnel_headers.h"

#include "dataplane/net/checksum.h"

namespace weir::net {

namespace {

/// Walks the options of one GENEVE header.
TunnelError walk_options(Bytes options) {
  while (!options.empty()) {
    if (options.size() < sizeof(GeneveOption)) return TunnelError::bad_option;
    const auto* option = reinterpret_cast<const GeneveOption*>(options.data());
    const size_t size = sizeof(GeneveOption) + option->data_length();
    if (options.size() < size) return TunnelError::bad_option;
    if ((option->type & GeneveOption::kCritical) != 0) return TunnelError::critical_option;
    options = options.subspan(size);
  }
  return TunnelError::none;
}

}  // namespace

TunnelError parse_vxlan(Bytes bytes, TunnelView& out) {
  if (bytes.size() < sizeof(VxlanHeader)) return TunnelError::bad_header;
  const auto* vxlan = reinterpret_cast<const VxlanHeader*>(bytes.data());
  if ((vxlan->flags & VxlanHeader::kValidVni) == 0) return TunnelError::bad_header;
  out = {vxlan->vni.host() >> 8, true, Payload::ethernet, sizeof(VxlanHeader)};
  return TunnelError::none;
}

TunnelError parse_geneve(Bytes bytes, TunnelView& out) {
  if (bytes.size() < sizeof(GeneveHeader)) return TunnelError::bad_header;
  const auto* geneve = reinterpret_cast<const GeneveHeader*>(bytes.data());
  if (geneve->version() != 0) return TunnelError::bad_header;
  const size_t options = geneve->options_length();
  if (bytes.size() < sizeof(GeneveHeader) + options) return TunnelError::bad_header;
  if ((geneve->flags & GeneveHeader::kControl) != 0) return TunnelError::control;
  if (const auto error = walk_options(bytes.subspan(sizeof(GeneveHeader), options));
      error != TunnelError::none) {
    return error;
  }
  out = {geneve->vni.host() >> 8, true, payload_of(geneve->protocol.host()),
         static_cast<uint16_t>(sizeof(GeneveHeader) + options)};
  return TunnelError::none;
}

TunnelError parse_gre(Bytes bytes, TunnelView& out) {
  if (bytes.size() < sizeof(GreHeader)) return TunnelError::bad_header;
  const auto* gre = reinterpret_cast<const GreHeader*>(bytes.data());
  const uint16_t flags = gre->flags.host();
  if ((flags & (GreHeader::kVersion | GreHeader::kObsolete)) != 0) return TunnelError::bad_header;
  const bool checked = (flags & GreHeader::kChecksum) != 0, keyed = (flags & GreHeader::kKey) != 0,
             numbered = (flags & GreHeader::kSequence) != 0;
  const uint16_t length = static_cast<uint16_t>(sizeof(GreHeader) + 4 * (checked + keyed + numbered));
  if (bytes.size() < length) return TunnelError::bad_header;
  if (checked && checksum(bytes) != 0) return TunnelError::bad_checksum;
  out = {0, keyed, payload_of(gre->protocol.host()), length};
  if (keyed) {
    be32 key;
    std::memcpy(&key, bytes.data() + sizeof(GreHeader) + (checked ? 4 : 0), sizeof key);
    out.id = key.host();
  }
  return TunnelError::none;
}

}  // namespace weir::net
