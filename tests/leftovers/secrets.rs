//! What must not show, as the tests that ran have written it down: whom they named, and what they sent.

use std::collections::HashSet;
use std::fmt;
use std::path::Path;

use mail_parser::MessageParser;

use super::matcher::Matcher;

/// What a secret is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Address,
    /// That of a mailbox, without its domain.
    LocalPart,
    Subject,
    /// A line of a message, as it was sent or decoded.
    Line,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Address, Self::LocalPart, Self::Subject, Self::Line];

    /// Whether it is what a letter says, and not whose it is.
    pub fn is_content(self) -> bool {
        matches!(self, Self::Subject | Self::Line)
    }
}

/// All secrets, each once.
pub struct Secrets {
    counts: [usize; 4],
    /// One of each kind, in the order of [`Kind::ALL`].
    pub longest: [Vec<u8>; 4],
    /// Finds also the short ones; for text.
    pub sharp: Matcher<Kind>,
    /// Finds what letters say if it has at least twelve octets; for databases, which are long and look like noise.
    pub coarse: Matcher<Kind>,
}

/// The step with which databases are searched.
const STRIDE: usize = 8;

/// A text with fewer letters and digits says nothing, and stands in other places too.
const TELLING: usize = 5;

impl Secrets {
    /// # Panics
    /// When there is nothing of one kind: the search would find nothing either.
    pub fn gather(root: &Path) -> Self {
        let mut found = Found::default();
        for words in contents(&root.join("said")) {
            String::from_utf8_lossy(&words).lines().for_each(|line| found.add_words(line));
        }
        for message in contents(&root.join("sent")) {
            found.add_message(&message);
        }
        let secrets = Self::of(found.0);
        assert!(!secrets.counts.contains(&0), "of one kind there is nothing to look for: {secrets}");
        secrets
    }

    pub fn of(found: HashSet<(Vec<u8>, Kind)>) -> Self {
        let of_kind = |kind| found.iter().filter(move |(_, other)| *other == kind).map(|(text, _)| text);
        let counts = Kind::ALL.map(|kind| of_kind(kind).count());
        let longest = Kind::ALL.map(|kind| of_kind(kind).max_by_key(|text| text.len()).cloned());
        let longest = longest.map(Option::unwrap_or_default);
        let content = found.iter().filter(|(_, kind)| kind.is_content()).cloned();
        Self { counts, longest, coarse: Matcher::new(STRIDE, content), sharp: Matcher::new(1, found) }
    }
}

impl fmt::Display for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [addresses, local_parts, subjects, lines] = self.counts;
        write!(
            f,
            "secrets: {addresses} addresses, {local_parts} local parts, {subjects} subjects, {lines} lines; \
             {} of them sought in text, {} in databases",
            self.sharp.len(),
            self.coarse.len()
        )
    }
}

fn contents(folder: &Path) -> impl Iterator<Item = Vec<u8>> {
    let files = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    files.map(|file| std::fs::read(file.expect("a file").path()).expect("a file"))
}

/// Secrets so far, in lower case.
#[derive(Default)]
struct Found(HashSet<(Vec<u8>, Kind)>);

impl Found {
    fn add(&mut self, kind: Kind, text: &[u8]) {
        self.0.insert((text.trim_ascii().to_ascii_lowercase(), kind));
    }

    /// A command line of aliasd, an SMTP command, or the value of a field with addresses.
    fn add_words(&mut self, words: &str) {
        let adds_mailbox = words.starts_with("mailbox add ");
        for address in addresses_in(words) {
            self.add(Kind::Address, address.as_bytes());
            let local_part = address.rsplit_once('@').map_or(address, |(local_part, _)| local_part);
            if adds_mailbox && is_telling_local_part(local_part) {
                self.add(Kind::LocalPart, local_part.as_bytes());
            }
        }
    }

    fn add_message(&mut self, message: &[u8]) {
        let head =
            memchr::memmem::find(message, b"\r\n\r\n").or_else(|| memchr::memmem::find(message, b"\n\n"));
        let (head, body) = message.split_at(head.unwrap_or(message.len()));
        for field in fields(head) {
            let (name, value) = field.split_once(':').unwrap_or_default();
            match name.trim().to_ascii_lowercase().as_str() {
                "subject" => self.add_content(Kind::Subject, value.as_bytes()),
                "from" | "to" | "cc" | "reply-to" | "sender" => self.add_words(value),
                _ => {}
            }
        }
        self.add_lines(body);
        self.add_decoded(message);
    }

    /// What a mail program shows.
    fn add_decoded(&mut self, message: &[u8]) {
        let Some(read) = MessageParser::new().parse(message) else { return };
        self.add_content(Kind::Subject, read.subject().unwrap_or_default().as_bytes());
        let texts = read.parts.iter().filter_map(mail_parser::MessagePart::text_contents);
        texts.for_each(|text| self.add_lines(text.as_bytes()));
    }

    fn add_lines(&mut self, text: &[u8]) {
        text.split(|&byte| byte == b'\n').for_each(|line| self.add_line(line));
    }

    /// A line that is an address and nothing else is that address, which may stand in the tables.
    fn add_line(&mut self, line: &[u8]) {
        let words = String::from_utf8_lossy(line.trim_ascii());
        if addresses_in(&words).next() == Some(&*words) {
            self.add(Kind::Address, words.as_bytes());
        } else {
            self.add_content(Kind::Line, line);
        }
    }

    fn add_content(&mut self, kind: Kind, text: &[u8]) {
        if is_telling(text.trim_ascii()) {
            self.add(kind, text);
        }
    }
}

/// Not a single word, such as the daemon may have among its own.
fn is_telling(text: &[u8]) -> bool {
    let letters = text.iter().filter(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii());
    letters.take(TELLING).count() == TELLING && !text.iter().all(u8::is_ascii_alphabetic)
}

/// The fields of a head, unfolded.
fn fields(head: &[u8]) -> Vec<String> {
    let head = String::from_utf8_lossy(head).replace('\r', "");
    head.replace("\n ", " ").replace("\n\t", " ").lines().map(str::to_owned).collect()
}

/// Words with an `@` in their middle.
fn addresses_in(words: &str) -> impl Iterator<Item = &str> {
    let words = words.split(|c: char| c.is_whitespace() || c.is_control() || "<>,;:\"()[]".contains(c));
    words.filter(|word| {
        let (local_part, domain) = word.rsplit_once('@').unwrap_or_default();
        !local_part.is_empty() && domain.contains('.')
    })
}

/// One that nobody would write by chance.
fn is_telling_local_part(local_part: &str) -> bool {
    local_part.len() >= 8 && !local_part.bytes().all(|byte| byte.is_ascii_alphabetic())
}

#[test]
fn secrets_come_from_commands_and_messages() {
    let mut found = Found::default();
    found.add_words("mailbox add Inbox-7f3k@example.net");
    found.add_words("RCPT TO:<shop@example.com> NOTIFY=NEVER");
    found.add_words("MAIL FROM:<@a.example,@b.example:jane@example.org>");
    found.add_message(
        b"From: a <from@example.org>\r\nMessage-ID: <1@example.org>\r\n\
          Subject: =?utf-8?Q?An_encoded_subject?=\r\nContent-Transfer-Encoding: base64\r\n\r\n\
          VGhlIGRlY29kZWQgbGluZQ==\r\n",
    );
    for (kind, secrets) in [
        (
            Kind::Address,
            &["from@example.org", "inbox-7f3k@example.net", "jane@example.org", "shop@example.com"][..],
        ),
        (Kind::LocalPart, &["inbox-7f3k"]),
        (Kind::Subject, &["=?utf-8?q?an_encoded_subject?=", "an encoded subject"]),
        (Kind::Line, &["the decoded line", "vghligrly29kzwqgbgluzq=="]),
    ] {
        let of_kind = found.0.iter().filter(|(_, other)| *other == kind);
        let mut texts: Vec<_> = of_kind.map(|(text, _)| String::from_utf8_lossy(text)).collect();
        texts.sort_unstable();
        assert_eq!(texts, secrets, "{kind:?}");
    }
}
