// Speaks with a hub over its Unix socket. A thin client: every decision is the hub's.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "dataplane/net/result.h"

namespace weir::cli {

using Json = nlohmann::ordered_json;

struct Answer {
  int status = 0;  // HTTP
  Json body;
  bool ok() const { return status >= 200 && status < 300; }
};

class Client {
 public:
  explicit Client(std::string socket) : socket_(std::move(socket)) {}

  using Parameters = std::vector<std::pair<std::string, std::string>>;
  /// Fails if the hub is not reached (`unavailable`, naming the socket) or answers something else than JSON.
  Result<Answer> get(const std::string& path, const Parameters& parameters = {}) const;
  Result<Answer> post(const std::string& path) const;
  Result<Answer> post(const std::string& path, const Parameters& parameters, const std::string& body,
                      const std::string& type) const;
  /// DELETE.
  Result<Answer> remove(const std::string& path, const Parameters& parameters) const;

 private:
  std::string socket_;
};

}  // namespace weir::cli
