//! Golden cases: each folder of `fixtures/dsn` has a message (`in.eml`), what happened to it (`case.txt`), the report that
//! its sender gets (`dsn.eml`) and why the case is there (`README.md`).
//! `ALIASD_BLESS=1 cargo test --lib golden` writes what comes out now; read the difference before committing it.
//!
//! A line of `case.txt` is a word and what it is about: `from ADDRESS`, `ret` and `envid` as in MAIL, `forward ADDRESS` or
//! `reply ADDRESS` for a recipient, and for the last recipient `notify` and `orcpt` as in RCPT, and what happened: `failed`,
//! `expired` or `delayed` with `CODE ENHANCED HOST TEXT`, `refused CODE ENHANCED TEXT`, or `relayed`. `lines N` and `line N`
//! add so many lines, or one so long, to the message.

use std::path::{Path, PathBuf};

use super::*;
use crate::mail::Message;
use crate::smtp::dsn::{EnvelopeId, OriginalRecipient};

const ARRIVAL: i64 = 1_790_000_000_000;
const HOUR: i64 = 3_600_000;
/// What the hosts in the cases call the mailbox and themselves.
const SECRETS: [&str; 3] = ["me@example.net", "example.net", "192.0.2.1"];

struct Told {
    direction: Direction,
    named: Address,
    asked: RecipientRequest,
    event: Option<Event>,
}

#[derive(Default)]
struct Script {
    from: Option<Address>,
    asked: MessageRequest,
    told: Vec<Told>,
    extra: Vec<u8>,
}

fn enhanced(text: &str) -> Enhanced {
    let parts: Vec<u16> = text.split('.').map(|part| part.parse().unwrap()).collect();
    Enhanced(u8::try_from(parts[0]).unwrap(), parts[1], parts[2])
}

/// `CODE ENHANCED HOST TEXT`
fn problem(text: &str) -> Problem {
    let words: Vec<&str> = text.splitn(4, ' ').collect();
    let Enhanced(class, subject, detail) = enhanced(words[1]);
    Problem::from(&Failure {
        code: words[0].parse().unwrap(),
        enhanced: (class, subject, detail),
        text: words[3].to_owned(),
        words: crate::smtp::Words::Theirs,
        host: Some(words[2].to_owned()),
    })
}

/// `CODE ENHANCED TEXT`
fn refusal(text: &str) -> Problem {
    let words: Vec<&str> = text.splitn(3, ' ').collect();
    Problem::from(&Reply::new(words[0].parse().unwrap(), enhanced(words[1]), words[2].to_owned()))
}

impl Script {
    fn read(text: &str) -> Self {
        let mut script = Self::default();
        for line in text.lines() {
            script.line(line);
        }
        script
    }

    fn line(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let until = Timestamp::from_millis(ARRIVAL + 5 * 24 * HOUR);
        match word {
            "from" => self.from = Some(rest.parse().unwrap()),
            "ret" => self.asked.ret = Some(Ret::parse(rest.as_bytes()).unwrap()),
            "envid" => self.asked.envid = Some(EnvelopeId::parse(rest.as_bytes()).unwrap()),
            "lines" => self.extra = b"One more line.\r\n".repeat(rest.parse().unwrap()),
            "line" => self.extra = [b"x".repeat(rest.parse().unwrap()), b"\r\n".to_vec()].concat(),
            "forward" => self.recipient(Direction::Forward, rest),
            "reply" => self.recipient(Direction::Reply, rest),
            "notify" => self.last().asked.notify = Some(Notify::parse(rest.as_bytes()).unwrap()),
            "orcpt" => self.last().asked.orcpt = Some(OriginalRecipient::parse(rest.as_bytes()).unwrap()),
            "failed" => self.last().event = Some(Event::Failed(problem(rest))),
            "expired" => self.last().event = Some(Event::Expired(problem(rest))),
            "delayed" => self.last().event = Some(Event::Delayed(problem(rest), until)),
            "refused" => self.last().event = Some(Event::Failed(refusal(rest))),
            "relayed" => self.last().event = Some(Event::Relayed),
            _ => panic!("no such line: {line}"),
        }
    }

    fn recipient(&mut self, direction: Direction, named: &str) {
        let (named, asked) = (named.parse().unwrap(), RecipientRequest::default());
        self.told.push(Told { direction, named, asked, event: None });
    }

    fn last(&mut self) -> &mut Told {
        self.told.last_mut().unwrap()
    }

    fn report(&self, message: &Message) -> Content {
        let from = self.from.as_ref().unwrap();
        let at = Timestamp::from_millis(ARRIVAL + 4 * HOUR);
        let notices: Vec<Notice> = self.told.iter().map(|told| told.notice(from, at)).collect();
        let letter = Letter {
            hostname: &DomainName::parse("mx.example.com").unwrap(),
            now: at,
            id: "01TEST",
            boundary: "boundary",
            arrival: Timestamp::from_millis(ARRIVAL),
            asked: &self.asked,
            head: &message.head(),
            body: &message.body(),
        };
        let (to, content) = letter.compose(&notices).unwrap();
        assert_eq!(to, *from);
        content
    }
}

impl Told {
    fn notice(&self, from: &Address, at: Timestamp) -> Notice {
        let event = self.event.as_ref().unwrap();
        let return_path = ReturnPath::Proven(from);
        let (direction, asked, named) = (self.direction, &self.asked, &self.named);
        decide(&Case { direction, return_path, asked, named, event, at }).unwrap()
    }
}

fn outcome(folder: &Path) -> Vec<u8> {
    let script = Script::read(&std::fs::read_to_string(folder.join("case.txt")).unwrap());
    let raw = std::fs::read(folder.join("in.eml")).unwrap();
    let content = script.report(&Message::parse([raw, script.extra.clone()].concat().into()));
    let whole = [content.head.as_ref(), content.body.as_ref()].concat();
    assert_eq!(content.eight_bit, !whole.is_ascii(), "{}", folder.display());
    if script.told.iter().all(|told| told.direction == Direction::Forward) {
        let shown = String::from_utf8_lossy(&whole).to_lowercase();
        assert!(SECRETS.iter().all(|secret| !shown.contains(secret)), "{} leaks", folder.display());
    }
    whole
}

#[test]
fn golden_reports_come_out_as_they_are_written_down() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/dsn");
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    assert!(folders.len() >= 10, "only {} cases", folders.len());
    let mut wrong = Vec::new();
    for folder in folders {
        assert!(folder.join("README.md").is_file(), "{} has no README.md", folder.display());
        let (file, found) = (folder.join("dsn.eml"), outcome(&folder));
        if std::env::var_os("ALIASD_BLESS").is_some() {
            std::fs::write(&file, &found).unwrap();
        }
        if std::fs::read(&file).unwrap_or_default() != found {
            wrong.push(format!("{}:\n{}", file.display(), String::from_utf8_lossy(&found)));
        }
    }
    assert!(wrong.is_empty(), "these cases come out differently:\n{}", wrong.join("\n"));
}
