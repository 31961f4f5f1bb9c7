// What Kuma calls things on the wire: the server names of its mesh's TLS sessions, in the three forms that
// are in the field, and the URIs in its certificates. Pure; fuzzed.
//
//   to 2.x   backend{mesh=demo,version=2}                  kumahq/kuma v2.9.13, pkg/xds/envoy/tls/sni.go
//   2.9 on   a0123456789abcdef.backend.80.demo.ms          the same, docs/madr/decisions/055-sni.md
//   3        sni.msvc.demo.east.shop.backend.http          docs/madr/decisions/101-sni-format-improvements.md
#pragma once

#include <optional>
#include <string_view>

namespace weir::inspection {

/// Views into what was read; what it does not say is empty.
struct KumaName {
  std::string_view service, mesh, zone, name_space;
  /// Takes what it lacks from `other`.
  void complete(const KumaName& other);
};

/// nullopt: it has none of the three forms. Of the second form the name may have dots in it, so it is read
/// from the right; its namespace is not told apart there.
std::optional<KumaName> read_kuma_sni(std::string_view name);

/// What one URI of a certificate says: spiffe://MESH/SERVICE and kuma://TAG/VALUE (2.x), or
/// spiffe://MESH.ZONE.mesh.local/ns/NAMESPACE/sa/ACCOUNT and .../workload/NAME (MeshIdentity), of which
/// account and workload are no service.
KumaName read_kuma_uri(std::string_view uri);

bool is_spiffe(std::string_view uri);

}  // namespace weir::inspection
