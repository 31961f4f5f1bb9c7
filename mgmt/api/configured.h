// What is configured, by the file and at run time: lists of things, the whole as text, saving it.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "mgmt/api/handlers.h"

namespace weir::api {

/// "domain", "attachment", "connection", "policy"; routes have a list of their own.
std::span<const std::string_view> listed_kinds();
/// "attachments" of "attachment"; a policy has no plural.
std::string plural_of(std::string_view kind);

/// The things of one kind in their order, with the keys of the configuration file and `origin`: "file", or
/// "api" for what lives until the hub stops.
Response get_configured(Source& source, std::string_view kind);

/// `toml`, and `routes` for the routes file `routes_file` if there is one. routes_file: another name for
/// that.
Response get_config(Source& source, const Parameter& parameter);

/// `changes`: what reading the hub's file now would change, a line each as a reload tells them, seen from the
/// file: `+` is what only the hub has.
Response get_config_diff(Source& source);

/// Writes it to the file that the hub was started with, and reads that again, so that all that is there
/// counts as of the file. force: "true" overwrites edits that the hub has not read.
Response post_save(Source& source, const Parameter& parameter);

}  // namespace weir::api
