#include "inspection/app/mime/fields.h"

#include <algorithm>
#include <array>
#include <optional>

#include "inspection/app/http/text.h"

namespace weir::inspection {

namespace {

struct Parameter {
  std::string_view name, value;
  bool quoted = false;
};

/// Takes the next "name=value" from the front; nullopt: there are no more.
std::optional<Parameter> take_parameter(std::string_view& rest) {
  while (!rest.empty()) {
    rest = http::trim(rest);
    const size_t equals = rest.find_first_of("=;");
    if (equals == std::string_view::npos) return std::nullopt;
    if (rest[equals] == ';') {
      rest.remove_prefix(equals + 1);
      continue;
    }
    Parameter found;
    found.name = http::trim(rest.substr(0, equals));
    rest.remove_prefix(equals + 1);
    while (!rest.empty() && http::is_space(rest.front())) rest.remove_prefix(1);
    if (!rest.empty() && rest.front() == '"') {
      rest.remove_prefix(1);
      found.quoted = true;
      size_t end = 0;
      while (end < rest.size() && rest[end] != '"') end += rest[end] == '\\' ? 2 : 1;
      end = std::min(end, rest.size());
      found.value = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
    } else {
      found.value = http::trim_end(rest.substr(0, rest.find(';')));
    }
    const size_t next = rest.find(';');
    rest.remove_prefix(next == std::string_view::npos ? rest.size() : next + 1);
    return found;
  }
  return std::nullopt;
}

/// Where the text of a parameter is put together.
class Text {
 public:
  Text(std::span<char> room, bool& cut) : room_(room), cut_(cut) {}
  void add(char c) {
    if (size_ < room_.size()) {
      room_[size_++] = c;
    } else {
      cut_ = true;
    }
  }
  void add(const Parameter& parameter) {
    const std::string_view value = parameter.value;
    for (size_t i = 0; i < value.size(); ++i) {
      if (parameter.quoted && value[i] == '\\' && i + 1 < value.size()) ++i;
      add(value[i]);
    }
  }
  void add_encoded(std::string_view value) {
    for (size_t i = 0; i < value.size(); ++i) {
      const int high = value[i] == '%' && i + 2 < value.size() ? http::hex_value(value[i + 1]) : -1;
      const int low = high >= 0 ? http::hex_value(value[i + 2]) : -1;
      if (low >= 0) {
        add(static_cast<char>(high << 4 | low));
        i += 2;
      } else {
        add(value[i]);
      }
    }
  }
  std::string_view view() const { return {room_.data(), size_}; }

 private:
  std::span<char> room_;
  size_t size_ = 0;
  bool& cut_;
};

/// "name*0" or "name*0*", or with another number.
struct Section {
  unsigned number = 0;
  bool encoded = false;
};
std::optional<Section> section_of(std::string_view parameter, std::string_view name) {
  if (!http::starts_nocase(parameter, name) || parameter.size() < name.size() + 2 ||
      parameter[name.size()] != '*')
    return std::nullopt;
  std::string_view digits = parameter.substr(name.size() + 1);
  Section section;
  section.encoded = digits.ends_with('*');
  if (section.encoded) digits.remove_suffix(1);
  if (digits.empty() || digits.size() > 3) return std::nullopt;
  for (const char c : digits) {
    if (!http::is_digit(c)) return std::nullopt;
    section.number = section.number * 10 + static_cast<unsigned>(c - '0');
  }
  return section;
}

/// Without "charset'language'" before it.
std::string_view without_charset(std::string_view value) {
  const size_t first = value.find('\'');
  const size_t second = first == std::string_view::npos ? first : value.find('\'', first + 1);
  return second == std::string_view::npos ? value : value.substr(second + 1);
}

/// In order, as far as none is missing.
void add_sections(std::string_view parameters, std::string_view name, Text& text) {
  constexpr unsigned kMost = 16;
  for (unsigned wanted = 0; wanted < kMost; ++wanted) {
    std::string_view rest = parameters;
    bool found = false;
    while (const auto parameter = take_parameter(rest)) {
      const auto section = section_of(parameter->name, name);
      if (!section || section->number != wanted) continue;
      if (section->encoded) {
        text.add_encoded(wanted == 0 ? without_charset(parameter->value) : parameter->value);
      } else {
        text.add(*parameter);
      }
      found = true;
      break;
    }
    if (!found) return;
  }
}

}  // namespace

std::string_view mime_value(std::string_view field) { return http::trim(field.substr(0, field.find(';'))); }

std::string_view mime_parameter(std::string_view field, std::string_view name, std::span<char> room,
                                bool& cut) {
  const size_t begin = field.find(';');
  if (begin == std::string_view::npos) return {};
  const std::string_view parameters = field.substr(begin + 1);
  Text text(room, cut);
  std::string_view rest = parameters;
  while (const auto parameter = take_parameter(rest)) {
    if (!http::equals_nocase(parameter->name, name)) continue;
    text.add(*parameter);
    return text.view();
  }
  add_sections(parameters, name, text);
  if (!text.view().empty()) return text.view();
  rest = parameters;
  while (const auto parameter = take_parameter(rest)) {
    const std::string_view of = parameter->name;
    if (!of.ends_with('*') || !http::equals_nocase(of.substr(0, of.size() - 1), name)) continue;
    text.add_encoded(without_charset(parameter->value));
    break;
  }
  return text.view();
}

std::string_view take_address(std::string_view& list) {
  bool quoted = false;
  size_t end = 0;
  for (; end < list.size(); ++end) {
    if (list[end] == '\\' && quoted) {
      ++end;
    } else if (list[end] == '"') {
      quoted = !quoted;
    } else if (list[end] == ',' && !quoted) {
      break;
    }
  }
  end = std::min(end, list.size());
  const std::string_view address = http::trim(list.substr(0, end));
  list.remove_prefix(std::min(end + 1, list.size()));
  return address;
}

}  // namespace weir::inspection
