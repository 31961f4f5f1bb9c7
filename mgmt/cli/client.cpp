#include "mgmt/cli/client.h"

#include <httplib.h>
#include <unistd.h>

#include <chrono>
#include <thread>

namespace weir::cli {

namespace {

constexpr int kNoPort = 80;  // a Unix socket has none
constexpr time_t kConnectSeconds = 5;
constexpr time_t kAnswerSeconds = 130;  // a reload compiles rules first

httplib::Client connection(const std::string& socket) {
  httplib::Client http(socket, kNoPort);
  http.set_address_family(AF_UNIX);
  http.set_connection_timeout(kConnectSeconds);
  http.set_read_timeout(kAnswerSeconds);
  return http;
}

/// A busy hub's queue of connections may be full for a moment, which looks like a refusal; nothing was sent
/// then.
template <typename Send>
httplib::Result patiently(Send&& send) {
  constexpr int kTries = 6;
  constexpr auto kPause = std::chrono::milliseconds(50);
  httplib::Result result = send();
  for (int i = 1; i < kTries && !result && result.error() == httplib::Error::Connection; ++i) {
    std::this_thread::sleep_for(kPause);
    result = send();
  }
  return result;
}

Result<Answer> understand(const std::string& socket, const httplib::Result& result) {
  if (!result) {
    std::string why = "nobody answers there; is the hub running?";
    if (::access(socket.c_str(), F_OK) != 0) {
      why = "there is no such socket; is the hub running?";
    } else if (::access(socket.c_str(), W_OK) != 0) {
      why = "permission denied; be root or in the socket's group";
    } else if (result.error() == httplib::Error::Read) {
      why = "the hub closed the connection or did not answer in time";
    }
    return fail(ErrorCode::unavailable, "cannot reach the hub at " + socket + ": " + why);
  }
  Answer answer{result->status, Json::parse(result->body, nullptr, false)};
  if (answer.body.is_discarded()) {
    return fail(ErrorCode::io, "what answers at " + socket + " is no hub: it does not speak JSON");
  }
  return answer;
}

std::string target_of(const std::string& path, const Client::Parameters& parameters) {
  httplib::Params params;
  for (const auto& [name, value] : parameters) params.emplace(name, value);
  return params.empty() ? path : path + "?" + httplib::detail::params_to_query_str(params);
}

}  // namespace

Result<Answer> Client::get(const std::string& path, const Parameters& parameters) const {
  const std::string target = target_of(path, parameters);
  return understand(socket_, patiently([&] { return connection(socket_).Get(target.c_str()); }));
}

Result<Answer> Client::post(const std::string& path) const { return post(path, {}, {}, "application/json"); }

Result<Answer> Client::post(const std::string& path, const Parameters& parameters, const std::string& body,
                            const std::string& type) const {
  const std::string target = target_of(path, parameters);
  return understand(socket_, patiently([&] {
                      httplib::Client http = connection(socket_);
                      http.set_write_timeout(kAnswerSeconds);
                      return http.Post(target.c_str(), body, type.c_str());
                    }));
}

Result<Answer> Client::remove(const std::string& path, const Parameters& parameters) const {
  const std::string target = target_of(path, parameters);
  return understand(socket_, patiently([&] { return connection(socket_).Delete(target.c_str()); }));
}

}  // namespace weir::cli
