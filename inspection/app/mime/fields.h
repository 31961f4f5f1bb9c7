// Values of header fields with parameters, as Content-Type and Content-Disposition have them (RFC 2045
// section 5.1, RFC 2231), and lists of addresses. Pure.
#pragma once

#include <span>
#include <string_view>

namespace weir::inspection {

/// What stands before the first ';', without blanks.
std::string_view mime_value(std::string_view field);

/// The parameter `name` (lower case) of the field, into `room`: as it stands without its quotation marks;
/// the sections name*0, name*1 ... one behind the other; or name* without its character set, %XX decoded.
/// Nothing if it is not there. `cut`: there was no room for all of it.
std::string_view mime_parameter(std::string_view field, std::string_view name, std::span<char> room,
                                bool& cut);

/// Takes the next address from the front of a list: up to a comma outside of quotation marks. Without blanks
/// around it; empty between two commas and at the end.
std::string_view take_address(std::string_view& list);

}  // namespace weir::inspection
