"""What is measured: aliasd, Postfix, Exim, and nothing at all. Each writes its configuration into its own folder."""

import dataclasses
import os
import shutil
import subprocess

from databases import ALIAS, DOMAIN, MAILBOX, MariaDb, fill_mariadb, fill_peers, fill_sqlite
from processes import CLEAN_ENVIRONMENT, Failure, Program, run

PEERS_DATABASE = "peers"
# Exim wants a user of this name; it is made in a private copy of /etc only.
EXIM_USER, EXIM_UID = "Debian-exim", 64123


class Unavailable(Exception):
    """Why a system cannot be measured here."""


@dataclasses.dataclass
class Setting:
    """Where everything of this run is."""
    folder: str
    listen: int
    sink: int
    api: int
    aliases: int
    aliasd: str
    exim: str
    mariadb: MariaDb | None = None


class System:
    """One thing to measure. `tables` says where its aliases are: in a file, in MariaDB, or nowhere."""
    kind = tables = version = ""

    def __init__(self, setting):
        self.setting = setting
        self.folder = f"{setting.folder}/{self.name}"

    @property
    def port(self):
        return self.setting.listen

    def prepare(self):
        """Makes its folder, its configuration and its tables."""
        os.mkdir(self.folder)

    def start(self):
        """Starts it with an empty queue."""
        raise NotImplementedError

    def write(self, name, text):
        with open(f"{self.folder}/{name}", "w", encoding="ascii") as file:
            file.write(text)
        return f"{self.folder}/{name}"

    def program(self, argv):
        return Program(argv, f"{self.folder}/log", self.folder)


class Nothing(System):
    """The load tool talks to the sink: the most that can be measured here."""
    name = kind = "none"

    @property
    def port(self):
        return self.setting.sink

    def start(self):
        return None


class Aliasd(System):
    kind = "aliasd"

    def __init__(self, setting, tables, mode):
        self.name, self.tables, self.mode = f"aliasd-{tables}-{mode}", tables, mode
        super().__init__(setting)
        self.database = self.name.replace("-", "_")

    def prepare(self):
        super().prepare()
        self.configure()
        if self.tables == "mariadb":
            self.setting.mariadb.create(self.database)
        for command in (["migrate"], ["domain", "add", DOMAIN], ["mailbox", "add", MAILBOX]):
            run(self.argv(*command))
        self.fill()

    def fill(self):
        if self.tables == "mariadb":
            fill_mariadb(self.setting.mariadb, self.database, self.setting.aliases)
        else:
            fill_sqlite(f"{self.folder}/data/aliasd.db", self.setting.aliases)

    def configure(self):
        """A version that does not know a feature yet refuses its keys, and does without them."""
        text = self.needed()
        if refusal := self.refusal(text):
            raise Unavailable(refusal)
        for part in self.wanted():
            if not self.refusal(text + part):
                text += part
        self.write("aliasd.toml", text)

    def needed(self):
        setting = self.setting
        url = setting.mariadb.url(self.database) if self.tables == "mariadb" else f"sqlite:{self.folder}/data/aliasd.db"
        return f"""\
hostname = "mx.{DOMAIN}"
data_dir = "{self.folder}/data"
[database]
url = "{url}"
[smtp]
listen = ["127.0.0.1:{setting.listen}"]
max_connections_per_ip = 10000
[delivery]
mode = "{self.mode}"
smarthost = "smtp://127.0.0.1:{setting.sink}"
"""

    def wanted(self):
        """Nothing is limited or checked that the others do not limit or check."""
        limits = ["messages_per_alias", "messages_per_ip", "replies_per_account", "new_contacts_per_alias"]
        return [
            f'[api]\nlisten = "127.0.0.1:{self.setting.api}"\n',
            '[authentication]\ntrusted_networks = ["127.0.0.0/8"]\n',
            "[limits]\n" + "".join(f'{limit} = "0"\n' for limit in limits),
        ]

    def refusal(self, text):
        path = self.write("try.toml", text)
        argv = [self.setting.aliasd, "config", "show", "--config", path]
        shown = subprocess.run(argv, env=CLEAN_ENVIRONMENT, capture_output=True, text=True, check=False)
        return shown.stderr.strip() if shown.returncode else ""

    def argv(self, *command):
        return [self.setting.aliasd, *command, "--config", f"{self.folder}/aliasd.toml"]

    def start(self):
        return self.program(self.argv("serve"))


class Postfix(System):
    kind = "postfix"

    def __init__(self, setting, tables):
        self.name, self.tables = f"postfix-{tables}", tables
        super().__init__(setting)

    def prepare(self):
        need_root()
        super().prepare()
        for name in ("etc", "data"):
            os.mkdir(f"{self.folder}/{name}")
        shutil.chown(f"{self.folder}/data", "postfix")
        self.write("etc/main.cf", self.main_cf(self.alias_maps()))
        self.write("etc/master.cf", self.master_cf())

    def alias_maps(self):
        if self.tables == "mariadb":
            return "proxy:mysql:" + self.write("etc/aliases.cf", f"""\
hosts = inet:127.0.0.1:{self.setting.mariadb.port}
user = root
dbname = {PEERS_DATABASE}
query = SELECT mailbox FROM aliases WHERE address = '%s'
""")
        path = self.write("aliases", alias_lines(self.setting.aliases, " "))
        run(["postmap", f"hash:{path}"])
        return f"hash:{path}"

    def main_cf(self, alias_maps):
        """Tuned to take and to hand on as fast as it can: see the README."""
        return f"""\
compatibility_level = 3.6
meta_directory = /etc/postfix
queue_directory = {self.folder}/queue
data_directory = {self.folder}/data
maillog_file = {self.folder}/mail.log
maillog_file_prefixes = {self.folder}
myhostname = mx.{DOMAIN}
mydestination =
mynetworks =
alias_maps =
alias_database =
local_recipient_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
virtual_alias_domains = {DOMAIN}
virtual_alias_maps = {alias_maps}
relayhost = [127.0.0.1]:{self.setting.sink}
smtpd_relay_restrictions = reject_unauth_destination
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtp_tls_security_level = none
smtp_connection_cache_destinations = [127.0.0.1]:{self.setting.sink}
initial_destination_concurrency = 50
default_destination_concurrency_limit = 100
in_flow_delay = 0
message_size_limit = 60000000
biff = no
"""

    def master_cf(self):
        """service, type, wake-up, most processes, command"""
        services = [
            (f"127.0.0.1:{self.setting.listen}", "inet", "-", "-", "smtpd"),
            ("cleanup", "unix", "-", "0", "cleanup"),
            ("qmgr", "unix", "300", "1", "qmgr"),
            ("rewrite", "unix", "-", "-", "trivial-rewrite"),
            ("proxymap", "unix", "-", "-", "proxymap"),
            ("smtp", "unix", "-", "-", "smtp"),
            ("scache", "unix", "-", "1", "scache"),
            ("anvil", "unix", "-", "1", "anvil"),
            ("bounce", "unix", "-", "0", "bounce"),
            ("defer", "unix", "-", "0", "bounce"),
            ("trace", "unix", "-", "0", "bounce"),
            ("flush", "unix", "1000?", "0", "flush"),
            ("verify", "unix", "-", "1", "verify"),
            ("error", "unix", "-", "-", "error"),
            ("retry", "unix", "-", "-", "error"),
            ("local", "unix", "-", "-", "local"),
            ("showq", "unix", "-", "-", "showq"),
            ("postlog", "unix-dgram", "-", "1", "postlogd"),
        ]
        public = {"qmgr", "cleanup", "flush", "showq", "postlog"}
        lines = (f"{service} {kind} {'n' if service in public or kind == 'inet' else '-'} - n {wake} {most} {command}\n"
                 for service, kind, wake, most, command in services)
        return "".join(lines)

    def start(self):
        shutil.rmtree(f"{self.folder}/queue", ignore_errors=True)
        os.mkdir(f"{self.folder}/queue")
        return self.program(["postfix", "-c", f"{self.folder}/etc", "start-fg"])


class Exim(System):
    """Cut-through: the sender's 250 is the next hop's.

    Exim reads only the configuration file whose path is built into it, and wants a user of its own. Both are in a copy
    of /etc that only it sees, in a mount namespace.
    """
    kind = "exim"

    def __init__(self, setting, tables):
        self.name, self.tables = f"exim-{tables}", tables
        super().__init__(setting)
        self.binary = f"{setting.exim}/usr/sbin/exim4"

    def prepare(self):
        need_root()
        if not os.access(self.binary, os.X_OK):
            raise Unavailable(f"there is no {self.binary}")
        super().prepare()
        self.copy_etc()
        for name in ("spool", "logs"):
            os.mkdir(f"{self.folder}/{name}")
            os.chown(f"{self.folder}/{name}", EXIM_UID, EXIM_UID)
        self.write("etc/exim4/exim4.conf", self.configuration(self.lookup()))
        self.check_that_it_runs()

    def copy_etc(self):
        etc = f"{self.folder}/etc"
        os.makedirs(f"{etc}/exim4")
        for name in ("passwd", "group", "nsswitch.conf", "hosts", "services", "protocols", "ld.so.cache", "localtime"):
            if os.path.exists(f"/etc/{name}"):
                shutil.copy(f"/etc/{name}", etc)
        for name, line in (("passwd", f"{EXIM_USER}:x:{EXIM_UID}:{EXIM_UID}::/:/bin/false"),
                           ("group", f"{EXIM_USER}:x:{EXIM_UID}:")):
            with open(f"{etc}/{name}", encoding="utf-8") as file:
                others = [other for other in file if not other.startswith(f"{EXIM_USER}:")]
            with open(f"{etc}/{name}", "w", encoding="utf-8") as file:
                file.writelines([line + "\n", *others])

    def check_that_it_runs(self):
        try:
            self.version = run(self.argv("-bV")).split()[2]
        except Failure as failure:
            raise Unavailable(str(failure)) from None

    def lookup(self):
        if self.tables == "mariadb":
            address = "${quote_mysql:$local_part@$domain}"
            return f"${{lookup mysql{{SELECT mailbox FROM aliases WHERE address = '{address}'}}}}"
        path = self.write("aliases", alias_lines(self.setting.aliases, ": "))
        run([f"{self.setting.exim}/usr/sbin/exim_dbmbuild", path, f"{self.folder}/aliases.db"])
        return f"${{lookup{{$local_part@$domain}}dbm{{{self.folder}/aliases.db}}}}"

    def configuration(self, lookup):
        setting = self.setting
        servers = ""
        if self.tables == "mariadb":
            servers = f"hide mysql_servers = 127.0.0.1::{setting.mariadb.port}/{PEERS_DATABASE}/root/"
        return f"""\
exim_path = {self.binary}
spool_directory = {self.folder}/spool
log_file_path = {self.folder}/logs/%s
primary_hostname = mx.{DOMAIN}
{servers}
local_interfaces = 127.0.0.1
daemon_smtp_ports = {setting.listen}
pid_file_path = {self.folder}/spool/exim.pid
host_lookup =
tls_advertise_hosts =
dns_ipv4_lookup = *
smtp_accept_max = 0
smtp_accept_max_per_connection = 0
smtp_connect_backlog = 1000
message_size_limit = 60M
acl_smtp_rcpt = recipient

begin acl

recipient:
  require domains = {DOMAIN}
  require verify = recipient
  accept  control = cutthrough_delivery

begin routers

aliases:
  driver = redirect
  domains = {DOMAIN}
  data = {lookup}

next_hop:
  driver = manualroute
  domains = ! {DOMAIN}
  route_list = * 127.0.0.1 byname
  self = send
  transport = next_hop

begin transports

next_hop:
  driver = smtp
  port = {setting.sink}
  allow_localhost
  hosts_avoid_tls = *
  hosts_try_dane =

begin retry

* * F,1h,1m
"""

    def argv(self, *arguments):
        script = 'mount --bind "$1" /etc && shift && exec "$@"'
        return ["unshare", "--mount", "sh", "-c", script, "sh", f"{self.folder}/etc", self.binary, *arguments]

    def start(self):
        return self.program(self.argv("-bdf"))


def alias_lines(aliases, separator):
    return "".join(f"{number}{ALIAS}{separator}{MAILBOX}\n" for number in range(1, aliases + 1))


def need_root():
    if os.geteuid() != 0:
        raise Unavailable("only root can start it")


def all_systems(setting):
    return [
        Nothing(setting),
        *(Aliasd(setting, tables, mode) for tables in ("sqlite", "mariadb") for mode in ("direct", "queue")),
        *(Postfix(setting, tables) for tables in ("hash", "mariadb")),
        *(Exim(setting, tables) for tables in ("dbm", "mariadb")),
    ]


def prepare_all(systems, setting):
    """Prepares them; gives those that can run, and why each other one cannot."""
    usable, missing = [], {}
    if any(system.tables == "mariadb" and system.kind != "aliasd" for system in systems):
        fill_peers(setting.mariadb, PEERS_DATABASE, setting.aliases)
    for system in systems:
        try:
            system.prepare()
            usable.append(system)
        except Unavailable as reason:
            missing[system.name] = str(reason)
    return usable, missing
