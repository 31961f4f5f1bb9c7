// Keys: address translation.
#include "dataplane/nat/nat_table.h"
#include "mgmt/config/choices.h"
#include "mgmt/config/key_lists.h"

namespace weir::config {

namespace {

constexpr KeySpec kKeys[] = {
    {.path = "nat[].name",
     .kind = ValueKind::name,
     .required = true,
     .identity = Identity::required,
     .help = "Its name, unique."},
    {.path = "nat[].static.domain",
     .kind = ValueKind::name,
     .required = true,
     .help = "The domain whose addresses they are."},
    {.path = "nat[].static.inside",
     .kind = ValueKind::prefix,
     .required = true,
     .help = "The addresses as they are in that domain. Those of one domain may not overlap."},
    {.path = "nat[].static.outside",
     .kind = ValueKind::prefix,
     .required = true,
     .help = "The addresses as others see them: a prefix of the same family and length."},
    {.path = "nat[].static.seen_by",
     .kind = ValueKind::name,
     .list = true,
     .fallback_help = "all domains but its own",
     .min_items = 1,
     .help =
         "The domains that see them so; with its own among them, its hosts reach each other that way, too."},
    {.path = "nat[].static.nptv6",
     .kind = ValueKind::boolean,
     .fallback = "false",
     .help =
         "Whether the other address is one with which no checksum of a packet changes (NPTv6, RFC 6296): "
         "prefixes of IPv6, /64 or shorter. Behind the prefix one word of the address is another one, too."},
    {.path = "nat[].static.ftp",
     .kind = ValueKind::boolean,
     .fallback = "false",
     .help =
         "Whether addresses that FTP names in its control connections (TCP port 21) are translated, too."},
    {.path = "nat[].dnat.seen_by",
     .kind = ValueKind::name,
     .list = true,
     .min_items = 1,
     .required = true,
     .help =
         "The domains in which the address is published: the Internet's, and those whose hosts use it, too."},
    {.path = "nat[].dnat.address", .kind = ValueKind::ip, .required = true, .help = "The public address."},
    {.path = "nat[].dnat.protocol",
     .kind = ValueKind::choice,
     .fallback = "\"tcp\"",
     .choices = kNamesOf<kDnatProtocols>,
     .help = "The protocol."},
    {.path = "nat[].dnat.port",
     .kind = ValueKind::integer,
     .min = 1,
     .max = 65'535,
     .required = true,
     .help = "The public port."},
    {.path = "nat[].dnat.domain", .kind = ValueKind::name, .required = true, .help = "The server's domain."},
    {.path = "nat[].dnat.server",
     .kind = ValueKind::ip,
     .fallback_help = "there are `servers`",
     .help = "The server's address there, of the same family."},
    {.path = "nat[].dnat.servers",
     .kind = ValueKind::ip,
     .list = true,
     .fallback_help = "there is one `server`",
     .min_items = 1,
     .max_items = dataplane::PublishedRule::kMaxServers,
     .help =
         "Several servers that share the sessions. A session stays with the server that it began with; one "
         "whose attachment is down is given none."},
    {.path = "nat[].dnat.weights",
     .kind = ValueKind::integer,
     .list = true,
     .fallback_help = "all the same",
     .min = 0,
     .max = 1'000,
     .min_items = 1,
     .max_items = dataplane::PublishedRule::kMaxServers,
     .help = "The share of each of `servers`; 0: it keeps the sessions that it has and is given no other."},
    {.path = "nat[].dnat.server_port",
     .kind = ValueKind::integer,
     .fallback_help = "as `port`",
     .min = 1,
     .max = 65'535,
     .help = "The port that the server listens on."},
    {.path = "nat[].dnat.ftp",
     .kind = ValueKind::boolean,
     .fallback = "false",
     .help = "Whether the server speaks FTP: ports that it opens for data connections are published while "
             "they are "
             "needed, and what it says of them is translated. With TCP and one server alone."},
    {.path = "nat[].snat.from",
     .kind = ValueKind::name,
     .list = true,
     .min_items = 1,
     .required = true,
     .help = "The domains that sessions come from."},
    {.path = "nat[].snat.domain",
     .kind = ValueKind::name,
     .required = true,
     .help = "The domain that they go to, which has the pool's addresses."},
    {.path = "nat[].snat.pool",
     .kind = ValueKind::prefix,
     .list = true,
     .min_items = 1,
     .max_items = 256,
     .required = true,
     .help = "The addresses, every one of each prefix, of one family and at most 4,096 together; 24 KiB of "
             "memory each."},
    {.path = "nat[].snat.ports",
     .kind = ValueKind::ports,
     .fallback = "\"1024-65535\"",
     .min = 1,
     .max = 65'535,
     .help = "The ports and ICMP identifiers that are given out."},
    {.path = "nat[].snat.sources",
     .kind = ValueKind::prefix,
     .list = true,
     .fallback_help = "private addresses (RFC 1918, RFC 6598, RFC 4193)",
     .min_items = 1,
     .help = "Only sources in one of these prefixes are translated."},
    {.path = "nat[].snat.destinations",
     .kind = ValueKind::prefix,
     .list = true,
     .fallback_help = "all but private addresses",
     .min_items = 1,
     .help = "Only sessions to one of these prefixes are translated."},
    {.path = "nat[].snat.ports_per_host",
     .kind = ValueKind::integer,
     .fallback_help = "a host gets ports as it needs them",
     .min = 64,
     .max = 65'535,
     .help =
         "Deterministic mapping (RFC 7422): each address of `sources` has so many ports of one address for "
         "itself, which the rule alone says, so that no record is needed of who had which (`weirctl nat "
         "map`). "
         "64 for each worker at least; with one domain in `from`, and room for all of `sources`."},
    {.path = "nat[].snat.ftp",
     .kind = ValueKind::boolean,
     .fallback = "false",
     .help = "Whether addresses that FTP names in its control connections (to TCP port 21) are translated, "
             "too. With "
             "it all sessions of a host that the pool may translate are one worker's."},
};

}  // namespace

std::span<const KeySpec> nat_keys() { return kKeys; }

}  // namespace weir::config
