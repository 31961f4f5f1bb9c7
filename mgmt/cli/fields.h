// Fields of the hub's answers. What is missing or of another kind is empty, never an error.
#pragma once

#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>

namespace weir::cli {

using Json = nlohmann::ordered_json;

/// A field as text; control characters are left out, since names come from elsewhere and go to a terminal.
/// "-" without it.
std::string text(const Json& object, const char* key);
/// An array.
const Json& list(const Json& object, const char* key);
/// A whole number, 0 without it.
uint64_t number(const Json& object, const char* key);
bool flag(const Json& object, const char* key);
Json child(const Json& object, const char* key);

}  // namespace weir::cli
