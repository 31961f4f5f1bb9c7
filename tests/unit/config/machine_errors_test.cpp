// Cores, limits, ports.
#include <gtest/gtest.h>

#include "tests/unit/config/samples.h"

namespace weir::config::test {
namespace {

using enum Base;

/// A worker, and a port that is `text`.
std::string port(const std::string& text) { return "[worker]\ncores = [1]\n" + text; }

std::string many_ports(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    text += i == 32 ? "@@" : "";
    text += "[[port]]\nname = \"p" + std::to_string(i) + "\"\ndriver = \"null\"\n";
  }
  return port(text);
}

std::string many_cores(int count) {
  std::string text = "[[port]]\nname = \"a\"\ndriver = \"null\"\n[worker]\ncores = ";
  if (count > 64) text += "@@";
  for (int i = 0; i < count; ++i) text += (i == 0 ? "[" : ",") + std::to_string(i);
  return text + "]\n";
}

const ErrorRow kRows[] = {
    {"overload that never ends",
     machine,
     "[limits]\ninspection_queue = @@8193\noverload_begin = 40\noverload_end = @@40\n",
     {"limits.inspection_queue: 8193 is more than half of limits.packet_buffers",
      "limits.overload_end: 40 has to be below limits.overload_begin (40)"},
     "[limits]\noverload_begin = 40\noverload_end = 39\ninspection_queue = 8192\n"},
    {"no core",
     nothing,
     "[worker]\ncores = @@[]\n[[port]]\nname = \"a\"\ndriver = \"null\"\n",
     {"worker.cores: an empty list; at least one element is needed"},
     text_of(machine)},
    {"a core twice",
     nothing,
     "[worker]\ncores = [1, 2, @@1]\n[[port]]\nname = \"a\"\ndriver = \"null\"\n",
     {"worker.cores: core 1 is listed twice"},
     text_of(machine)},
    {"too many cores",
     nothing,
     many_cores(65),
     {"worker.cores: 65 elements; at most 64 are possible"},
     many_cores(64)},
    {"negative core",
     nothing,
     "[worker]\ncores = [@@-1]\n[[port]]\nname = \"a\"\ndriver = \"null\"\n",
     {"worker.cores: -1 is not a whole number from 0 to 1023"},
     text_of(machine)},
    {"ring size",
     machine,
     "[limits]\nring_size = @@1000\n",
     {"limits.ring_size: 1000 is not a power of two from 64 to 65536"},
     "[limits]\nring_size = 1024\n"},
    {"held packets",
     machine,
     "[limits]\npacket_buffers = 2048\nheld_fragments = 2\nheld_packets = @@513\n",
     {"limits.held_packets: 513 is more than a quarter of limits.packet_buffers (2048)"},
     "[limits]\npacket_buffers = 2048\nheld_fragments = 2\nheld_packets = 510\n"},
    {"held packets by default",
     machine,
     "@@[limits]\npacket_buffers = 2048\n",
     {"limits.held_packets: 1024 is more than a quarter"},
     "[limits]\npacket_buffers = 12288\n"},
    {"held packets and fragments",
     machine,
     "[limits]\npacket_buffers = 4096\nheld_packets = 24\nheld_fragments = @@1001\n",
     {"limits.held_fragments: 1001 and limits.held_packets (24) are together more than a quarter of "
      "limits.packet_buffers (4096)"},
     "[limits]\npacket_buffers = 4096\nheld_packets = 24\nheld_fragments = 1000\n"},
    {"held per neighbour",
     machine,
     "[limits]\nheld_packets = 16\nheld_per_neighbor = @@17\n",
     {"limits.held_per_neighbor: 17 is more than limits.held_packets (16)"},
     "[limits]\nheld_packets = 16\nheld_per_neighbor = 16\n"},
    {"inspected sessions",
     nothing,
     "[worker]\ncores = [1, 2]\n[[port]]\nname = \"a\"\ndriver = \"null\"\n[limits]\ninspected_sessions = "
     "@@1\n",
     {"limits.inspected_sessions: 1 sessions cannot be shared out over 2 workers"},
     "[worker]\ncores = [1, 2]\n[[port]]\nname = \"a\"\ndriver = \"null\"\n[limits]\ninspected_sessions = "
     "2\n"},
    {"socket too long",
     machine,
     "[api]\nsocket = @@\"/" + std::string(107, 'x') + "\"\n",
     {"api.socket: the path of a Unix socket has at most 107 bytes; this one, made absolute, has 108"},
     "[api]\nsocket = \"/" + std::string(106, 'x') + "\"\n"},
    {"empty socket",
     machine,
     "[api]\nsocket = @@\"\"\n",
     {"api.socket: \"\" is not a file name"},
     "[api]\nsocket = \"x\"\n"},
    {"unknown driver",
     nothing,
     port("[[port]]\nname = \"a\"\ndriver = @@\"afxdp\"\n"),
     {"port[].driver: \"afxdp\" is not one of \"af_xdp\", \"af_packet\", \"tap\", \"pcap\", \"null\" and "
      "\"pci\""},
     port("[[port]]\nname = \"a\"\ndriver = \"null\"\n")},
    {"the memory driver is for tests",
     nothing,
     port("[[port]]\nname = \"a\"\ndriver = @@\"memory\"\n"),
     {"port[].driver: \"memory\" is not one of"},
     port("[[port]]\nname = \"a\"\ndriver = \"null\"\n")},
    {"af_xdp without interface",
     nothing,
     port("@@[[port]]\nname = \"a\"\n"),
     {"port[].interface: missing; it is required with driver \"af_xdp\""},
     port("[[port]]\nname = \"a\"\ninterface = \"eth0\"\n")},
    {"af_packet without interface",
     nothing,
     port("@@[[port]]\nname = \"a\"\ndriver = \"af_packet\"\n"),
     {"port[].interface: missing; it is required with driver \"af_packet\""},
     port("[[port]]\nname = \"a\"\ndriver = \"af_packet\"\ninterface = \"eth0\"\n")},
    {"pci without address",
     nothing,
     port("@@[[port]]\nname = \"a\"\ndriver = \"pci\"\n"),
     {"port[].pci: missing; it is required with driver \"pci\""},
     port("[[port]]\nname = \"a\"\ndriver = \"pci\"\npci = \"0000:03:00.1\"\n")},
    {"pci of a wrong form",
     nothing,
     port("[[port]]\nname = \"a\"\ndriver = \"pci\"\npci = @@\"03:00.1\"\n"),
     {"port[].pci: \"03:00.1\" is not a PCI address such as \"0000:03:00.0\""},
     port("[[port]]\nname = \"a\"\ndriver = \"pci\"\npci = \"0000:03:00.1\"\n")},
    {"interface with pci",
     nothing,
     port("[[port]]\nname = \"a\"\ndriver = \"pci\"\npci = \"0000:03:00.1\"\ninterface = @@\"eth0\"\n"),
     {"port[].interface: there is no such thing with driver \"pci\"; leave the key out"},
     port("[[port]]\nname = \"a\"\ndriver = \"pci\"\npci = \"0000:03:00.1\"\n")},
    {"pci with af_xdp",
     machine,
     "[[port]]\nname = \"b\"\ninterface = \"eth2\"\npci = @@\"0000:03:00.1\"\n",
     {"port[].pci: there is no such thing with driver \"af_xdp\""},
     "[[port]]\nname = \"b\"\ninterface = \"eth2\"\n"},
    {"pcap files with null",
     machine,
     "[[port]]\nname = \"b\"\ndriver = \"null\"\nrx_pcap = @@\"a\"\ntx_pcap = @@\"b\"\n",
     {"port[].rx_pcap: there is no such thing with driver \"null\"",
      "port[].tx_pcap: there is no such thing"},
     "[[port]]\nname = \"b\"\ndriver = \"pcap\"\nrx_pcap = \"a\"\ntx_pcap = \"b\"\n"},
    {"one pcap file for both",
     machine,
     "[[port]]\nname = \"b\"\ndriver = \"pcap\"\nrx_pcap = \"a\"\ntx_pcap = @@\"./a\"\n",
     {"port[].tx_pcap: the same file as rx_pcap"},
     "[[port]]\nname = \"b\"\ndriver = \"pcap\"\nrx_pcap = \"a\"\n"},
    {"gateway with af_xdp",
     machine,
     "[[port]]\nname = \"b\"\ninterface = \"eth2\"\naddress = [\"198.19.0.1/24\"]\ngateway = "
     "@@[\"198.19.0.2\"]\n",
     {"port[].gateway: not possible with driver \"af_xdp\": the kernel's routes are used"},
     "[[port]]\nname = \"b\"\ndriver = \"null\"\naddress = [\"198.19.0.1/24\"]\ngateway = "
     "[\"198.19.0.2\"]\n"},
    {"gateway off-link",
     machine,
     "[[port]]\nname = \"b\"\ndriver = \"null\"\naddress = [\"198.19.0.1/24\"]\ngateway = "
     "[@@\"198.19.1.2\"]\n",
     {"port[].gateway: 198.19.1.2 lies in the subnet of none of the port's addresses"},
     "[[port]]\nname = \"b\"\ndriver = \"null\"\naddress = [\"198.19.0.1/24\"]\ngateway = "
     "[\"198.19.0.2\"]\n"},
    {"gateway is the port itself",
     machine,
     "[[port]]\nname = \"b\"\ndriver = \"null\"\naddress = [\"198.19.0.1/24\"]\ngateway = "
     "[@@\"198.19.0.1\"]\n",
     {"port[].gateway: this is the hub's own address, on line 10; the gateway is another router"},
     "[[port]]\nname = \"b\"\ndriver = \"null\"\naddress = [\"198.19.0.1/24\"]\ngateway = "
     "[\"198.19.0.2\"]\n"},
    {"gateway is broadcast",
     machine,
     "[[port]]\nname = \"b\"\ndriver = \"null\"\naddress = [\"198.19.0.1/24\"]\ngateway = "
     "[@@\"198.19.0.255\"]\n",
     {"port[].gateway: \"198.19.0.255\" is the broadcast address"},
     "[[port]]\nname = \"b\"\ndriver = \"null\"\naddress = [\"198.19.0.1/31\"]\ngateway = "
     "[\"198.19.0.0\"]\n"},
    {"gateway is another port of the hub",
     machine,
     "[[port]]\nname = \"b\"\ndriver = \"null\"\naddress = [\"198.19.0.1/24\"]\ngateway = "
     "[@@\"198.18.0.1\"]\n",
     {"port[].gateway: this is the hub's own address, on line 6; the gateway is another router"},
     "[[port]]\nname = \"b\"\ndriver = \"null\"\naddress = [\"198.19.0.1/24\"]\ngateway = "
     "[\"198.19.0.2\"]\n"},
    {"two gateways of a family",
     machine,
     "[[port]]\nname = \"b\"\ndriver = \"null\"\naddress = [\"198.19.0.1/24\"]\ngateway = [\"198.19.0.2\", "
     "@@\"198.19.0.3\"]\n",
     {"port[].gateway: the port has a gateway of that family already; one is used"},
     "[[port]]\nname = \"b\"\ndriver = \"null\"\naddress = [\"198.19.0.1/24\", "
     "\"2001:db8:f::1/64\"]\ngateway = "
     "[\"198.19.0.2\", \"2001:db8:f::2\"]\n"},
    {"link-local gateway without an IPv6 address",
     machine,
     "[[port]]\nname = \"b\"\ndriver = \"null\"\naddress = [\"198.19.0.1/24\"]\ngateway = [@@\"fe80::1\"]\n",
     {"port[].gateway: the port has no IPv6 address, from which it could be asked"},
     "[[port]]\nname = \"b\"\ndriver = \"null\"\naddress = [\"2001:db8:f::1/64\"]\ngateway = "
     "[\"fe80::1\"]\n"},
    {"gateway as one word",
     machine,
     "[[port]]\nname = \"b\"\ndriver = \"null\"\naddress = [\"198.19.0.1/24\"]\ngateway = @@\"198.19.0.2\"\n",
     {"port[].gateway: expected "},
     "[[port]]\nname = \"b\"\ndriver = \"null\"\naddress = [\"198.19.0.1/24\"]\ngateway = "
     "[\"198.19.0.2\"]\n"},
    {"a larger MTU than AF_XDP carries",
     machine,
     "[[port]]\nname = \"b\"\ninterface = \"eth2\"\nmtu = @@3307\n",
     {"port[].mtu: 3307 is more than an \"af_xdp\" port carries, 3306: the kernel gives AF_XDP one page for "
      "each "
      "packet; the other drivers carry 9216"},
     "[[port]]\nname = \"b\"\ninterface = \"eth2\"\nmtu = 3306\n[[port]]\nname = \"c\"\ndriver = "
     "\"af_packet\"\ninterface = \"eth3\"\nmtu = 9216\n"},
    {"tap without a name for its interface",
     machine,
     "@@[[port]]\nname = \"b\"\ndriver = \"tap\"\n",
     {"port[].interface: missing; it is required with driver \"tap\""},
     "[[port]]\nname = \"b\"\ndriver = \"tap\"\ninterface = \"weir0\"\nmac = \"02:00:00:00:00:09\"\nmtu = "
     "9216\n"},
    {"IPv6 underlay address of routers",
     machine,
     "[[port]]\nname = \"b\"\ndriver = \"null\"\naddress = [@@\"2001:db8::/64\"]\n",
     {"port[].address: \"2001:db8::/64\" is the anycast address"},
     "[[port]]\nname = \"b\"\ndriver = \"null\"\naddress = [\"2001:db8::1/64\"]\n"},
    {"address without length",
     machine,
     "[[port]]\nname = \"b\"\ndriver = \"null\"\naddress = [@@\"198.19.0.1\"]\n",
     {"port[].address: \"198.19.0.1\" is not an address with its prefix length"},
     "[[port]]\nname = \"b\"\ndriver = \"null\"\naddress = [\"198.19.0.1/32\"]\n"},
    {"network address",
     machine,
     "[[port]]\nname = \"b\"\ndriver = \"null\"\naddress = [@@\"198.19.0.0/24\"]\n",
     {"port[].address: \"198.19.0.0/24\" is the network address of its subnet"},
     "[[port]]\nname = \"b\"\ndriver = \"null\"\naddress = [\"198.19.0.0/31\"]\n"},
    {"multicast address",
     machine,
     "[[port]]\nname = \"b\"\ndriver = \"null\"\naddress = [@@\"224.0.0.1/24\"]\n",
     {"port[].address: \"224.0.0.1/24\" is not a routable unicast address"},
     ""},
    {"address on two ports",
     machine,
     "[[port]]\nname = \"b\"\ndriver = \"null\"\naddress = [@@\"198.18.0.1/16\"]\n",
     {"port[].address: 198.18.0.1 is given to a port already, on line 6"},
     "[[port]]\nname = \"b\"\ndriver = \"null\"\naddress = [\"198.18.0.2/16\"]\n"},
    {"loop without a capture",
     machine,
     "[[port]]\nname = \"b\"\ndriver = \"pcap\"\nrx_loop = @@true\ntx_pcap = \"b\"\n",
     {"port[].rx_loop: there is no rx_pcap"},
     "[[port]]\nname = \"b\"\ndriver = \"pcap\"\nrx_loop = true\nrx_pcap = \"a\"\n"},
    {"loop into a capture",
     machine,
     "[[port]]\nname = \"b\"\ndriver = \"pcap\"\nrx_loop = @@true\nrx_pcap = \"a\"\ntx_pcap = \"b\"\n",
     {"port[].rx_loop: tx_pcap would grow without end"},
     "[[port]]\nname = \"b\"\ndriver = \"pcap\"\nrx_loop = false\nrx_pcap = \"a\"\ntx_pcap = \"b\"\n"},
    {"MAC on a port that keeps its device's",
     machine,
     "[[port]]\nname = \"b\"\ndriver = \"af_packet\"\ninterface = \"lo\"\nmac = @@\"02:00:5e:00:00:01\"\n",
     {"port[].mac: there is no such thing with driver \"af_packet\""},
     "[[port]]\nname = \"b\"\ndriver = \"null\"\nmac = \"02:00:5e:00:00:01\"\n"},
    {"multicast MAC",
     machine,
     "[[port]]\nname = \"b\"\ndriver = \"pcap\"\nmac = @@\"01:00:5e:00:00:01\"\n",
     {"port[].mac: \"01:00:5e:00:00:01\" is not a unicast MAC"},
     "[[port]]\nname = \"b\"\ndriver = \"pcap\"\nmac = \"02:00:5e:00:00:01\"\n"},
    {"small MTU",
     machine,
     "[[port]]\nname = \"b\"\ndriver = \"null\"\nmtu = @@575\n",
     {"port[].mtu: 575 is not a whole number from 576 to 9216"},
     "[[port]]\nname = \"b\"\ndriver = \"null\"\nmtu = 576\n"},
    {"large MTU",
     machine,
     "[[port]]\nname = \"b\"\ndriver = \"null\"\nmtu = @@9217\n",
     {"port[].mtu: 9217 is not a whole number from 576 to 9216"},
     "[[port]]\nname = \"b\"\ndriver = \"null\"\nmtu = 9216\n"},
    {"name twice",
     machine,
     "[[port]]\nname = @@\"wan0\"\ndriver = \"null\"\n",
     {"port[].name: another port is called \"wan0\" already, on line 3"},
     "[[port]]\nname = \"wan1\"\ndriver = \"null\"\n"},
    {"interface twice",
     machine,
     "[[port]]\nname = \"wan1\"\ndriver = \"af_packet\"\ninterface = @@\"eth1\"\n",
     {"port[].interface: \"eth1\" is driven by another port already, on line 5"},
     "[[port]]\nname = \"wan1\"\ninterface = \"eth2\"\n"},
    {"interface name too long",
     machine,
     "[[port]]\nname = \"b\"\ninterface = @@\"abcdefghijklmnop\"\n",
     {"port[].interface: \"abcdefghijklmnop\" is not an interface name of 1 to 15 characters"},
     "[[port]]\nname = \"b\"\ninterface = \"abcdefghijklmno\"\n"},
    {"too many ports", nothing, many_ports(33), {"port: there are at most 32 ports"}, many_ports(32)},
};

class MachineErrors : public testing::TestWithParam<ErrorRow> {};
TEST_P(MachineErrors, AreReportedAtTheirPlace) { expect_row(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Rows, MachineErrors, testing::ValuesIn(kRows));

}  // namespace
}  // namespace weir::config::test
