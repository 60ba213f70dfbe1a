"""The four measurements: load, latency, idle connections, start. Each gives rows, and notes what failed."""

import contextlib
import dataclasses
import os
import statistics
import sys
import threading
import time

from databases import SENDER
from processes import Failure, Peak, machine_cpu, own_cpu, tail
from smtp import Client, Sink, finish_source, start_source

WARM_UP = 200
# After the last message has arrived: what a server still does about it belongs to its cost.
SETTLING = 0.3


@dataclasses.dataclass(frozen=True)
class Cell:
    """One kind of load."""
    size: int
    reuse: bool

    def __str__(self):
        return f"{self.size // 1024} KB, {'connections used again' if self.reuse else 'a connection a message'}"


class Bench:
    """What all measurements need, and what they found."""

    def __init__(self, options, setting):
        self.options, self.setting = options, setting
        self.failures = []
        # How many messages a run sends, of a system and a cell, and the most of a system.
        self.counts = {}
        self.runs = 0

    def sender(self):
        """The one whom every alias knows, or for each run another whom none does."""
        self.runs += 1
        return SENDER if self.options.contacts == "known" else SENDER.replace("@", f"{self.runs}@")

    @contextlib.contextmanager
    def running(self, system):
        """The system between a new sink and us: (its program or None, the sink)."""
        with contextlib.ExitStack() as stack:
            sink = stack.enter_context(started(Sink(self.setting.folder, self.setting.sink)))
            sink.wait_for_banner(self.setting.sink)
            program = system.start()
            if program:
                stack.enter_context(started(program))
                program.wait_for_banner(system.port)
            yield program, sink

    def attempt(self, what, measure, *arguments):
        """One measurement; a failure is noted, and the others go on."""
        say(what)
        try:
            return measure(*arguments)
        except (Failure, OSError) as failure:
            self.failures.append(f"{what}: {failure}")
            say(f"  FAILED: {failure}")
            return None

    # --- load

    def load(self, systems):
        """Medians over the rounds. In each round every system has its turn."""
        cells = [Cell(size, reuse) for size in self.options.sizes for reuse in (False, True)]
        found = {}
        for number in range(self.options.rounds):
            for system in systems:
                what = f"load, round {number + 1} of {self.options.rounds}, {system.name}"
                self.attempt(what, self.load_round, system, cells, found)
        return [{"system": system.name, "size": cell.size, "reuse": cell.reuse, **medians(found[system, cell])}
                for cell in cells for system in systems if (system, cell) in found]

    def load_round(self, system, cells, found):
        with self.running(system) as (program, sink):
            load = Load(self, system, program, sink)
            try:
                load.warm_up(cells[-1])
                for cell in cells:
                    row = load.measure(cell)
                    found.setdefault((system, cell), []).append(row)
                    say(f"  {cell}: {row['messages']} messages, {row['rate']:.0f}/s")
            except Failure as failure:
                raise Failure(f"{failure}{last_words(program)}") from None

    # --- latency

    def latency(self, systems):
        samples = {system: [] for system in systems}
        for number in range(self.options.rounds):
            for system in systems:
                what = f"latency, round {number + 1} of {self.options.rounds}, {system.name}"
                samples[system] += self.attempt(what, self.latency_round, system) or []
        return [{"system": system.name, "messages": len(times), **percentiles(times)}
                for system, times in samples.items() if times]

    def latency_round(self, system):
        options = self.options
        messages = round(options.rate * options.latency_seconds / options.rounds)
        with self.running(system) as (_, sink):
            for number in range(WARM_UP // 4):
                timed_message(system.port, number + 1)
            times = at_rate(system.port, messages, options.rate)
            sink.wait_for(WARM_UP // 4 + messages)
        return times

    # --- idle connections

    def idle(self, systems):
        rows = [self.attempt(f"idle connections, {system.name}", self.idle_row, system) for system in systems]
        return [row for row in rows if row]

    def idle_row(self, system):
        with self.running(system) as (program, _):
            timed_message(system.port, 1)
            time.sleep(1)
            before = program.memory()
            with contextlib.ExitStack() as stack:
                for _ in range(self.options.connections):
                    stack.callback(Client(system.port).close)
                time.sleep(1)
                grown = program.memory() - before
        return {"system": system.name, "connections": self.options.connections, "empty_bytes": before,
                "bytes_per_connection": grown / self.options.connections}

    # --- start

    def start(self, systems):
        rows = [self.attempt(f"start, {system.name}", self.start_row, system) for system in systems]
        return [row for row in rows if row]

    def start_row(self, system):
        times = []
        for _ in range(self.options.starts):
            with started(system.start()) as program:
                times.append(program.wait_for_banner(system.port) * 1000)
        return {"system": system.name, "starts": len(times), "median_ms": statistics.median(times),
                "max_ms": max(times)}


class Load:
    """Load on one running system."""

    def __init__(self, bench, system, program, sink):
        self.bench, self.options, self.setting = bench, bench.options, bench.setting
        self.system, self.program, self.sink = system, program, sink
        self.sent = 0

    def warm_up(self, cell):
        """As many messages as the longest run has, so that no cell meets colder caches than the next."""
        self.run(cell, self.bench.counts.get(self.system) or self.enough(cell))

    def enough(self, cell):
        """How many messages keep the system busy for the wanted time."""
        if self.options.messages:
            return self.options.messages
        began = time.monotonic()
        wanted = WARM_UP / (self.run(cell, WARM_UP)[0] - began) * self.options.seconds
        return max(WARM_UP, min(round(wanted), self.setting.aliases))

    def run(self, cell, messages):
        """Sends them; gives when the last had arrived, and when the last was acknowledged."""
        source = start_source(self.system.port, messages, cell, self.options.sessions, self.bench.sender())
        try:
            acknowledged = finish_source(source)
        finally:
            source.kill()
        self.sent += messages
        arrived = max(self.sink.wait_for(self.sent), acknowledged)
        time.sleep(SETTLING)
        return arrived, acknowledged

    def measure(self, cell):
        messages = self.messages(cell)
        with Peak(self.program) if self.program else contextlib.nullcontext() as peak:
            before, began = self.cpu(), time.monotonic()
            arrived, acknowledged = self.run(cell, messages)
            after, ended = self.cpu(), time.monotonic()
        server, database, ours, machine = (b - a for a, b in zip(before, after, strict=True))
        per_message = 1000 / messages
        return {
            "messages": messages,
            "rate": messages / (arrived - began),
            "acknowledged_rate": messages / (acknowledged - began),
            "cpu_ms": server * per_message if self.program else None,
            "database_cpu_ms": database * per_message if self.system.tables == "mariadb" else None,
            "peak_bytes": peak.bytes if peak else None,
            "foreign": max(0.0, machine - server - database - ours) / (ended - began) / os.cpu_count(),
        }

    def messages(self, cell):
        key = self.system, cell
        if key not in self.bench.counts:
            self.bench.counts[key] = self.enough(cell)
            self.bench.counts[self.system] = max(self.bench.counts[key], self.bench.counts.get(self.system, 0))
        return self.bench.counts[key]

    def cpu(self):
        """Seconds so far: of the server, of the database, of the load tools and ourselves, of the whole machine."""
        server = self.program.cpu() if self.program else 0.0
        database = self.setting.mariadb.program.cpu() if self.setting.mariadb else 0.0
        return server, database, self.sink.cpu() + own_cpu(), machine_cpu()


@contextlib.contextmanager
def started(program):
    try:
        yield program
    finally:
        program.stop()


def medians(rows):
    """Of each figure; with the lowest and highest rate."""
    row = {key: None if rows[0][key] is None else statistics.median(row[key] for row in rows) for key in rows[0]}
    rates = [row["rate"] for row in rows]
    return row | {"rounds": len(rows), "rate_min": min(rates), "rate_max": max(rates)}


def percentiles(times):
    ordered = [taken * 1000 for taken in sorted(times)]
    p99 = ordered[len(ordered) * 99 // 100]
    return {"p50_ms": statistics.median(ordered), "p99_ms": p99, "max_ms": ordered[-1]}


def timed_message(port, number, size=10 * 1024):
    """Seconds from before the connection is opened to the 250 after the final dot."""
    began = time.monotonic()
    client = Client(port)
    client.send(number, size)
    taken = time.monotonic() - began
    client.say("QUIT", "221")
    client.close()
    return taken


def at_rate(port, messages, rate):
    """Messages at fixed times, each on a connection of its own, whether the one before is through or not."""
    times, failures = [], []

    def one(number):
        try:
            times.append(timed_message(port, number))
        except (Failure, OSError) as failure:
            failures.append(str(failure))

    threads, began = [], time.monotonic()
    for number in range(messages):
        time.sleep(max(0.0, began + number / rate - time.monotonic()))
        threads.append(threading.Thread(target=one, args=(number + 1,), daemon=True))
        threads[-1].start()
    for thread in threads:
        thread.join()
    if failures:
        raise Failure(f"{len(failures)} of {messages} messages failed: {failures[0]}")
    return times


def last_words(program):
    """The end of a server's log, for the one who looks for the cause."""
    return f"\nits log ends with:\n{tail(program.log, 1000)}" if program else ""


def say(text):
    print(text, file=sys.stderr, flush=True)
