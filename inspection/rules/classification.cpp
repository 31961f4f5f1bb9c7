#include "inspection/rules/classification.h"

#include <algorithm>
#include <array>

namespace weir::inspection {

namespace {

// Sorted by name.
constexpr std::array kClasses = {
    Classification{"attempted-admin", "Attempted Administrator Privilege Gain", 1},
    Classification{"attempted-dos", "Attempted Denial of Service", 2},
    Classification{"attempted-recon", "Attempted Information Leak", 2},
    Classification{"attempted-user", "Attempted User Privilege Gain", 1},
    Classification{"bad-unknown", "Potentially Bad Traffic", 2},
    Classification{"coin-mining", "Crypto Currency Mining Activity Detected", 2},
    Classification{"command-and-control", "Malware Command and Control Activity Detected", 1},
    Classification{"credential-theft", "Successful Credential Theft Detected", 1},
    Classification{"default-login-attempt", "Attempt to login by a default username and password", 2},
    Classification{"denial-of-service", "Detection of a Denial of Service Attack", 2},
    Classification{"domain-c2", "Domain Observed Used for C2 Detected", 1},
    Classification{"exploit-kit", "Exploit Kit Activity Detected", 1},
    Classification{"external-ip-check", "Device Retrieving External IP Address Detected", 2},
    Classification{"icmp-event", "Generic ICMP event", 3},
    Classification{"misc-activity", "Misc activity", 3},
    Classification{"misc-attack", "Misc Attack", 2},
    Classification{"network-scan", "Detection of a Network Scan", 3},
    Classification{"non-standard-protocol", "Detection of a non-standard protocol or event", 2},
    Classification{"not-suspicious", "Not Suspicious Traffic", 3},
    Classification{"policy-violation", "Potential Corporate Privacy Violation", 1},
    Classification{"protocol-command-decode", "Generic Protocol Command Decode", 3},
    Classification{"pup-activity", "Possibly Unwanted Program Detected", 2},
    Classification{"rpc-portmap-decode", "Decode of an RPC Query", 2},
    Classification{"shellcode-detect", "Executable code was detected", 1},
    Classification{"social-engineering", "Possible Social Engineering Attempted", 2},
    Classification{"string-detect", "A suspicious string was detected", 3},
    Classification{"successful-admin", "Successful Administrator Privilege Gain", 1},
    Classification{"successful-dos", "Denial of Service", 2},
    Classification{"successful-recon-largescale", "Large Scale Information Leak", 2},
    Classification{"successful-recon-limited", "Information Leak", 2},
    Classification{"successful-user", "Successful User Privilege Gain", 1},
    Classification{"suspicious-filename-detect", "A suspicious filename was detected", 2},
    Classification{"suspicious-login", "An attempted login using a suspicious username was detected", 2},
    Classification{"system-call-detect", "A system call was detected", 2},
    Classification{"targeted-activity", "Targeted Malicious Activity was Detected", 1},
    Classification{"tcp-connection", "A TCP connection was detected", 4},
    Classification{"trojan-activity", "A Network Trojan was detected", 1},
    Classification{"unknown", "Unknown Traffic", 3},
    Classification{"unsuccessful-user", "Unsuccessful User Privilege Gain", 1},
    Classification{"unusual-client-port-connection", "A client was using an unusual port", 2},
    Classification{"web-application-activity", "access to a potentially vulnerable web application", 2},
    Classification{"web-application-attack", "Web Application Attack", 1},
};
static_assert(std::is_sorted(kClasses.begin(), kClasses.end(),
                             [](const auto& a, const auto& b) { return a.name < b.name; }));

}  // namespace

std::optional<Classification> find_classification(std::string_view name) {
  const auto found = std::lower_bound(kClasses.begin(), kClasses.end(), name,
                                      [](const Classification& c, std::string_view n) { return c.name < n; });
  if (found == kClasses.end() || found->name != name) return std::nullopt;
  return *found;
}

std::span<const Classification> all_classifications() { return kClasses; }

}  // namespace weir::inspection
