// What labels are told by, on hostile bytes: a proxy's header in any portions, names of Kuma, URIs of
// certificates, what is remembered of a TLS session.
#include <array>
#include <cstdlib>
#include <span>
#include <string_view>

#include "inspection/app/labels/kuma_name.h"
#include "inspection/app/labels/proxy_header.h"
#include "inspection/app/tls/identities.h"

using namespace weir::inspection;

namespace {

bool lies_in(std::string_view part, std::string_view whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void check(const KumaName& name, std::string_view text) {
  for (const std::string_view part : {name.service, name.mesh, name.zone, name.name_space}) {
    if (!lies_in(part, text)) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const uint8_t> bytes(data, size);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const ProxyHeader whole = read_proxy_header(bytes);
  if (whole.size > size || (whole.answer == ProxyHeader::Answer::yes) != (whole.size > 0)) std::abort();
  // A part of it never says anything that the whole contradicts.
  for (size_t part = 0; part < size && part < 256; ++part) {
    const ProxyHeader read = read_proxy_header(bytes.first(part));
    if (read.answer == ProxyHeader::Answer::yes && read.size != whole.size) std::abort();
    if (read.answer == ProxyHeader::Answer::no && whole.answer != ProxyHeader::Answer::no) std::abort();
  }
  if (const auto name = read_kuma_sni(text)) {
    if (name->service.empty() || name->mesh.empty()) std::abort();
    check(*name, text);
  }
  check(read_kuma_uri(text), text);
  TlsIdentity identity;
  identity.size = static_cast<uint16_t>(size < TlsIdentity::kMost ? size : TlsIdentity::kMost);
  for (size_t i = 0; i < identity.size; ++i) identity.uris[i] = data[i];
  size_t told = 0;
  identity.for_each([&](uint8_t, std::span<const uint8_t> uri) { told += uri.size() + 3; });
  if (told > identity.size) std::abort();
  return 0;
}
