"""The load tool, the sink at the other end, and a small client of our own."""

import os
import socket
import subprocess
import time

from databases import ALIAS, SENDER
from processes import CLEAN_ENVIRONMENT, Failure, Program, tail

STALLED = 30
TEXT = b"Ten words in a line, so that it looks like a letter.\r\n"


class Sink(Program):
    """smtp-sink, which takes everything and counts it."""

    def __init__(self, folder, port):
        self.counter = f"{folder}/sink.count"
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        super().__init__(["smtp-sink", "-c", *user, "-m", "5000", f"inet:127.0.0.1:{port}", "1000"],
                         f"{folder}/sink.log", folder, stdout=self.counter)

    def count(self):
        """How many messages have arrived. The file is lines that end in CR, like `sess=3 quit=1 mesg=2`."""
        last = tail(self.counter, 200).rpartition("\r")[0].rpartition("mesg=")[2]
        return int(last.split()[0]) if last else 0

    def wait_for(self, wanted):
        """Waits for that many; gives the time at which they were there."""
        seen, since = -1, time.monotonic()
        while (count := self.count()) < wanted:
            now = time.monotonic()
            if count != seen:
                seen, since = count, now
            elif now - since > STALLED:
                raise Failure(f"messages are missing: {count} of {wanted} arrived")
            time.sleep(0.002)
        if count > wanted:
            raise Failure(f"more messages than were sent: {count}, not {wanted}")
        return time.monotonic()


def start_source(port, messages, cell, sessions, sender):
    """Starts smtp-source, each message to an alias of its own. It ends with an error on every 4xx and 5xx."""
    argv = ["smtp-source", "-s", str(sessions), "-m", str(messages), "-l", str(cell.size), "-N", "-f", sender,
            "-t", ALIAS, "-M", "mail.example.org", "-S", "benchmark", *(["-d"] if cell.reuse else []),
            f"inet:127.0.0.1:{port}"]
    return subprocess.Popen(argv, env=CLEAN_ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, text=True, start_new_session=True)


def finish_source(source):
    """Waits for its end; gives the time of it."""
    said = source.communicate()[1]
    ended = time.monotonic()
    if source.returncode != 0:
        raise Failure(f"smtp-source: {said.strip()[-500:] or source.returncode}")
    return ended


class Client:
    """A connection that has been greeted and has said EHLO."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.expect("220")
        self.say("EHLO mail.example.org", "250")

    def say(self, command, wanted):
        self.socket.sendall(command.encode() + b"\r\n")
        self.expect(wanted)

    def expect(self, wanted):
        reply = b""
        while not is_whole(reply):
            received = self.socket.recv(4096)
            if not received:
                raise Failure(f"connection closed after {reply!r}")
            reply += received
        if not reply.startswith(wanted.encode()):
            raise Failure(f"the server said {reply.decode(errors='replace').strip()}")

    def send(self, number, size):
        """One message, up to its 250."""
        recipient = f"{number}{ALIAS}"
        self.say(f"MAIL FROM:<{SENDER}>", "250")
        self.say(f"RCPT TO:<{recipient}>", "250")
        self.say("DATA", "354")
        self.socket.sendall(letter(recipient, number, size))
        self.expect("250")

    def close(self):
        self.socket.close()


def is_whole(reply):
    lines = reply.split(b"\r\n")
    return len(lines) > 1 and not lines[-1] and lines[-2][3:4] != b"-"


def letter(recipient, number, size):
    fields = [
        f"From: Jane Doe <{SENDER}>",
        f"To: {recipient}",
        "Subject: benchmark",
        "Date: Mon, 21 Sep 2026 16:13:20 +0200",
        f"Message-ID: <{number}.{time.monotonic_ns()}@example.org>",
    ]
    return "\r\n".join([*fields, "", ""]).encode() + TEXT * (size // len(TEXT)) + b".\r\n"
