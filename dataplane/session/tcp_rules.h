// How strictly TCP is followed: the section `tcp` of the configuration, as workers read it.
#pragma once

namespace weir::dataplane {

struct TcpRules {
  /// Whatever lies outside of the windows is dropped, not only what would open or close.
  bool strict = false;
  /// A session may be taken up in its midst.
  bool mid_stream = false;
  /// A session of which the hub sees one direction only is followed.
  bool one_sided = false;
  /// When an idle session is forgotten, both ends are told by RST.
  bool reset_idle = false;
  friend constexpr bool operator==(const TcpRules&, const TcpRules&) = default;
};

}  // namespace weir::dataplane
