#include "mgmt/api/server.h"

#include <httplib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>

#include "mgmt/api/changes.h"
#include "mgmt/api/configured.h"
#include "mgmt/api/handlers.h"

namespace weir::api {

namespace {

using Request = httplib::Request;
using Out = httplib::Response;

constexpr size_t kThreads = 4;
constexpr size_t kMebibyte = 1u << 20;
constexpr time_t kReadTimeoutMicros = 500'000;  // of a request that has begun: clients are on this machine
constexpr time_t kFirstByteSeconds = 1;
constexpr mode_t kSocketMode = 0660;

/// Frees the path for a new socket, or says who has it.
Status make_way(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return fail(ErrorCode::invalid, "the path of the API's socket is too long: " + path);
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    std::error_code error;
    const auto folder = std::filesystem::path(path).parent_path();
    if (!folder.empty()) std::filesystem::create_directories(folder, error);
    if (error)
      return fail(ErrorCode::io, "cannot create the folder " + folder.string() + ": " + error.message());
    return {};
  }
  if (!S_ISSOCK(status.st_mode)) return fail(ErrorCode::in_use, path + " is there already and is no socket");
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail(ErrorCode::io, std::string("cannot make a socket: ") + std::strerror(errno));
  const bool answered = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  const int error = errno;
  ::close(fd);
  if (answered) return fail(ErrorCode::in_use, "address in use: another hub answers on " + path);
  if (error != ECONNREFUSED) return fail(ErrorCode::io, "cannot use " + path + ": " + std::strerror(error));
  ::unlink(path.c_str());
  return {};
}

void send(const Response& response, httplib::Response& out) {
  out.status = response.status;
  out.set_content(text_of(response.body), "application/json");
}

Parameter parameters_of(const httplib::Request& request) {
  return [&request](const std::string& name) {
    return request.has_param(name) ? std::optional<std::string>(request.get_param_value(name)) : std::nullopt;
  };
}

/// What the server itself refuses.
Error refusal(const Request& in, int status, size_t max_request_mib) {
  if (status == 404)
    return {ErrorCode::not_found, "no such request: " + in.method + " " + config::in_quotes(in.path)};
  if (status == 413) {
    return {ErrorCode::invalid, "the request is larger than api.max_request_mib allows, " +
                                    std::to_string(max_request_mib) + " MiB"};
  }
  return {ErrorCode::invalid,
          "the request is not understood: " + in.method + " " + config::in_quotes(in.path)};
}

void add_routes(httplib::Server& http, Source& source, size_t max_request_mib) {
  http.Get("/v1/status", [&source](const Request&, Out& out) { send(get_status(source), out); });
  http.Get("/v1/top", [&source](const Request&, Out& out) { send(get_top(source), out); });
  http.Get("/v1/drops", [&source](const Request&, Out& out) { send(get_drops(source), out); });
  http.Get("/v1/sessions",
           [&source](const Request& in, Out& out) { send(get_sessions(source, parameters_of(in)), out); });
  http.Get("/v1/routes",
           [&source](const Request& in, Out& out) { send(get_routes(source, parameters_of(in)), out); });
  http.Get("/v1/path",
           [&source](const Request& in, Out& out) { send(get_path(source, parameters_of(in)), out); });
  http.Get("/v1/nat/map",
           [&source](const Request& in, Out& out) { send(get_nat_map(source, parameters_of(in)), out); });
  http.Get("/v1/rules", [&source](const Request&, Out& out) { send(get_rules(source), out); });
  http.Get("/v1/rules/top",
           [&source](const Request& in, Out& out) { send(get_rules_top(source, parameters_of(in)), out); });
  http.Get("/v1/rules/explain", [&source](const Request& in, Out& out) {
    send(get_rules_explain(source, parameters_of(in)), out);
  });
  http.Post("/v1/rules/watch", [&source](const Request& in, Out& out) {
    send(post_rules_watch(source, parameters_of(in)), out);
  });
  http.Get("/v1/rules/watch",
           [&source](const Request& in, Out& out) { send(get_rules_watch(source, parameters_of(in)), out); });
  http.Delete("/v1/rules/watch", [&source](const Request& in, Out& out) {
    send(delete_rules_watch(source, parameters_of(in)), out);
  });
  http.Post("/v1/rules/reload",
            [&source](const Request&, Out& out) { send(post_rules_reload(source), out); });
  http.Get("/v1/alerts",
           [&source](const Request& in, Out& out) { send(get_alerts(source, parameters_of(in)), out); });
  http.Post("/v1/reload", [&source](const Request&, Out& out) { send(post_reload(source), out); });
  for (const std::string_view kind : listed_kinds()) {
    http.Get("/v1/" + plural_of(kind),
             [&source, kind](const Request&, Out& out) { send(get_configured(source, kind), out); });
  }
  http.Get("/v1/config",
           [&source](const Request& in, Out& out) { send(get_config(source, parameters_of(in)), out); });
  http.Get("/v1/config/diff", [&source](const Request&, Out& out) { send(get_config_diff(source), out); });
  http.Post("/v1/config/save",
            [&source](const Request& in, Out& out) { send(post_save(source, parameters_of(in)), out); });
  http.Post("/v1/changes", [&source](const Request& in, Out& out) {
    const std::string type = in.get_header_value("Content-Type");
    send(post_changes(source, parameters_of(in), {in.body, type}), out);
  });
  http.set_error_handler([max_request_mib](const Request& in, Out& out) {
    if (!out.body.empty()) return;  // a handler's own error
    send({out.status, to_json(refusal(in, out.status, max_request_mib))}, out);
  });
}

}  // namespace

struct Server::Impl {
  httplib::Server http;
  std::string path;
  std::thread thread;
};

Result<std::unique_ptr<Server>> Server::start(const std::string& socket, size_t max_request_mib,
                                              Source& source, std::function<void()> on_start) {
  if (const Status free = make_way(socket); !free) return tl::unexpected(free.error());
  std::unique_ptr<Server> server(new Server);
  server->impl_ = std::make_unique<Impl>();
  Impl& impl = *server->impl_;
  impl.http.set_address_family(AF_UNIX);
  impl.http.set_socket_options([](int) {});  // the default ones are about TCP ports
  impl.http.set_payload_max_length(max_request_mib * kMebibyte);
  impl.http.set_read_timeout(0, kReadTimeoutMicros);
  impl.http.set_keep_alive_max_count(1);  // one request a connection, so that no idle one delays the stop
  impl.http.set_keep_alive_timeout(kFirstByteSeconds);
  impl.http.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
  add_routes(impl.http, source, max_request_mib);
  constexpr int kNoPort = 80;  // Unix sockets have none, but 0 would mean: any
  if (!impl.http.bind_to_port(socket, kNoPort)) {
    return fail(ErrorCode::io, "cannot listen on " + socket + ": " + std::strerror(errno));
  }
  impl.path = socket;
  if (::chmod(socket.c_str(), kSocketMode) != 0) {
    return fail(ErrorCode::io, "cannot set the mode of " + socket + ": " + std::strerror(errno));
  }
  impl.thread = std::thread([&impl, on_start = std::move(on_start)] {
    on_start();
    impl.http.listen_after_bind();
  });
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  while (!impl.http.is_running()) {
    if (std::chrono::steady_clock::now() > deadline) {
      return fail(ErrorCode::internal, "the API's server did not start on " + socket);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return server;
}

Server::~Server() {
  if (!impl_) return;
  impl_->http.stop();
  if (impl_->thread.joinable()) impl_->thread.join();
  if (!impl_->path.empty()) ::unlink(impl_->path.c_str());
}

}  // namespace weir::api
