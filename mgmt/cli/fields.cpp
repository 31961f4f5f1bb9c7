#include "mgmt/cli/fields.h"

namespace weir::cli {

std::string text(const Json& object, const char* key) {
  if (!object.is_object() || !object.contains(key)) return "-";
  const Json& value = object[key];
  if (value.is_null()) return "-";
  if (!value.is_string()) return value.dump();
  std::string clean;
  for (const char c : value.get<std::string>()) {
    if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) clean += c;
  }
  return clean.empty() ? "-" : clean;
}

const Json& list(const Json& object, const char* key) {
  static const Json kNone = Json::array();
  return object.is_object() && object.contains(key) && object[key].is_array() ? object[key] : kNone;
}

uint64_t number(const Json& object, const char* key) {
  return object.is_object() && object.contains(key) && object[key].is_number_unsigned()
             ? object[key].get<uint64_t>()
             : 0;
}

bool flag(const Json& object, const char* key) {
  return object.is_object() && object.contains(key) && object[key] == true;
}

Json child(const Json& object, const char* key) {
  return object.is_object() && object.contains(key) ? object[key] : Json::object();
}

}  // namespace weir::cli
