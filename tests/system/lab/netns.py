"""Network namespaces and processes that belong to one run, and that go away with it whatever happens.

Every namespace of a run is called <prefix>-<name>; nothing is created in the root namespace. Processes are
children that the kernel kills with us (PR_SET_PDEATHSIG), unless the lab is persistent, which `make demo KEEP=1`
asks for.
"""

import atexit
import contextlib
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1


class LabError(Exception):
    """Something that a lab needs did not work; the message says what."""


def _die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def run(*command, timeout=10, check=True, stdin=None):
    """Runs a command to its end and returns it with its output as text."""
    command = [str(word) for word in command]
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=timeout,
                              preexec_fn=_die_with_parent)
    except FileNotFoundError as error:
        raise LabError(f"{command[0]} is not installed; scripts/install-deps installs it") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{' '.join(command)}: not done after {timeout} s") from error
    if check and done.returncode != 0:
        raise LabError(f"{' '.join(command)}: exit {done.returncode}: {(done.stderr or done.stdout).strip()}")
    return done


def missing_abilities():
    """One sentence about what this machine lacks for network namespaces with VXLAN; empty if all is there."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for tool in ("ip", "ethtool", "ping", "curl", "iperf3", "nginx"):
        if not shutil.which(tool, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"):
            return f"{tool} is not installed; scripts/install-deps installs it"
    name = f"weir-probe{os.getpid()}"
    try:
        run("ip", "netns", "add", name)
        run("ip", "-n", name, "-batch", "-", stdin="link add b0 type bridge\n"
            "link add v0 type veth peer name v1\n"
            "link add x0 type vxlan id 1 remote 198.18.0.1 local 198.18.0.2 dstport 4789\n")
    except LabError as error:
        return f"this machine gives no network namespaces with bridge, veth and VXLAN devices ({error})"
    finally:
        run("ip", "netns", "del", name, check=False)
    return ""


class Process:
    """A running program with its output in a file."""

    def __init__(self, command, log_path, persistent=False):
        self.command = [str(word) for word in command]
        self.log_path = log_path
        self._log = open(log_path, "wb")
        self._popen = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT,
            start_new_session=True, preexec_fn=None if persistent else _die_with_parent)
        self.pid = self._popen.pid

    def output(self):
        with open(self.log_path, "r", errors="replace") as log:
            return log.read()

    def running(self):
        return self._popen.poll() is None

    def signal(self, number):
        if self.running():
            self._popen.send_signal(number)

    def wait(self, timeout):
        """The exit code; LabError if it runs on."""
        try:
            return self._popen.wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise LabError(f"{self.command[0]} still runs after {timeout} s") from error

    def wait_for(self, text, timeout):
        """Waits until the output contains `text`; LabError if it does not, or if the program ends."""
        deadline = time.monotonic() + timeout
        while text not in self.output():
            if not self.running():
                raise LabError(f"{' '.join(self.command)} ended with {self._popen.returncode}:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise LabError(f"no '{text}' after {timeout} s from {' '.join(self.command)}:\n{self.tail()}")
            time.sleep(0.02)

    def tail(self, lines=25):
        return "\n".join(self.output().splitlines()[-lines:])

    def stop(self, grace=2.0):
        """SIGTERM, then SIGKILL after `grace` seconds."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            self.signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(grace)
                break
        self._log.close()


class Namespace:
    """One network namespace."""

    def __init__(self, lab, name):
        self.lab = lab
        self.short_name = name
        self.name = f"{lab.prefix}-{name}"
        run("ip", "netns", "add", self.name)
        # Until duplicate address detection is through with a link-local address, for two seconds, the kernel asks for no neighbour.
        self.sysctl("net.ipv6.conf.default.accept_dad", 0)
        self.ip("link set lo up")

    def ip(self, *commands, check=True):
        """`ip` commands, in one batch."""
        return run("ip", "-n", self.name, "-batch", "-", stdin="\n".join(commands) + "\n", check=check)

    def run(self, *command, **options):
        return run("ip", "netns", "exec", self.name, *command, **options)

    def start(self, *command, log=None):
        return self.lab.start("ip", "netns", "exec", self.name, *command, log=log)

    @contextlib.contextmanager
    def entered(self):
        """The calling thread is inside the namespace; what it opens meanwhile stays there."""
        with open("/proc/thread-self/ns/net", "rb") as home, open(f"/run/netns/{self.name}", "rb") as there:
            self._setns(there)
            try:
                yield
            finally:
                self._setns(home)

    @staticmethod
    def _setns(handle):
        if _libc.setns(handle.fileno(), _CLONE_NEWNET) != 0:
            raise LabError(f"setns: {os.strerror(ctypes.get_errno())}")

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_STREAM, protocol=0):
        with self.entered():
            return socket.socket(family, kind, protocol)

    def sysctl(self, key, value):
        with self.entered(), open("/proc/sys/" + key.replace(".", "/"), "w") as handle:
            handle.write(str(value))


class Lab:
    """All that one scenario, or the demo, creates: namespaces, processes, a folder for files."""

    def __init__(self, prefix, folder=None, persistent=False):
        self.prefix = prefix
        self.persistent = persistent
        self.folder = folder or tempfile.mkdtemp(prefix=f"{prefix}-")
        self._own_folder = folder is None
        self._namespaces = {}
        self._processes = []
        self._closers = []
        self._lock = threading.Lock()
        if not persistent:
            atexit.register(self.close)

    def namespace(self, name):
        self._namespaces[name] = Namespace(self, name)
        return self._namespaces[name]

    def start(self, *command, log=None):
        path = os.path.join(self.folder, log or f"process-{len(self._processes)}.log")
        process = Process(command, path, self.persistent)
        with self._lock:
            self._processes.append(process)
        return process

    def on_close(self, function):
        self._closers.append(function)

    def path(self, name):
        return os.path.join(self.folder, name)

    def close(self):
        """Ends every process and removes every namespace of this lab. May be called twice."""
        atexit.unregister(self.close)
        for function in reversed(self._closers):
            function()
        self._closers.clear()
        for process in reversed(self._processes):
            process.stop()
        self._processes.clear()
        remove_namespaces(namespace.name for namespace in self._namespaces.values())
        self._namespaces.clear()
        if self._own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)


def namespace_names():
    return [line.split()[0] for line in run("ip", "netns", "list").stdout.splitlines() if line.strip()]


def remove_namespaces(names):
    """Ends what still runs inside the named namespaces, gently first, and removes them."""
    names = list(names)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in _pids_in(names):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        deadline = time.monotonic() + 2
        while _pids_in(names) and time.monotonic() < deadline:
            time.sleep(0.05)
    for name in names:
        run("ip", "netns", "del", name, check=False)


def _pids_in(names):
    return [int(pid) for name in names for pid in run("ip", "netns", "pids", name, check=False).stdout.split()]


def remove_leftovers(prefix, program):
    """Removes what runs that were killed left: namespaces and folders called <prefix><pid>-..., where no process
    <pid> with `program` in its command line is there any more. Returns their names."""
    pattern = re.compile(re.escape(prefix) + r"(\d+)-")

    def stale(name):
        match = pattern.match(name)
        return match and not _runs(int(match.group(1)), program)

    names = [name for name in namespace_names() if stale(name)]
    remove_namespaces(names)
    folders = [name for name in os.listdir(tempfile.gettempdir()) if stale(name)]
    for name in folders:
        shutil.rmtree(os.path.join(tempfile.gettempdir(), name), ignore_errors=True)
    return names + folders


def _runs(pid, program):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as cmdline:
            return program.encode() in cmdline.read()
    except OSError:
        return False
