"""The judge of evasions: a kernel's socket. What its application read is what had to be inspected.

Each technique is run twice against the same kernel: to a port that is not inspected, where the application has to read
the attack (or, of a decoy, must not), so that the technique is shown to be one; and to a port that is.
"""

import itertools
import time

from lab.scenario import eventually, expect, scenario
from lab.segments import ACK, FIN, PSH, RST, SYN, URG, RawConnection, RawHost, Reader

ATTACK = b"evil-payload"
HEAD, TAIL = ATTACK[:5], ATTACK[5:]
MARKER = b"<the-end>"
SID = 1000077
RULES = f'drop tcp any any -> any any (msg:"an attack"; content:"{ATTACK.decode()}"; sid:{SID}; rev:1;)\n'

PLAIN, INSPECTED = 5201, 9000
CLIENT, CLIENT6 = "10.1.0.66", "2001:db8:1::66"


# --- the attack is put together out of what the server accepts ---

def whole(c):
    c.say(ATTACK)


def two_segments(c):
    c.say(HEAD)
    c.say(TAIL)


def reversed_order(c):
    begin = c.next
    c.send(TAIL, seq=begin + len(HEAD))
    c.send(HEAD, seq=begin)
    c.next = begin + len(ATTACK)


def byte_by_byte(c):
    for i in range(len(ATTACK)):
        c.say(ATTACK[i:i + 1])


def bytes_backwards(c):
    begin = c.next
    for i in reversed(range(len(ATTACK))):
        c.send(ATTACK[i:i + 1], seq=begin + i)
    c.next = begin + len(ATTACK)


def covering_later_segment(c):
    """What waits behind a gap is replaced by a segment that covers it (Linux keeps the covering one)."""
    begin = c.next
    c.send(b"XXXX", seq=begin + 2)
    c.send(ATTACK[1:], seq=begin + 1)
    c.send(ATTACK[:1], seq=begin)
    c.next = begin + len(ATTACK)


def covered_left(c):
    """Two segments wait behind a gap and contradict each other where they overlap."""
    begin = c.next
    c.send(ATTACK[4:8], seq=begin + 4)
    c.send(b"YY" + ATTACK[8:], seq=begin + 6)
    c.send(ATTACK[:4], seq=begin)
    c.next = begin + len(ATTACK)


def old_bytes_altered(c):
    """Old bytes with another content, then new ones: the server takes what is new."""
    begin = c.next
    c.say(HEAD)
    c.send(b"YYYYY" + TAIL, seq=begin)
    c.next = begin + len(ATTACK)


def wrapped(c):
    whole(c)


def in_the_handshakes_last(c):
    c.send(ATTACK, flags=ACK | PSH)
    c.next += len(ATTACK)


def urgent_byte(c):
    """The urgent byte is taken out of what the application reads."""
    c.send(HEAD + b"X" + TAIL, flags=ACK | PSH | URG, urgent=len(HEAD) + 1)
    c.next += len(ATTACK) + 1


def urgent_byte_by_itself(c):
    c.say(HEAD)
    c.send(b"X", flags=ACK | PSH | URG, urgent=1)
    c.next += 1
    c.say(TAIL)


def urgent_far_ahead(c):
    """The pointer names a byte of a segment that comes later."""
    c.send(HEAD, flags=ACK | PSH | URG, urgent=len(HEAD) + 1)
    c.next += len(HEAD)
    c.say(b"X" + TAIL)


def fragments(c):
    for piece in c.fragments(ATTACK, 24):
        c.host.send(piece)
    c.next += len(ATTACK)


def fragments_backwards(c):
    for piece in reversed(c.fragments(ATTACK, 24)):
        c.host.send(piece)
    c.next += len(ATTACK)


# --- the attack, and beside it what the server discards ---

def behind(spoil):
    """Harmless bytes in the place of the attack's tail, which the server discards, before the tail itself."""
    def technique(c):
        c.say(HEAD)
        spoil(c, b"nothing")
        c.say(TAIL)
    return technique


def bad_checksum(c, data):
    c.send(data, bad_checksum=True)


def low_ttl(c, data):
    c.send(data, ttl=1)


def old_timestamp(c, data):
    c.send(data, clock=1)


def no_ack_flag(c, data):
    c.send(data, flags=PSH)


def ack_of_nothing(c, data):
    c.send(data, ack=c.ack + 1_000_000)


def far_ahead(c, data):
    c.send(data, seq=c.next + 10_000_000)


def far_behind(c, data):
    c.send(data, seq=c.next - 10_000_000)


def syn_with_data(c, data):
    c.send(data, flags=SYN)


def reset_outside(c, _data):
    c.send(seq=c.next + 10_000_000, flags=RST)


def reset_not_exact(c, _data):
    """In the window, but not the next number: a challenge ACK answers it (RFC 5961), and nothing ends."""
    c.send(seq=c.next + 3, flags=RST | ACK)


def reset_spoilt(c, _data):
    c.send(flags=RST | ACK, bad_checksum=True)


def fin_spoilt(c, _data):
    c.send(flags=FIN | ACK, bad_checksum=True)


def fin_outside(c, _data):
    c.send(seq=c.next + 10_000_000, flags=FIN | ACK)


def fin_with_low_ttl(c, _data):
    c.send(flags=FIN | ACK, ttl=1)


def keep_alive_of_garbage(c, _data):
    c.send(b"Z", seq=c.next - 1)


SPOILS = (bad_checksum, low_ttl, old_timestamp, no_ack_flag, ack_of_nothing, far_ahead, far_behind, syn_with_data)
INSERTIONS = (reset_outside, reset_not_exact, reset_spoilt, fin_spoilt, fin_outside, fin_with_low_ttl,
              keep_alive_of_garbage)

# name -> (technique, how the connection is opened, whether an alert has to tell of it). Where none has to, the hub has
# made something else of it: other bytes, or none.
ATTACKS = {one.__name__: (one, {}, True) for one in (
    whole, two_segments, reversed_order, byte_by_byte, bytes_backwards, in_the_handshakes_last, fragments, fragments_backwards, old_bytes_altered)}
ATTACKS |= {one.__name__: (one, {}, False) for one in (covering_later_segment, covered_left, urgent_byte, urgent_byte_by_itself,
                                                   urgent_far_ahead)}
ATTACKS["wrapped"] = (wrapped, {"isn": 0xffffffff - 6}, True)
ATTACKS |= {f"behind_{one.__name__}": (behind(one), {"timestamps": one is old_timestamp}, True)
            for one in SPOILS + INSERTIONS}
ATTACKS["data_in_syn"] = (whole, {"syn": b"nothing-here"}, False)

# The whole attack in a segment that the server discards: nothing may be told of it.
DECOYS = {one.__name__: (one, {"timestamps": one is old_timestamp}) for one in SPOILS}


class Judge:
    """Runs techniques against both ports."""

    def __init__(self, world, six=False):
        self.world = world
        with open(world.lab.path("evasion.rules"), "w") as handle:
            handle.write(RULES)
        world.build()
        world.config.profile.append({"name": "judge", "rules": ["evasion.rules"], "on_drop": "reset"})
        world.config.policy.insert(0, {"id": "judged", "action": "inspect", "protocol": "tcp", "ports": [INSPECTED],
                                       "profile": "judge"})
        world.start()
        a, b = world.a, world.b
        client, gateway = (CLIENT6, a.gateway_address6) if six else (CLIENT, a.gateway_address)
        self.server = b.address6 if six else b.address
        self.host = RawHost(a.namespace, "vx0", client, gateway)
        self.readers = {port: Reader(world.lab, b.namespace, self.server, port) for port in (PLAIN, INSPECTED)}
        self._ports = itertools.count(20_000)

    def run(self, technique, port, syn=b"", **how):
        """What the application read; None if there was no connection."""
        client = next(self._ports)
        c = RawConnection(self.host, client, self.server, port, **how)
        if not c.establish(data=syn):
            return None
        technique(c)
        c.say(MARKER)
        read = self.readers[port].read
        deadline = time.monotonic() + 2
        # Sent again now and then, as a sender would: what was dropped on the way is filled.
        while time.monotonic() < deadline and not c.listen(0.1):
            if MARKER in read.get(client, b""):
                break
        if not c.reset:
            c.send(flags=RST | ACK)
        return read.get(client, b"")

    def told(self, before):
        """Whether more alerts than `before` are written, or will be soon."""
        deadline = time.monotonic() + 2
        while len(self.alerts()) <= before:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    def alerts(self):
        return [event for event in self.world.hub.events("alert") if event["alert"]["signature_id"] == SID]


def run_attacks(world, six):
    judge = Judge(world, six)
    wrong = []
    for name, (technique, how, told) in ATTACKS.items():
        plain = judge.run(technique, PLAIN, **how)
        if plain is None or ATTACK not in plain:
            wrong.append(f"{name}: uninspected, the server read {plain}: it is no technique")
            continue
        before = len(judge.alerts())
        read = judge.run(technique, INSPECTED, **how)
        if read is not None and ATTACK in read:
            wrong.append(f"{name}: the server read {read}, {len(judge.alerts()) - before} alerts")
        elif told:
            if not judge.told(before):
                wrong.append(f"{name}: nothing was told; the server read {read}")
    world.note(f"{len(ATTACKS)} techniques")
    expect(not wrong, "\n".join(wrong))


def run_decoys(world, six):
    judge = Judge(world, six)
    wrong = []
    for name, (spoil, how) in DECOYS.items():
        def technique(c, spoil=spoil):
            spoil(c, ATTACK)
        for port in (PLAIN, INSPECTED):
            read = judge.run(technique, port, **how)
            if read is None or ATTACK in read or MARKER not in read:
                wrong.append(f"{name}, port {port}: the server read {read}")
    if told := judge.alerts():
        wrong.append(f"alerts: {told}")
    expect(judge.run(whole, INSPECTED) is not None, "no connection")
    eventually(judge.alerts, "the attack itself is not told either")
    expect(not wrong, "\n".join(wrong))


@scenario("evasion.attacks", "no technique brings the attack to the server's application, and each is shown to work "
          "where nothing is inspected", time_limit=240)
def attacks(world):
    run_attacks(world, six=False)


@scenario("evasion.attacks6", "the same over IPv6", time_limit=240)
def attacks6(world):
    run_attacks(world, six=True)


@scenario("evasion.decoys", "what the server's stack discards is not told as an attack", time_limit=120)
def decoys(world):
    run_decoys(world, six=False)


@scenario("evasion.decoys6", "the same over IPv6", time_limit=120)
def decoys6(world):
    run_decoys(world, six=True)
