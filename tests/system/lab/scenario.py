"""What a scenario is, how one is run, and the topology that most begin with."""

import os
import signal
import sys
import time
import traceback
from dataclasses import dataclass

from . import eve
from .hub import Hub, HubConfig
from .netns import Lab, LabError
from .topology import Topology, number_spoke

PREFIX = "weir-t"
TIME_LIMIT = 60  # seconds that one scenario may take
SCENARIOS = []


class Failure(Exception):
    """The hub did not do what the scenario says."""


class Skip(Exception):
    """This machine cannot run the scenario; the message says why."""


class OutOfTime(Exception):
    """The scenario's time limit passed."""


@dataclass
class Scenario:
    name: str
    goal: str
    function: object
    time_limit: int


def scenario(name, goal, time_limit=TIME_LIMIT):
    """Registers a function(world) as a scenario; `goal` is what it shows, in one line."""
    def register(function):
        SCENARIOS.append(Scenario(name, goal, function, time_limit))
        return function
    return register


def expect(condition, message):
    if not condition:
        raise Failure(message)


def eventually(condition, message, timeout=5.0, interval=0.1):
    """Waits until `condition()` is true. `message` may be a function that makes it."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise Failure(f"{message() if callable(message) else message} (waited {timeout} s)")
        time.sleep(interval)


class World:
    """What a scenario gets: a lab of its own, the programs, and the usual topology on demand.

    Three spokes: a in domain red, b in blue, c in green. Red and blue are connected, green is not. Rules let
    ping, TCP 80 and 5201 and UDP 5000 through; what else is wanted a scenario adds before `start()`.
    """

    def __init__(self, lab, binaries):
        self.lab = lab
        self.binaries = binaries
        self.notes = []
        self.topology = None
        self.config = None
        self.hub = None
        self.a = self.b = self.c = None

    def note(self, text):
        """A figure worth printing beside the result."""
        self.notes.append(text)

    def build(self, driver="af_xdp", cores=(1,), hub_addresses=("198.18.0.1/24",)):
        """The topology and its configuration, the hub not started yet."""
        self.topology = Topology(self.lab, hub_addresses)
        self.config = HubConfig(self.lab.folder, driver, cores)
        self.a = self.topology.add_spoke(number_spoke("a", "red", 1))
        self.b = self.topology.add_spoke(number_spoke("b", "blue", 2))
        self.c = self.topology.add_spoke(number_spoke("c", "green", 3))
        for spoke in (self.a, self.b, self.c):
            self.config.attach(spoke)
        self.config.connect("red", "blue")
        self.config.rule("ping", "allow", protocol="icmp")
        self.config.rule("ping6", "allow", protocol="icmpv6")
        self.config.rule("services", "allow", protocol="tcp", ports=[80, 5201])
        self.config.rule("load", "allow", protocol="udp", ports=[5000])
        self.hub = Hub(self.lab, self.topology.hub, self.binaries, self.config)
        return self

    def start(self, **options):
        """build(), unless done already, and a hub that forwards."""
        if self.topology is None:
            self.build(**options)
        self.hub.start()
        self.hub.wait_ready_tunnels()
        return self


def check_events(world):
    """Every event of every scenario is one that Suricata's readers understand."""
    for event in world.hub.events() if world.hub else []:
        wrong = eve.problems(event)
        expect(not wrong, f"{'; '.join(wrong)}: {event}")


def _on_alarm(_signal, _frame):
    raise OutOfTime()


def run_scenario(one, number, binaries, keep=False):
    """Runs a scenario in a lab of its own. Returns ("ok" | "FAIL" | "skip", seconds, text)."""
    lab = Lab(f"{PREFIX}{os.getpid()}-{number}")
    world = World(lab, binaries)
    signal.signal(signal.SIGALRM, _on_alarm)
    signal.alarm(one.time_limit)
    begin = time.monotonic()
    result, text = "ok", ""
    try:
        one.function(world)
        check_events(world)
        text = "; ".join(world.notes)
    except Skip as reason:
        result, text = "skip", str(reason)
    except OutOfTime:
        result, text = "FAIL", f"not done after {one.time_limit} s\n{traceback.format_exc(limit=-4)}{_state(world)}"
    except (Failure, LabError) as reason:
        where = traceback.extract_tb(sys.exc_info()[2])[1]
        result = "FAIL"
        text = f"{os.path.basename(where.filename)}:{where.lineno}: {reason}\n{_state(world)}"
    except Exception:
        # A broken scenario is a failed one; the others still run, and the trace is shown whole.
        result, text = "FAIL", traceback.format_exc() + _state(world)
    finally:
        signal.alarm(0)
        seconds = time.monotonic() - begin
        if keep:
            print(f"{one.name}: {result}. {text}\nNamespaces {lab.prefix}-*, files in {lab.folder}; "
                  "press Enter to remove them")
            sys.stdin.readline()
        lab.close()
    return result, seconds, text


def _state(world):
    """What the hub has to say, for the report of a failure."""
    if world.hub is None or world.hub.process is None:
        return ""
    lines = [f"hub's log:\n{world.hub.process.tail()}"]
    if world.hub.process.running():
        for verb in ("drops", "status"):
            try:
                lines.append(f"weirctl {verb}:\n{world.hub.ctl(verb, check=False, timeout=3).stdout.strip()}")
            except LabError as error:
                lines.append(f"weirctl {verb}: {error}")
    return "\n".join(lines)
