#include "mgmt/cli/rules_watch.h"

#include <chrono>
#include <thread>

#include "mgmt/cli/answer.h"
#include "mgmt/cli/fields.h"

namespace weir::cli {

namespace {

constexpr auto kPause = std::chrono::milliseconds(200);

}  // namespace

int watch_rule(const Client& client, bool json, const RuleWatchRequest& request) {
  Client::Parameters begin = request.rule;
  begin.emplace_back("session", request.session);
  const auto begun = client.post("/v1/rules/watch", begin, {}, "application/json");
  if (!begun || !begun->ok()) return show(json, begun, [](const Json&) { return std::string(); });
  const Client::Parameters watch{{"watch", text(begun->body, "watch")}};
  Client::Parameters question = request.rule;
  question.insert(question.end(), watch.begin(), watch.end());
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::duration<double>(request.seconds);
  auto answer = client.get("/v1/rules/watch", question);
  while (answer && answer->ok() && number(answer->body, "fired") == 0 &&
         std::chrono::steady_clock::now() < give_up) {
    std::this_thread::sleep_for(kPause);
    answer = client.get("/v1/rules/watch", question);
  }
  const int code = show(json, answer, [&](const Json& body) { return print_rule_watch(body, request); });
  // If this is not heard, the next watch ends it.
  (void)client.remove("/v1/rules/watch", watch);
  return code;
}

std::string print_rule_watch(const Json& answer, const RuleWatchRequest& request) {
  const std::string session = "session " + request.session;
  if (number(answer, "fired") != 0)
    return session + ": fired " + text(answer, "fired") +
           (number(answer, "fired") == 1 ? " time\n" : " times\n");
  if (number(answer, "packets") == 0) {
    return session +
           ": nothing of it was judged meanwhile. It was silent, or it is not inspected, bypassed or over.\n";
  }
  const std::string packets =
      text(answer, "packets") + (number(answer, "packets") == 1 ? " packet" : " packets");
  if (!answer.contains("furthest") || !answer["furthest"].is_string())
    return session + ": did not fire in " + packets + ", which had nothing that it is held against\n";
  return session + ": did not fire in " + packets + "\n  " + text(answer, "furthest") + "\n";
}

}  // namespace weir::cli
