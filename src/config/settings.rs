//! What the configuration means: values that the daemon works with.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;

use crate::mail::{Address, DomainName};
use crate::net::smarthost::Smarthost;
use crate::queue::Mode;
use crate::relay::scrub::OpaqueParts;
use crate::smtp::BareNewline;
use crate::telemetry::LogFormat;

use super::environment::Environment;
use super::error::{ConfigError, ConfigErrors};
use super::layers::Layers;
use super::read::size_in_words;
use super::{keys::Key, table};

/// All settings. `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Our name in the banner, in EHLO and in `Received`.
    pub hostname: DomainName,
    /// The folder of the SQLite file and of `master.key`; it may not be there yet.
    pub data_dir: PathBuf,
    /// Where everything is kept.
    pub database: Database,
    /// Mail coming in.
    pub smtp: Smtp,
    /// Where HTTP for admins listens, if it does.
    pub api_listen: Option<SocketAddr>,
    /// Where HTTP for strangers listens; nowhere when empty.
    pub web_listen: Vec<SocketAddr>,
    /// Mail going out.
    pub delivery: Delivery,
    /// The file of the key that seals what is at rest, 32 bytes; it may not be there yet.
    pub master_key: PathBuf,
    /// Name servers; none means those of the system.
    pub dns_servers: Vec<SocketAddr>,
    /// Mail from these counts as authenticated.
    pub trusted_networks: Vec<IpNet>,
    /// What owners write to contacts.
    pub reply: Reply,
    /// OpenPGP.
    pub pgp: Pgp,
    /// Logs.
    pub telemetry: Telemetry,
}

/// Which database.
#[derive(Debug, Clone)]
pub enum Database {
    /// The embedded one, in this file.
    Sqlite(PathBuf),
    /// MySQL or MariaDB, as a URL: `mysql://user:password@host:port/name`.
    MySql(SecretString),
}

/// Mail coming in.
#[derive(Debug, Clone)]
pub struct Smtp {
    /// At least one.
    pub listen: Vec<SocketAddr>,
    /// In bytes.
    pub max_message_size: u64,
    /// Of one message.
    pub max_recipients: usize,
    /// At a time.
    pub max_connections: usize,
    /// At a time, from one address; an IPv6 /64 counts as one.
    pub max_connections_per_ip: usize,
    /// What becomes of a line that does not end with CR LF.
    pub bare_newline: BareNewline,
    /// Who gets mail for `postmaster` and `abuse`.
    pub postmaster: Option<Address>,
}

/// Mail going out.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Before or after the sender has its answer.
    pub mode: Mode,
    /// How long the sender waits for the deliveries.
    pub direct_timeout: Duration,
    /// Waits between attempts; the last one repeats.
    pub retry: Vec<Duration>,
    /// When a message is given up.
    pub max_age: Duration,
    /// How long a node owns a delivery without renewing.
    pub lease: Duration,
    /// None means the MX of each domain.
    pub smarthost: Option<Smarthost>,
    /// Bytes of messages under way; at least [`Smtp::max_message_size`] and 128 KiB.
    pub max_memory: u64,
}

/// What owners write to contacts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply {
    /// What becomes of encrypted and signed parts.
    pub opaque_parts: OpaqueParts,
    /// It goes to the alias's other mailboxes as well.
    pub copies_to_other_mailboxes: bool,
}

/// OpenPGP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pgp {
    /// The subject of what is encrypted shows inside alone.
    pub hide_subject: bool,
    /// Before a reply, the contact's domain is asked for its certificate.
    pub wkd: bool,
    /// Certificates that contacts send along are taken.
    pub autocrypt: bool,
}

/// Logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telemetry {
    /// A directive that `tracing_subscriber::EnvFilter` takes.
    pub log: String,
    /// How a line looks.
    pub log_format: LogFormat,
    /// Addresses are hashed.
    pub redact: bool,
}

impl Settings {
    /// What was typed, taken together.
    pub(super) fn from_layers(layers: &Layers, environment: &Environment) -> Result<Self, ConfigErrors> {
        let settings = Meaning { layers, environment }.settings()?;
        check_memory(&settings, layers)?;
        Ok(settings)
    }
}

/// Asks the layers key by key.
struct Meaning<'a> {
    layers: &'a Layers,
    environment: &'a Environment,
}

impl Meaning<'_> {
    fn get<T>(&self, key: &Key<T>) -> Result<T, ConfigError> {
        self.layers.get(key, self.environment)
    }

    fn settings(&self) -> Result<Settings, ConfigError> {
        Ok(Settings {
            hostname: self.get(&table::HOSTNAME)?,
            data_dir: self.get(&table::DATA_DIR)?,
            database: self.get(&table::DATABASE_URL)?,
            smtp: self.smtp()?,
            api_listen: self.get(&table::API_LISTEN)?,
            web_listen: self.get(&table::WEB_LISTEN)?,
            delivery: self.delivery()?,
            master_key: self.get(&table::MASTER_KEY)?,
            dns_servers: self.get(&table::DNS_SERVERS)?,
            trusted_networks: self.get(&table::TRUSTED_NETWORKS)?,
            reply: self.reply()?,
            pgp: self.pgp()?,
            telemetry: self.telemetry()?,
        })
    }

    fn smtp(&self) -> Result<Smtp, ConfigError> {
        Ok(Smtp {
            listen: self.get(&table::LISTEN)?,
            max_message_size: self.get(&table::MAX_MESSAGE_SIZE)?,
            max_recipients: self.get(&table::MAX_RECIPIENTS)?,
            max_connections: self.get(&table::MAX_CONNECTIONS)?,
            max_connections_per_ip: self.get(&table::MAX_CONNECTIONS_PER_IP)?,
            bare_newline: self.get(&table::BARE_NEWLINE)?,
            postmaster: self.get(&table::POSTMASTER)?,
        })
    }

    fn delivery(&self) -> Result<Delivery, ConfigError> {
        Ok(Delivery {
            mode: self.get(&table::DELIVERY_MODE)?,
            direct_timeout: self.get(&table::DIRECT_TIMEOUT)?,
            retry: self.get(&table::RETRY)?,
            max_age: self.get(&table::MAX_AGE)?,
            lease: self.get(&table::LEASE)?,
            smarthost: self.get(&table::SMARTHOST)?,
            max_memory: self.get(&table::MAX_MEMORY)?,
        })
    }

    fn reply(&self) -> Result<Reply, ConfigError> {
        Ok(Reply {
            opaque_parts: self.get(&table::OPAQUE_PARTS)?,
            copies_to_other_mailboxes: self.get(&table::COPIES)?,
        })
    }

    fn pgp(&self) -> Result<Pgp, ConfigError> {
        Ok(Pgp {
            hide_subject: self.get(&table::HIDE_SUBJECT)?,
            wkd: self.get(&table::WKD)?,
            autocrypt: self.get(&table::AUTOCRYPT)?,
        })
    }

    fn telemetry(&self) -> Result<Telemetry, ConfigError> {
        Ok(Telemetry {
            log: self.get(&table::LOG)?,
            log_format: self.get(&table::LOG_FORMAT)?,
            redact: self.get(&table::REDACT)?,
        })
    }
}

/// What one message takes beyond its size: the next read (32 KiB), rounded up to steps of 64 KiB.
const MEMORY_MARGIN: u64 = 128 * 1024;

/// A message that is allowed must also fit, if only when it is alone: else it would be put off for ever.
fn check_memory(settings: &Settings, layers: &Layers) -> Result<(), ConfigError> {
    let (memory, message) = (settings.delivery.max_memory, settings.smtp.max_message_size);
    if memory >= message.saturating_add(MEMORY_MARGIN) {
        return Ok(());
    }
    let memory_typed = layers.is_typed(&table::MAX_MEMORY.spec);
    let spec = if memory_typed { &table::MAX_MEMORY.spec } else { &table::MAX_MESSAGE_SIZE.spec };
    let problem = format!(
        "found a max_memory of {} and a max_message_size of {}: the largest message and 128KiB to read it \
         would never fit; raise delivery.max_memory or lower smtp.max_message_size",
        size_in_words(memory),
        size_in_words(message)
    );
    Err(ConfigError { place: layers.place(spec), key: spec.path.to_owned(), problem })
}
