// The API: parameters, documents, errors; the server on a real socket; the text that people see.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "dataplane/core/verdict.h"
#include "fakes.h"
#include "mgmt/api/handlers.h"
#include "mgmt/api/server.h"
#include "mgmt/cli/alerts.h"
#include "mgmt/cli/client.h"
#include "mgmt/cli/print.h"
#include "mgmt/cli/top.h"

namespace weir::test {
namespace {

using api::Json;

class FakeSource final : public api::Source {
 public:
  Result<control::StatusView> status() override {
    control::StatusView view;
    view.hub = "hub-1";
    view.workers = {{0, 1, {{"rx", 10}, {"dropped", 2}}}};
    view.ports = {{"wan0", "af_xdp", "02:00:00:00:00:01", 1500, true}};
    view.attachments = {{"cloud-a",
                         "prod",
                         "vxlan vni 10",
                         "198.18.0.1",
                         "198.18.0.10",
                         false,
                         1450,
                         {"down", 75, "probe not answered", false, 2, 412, 11, 1100, 22, 2200}}};
    view.profiles = {{"default", 3, 1}};
    return view;
  }
  Result<control::TopView> top() override {
    control::TopView view{5'000'000'000, 2'000'000'000, 1'000, {}};
    view.workers = {{0, 1, {{"busy_ns", 7}, {"rx", 10}}, {{"rx", 0, 0, 0}, {"outer", 400, 20, 2}}}};
    return view;
  }
  Result<std::vector<control::DropView>> drops() override {
    return std::vector<control::DropView>{{"no_route", "session_create", "help", 0},
                                          {"tx_full", "tx", "full", 7}};
  }
  Result<control::SessionsView> sessions(size_t max) override {
    asked = max;
    control::SessionView s;
    s.protocol = 6;
    s.src = "10.1.0.5";
    s.src_port = 1000;
    s.dst = "2001:db8::1";
    s.dst_port = 80;
    s.packets[1] = 5;
    s.state = "established";
    return control::SessionsView{{s}, 9};
  }
  Result<control::RoutesView> routes(const control::RoutesQuery& query) override {
    routes_seen = query;
    if (query.domain == "nope") return fail(ErrorCode::not_found, "there is no domain \"nope\"");
    return control::RoutesView{{{"prod", {{"10.1.0.0/24", "cloud-a", "", 1, "own", "", "file"}}}}, true};
  }
  Result<control::PathAnswer> path(const control::PathQuery& query) override {
    query_seen = query;
    return control::PathAnswer{"deny", "policy_deny", {{"policy", false, "rule x: deny"}}, "x", {}, {}};
  }
  Result<std::vector<control::NatMapping>> nat_map(const control::NatMapQuery& query) override {
    map_query = query;
    return std::vector<control::NatMapping>{
        {"homes", "deterministic", "prod", "10.8.0.70", "", "203.0.113.17", "7024-8023"}};
  }
  control::NatMapQuery map_query;
  Result<control::ChangeView> reload() override { return reload_answer; }
  Result<control::RulesView> rules() override {
    control::RulesView view;
    view.generation = 3;
    view.since_s = 75;
    view.before = true;
    view.sessions_before = 9;
    view.profiles = {{"web", 3, 1, {"/etc/a.rules"}, {"a.rules:2: x"}, "ab12", 4096}};
    return view;
  }
  Result<control::RulesInForce> rules_in_force() override { return in_force; }
  control::RulesInForce in_force;
  Result<control::ChangeView> reload_rules() override { return reload_answer; }
  Result<events::AlertsView> alerts(std::optional<uint64_t> from, size_t max) override {
    return from ? alerts_kept.since(*from, max) : alerts_kept.latest(max);
  }
  events::RecentAlerts alerts_kept;
  Result<control::ChangeView> change(config::ModelChanges changes, bool dry_run) override {
    changes_seen = std::move(changes);
    dry_run_seen = dry_run;
    return change_answer;
  }

  control::RoutesQuery routes_seen;
  size_t asked = 0;
  control::PathQuery query_seen;
  Result<std::shared_ptr<const control::Configured>> configured(control::ConfiguredParts) override {
    return std::make_shared<const control::Configured>();
  }

  control::ChangeView reload_answer, change_answer;
  config::ModelChanges changes_seen;
  bool dry_run_seen = false;
};

api::Parameter parameters(std::map<std::string, std::string> values) {
  return [values = std::move(values)](const std::string& name) -> std::optional<std::string> {
    const auto at = values.find(name);
    return at == values.end() ? std::nullopt : std::optional<std::string>(at->second);
  };
}

TEST(ApiHandlers, StatusHasThePromisedFields) {
  FakeSource source;
  const api::Response response = api::get_status(source);
  EXPECT_EQ(response.status, 200);
  const Json& body = response.body;
  EXPECT_EQ(body["hub"], "hub-1");
  EXPECT_EQ(body["workers"][0]["rx"], 10);
  EXPECT_EQ(body["workers"][0]["core"], 1);
  EXPECT_EQ(body["ports"][0]["link"], "up");
  EXPECT_EQ(body["attachments"][0]["underlay"], "unresolved");
  EXPECT_EQ(body["attachments"][0]["state"], "down");
  EXPECT_EQ(body["attachments"][0]["since_s"], 75);
  EXPECT_EQ(body["attachments"][0]["reason"], "probe not answered");
  EXPECT_EQ(body["attachments"][0]["rtt_us"], 412);
  EXPECT_EQ(body["attachments"][0]["tx_bytes"], 2200);
  EXPECT_EQ(body["profiles"][0]["rules_refused"], 1);
  for (const char* key : {"version", "uptime_s", "held", "events_lost", "control_stalls"}) {
    EXPECT_TRUE(body.contains(key)) << key;
  }
  for (const char* key : {"file", "reloads", "last_reload"}) EXPECT_TRUE(body["config"].contains(key)) << key;
}

TEST(ApiHandlers, RulesHaveThePromisedFields) {
  FakeSource source;
  const Json expected = Json::parse(R"({"generation":3,"since_s":75,"rulesets_live":2,"sessions_before":9,
      "reload_waits":false,"profiles":[{"name":"web","files":["/etc/a.rules"],"rules_loaded":3,"rules_refused":1,
      "refused":["a.rules:2: x"],"digest":"ab12","bytes":4096}]})");
  EXPECT_EQ(api::get_rules(source).body, expected);
  const std::string text = cli::print_rules(api::get_rules(source).body);
  EXPECT_NE(text.find("web: /etc/a.rules"), std::string::npos) << text;
  EXPECT_NE(text.find("a.rules:2: x"), std::string::npos) << text;
  EXPECT_EQ(api::post_rules_reload(source).status, 200);
  source.reload_answer.problems = {"x"};
  EXPECT_EQ(api::post_rules_reload(source).status, 409);
  EXPECT_EQ(api::get_rules_top(source, parameters({})).status, 200);
  EXPECT_EQ(api::get_rules_explain(source, parameters({{"sid", "7"}})).status, 404);
  for (const char* sid : {"0", "x", "", "4294967296"})
    EXPECT_EQ(api::get_rules_explain(source, parameters({{"sid", sid}})).status, 400);
  EXPECT_EQ(api::post_rules_watch(source, parameters({{"sid", "7"}, {"session", "1"}})).status, 404);
  EXPECT_EQ(api::post_rules_watch(source, parameters({{"sid", "7"}})).status, 400);
  EXPECT_EQ(api::post_rules_watch(source, parameters({{"session", "1"}})).status, 400);
  EXPECT_EQ(api::get_rules_watch(source, parameters({{"sid", "7"}, {"watch", "1"}})).status, 404);
  EXPECT_EQ(api::get_rules_watch(source, parameters({{"sid", "7"}})).status, 400);
  EXPECT_EQ(api::delete_rules_watch(source, parameters({})).status, 400);
  for (const char* max : {"0", "100001", "x", ""})
    EXPECT_EQ(api::get_rules_top(source, parameters({{"max", max}})).status, 400);
}

TEST(ApiHandlers, AlertsFromANumberOn) {
  FakeSource source;
  for (int i = 1; i <= 4; ++i) source.alerts_kept.put(R"({"n":)" + std::to_string(i) + "}");
  EXPECT_EQ(api::get_alerts(source, parameters({{"max", "2"}})).body,
            Json::parse(R"({"alerts":[{"n":3},{"n":4}],"next":5,"lost":0})"));
  EXPECT_EQ(api::get_alerts(source, parameters({{"from", "2"}, {"max", "2"}})).body,
            Json::parse(R"({"alerts":[{"n":2},{"n":3}],"next":4,"lost":0})"));
  for (const char* bad : {"0", "1025", "x", ""})
    EXPECT_EQ(api::get_alerts(source, parameters({{"max", bad}})).status, 400) << bad;
  EXPECT_EQ(api::get_alerts(source, parameters({{"from", "-1"}})).status, 400);
}

TEST(CliAlerts, ALineForPeople) {
  const Json alert =
      Json::parse(R"({"timestamp":"2026-01-02T03:04:05.678901+0000","src_ip":"10.1.0.10","src_port":41234,
      "dest_ip":"2001:db8::1","dest_port":80,"proto":"TCP","alert":{"action":"blocked","gid":1,"signature_id":5,"rev":2,
      "signature":"bad\u001b thing","severity":1},"http":{"hostname":"h","url":"/x","http_method":"GET"},
      "weir":{"from_domain":"prod","to_domain":"dmz","policy_rule":"web"}})");
  EXPECT_EQ(cli::alert_line(alert),
            "2026-01-02T03:04:05.678901+0000 blocked [1:5:2] bad thing [priority 1] {TCP} 10.1.0.10:41234 -> "
            "[2001:db8::1]:80 GET h/x (prod to dmz, rule web)");
  EXPECT_FALSE(cli::alert_line(Json()).empty());
  EXPECT_FALSE(cli::alert_line(Json{{"alert", 3}, {"dns", {{"queries", 1}}}, {"weir", "x"}}).empty());
}

TEST(ApiHandlers, TopHasThePromisedFields) {
  FakeSource source;
  const api::Response response = api::get_top(source);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body.dump(),
            R"({"now_ns":5000000000,"cycles_per_second":2000000000,"stall_us":1000,"workers":[)"
            R"({"worker":0,"core":1,"busy_ns":7,"rx":10,"stages":[)"
            R"({"stage":"rx","cycles":0,"packets":0,"calls":0},)"
            R"({"stage":"outer","cycles":400,"packets":20,"calls":2}]}]})");
}

TEST(ApiHandlers, DropsListZeroesToo) {
  FakeSource source;
  const Json body = api::get_drops(source).body;
  ASSERT_EQ(body["drops"].size(), 2u);
  EXPECT_EQ(body["drops"][0]["count"], 0);
  EXPECT_EQ(body["drops"][1]["reason"], "tx_full");
}

TEST(ApiHandlers, SessionsAreBounded) {
  FakeSource source;
  for (const char* bad : {"0", "-1", "10001", "1e3", "", " 5", "99999999999999999999"}) {
    EXPECT_EQ(api::get_sessions(source, parameters({{"max", bad}})).status, 400) << bad;
  }
  EXPECT_EQ(source.asked, 0u);
  const Json body = api::get_sessions(source, parameters({{"max", "10000"}})).body;
  EXPECT_EQ(source.asked, 10'000u);
  EXPECT_EQ(body["sessions"][0]["proto"], "tcp");
  EXPECT_EQ(body["sessions"][0]["packets"], (Json{0, 5}));
  EXPECT_EQ(body["total"], 9);
  EXPECT_EQ(api::get_sessions(source, parameters({})).status, 200);
  EXPECT_EQ(source.asked, api::kDefaultSessions);
}

TEST(ApiHandlers, SaysWhatAnAddressIsMappedTo) {
  FakeSource source;
  const auto answer = api::get_nat_map(
      source, parameters({{"address", "203.0.113.17"}, {"port", "7100"}, {"domain", "prod"}}));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(source.map_query.address, *net::parse_ip("203.0.113.17"));
  EXPECT_EQ(source.map_query.port, 7'100);
  EXPECT_EQ(source.map_query.domain, "prod");
  EXPECT_EQ(answer.body["mappings"][0]["inside"], "10.8.0.70");
  const std::string text = cli::print_nat_map(answer.body);
  EXPECT_NE(text.find("7024-8023"), std::string::npos) << text;
  EXPECT_EQ(api::get_nat_map(source, parameters({{"address", "10.8.0.70"}})).status, 200);
  EXPECT_FALSE(source.map_query.port);
  using Row = std::vector<std::pair<std::string, std::string>>;
  for (const Row& wrong :
       {Row{}, Row{{"address", "x"}}, Row{{"address", "10.8.0.70"}, {"port", "0"}},
        Row{{"address", "10.8.0.70"}, {"port", "65536"}}, Row{{"address", "10.8.0.70"}, {"port", "7x"}}}) {
    std::map<std::string, std::string> in(wrong.begin(), wrong.end());
    EXPECT_EQ(api::get_nat_map(source, parameters(in)).status, 400);
  }
}

TEST(ApiHandlers, PathParameters) {
  struct Row {
    const char* name;
    std::map<std::string, std::string> in;
    const char* error;
  };
  const Row rows[] = {
      {"no from", {{"to", "10.2.0.5"}, {"proto", "tcp"}, {"port", "80"}}, "from"},
      {"bad to", {{"from", "10.1.0.5"}, {"to", "x"}, {"proto", "tcp"}, {"port", "80"}}, "to"},
      {"no proto", {{"from", "10.1.0.5"}, {"to", "10.2.0.5"}}, "proto"},
      {"port 0", {{"from", "10.1.0.5"}, {"to", "10.2.0.5"}, {"proto", "udp"}, {"port", "0"}}, "port"},
      {"port too large",
       {{"from", "10.1.0.5"}, {"to", "10.2.0.5"}, {"proto", "tcp"}, {"port", "65536"}},
       "port"},
      // What a rule cannot ask for no session has, and a session has no patterns.
      {"no name",
       {{"from", "10.1.0.5"}, {"to", "10.2.0.5"}, {"proto", "tcp"}, {"port", "80"}, {"sni", ""}},
       "sni: \"\": the name is empty"},
      {"a pattern",
       {{"from", "10.1.0.5"},
        {"to", "10.2.0.5"},
        {"proto", "tcp"},
        {"port", "80"},
        {"http_host", "*.example.org"}},
       "http_host: \"*.example.org\": a session has a name, not a pattern"},
      {"no name of UDP",
       {{"from", "10.1.0.5"},
        {"to", "10.2.0.5"},
        {"proto", "udp"},
        {"port", "443"},
        {"http_host", "a.example"}},
       "http_host: a session over UDP never has one, only sni and app"},
      {"no name of ICMP",
       {{"from", "10.1.0.5"}, {"to", "10.2.0.5"}, {"proto", "icmp"}, {"sni", "a.example"}},
       "sni: a session over ICMP never has one"},
      {"no application",
       {{"from", "10.1.0.5"}, {"to", "10.2.0.5"}, {"proto", "tcp"}, {"port", "80"}, {"app", "kong"}},
       "app: \"kong\": expected one of kong-cluster"},
      {"no SPIFFE ID",
       {{"from", "10.1.0.5"},
        {"to", "10.2.0.5"},
        {"proto", "tcp"},
        {"port", "80"},
        {"spiffe", "demo/backend"}},
       "spiffe: \"demo/backend\": a SPIFFE ID begins with"},
  };
  for (const Row& row : rows) {
    const auto query = api::parse_path_query(parameters(row.in));
    ASSERT_FALSE(query) << row.name;
    EXPECT_EQ(query.error().message.rfind(row.error, 0) == 0 ||
                  query.error().message.find(row.error) != std::string::npos,
              true)
        << row.name;
    FakeSource source;
    EXPECT_EQ(api::get_path(source, parameters(row.in)).status, 400) << row.name;
  }
  const auto query = api::parse_path_query(
      parameters({{"from", "prod/2001:db8::5"}, {"to", "2001:db8:2::5"}, {"proto", "icmp"}}));
  ASSERT_TRUE(query);
  EXPECT_EQ(query->domain, "prod");
  EXPECT_EQ(query->protocol, 58);
}

TEST(ApiHandlers, FailedReloadIsAConflictWithAllProblems) {
  FakeSource source;
  EXPECT_EQ(api::post_reload(source).status, 200);
  source.reload_answer.problems = {"a.toml:1:2: one", "a.toml:3:4: two"};
  const api::Response response = api::post_reload(source);
  EXPECT_EQ(response.status, 409);
  EXPECT_EQ(response.body["error"]["problems"].size(), 2u);
  EXPECT_EQ(response.body["error"]["code"], "refused");
}

TEST(ApiHandlers, ErrorsHaveStatusAndCode) {
  FakeSource source;
  const api::Response response = api::get_routes(source, parameters({{"domain", "nope"}}));
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.body["error"]["code"], "not_found");
}

TEST(ApiHandlers, RoutesAreBoundedAndFiltered) {
  FakeSource source;
  EXPECT_EQ(api::get_routes(source, parameters({{"prefix", "10.0.0.0/33"}})).status, 400);
  EXPECT_EQ(api::get_routes(source, parameters({{"max", "0"}})).status, 400);
  EXPECT_EQ(api::get_routes(source, parameters({{"max", "100001"}})).status, 400);
  const api::Response response =
      api::get_routes(source, parameters({{"domain", "prod"}, {"prefix", "10.1.0.0/16"}, {"max", "7"}}));
  EXPECT_EQ(source.routes_seen.within, net::parse_prefix("10.1.0.0/16"));
  EXPECT_EQ(source.routes_seen.max, 7u);
  EXPECT_EQ(response.body["domains"][0]["routes"][0]["origin"], "file");
  EXPECT_NE(cli::print_routes(response.body).find("and more; "), std::string::npos);
}

TEST(ApiJson, BytesThatAreNoTextAreReplaced) {
  const std::string text = api::text_of(api::to_json(Error{ErrorCode::invalid, "\xff\xfe"}));
  EXPECT_NE(text.find("error"), std::string::npos);
  EXPECT_TRUE(Json::accept(text));
}

class ApiServer : public ::testing::Test {
 protected:
  ApiServer() {
    char folder[] = "/tmp/weir-api-XXXXXX";
    folder_ = mkdtemp(folder);
    socket_ = folder_ + "/weir.sock";
  }
  ~ApiServer() override { std::filesystem::remove_all(folder_); }
  std::string folder_, socket_;
  FakeSource source_;
};

TEST_F(ApiServer, ServesOverASocketOfItsOwnerAndGroup) {
  {
    const auto server = api::Server::start(socket_, 1, source_, [] {});
    ASSERT_TRUE(server) << server.error().message;
    struct stat status {};
    ASSERT_EQ(stat(socket_.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0660u);
    const cli::Client client(socket_);
    const auto answer = client.get("/v1/status");
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->body["hub"], "hub-1");
    const auto path = client.get(
        "/v1/path", {{"from", "prod/10.1.0.5"}, {"to", "10.2.0.5"}, {"proto", "tcp"}, {"port", "80"}});
    ASSERT_TRUE(path);
    EXPECT_EQ(source_.query_seen.domain, "prod");
    EXPECT_EQ(client.get("/v1/top")->body["workers"][0]["stages"][1]["cycles"], 400);
    EXPECT_EQ(client.get("/v1/nope")->status, 404);
    EXPECT_EQ(client.get("/v1/nope")->body["error"]["code"], "not_found");
  }
  EXPECT_FALSE(std::filesystem::exists(socket_));
}

TEST_F(ApiServer, StaleSocketIsReplacedLivingOneIsNot) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socket_.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ::close(fd);  // as a killed hub leaves it
  const auto first = api::Server::start(socket_, 1, source_, [] {});
  ASSERT_TRUE(first) << first.error().message;
  const auto second = api::Server::start(socket_, 1, source_, [] {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::in_use);
  EXPECT_TRUE(cli::Client(socket_).get("/v1/drops"));
}

TEST_F(ApiServer, FileInTheWayIsLeftAlone) {
  std::ofstream(socket_) << "precious";
  const auto server = api::Server::start(socket_, 1, source_, [] {});
  ASSERT_FALSE(server);
  EXPECT_TRUE(std::filesystem::exists(socket_));
}

TEST_F(ApiServer, HostileRequestsDoNotStopIt) {
  const auto server = api::Server::start(socket_, 1, source_, [] {});
  ASSERT_TRUE(server);
  const std::string hostile[] = {"",
                                 "\r\n\r\n",
                                 "GET",
                                 "GET / HTTP/9.9\r\n\r\n",
                                 std::string(100'000, 'A'),
                                 "GET /v1/sessions?max=" + std::string(20'000, '9') + " HTTP/1.1\r\n\r\n",
                                 "POST /v1/reload HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\nx",
                                 std::string("GET /v1/path?from=%00%ff%zz HTTP/1.1\r\n\r\n")};
  for (const std::string& bytes : hostile) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socket_.copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    (void)::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    ::close(fd);
  }
  const auto answer = cli::Client(socket_).get("/v1/status");
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 200);
}

TEST(CliClient, NamesTheSocketThatNobodyAnswersOn) {
  const auto answer = cli::Client("/tmp/no-such-weir.sock").get("/v1/status");
  ASSERT_FALSE(answer);
  EXPECT_NE(answer.error().message.find("/tmp/no-such-weir.sock"), std::string::npos);
}

TEST(CliPrint, TablesAreAligned) {
  EXPECT_EQ(cli::table({"a", "count"}, {{"long name", "7"}, {"b", "12345"}}, {false, true}),
            "a          count\nlong name      7\nb          12345\n");
}

TEST(CliPrint, ShowsWhatTheApiSays) {
  FakeSource source;
  const std::string status = cli::print_status(api::get_status(source).body);
  const std::string attachments = cli::print_attachments(api::get_status(source).body);
  EXPECT_NE(attachments.find("down    75 s  probe not answered  412 us"), std::string::npos) << attachments;
  EXPECT_NE(status.find("hub-1"), std::string::npos);
  EXPECT_NE(status.find("unresolved"), std::string::npos);
  const Json drops = api::get_drops(source).body;
  EXPECT_EQ(cli::print_drops(drops, false).find("no_route"), std::string::npos);
  EXPECT_NE(cli::print_drops(drops, true).find("no_route"), std::string::npos);
  const std::string sessions = cli::print_sessions(api::get_sessions(source, parameters({})).body);
  EXPECT_NE(sessions.find("[2001:db8::1]:80"), std::string::npos);
  EXPECT_NE(sessions.find("1 of 9 sessions"), std::string::npos);
  const std::string path = cli::print_path(api::to_json(source.path({}).value()));
  EXPECT_NE(path.find("STOP"), std::string::npos);
  EXPECT_NE(path.find("deny (policy_deny)"), std::string::npos);
  const std::string tested = cli::print_policy_test(api::to_json(source.path({}).value()));
  EXPECT_TRUE(tested.starts_with("deny (policy_deny, rule x)")) << tested;
}

TEST(CliPrint, SurvivesDocumentsOfAnyShape) {
  const Json shapes[] = {Json(),
                         Json::array(),
                         Json("x"),
                         Json{{"workers", 3}},
                         Json{{"sessions", {1, "x", nullptr}}},
                         Json{{"domains", {nullptr}}},
                         Json{{"error", "x"}},
                         Json{{"workers", {nullptr, 1, {{"stages", {nullptr, 7, {{"stage", 1}}}}}}}},
                         Json{{"workers", {{{"rx", -1}, {"busy_ns", "x"}, {"stages", 3}}}}},
                         Json{{"steps", {{{"ok", "yes"}}}}}};
  for (const Json& shape : shapes) {
    EXPECT_FALSE(cli::print_status(shape).empty());
    EXPECT_FALSE(cli::print_sessions(shape).empty());
    EXPECT_NO_THROW(cli::print_routes(shape));
    EXPECT_FALSE(cli::print_drops(shape, true).empty());
    EXPECT_FALSE(cli::print_path(shape).empty());
    EXPECT_FALSE(cli::print_reload(shape).empty());
    EXPECT_FALSE(cli::print_rules(shape).empty());
    EXPECT_FALSE(cli::print_error(shape).empty());
    for (const Json& before : shapes) EXPECT_FALSE(cli::print_top(before, shape).empty());
  }
}

}  // namespace
}  // namespace weir::test
