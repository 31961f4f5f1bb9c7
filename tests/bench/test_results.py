"""Numbers, files, table, picture and comparison of results that are made by hand."""

import dataclasses
import json
import os
import tempfile
import unittest
import xml.etree.ElementTree

from fakes import ROOT
from harness import check, compare, gates, machine, results, stats, svg, table
from harness.results import Result, Round, RowResult, Run
from harness.stats import Summary


def one_round(turn, value, drops=None, extra=None, discarded=()):
    dropped = sum((drops or {}).values())
    return Round(turn, value, 1000, 1000 - dropped, drops or {}, value * 1000, 1.0, extra or {},
                 {"steal_share": 0.0, "switches_per_second": None, "drift_share": 0.0}, list(discarded))


def result(name, values=(), **options):
    made = Result(name, rounds=[one_round(turn, value) for turn, value in enumerate(values, 1)], **options)
    if values:
        made.gross = stats.summarize(values)
    return made


def row(*made, **options):
    """With nets where there are limits."""
    found = RowResult(**{"id": "stateless-1k", "title": "VXLAN to VXLAN, 1,000 flows", "group": "stateless",
                         "unit": "cycles/packet", "higher_is_better": False, "note": "", "subject": "Weir", "wanted": 3,
                         "seconds": 2.0, **options}, results=list(made))
    for one in made:
        if one.limit and one.gross and found.named(one.limit).gross:
            one.net = stats.net(one.gross, found.named(one.limit).gross)
    return found


def run(*rows, **options):
    facts = {"cpu": {"model": "Model 7", "cores": 2, "stepping": "1/2/3", "flags": ["avx2"]}, "kernel": "6.1.0",
             "hypervisor": "kvm", "packages": {"gcc": "12.2", "ovs": None}}
    return Run(**{"date": "2025-03-04T05:06:07Z", "commit": "0123456789ab", "dirty": False, "quick": True,
                  "complete": True, "seconds": 12.5, "machine": facts, **options}, rows=list(rows))


def sample():
    """A run with one contender of each kind."""
    weir = result("Weir", [150.0, 151.0, 149.0], limit="testpmd io")
    lossy = result("OVS-DPDK", [250.0, 252.0, 251.0], limit="testpmd io")
    lossy.rounds = [one_round(turn, 250.0, {"no_route": 12}, {"hits": 0.5}) for turn in (1, 2, 3)]
    lossy.rounds.insert(1, one_round(2, 900.0, discarded=["steal", "switches"]))
    failed = result("kernel", status=results.FAILED, reason="ended with 139 & <no> output", limit="testpmd io")
    limit = result("testpmd io", [50.0, 50.0, 50.0], only_limit=True)
    sessions = row(result("Weir", [2e6, 2.02e6, 2.04e6]), result("OVS-DPDK", [1e6, 1e6, 1.01e6]),
                   result("kernel", status=results.MISSING, reason="nft is not installed"),
                   result("other", [5.0, 9.0, 7.0], status=results.NOISY, reason="the MAD is 28.6 % of the median"),
                   id="sessions", title="New sessions", group="sessions", unit="sessions/s", higher_is_better=True,
                   note="With equal expiry.")
    return run(row(weir, lossy, failed, limit), sessions)


class Gates(unittest.TestCase):
    def judged(self, *rows):
        return {gate.id: gate for gate in gates.judge(run(*rows))}

    def row_of(self, weir, *others, row_id="vxlan-1k"):
        limit = result("testpmd io", [50.0] * 3, only_limit=True)
        made = [result("Weir", [weir] * 3, limit="testpmd io")]
        made += [result(name, [value] * 3, limit="testpmd io") for name, value in others]
        return row(*made, limit, id=row_id)

    def test_the_best_of_the_other_counts_by_net(self):
        others = ("Open vSwitch, EMC", 380.0), ("Open vSwitch, SMC", 350.0), ("kernel", 60.0)
        gate = self.judged(self.row_of(150.0, *others))["vxlan-1k: Open vSwitch"]
        self.assertEqual((gate.value, gate.status), (3.0, gates.HOLDS))
        gate = self.judged(self.row_of(151.0, *others))["vxlan-1k: Open vSwitch"]
        self.assertEqual(gate.status, gates.MISSED)

    def test_at_most(self):
        found = self.judged(self.row_of(150.0), self.row_of(176.0, row_id="vxlan-1k-ipv6"))
        self.assertEqual(found["vxlan-1k-ipv6: Weir"].status, gates.MISSED)
        self.assertAlmostEqual(found["vxlan-1k-ipv6: Weir"].value, 1.26)

    def row_of_turns(self, weir, other, limit):
        return row(result("Weir", weir, limit="testpmd io", status=results.NOISY),
                   result("Open vSwitch, EMC", other, limit="testpmd io", status=results.NOISY),
                   result("testpmd io", limit, only_limit=True), id="vxlan-1k")

    def test_noise_that_hits_all_in_a_turn_cancels(self):
        quiet, loud = (150.0, 400.0, 50.0), (300.0, 800.0, 100.0)
        gate = self.judged(self.row_of_turns(*zip(quiet, loud, quiet, loud, loud)))["vxlan-1k: Open vSwitch"]
        self.assertEqual((gate.value, gate.error, gate.status), (3.5, 0.0, gates.HOLDS))

    def test_a_turn_without_a_good_round_of_each_does_not_count(self):
        measured = self.row_of_turns([150.0] * 3, [350.0] * 3, [50.0] * 3)
        measured.results[1].rounds[0] = one_round(1, 9_000.0)
        measured.results[2].rounds[0] = one_round(1, 50.0, discarded=["steal"])
        self.assertEqual(self.judged(measured)["vxlan-1k: Open vSwitch"].value, 3.0)

    def test_what_is_closer_to_its_bound_than_the_noise_is_not_judged(self):
        for others, status in (((330.0, 355.0, 370.0), gates.UNSURE), ((430.0, 455.0, 470.0), gates.HOLDS),
                               ((230.0, 255.0, 270.0), gates.MISSED)):
            gate = self.judged(self.row_of_turns([150.0] * 3, others, [50.0] * 3))["vxlan-1k: Open vSwitch"]
            self.assertEqual(gate.status, status, others)

    def test_the_noise_of_two_rows(self):
        noisy = row(result("Weir", [80.0, 126.0, 160.0]), id="vxlan-1k-ipv6")
        found = self.judged(row(result("Weir", [100.0] * 3), id="vxlan-1k"), noisy)["vxlan-1k-ipv6: Weir"]
        self.assertEqual((found.value, found.status), (1.26, gates.UNSURE))

    def test_what_supports_no_claim_is_not_judged(self):
        noisy = self.row_of(150.0, ("Open vSwitch, EMC", 900.0))
        noisy.results[1].status = results.VOID
        found = self.judged(noisy)
        self.assertEqual((found["vxlan-1k: Open vSwitch"].value, found["vxlan-1k: Open vSwitch"].status),
                         (None, gates.OPEN))
        self.assertEqual(set(found), {"vxlan-1k: Open vSwitch"})

    def test_tunnels_are_told_apart_by_their_whole_name(self):
        tunnels = row(result("Weir, VXLAN", [100.0] * 3), result("Weir, GENEVE", [115.0] * 3),
                      result("Weir, GENEVE with IP", [90.0] * 3), id="tunnels")
        found = self.judged(tunnels)
        self.assertEqual(found["tunnels: GENEVE"].value, 1.15)
        self.assertEqual(found["tunnels: GENEVE with IP"].status, gates.HOLDS)
        self.assertEqual(found["tunnels: GRE"].status, gates.OPEN)

    def test_translation_is_judged_beside_none_turn_by_turn(self):
        nat = row(result("Weir, source NAT", [108.0, 216.0, 109.0]), result("Weir, no NAT", [100.0, 200.0, 100.0]),
                  id="nat-1k")
        found = self.judged(nat)["nat-1k: Weir, source NAT"]
        self.assertEqual((found.value, found.status), (1.08, gates.HOLDS))

    def test_a_file_keeps_them_and_the_table_shows_them(self):
        one = run(self.row_of(150.0, ("Open vSwitch, EMC", 380.0)))
        one.gates = gates.judge(one)
        self.assertEqual(results.from_json(results.to_json(one)), one)
        shown = [line for line in table.render(one).splitlines() if "Open vSwitch / Weir, vxlan-1k" in line]
        self.assertEqual([line.split()[-4:] for line in shown], [["at", "least", "3.00", "holds"]])


class Stats(unittest.TestCase):
    def test_summary(self):
        summary = stats.summarize([5.0, 1.0, 2.0, 100.0])
        self.assertEqual((summary.median, summary.mad, summary.count), (3.5, 2.0, 4))

    def test_noisy_is_over_five_percent(self):
        self.assertFalse(Summary(100, 5.0, 5).noisy)
        self.assertTrue(Summary(100, 5.1, 5).noisy)

    def test_net_combines_noise(self):
        self.assertEqual(stats.net(Summary(100, 3, 5), Summary(40, 4, 7)), Summary(60, 5, 5))

    def test_ratio_and_its_spread(self):
        ratio = stats.ratio(Summary(300, 9, 5), Summary(100, 4, 5))
        self.assertEqual((ratio.value, round(ratio.spread, 9)), (3, 0.15))

    def test_no_ratio_of_noise(self):
        self.assertIsNone(stats.ratio(Summary(300, 1, 5), Summary(2, 1, 5)))
        self.assertIsNone(stats.ratio(Summary(300, 1, 5), Summary(-5, 0, 5)))
        self.assertIsNone(stats.ratio(Summary(0, 0, 5), Summary(5, 0, 5)))

    def test_compare(self):
        for old, new, higher, verdict in ((100, 90, False, "faster"), (100, 110, False, "slower"),
                                          (100, 90, True, "slower"), (100, 110, True, "faster"),
                                          (100, 101.9, False, "same"), (100, 100, True, "same")):
            self.assertEqual(stats.compare(Summary(old, 0, 5), Summary(new, 0, 5), higher).verdict, verdict)
        self.assertEqual(stats.compare(Summary(100, 0, 5), Summary(90, 0, 5)).percent, -10)

    def test_compare_within_noise(self):
        self.assertEqual(stats.compare(Summary(100, 2, 5), Summary(106, 1, 5)).verdict, "same")
        self.assertEqual(stats.compare(Summary(100, 0.5, 5), Summary(106, 1, 5)).verdict, "slower")


class Files(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def test_round_trip(self):
        run_ = sample()
        self.assertEqual(results.from_json(results.to_json(run_)), run_)

    def test_what_has_no_value_is_null(self):
        data = json.loads(results.to_json(sample()))
        failed = data["rows"][0]["results"][2]
        self.assertEqual((failed["status"], failed["gross"], failed["net"]), ("failed", None, None))

    def test_name_says_date_commit_and_quick(self):
        for options, name in (({}, "2025-03-04-0123456789ab-quick.json"),
                              ({"quick": False}, "2025-03-04-0123456789ab.json"),
                              ({"quick": False, "dirty": True}, "2025-03-04-0123456789ab-dirty.json")):
            self.assertEqual(results.default_path(run(**options), "/x"), f"/x/{name}")

    def test_nothing_is_overwritten(self):
        path = os.path.join(self.folder, "new", "a.json")
        first = sample()
        self.assertEqual(results.save(first, path), path)
        self.assertEqual(results.save(run(), path), path.replace("a.json", "a-2.json"))
        self.assertEqual(results.save(run(), path), path.replace("a.json", "a-3.json"))
        self.assertEqual(results.load(path), first)

    def test_what_is_no_result_is_named(self):
        for text, reason in (("{", "JSONDecodeError"), ("[]", "TypeError"), ('{"schema": 99}', "schema is 99"),
                             ('{"schema": 1, "rows": []}', "missing")):
            path = os.path.join(self.folder, "bad.json")
            with open(path, "w") as file:
                file.write(text)
            with self.assertRaisesRegex(results.Unreadable, f"bad.json: .*{reason}"):
                results.load(path)
        with self.assertRaisesRegex(results.Unreadable, "nowhere.json"):
            results.load(os.path.join(self.folder, "nowhere.json"))


TABLE = """\
Model 7, 2 cores, Linux 6.1.0, a kvm guest, Weir 0123456789ab, 2025-03-04 05:06:07Z, quick

                                          median      MAD     limit         net      MAD           ratio  status
------------------------------------------------------------------------------------------------------------------------
STATELESS
stateless-1k: VXLAN to VXLAN, 1,000 flows                                                 cycles/packet; 3 rounds of 2 s
  Weir                                     150.0     1.00     50.00       100.0     1.00               -  ok
  OVS-DPDK                                 251.0     1.00     50.00       201.0     1.00    2.01x ±0.022  ok
      rounds discarded: 1 (steal 1, switches 1)
      dropped 1.2 % of 3,000 packets: no_route 36
      hits 0.500
  kernel                                       -        -     50.00           -        -               -  failed
      failed: ended with 139 & <no> output
  testpmd io (limit)                       50.00     0.00         -           -        -               -  ok

SESSIONS
sessions: New sessions                                                     sessions/s, higher is better; 3 rounds of 2 s
  Weir                                 2,020,000   20,000         -           -        -               -  ok
  OVS-DPDK                             1,000,000     0.00         -           -        -    2.02x ±0.020  ok
  kernel                                       -        -         -           -        -               -  missing
      missing: nft is not installed
  other                                     7.00     2.00         -           -        -               -  noisy
      noisy: the MAD is 28.6 % of the median
  With equal expiry.

"""


class Table(unittest.TestCase):
    maxDiff = None

    def test_golden(self):
        text = table.render(sample())
        self.assertEqual(text[:text.index("net = median")], TABLE)

    def test_fits(self):
        wide = row(result("a contender with quite a long name of its own, " * 4, [1e9] * 3), note="word " * 60,
                   title="a long title " * 12)
        wide.results.append(result("b", status=results.FAILED, reason="something long happened " * 20))
        for line in table.render(run(wide, sample().rows[0])).splitlines():
            self.assertLessEqual(len(line), table.WIDTH)

    def test_a_limit_that_failed_is_told_in_its_column(self):
        lines = table.render(run(row(result("Weir", [100.0] * 3, limit="io"),
                                     result("io", status=results.FAILED, reason="ended")))).splitlines()
        [weir] = [line for line in lines if line.startswith("  Weir")]
        self.assertEqual(weir.split(), ["Weir", "100.0", "0.00", "failed", "-", "-", "-", "ok"])

    def test_an_interrupted_run_says_so(self):
        self.assertIn("interrupted", table.render(run(complete=False)).splitlines()[0])

    def test_numbers(self):
        for value, text in ((0, "0.00"), (0.0123, "0.012"), (0.00012345, "0.00012"), (1.5, "1.50"), (123.456, "123.5"),
                            (1234567.8, "1,234,568"), (-42.0, "-42.00")):
            self.assertEqual(table.number(value), text)


SVG = "{http://www.w3.org/2000/svg}"


class Picture(unittest.TestCase):
    def setUp(self):
        self.svg = xml.etree.ElementTree.fromstring(svg.render(sample()))
        self.texts = ["".join(one.itertext()) for one in self.svg.iter(SVG + "text")]

    def test_names_those_without_a_result(self):
        for text in ("failed: ended with 139 & <no> output", "missing: nft is not installed",
                     "noisy: the MAD is 28.6 % of the median"):
            self.assertIn(text, self.texts)

    def test_says_values_machine_commit_and_date(self):
        self.assertIn("201.0 (2.01x)", self.texts)
        self.assertTrue({"Weir", "OVS-DPDK", "kernel"} <= set(self.texts))
        self.assertIn("Model 7, 2 cores, Linux 6.1.0, a kvm guest, Weir 0123456789ab, 2025-03-04 05:06:07Z, quick.",
                      self.texts)

    def test_lengths_are_in_proportion(self):
        lengths = [float(one.get("width")) for one in self.svg.iter(SVG + "rect") if one.get("class") != "page"]
        self.assertAlmostEqual(lengths[1] / lengths[0], 2.01, delta=0.01)
        self.assertEqual(len(lengths), 4)  # none for the failed, the missing and the noisy one

    def test_can_be_read_aloud(self):
        self.assertEqual(self.svg.get("role"), "img")
        self.assertTrue(self.svg.find(SVG + "title").text)
        self.assertIn("Weir: 100.0; OVS-DPDK: 201.0 (2.01x); kernel: failed: ended", self.svg.find(SVG + "desc").text)

    def test_nothing_to_draw(self):
        for empty in (run(), run(row(result("Weir", status=results.FAILED, reason="ended")))):
            xml.etree.ElementTree.fromstring(svg.render(empty))

    def test_no_bar_without_the_limit(self):
        found = row(result("Weir", [100.0] * 3, limit="io"), result("io", status=results.FAILED, reason="ended"))
        self.assertEqual(svg.shown(found, found.results[0]), (None, "no net: its limit, io, is failed"))


class Compare(unittest.TestCase):
    def lines(self, old, new):
        return {one.contender: one for one in compare.lines(old, new)}

    def of(self, values, **options):
        """A run of one row: name -> values, or a status."""
        made = [result(name, value) if isinstance(value, list) else result(name, status=value, reason="so")
                for name, value in values.items()]
        return run(row(*made), **options)

    def test_verdicts(self):
        old = {"a": [100.0] * 3, "b": [100.0] * 3, "c": [100.0] * 3, "d": [100.0, 104.0, 96.0]}
        new = {"a": [90.0] * 3, "b": [110.0] * 3, "c": [101.0] * 3, "d": [110.0, 106.0, 114.0]}
        found = self.lines(self.of(old), self.of(new))
        self.assertEqual({name: one.verdict for name, one in found.items()},
                         {"a": "faster", "b": "slower", "c": "same", "d": "same"})
        self.assertEqual((found["a"].old, found["a"].new, round(found["a"].percent, 9)), (100, 90, -10))

    def test_higher_is_better(self):
        old, new = self.of({"a": [100.0] * 3}), self.of({"a": [110.0] * 3})
        for one in (old, new):
            one.rows[0].higher_is_better = True
        self.assertEqual(self.lines(old, new)["a"].verdict, "faster")

    def test_nets_are_compared(self):
        def limited(gross):
            return run(row(result("Weir", [gross] * 3, limit="io"), result("io", [50.0] * 3)))
        line = self.lines(limited(100.0), limited(98.0))["Weir"]
        self.assertEqual((line.measure, line.old, line.new, line.verdict), ("net", 50, 48, "faster"))

    def test_what_cannot_be_compared(self):
        old = {"a": "failed", "b": [100.0] * 3, "c": [100.0] * 3, "d": [1.0] * 3}
        new = {"a": [100.0] * 3, "b": "noisy", "e": [100.0] * 3, "d": [1.0] * 3}
        found = self.lines(self.of(old), self.of(new))
        self.assertEqual({name: one.reason for name, one in found.items() if one.verdict == "not comparable"},
                         {"a": "old is failed", "b": "new is noisy", "c": "not in the new run",
                          "e": "not in the old run"})

    def test_rows_that_only_one_has(self):
        gone, added = self.of({"a": [1.0] * 3}), self.of({"b": [1.0] * 3})
        added.rows[0].id = "new-row"
        self.assertEqual({name: one.reason for name, one in self.lines(gone, added).items()},
                         {"a": "not in the new run", "b": "not in the old run"})

    def test_another_machine_compares_ratios_only(self):
        old = self.of({"Weir": [100.0] * 3, "other": [200.0] * 3})
        slow = self.of({"Weir": [200.0] * 3, "other": [400.0] * 3})
        better = self.of({"Weir": [150.0] * 3, "other": [400.0] * 3})
        for one in (slow, better):
            one.machine["cpu"] = {**one.machine["cpu"], "model": "Model 8"}
        self.assertEqual(self.lines(old, slow)["Weir"].verdict, "same")
        line = self.lines(old, better)["Weir"]
        self.assertEqual((line.measure, line.old, line.new, line.verdict), ("x other", 0.5, 0.375, "faster"))
        self.assertIn("CPU: Model 7 / Model 8", compare.report(old, better))

    def test_another_machine_with_a_limit(self):
        def limited(gross, limit, kernel):
            made = run(row(result("Weir", [gross] * 3, limit="io"), result("io", [limit] * 3, only_limit=True)))
            made.machine["kernel"] = kernel
            return made
        found = self.lines(limited(100.0, 50.0, "6.1"), limited(180.0, 60.0, "6.2"))
        self.assertEqual((found["Weir"].measure, found["Weir"].old, found["Weir"].new, found["Weir"].verdict),
                         ("x io", 2, 3, "slower"))

    def test_another_machine_and_nobody_beside(self):
        old, new = self.of({"Weir": [100.0] * 3}), self.of({"Weir": [50.0] * 3})
        new.machine["kernel"] = "6.2"
        self.assertEqual(self.lines(old, new)["Weir"].verdict, "not comparable")

    def test_report(self):
        text = compare.report(self.of({"a": [100.0] * 3, "b": [1.0] * 3}), self.of({"a": [90.0] * 3, "b": [1.0] * 3}))
        self.assertRegex(text, r"stateless-1k +a +gross +100\.0 +90\.00 +-10\.0 %  faster\n")
        self.assertIn("1 faster, 0 slower, 1 same, 0 not comparable", text)
        self.assertNotIn(" b ", text)

    def test_moved(self):
        self.assertRegex(check.moved(row(result("base", [100.0] * 3), result("tree", [90.0] * 3))),
                         r"stateless-1k +100\.0 +90\.00 +-10\.0 %  cycles/packet +faster")
        self.assertIn("not comparable: tree is failed: ended", check.moved(
            row(result("base", [100.0] * 3), result("tree", status=results.FAILED, reason="ended"))))


class Facts(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.sources = machine.Sources(proc=f"{self.folder}/proc", sys=f"{self.folder}/sys", output=self.output)
        self.outputs = {}

    def output(self, *command):
        return self.outputs.get(" ".join(command), "")

    def write(self, path, text):
        path = os.path.join(self.folder, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)

    def test_all(self):
        core = "processor\t: {}\nmodel name\t: Model 7\ncpu family\t: 25\nmodel\t\t: 17\nstepping\t: 1\n" \
               "flags\t\t: fpu avx2 hypervisor nonsense\n\n"
        self.write("proc/cpuinfo", core.format(0) + core.format(1))
        self.write("proc/meminfo", "MemTotal:  2097152 kB\nHugePages_Total:  64\nHugepagesize:  2048 kB\n")
        self.write("proc/sys/kernel/osrelease", "6.1.0\n")
        self.write("sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "performance\n")
        self.write("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n")
        for index, (level, kind, size) in enumerate((("1", "Data", "32K"), ("2", "Unified", "1024K"))):
            for name, text in (("level", level), ("type", kind), ("size", size)):
                self.write(f"sys/devices/system/cpu/cpu1/cache/index{index}/{name}", text + "\n")
        self.outputs = {"systemd-detect-virt --vm": "kvm\n",
                        "dpkg-query -W -f ${db:Status-Status} ${Version} gcc": "installed 4:12.2.0-3",
                        "dpkg-query -W -f ${db:Status-Status} ${Version} ovs": "config-files 3.1"}
        facts = machine.facts(["gcc", "ovs", "unknown"], self.sources)
        self.assertEqual(facts["cpu"], {"model": "Model 7", "stepping": "25/17/1", "flags": ["avx2", "hypervisor"],
                                        "cores": 2, "caches": {"L1 data": "32K", "L2": "1024K"},
                                        "governor": "performance", "isolated": None})
        self.assertEqual(facts["memory"], {"mib": 2048, "hugepages": 64, "hugepage_kib": 2048,
                                           "transparent_hugepages": "madvise"})
        self.assertEqual((facts["kernel"], facts["hypervisor"]), ("6.1.0", "kvm"))
        self.assertEqual(facts["packages"], {"gcc": "4:12.2.0-3", "ovs": None, "unknown": None})

    def test_a_machine_that_tells_nothing(self):
        facts = machine.facts(["gcc"], self.sources)
        self.assertEqual((facts["cpu"]["model"], facts["kernel"], facts["hypervisor"]), ("unknown", "unknown", None))
        table.headline(dataclasses.replace(run(), machine=facts))
        table.headline(dataclasses.replace(run(), machine={}))

    def test_commit(self):
        self.outputs = {"git -C /x rev-parse --short=12 HEAD": "0123456789ab\n",
                        "git -C /x status --porcelain": " M Makefile\n"}
        self.assertEqual(machine.commit("/x", self.sources), ("0123456789ab", True))
        self.assertEqual(machine.commit("/nowhere", self.sources), ("unknown", False))

    def test_this_machine(self):
        facts = machine.facts(["python3"])
        self.assertNotEqual(facts["kernel"], "unknown")
        self.assertGreaterEqual(facts["cpu"]["cores"], 1)
        self.assertEqual(len(machine.commit(ROOT)), 2)


if __name__ == "__main__":
    unittest.main()
