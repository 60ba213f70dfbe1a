//! The mail servers that hand letters to the daemon, and come again as mail servers do: after no answer, and after 4xx.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, ErrorKind, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::dice::Dice;
use crate::letter::Letter;
use crate::record::{Attempt, Record, Reply};
use crate::support::client::stuffed;
use crate::support::{PATIENCE, leftovers};

/// Servers at work, each in a thread of its own.
pub struct Senders {
    threads: Vec<JoinHandle<()>>,
    enough: Arc<AtomicBool>,
}

impl Senders {
    /// So many senders that write letter after letter, wait up to `pause` in between, and bring them to `daemon`.
    pub fn start(count: u64, daemon: SocketAddr, record: &Record, pause: Duration, dice: &Dice) -> Self {
        let enough = Arc::new(AtomicBool::new(false));
        let sender = |number| Sender {
            name: format!("sender{number}@example.org"),
            daemon,
            session: None,
            record: record.clone(),
            pause,
            dice: dice.for_part(number),
            waiting: VecDeque::new(),
            enough: Arc::clone(&enough),
        };
        let start = |sender: Sender| std::thread::spawn(move || sender.work());
        Self { threads: (1..=count).map(|number| start(sender(number))).collect(), enough }
    }

    /// No more new letters. Returns when each one has got its final answer, or when patience is over.
    pub fn finish(mut self) {
        self.enough.store(true, Ordering::Relaxed);
        for thread in std::mem::take(&mut self.threads) {
            thread.join().expect("a sender does not panic");
        }
    }
}

impl Drop for Senders {
    /// A test that fails does not leave them writing.
    fn drop(&mut self) {
        self.enough.store(true, Ordering::Relaxed);
    }
}

/// Brings `count` letters, one after the other, and returns when each has got its final answer.
pub fn bring(count: usize, name: &str, daemon: SocketAddr, record: &Record, dice: &Dice) {
    let mut sender = Sender {
        name: name.to_owned(),
        daemon,
        session: None,
        record: record.clone(),
        pause: Duration::ZERO,
        dice: dice.clone(),
        waiting: VecDeque::new(),
        enough: Arc::default(),
    };
    for _ in 0..count {
        let letter = sender.new_letter();
        sender.bring(letter);
    }
    sender.get_rid_of_the_rest();
}

struct Sender {
    name: String,
    daemon: SocketAddr,
    session: Option<Session>,
    record: Record,
    pause: Duration,
    dice: Dice,
    /// Letters to be brought again, and not before when.
    waiting: VecDeque<(Instant, Letter)>,
    enough: Arc<AtomicBool>,
}

impl Sender {
    fn work(mut self) {
        while !self.enough.load(Ordering::Relaxed) {
            let letter = self.due_letter().unwrap_or_else(|| self.new_letter());
            self.bring(letter);
            let pause = u64::try_from(self.pause.as_millis()).expect("a short pause");
            std::thread::sleep(self.dice.millis(0, pause + 1));
        }
        self.get_rid_of_the_rest();
    }

    fn get_rid_of_the_rest(&mut self) {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end
            && let Some((due, letter)) = self.waiting.pop_front()
        {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            self.bring(letter);
        }
    }

    fn new_letter(&mut self) -> Letter {
        self.record.write(|number| Letter::write(number, &self.name, &mut self.dice))
    }

    /// The first letter in line, if it is time to bring it again.
    fn due_letter(&mut self) -> Option<Letter> {
        let (due, _) = self.waiting.front()?;
        if *due > Instant::now() {
            return None;
        }
        self.waiting.pop_front().map(|(_, letter)| letter)
    }

    /// One try. A letter without a final answer goes back in line.
    fn bring(&mut self, letter: Letter) {
        let began = Instant::now();
        let reply = self.hand_over(&letter).ok();
        let answered = reply.as_ref().is_some_and(Reply::is_final);
        self.record.attempted(&letter, Attempt { began, ended: Instant::now(), reply });
        if !answered {
            self.waiting.push_back((Instant::now() + self.dice.millis(100, 1000), letter));
        }
    }

    /// The first refusal, or the reply to the final dot. The session stays open if it can.
    fn hand_over(&mut self, letter: &Letter) -> Result<Reply> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => Session::open(self.daemon)?,
        };
        let reply = session.deliver(letter)?;
        if reply.code != 421 {
            self.session = Some(session);
        }
        Ok(reply)
    }
}

struct Session(BufReader<TcpStream>);

impl Session {
    fn open(daemon: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(daemon)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let mut session = Self(BufReader::new(stream));
        session.reply()?;
        session.command("EHLO client.example.org")?;
        Ok(session)
    }

    fn deliver(&mut self, letter: &Letter) -> Result<Reply> {
        let from = format!("MAIL FROM:<{}>", letter.sender);
        let recipients = letter.aliases.iter().map(|alias| format!("RCPT TO:<{}>", alias.address));
        for command in ["RSET".to_owned(), from].into_iter().chain(recipients) {
            leftovers::said(&command);
            let reply = self.command(&command)?;
            if !reply.is_positive() {
                return Ok(reply);
            }
        }
        let go_ahead = self.command("DATA")?;
        if !go_ahead.is_positive() {
            return Ok(go_ahead);
        }
        let text = letter.text();
        leftovers::sent(&text);
        self.send(&stuffed(&text))?;
        self.reply()
    }

    fn command(&mut self, line: &str) -> Result<Reply> {
        self.send(format!("{line}\r\n").as_bytes())?;
        self.reply()
    }

    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.get_mut().write_all(bytes)
    }

    /// The next reply. One that is cut short is none: the server may have died while it spoke.
    fn reply(&mut self) -> Result<Reply> {
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line)?;
            if !line.ends_with('\n') {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                let code = line.get(..3).and_then(|code| code.parse().ok()).ok_or(ErrorKind::InvalidData)?;
                return Ok(Reply { code, text: line.trim_end().to_owned() });
            }
        }
    }
}
