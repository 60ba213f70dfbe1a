//! A connection to one host: the socket and the session on it.
//!
//! It is a value of its own, apart from the choice of hosts, so that it can rest in the [`super::pool`] and carry another
//! message.
//!
//! The one thing that must be right here is when the session is told that the message was sent: as soon as the last
//! octet was handed to the socket or to TLS, before the flush, because from then on the server may have the final
//! dot. A write that fails or times out with octets left has not sent it: `write` takes octets or says no, and TLS
//! encrypts none that it did not take. Before each write it is seen whether the server has spoken already: a reply that
//! was there before the final dot is not the reply to it.
//!
//! Three times count, one after the other: that of the opening, that of the delivery, and, from the final dot on, that of
//! [`AFTER_DOT`](super::AFTER_DOT).

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::FutureExt as _;
use rustls::ClientConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::yield_now;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

use super::errand::Target;
use super::pool::Key;
use super::{Connectors, Job, Outcome, Scheme, Settings, TlsMode};
use crate::net::meters::Secrecy;
use crate::net::smarthost::HostName;
use crate::net::tls::server_name;
use crate::smtp::client::{Action, Channel, Client, Input, Loss, Phase};
use crate::smtp::stuffing::Stuffed;
use crate::smtp::{Failure, Words};

/// How long a connect may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a server that broke off may take to say why.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Replies are short; the reply to EHLO is the longest.
const READ_BUFFER: usize = 1024;

type Stream = Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// A connection whose session is open.
pub(super) struct Connection {
    stream: Stream,
    client: Client,
    buffer: BytesMut,
    /// Of what is going on now.
    deadline: Instant,
    /// Messages that it was used for.
    messages: u32,
    site: u64,
    host: HostName,
    tls: TlsMode,
}

/// What a transaction came to.
pub(super) struct Answer {
    /// What became of the message, or (`Err`) why this host cannot take it at all.
    pub(super) outcome: Result<Outcome, Outcome>,
    /// The connection had ended before the transaction began.
    pub(super) was_stale: bool,
    /// How the server is, whatever it says of the message.
    pub(super) server: Server,
}

/// How a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Server {
    /// It answers in order.
    Works,
    /// It broke off or does not want us now.
    InTrouble,
    /// It had not answered when our time was over: with more time it might have.
    Unknown,
}

/// Why there is no connection.
pub(super) enum OpenError {
    /// The handshake after STARTTLS failed; in clear it might have worked.
    Handshake(Outcome),
    /// The server wants no mail of ours, and nothing is the matter with it.
    Refused(Outcome),
    /// Anything else.
    Failed(Outcome),
}

impl OpenError {
    pub(super) fn into_outcome(self) -> Outcome {
        let (Self::Handshake(outcome) | Self::Refused(outcome) | Self::Failed(outcome)) = self;
        outcome
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("to", &self.label()).finish_non_exhaustive()
    }
}

impl Connection {
    /// Connects and speaks until the session takes mail, within the time that the target has for it.
    pub(super) async fn open(
        target: &Target<'_>,
        settings: Arc<Settings>,
        tls: &Connectors,
    ) -> Result<Self, OpenError> {
        let deadline = target.open_until;
        let config = Self::config(target, tls)?;
        let tcp = connect(target, deadline).await.map_err(|error| failed(target, (4, 4, 1), &error))?;
        let (stream, channel) = if target.next_hop.scheme == Scheme::Smtps {
            let stream = handshake(tcp, config, target, deadline).await;
            (stream.map_err(|error| failed(target, (4, 7, 5), &error))?, Channel::Encrypted)
        } else {
            (Either::Left(tcp), Channel::Clear)
        };
        let connection = Self {
            stream,
            client: Client::new(settings, target.label(), channel),
            buffer: BytesMut::with_capacity(READ_BUFFER),
            deadline,
            messages: 0,
            site: target.next_hop.site.number,
            host: target.host.clone(),
            tls: target.next_hop.tls_mode(),
        };
        connection.greet(target, config).await
    }

    fn config<'t>(target: &Target<'_>, tls: &'t Connectors) -> Result<&'t Arc<ClientConfig>, OpenError> {
        if !target.next_hop.scheme.verifies() {
            return Ok(tls.any());
        }
        let no_roots = || failed(target, (4, 7, 5), &io::Error::other("no trusted roots were loaded"));
        tls.verified().ok_or_else(no_roots)
    }

    /// From the greeting to a session that takes mail.
    async fn greet(mut self, target: &Target<'_>, config: &Arc<ClientConfig>) -> Result<Self, OpenError> {
        let first = self.client.start();
        let mut action = self.drive(first).await;
        if action == Action::StartTls {
            self = self.start_tls(target, config).await?;
            let encrypted = self.client.handle(Input::TlsStarted);
            action = self.drive(encrypted).await;
        }
        match action {
            Action::Ready => Ok(self),
            Action::HostFailed(outcome) if self.client.is_refused() => Err(OpenError::Refused(outcome)),
            Action::HostFailed(outcome) => Err(OpenError::Failed(outcome)),
            _ => Err(OpenError::Failed(out_of_step())),
        }
    }

    async fn start_tls(mut self, target: &Target<'_>, config: &Arc<ClientConfig>) -> Result<Self, OpenError> {
        let Either::Left(tcp) = self.stream else {
            return Err(OpenError::Failed(out_of_step()));
        };
        // When it fails there must be time to try in clear.
        let until = if target.may_go_clear() { half_way_to(self.deadline) } else { self.deadline };
        match handshake(tcp, config, target, until).await {
            Ok(stream) => Ok(Self { stream, ..self }),
            Err(error) => match self.client.handle(Input::Lost(Loss::Failed(error.to_string()))) {
                Action::HostFailed(outcome) => Err(OpenError::Handshake(outcome)),
                _ => Err(OpenError::Handshake(out_of_step())),
            },
        }
    }

    /// For whom it is of use.
    pub(super) fn key(&self) -> Key<'_> {
        Key { site: self.site, host: &self.host, tls: self.tls }
    }

    /// The host as reports name it.
    pub(super) fn label(&self) -> &str {
        self.client.peer()
    }

    /// Whether anybody on the way can read it.
    pub(super) fn secrecy(&self) -> Secrecy {
        match self.stream {
            Either::Left(_) => Secrecy::Clear,
            Either::Right(_) => Secrecy::Tls,
        }
    }

    /// Messages that it was used for.
    pub(super) fn messages(&self) -> u32 {
        self.messages
    }

    /// Whether it takes another message.
    pub(super) fn is_ready(&self) -> bool {
        self.client.is_ready()
    }

    /// Whether nothing has come since the last reply. Whatever it is, it ends the session: the end of the connection, or
    /// a server's 421, or octets that nobody asked for.
    pub(super) fn is_quiet(&self) -> bool {
        let tcp = match &self.stream {
            Either::Left(tcp) => tcp,
            Either::Right(tls) => tls.get_ref().0,
        };
        // What is read here is lost, and so is the connection.
        matches!(tcp.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// One transaction for one recipient.
    pub(super) async fn deliver(&mut self, job: &Job) -> Answer {
        self.deadline = job.deadline;
        self.messages = self.messages.saturating_add(1);
        let outcome = self.transaction(job).await;
        let server = match self.client.is_in_trouble() {
            false => Server::Works,
            true if Instant::now() >= self.deadline => Server::Unknown,
            true => Server::InTrouble,
        };
        let was_stale = server == Server::InTrouble && self.client.was_stale();
        Answer { outcome, was_stale, server }
    }

    async fn transaction(&mut self, job: &Job) -> Result<Outcome, Outcome> {
        let first = self.client.send(Arc::clone(&job.envelope));
        let mut action = self.drive(first).await;
        if action == Action::SendMessage {
            let sent = self.send_message(&job.segments, job.after_dot).await;
            action = self.drive(sent).await;
        }
        match action {
            Action::Done(mut outcomes) => outcomes.pop().ok_or_else(out_of_step),
            Action::HostFailed(outcome) => Err(outcome),
            _ => Err(out_of_step()),
        }
    }

    /// Ends the session in order.
    pub(super) async fn quit(mut self: Box<Self>) -> io::Result<()> {
        self.stream.write_all(Client::QUIT).await?;
        self.stream.flush().await?;
        self.stream.read_buf(&mut self.buffer).await?;
        self.stream.shutdown().await
    }

    /// Reads and writes as the session asks, until it asks for something else.
    async fn drive(&mut self, mut action: Action) -> Action {
        loop {
            action = match action {
                Action::Read { phase } => self.read(phase).await,
                Action::Write { octets, phase } => match self.write(octets.as_ref(), phase).await {
                    Ok(()) => self.read(phase).await,
                    Err(loss) => self.last_words(loss).await,
                },
                other => return other,
            }
        }
    }

    async fn read(&mut self, phase: Phase) -> Action {
        let read = self.stream.read_buf(&mut self.buffer);
        match timeout_at(limit(phase, self.deadline), read).await {
            Ok(Ok(0)) => self.client.handle(Input::Lost(Loss::Closed)),
            Ok(Ok(_)) => self.received(),
            Ok(Err(error)) => self.client.handle(Input::Lost(Loss::Failed(error.to_string()))),
            Err(_) => self.client.handle(Input::Lost(Loss::TimedOut)),
        }
    }

    fn received(&mut self) -> Action {
        let action = self.client.handle(Input::Received(&self.buffer));
        self.buffer.clear();
        action
    }

    async fn write(&mut self, octets: &[u8], phase: Phase) -> Result<(), Loss> {
        let write = async {
            self.stream.write_all(octets).await?;
            self.stream.flush().await
        };
        lost(timeout_at(limit(phase, self.deadline), write).await)
    }

    async fn send_message(&mut self, segments: &[Bytes], after_dot: Duration) -> Action {
        let mut message = Stuffed::new(segments);
        while message.has_remaining() {
            if let Some(action) = self.interrupted().await {
                return action;
            }
            let write = self.stream.write_buf(&mut message);
            let written = timeout_at(limit(Phase::DataBlock, self.deadline), write).await;
            match lost(written) {
                Ok(0) => return self.last_words(Loss::Closed).await,
                Ok(_) => {}
                Err(loss) => return self.last_words(loss).await,
            }
        }
        let action = self.client.handle(Input::MessageSent);
        self.deadline = Instant::now() + after_dot;
        let flushed = timeout_at(limit(Phase::DataBlock, self.deadline), self.stream.flush()).await;
        match lost(flushed) {
            Ok(()) => action,
            Err(loss) => self.client.handle(Input::Lost(loss)),
        }
    }

    /// What the server has sent while the message was not yet whole, without waiting for it: none of it can be the reply
    /// to the final dot, so the session ends.
    async fn interrupted(&mut self) -> Option<Action> {
        // The runtime learns that a socket can be read when it asks the system, which it does between tasks.
        yield_now().await;
        let spoke = || Loss::Failed("the server spoke before the end of the message".to_owned());
        match self.stream.read_buf(&mut self.buffer).now_or_never()? {
            Ok(0) => Some(self.client.handle(Input::Lost(Loss::Closed))),
            Ok(_) => match self.received() {
                // The start of a reply; the rest may follow.
                Action::Read { .. } => Some(self.last_words(spoke()).await),
                action => Some(action),
            },
            Err(error) => Some(self.client.handle(Input::Lost(Loss::Failed(error.to_string())))),
        }
    }

    /// A server that closes while we write has often said why.
    async fn last_words(&mut self, loss: Loss) -> Action {
        let until = self.deadline.min(Instant::now() + LAST_WORDS);
        let heard = timeout_at(until, self.stream.read_buf(&mut self.buffer)).await;
        if let Ok(Ok(1..)) = heard {
            match self.received() {
                Action::Read { .. } => {}
                action => return action,
            }
        }
        self.client.handle(Input::Lost(loss))
    }
}

async fn connect(target: &Target<'_>, deadline: Instant) -> io::Result<TcpStream> {
    let connecting = TcpStream::connect(target.socket());
    let tcp = timeout_at(deadline.min(Instant::now() + CONNECT_TIMEOUT), connecting).await??;
    // Commands are small and each waits for its reply.
    tcp.set_nodelay(true)?;
    Ok(tcp)
}

async fn handshake(
    tcp: TcpStream,
    config: &Arc<ClientConfig>,
    target: &Target<'_>,
    deadline: Instant,
) -> io::Result<Stream> {
    let connector = TlsConnector::from(Arc::clone(config));
    let shaking = connector.connect(server_name(target.host, target.ip), tcp);
    let stream = timeout_at(limit(Phase::Handshake, deadline), shaking).await??;
    Ok(Either::Right(Box::new(stream)))
}

/// Half of what is left until `deadline`.
pub(super) fn half_way_to(deadline: Instant) -> Instant {
    let now = Instant::now();
    now + deadline.saturating_duration_since(now) / 2
}

fn limit(phase: Phase, deadline: Instant) -> Instant {
    deadline.min(Instant::now() + phase.timeout())
}

fn lost<T>(result: Result<io::Result<T>, tokio::time::error::Elapsed>) -> Result<T, Loss> {
    match result {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Loss::Failed(error.to_string())),
        Err(_) => Err(Loss::TimedOut),
    }
}

fn failed(target: &Target<'_>, enhanced: (u8, u16, u16), error: &io::Error) -> OpenError {
    let what = if enhanced.1 == 7 { "TLS" } else { "connecting" };
    let text = format!("{what} failed: {error}");
    let host = Some(target.label());
    OpenError::Failed(Outcome::Deferred(Failure { code: 451, enhanced, text, words: Words::Ours, host }))
}

/// The session asked for something that makes no sense here; it is a mistake of ours, and costs one try.
fn out_of_step() -> Outcome {
    super::deferred((4, 3, 5), "the session asked for something out of turn")
}
