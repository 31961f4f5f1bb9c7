"""bench/run as it is, with a table of rows made of fakes: run_with_fakes.py FOLDER KIND [arguments of bench/run].

KIND: good | broken | slow. Each contender leaves FOLDER/<name>.stopped when it is stopped.
"""

import os
import runpy
import sys
import time
import types

import fakes
from harness.contender import Missing, Sample


class Here(fakes.Contender):
    def __init__(self, folder, name, cycles, error=None, wait=0.0):
        self.folder, self.name, self.cycles, self.error, self.wait = folder, name, cycles, error, wait

    def start(self):
        if isinstance(self.error, Missing):
            raise self.error

    def verify(self):
        return "1 flow"

    def measure(self, seconds):
        if self.error:
            raise self.error
        print(f"measuring {self.name}", flush=True)
        time.sleep(self.wait)
        return Sample(1000, 1000, {}, 1000 * self.cycles, seconds)

    def stop(self):
        with open(os.path.join(self.folder, f"{self.name}.stopped"), "x"):  # twice would raise
            pass


def rows(folder, kind):
    broken = fakes.Failed("ended with 139") if kind == "broken" else Missing("is not installed")
    wait = 30.0 if kind == "slow" else 0.0
    one = fakes.row(lambda: Here(folder, "Weir", 50, wait=wait), lambda: Here(folder, "other", 90, broken), quick=True)
    two = fakes.row(lambda: Here(folder, "Weir2", 60), id="two", title="another", rounds=5)
    return [one, two]


def main():
    folder, kind = sys.argv[1:3]
    table = types.ModuleType("harness.scenarios")
    table.rows = lambda options: rows(folder, kind)
    sys.modules[table.__name__] = table
    run = os.path.join(fakes.ROOT, "bench/run")
    sys.argv = [run, *sys.argv[3:]]
    runpy.run_path(run, run_name="__main__")


main()
