// Every event that there is, held to Suricata's schema of EVE (corpus/eve-schema.json, by $WEIR_CORPUS;
// skipped without it). What is Weir's own lies in the object `weir`, which the schema does not know.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "inspection/events/eve.h"
#include "support.h"

namespace weir::inspection {
namespace {

using Json = nlohmann::json;

bool has_type(const Json& value, const std::string& type) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "integer") return value.is_number_integer();
  if (type == "number") return value.is_number();
  return false;
}

/// Of JSON Schema what that one uses for what Weir writes: type, properties, additionalProperties, required,
/// items, references into itself. Adds to `wrong` what does not fit.
void validate(const Json& value, const Json& schema, const Json& root, const std::string& path,
              std::vector<std::string>& wrong) {
  if (const auto ref = schema.find("$ref"); ref != schema.end()) {
    const std::string pointer = ref->get<std::string>().substr(1);  // behind '#'
    return validate(value, root.at(Json::json_pointer(pointer)), root, path, wrong);
  }
  if (const auto type = schema.find("type"); type != schema.end() && !has_type(value, *type))
    wrong.push_back(path + " is no " + type->get<std::string>());
  for (const Json& name : schema.value("required", Json::array())) {
    if (!value.contains(name)) wrong.push_back(path + " lacks " + name.get<std::string>());
  }
  if (value.is_array() && schema.contains("items")) {
    for (const Json& item : value) validate(item, schema["items"], root, path + "[]", wrong);
  }
  if (!value.is_object()) return;
  const Json properties = schema.value("properties", Json::object());
  const bool closed = schema.contains("additionalProperties") && schema["additionalProperties"] == false;
  for (const auto& [name, member] : value.items()) {
    const std::string below = path + "." + name;
    if (properties.contains(name)) {
      validate(member, properties[name], root, below, wrong);
    } else if (closed) {
      wrong.push_back(below + " is not in the schema");
    }
  }
}

class EveSchema : public testing::Test {
 protected:
  void SetUp() override {
    const char* corpus = std::getenv("WEIR_CORPUS");
    std::ifstream file(std::string(corpus == nullptr ? "" : corpus) + "/eve-schema.json");
    if (!file) GTEST_SKIP() << "WEIR_CORPUS names no directory with eve-schema.json";
    schema_ = Json::parse(file);
  }
  std::vector<std::string> check(Json event) const {
    event.erase("weir");
    std::vector<std::string> wrong;
    validate(event, schema_, schema_, "event", wrong);
    return wrong;
  }
  void expect_valid(const Event& event, std::span<const uint8_t> fields = {}) const {
    const std::string line = EveFormat().line(event, fields, 1'767'323'045'000'000'000);
    EXPECT_EQ(check(Json::parse(line)), std::vector<std::string>{}) << line;
  }

  Json schema_;
};

/// Sessions of each protocol, both families, translated and not.
std::vector<FlowInfo> flows() {
  std::vector<FlowInfo> all;
  for (const uint8_t protocol : std::initializer_list<uint8_t>{1, 6, 17, 47, 58}) {
    for (const bool v4 : {true, false}) {
      for (const bool translated : {false, true}) {
        FlowInfo flow = test::flow_info();
        flow.protocol = protocol;
        flow.src = *net::parse_ip(v4 ? "10.1.0.5" : "2001:db8::1");
        flow.dst = *net::parse_ip(v4 ? "10.2.0.6" : "2001:db8::2");
        flow.from_domain.assign("prod");
        flow.policy_rule.assign("web");
        flow.translated = translated;
        flow.leaves = {flow.src, flow.dst, 1, 2};
        all.push_back(flow);
      }
    }
  }
  return all;
}

TEST_F(EveSchema, FlowsAtTheEndAndAtIntervals) {
  for (const FlowInfo& flow : flows()) {
    for (const FlowEnd end : {FlowEnd::timeout, FlowEnd::closed, FlowEnd::reset, FlowEnd::dropped,
                              FlowEnd::purged, FlowEnd::given_way, FlowEnd::none}) {
      Event event;
      event.kind = EventKind::flow;
      event.flow = flow;
      event.flow_stats = {.packets_to_server = UINT64_MAX / 2, .packets_to_client = 1};
      event.flow_stats.end_ns = 5'000'000'000;
      event.flow_stats.end = end;
      event.flow_stats.tcp_flags_to_server = 0xff;
      expect_valid(event);
    }
  }
}

TEST_F(EveSchema, AlertsAndDrops) {
  for (const FlowInfo& flow : flows()) {
    for (const EventKind kind : {EventKind::alert, EventKind::drop}) {
      for (const bool to_client : {false, true}) {
        Event event;
        event.kind = kind;
        event.flow = flow;
        event.alert.sid = 1;
        event.turned = event.alert.to_client = to_client;
        event.alert.signature.assign("text");
        event.drop_reason.assign("inspect_drop");
        event.packet_length = 99;
        expect_valid(event);
      }
    }
  }
}

/// The validator can say no.
TEST_F(EveSchema, RefusesWhatDoesNotFit) {
  Event event;
  event.kind = EventKind::flow;
  event.flow = test::flow_info();
  const Json good = Json::parse(EveFormat().line(event, {}, 0));
  EXPECT_TRUE(check(good).empty());
  Json bad = good;
  bad["flow"]["age"] = "2";
  bad["flow"]["made_up"] = 1;
  bad["made_up"] = 1;
  bad.erase("timestamp");
  EXPECT_EQ(check(bad).size(), 4u);
}

}  // namespace
}  // namespace weir::inspection
