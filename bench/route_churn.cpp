// weir_route_churn [SECONDS [CHANGES_PER_SECOND [IPV4_ROUTES [IPV6_ROUTES]]]]
//
// Routes of a full table go and come back at a rate, while another thread looks addresses up and checks each
// answer (route_churn.h). Fails if an answer is wrong or the rate is not held.
#include "bench/route_churn.h"

#include <cstdio>
#include <cstdlib>

int main(int argc, char** argv) {
  using namespace weir;
  const auto argument = [&](int i, double fallback) { return argc > i ? std::atof(argv[i]) : fallback; };
  const double seconds = argument(1, 10), rate = argument(2, 100'000);
  std::vector<bench::Route> routes =
      bench::BgpRoutes::make(net::Family::ipv4, static_cast<size_t>(argument(3, 1'000'000)));
  const auto more = bench::BgpRoutes::make(net::Family::ipv6, static_cast<size_t>(argument(4, 250'000)));
  routes.insert(routes.end(), more.begin(), more.end());
  bench::RouteChurn churn(std::move(routes));
  bench::RouteChurn::Settings settings;
  settings.changes = static_cast<uint64_t>(seconds * rate);
  settings.per_second = rate;
  const bench::RouteChurn::Result r = churn.run(settings);
  const double held = static_cast<double>(r.changes) / r.seconds;
  std::printf("changes %lu in %.2f s: %.0f a second, %.0f ns of CPU each\n", r.changes, r.seconds, held,
              r.cpu_seconds * 1e9 / static_cast<double>(r.changes));
  std::printf("look-ups %lu, of which undisturbed %lu, wrong %lu; decided again %lu, out of date %lu\n",
              r.lookups, r.undisturbed, r.wrong, r.decided_again, r.stale);
  const bool right = r.wrong == 0 && r.stale == 0 && r.undisturbed > 0;
  return right && held > 0.99 * rate ? 0 : 1;
}
