"""A MariaDB of our own, and what is in the databases: one domain, one mailbox, many aliases, one contact for each."""

import itertools
import os
import shutil
import sqlite3
import time

from processes import STARTING, Failure, Program, free_port, run, tail

DOMAIN = "example.com"
MAILBOX = "me@example.net"
SENDER = "jane@example.org"
# smtp-source puts a number before it: 1alias@example.com, 2alias@example.com, …
ALIAS = f"alias@{DOMAIN}"

ROWS_AT_ONCE = 1000
MADE_AT = 1_700_000_000_000


class MariaDb:
    """A private server with the durability that a real one has; only the binary log is off."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        self.socket = f"{folder}/socket"
        self.user = "mysql" if os.geteuid() == 0 else None
        os.mkdir(folder)
        if self.user:
            shutil.chown(folder, self.user)
        self.install()
        self.program = self.start()

    def install(self):
        run(["mariadb-install-db", "--no-defaults", *self.as_user(), f"--datadir={self.folder}/data",
             "--auth-root-authentication-method=normal", "--skip-test-db"], cwd=self.folder)

    def start(self):
        return Program(["mariadbd", "--no-defaults", *self.as_user(), f"--datadir={self.folder}/data",
                        f"--socket={self.socket}", f"--port={self.port}", "--bind-address=127.0.0.1",
                        "--skip-name-resolve", "--skip-log-bin", "--max-connections=600",
                        "--innodb-buffer-pool-size=512M", f"--pid-file={self.folder}/pid"],
                       f"{self.folder}/log", self.folder)

    def as_user(self):
        return [f"--user={self.user}"] if self.user else []

    def wait_until_ready(self):
        patience = time.monotonic() + STARTING
        while True:
            try:
                return self.execute("SELECT 1")
            except Failure:
                if self.program.process.poll() is not None or time.monotonic() > patience:
                    raise Failure(f"MariaDB does not start:\n{tail(self.program.log)}") from None
            time.sleep(0.1)

    def execute(self, statements, database=""):
        argv = ["mariadb", "--no-defaults", f"--socket={self.socket}", "--user=root", database]
        return run([word for word in argv if word], input=statements)

    def create(self, database):
        self.execute(f"CREATE DATABASE {database} CHARACTER SET utf8mb4")

    def url(self, database):
        return f"mysql://root@127.0.0.1:{self.port}/{database}"


def fill_sqlite(path, aliases):
    """Puts the aliases into a database that aliasd made, and that has a domain and a mailbox."""
    connection = sqlite3.connect(path)
    try:
        connection.executescript(aliasd_rows(aliases))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        raise Failure(f"{path} does not take the aliases; has a migration changed its tables? {error}") from error
    finally:
        connection.close()


def fill_mariadb(mariadb, database, aliases):
    """The same on MariaDB."""
    mariadb.execute(aliasd_rows(aliases) + "ANALYZE TABLE aliases, alias_mailboxes, contacts;", database)


def fill_peers(mariadb, database, aliases):
    """The table that Postfix and Exim ask."""
    mariadb.create(database)
    table = ("CREATE TABLE aliases (address VARCHAR(255) CHARACTER SET ascii PRIMARY KEY,"
             " mailbox VARCHAR(255) NOT NULL);\n")
    rows = (f"('{number}{ALIAS}', '{MAILBOX}')" for number in range(1, aliases + 1))
    mariadb.execute(table + insert("aliases (address, mailbox)", rows), database)


def aliasd_rows(aliases):
    """SQL that both engines understand. Account, domain and mailbox are the first ones of their tables.

    The sender is already a contact of every alias, as most senders are.
    """
    numbers = range(1, aliases + 1)
    alias_rows = (f"({n}, 1, 1, '{n}{ALIAS}', 1, 0, 'reverse', 0, {MADE_AT})" for n in numbers)
    contact_rows = (f"({n}, '{SENDER}', '{SENDER}', '{reverse_alias(n)}', 0, {MADE_AT})" for n in numbers)
    return "".join([
        "BEGIN;\n",
        insert("aliases (id, account_id, domain_id, address, enabled, pinned, mode, has_blocked_contacts, created_at)",
               alias_rows),
        "INSERT INTO alias_mailboxes (alias_id, mailbox_id) SELECT id, 1 FROM aliases;\n",
        insert("contacts (alias_id, address, written, reverse_alias, blocked, created_at)", contact_rows),
        "COMMIT;\n",
    ])


def reverse_alias(number):
    """Of the shape of a real one: its token is 16 letters and digits of base32."""
    token = str(number).rjust(16, "0").translate(str.maketrans("0123456789", "abcdefghij"))
    return f"jane_at_example_org.{token}@{DOMAIN}"


def insert(table_and_columns, rows):
    statements = []
    while chunk := list(itertools.islice(rows, ROWS_AT_ONCE)):
        statements.append(f"INSERT INTO {table_and_columns} VALUES {','.join(chunk)};\n")
    return "".join(statements)
