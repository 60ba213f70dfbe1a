//! Letters of many kinds: the files under `fixtures/messages`, and generated ones, the same in every run.

use std::fmt::Write;
use std::path::Path;

/// A message and what must become of it.
pub struct Letter {
    /// For the failure text: kind and number, or file name.
    pub name: String,
    pub message: Vec<u8>,
    pub fate: Fate,
}

/// What becomes of a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    Accepted,
    /// A reply with these codes to the final dot.
    Refused(u16, String),
    /// So broken that a 5xx is right as well; if it is taken, it goes through as it is.
    AcceptedOrRefused,
}

impl Letter {
    /// Something above ASCII stands in its header section, and it is UTF-8: it is sent with SMTPUTF8 (RFC 6531).
    pub fn has_utf8_header(&self) -> bool {
        let end =
            self.message.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap_or(self.message.len());
        let head = self.message.get(..end).unwrap_or_default();
        !head.is_ascii() && std::str::from_utf8(head).is_ok()
    }
}

/// The files.
pub fn from_files() -> Vec<Letter> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/messages");
    let mut letters = read_folder(&folder.join("accepted"), |_| Fate::Accepted);
    letters.extend(read_folder(&folder.join("refused"), |name| {
        let mut parts = name.splitn(3, '-');
        let code = parts.next().and_then(|code| code.parse().ok()).expect("the name begins with a code");
        Fate::Refused(code, parts.next().expect("then an enhanced code").to_owned())
    }));
    letters
}

fn read_folder(folder: &Path, fate: impl Fn(&str) -> Fate) -> Vec<Letter> {
    let files = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        Letter { message: std::fs::read(path).expect("a file"), fate: fate(&name), name }
    };
    paths.iter().map(read).collect()
}

/// `count` of each kind.
pub fn generated(count: u64) -> Vec<Letter> {
    KINDS.iter().flat_map(|kind| (0..count).map(|number| letter_of(kind, number))).collect()
}

fn letter_of(&(kind, make): &(&str, Make), number: u64) -> Letter {
    let mut dice = Dice::thrown(kind, number);
    let mut head = Head::new(kind, number);
    let body = make(&mut dice, &mut head);
    let fate = if kind.ends_with('?') { Fate::AcceptedOrRefused } else { Fate::Accepted };
    Letter { name: format!("{kind} {number}"), message: [head.finish(), body].concat(), fate }
}

/// One letter with an attachment of 20 MB in base64.
pub fn huge() -> Letter {
    let mut dice = Dice::thrown("huge", 0);
    let mut head = Head::new("huge", 0);
    let body = with_attachment(&mut head, &base64_lines(&mut dice, 20 * 1024 * 1024 / 78));
    Letter { name: "20 MB".to_owned(), message: [head.finish(), body].concat(), fate: Fate::Accepted }
}

type Make = fn(&mut Dice, &mut Head) -> Vec<u8>;

/// Names that end with a question mark are too broken to insist on.
const KINDS: &[(&str, Make)] = &[
    ("plain text", |dice, _| text(dice, b" !,.-abcdefgh", 40, 76)),
    ("UTF-8 body", |dice, _| "Grüße aus Köln – 你好\r\n".repeat(dice.below(40)).into_bytes()),
    ("Latin-1 body", |dice, _| text(dice, b" \xe4\xf6\xfc\xdf\xe9abc", 40, 76)),
    ("base64 attachment", |dice, head| {
        let lines = 1 + dice.below(2000);
        with_attachment(head, &base64_lines(dice, lines))
    }),
    ("8-bit attachment", |dice, head| {
        let bytes: Vec<u8> = (1..=255).filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
        with_attachment(head, &text(dice, &bytes, 200, 900))
    }),
    ("long lines", |dice, _| text(dice, b"abcdefgh ", 10, 998)),
    ("very long lines", |dice, _| text(dice, b"abcdefgh ", 4, 100_000)),
    ("empty body", |_, _| Vec::new()),
    ("empty lines", |dice, _| b"\r\n".repeat(dice.below(20))),
    ("dots", |dice, _| text(dice, b".. a", 40, 5)),
    ("spaces", |dice, _| text(dice, b" \t  a", 40, 8)),
    ("missing fields", |dice, head| {
        for name in ["Date", "Message-ID", "To", "Subject"] {
            if dice.below(2) == 0 {
                head.remove(name);
            }
        }
        text(dice, b"abc ", 3, 20)
    }),
    ("broken MIME", |dice, head| {
        head.add(
            "Content-Type",
            ["multipart/mixed", "multipart/mixed; boundary=", "text", ";;;"][dice.below(4)],
        );
        head.add("Content-Transfer-Encoding", ["base64", "x-uuencode", "8bit", ""][dice.below(4)]);
        [b"--a\r\n".to_vec(), text(dice, b"-:=;\"ab ", 20, 30), b"--a--\r\n--b\r\n".to_vec()].concat()
    }),
    ("groups", |dice, head| {
        let members: Vec<String> =
            (0..dice.below(5)).map(|n| format!("\"M, {n}\" <m{n}@example.org>")).collect();
        head.set("To", &format!("Some people: {};, shop@example.com", members.join(", ")));
        head.add("Cc", "undisclosed-recipients:;");
        text(dice, b"abc ", 3, 20)
    }),
    ("encoded names", |dice, head| {
        let name =
            ["=?utf-8?B?SsO8cmdlbg==?=", "=?iso-8859-1?Q?J=FCrgen?=", "=?x-none?Q?=00?=", "=?utf-8?Q?open"];
        head.set("From", &format!("{} <jane@example.org>", name[dice.below(4)]));
        head.set("Subject", "=?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n =?utf-8?Q?_aus_K=C3=B6ln?=");
        text(dice, b"abc ", 3, 20)
    }),
    ("UTF-8 names", |dice, head| {
        head.set("From", ["Jürgen <jane@example.org>", "\"你好\" <jane@example.org>"][dice.below(2)]);
        head.set("Subject", "Grüße – 你好");
        text(dice, b"abc ", 3, 20)
    }),
    ("UTF-8 addresses", |dice, head| {
        head.set("From", ["Jürgen <jürgen@example.org>", "用户@例子.example"][dice.below(2)]);
        head.add("Cc", "müller@example.org");
        text(dice, b"abc ", 3, 20)
    }),
    ("many fields", |dice, head| {
        for number in 0..100 + dice.below(200) {
            head.add(&format!("X-Field-{number}"), &"v\r\n\t".repeat(dice.below(4)).replace("\t\r", "\tv\r"));
        }
        text(dice, b"abc ", 3, 20)
    }),
    ("repeated fields", |dice, head| {
        for _ in 0..10 {
            let name =
                ["Received", "X-Loop", "Comments", "Keywords", "DKIM-Signature", "ARC-Seal", "References"];
            head.add(name[dice.below(name.len())], ["a", " b ", "", "c\r\n d"][dice.below(4)]);
        }
        text(dice, b"abc ", 3, 20)
    }),
    ("odd spacing", |dice, head| {
        head.raw(
            ["X-Tight:a\r\n", "x-LOWER:  two spaces\r\n", "X-Tail: tail \t\r\n", "X-Old : before\r\n"]
                [dice.below(4)],
        );
        head.raw(["X-Empty:\r\n", "X-Folded:\r\n a\r\n", "X-Tab:\ta\r\n\tb\r\n"][dice.below(3)]);
        text(dice, b"abc ", 3, 20)
    }),
    ("many recipients", |dice, head| {
        let people: Vec<String> =
            (0..2 + dice.below(5)).map(|n| format!("Person {n} <p{n}@example.org>")).collect();
        head.add("Cc", &people.join(",\r\n "));
        head.add("Reply-To", "Jane Elsewhere <elsewhere@example.org>");
        text(dice, b"abc ", 3, 20)
    }),
    ("NUL?", |dice, _| text(dice, b"ab\0", 5, 40)),
    ("bare carriage return?", |dice, _| text(dice, b"ab\r", 5, 40)),
    ("long field?", |dice, head| {
        head.add("X-Long", &"v".repeat(900 + dice.below(5000)));
        text(dice, b"abc ", 3, 20)
    }),
];

/// A header section under construction.
struct Head {
    fields: Vec<(String, String)>,
    number: u64,
}

impl Head {
    fn new(kind: &str, number: u64) -> Self {
        let kind: String = kind.chars().filter(char::is_ascii_alphanumeric).collect();
        let mut head = Self { fields: Vec::new(), number };
        head.add("From", "Jane Doe <jane@example.org>");
        head.add("To", "shop@example.com");
        head.add("Subject", &format!("letter {number}"));
        head.add("Date", "Mon, 21 Sep 2026 16:13:20 +0200");
        head.add("Message-ID", &format!("<{kind}.{number}@example.org>"));
        head.add("MIME-Version", "1.0");
        head
    }

    fn add(&mut self, name: &str, value: &str) {
        self.raw(&format!("{name}: {value}\r\n"));
    }

    /// A whole field as it is to be written.
    fn raw(&mut self, field: &str) {
        let name = field.split(':').next().unwrap_or_default();
        self.fields.push((name.to_owned(), field.to_owned()));
    }

    fn set(&mut self, name: &str, value: &str) {
        self.remove(name);
        self.add(name, value);
    }

    fn remove(&mut self, name: &str) {
        self.fields.retain(|(found, _)| found != name);
    }

    /// The section with the empty line that ends it.
    fn finish(self) -> Vec<u8> {
        let mut text: String = self.fields.into_iter().map(|(_, field)| field).collect();
        // Two that differ in nothing would be one message sent twice.
        let _ = write!(text, "X-Number: {}\r\n\r\n", self.number);
        text.into_bytes()
    }
}

fn with_attachment(head: &mut Head, content: &[u8]) -> Vec<u8> {
    head.add("Content-Type", "multipart/mixed; boundary=\"=_edge\"");
    let part =
        b"--=_edge\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n";
    [b"This is MIME.\r\n".as_slice(), part, content, b"--=_edge--\r\n"].concat()
}

fn base64_lines(dice: &mut Dice, count: usize) -> Vec<u8> {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    (0..count).flat_map(|_| line(dice, alphabet, 76)).collect()
}

/// Up to `lines` lines of up to `width` bytes, the last of them at full width.
fn text(dice: &mut Dice, alphabet: &[u8], lines: usize, width: usize) -> Vec<u8> {
    let mut text: Vec<u8> = Vec::new();
    for _ in 0..dice.below(lines) {
        let length = dice.below(width);
        text.extend(line(dice, alphabet, length));
    }
    text.extend(line(dice, alphabet, width));
    text
}

fn line(dice: &mut Dice, alphabet: &[u8], length: usize) -> Vec<u8> {
    let mut line: Vec<u8> = (0..length).map(|_| alphabet[dice.below(alphabet.len())]).collect();
    line.extend_from_slice(b"\r\n");
    line
}

/// Numbers that look random and are the same in every run (SplitMix64).
struct Dice(u64);

impl Dice {
    fn thrown(name: &str, number: u64) -> Self {
        Self(name.bytes().fold(number, |seed, byte| seed.wrapping_mul(131).wrapping_add(u64::from(byte))))
    }

    /// Less than `bound`, which is not 0.
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).expect("below a usize")
    }
}
