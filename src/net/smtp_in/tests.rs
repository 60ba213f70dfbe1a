use std::net::SocketAddr;

use bytes::Bytes;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::*;
use crate::mail::DomainName;
use crate::net::listener::{Drained, Limits, Listener};
use crate::smtp::BareNewline;
use crate::smtp::reply::Enhanced;

/// Takes every recipient but `unknown@…`, hands the bodies to the test, and waits for a permit before each verdict.
struct Toy {
    bodies: mpsc::UnboundedSender<Bytes>,
    verdicts: Arc<Semaphore>,
}

impl Service for Toy {
    type Recipient = ();

    async fn recipient(&self, _: Ends, _from: &ReversePath, to: &ForwardPath) -> Result<(), Reply> {
        if to.to_string().starts_with("unknown@") {
            return Err(Reply::new(550, Enhanced(5, 1, 1), "No such alias"));
        }
        Ok(())
    }

    async fn message(&self, _: Ends, transaction: Transaction<()>) -> Reply {
        // A copy: the message itself holds its memory as long as it is being delivered.
        self.bodies.send(Bytes::copy_from_slice(&transaction.body)).unwrap();
        self.verdicts.acquire().await.unwrap().forget();
        Reply::new(250, Enhanced(2, 0, 0), "accepted as 01TEST")
    }
}

struct Options {
    memory: u64,
    limits: Limits,
    times: Times,
    verdicts: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            memory: 64 << 20,
            limits: Limits {
                max_connections: 100,
                max_connections_per_ip: 100,
                shutdown_deadline: Duration::from_secs(60),
            },
            times: Times::default(),
            verdicts: Semaphore::MAX_PERMITS,
        }
    }
}

/// A server on a port of its own.
struct Server {
    address: SocketAddr,
    bodies: mpsc::UnboundedReceiver<Bytes>,
    verdicts: Arc<Semaphore>,
    memory: Arc<MemoryBudget>,
    stopping: CancellationToken,
    running: JoinHandle<Drained>,
}

impl Server {
    fn start(options: Options) -> Self {
        let (sender, bodies) = mpsc::unbounded_channel();
        let verdicts = Arc::new(Semaphore::new(options.verdicts));
        let toy = Toy { bodies: sender, verdicts: Arc::clone(&verdicts) };
        let settings = Settings {
            hostname: DomainName::parse("mx.example.com").unwrap(),
            max_message_size: 32 << 20,
            max_recipients: 100,
            bare_newline: BareNewline::Reject,
            max_errors: 20,
        };
        let memory = MemoryBudget::new(options.memory);
        let smtp = SmtpIn::new(toy, Arc::new(settings), Arc::clone(&memory), options.times);
        let listener = Listener::bind(&["127.0.0.1:0".parse().unwrap()]).unwrap();
        let address = listener.addresses()[0];
        let stopping = CancellationToken::new();
        let running = tokio::spawn(listener.run(smtp, options.limits, stopping.clone()));
        Self { address, bodies, verdicts, memory, stopping, running }
    }

    async fn client(&self) -> Client {
        Client { stream: BufReader::new(TcpStream::connect(self.address).await.unwrap()) }
    }

    /// A client that has heard the banner and the answer to HELO.
    async fn greeted(&self) -> Client {
        let mut client = self.client().await;
        client.expect("220 ").await;
        client.send(b"HELO c\r\n").await;
        client.expect("250 ").await;
        client
    }

    /// A client that may send its message now.
    async fn sending(&self) -> Client {
        let mut client = self.greeted().await;
        client.send(ENVELOPE).await;
        for code in ["250 2.1.0", "250 2.1.5", "354 "] {
            client.expect(code).await;
        }
        client
    }
}

const ENVELOPE: &[u8] = b"MAIL FROM:<jane@example.org>\r\nRCPT TO:<shop@example.com>\r\nDATA\r\n";

struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    async fn send(&mut self, octets: &[u8]) {
        self.stream.get_mut().write_all(octets).await.unwrap();
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).await.unwrap();
        line
    }

    async fn expect(&mut self, start: &str) {
        let line = self.line().await;
        assert!(line.starts_with(start), "{line:?} instead of {start:?}");
    }

    async fn expect_end(&mut self) {
        assert_eq!(self.line().await, "");
    }
}

#[tokio::test]
async fn a_pipelined_session_in_one_write() {
    let mut server = Server::start(Options::default());
    let mut client = server.client().await;
    client.send(b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<shop@example.com>\r\nRCPT TO:<unknown@example.com>\r\nDATA\r\n").await;
    for start in ["220 ", "250-mx", "250-SIZE", "250-PIPE", "250-8BIT", "250-SMTPUTF8", "250-ENH", "250 DSN"]
    {
        client.expect(start).await;
    }
    for start in ["250 2.1.0", "250 2.1.5", "550 5.1.1", "354 "] {
        client.expect(start).await;
    }
    client.send(b"hello\r\n.\r\nQUIT\r\n").await;
    client.expect("250 2.0.0 accepted as 01TEST").await;
    client.expect("221 2.0.0").await;
    client.expect_end().await;
    assert_eq!(server.bodies.recv().await.unwrap(), "hello\r\n");
}

#[tokio::test]
async fn octets_may_come_one_by_one() {
    let mut server = Server::start(Options::default());
    let mut client = server.client().await;
    client.stream.get_ref().set_nodelay(true).unwrap();
    let script = [b"HELO c\r\n", ENVELOPE, b"..\r\nhello\r\n.\r\nQUIT\r\n"].concat();
    for octet in script {
        client.send(&[octet]).await;
        tokio::task::yield_now().await;
    }
    for start in ["220 ", "250 mx", "250 2.1.0", "250 2.1.5", "354 ", "250 2.0.0", "221 "] {
        client.expect(start).await;
    }
    assert_eq!(server.bodies.recv().await.unwrap(), ".\r\nhello\r\n");
}

#[tokio::test]
async fn twenty_megabytes_arrive_as_they_were() {
    let mut server = Server::start(Options::default());
    let mut message = Vec::with_capacity(20 << 20);
    for number in 0u32.. {
        message.extend_from_slice(
            format!("line {number} \u{fc} {}\r\n", "x".repeat((number % 90) as usize)).as_bytes(),
        );
        if message.len() >= 20 << 20 {
            break;
        }
    }
    let mut client = server.sending().await;
    client.send(&message).await;
    client.send(b".\r\n").await;
    client.expect("250 2.0.0").await;
    let body = server.bodies.recv().await.unwrap();
    assert!(body == message, "the message was changed");
    assert_eq!(server.memory.used(), 0, "the memory was given back");
}

#[tokio::test]
async fn one_client_cannot_take_all_connections() {
    let limits = Limits { max_connections_per_ip: 2, ..Options::default().limits };
    let server = Server::start(Options { limits, ..Options::default() });
    let (mut one, _two) = (server.greeted().await, server.greeted().await);
    let mut refused = server.client().await;
    refused.expect("421 4.7.0").await;
    refused.expect_end().await;
    // After the 221 the place is free, at once.
    for _ in 0..50 {
        one.send(b"QUIT\r\n").await;
        one.expect("221 ").await;
        one = server.greeted().await;
    }
}

#[tokio::test]
async fn the_sum_of_connections_is_limited() {
    let limits = Limits { max_connections: 1, ..Options::default().limits };
    let server = Server::start(Options { limits, ..Options::default() });
    let one = server.greeted().await;
    server.client().await.expect("421 4.3.2").await;
    drop(one);
    // The server sees the end of the first connection some time later.
    loop {
        let mut client = server.client().await;
        if client.line().await.starts_with("220 ") {
            break;
        }
    }
}

#[tokio::test]
async fn a_silent_client_is_sent_away() {
    let server = Server::start(Options {
        times: Times { silence: Duration::from_millis(50), ..Times::default() },
        ..Options::default()
    });
    let mut client = server.client().await;
    client.expect("220 ").await;
    client.expect("421 4.4.2").await;
    client.expect_end().await;
}

/// It is never silent for long, but its message does not get on.
#[tokio::test]
async fn a_message_that_comes_too_slowly_is_given_up() {
    let times = Times { message: Duration::from_millis(200), ..Times::default() };
    let server = Server::start(Options { times, ..Options::default() });
    let client = server.sending().await;
    let (reader, mut writer) = client.stream.into_inner().into_split();
    let dripping = tokio::spawn(async move {
        while writer.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let mut line = String::new();
    BufReader::new(reader).read_line(&mut line).await.unwrap();
    assert!(line.starts_with("421 4.4.2"), "{line}");
    dripping.await.unwrap();
}

#[test]
fn a_message_has_time_for_its_size() {
    let mut pace = Pace::new(Duration::from_secs(600));
    let grace = pace.deadline();
    pace.received = 40_000_000;
    assert_eq!(pace.deadline() - grace, Duration::from_secs(10_000));
    pace.end_by(grace);
    assert_eq!(pace.deadline(), grace);
}

/// Clients that stay after the 221 cannot have more sockets than there are places and some.
#[tokio::test]
async fn clients_that_do_not_go_keep_their_places() {
    let limits = Limits { max_connections: 1, ..Options::default().limits };
    let server = Server::start(Options { limits, ..Options::default() });
    let mut stay = Vec::new();
    let mut refused = false;
    for _ in 0..MAX_LINGERING + 2 {
        let mut client = server.client().await;
        refused = client.line().await.starts_with("421 4.3.2");
        if refused {
            break;
        }
        client.send(b"QUIT\r\n").await;
        client.expect("221 ").await;
        stay.push(client);
    }
    assert!(refused && stay.len() > MAX_LINGERING / 2, "{} of them", stay.len());
}

#[tokio::test]
async fn a_stop_gives_a_message_a_little_time() {
    let times = Times { stopping: Duration::from_millis(50), ..Times::default() };
    let server = Server::start(Options { times, ..Options::default() });
    let mut client = server.sending().await;
    client.send(b"a part\r\n").await;
    server.stopping.cancel();
    client.expect("421 4.3.2").await;
    client.expect_end().await;
}

#[tokio::test]
async fn the_last_reply_is_heard_though_more_was_sent() {
    let server = Server::start(Options::default());
    let mut client = server.greeted().await;
    client.send(b"GET / HTTP/1.1\r\n").await;
    client.send(&b"x: y\r\n".repeat(5000)).await;
    client.expect("554 5.5.1").await;
    client.expect_end().await;
}

#[tokio::test]
async fn a_stop_lets_a_message_in_flight_finish() {
    let mut server = Server::start(Options { verdicts: 0, ..Options::default() });
    let mut idle = server.greeted().await;
    let mut receiving = server.sending().await;
    let mut delivering = server.sending().await;
    delivering.send(b"one\r\n.\r\n").await;
    assert_eq!(server.bodies.recv().await.unwrap(), "one\r\n");

    server.stopping.cancel();
    idle.expect("421 4.3.2").await;
    idle.expect_end().await;
    assert!(!server.running.is_finished());

    server.verdicts.add_permits(2);
    delivering.expect("250 2.0.0").await;
    delivering.expect("421 4.3.2").await;
    delivering.expect_end().await;
    receiving.send(b"two\r\n.\r\n").await;
    receiving.expect("250 2.0.0").await;
    receiving.expect("421 4.3.2").await;
    receiving.expect_end().await;
    drop((idle, receiving, delivering));
    assert_eq!(server.running.await.unwrap(), Drained { cut_off: 0 });
    assert!(TcpStream::connect(server.address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever() {
    let limits = Limits { shutdown_deadline: Duration::from_millis(50), ..Options::default().limits };
    let mut server = Server::start(Options { limits, verdicts: 0, ..Options::default() });
    let mut client = server.sending().await;
    client.send(b"one\r\n.\r\n").await;
    server.bodies.recv().await.unwrap();
    server.stopping.cancel();
    assert_eq!(server.running.await.unwrap(), Drained { cut_off: 1 });
    client.expect_end().await;
}

#[tokio::test]
async fn memory_is_shared_and_given_back() {
    // Two messages fit at once, as long as they are small.
    let mut server = Server::start(Options { memory: 2 * MEMORY_STEP, verdicts: 0, ..Options::default() });
    let mut one = server.sending().await;
    one.send(b"one\r\n.\r\n").await;
    server.bodies.recv().await.unwrap();
    let two = server.sending().await;
    assert_eq!(server.memory.available(), 0);

    let mut third = server.greeted().await;
    third.send(ENVELOPE).await;
    for start in ["250 2.1.0", "250 2.1.5", "452 4.3.1"] {
        third.expect(start).await;
    }
    server.verdicts.add_permits(1);
    one.expect("250 2.0.0").await;
    third.send(b"DATA\r\n").await;
    third.expect("354 ").await;

    // A message that outgrows what is left is read to its end and put off.
    third.send(&b"0123456789abcdef\r\n".repeat(20_000)).await;
    third.send(b".\r\nNOOP\r\n").await;
    third.expect("452 4.3.1").await;
    third.expect("250 2.0.0").await;
    assert_eq!(server.memory.used(), MEMORY_STEP);

    // One that is refused for its own faults gives its memory back as well.
    third.send(ENVELOPE).await;
    for start in ["250 2.1.0", "250 2.1.5", "354 "] {
        third.expect(start).await;
    }
    assert_eq!(server.memory.used(), 2 * MEMORY_STEP);
    // At once, and not only at its end.
    third.send(b"bare\nline\r\n").await;
    while server.memory.used() > MEMORY_STEP {
        tokio::task::yield_now().await;
    }
    third.send(b".\r\n").await;
    third.expect("554 5.6.0").await;

    // One that says beforehand that it is too large for what is left is not sent at all.
    third.send(b"MAIL FROM:<> SIZE=70000\r\nRCPT TO:<shop@example.com>\r\nDATA\r\n").await;
    for start in ["250 2.1.0", "250 2.1.5", "452 4.3.1"] {
        third.expect(start).await;
    }
    drop((one, two, third));
    server.stopping.cancel();
    server.running.await.unwrap();
    assert_eq!(server.memory.used(), 0);
}

#[tokio::test]
async fn nothing_is_read_while_a_message_is_delivered() {
    let mut server = Server::start(Options { verdicts: 0, ..Options::default() });
    let mut client = server.sending().await;
    client.send(b"one\r\n.\r\n").await;
    server.bodies.recv().await.unwrap();
    // More than the socket buffers hold: the write cannot end before the verdict is given.
    let many = b"NOOP\r\n".repeat(4 << 20);
    let (reader, mut writer) = client.stream.into_inner().into_split();
    let mut writing = tokio::spawn(async move { writer.write_all(&many).await });
    let early = timeout(Duration::from_millis(200), &mut writing).await;
    assert!(early.is_err(), "24 MB were read meanwhile");
    server.verdicts.add_permits(1);
    let mut line = String::new();
    BufReader::new(reader).read_line(&mut line).await.unwrap();
    assert!(line.starts_with("250 2.0.0 accepted"), "{line}");
    // Too many of them: the server ends the session, so the rest may fail.
    let _ = writing.await.unwrap();
}
