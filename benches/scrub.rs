//! What it costs to take the mailbox out of a reply:
//!
//!     cargo bench --bench scrub
//!
//! Prints for each kind of letter how many of 10 KB a second, and MB/s of one of 20 MB, on one thread: the whole scrub with the
//! search for reverse aliases before it, without the head of the reply.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use aliasd::mail::{Address, Message};
use aliasd::relay::alias::{AccountId, Alias, AliasId, Mailbox, MailboxId, Mode, NameFormat, Refusal};
use aliasd::relay::ids::Ids;
use aliasd::relay::keys::Keys;
use aliasd::relay::scrub::{OpaqueParts, Secrets, candidates, scrub};
use bytes::Bytes;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const MEASURED: Duration = Duration::from_secs(3);
const SMALL: usize = 10 * 1024;
const LARGE: usize = 20_000_000;
const PROSE: &str = "The order has arrived, thank you; the second box was open (see the picture), but nothing is missing.\r\n";
const MARKUP: &str = "<p style=\"margin:0\">The order has arrived&nbsp;&ndash; <b>thank you</b>; <a href=\"https://example.org/o?id=42%20a\">see</a>.</p>\r\n";
const NAMING: &str =
    "On Monday me@example.net wrote to everybody who had asked about the order and its second box:\r\n";

fn main() -> Result<(), Failure> {
    for (name, kind, line) in [
        ("plain text, nothing to be found", "text/plain", PROSE),
        ("HTML, nothing to be found", "text/html", MARKUP),
        ("plain text, the mailbox in every line", "text/plain", NAMING),
    ] {
        let (small, large) = (text(kind, line, SMALL), text(kind, line, LARGE));
        println!("{name}: {:.0} messages/s, {:.0} MB/s", rate(&small)?, rate(&large)? * LARGE as f64 / 1e6);
    }
    let large = attachment(LARGE);
    println!("attachment in base64: {:.0} MB/s", rate(&large)? * LARGE as f64 / 1e6);
    Ok(())
}

fn text(kind: &str, line: &str, size: usize) -> Message {
    let head =
        format!("From: me@example.net\r\nMIME-Version: 1.0\r\nContent-Type: {kind}; charset=utf-8\r\n\r\n");
    parsed(head, &line.repeat(size / line.len()))
}

/// Octets that mean nothing, so that they are looked at as such.
fn attachment(size: usize) -> Message {
    let octets: Vec<u8> = (0..size * 3 / 4).map(|at| (at.wrapping_mul(0x9E37_79B9) >> 13) as u8).collect();
    let encoded = data_encoding::BASE64.encode(&octets);
    let lines: Vec<_> = encoded.as_bytes().chunks(76).map(String::from_utf8_lossy).collect();
    let head = "From: me@example.net\r\nMIME-Version: 1.0\r\nContent-Type: image/png\r\n\
                Content-Transfer-Encoding: base64\r\n\r\n";
    parsed(head.to_owned(), &lines.join("\r\n"))
}

fn parsed(head: String, body: &str) -> Message {
    Message::parse(Bytes::from(head + body))
}

/// How often a second.
fn rate(message: &Message) -> Result<f64, Failure> {
    let (alias, keys) = (alias()?, Keys::derive(&[7; 32]));
    let domain = alias.address.domain().ok_or("the alias has a domain")?.clone();
    let (began, mut done) = (Instant::now(), 0_u32);
    while began.elapsed() < MEASURED {
        std::hint::black_box(candidates(message, &domain));
        let secrets = Secrets::new(&alias, &HashMap::new());
        let scrubbed = scrub(message, &secrets, &Ids::new(&keys, &alias), OpaqueParts::Allow);
        std::hint::black_box(scrubbed.map_err(|refused| refused.reply().to_string())?.body);
        done += 1;
    }
    Ok(f64::from(done) / began.elapsed().as_secs_f64())
}

fn alias() -> Result<Alias, Failure> {
    let mailbox = Address::parse("me@example.net")?;
    Ok(Alias {
        id: AliasId(1),
        account: AccountId(1),
        address: Address::parse("shop@example.com")?,
        enabled: true,
        expires_at: None,
        mode: Mode::Reverse,
        display_name: None,
        refusal: Refusal::Reject,
        name_format: NameFormat::NameAt,
        opaque_reverse_aliases: false,
        has_blocked_contacts: false,
        mailboxes: vec![Mailbox { id: MailboxId(1), address: mailbox, paused: false, encrypts: false }],
    })
}
