//! The server that all mail goes to. It outlives the daemons, changes its behaviour, and records what it was handed before
//! it says anything about it.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::dice::Dice;
use crate::letter::{self, FICKLE, Letter};
use crate::record::{Answer, Arrival, Content, Record};

/// How the next hop is disposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// Takes everything at once.
    Fair,
    /// Takes everything, and thinks about each message.
    Slow,
    /// Wants nothing now.
    Away,
    /// Anything may happen.
    Changing,
    /// Has each message and says nothing, until the weather changes.
    Holding,
}

/// What happens to one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plan {
    Take,
    TakeAfter(Duration),
    /// The message is there; the answer waits for other weather.
    Hold,
    DeferRecipient,
    DeferMessage,
    DropBeforeDot,
    /// The message is there; its sender is not told.
    DropKept,
    /// The message is not there; its sender cannot know.
    DropLost,
}

impl Weather {
    fn plan(self, dice: &mut Dice) -> Plan {
        match self {
            Self::Fair => Plan::Take,
            Self::Slow => Plan::TakeAfter(dice.millis(100, 800)),
            Self::Away => Plan::DeferRecipient,
            Self::Holding => Plan::Hold,
            Self::Changing => match dice.below(40) {
                0..18 => Plan::Take,
                18..24 => Plan::TakeAfter(dice.millis(20, 1000)),
                24..28 => Plan::DeferRecipient,
                28..32 => Plan::DeferMessage,
                32..34 => Plan::DropBeforeDot,
                34..38 => Plan::DropKept,
                _ => Plan::DropLost,
            },
        }
    }
}

/// The listening server. Dropping it only stops new connections.
pub struct NextHop {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    record: Record,
    sky: Mutex<Sky>,
    changed: Condvar,
}

struct Sky {
    weather: Weather,
    dice: Dice,
    closed: bool,
}

impl NextHop {
    pub fn start(record: &Record, weather: Weather, dice: Dice) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let address = listener.local_addr().expect("a bound socket");
        let sky = Mutex::new(Sky { weather, dice, closed: false });
        let shared = Arc::new(Shared { record: record.clone(), sky, changed: Condvar::new() });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || accept(&listener, &accepting));
        Self { address, shared }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From the next transaction on. Those that are held are taken.
    pub fn set(&self, weather: Weather) {
        self.shared.sky().weather = weather;
        self.shared.changed.notify_all();
    }
}

impl Drop for NextHop {
    fn drop(&mut self) {
        self.shared.sky().closed = true;
        // Wakes the thread that accepts, so that it sees that and lets go of the port.
        let _ = TcpStream::connect(self.address);
    }
}

const NOT_POISONED: &str = "no thread panics with the sky in its hands";

impl Shared {
    fn sky(&self) -> MutexGuard<'_, Sky> {
        self.sky.lock().expect(NOT_POISONED)
    }

    fn plan(&self) -> Plan {
        let sky = &mut *self.sky();
        sky.weather.plan(&mut sky.dice)
    }

    /// In any weather.
    fn refuses_fickle(&self) -> bool {
        self.sky().dice.one_in(3)
    }

    fn wait_for_other_weather(&self) {
        let held = |sky: &mut Sky| sky.weather == Weather::Holding;
        drop(self.changed.wait_while(self.sky(), held).expect(NOT_POISONED));
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming().flatten() {
        if shared.sky().closed {
            return;
        }
        let shared = Arc::clone(shared);
        // A daemon that dies ends its sessions; what they had done is on record.
        std::thread::spawn(move || Session::new(stream, shared).run());
    }
}

/// The session is over: the daemon or the plan ended it.
struct Over;

impl From<std::io::Error> for Over {
    fn from(_: std::io::Error) -> Self {
        Self
    }
}

struct Session {
    stream: BufReader<TcpStream>,
    shared: Arc<Shared>,
    /// The daemon at the other end; known since `EHLO`.
    life: Option<usize>,
    plan: Plan,
    from: String,
    recipients: Vec<String>,
}

impl Session {
    fn new(stream: TcpStream, shared: Arc<Shared>) -> Self {
        // An answer must not wait for the one before it to be acknowledged.
        let _ = stream.set_nodelay(true);
        Self {
            stream: BufReader::new(stream),
            shared,
            life: None,
            plan: Plan::Take,
            from: String::new(),
            recipients: Vec::new(),
        }
    }

    fn run(mut self) {
        let mut going = self.say("220 sink.example.net ESMTP");
        while going.is_ok() {
            going = self.step();
        }
    }

    fn step(&mut self) -> Result<(), Over> {
        let line = self.line()?;
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        let (verb, argument) = line.split_once(' ').unwrap_or((&line, ""));
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => self.ehlo(argument),
            "MAIL" => self.mail(argument),
            "RCPT" => self.rcpt(argument),
            "DATA" => self.data(),
            "RSET" | "NOOP" => self.say("250 2.0.0 as you wish"),
            "QUIT" => self.say("221 2.0.0 bye").and(Err(Over)),
            _ => self.say("500 5.5.1 unknown command"),
        }
    }

    fn ehlo(&mut self, host: &str) -> Result<(), Over> {
        self.life = Some(self.shared.record.life_of(host));
        self.say("250-sink.example.net\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES")
    }

    fn mail(&mut self, argument: &str) -> Result<(), Over> {
        self.plan = self.shared.plan();
        self.from = path(argument);
        self.recipients.clear();
        self.say("250 2.1.0 sender noted")
    }

    fn rcpt(&mut self, argument: &str) -> Result<(), Over> {
        let recipient = path(argument);
        match self.plan {
            Plan::DeferRecipient => self.say("451 4.2.1 not now"),
            _ if recipient == FICKLE && self.shared.refuses_fickle() => {
                self.say("550 5.1.1 nobody of that name")
            }
            _ => {
                self.recipients.push(recipient);
                self.say("250 2.1.5 recipient noted")
            }
        }
    }

    fn data(&mut self) -> Result<(), Over> {
        if self.recipients.is_empty() {
            return self.say("503 5.5.1 no recipient");
        }
        self.say("354 go ahead")?;
        if self.plan == Plan::DropBeforeDot {
            self.stream.fill_buf()?;
            return Err(Over);
        }
        let message = self.message()?;
        self.dot(&message)
    }

    /// The final dot has come.
    fn dot(&mut self, message: &[u8]) -> Result<(), Over> {
        match self.plan {
            Plan::DeferMessage => return self.say("451 4.3.0 not this one now"),
            Plan::DropLost | Plan::DropBeforeDot => return Err(Over),
            _ => {}
        }
        let copies = self.keep(message);
        match self.plan {
            Plan::DropKept => return Err(Over),
            Plan::TakeAfter(time) => std::thread::sleep(time),
            Plan::Hold => self.shared.wait_for_other_weather(),
            _ => {}
        }
        self.take(&copies)
    }

    /// Puts the message on record, once for each recipient.
    fn keep(&self, message: &[u8]) -> Vec<usize> {
        let record = &self.shared.record;
        let Some(letter) = letter::number_in(message).and_then(|number| record.letter(number)) else {
            record.strayed(message);
            return Vec::new();
        };
        let copy = |recipient: &String| Arrival {
            letter: letter.number,
            recipient: recipient.clone(),
            content: self.content(message, &letter),
            life: self.life.expect("EHLO comes first"),
            arrived: Instant::now(),
            answer: Answer::Withheld,
        };
        self.recipients.iter().map(|recipient| record.arrived(copy(recipient))).collect()
    }

    fn content(&self, message: &[u8], letter: &Letter) -> Content {
        if self.from.is_empty() {
            Content::Report(String::from_utf8_lossy(message).into_owned())
        } else if letter.is_whole(message) {
            Content::Whole
        } else {
            Content::Damaged
        }
    }

    /// Says 250, if anybody is there to hear it.
    fn take(&mut self, copies: &[usize]) -> Result<(), Over> {
        let heard = self.is_connected() && self.say("250 2.0.0 taken").is_ok();
        let now = Instant::now();
        let answer = if heard { Answer::Given(now) } else { Answer::PeerGone(now) };
        for copy in copies {
            self.shared.record.answered(*copy, answer);
        }
        if heard { Ok(()) } else { Err(Over) }
    }

    fn is_connected(&self) -> bool {
        let stream = self.stream.get_ref();
        let looked = stream.set_nonblocking(true).and_then(|()| stream.peek(&mut [0]));
        let restored = stream.set_nonblocking(false).is_ok();
        let open = match looked {
            Ok(bytes) => bytes > 0,
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        };
        open && restored
    }

    /// Lines until the final dot, with the doubled dots undone.
    fn message(&mut self) -> Result<Vec<u8>, Over> {
        let mut message = Vec::new();
        loop {
            let line = self.line()?;
            if line == b".\r\n" {
                return Ok(message);
            }
            message.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        }
    }

    fn line(&mut self) -> Result<Vec<u8>, Over> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line)?;
        if line.ends_with(b"\n") { Ok(line) } else { Err(Over) }
    }

    fn say(&mut self, reply: &str) -> Result<(), Over> {
        Ok(self.stream.get_mut().write_all(format!("{reply}\r\n").as_bytes())?)
    }
}

/// What stands between the angle brackets of `FROM:<…>` or `TO:<…>`.
fn path(argument: &str) -> String {
    let inner = argument.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inner.map(|(path, _)| path.to_owned()).unwrap_or_default()
}
