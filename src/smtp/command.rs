//! The grammar of command lines (RFC 5321, section 4.1, and the parameters of RFC 1870, 3461, 6152 and 6531).
//!
//! Reading goes in two steps, because a command that is out of order is refused for that, whatever its arguments are:
//! [`split`] tells the verb; then one function per verb reads the arguments. Strict, except for what honest clients are
//! known to send: one space after the colon of `FROM:` and `TO:`, and spaces at the end of a line.
//!
//! Nothing here knows the state of a session, and no input makes it fail in another way than [`CommandError`].

use crate::mail::{Address, DomainName};

use super::dsn::{EnvelopeId, MessageRequest, Notify, OriginalRecipient, RecipientRequest, Ret};
use super::reply::{self, Reply};
use super::{ForwardPath, ReversePath};

/// Longest EHLO argument that is taken: a name has at most 255 octets (RFC 5321, section 4.5.3.1.2).
const MAX_HELLO: usize = 255;

/// The first word of a command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the commands")]
pub enum Verb {
    Ehlo,
    Helo,
    Mail,
    Rcpt,
    Data,
    Rset,
    Noop,
    Quit,
    Vrfy,
    Expn,
    Help,
    StartTls,
    Auth,
    Bdat,
    Lhlo,
    /// A method of HTTP: the peer is no mail client.
    Http,
    /// Anything else.
    Unknown,
}

const VERBS: &[(&[u8], Verb)] = &[
    (b"EHLO", Verb::Ehlo),
    (b"HELO", Verb::Helo),
    (b"MAIL", Verb::Mail),
    (b"RCPT", Verb::Rcpt),
    (b"DATA", Verb::Data),
    (b"RSET", Verb::Rset),
    (b"NOOP", Verb::Noop),
    (b"QUIT", Verb::Quit),
    (b"VRFY", Verb::Vrfy),
    (b"EXPN", Verb::Expn),
    (b"HELP", Verb::Help),
    (b"STARTTLS", Verb::StartTls),
    (b"AUTH", Verb::Auth),
    (b"BDAT", Verb::Bdat),
    (b"LHLO", Verb::Lhlo),
    (b"GET", Verb::Http),
    (b"HEAD", Verb::Http),
    (b"POST", Verb::Http),
    (b"PUT", Verb::Http),
    (b"PATCH", Verb::Http),
    (b"DELETE", Verb::Http),
    (b"OPTIONS", Verb::Http),
    (b"CONNECT", Verb::Http),
    (b"TRACE", Verb::Http),
    (b"PRI", Verb::Http),
];

/// Parts a command line (without its end) into its verb, in any case (RFC 5321, section 2.4), and its arguments without
/// the spaces around them.
#[must_use]
pub fn split(line: &[u8]) -> (Verb, &[u8]) {
    let line = line.trim_ascii_end();
    let end = line.iter().position(|&b| b == b' ').unwrap_or(line.len());
    let (word, arguments) = line.split_at(end);
    let verb =
        VERBS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map_or(Verb::Unknown, |(_, v)| *v);
    (verb, arguments.trim_ascii_start())
}

/// Why the arguments of a command are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// EHLO or HELO without a printable name of at most 255 octets.
    #[error("the EHLO name is missing, too long or not printable")]
    Hello,
    /// Not `FROM:<…>` with parameters.
    #[error("not of the form MAIL FROM:<address> [parameters]")]
    MailSyntax,
    /// Not `TO:<…>` with parameters.
    #[error("not of the form RCPT TO:<address> [parameters]")]
    RcptSyntax,
    /// What stands between `<` and `>` is no sender.
    #[error("not a valid sender address")]
    Sender,
    /// What stands between `<` and `>` is no recipient.
    #[error("not a valid recipient address")]
    Recipient,
    /// The path has an octet above 127 and SMTPUTF8 was not declared (RFC 6531, section 3.5).
    #[error("a non-ASCII address without SMTPUTF8")]
    NeedsSmtpUtf8,
    /// A known parameter with a wrong value, or given twice.
    #[error("a parameter is malformed, repeated or has a value that is not supported")]
    Parameter,
    /// A parameter of an extension that is not offered.
    #[error("a parameter is unknown")]
    UnknownParameter,
    /// An argument where there is none.
    #[error("the command takes no argument")]
    Argument,
}

impl CommandError {
    /// What the client is told.
    #[must_use]
    pub fn reply(self) -> &'static Reply {
        match self {
            Self::Hello => &reply::BAD_HELLO,
            Self::MailSyntax => &reply::MAIL_SYNTAX,
            Self::RcptSyntax => &reply::RCPT_SYNTAX,
            Self::Sender => &reply::BAD_SENDER,
            Self::Recipient => &reply::BAD_RECIPIENT,
            Self::NeedsSmtpUtf8 => &reply::NEEDS_SMTPUTF8,
            Self::Parameter => &reply::BAD_PARAMETER,
            Self::UnknownParameter => &reply::UNKNOWN_PARAMETER,
            Self::Argument => &reply::UNEXPECTED_ARGUMENT,
        }
    }
}

/// How the message's body is encoded (RFC 6152).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BodyType {
    /// `BODY=7BIT`, or nothing said.
    #[default]
    SevenBit,
    /// `BODY=8BITMIME`.
    EightBitMime,
}

/// Which characters addresses and header fields of a transaction may have (RFC 6531).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Charset {
    /// ASCII.
    #[default]
    Ascii,
    /// UTF-8: `SMTPUTF8` was declared with MAIL.
    Utf8,
}

/// The arguments of MAIL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The envelope sender.
    pub from: ReversePath,
    /// `SIZE=`: what the client thinks the message has, in octets (RFC 1870).
    pub size: Option<u64>,
    /// `BODY=`.
    pub body: BodyType,
    /// `SMTPUTF8` or not.
    pub charset: Charset,
    /// `RET=` and `ENVID=`.
    pub dsn: MessageRequest,
}

/// The arguments of RCPT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rcpt {
    /// The envelope recipient.
    pub to: ForwardPath,
    /// `NOTIFY=` and `ORCPT=`.
    pub dsn: RecipientRequest,
}

/// Reads the argument of EHLO or HELO. It is text for the `Received` field and nothing more: what is printable is taken,
/// because servers send all kinds of names. Octets that are no UTF-8 become U+FFFD.
///
/// # Errors
/// When it is empty, longer than 255 octets or has control characters.
pub fn hello(arguments: &[u8]) -> Result<String, CommandError> {
    if arguments.is_empty() || arguments.len() > MAX_HELLO {
        return Err(CommandError::Hello);
    }
    let name = String::from_utf8_lossy(arguments);
    if name.chars().any(char::is_control) {
        return Err(CommandError::Hello);
    }
    Ok(name.into_owned())
}

/// Reads the arguments of MAIL: `FROM:<path> parameters`.
///
/// # Errors
/// Says what is wrong.
pub fn mail(arguments: &[u8]) -> Result<Mail, CommandError> {
    let (path, parameters) = path_and_rest(arguments, b"FROM:").ok_or(CommandError::MailSyntax)?;
    let MailParameters { size, body, charset, ret, envid } = mail_parameters(parameters)?;
    let charset = charset.unwrap_or_default();
    let from = if path.is_empty() {
        ReversePath::Null
    } else {
        ReversePath::Address(mailbox(path, charset, CommandError::Sender)?)
    };
    let dsn = MessageRequest { ret, envid };
    Ok(Mail { from, size, body: body.unwrap_or_default(), charset, dsn })
}

/// Reads the arguments of RCPT: `TO:<path> parameters`.
///
/// # Errors
/// Says what is wrong.
pub fn rcpt(arguments: &[u8], charset: Charset) -> Result<Rcpt, CommandError> {
    let (path, parameters) = path_and_rest(arguments, b"TO:").ok_or(CommandError::RcptSyntax)?;
    let dsn = rcpt_parameters(parameters, charset)?;
    let to = if path.eq_ignore_ascii_case(b"postmaster") {
        ForwardPath::Postmaster
    } else {
        ForwardPath::Address(mailbox(path, charset, CommandError::Recipient)?)
    };
    Ok(Rcpt { to, dsn })
}

/// Checks a command that has no arguments.
///
/// # Errors
/// When it has some.
pub fn nothing(arguments: &[u8]) -> Result<(), CommandError> {
    if arguments.is_empty() { Ok(()) } else { Err(CommandError::Argument) }
}

/// The octets between `<` and `>`, and what follows after spaces.
fn path_and_rest<'a>(arguments: &'a [u8], keyword: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let (start, rest) = arguments.split_at_checked(keyword.len())?;
    if !start.eq_ignore_ascii_case(keyword) {
        return None;
    }
    let path = rest.strip_prefix(b" ").unwrap_or(rest).strip_prefix(b"<")?;
    let (path, rest) = path.split_at_checked(closing_bracket(path)?)?;
    let rest = rest.strip_prefix(b">")?;
    if !rest.is_empty() && !rest.starts_with(b" ") {
        return None;
    }
    Some((path, rest.trim_ascii_start()))
}

/// Where the `>` is that stands outside a quoted string.
fn closing_bracket(path: &[u8]) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, octet) in path.iter().enumerate() {
        match octet {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'>' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

/// The mailbox of a path; a source route before it is ignored (RFC 5321, section 4.1.1.3 and appendix C).
fn mailbox(path: &[u8], charset: Charset, error: CommandError) -> Result<Address, CommandError> {
    if !path.is_ascii() && charset == Charset::Ascii {
        return Err(CommandError::NeedsSmtpUtf8);
    }
    let path = std::str::from_utf8(path).map_err(|_| error)?;
    let mailbox = if path.starts_with('@') { without_route(path).ok_or(error)? } else { path };
    Address::parse(mailbox).map_err(|_| error)
}

/// `@a,@b:user@c` without its route. No domain of a route has a colon: address literals do not occur there.
fn without_route(path: &str) -> Option<&str> {
    let (route, mailbox) = path.split_once(':')?;
    let mut hops = route.split(',').map(|hop| hop.strip_prefix('@'));
    hops.all(|hop| hop.is_some_and(|name| DomainName::parse(name).is_ok())).then_some(mailbox)
}

/// Parameters of MAIL as they were given.
#[derive(Default)]
struct MailParameters {
    size: Option<u64>,
    body: Option<BodyType>,
    charset: Option<Charset>,
    ret: Option<Ret>,
    envid: Option<EnvelopeId>,
}

fn mail_parameters(text: &[u8]) -> Result<MailParameters, CommandError> {
    let mut seen = MailParameters::default();
    for (keyword, value) in words(text) {
        if keyword.eq_ignore_ascii_case(b"SIZE") {
            set(&mut seen.size, value.and_then(size))?;
        } else if keyword.eq_ignore_ascii_case(b"BODY") {
            set(&mut seen.body, value.and_then(body_type))?;
        } else if keyword.eq_ignore_ascii_case(b"SMTPUTF8") {
            set(&mut seen.charset, value.is_none().then_some(Charset::Utf8))?;
        } else if keyword.eq_ignore_ascii_case(b"RET") {
            set(&mut seen.ret, value.and_then(Ret::parse))?;
        } else if keyword.eq_ignore_ascii_case(b"ENVID") {
            set(&mut seen.envid, value.and_then(EnvelopeId::parse))?;
        } else {
            return Err(CommandError::UnknownParameter);
        }
    }
    Ok(seen)
}

fn rcpt_parameters(text: &[u8], charset: Charset) -> Result<RecipientRequest, CommandError> {
    let mut seen = RecipientRequest::default();
    for (keyword, value) in words(text) {
        if keyword.eq_ignore_ascii_case(b"NOTIFY") {
            set(&mut seen.notify, value.and_then(Notify::parse))?;
        } else if keyword.eq_ignore_ascii_case(b"ORCPT") {
            // RFC 6533, section 3: the form that is not ASCII comes with SMTPUTF8 only.
            let allowed = value.filter(|value| value.is_ascii() || charset == Charset::Utf8);
            set(&mut seen.orcpt, allowed.and_then(OriginalRecipient::parse))?;
        } else {
            return Err(CommandError::UnknownParameter);
        }
    }
    Ok(seen)
}

/// Keywords with their values.
fn words(text: &[u8]) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
    text.split(|&b| b == b' ').filter(|word| !word.is_empty()).map(keyword_and_value)
}

fn keyword_and_value(word: &[u8]) -> (&[u8], Option<&[u8]>) {
    match word.iter().position(|&b| b == b'=').and_then(|at| word.split_at_checked(at)) {
        Some((keyword, value)) => (keyword, value.strip_prefix(b"=")),
        None => (word, None),
    }
}

/// Sets a parameter once.
fn set<T>(parameter: &mut Option<T>, value: Option<T>) -> Result<(), CommandError> {
    if parameter.is_some() || value.is_none() {
        return Err(CommandError::Parameter);
    }
    *parameter = value;
    Ok(())
}

/// `1*20DIGIT` (RFC 1870, section 5). What does not fit 64 bits is as large as can be: too large, and not malformed.
fn size(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) || value.len() > 20 {
        return None;
    }
    let digits = value.iter().map(|digit| u64::from(digit - b'0'));
    Some(digits.fold(0, |size: u64, digit| size.saturating_mul(10).saturating_add(digit)))
}

fn body_type(value: &[u8]) -> Option<BodyType> {
    if value.eq_ignore_ascii_case(b"7BIT") {
        Some(BodyType::SevenBit)
    } else if value.eq_ignore_ascii_case(b"8BITMIME") {
        Some(BodyType::EightBitMime)
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
