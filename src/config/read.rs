//! Readers: from a value as it was typed to what it means, one per kind of value. A reader says what it found and what
//! it expected; the caller adds the place and the key.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytesize::ByteSize;
use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};
use tracing_subscriber::EnvFilter;

use crate::mail::{Address, DomainName};
use crate::net::smarthost::{Smarthost, SmarthostError};

use super::nearest::nearest;
use super::raw::{Fault, Kind, Raw};
use super::settings::Database;
use super::source::read_limited;
use super::url;

type Read<T> = Result<T, Fault>;

/// A secret is a line of text.
const MAX_SECRET: u64 = 64 * 1024;
const DNS_PORT: u16 = 53;

pub(super) fn text(raw: &Raw<'_>) -> Read<String> {
    raw.text().map(str::to_owned).ok_or_else(|| raw.expected("a string"))
}

pub(super) fn boolean(raw: &Raw<'_>) -> Read<bool> {
    match raw.kind() {
        Kind::Boolean(value) => Ok(*value),
        _ => Err(raw.expected("true or false")),
    }
}

pub(super) fn host_name(raw: &Raw<'_>) -> Read<DomainName> {
    let expected = "a host name, such as \"mx.example.com\"";
    let text = raw.text().ok_or_else(|| raw.expected(expected))?;
    let name = DomainName::parse(text).map_err(|e| raw.expected(format_args!("{expected}: {e}")))?;
    if name.as_str().contains('_') {
        return Err(raw.expected(format_args!("{expected}: no \"_\" may be in it")));
    }
    // RFC 1123, section 2.1: it would look like an address.
    if name.as_str().rsplit('.').next().is_some_and(|label| label.bytes().all(|b| b.is_ascii_digit())) {
        return Err(raw.expected(format_args!("{expected}: its last label must not be a number")));
    }
    Ok(name)
}

pub(super) fn path(raw: &Raw<'_>) -> Read<PathBuf> {
    match raw.text() {
        Some(text) if !text.is_empty() => Ok(text.into()),
        _ => Err(raw.expected("the path of a file or folder")),
    }
}

/// An address, or none when the string is empty.
pub(super) fn address(raw: &Raw<'_>) -> Read<Option<Address>> {
    let expected = "a mail address, such as \"you@example.net\"";
    let text = raw.text().ok_or_else(|| raw.expected(expected))?;
    if text.is_empty() {
        return Ok(None);
    }
    Address::parse(text).map(Some).map_err(|e| raw.expected(format_args!("{expected}: {e}")))
}

/// A whole number within `range`.
pub(super) fn count(raw: &Raw<'_>, range: RangeInclusive<usize>) -> Read<usize> {
    let fault = || raw.expected(format_args!("a whole number from {} to {}", range.start(), range.end()));
    integer(raw).and_then(|n| usize::try_from(n).ok()).filter(|n| range.contains(n)).ok_or_else(fault)
}

/// A number of bytes within `range`: `"25MiB"`, or a whole number of bytes.
pub(super) fn size(raw: &Raw<'_>, range: RangeInclusive<u64>) -> Read<u64> {
    let fault = || {
        let (least, most) = (size_in_words(*range.start()), size_in_words(*range.end()));
        raw.expected(format_args!("a size from \"{least}\" to \"{most}\""))
    };
    let bytes = match raw.kind() {
        Kind::Integer(_) => integer(raw),
        Kind::Text(text) => text.parse::<ByteSize>().ok().map(|size| size.as_u64()),
        _ => None,
    };
    bytes.filter(|n| range.contains(n)).ok_or_else(fault)
}

fn integer(raw: &Raw<'_>) -> Option<u64> {
    match raw.kind() {
        Kind::Integer(number) => u64::try_from(*number).ok(),
        _ => None,
    }
}

/// `"25MiB"` for what is a whole number of a unit.
pub(super) fn size_in_words(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let exact = units.iter().find(|(shift, _)| bytes != 0 && bytes.trailing_zeros() >= *shift);
    exact.map_or_else(|| format!("{bytes}B"), |(shift, unit)| format!("{}{unit}", bytes >> shift))
}

/// A time within `range`: `"20s"`, `"1h 30m"`.
pub(super) fn duration(raw: &Raw<'_>, range: RangeInclusive<Duration>) -> Read<Duration> {
    let fault = || {
        let words = |d| humantime::format_duration(d).to_string();
        raw.expected(format_args!("a time from \"{}\" to \"{}\"", words(*range.start()), words(*range.end())))
    };
    raw.text()
        .and_then(|text| humantime::parse_duration(text).ok())
        .filter(|time| range.contains(time))
        .ok_or_else(fault)
}

pub(super) fn durations(raw: &Raw<'_>, range: RangeInclusive<Duration>) -> Read<Vec<Duration>> {
    array(raw, "an array of times, such as [\"1m\", \"5m\"]", |each| duration(each, range.clone()))
}

/// One of a few words.
pub(super) fn choice<T: Copy>(raw: &Raw<'_>, words: &[(&str, T)]) -> Read<T> {
    let fault = || {
        let listed: Vec<_> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        let meant = raw.text().and_then(|text| nearest(text, words.iter().map(|(word, _)| *word)));
        let hint = meant.map(|word| format!("; did you mean \"{word}\"?")).unwrap_or_default();
        raw.expected(format_args!("{}{hint}", listed.join(" or ")))
    };
    let typed = raw.text().ok_or_else(fault)?;
    words.iter().find(|(word, _)| *word == typed).map(|(_, value)| *value).ok_or_else(fault)
}

/// Addresses to listen on, each once.
pub(super) fn listen(raw: &Raw<'_>) -> Read<Vec<SocketAddr>> {
    let addresses = array(raw, "an array of addresses with ports, such as [\"[::]:25\"]", socket_address)?;
    match addresses.iter().enumerate().find(|(at, address)| addresses[..*at].contains(address)) {
        Some((_, twice)) => Err(raw.fault(format!("found {twice} twice, expected each address once"))),
        None => Ok(addresses),
    }
}

/// Addresses to listen on, at least one.
pub(super) fn listen_somewhere(raw: &Raw<'_>) -> Read<Vec<SocketAddr>> {
    let addresses = listen(raw)?;
    if addresses.is_empty() {
        return Err(raw.fault("found an empty array, expected at least one address, such as \"[::]:25\""));
    }
    Ok(addresses)
}

pub(super) fn socket_address(raw: &Raw<'_>) -> Read<SocketAddr> {
    let expected = "an address with a port, such as \"127.0.0.1:2525\" or \"[::]:25\"";
    raw.text().and_then(|text| text.parse().ok()).ok_or_else(|| raw.expected(expected))
}

/// An address to listen on, or none when the string is empty.
pub(super) fn socket_address_or_none(raw: &Raw<'_>) -> Read<Option<SocketAddr>> {
    if raw.text() == Some("") { Ok(None) } else { socket_address(raw).map(Some) }
}

/// Name servers; the port is 53 unless it is given.
pub(super) fn servers(raw: &Raw<'_>) -> Read<Vec<SocketAddr>> {
    let expected = "an address, with a port unless it is 53, such as \"127.0.0.1:5353\"";
    let server = |text: &str| {
        let with_port = text.parse::<SocketAddr>().ok();
        with_port.or_else(|| Some(SocketAddr::new(text.parse().ok()?, DNS_PORT)))
    };
    array(raw, "an array of addresses, such as [\"127.0.0.1:5353\"]", |each| {
        each.text().and_then(server).ok_or_else(|| each.expected(expected))
    })
}

/// Networks; a bare address is a network of one.
pub(super) fn networks(raw: &Raw<'_>) -> Read<Vec<IpNet>> {
    let expected = "a network, such as \"192.0.2.0/24\" or \"2001:db8::1\"";
    let network = |text: &str| {
        let prefixed = text.parse::<IpNet>().ok();
        prefixed.or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from)).map(|network| network.trunc())
    };
    array(raw, "an array of networks, such as [\"192.0.2.0/24\"]", |each| {
        each.text().and_then(network).ok_or_else(|| each.expected(expected))
    })
}

fn array<T>(raw: &Raw<'_>, expected: &str, element: impl Fn(&Raw<'_>) -> Read<T>) -> Read<Vec<T>> {
    match raw.kind() {
        Kind::Array(values) => values.iter().map(|value| element(&raw.inner(value))).collect(),
        _ => Err(raw.expected(expected)),
    }
}

/// What is logged: a level, or directives as `tracing` has them.
pub(super) fn log_filter(raw: &Raw<'_>) -> Read<String> {
    const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
    let expected =
        "a level (error, warn, info, debug, trace, off), or more such as \"info,aliasd::smtp=debug\"";
    let text = raw.text().ok_or_else(|| raw.expected(expected))?;
    // To the filter a bare word that is no level is the name of a module, whose every event it then shows: a misspelt
    // level must not do that.
    let is_level = |word: &str| LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word));
    let misspelt = |part: &&str| !part.contains(['=', ':', '[']) && !is_level(part);
    if let Some(word) = text.split(',').map(str::trim).find(misspelt) {
        let hint =
            nearest(word, LEVELS).map(|level| format!("; did you mean \"{level}\"?")).unwrap_or_default();
        return Err(raw.expected(format_args!("{expected}{hint}")));
    }
    EnvFilter::builder().parse(text).map_err(|_| raw.expected(expected))?;
    Ok(text.to_owned())
}

/// A token bucket `"N/period"`, or none for `"0"`.
pub(super) fn rate(raw: &Raw<'_>) -> Read<Option<(u32, Duration)>> {
    let expected = "a number per time, such as \"60/1m\", or \"0\" for no limit";
    let text = raw.text().ok_or_else(|| raw.expected(expected))?;
    if text == "0" {
        return Ok(None);
    }
    let parts = || {
        let (number, period) = text.split_once('/')?;
        Some((number.parse::<u32>().ok()?, humantime::parse_duration(period).ok()?))
    };
    let sensible = |(number, period): &(u32, Duration)| *number > 0 && *period >= Duration::from_secs(1);
    parts().filter(sensible).map(Some).ok_or_else(|| raw.expected(expected))
}

/// A file that holds a secret: `{ file = "…" }`. The file may not be there yet.
pub(super) fn key_file(raw: &Raw<'_>) -> Read<PathBuf> {
    match raw.kind() {
        Kind::Table(_) => secret_file(raw),
        _ => Err(raw.expected("{ file = \"…\" }")),
    }
}

pub(super) fn database(raw: &Raw<'_>) -> Read<Database> {
    let text = secret(raw, "a URL or { file = \"…\" }")?;
    url::database(text.expose_secret()).map_err(|problem| raw.fault(problem))
}

/// The URL of a smarthost, or none when it is empty.
pub(super) fn smarthost(raw: &Raw<'_>) -> Read<Option<Smarthost>> {
    let text = secret(raw, "a URL or { file = \"…\" }")?;
    if text.expose_secret().is_empty() {
        return Ok(None);
    }
    let expected = "expected \"smtp://HOST:PORT\", \"smtp+starttls://HOST:PORT\" or \"smtps://HOST:PORT\", with \
                    USER:PASSWORD@ before the host when it wants a login";
    let refused = |why: String| raw.fault(format!("found {}, {expected}: {why}", raw.found()));
    let smarthost: Smarthost =
        text.expose_secret().parse().map_err(|e: SmarthostError| refused(e.to_string()))?;
    if smarthost.shows_login() {
        return Err(raw.fault(
            "found a login over smtp:// to another machine, which anybody on the way could read; \
             use smtp+starttls:// or smtps://",
        ));
    }
    Ok(Some(smarthost))
}

/// A secret that was typed, or lies in a file.
fn secret(raw: &Raw<'_>, expected: &str) -> Read<SecretString> {
    if let Some(text) = raw.text() {
        return Ok(SecretString::from(text));
    }
    if !matches!(raw.kind(), Kind::Table(_)) {
        return Err(raw.expected(expected));
    }
    let file = secret_file(raw)?;
    let unreadable = |why: String| raw.fault(format!("cannot read the secret in {}: {why}", file.display()));
    let bytes = read_limited(&file, MAX_SECRET).map_err(|e| unreadable(e.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| unreadable("it is not UTF-8".to_owned()))?;
    match text.trim_end() {
        "" => Err(unreadable("it is empty".to_owned())),
        text => Ok(SecretString::from(text)),
    }
}

/// The path in `{ file = "…" }`. A bare name is looked for in `$CREDENTIALS_DIRECTORY` first (systemd's credentials).
fn secret_file(raw: &Raw<'_>) -> Read<PathBuf> {
    let Kind::Table(entries) = raw.kind() else { return Err(raw.expected("{ file = \"…\" }")) };
    if let Some((other, _)) = entries.iter().find(|(word, _)| word.text != "file") {
        let problem = format!("found the key {:?} in it, expected {{ file = \"…\" }}", other.text);
        return Err(Fault { span: other.span.clone(), problem });
    }
    let Some((_, named)) = entries.first() else {
        return Err(raw.fault("found an empty table, expected { file = \"…\" }"));
    };
    let file = path(&Raw { secret: false, ..raw.inner(named) })?;
    Ok(credential(raw, &file).unwrap_or(file))
}

fn credential(raw: &Raw<'_>, file: &Path) -> Option<PathBuf> {
    let is_bare = file.components().count() == 1 && file.file_name().is_some();
    let folder = raw.environment.path("CREDENTIALS_DIRECTORY").filter(|_| is_bare)?;
    Some(folder.join(file)).filter(|path| path.exists())
}
