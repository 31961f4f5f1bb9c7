// What the API says, as JSON: pure functions from views to documents. docs/cli.md describes the fields.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "mgmt/control/control.h"
#include "mgmt/control/path.h"
#include "mgmt/control/views.h"
#include "mgmt/events/recent_alerts.h"

namespace weir::api {

using Json = nlohmann::ordered_json;

Json to_json(const std::vector<control::PoolView>& pools);
Json to_json(const std::vector<control::ServerView>& servers);
Json to_json(const std::vector<control::NatMapping>& mappings);
Json to_json(const control::StatusView& view);
Json to_json(const control::TopView& view);
Json to_json(const std::vector<control::DropView>& view);
Json to_json(const control::SessionsView& view);
Json to_json(const control::RoutesView& view);
Json to_json(const control::PathAnswer& answer);
/// Of a reload: {"changes": [...], "notes": [...]}, or an "error" with all "problems".
Json to_json(const control::ChangeView& view);
Json to_json(const control::RulesView& view);
Json to_json(const events::AlertsView& view);
/// The same of changes at run time; `code` is the error's.
Json changes_json(const control::ChangeView& view, ErrorCode code);
/// {"error": {"code": ..., "message": ...}}
Json to_json(const Error& error);

/// The name of an IP protocol where it has a common one, else its number.
std::string protocol_name(uint8_t protocol);
int http_status(ErrorCode code);
std::string_view code_name(ErrorCode code);
/// As text; bytes that are no UTF-8 are replaced, never refused.
std::string text_of(const Json& json);

}  // namespace weir::api
