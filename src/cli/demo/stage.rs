//! The stage of the demo: the real daemon, and a receiving server that plays the servers of the owner and of the
//! contact. All on free ports of the loopback interface, all in a folder that is removed at the end.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::admin::records::NewAlias;
use crate::admin::{Registry as _, keys};
use crate::app::Daemon;
use crate::app::database::Migrate;
use crate::app::surroundings::System;
use crate::config::{self, Environment};
use crate::mail::{Address, DomainName, Message};
use crate::net::dns::Dns;
use crate::net::listener::{Drained, Ends, Limits, Listener};
use crate::net::smtp_in::{Service, SmtpIn, Times};
use crate::net::smtp_out::{Options, Ourselves, Outbound};
use crate::pgp;
use crate::queue::memory::MemoryBudget;
use crate::relay::alias::Mode;
use crate::relay::openpgp::{Fingerprint, Privacy};
use crate::relay::ports::{Content, Delivery, Outcome, Surroundings as _, Transport as _};
use crate::smtp::{self, BareNewline, Enhanced, ForwardPath, Reply, ReversePath, Transaction};

/// How long the demo waits for a message that aliasd says it has delivered.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why the stage cannot be set.
pub type StageError = anyhow::Error;

/// A message as it arrived at the receiving server.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) message: Message,
}

impl Arrived {
    /// Whether a text occurs in the message or its envelope sender, in any case of letters.
    pub(super) fn contains(&self, text: &str) -> bool {
        let all = [self.from.as_bytes(), self.message.raw()].concat().to_ascii_lowercase();
        memchr::memmem::find(&all, text.to_ascii_lowercase().as_bytes()).is_some()
    }
}

/// Everything that runs.
pub(super) struct Stage {
    folder: tempfile::TempDir,
    daemon: Daemon,
    receiver: Receiver,
    mail: mpsc::Receiver<Arrived>,
    sender: Outbound,
}

impl Stage {
    /// Starts the receiving server, then aliasd with it as smarthost, and makes the alias.
    pub(super) async fn set(alias: &str, mailbox: &str) -> Result<Self, StageError> {
        let folder = tempfile::Builder::new().prefix("aliasd-demo-").tempdir()?;
        let (receiver, mail) = Receiver::start()?;
        let file = folder.path().join("aliasd.toml");
        std::fs::write(&file, configuration(folder.path(), receiver.address))?;
        let settings = config::load(Some(&file), &Environment::default())?.settings;
        let daemon = Daemon::start(&settings, Migrate::OnlySqlite).await?;
        let sender = sender_to(*daemon.addresses().first().context("aliasd listens nowhere")?)?;
        let stage = Self { folder, daemon, receiver, mail, sender };
        stage.make_alias(&alias.parse()?, &mailbox.parse()?).await?;
        Ok(stage)
    }

    async fn make_alias(&self, alias: &Address, mailbox: &Address) -> Result<(), StageError> {
        let (store, now) = (self.daemon.store(), System.now());
        let account = store.account("default").await?.id;
        let domain = alias.domain().context("the alias has no domain")?;
        store.add_domain(account, domain, None, now).await?;
        store.add_mailbox(account, mailbox, true, now).await?;
        let new = NewAlias {
            address: alias.clone(),
            mailboxes: vec![mailbox.clone()],
            name: Some("A customer".to_owned()),
            note: None,
            mode: Mode::Reverse,
            expires_at: None,
        };
        store.add_alias(account, &new, now).await?;
        Ok(())
    }

    /// Has everything that goes to the mailbox encrypted; the fingerprint of the certificate.
    pub(super) async fn import_certificate(
        &self,
        mailbox: &str,
        certificate: &[u8],
    ) -> Result<Fingerprint, StageError> {
        let (store, now) = (self.daemon.store(), System.now());
        let account = store.account("default").await?.id;
        let openpgp = pgp::Engine::new(true);
        let imported = keys::import(store, &openpgp, account, &mailbox.parse()?, certificate, now).await?;
        Ok(imported.keys.into_iter().next().context("nothing was imported")?.fingerprint)
    }

    pub(super) fn relay(&self) -> String {
        self.daemon.addresses().iter().map(SocketAddr::to_string).collect()
    }

    pub(super) fn http(&self) -> Option<SocketAddr> {
        self.daemon.http_address()
    }

    pub(super) fn receiver(&self) -> SocketAddr {
        self.receiver.address
    }

    pub(super) fn config_file(&self) -> PathBuf {
        self.folder.path().join("aliasd.toml")
    }

    /// Hands a message to aliasd as another mail server would.
    pub(super) async fn hand_over(
        &self,
        from: &str,
        to: &str,
        message: &Message,
    ) -> Result<Outcome, StageError> {
        let content =
            Content { head: message.head(), body: message.body(), eight_bit: false, smtputf8: false };
        let from = ReversePath::Address(from.parse()?);
        let delivery = Delivery {
            id: "demo".to_owned(),
            from,
            to: to.parse()?,
            content,
            dsn: None,
            privacy: Privacy::Open,
        };
        Ok(self.sender.deliver(delivery).await)
    }

    /// The next message that arrives.
    pub(super) async fn arrived(&mut self) -> Result<Arrived, StageError> {
        let arrived = tokio::time::timeout(PATIENCE, self.mail.recv()).await;
        arrived
            .context("aliasd said that it delivered the message, and it did not arrive")?
            .context("no receiver")
    }

    /// The next message, whenever it comes; `None` when the receiver has stopped.
    pub(super) async fn next_arrival(&mut self) -> Option<Arrived> {
        self.mail.recv().await
    }

    /// Stops everything and removes the folder.
    pub(super) async fn strike(self) -> Result<(), StageError> {
        self.daemon.stop().await;
        self.receiver.stop().await?;
        Ok(self.folder.close()?)
    }
}

fn configuration(folder: &Path, receiver: SocketAddr) -> String {
    format!(
        "hostname = \"mx.example.com\"\ndata_dir = {folder:?}\n\
         [smtp]\nlisten = [\"127.0.0.1:0\"]\npostmaster = \"me@example.net\"\n\
         [api]\nlisten = \"127.0.0.1:0\"\n\
         [delivery]\nsmarthost = \"smtp://{receiver}\"\n\
         [authentication]\ntrusted_networks = [\"127.0.0.0/8\"]\n\
         [telemetry]\nlog = \"warn\"\n"
    )
}

/// What another server's sending side does, pointed at aliasd.
fn sender_to(relay: SocketAddr) -> Result<Outbound, StageError> {
    Ok(Outbound::new(Options {
        hostname: DomainName::parse("mx.example.org")?,
        smarthost: Some(format!("smtp://{relay}").parse()?),
        port: relay.port(),
        ourselves: Ourselves::default(),
        dns: Dns::new(&[])?,
        budget: PATIENCE,
        after_dot: PATIENCE,
    })?)
}

/// A message as a mail program writes it.
pub(super) fn compose(
    from: (&str, &str),
    to: &str,
    subject: &str,
    text: &str,
) -> Result<Message, StageError> {
    let (name, address) = from;
    let sender = lettre::message::Mailbox::new(Some(name.to_owned()), address.parse()?);
    let host = address.rsplit('@').next().unwrap_or("example.org");
    let written = lettre::Message::builder()
        .from(sender)
        .to(to.parse()?)
        .subject(subject)
        .message_id(Some(format!("<{}@{host}>", message_number())))
        .header(lettre::message::header::ContentType::TEXT_PLAIN)
        .body(text.to_owned())?;
    Ok(Message::parse(Bytes::from(written.formatted())))
}

fn message_number() -> String {
    let mut random = [0; 6];
    System.random(&mut random);
    random.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A server that takes everything and shows it.
struct Receiver {
    address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<Drained>,
}

impl Receiver {
    fn start() -> Result<(Self, mpsc::Receiver<Arrived>), StageError> {
        let (sender, mail) = mpsc::channel(100);
        let listener = Listener::bind(&[SocketAddr::from(([127, 0, 0, 1], 0))])?;
        let address = *listener.addresses().first().context("the receiver listens nowhere")?;
        let session = smtp::server::Settings {
            hostname: DomainName::parse("mx.example.net")?,
            max_message_size: 50 << 20,
            max_recipients: 100,
            bare_newline: BareNewline::Reject,
            max_errors: 20,
        };
        let server =
            SmtpIn::new(Tray(sender), Arc::new(session), MemoryBudget::new(100 << 20), Times::default());
        let limits = Limits {
            max_connections: 100,
            max_connections_per_ip: 100,
            shutdown_deadline: Duration::from_secs(5),
        };
        let stop = CancellationToken::new();
        let serving = tokio::spawn(listener.run(server, limits, stop.clone()));
        Ok((Self { address, stop, serving }, mail))
    }

    async fn stop(self) -> Result<(), StageError> {
        self.stop.cancel();
        self.serving.await?;
        Ok(())
    }
}

/// Puts every message into the channel.
struct Tray(mpsc::Sender<Arrived>);

impl Service for Tray {
    type Recipient = Address;

    async fn recipient(&self, _: Ends, _: &ReversePath, to: &ForwardPath) -> Result<Address, Reply> {
        match to {
            ForwardPath::Address(address) => Ok(address.clone()),
            ForwardPath::Postmaster => Err(Reply::new(550, Enhanced(5, 1, 1), "only full addresses here")),
        }
    }

    async fn message(&self, _: Ends, transaction: Transaction<Address>) -> Reply {
        let from = match &transaction.from {
            ReversePath::Null => "<>".to_owned(),
            ReversePath::Address(address) => address.to_string(),
        };
        let message = Message::parse(transaction.body);
        for recipient in transaction.recipients {
            let to = recipient.known.to_string();
            let arrived = Arrived { from: from.clone(), to, message: message.clone() };
            if self.0.send(arrived).await.is_err() {
                return Reply::new(451, Enhanced(4, 3, 2), "the demo is over");
            }
        }
        Reply::new(250, Enhanced(2, 0, 0), "taken")
    }
}
