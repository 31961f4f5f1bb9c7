// Request targets and host names as rules see them. Pure.
#pragma once

#include <string_view>

#include "inspection/memory/byte_pool.h"

namespace weir::inspection::http {

/// The parts of a request target as they came; nullptr text where there is none.
struct Target {
  std::string_view scheme, authority, path, query, fragment;
};
/// `method_is_connect`: the target is an authority.
Target split_target(std::string_view target, bool method_is_connect);

/// Host name and port of an authority or a Host field; user information is left out.
struct HostPort {
  std::string_view host;  // of an IPv6 literal with its brackets
  std::string_view port;  // nullptr text: none
};
HostPort split_authority(std::string_view authority);
/// Whether it could be a host name or address.
bool valid_host(std::string_view host);

/// Path as libhtp's personality for detection makes it: %XX and %uXXXX decoded once, backslashes are slashes,
/// slashes that follow one another are one, dot segments are removed; overlong and full-width UTF-8 becomes
/// the ASCII that it stands for. False: the pool is at its ceiling. `double_encoded`: what came out can be
/// decoded again.
[[nodiscard]] bool append_path(std::string_view path, PoolBytes& out, bool& double_encoded);
/// %XX and %uXXXX decoded once.
[[nodiscard]] bool append_decoded(std::string_view text, PoolBytes& out);
/// Path, query and fragment.
[[nodiscard]] bool append_uri(const Target& target, PoolBytes& out, bool& double_encoded);
/// A path, with or without what follows it, of which append_path() and append_uri() change nothing: it begins
/// with a slash, and no byte in it is above ASCII, a percent sign or a backslash, and none of its slashes has
/// another one or a dot behind it. Of most that are not, this is false.
bool is_plain_uri(std::string_view text);
/// Lower case, without port and final dots.
[[nodiscard]] bool append_host(std::string_view host, PoolBytes& out);
/// A host name of which append_host() and split_authority() change nothing: small letters, digits, dashes,
/// and dots, of which none is the last.
bool is_plain_host(std::string_view text);

}  // namespace weir::inspection::http
