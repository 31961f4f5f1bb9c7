"""The mixed row: what sessions that nobody inspects lose when others beside them are. Weir with inspected HTTP in its
load, and Weir with the rest of that load alone, at the same arrival rate."""

import glob
import gzip
import os

from .contender import Failed
from .dpdk import ROOT
from .feed import percentile
from .plan import Traffic
from .weir import Weir

LOAD = 0.7  # of the most packets that the mix is forwarded at
SLOW = 5_000  # packets a second; a worker takes so many even with bombs in every fourth
PROBE_SECONDS = 0.7
HALF_BUSY = 0.5
QUEUE = 1024  # packets that may wait for inspection, by default
PLAIN_SESSIONS, HTTP_SESSIONS = 8192, 1024
PLAIN, HTTP = 0, 1  # classes
BOMB_BYTES = 1 << 20  # of zeros, in a kilobyte of gzip
REQUEST = (b"GET /catalog/items/%NUMBER?sort=price&order=asc HTTP/1.1\r\nHost: shop.example.com\r\n"
           b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
           b"Accept: application/json, text/plain, */*\r\nAccept-Language: en-US,en;q=0.5\r\n"
           b"Accept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\nCookie: session=8f14e45fceea167a5a36dedd4b\r\n"
           b"\r\n")


def _request():
    """Its number lies at an even place: a checksum counts pairs of bytes."""
    return REQUEST if REQUEST.find(b"%NUMBER") % 2 == 0 else REQUEST.replace(b"/catalog/", b"/catalogs/")


def _response(body, coding=b""):
    return (b"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: application/json\r\n" + coding +
            b"Content-Length: " + str(len(body)).encode() + b"\r\nConnection: keep-alive\r\n\r\n" + body)


def ordinary():
    """A request and an answer of half a kilobyte."""
    item = b'{"id":41,"name":"weir gate, oak","price":129.90,"stock":7},'
    return _request(), _response(b"[" + item * 8 + b"{}]")


def bomb():
    """The same request, answered by what is a thousand times larger when it is unpacked."""
    return _request(), _response(gzip.compress(bytes(BOMB_BYTES), mtime=0), b"Content-Encoding: gzip\r\n")


def rules():
    """The real ruleset where the corpus lies beside the repository, else the demo's: (files, in words)."""
    folder = os.environ.get("WEIR_CORPUS") or os.path.join(os.path.dirname(ROOT), "shared/corpus")
    real = sorted(glob.glob(os.path.join(folder, "et-open/**/*.rules"), recursive=True))
    if real:
        return real, f"{len(real)} rule files of the corpus"
    return [os.path.join(ROOT, "conf/demo/demo.rules")], "the demo's rules: no corpus is here (WEIR_CORPUS)"


class Pace:
    """The arrival rate of one row, found by the contender with the whole mix and used by both."""

    def __init__(self):
        self.packets_per_second = None


class Mixed(Weir):
    """`share`: of the packets, that are inspected. `whole`: with them; else the same load without them. `sheds`: they are
    more than can be inspected at that rate, and nothing is asked of them but that they take nothing from the others."""

    warm_seconds = 0.5
    verify_rate = SLOW  # inspection sheds what it has no time for

    def __init__(self, name, build, share, payload, pace, whole=True, sheds=False):
        http, plain = round(share * 10), round((1 - share) * 10)
        classes = [Traffic(sessions=PLAIN_SESSIONS, weight=plain, port=9000)]
        if whole:
            classes.append(Traffic(sessions=HTTP_SESSIONS, weight=http, protocol="tcp", port=80, payload=payload))
        super().__init__(name, classes, build, inspect=((80,), rules()[0]), timestamps=True)
        self.share, self.pace, self.whole, self.sheds = share, pace, whole, sheds
        if sheds:
            self.profile = {"on_drop": "silent"}  # resets are packets that nobody gave
            self.in_flight = QUEUE

    def verify(self):
        if not self.sheds:
            return super().verify()
        page = self.feed.page
        self.feed.pace(SLOW)
        self._one_of_each_direction()
        given, sent = page.given_of[PLAIN], page.sent_of[PLAIN]
        self.feed.run_packets(SLOW, self.alive)
        self._rest()
        given, sent = page.given_of[PLAIN] - given, page.sent_of[PLAIN] - sent
        if given != sent:
            raise Failed(f"{given - sent} of {given} packets that are not inspected did not come out")
        return f"{given} packets of sessions that are not inspected came out; inspection sheds what it has no time for"

    def measure(self, seconds):
        if self.pace.packets_per_second is None:
            if not self.whole or self.sheds:
                raise Failed("the most that the whole mix is forwarded at is not known")
            self.pace.packets_per_second = LOAD * self._most()
        self.rate = self.pace.packets_per_second * (1 if self.whole else 1 - self.share)
        self.prepare()
        self.feed.run_seconds(self.warm_seconds, self.alive)
        self._rest()
        page = self.feed.page
        stays, given, sent, missed = (list(page.stay[PLAIN]), page.given_of[PLAIN], page.sent_of[PLAIN], page.missed)
        inspected = self.worker_counters()["inspected_packets"]
        sample = self.run(seconds)
        inspected = self.worker_counters()["inspected_packets"] - inspected
        plain = page.given_of[PLAIN] - given
        # Whoever finds no room in the ring is lost before anybody knows whose it was: by share.
        share = 1 - self.share if self.whole else 1
        arrived = plain + (page.missed - missed) * share
        through = page.sent_of[PLAIN] - sent
        if through == 0:
            raise Failed("none of the uninspected packets came through")
        if not self.sheds and inspected != sample.packets - plain:
            raise Failed(f"{inspected} packets were inspected, of {sample.packets - plain} that had to be")
        histogram = [after - before for after, before in zip(page.stay[PLAIN], stays)]
        microseconds = 1e6 / page.tsc_hz
        sample.value = through / sample.seconds / 1e6
        sample.extra = {"tsc_seconds": sample.extra["tsc_seconds"],
                        "load, Mpps": self.rate / 1e6, "lost, % of uninspected": 100 * (1 - through / arrived),
                        "p50 us": percentile(histogram, 0.5) * microseconds,
                        "p99.9 us": percentile(histogram, 0.999) * microseconds}
        if self.whole:
            sample.extra["inspected Mpps"] = (sample.packets - plain) / sample.seconds / 1e6
        return sample

    def _most(self):
        """Packets a second that a worker takes that is always busy, told by a rate at which it is about half busy. To ask
        for more than it can would show it too, but then inspection sheds what waits, and sessions with a gap are another
        load."""
        self.rate = SLOW
        while True:
            self.prepare()
            self.feed.run_seconds(self.warm_seconds, self.alive)
            self._rest()
            before = self._busy_ns()
            sample = self.run(PROBE_SECONDS)
            busy = (self._busy_ns() - before) / 1e9 / sample.seconds
            if busy <= 0 or sample.sent == 0:
                raise Failed(f"{sample.sent} packets came through, and the worker was busy for {100 * busy:.0f} % of that time")
            if busy >= HALF_BUSY:
                return sample.sent / sample.seconds / busy
            self.rate *= min(2, HALF_BUSY / busy * 1.1)

    def _busy_ns(self):
        return self.hub.ctl_json("top")["workers"][0]["busy_ns"]
