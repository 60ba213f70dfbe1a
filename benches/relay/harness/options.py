"""What can be asked for on the command line."""

import argparse
import sys

PARTS = ["load", "latency", "idle", "start"]
QUICK = {"rounds": 1, "seconds": 0.4, "sizes": "10", "latency_seconds": 1, "connections": 200, "starts": 3}


def parse(about):
    parser = argparse.ArgumentParser(prog="benches/relay/run", description=about)
    add_general(parser)
    add_load(parser.add_argument_group("load"))
    add_others(parser.add_argument_group("latency, idle connections, start"))
    if "--quick" in sys.argv:
        parser.set_defaults(**QUICK)
    options = parser.parse_args()
    options.parts = options.parts or PARTS
    check(parser, options)
    return options


def add_general(parser):
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"what to measure: {', '.join(PARTS)} (all)")
    parser.add_argument("--quick", action="store_true",
                        help="about a minute, to see that it works; its figures say little")
    parser.add_argument("--json", metavar="FILE", help="write the figures there, too")
    parser.add_argument("--aliasd", metavar="PATH", help="this binary (target/release/aliasd, built if missing)")
    parser.add_argument("--exim", help=argparse.SUPPRESS)
    parser.add_argument("--systems", metavar="NAME,...",
                        help="only these; a part of a name is enough: sqlite, queue, postfix-hash")
    parser.add_argument("--scratch", metavar="FOLDER",
                        help="where the private folder is made, best on a real disk ($TMPDIR, /tmp)")
    parser.add_argument("--aliases", type=int, default=100_000, metavar="N", help="how many there are (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N",
                        help="alternating runs of load and latency (%(default)s)")


def add_load(group):
    group.add_argument("--sizes", type=sizes, default="2,10,100", metavar="KB,...", help="of messages (%(default)s)")
    group.add_argument("--sessions", type=int, default=50, metavar="N", help="connections at once (%(default)s)")
    group.add_argument("--seconds", type=float, default=2, metavar="S", help="how long a run is, about (%(default)s)")
    group.add_argument("--messages", type=int, metavar="N", help="so many messages a run instead")
    group.add_argument("--contacts", choices=["known", "new"], default="known",
                       help="whether the sender has written to the aliases before (%(default)s)")


def add_others(group):
    group.add_argument("--rate", type=float, default=50, metavar="N", help="latency: messages/s (%(default)s)")
    group.add_argument("--latency-seconds", type=float, default=20, metavar="S",
                       help="latency: how long in all rounds together (%(default)s)")
    group.add_argument("--connections", type=int, default=2000, metavar="N",
                       help="idle: so many, or what the limit of open files leaves (%(default)s)")
    group.add_argument("--starts", type=int, default=10, metavar="N", help="start: times (%(default)s)")


def check(parser, options):
    for part in options.parts:
        if part not in PARTS:
            parser.error(f"no such part: {part}")
    if not options.aliasd:
        parser.error("--aliasd is missing (benches/relay/run gives it)")
    if options.aliases < 1000:
        parser.error("--aliases: at least 1000")
    if options.messages and options.messages > options.aliases:
        parser.error("--messages: more than there are aliases, and each message goes to another one")


def sizes(text):
    """Bytes, of a list of KB."""
    return [int(size) * 1024 for size in text.split(",")]
