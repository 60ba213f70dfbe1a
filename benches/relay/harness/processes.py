"""Programs that are started, watched and stopped, each with all its children."""

import contextlib
import os
import random
import resource
import signal
import socket
import subprocess
import threading
import time

TICKS = os.sysconf("SC_CLK_TCK")
CLEAN_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
STARTING = 60
STOPPING = 15


class Failure(Exception):
    """What went wrong, in words for the one who runs this."""


class Program:
    """A running program in a session of its own, so that a Ctrl-C reaches us first and it last.

    Its CPU and memory are those of its whole tree of processes.
    """

    def __init__(self, argv, log, cwd, stdout=None):
        self.argv, self.log = argv, log
        with open(log, "ab") as said, contextlib.ExitStack() as files:
            out = files.enter_context(open(stdout, "wb")) if stdout else said
            self.began = time.monotonic()
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=said, cwd=cwd,
                                            env=CLEAN_ENVIRONMENT, start_new_session=True)

    @property
    def pid(self):
        return self.process.pid

    def tree(self):
        """The process and all below it, each with when it started: together they name it for good."""
        children = {}
        for pid, stat in all_stats():
            children.setdefault(int(stat[1]), []).append((pid, stat[19]))
        found, ahead = [], [(self.pid, None)]
        while ahead:
            pid, started = ahead.pop()
            found.append((pid, started or stat_of(pid)[19]))
            ahead += children.get(pid, [])
        return found

    def cpu(self):
        """Seconds of CPU of all its processes, of those too that have ended and were waited for.

        One that is waited for between two looks would be missed: neither its own figures nor its parent's have it.
        """
        members = self.tree()
        while True:
            seconds = sum(cpu_of(pid) for pid, _ in members)
            before, members = members, self.tree()
            if members == before:
                return seconds

    def memory(self):
        """Bytes (PSS): memory that several of its processes share counts once."""
        return sum(pss_of(pid) for pid, _ in self.tree())

    def wait_for_banner(self, port):
        """Waits until it greets on its port; gives the seconds since it was started."""
        while not banner(port):
            if self.process.poll() is not None:
                raise Failure(f"{self.argv[0]} ended by itself:\n{tail(self.log)}")
            if time.monotonic() - self.began > STARTING:
                raise Failure(f"{self.argv[0]} does not greet on port {port}:\n{tail(self.log)}")
            time.sleep(0.0003)
        return time.monotonic() - self.began

    def stop(self):
        """Ends all its processes, those that refuse too, and waits for them."""
        if self.process.poll() is not None:
            return
        members = self.tree()
        signal_all(members, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(STOPPING)
        signal_all(members, signal.SIGKILL)
        self.process.wait()
        wait_until_gone(members)


class Peak:
    """The most memory that a program takes while this is entered, looked at about once a second."""

    def __init__(self, program):
        self.program, self.bytes = program, 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def watch(self):
        pause = 0.3
        while not self.over.wait(pause):
            self.look()
            pause = 1

    def look(self):
        self.bytes = max(self.bytes, self.program.memory())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.look()


def all_stats():
    for name in os.listdir("/proc"):
        if name.isdigit():
            stat = stat_of(name)
            if stat[1] != "0":
                yield int(name), stat


def stat_of(pid):
    """The fields of /proc/PID/stat from `state` on; zeros when the process is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].decode().split()
    except OSError:
        return ["0"] * 50


def cpu_of(pid):
    """Seconds of CPU of a process, and of its children that it has waited for.

    Ticks are 10 ms, and rounded down for each process; over two hundred processes that is seconds. So the nanoseconds
    are taken where they are those of the whole process: where it has one thread.
    """
    stat = stat_of(pid)
    waited_for = (int(stat[13]) + int(stat[14])) / TICKS
    if stat[17] == "1":
        try:
            with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
                return int(file.read().split()[0]) / 1e9 + waited_for
        except OSError:
            pass
    return (int(stat[11]) + int(stat[12])) / TICKS + waited_for


def pss_of(pid):
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def signal_all(members, number):
    for pid, started in members:
        if stat_of(pid)[19] == started:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


def wait_until_gone(members):
    patience = time.monotonic() + STOPPING
    while any(is_alive(pid, started) for pid, started in members) and time.monotonic() < patience:
        time.sleep(0.01)


def is_alive(pid, started):
    stat = stat_of(pid)
    return stat[19] == started and stat[0] != "Z"


def machine_cpu():
    """Seconds that all cores were busy since the machine started."""
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, _idle, _iowait, irq, softirq = map(int, file.readline().split()[1:8])
    return (user + nice + system + irq + softirq) / TICKS


def own_cpu():
    """Seconds of CPU of this program and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def run(argv, **options):
    """Runs a command to its end; gives what it printed."""
    options = {"env": CLEAN_ENVIRONMENT, "stdin": subprocess.DEVNULL} | options
    if "input" in options:
        del options["stdin"]
    done = subprocess.run(argv, text=True, capture_output=True, check=False, **options)
    if done.returncode != 0:
        raise Failure(f"{' '.join(argv)}: exit status {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def banner(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as connection:
            return connection.recv(3) == b"220"
    except OSError:
        return False


def free_port():
    """A port that nothing uses, below those that the kernel gives to outgoing connections."""
    while True:
        port = random.randrange(10000, 20000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def tail(path, size=2000):
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - size))
        return file.read().decode(errors="replace")
