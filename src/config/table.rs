//! The table of all keys, in the order of the default file. Explanations are written as they appear there.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::mail::{Address, DomainName};
use crate::net::smarthost::Smarthost;
use crate::queue::Mode;
use crate::relay::scrub::OpaqueParts;
use crate::smtp::BareNewline;
use crate::telemetry::LogFormat;

use super::keys::{AnyKey, Key, Section};
use super::nearest::nearest;
use super::read;
use super::settings::Database;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const GIB: u64 = 1024 * MIB;
const TIB: u64 = 1024 * GIB;
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const YEAR: Duration = Duration::from_hours(365 * 24);

/// A limit on how often something may happen; none is no limit.
type Rate = Option<(u32, Duration)>;

pub(super) static HOSTNAME: Key<DomainName> = Key::new(
    "hostname",
    r#""mx.example.com""#,
    read::host_name,
    "The name of this server in its banner, in EHLO and in Received headers. It should resolve to this machine.",
)
.found("the machine's name");

pub(super) static DATA_DIR: Key<PathBuf> = Key::new(
    "data_dir",
    r#""aliasd-data""#,
    read::path,
    "The folder of the SQLite database and of master.key. It is made on the first start.",
)
.found("$STATE_DIRECTORY, else ./aliasd-data");

pub(super) static DATABASE_URL: Key<Database> = Key::new(
    "database.url",
    r#""sqlite:aliasd-data/aliasd.db""#,
    read::database,
    "\"sqlite:FILE\", or \"mysql://user:password@host:3306/aliasd\" for MySQL and MariaDB.\n\
     A URL with a password in it may lie in a file of its own: { file = \"…\" }.",
)
.found("SQLite, aliasd.db in data_dir")
.secret();

pub(super) static LISTEN: Key<Vec<SocketAddr>> = Key::new(
    "smtp.listen",
    r#"["127.0.0.1:2525"]"#,
    read::listen_somewhere,
    "Where other mail servers reach this one. In production: [\"[::]:25\"].",
);

pub(super) static MAX_MESSAGE_SIZE: Key<u64> = Key::new(
    "smtp.max_message_size",
    r#""50MiB""#,
    |raw| read::size(raw, 64 * KIB..=2 * GIB),
    "A larger message is refused. Other servers learn the limit from EHLO.",
);

pub(super) static MAX_RECIPIENTS: Key<usize> = Key::new(
    "smtp.max_recipients",
    "100",
    |raw| read::count(raw, 1..=100_000),
    "Most recipients of one message. Senders count on at least 100 (RFC 5321).",
);

pub(super) static MAX_CONNECTIONS: Key<usize> = Key::new(
    "smtp.max_connections",
    "10000",
    |raw| read::count(raw, 1..=1_000_000),
    "Most connections at a time.",
);

pub(super) static MAX_CONNECTIONS_PER_IP: Key<usize> = Key::new(
    "smtp.max_connections_per_ip",
    "50",
    |raw| read::count(raw, 1..=1_000_000),
    "Most connections at a time from one address. An IPv6 /64 counts as one address.",
);

pub(super) static BARE_NEWLINE: Key<BareNewline> = Key::new(
    "smtp.bare_newline",
    r#""reject""#,
    |raw| read::choice(raw, &[("reject", BareNewline::Reject), ("normalize", BareNewline::Normalize)]),
    "Lines of a message that end with LF or CR alone: \"reject\" the message, or \"normalize\" them to CRLF.\n\
     Either way only CR LF . CR LF ends a message.",
);

static PROXY_PROTOCOL_FROM: Key<Vec<IpNet>> = Key::new(
    "smtp.proxy_protocol_from",
    "[]",
    read::networks,
    "Networks of load balancers, which must send a PROXY header.",
)
.not_yet();

pub(super) static POSTMASTER: Key<Option<Address>> = Key::new(
    "smtp.postmaster",
    r#""""#,
    read::address,
    "Who gets mail for postmaster and abuse at your domains, such as \"you@example.net\". Empty: it is refused.",
);

static TLS_CERTIFICATE: Key<String> = Key::new(
    "smtp.tls.certificate",
    r#""""#,
    read::text,
    "The certificate chain, a PEM file such as \"cert.pem\".",
)
.not_yet();

static TLS_KEY: Key<String> =
    Key::new("smtp.tls.key", r#""""#, read::text, "Its private key, a PEM file such as \"key.pem\".")
        .not_yet();

static SUBMISSION_LISTEN: Key<Vec<SocketAddr>> = Key::new(
    "submission.listen",
    "[]",
    read::listen,
    "Such as [\"[::]:465\", \"[::]:587\"]: TLS from the start on 465, STARTTLS on 587.",
)
.not_yet();

pub(super) static API_LISTEN: Key<Option<SocketAddr>> = Key::new(
    "api.listen",
    r#""127.0.0.1:8025""#,
    read::socket_address_or_none,
    "Whoever reaches it may read how the server is and how much it does: keep it where only you can reach it.\n\
     Empty: no HTTP.",
);

pub(super) static WEB_LISTEN: Key<Vec<SocketAddr>> = Key::new(
    "web.listen",
    "[]",
    read::listen,
    "Such as [\"127.0.0.1:8026\"]. It speaks plain HTTP: put a proxy in front of it that speaks HTTPS and keeps the Host\n\
     field. For each of your domains it answers as openpgpkey.DOMAIN (or as DOMAIN itself) with the OpenPGP certificates\n\
     that you imported for aliases.",
);

static WEB_BASE_URL: Key<String> = Key::new(
    "web.base_url",
    r#""""#,
    read::text,
    "Such as \"https://mx.example.com\". Empty: the links that need it are not made.",
)
.not_yet();

pub(super) static DELIVERY_MODE: Key<Mode> = Key::new(
    "delivery.mode",
    r#""direct""#,
    |raw| read::choice(raw, &[("direct", Mode::Direct), ("queue", Mode::Queue)]),
    "\"direct\": deliver while the sender waits, and tell it what became of the message; what is undecided is stored.\n\
     \"queue\": store first, answer, deliver after.",
);

pub(super) static DIRECT_TIMEOUT: Key<Duration> = Key::new(
    "delivery.direct_timeout",
    r#""20s""#,
    |raw| read::duration(raw, SECOND..=10 * MINUTE),
    "How long the sender waits for the deliveries at most. What is undecided then is stored and tried again; what only\n\
     waits for the answer to its final dot goes on.",
);

pub(super) static SMARTHOST: Key<Option<Smarthost>> = Key::new(
    "delivery.smarthost",
    r#""""#,
    read::smarthost,
    "Hand every message to this server, such as \"smtp://127.0.0.1:2526\". Empty: to the MX of each domain.\n\
     smtp:// uses TLS when it is offered, with any certificate; smtp+starttls:// and smtps:// insist on a valid one.\n\
     With a login: \"smtps://user:password@mail.example.net\", or { file = \"…\" } with that in it.",
)
.secret();

pub(super) static RETRY: Key<Vec<Duration>> = Key::new(
    "delivery.retry",
    r#"["1m", "5m", "15m", "30m", "1h", "2h", "4h"]"#,
    |raw| read::durations(raw, SECOND..=7 * DAY),
    "Waits between attempts, a tenth more or less; the last one repeats.",
);

pub(super) static MAX_AGE: Key<Duration> = Key::new(
    "delivery.max_age",
    r#""5d""#,
    |raw| read::duration(raw, SECOND..=30 * DAY),
    "After this time a message is given up, and its sender is told. Our own reports: after a day at most.",
);

pub(super) static MAX_MEMORY: Key<u64> = Key::new(
    "delivery.max_memory",
    r#""256MiB""#,
    |raw| read::size(raw, 64 * KIB..=TIB),
    "Bytes of messages under way at a time. Past it senders are asked to try again later.",
);

pub(super) static LEASE: Key<Duration> = Key::new(
    "delivery.lease",
    r#""60s""#,
    |raw| read::duration(raw, 5 * SECOND..=HOUR),
    "How long a node owns a delivery without renewing. When one dies, others go on after this time.",
);

pub(super) static OPAQUE_PARTS: Key<OpaqueParts> = Key::new(
    "reply.opaque_parts",
    r#""allow""#,
    |raw| read::choice(raw, &[("allow", OpaqueParts::Allow), ("refuse", OpaqueParts::Refuse)]),
    "Encrypted or signed parts, in which the mailbox's address cannot be replaced: \"allow\" or \"refuse\".",
);

pub(super) static COPIES: Key<bool> = Key::new(
    "reply.copies_to_other_mailboxes",
    "false",
    read::boolean,
    "The other mailboxes of the alias get a copy of each reply, encrypted if they have certificates.",
);

pub(super) static MASTER_KEY: Key<PathBuf> = Key::new(
    "secrets.master_key",
    r#"{ file = "aliasd-data/master.key" }"#,
    read::key_file,
    "32 random bytes, made on the first start. All nodes of one database share it; without it what is sealed is lost.\n\
     A bare file name is looked for in $CREDENTIALS_DIRECTORY first.",
)
.found("master.key in data_dir")
.secret();

pub(super) static DNS_SERVERS: Key<Vec<SocketAddr>> =
    Key::new("dns.servers", "[]", read::servers, "Such as [\"127.0.0.1:5353\"]. Empty: those of the system.");

static DMARC: Key<&str> = Key::new(
    "authentication.dmarc",
    r#""enforce""#,
    |raw| read::choice(raw, &[("enforce", "enforce"), ("mark", "mark"), ("off", "off")]),
    "What the policy of the author's domain does: \"enforce\", \"mark\" or \"off\".",
)
.not_yet();

static REPLY_PROOF: Key<&str> = Key::new(
    "authentication.reply",
    r#""aligned""#,
    |raw| read::choice(raw, &[("aligned", "aligned"), ("submission-only", "submission-only")]),
    "What proves that a reply is from the mailbox: \"aligned\" DKIM or SPF, or \"submission-only\".",
)
.not_yet();

pub(super) static TRUSTED_NETWORKS: Key<Vec<IpNet>> = Key::new(
    "authentication.trusted_networks",
    "[]",
    read::networks,
    "Your own mail servers, such as [\"192.0.2.0/24\"]: what they hand over counts as authenticated.\n\
     Replies are only taken from there in this version.",
);

pub(super) static HIDE_SUBJECT: Key<bool> = Key::new(
    "pgp.hide_subject",
    "true",
    read::boolean,
    "Encrypted messages show \"[...]\" as their subject.",
);

pub(super) static WKD: Key<bool> = Key::new(
    "pgp.wkd",
    "false",
    read::boolean,
    "Before a reply, look for the contact's certificate in the Web Key Directory of its domain, and encrypt to it.\n\
     That tells the domain whom you write to, a moment before the message does.",
);

pub(super) static AUTOCRYPT: Key<bool> = Key::new(
    "pgp.autocrypt",
    "false",
    read::boolean,
    "Take the certificates that contacts send along (Autocrypt) when it is sure who they are, and encrypt replies to\n\
     those who prefer it. Sure is what comes from authentication.trusted_networks: switch it on only if the servers there\n\
     check every From that they pass on.",
);

static MESSAGES_PER_ALIAS: Key<Rate> =
    Key::new("limits.messages_per_alias", r#""60/1m""#, read::rate, "To one alias.").not_yet();
static MESSAGES_PER_IP: Key<Rate> =
    Key::new("limits.messages_per_ip", r#""600/1m""#, read::rate, "From one address.").not_yet();
static REPLIES_PER_ACCOUNT: Key<Rate> =
    Key::new("limits.replies_per_account", r#""300/1h""#, read::rate, "From the mailboxes of one account.")
        .not_yet();
static NEW_CONTACTS_PER_ALIAS: Key<Rate> =
    Key::new("limits.new_contacts_per_alias", r#""200/1h""#, read::rate, "First messages to one alias.")
        .not_yet();
static NEW_ALIASES_PER_DOMAIN: Key<Rate> =
    Key::new("limits.new_aliases_per_domain", r#""100/1h""#, read::rate, "Aliases that mail makes.")
        .not_yet();

static ACTIVITY: Key<Duration> = Key::new(
    "retention.activity",
    r#""90d""#,
    |raw| read::duration(raw, HOUR..=10 * YEAR),
    "What happened to each message.",
)
.not_yet();

pub(super) static LOG: Key<String> = Key::new(
    "telemetry.log",
    r#""info""#,
    read::log_filter,
    "error, warn, info, debug, trace or off; also by module: \"info,aliasd::smtp=debug\".",
);

pub(super) static LOG_FORMAT: Key<LogFormat> = Key::new(
    "telemetry.log_format",
    r#""text""#,
    |raw| read::choice(raw, &[("text", LogFormat::Text), ("json", LogFormat::Json)]),
    "\"text\" for people, or \"json\", one object a line.",
);

pub(super) static REDACT: Key<bool> =
    Key::new("telemetry.redact", "true", read::boolean, "Addresses in the log are hashed. false shows them.");

static OTLP_ENDPOINT: Key<String> = Key::new(
    "telemetry.otlp_endpoint",
    r#""""#,
    read::text,
    "Where traces go, such as \"http://127.0.0.1:4317\".",
)
.not_yet();

static REDIS_URL: Key<String> = Key::new(
    "cluster.redis_url",
    r#""""#,
    read::text,
    "Redis or Valkey, for limits that all nodes share. Empty: each node counts for itself.",
)
.secret()
.not_yet();

/// All sections with all keys. A section stands before its subsections.
pub(super) static SECTIONS: &[Section] = &[
    Section { name: "", doc: "", keys: &[&HOSTNAME, &DATA_DIR] },
    Section {
        name: "database",
        doc: "Where aliases, contacts and all else is kept.",
        keys: &[&DATABASE_URL],
    },
    Section {
        name: "smtp",
        doc: "Mail coming in.",
        keys: &[
            &LISTEN,
            &MAX_MESSAGE_SIZE,
            &MAX_RECIPIENTS,
            &MAX_CONNECTIONS,
            &MAX_CONNECTIONS_PER_IP,
            &BARE_NEWLINE,
            &PROXY_PROTOCOL_FROM,
            &POSTMASTER,
        ],
    },
    Section {
        name: "smtp.tls",
        doc: "STARTTLS for mail coming in; off without this section.",
        keys: &[&TLS_CERTIFICATE, &TLS_KEY],
    },
    Section {
        name: "submission",
        doc: "Mail from your own mail programs, after a login.",
        keys: &[&SUBMISSION_LISTEN],
    },
    Section { name: "api", doc: "HTTP for admins: /healthz, /readyz and /metrics.", keys: &[&API_LISTEN] },
    Section {
        name: "web",
        doc: "What strangers may reach over HTTP: the OpenPGP certificates of aliases (WKD). Never the API.",
        keys: &[&WEB_LISTEN, &WEB_BASE_URL],
    },
    Section {
        name: "delivery",
        doc: "Mail going out.",
        keys: &[&DELIVERY_MODE, &DIRECT_TIMEOUT, &SMARTHOST, &RETRY, &MAX_AGE, &MAX_MEMORY, &LEASE],
    },
    Section { name: "reply", doc: "Replies through reverse aliases.", keys: &[&OPAQUE_PARTS, &COPIES] },
    Section { name: "secrets", doc: "Keys of this installation.", keys: &[&MASTER_KEY] },
    Section { name: "dns", doc: "Name servers.", keys: &[&DNS_SERVERS] },
    Section {
        name: "authentication",
        doc: "Who may say to be whom.",
        keys: &[&DMARC, &REPLY_PROOF, &TRUSTED_NETWORKS],
    },
    Section { name: "pgp", doc: "OpenPGP.", keys: &[&HIDE_SUBJECT, &WKD, &AUTOCRYPT] },
    Section {
        name: "limits",
        doc: "How much is taken: \"N/time\", or \"0\" for no limit. Over one the sender is asked to come back later.",
        keys: &[
            &MESSAGES_PER_ALIAS,
            &MESSAGES_PER_IP,
            &REPLIES_PER_ACCOUNT,
            &NEW_CONTACTS_PER_ALIAS,
            &NEW_ALIASES_PER_DOMAIN,
        ],
    },
    Section { name: "retention", doc: "How long records are kept.", keys: &[&ACTIVITY] },
    Section {
        name: "telemetry",
        doc: "What this server tells about itself.",
        keys: &[&LOG, &LOG_FORMAT, &REDACT, &OTLP_ENDPOINT],
    },
    Section { name: "cluster", doc: "Several nodes on one database.", keys: &[&REDIS_URL] },
];

/// All keys, in the order of the default file.
pub(super) fn all() -> impl Iterator<Item = &'static dyn AnyKey> {
    SECTIONS.iter().flat_map(|section| section.keys.iter().copied())
}

/// The key with this path.
pub(super) fn find(path: &str) -> Option<&'static dyn AnyKey> {
    all().find(|key| key.spec().path == path)
}

/// The section with this name.
pub(super) fn find_section(name: &str) -> Option<&'static Section> {
    SECTIONS.iter().find(|section| section.name == name)
}

/// What somebody who typed this name may have meant: a like key of the same section, else one that is called so in another,
/// else the section's keys.
pub(super) fn hint(section: &'static Section, name: &str) -> String {
    let here = || section.keys.iter().map(|key| key.spec());
    let same_section = nearest(name, here().map(|spec| spec.name()))
        .and_then(|near| here().find(|spec| spec.name() == near))
        .map(|spec| spec.path);
    let elsewhere = || nearest(name, all().map(|key| key.spec().name())).and_then(path_of);
    match same_section.or_else(elsewhere) {
        Some(path) => format!("the nearest is \"{path}\""),
        None => {
            let names: Vec<_> = here().map(|spec| spec.name()).collect();
            let place = if section.name.is_empty() { "no section" } else { section.name };
            format!("the keys of {place} are: {}", names.join(", "))
        }
    }
}

fn path_of(name: &str) -> Option<&'static str> {
    all().map(|key| key.spec()).find(|spec| spec.name() == name).map(|spec| spec.path)
}
