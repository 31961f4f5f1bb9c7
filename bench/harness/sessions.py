"""New sessions per second, sustained: every packet of the clients opens one, it is answered once and then idle until it
expires. A contender is measured while as many end as begin, and its rate is what its own counters say."""

from .contender import Failed, Sample
from .ovs import Ovs
from .plan import Traffic
from .weir import Weir

IDLE_SECONDS = 1  # without packets, after which a session ends
STEADY_SHARE = 0.05  # by which the table may have grown or shrunk, of what was made
LONGEST_SECONDS = 15  # of runs until that is so: three times as long as Open vSwitch waits before it looks again
SLOTS = 65_536  # visits until the feed comes back to a session's place, where by then another one is


def traffic():
    """Each visit is of a session that there never was."""
    return [Traffic(sessions=SLOTS, life=1)]


ROOM = 2_000_000  # sessions of a table, where it can be told


class Sustained:
    """Before a FeedContender in a class's bases. The class tells made() and known()."""

    warm_seconds = 2.5 * IDLE_SECONDS

    def made(self):
        """Sessions made since its start."""
        raise NotImplementedError

    def known(self):
        """Sessions in its table now."""
        raise NotImplementedError

    def measure(self, seconds):
        """Who looks for what has expired only now and then has a table that swells and shrinks: runs are added up
        until it is as large as before them. If that does not come, the lesser of beginnings and ends counts."""
        self.prepare()
        self.feed.run_seconds(self.warm_seconds, self.alive)
        self._rest()
        before, made, total = self.known(), self.made(), None
        while total is None or total.seconds < LONGEST_SECONDS:
            sample = self.run(seconds)
            total = sample if total is None else _added(total, sample)
            created, known = self.made() - made, self.known()
            if created > 0 and abs(known - before) <= STEADY_SHARE * created:
                break
        expired = created - (known - before)
        total.value = min(created, expired) / total.seconds
        if total.value <= 0:
            raise Failed(f"of {created:,.0f} sessions made in {total.seconds:.0f} s none ended")
        total.extra |= {"created": created, "expired": expired, "sessions in the table": known,
                        "cycles per session": total.cycles / created, "seconds": total.seconds}
        return total


def _added(one, other):
    """Two runs as one."""
    return Sample(one.packets + other.packets, one.sent + other.sent,
                  {name: one.drops.get(name, 0) + other.drops.get(name, 0) for name in {*one.drops, *other.drops}},
                  one.cycles + other.cycles, one.seconds + other.seconds,
                  extra={**other.extra, "tsc_seconds": one.extra["tsc_seconds"] + other.extra["tsc_seconds"]})


class WeirSessions(Sustained, Weir):
    def __init__(self, name, build, **options):
        super().__init__(name, traffic(), build, sessions=ROOM, udp_timeout=IDLE_SECONDS, **options)

    def made(self):
        return self.worker_counters()["sessions_created"]

    def known(self):
        return self.worker_counters()["sessions"]


class OvsSessions(Sustained, Ovs):
    """It looks for expired entries at intervals of seconds, so its table swells to what it may hold. A session that
    finds no room there sends its first packet on all the same; the answer is dropped, and tells."""

    def __init__(self, name, build):
        super().__init__(name, traffic(), build, conntrack=True, sessions=ROOM, udp_timeout=IDLE_SECONDS)

    def made(self):
        return self.feed.page.given / 2 - sum(self.drops().values())

    def known(self):
        return self.connections()
