"""Measures aliasd beside Postfix and Exim on this machine. See the README of benches/relay."""

import contextlib
import ctypes
import json
import os
import platform
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from databases import MariaDb
from measure import Bench, say
from options import parse
from processes import CLEAN_ENVIRONMENT, Failure, all_stats, free_port, is_alive, signal_all
from report import TABLES, add_ratios
from systems import Setting, Unavailable, all_systems, prepare_all

PR_SET_CHILD_SUBREAPER = 36
# Measured of aliasd alone, when no system is named.
OF_ALIASD = ["idle", "start"]


def main():
    options = parse(__doc__)
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGHUP, end)
    raise_file_limit()
    own_what_is_orphaned()
    try:
        with scratch(options.scratch) as folder:
            return measure(options, folder)
    except KeyboardInterrupt:
        say("interrupted; everything is stopped and removed")
        return 130
    except (Failure, Unavailable) as failure:
        say(str(failure))
        return 1


def end(*_):
    raise KeyboardInterrupt


def raise_file_limit():
    """Ours and that of all that we start."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def own_what_is_orphaned():
    """A process whose parent has ended becomes our child instead of the system's, so that it can be ended, too."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


@contextlib.contextmanager
def scratch(parent):
    """A folder that is removed at the end, after all that still runs."""
    folder = tempfile.mkdtemp(prefix="relay-", dir=parent)
    os.chmod(folder, 0o755)
    try:
        yield folder
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        end_children()
        shutil.rmtree(folder)


def end_children():
    for number in (signal.SIGTERM, signal.SIGKILL):
        patience = time.monotonic() + 10
        signal_all(children(), number)
        while children() and time.monotonic() < patience:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(-1, os.WNOHANG)
            time.sleep(0.01)


def children():
    return [(pid, stat[19]) for pid, stat in all_stats() if int(stat[1]) == os.getpid() and is_alive(pid, stat[19])]


def measure(options, folder):
    setting = Setting(folder=folder, listen=free_port(), sink=free_port(), api=free_port(), aliases=options.aliases,
                      aliasd=os.path.abspath(options.aliasd), exim=options.exim or "")
    options.connections = min(options.connections, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200)
    chosen = chosen_systems(options, setting)
    with contextlib.ExitStack() as stack:
        if any(system.tables == "mariadb" for system in chosen):
            setting.mariadb = start_mariadb(stack, folder)
        say(f"preparing {len(chosen)} systems with {options.aliases:,} aliases each")
        systems, missing = prepare_all(chosen, setting)
        bench = Bench(options, setting)
        found = {part: getattr(bench, part)(for_part(part, systems, options)) for part in options.parts}
    return report(options, systems, missing, found, bench.failures, folder)


def chosen_systems(options, setting):
    words = options.systems.split(",") if options.systems else [""]
    chosen = [system for system in all_systems(setting) if any(word in system.name for word in words)]
    if not chosen:
        raise Failure(f"no such system; there are {', '.join(system.name for system in all_systems(setting))}")
    return chosen


def start_mariadb(stack, folder):
    say("starting MariaDB")
    mariadb = MariaDb(f"{folder}/mariadb")
    stack.callback(mariadb.program.stop)
    mariadb.wait_until_ready()
    return mariadb


def for_part(part, systems, options):
    if part not in OF_ALIASD:
        return systems
    if options.systems:
        return [system for system in systems if system.kind != "none"]
    return [system for system in systems if system.kind == "aliasd"]


def report(options, systems, missing, found, failures, folder):
    facts = machine(options, folder) | {system.kind: system.version for system in systems if system.version}
    add_ratios(found.get("load", []), systems)
    print(*(f"{key}: {value}" for key, value in facts.items()), sep="\n")
    for part, rows in found.items():
        if rows:
            print(TABLES[part](rows))
    for name, reason in missing.items():
        print(f"\nnot measured: {name}: {reason}")
    for failure in failures:
        print(f"\nFAILED: {failure}")
    if options.json:
        write_json(options, facts | found | {"not_measured": missing, "failures": failures})
    return 1 if failures else 0


def write_json(options, results):
    settings = {key: value for key, value in vars(options).items() if key not in ("json", "exim")}
    with open(options.json, "w", encoding="utf-8") as file:
        json.dump({"options": settings} | results, file, indent=2)
        file.write("\n")


def machine(options, folder):
    """What the figures depend on."""
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "machine": f"{os.cpu_count()} x {processor()}, Linux {platform.release()}",
        "disk": said("stat", "-f", "-c", "%T", folder),
        "aliasd": said(options.aliasd, "--version"),
        "postfix": said("postconf", "-h", "mail_version"),
        "mariadb": said("mariadbd", "--no-defaults", "--version"),
    }


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    return names[0] if names else platform.machine()


def said(*argv):
    try:
        return subprocess.run(argv, env=CLEAN_ENVIRONMENT, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return "not there"


if __name__ == "__main__":
    sys.exit(main())
