//! Drives SMTP server sessions over sockets: reads, writes, time-outs, memory, and the questions to a [`Service`].
//!
//! One task a connection, none a message. Replies are collected and written at once, before the session waits. While a
//! message is being delivered nothing is read, so a client cannot fill memory with the next one. Every rule of SMTP itself
//! is in [`crate::smtp::server`]; whatever goes wrong here costs one connection.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::queue::memory::{self, MemoryBudget, Reservation};
use crate::smtp::reply;
use crate::smtp::server::{Action, Input, ServerSession, Settings, Transaction};
use crate::smtp::{ForwardPath, Reply, ReversePath};

use super::listener::{Ends, Overload, Protocol, Slot};
use super::meters::InboundMeters;

/// How long the clients may take.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// How long one may stay silent.
    pub silence: Duration,
    /// How long a message may come at any rate; after that it must have come with [`LEAST_RATE`].
    pub message: Duration,
    /// How much longer a message may come when the server stops.
    pub stopping: Duration,
}

impl Default for Times {
    /// Five minutes of silence (RFC 5321, section 4.5.3.2.7), ten for a small message, five seconds at the end.
    fn default() -> Self {
        Self {
            silence: Duration::from_secs(5 * 60),
            message: Duration::from_secs(10 * 60),
            stopping: Duration::from_secs(5),
        }
    }
}

/// Octets a second. Each part of a message starts the time of silence anew; without this a client that sends an octet
/// every few minutes would hold its memory for days.
const LEAST_RATE: u64 = 4_000;
/// Connections without a place that may be closing at a time.
const MAX_LINGERING: usize = 100;
/// How long the last reply may take: the client has nothing more to gain from it.
const LAST_WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long, and for how many octets, a client is listened to after the last reply: closing a socket with unread input
/// resets the connection, and the reply could be lost with it.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_OCTETS: u64 = 256 * 1024;
/// Octets that are read at once while commands come. What an idle connection holds.
const COMMAND_READ: usize = 2048;
/// Octets that are read at once while a message comes.
const MESSAGE_READ: usize = 32 * 1024;
/// Message memory is reserved in such steps, in octets.
const MEMORY_STEP: u64 = 64 * 1024;

/// Who decides about recipients and messages.
pub trait Service: Send + Sync + 'static {
    /// What is known about an accepted recipient.
    type Recipient: Send + 'static;

    /// Takes or refuses a recipient.
    fn recipient(
        &self,
        ends: Ends,
        from: &ReversePath,
        to: &ForwardPath,
    ) -> impl Future<Output = Result<Self::Recipient, Reply>> + Send;

    /// Takes over a message. A 2xx says that it is safe.
    fn message(
        &self,
        ends: Ends,
        transaction: Transaction<Self::Recipient>,
    ) -> impl Future<Output = Reply> + Send;
}

/// SMTP as a [`Protocol`] of a listener.
#[derive(Debug)]
pub struct SmtpIn<S> {
    service: S,
    settings: Arc<Settings>,
    memory: Arc<MemoryBudget>,
    times: Times,
    lingering: Semaphore,
    meters: InboundMeters,
}

impl<S: Service> SmtpIn<S> {
    /// A server over `service`. `times` are the default but in tests.
    #[must_use]
    pub fn new(service: S, settings: Arc<Settings>, memory: Arc<MemoryBudget>, times: Times) -> Arc<Self> {
        let (lingering, meters) = (Semaphore::new(MAX_LINGERING), InboundMeters::register());
        Arc::new(Self { service, settings, memory, times, lingering, meters })
    }
}

impl<S: Service> Protocol for SmtpIn<S> {
    async fn serve(self: Arc<Self>, stream: TcpStream, ends: Ends, slot: Slot, stopping: CancellationToken) {
        let _open = self.meters.opened();
        tracing::debug!(client = %ends.remote, "connected");
        let ended = Connection::new(&self, stream, ends, slot, stopping).run().await;
        tracing::debug!(client = %ends.remote, ?ended, "disconnected");
    }

    fn refusal(&self, overload: Overload) -> Vec<u8> {
        self.meters.refused(overload);
        let reply = match overload {
            Overload::Total => &reply::TOO_MANY_CONNECTIONS,
            Overload::Address => &reply::TOO_MANY_FROM_ADDRESS,
        };
        let mut out = Vec::new();
        reply.write_to(&mut out);
        out
    }
}

/// One connection and its session. The questions to the service are boxed: their futures may be large, and most
/// connections are idle most of the time.
struct Connection<'a, S: Service, T> {
    server: &'a SmtpIn<S>,
    ends: Ends,
    stream: T,
    session: ServerSession<S::Recipient>,
    buffer: BytesMut,
    /// For the message that is being received or delivered.
    memory: Option<Reservation>,
    slot: Option<Slot>,
    /// Until the session knows that the server stops.
    stopping: Option<CancellationToken>,
    /// While a message comes.
    pace: Option<Pace>,
    /// When the message began that comes or has come last.
    message_began: Instant,
}

impl<'a, S: Service, T: AsyncRead + AsyncWrite + Unpin + Send> Connection<'a, S, T> {
    fn new(server: &'a SmtpIn<S>, stream: T, ends: Ends, slot: Slot, stopping: CancellationToken) -> Self {
        Self {
            server,
            ends,
            stream,
            session: ServerSession::new(Arc::clone(&server.settings)),
            buffer: BytesMut::new(),
            memory: None,
            slot: Some(slot),
            stopping: Some(stopping),
            pace: None,
            message_began: Instant::now(),
        }
    }

    /// Serves until the session closes or the client is gone, which is an error.
    async fn run(mut self) -> io::Result<()> {
        let mut input = Input::Connected;
        loop {
            input = match self.session.handle(input, &mut self.buffer) {
                Action::Read => self.next_input().await?,
                Action::CheckRecipient { from, to } => {
                    Input::Recipient(Box::pin(self.server.service.recipient(self.ends, &from, &to)).await)
                }
                Action::StartMessage { declared } => Input::StartMessage(self.start_message(declared)),
                Action::Deliver(transaction) => self.deliver(transaction).await?,
                Action::Close => return self.close().await,
            };
        }
    }

    /// Sends what is to be said and waits for the client, or for the end of the server.
    async fn next_input(&mut self) -> io::Result<Input<S::Recipient>> {
        if !self.session.is_keeping() {
            self.memory = None;
        }
        self.flush(self.server.times.silence).await?;
        if !self.has_memory_to_read() {
            self.memory = None;
            self.server.meters.out_of_memory();
            return Ok(Input::OutOfMemory(reply::OUT_OF_MEMORY.clone()));
        }
        self.make_room();
        let until = self.read_until();
        tokio::select! {
            biased;
            () = stopped(self.stopping.as_ref()) => {
                self.stopping = None;
                if let Some(pace) = &mut self.pace {
                    pace.end_by(Instant::now() + self.server.times.stopping);
                }
                Ok(Input::ShuttingDown)
            }
            read = timeout_at(until, self.stream.read_buf(&mut self.buffer)) => match read {
                Ok(Ok(0)) => Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(Ok(octets)) => {
                    self.pace.iter_mut().for_each(|pace| pace.received += octets as u64);
                    Ok(Input::Received)
                }
                Ok(Err(error)) => Err(error),
                Err(_) => Ok(Input::TimedOut),
            },
        }
    }

    /// When the client has been silent for too long, or its message has taken too long.
    fn read_until(&mut self) -> Instant {
        let silence = Instant::now() + self.server.times.silence;
        if !self.session.is_receiving() {
            self.pace = None;
            return silence;
        }
        let pace = self.pace.get_or_insert_with(|| Pace::new(self.server.times.message));
        silence.min(pace.deadline())
    }

    /// A buffer as large as what is read next deserves; a large one is not kept for commands.
    fn make_room(&mut self) {
        let room = if self.session.is_receiving() { MESSAGE_READ } else { COMMAND_READ };
        if self.buffer.is_empty() && self.buffer.capacity() > 2 * room {
            self.buffer = BytesMut::new();
        }
        self.buffer.reserve(room);
    }

    /// A first part of the memory. What the client declares is not reserved, or a few who declare much and send nothing
    /// could keep everyone else out; but a message that does not fit now is refused before it is sent.
    fn start_message(&mut self, declared: Option<u64>) -> Result<(), Reply> {
        self.message_began = Instant::now();
        let fits = declared.is_none_or(|size| size <= self.server.memory.available());
        self.memory = fits.then(|| self.server.memory.reserve(MEMORY_STEP)).flatten();
        if self.memory.is_some() {
            return Ok(());
        }
        self.server.meters.out_of_memory();
        Err(reply::OUT_OF_MEMORY.clone())
    }

    /// Whether what is held and what is read next is reserved. Commands and a message that was given up need nothing.
    fn has_memory_to_read(&mut self) -> bool {
        let Some(memory) = &mut self.memory else { return true };
        let needed = (self.session.held() + MESSAGE_READ) as u64;
        needed <= memory.octets() || memory.grow(MEMORY_STEP)
    }

    /// The message takes its memory along: a delivery of it may go on when the client has its reply.
    async fn deliver(
        &mut self,
        mut transaction: Transaction<S::Recipient>,
    ) -> io::Result<Input<S::Recipient>> {
        self.server.meters.receive.record(self.message_began.elapsed());
        self.flush(self.server.times.silence).await?;
        if let Some(reservation) = self.memory.take() {
            transaction.body = memory::hold(transaction.body, reservation);
        }
        let reply = Box::pin(self.server.service.message(self.ends, transaction)).await;
        Ok(Input::Verdict(reply))
    }

    /// The last reply. The client's place is free before it can have read it, so that it can come back at once. That goes
    /// for so many connections; when more clients stay after the last reply, each keeps its place until it is closed.
    async fn close(&mut self) -> io::Result<()> {
        let lingering = self.server.lingering.try_acquire().ok();
        if lingering.is_some() {
            self.slot = None;
        }
        self.flush(LAST_WRITE_TIMEOUT).await?;
        self.stream.shutdown().await?;
        let mut rest = (&mut self.stream).take(LINGER_OCTETS);
        match timeout(LINGER, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await {
            Ok(read) => read.map(drop),
            Err(_) => Ok(()),
        }
    }

    /// Writes all replies in one piece.
    async fn flush(&mut self, limit: Duration) -> io::Result<()> {
        let output = self.session.take_output();
        if output.is_empty() {
            return Ok(());
        }
        timeout(limit, self.stream.write_all(&output)).await?
    }
}

/// How a message comes.
#[derive(Debug)]
struct Pace {
    /// At any rate until then, and with [`LEAST_RATE`] after it.
    grace: Instant,
    received: u64,
    /// The latest, when the server stops.
    end: Option<Instant>,
}

impl Pace {
    fn new(grace: Duration) -> Self {
        Self { grace: Instant::now() + grace, received: 0, end: None }
    }

    fn end_by(&mut self, end: Instant) {
        self.end = Some(end);
    }

    fn deadline(&self) -> Instant {
        let deadline = self.grace + Duration::from_secs(self.received / LEAST_RATE);
        self.end.map_or(deadline, |end| end.min(deadline))
    }
}

/// Resolves when the server stops, and never for a session that knows.
async fn stopped(stopping: Option<&CancellationToken>) {
    match stopping {
        Some(token) => token.cancelled().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
