use proptest::prelude::*;
use smtp_proto::Request;

use super::*;

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn from(text: &str) -> Result<ReversePath, CommandError> {
    mail(text.as_bytes()).map(|mail| mail.from)
}

fn to(text: &str) -> Result<ForwardPath, CommandError> {
    rcpt(text.as_bytes(), Charset::Ascii).map(|rcpt| rcpt.to)
}

#[test]
fn verbs_are_known_in_any_case() {
    for (line, verb, arguments) in [
        ("EHLO mx.example.org", Verb::Ehlo, "mx.example.org"),
        ("mail FROM:<>", Verb::Mail, "FROM:<>"),
        ("Data", Verb::Data, ""),
        ("QUIT  \t", Verb::Quit, ""),
        ("NOOP   a  b ", Verb::Noop, "a  b"),
        ("GET / HTTP/1.1", Verb::Http, "/ HTTP/1.1"),
        ("PRI * HTTP/2.0", Verb::Http, "* HTTP/2.0"),
        ("starttls", Verb::StartTls, ""),
        ("DATAX", Verb::Unknown, ""),
        ("DATA\tx", Verb::Unknown, ""),
        (" DATA", Verb::Unknown, "DATA"),
        ("", Verb::Unknown, ""),
    ] {
        assert_eq!(split(line.as_bytes()), (verb, arguments.as_bytes()), "{line:?}");
    }
}

#[test]
fn names_are_taken_if_they_can_be_printed() {
    for name in ["mx.example.org", "[192.0.2.1]", "my old pc", "-", "b\u{fc}cher"] {
        assert_eq!(hello(name.as_bytes()).unwrap(), name);
    }
    assert_eq!(hello(b"a\xffb").unwrap(), "a\u{fffd}b");
    assert_eq!(hello(&[b'a'; 255]).unwrap().len(), 255);
    for name in [&b""[..], b"a\0b", b"a\rb", b"a\x7fb", &[b'a'; 256]] {
        assert_eq!(hello(name), Err(CommandError::Hello), "{name:?}");
    }
}

#[test]
fn paths_of_senders() {
    let jane = ReversePath::Address(address("jane@example.org"));
    for text in [
        "FROM:<jane@example.org>",
        "from: <jane@example.org>",
        "FROM:<@a.example,@b.example:jane@example.org>",
        "FROM:<jane@example.org>  BODY=7BIT",
    ] {
        assert_eq!(from(text).unwrap(), jane, "{text}");
    }
    assert_eq!(from("FROM:<>").unwrap(), ReversePath::Null);
    let quoted = ReversePath::Address(address("\"a> b\\\"\"@example.org"));
    assert_eq!(from("FROM:<\"a> b\\\"\"@example.org>").unwrap(), quoted);
    for (text, error) in [
        ("", CommandError::MailSyntax),
        ("FROM", CommandError::MailSyntax),
        ("FROM:", CommandError::MailSyntax),
        ("TO:<jane@example.org>", CommandError::MailSyntax),
        ("FROM:jane@example.org", CommandError::MailSyntax),
        ("FROM:  <jane@example.org>", CommandError::MailSyntax),
        ("FROM:<jane@example.org", CommandError::MailSyntax),
        ("FROM:<\"jane@example.org>", CommandError::MailSyntax),
        ("FROM:<jane@example.org>SIZE=1", CommandError::MailSyntax),
        ("FROM:< >", CommandError::Sender),
        ("FROM:<jane>", CommandError::Sender),
        ("FROM:<postmaster>", CommandError::Sender),
        ("FROM:<<jane@example.org>", CommandError::Sender),
        ("FROM:<@a.example>", CommandError::Sender),
        ("FROM:<@a.example:>", CommandError::Sender),
        ("FROM:<@:jane@example.org>", CommandError::Sender),
        ("FROM:<@a.example,b.example:jane@example.org>", CommandError::Sender),
        ("FROM:<jane@[192.0.2.300]>", CommandError::Sender),
        ("FROM:<j\u{fc}rgen@example.org>", CommandError::NeedsSmtpUtf8),
    ] {
        assert_eq!(from(text), Err(error), "{text}");
    }
}

#[test]
fn paths_of_recipients() {
    for text in ["TO:<Postmaster>", "to:<POSTMASTER>", "TO: <postmaster>"] {
        assert_eq!(to(text).unwrap(), ForwardPath::Postmaster, "{text}");
    }
    for mailbox in [
        "shop@example.com",
        "postmaster@example.com",
        "a@[192.0.2.1]",
        "a@[IPv6:2001:db8::1]",
        "\"@\"@example.com",
    ] {
        assert_eq!(
            to(&format!("TO:<{mailbox}>")).unwrap(),
            ForwardPath::Address(address(mailbox)),
            "{mailbox}"
        );
    }
    for (text, error) in [
        ("TO:<>", CommandError::Recipient),
        ("TO:<shop>", CommandError::Recipient),
        ("TO:<@a.example:postmaster>", CommandError::Recipient),
        ("TO:shop@example.com", CommandError::RcptSyntax),
        ("FROM:<shop@example.com>", CommandError::RcptSyntax),
        ("TO:<shop@example.com> RRVS=x", CommandError::UnknownParameter),
        ("TO:<sh\u{f6}p@example.com>", CommandError::NeedsSmtpUtf8),
        ("TO:<shop@b\u{fc}cher.example>", CommandError::NeedsSmtpUtf8),
    ] {
        assert_eq!(to(text), Err(error), "{text}");
    }
}

#[test]
fn non_ascii_paths_come_with_smtputf8() {
    let jurgen = "j\u{fc}rgen@b\u{fc}cher.example";
    let mail = mail(format!("FROM:<{jurgen}> SMTPUTF8").as_bytes()).unwrap();
    assert_eq!((mail.from, mail.charset), (ReversePath::Address(address(jurgen)), Charset::Utf8));
    let path = rcpt(format!("TO:<{jurgen}>").as_bytes(), Charset::Utf8).unwrap().to;
    assert_eq!(path, ForwardPath::Address(address(jurgen)));
    assert_eq!(rcpt(b"TO:<\xff@example.com>", Charset::Utf8), Err(CommandError::Recipient));
}

#[test]
fn parameters_of_mail() {
    let with = |parameters: &str| mail(format!("FROM:<> {parameters}").as_bytes());
    let all = with("size=0123 Body=8bitmime  SMTPUTF8 ret=hdrs EnvId=+20x").unwrap();
    assert_eq!((all.size, all.body, all.charset), (Some(123), BodyType::EightBitMime, Charset::Utf8));
    assert_eq!(all.dsn.to_string(), " RET=HDRS ENVID=+20x");
    let nothing = with("").unwrap();
    assert_eq!((nothing.size, nothing.dsn), (None, MessageRequest::default()));
    assert_eq!(with("SIZE=18446744073709551615").unwrap().size, Some(u64::MAX));
    for wrong in [
        "SIZE",
        "SIZE=",
        "SIZE=x",
        "SIZE=-1",
        "SIZE=+1",
        "SIZE=000000000000000000001",
        "SIZE=1 SIZE=1",
        "BODY=7BIT BODY=7BIT",
        "SMTPUTF8 SMTPUTF8",
        "BODY",
        "BODY=BINARYMIME",
        "SMTPUTF8=",
        "SMTPUTF8=yes",
        "RET",
        "RET=",
        "RET=ALL",
        "RET=FULL RET=FULL",
        "ENVID",
        "ENVID=",
        "ENVID=a=b",
        "ENVID=+0A",
        "ENVID=a ENVID=a",
    ] {
        assert_eq!(with(wrong), Err(CommandError::Parameter), "{wrong}");
    }
    for unknown in ["NOTIFY=NEVER", "ORCPT=rfc822;a", "AUTH=<>", "=", "=x", "SIZE\t=1", "REQUIRETLS"] {
        assert_eq!(with(unknown), Err(CommandError::UnknownParameter), "{unknown}");
    }
}

#[test]
fn parameters_of_rcpt() {
    let with = |charset, parameters: &str| {
        rcpt(format!("TO:<shop@example.com> {parameters}").as_bytes(), charset)
            .map(|rcpt| rcpt.dsn.to_string())
    };
    let both = "notify=delay,failure  orcpt=RFC822;a+2Bb@example.org";
    let written = " NOTIFY=FAILURE,DELAY ORCPT=rfc822;a+2Bb@example.org";
    assert_eq!(with(Charset::Ascii, both).as_deref(), Ok(written));
    assert_eq!(with(Charset::Ascii, "").as_deref(), Ok(""));
    let escaped = " ORCPT=utf-8;\\x{FC}@example.org";
    assert_eq!(with(Charset::Ascii, escaped).as_deref(), Ok(escaped));
    assert_eq!(with(Charset::Utf8, "ORCPT=utf-8;\u{fc}@example.org").as_deref(), Ok(escaped));
    for wrong in [
        "NOTIFY",
        "NOTIFY=",
        "NOTIFY=NEVER,FAILURE",
        "NOTIFY=DELAY NOTIFY=DELAY",
        "ORCPT",
        "ORCPT=",
        "ORCPT=a@example.org",
        "ORCPT=rfc822;a=b",
        "ORCPT=utf-8;\u{fc}@example.org",
        "ORCPT=rfc822;a ORCPT=rfc822;a",
    ] {
        assert_eq!(with(Charset::Ascii, wrong), Err(CommandError::Parameter), "{wrong}");
    }
    for unknown in ["RET=FULL", "ENVID=x", "RRVS=x", "NOTIFY\t=NEVER"] {
        assert_eq!(with(Charset::Ascii, unknown), Err(CommandError::UnknownParameter), "{unknown}");
    }
    let postmaster = rcpt(b"TO:<Postmaster> NOTIFY=NEVER", Charset::Ascii).unwrap();
    assert_eq!((postmaster.to, postmaster.dsn.notify), (ForwardPath::Postmaster, Some(Notify::NEVER)));
}

#[test]
fn commands_without_arguments() {
    assert_eq!(nothing(b""), Ok(()));
    assert_eq!(nothing(b"x"), Err(CommandError::Argument));
}

/// What the other parser reads, where it is right: an address, and the flags of its parameters.
fn oracle(line: &str) -> Option<(String, u64, usize)> {
    let line = format!("{line}\r\n");
    match Request::parse(&mut line.as_bytes().iter()).ok()? {
        Request::Mail { from } => Some((from.address.into_owned(), from.flags, from.size)),
        Request::Rcpt { to } => Some((to.address.into_owned(), 0, 0)),
        _ => None,
    }
}

proptest! {
    #[test]
    fn well_formed_commands_read_as_the_oracle_reads_them(
        mailbox in "[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]{1,20}(\\.[a-z0-9]{1,8}){0,3}@[a-z0-9]{1,10}(\\.[a-z0-9]{1,10}){1,3}",
        size in proptest::option::of(0u32..),
        eight: bool,
    ) {
        let mut line = format!("MAIL FROM:<{mailbox}>");
        if let Some(size) = size {
            line.push_str(&format!(" SIZE={size}"));
        }
        if eight {
            line.push_str(" BODY=8BITMIME");
        }
        let (theirs, flags, their_size) = oracle(&line).unwrap();
        let (verb, arguments) = split(line.as_bytes());
        let ours = mail(arguments).unwrap();
        prop_assert_eq!(verb, Verb::Mail);
        prop_assert_eq!(ours.from, ReversePath::Address(address(&theirs)));
        prop_assert_eq!(ours.size.unwrap_or(0), their_size as u64);
        prop_assert_eq!(ours.body == BodyType::EightBitMime, flags & smtp_proto::MAIL_BODY_8BITMIME != 0);

        let line = format!("RCPT TO:<{mailbox}>");
        let (theirs, ..) = oracle(&line).unwrap();
        prop_assert_eq!(rcpt(split(line.as_bytes()).1, Charset::Ascii).unwrap().to, ForwardPath::Address(address(&theirs)));
    }

    /// The other parser knows `rfc822` only, and takes more than it should; on what is well formed both must agree.
    #[test]
    fn parameters_about_reports_read_as_the_oracle_reads_them(
        full: bool,
        id in "[!-*,-<>-~]{1,30}(\\+(2B|3D|20)){0,3}",
        notify in prop::sample::subsequence(vec!["SUCCESS", "FAILURE", "DELAY"], 1..=3),
        original in "[a-z]{1,8}(\\+2B)?@[a-z]{1,8}",
    ) {
        use smtp_proto::{MAIL_RET_FULL, MAIL_RET_HDRS, RCPT_NOTIFY_DELAY, RCPT_NOTIFY_FAILURE, RCPT_NOTIFY_SUCCESS};
        let ret = if full { "FULL" } else { "HDRS" };
        let line = format!("MAIL FROM:<a@example.org> RET={ret} ENVID={id}\r\n");
        let ours = mail(split(line.trim_end().as_bytes()).1).unwrap();
        let Ok(Request::Mail { from }) = Request::parse(&mut line.as_bytes().iter()) else { panic!("{line}") };
        prop_assert_eq!(ours.dsn.envid.as_ref().map(EnvelopeId::as_str), from.env_id.as_deref());
        let theirs = if from.flags & MAIL_RET_FULL != 0 { Some(Ret::Full) } else { Some(Ret::Headers) };
        prop_assert!(ours.dsn.ret == theirs && full == (from.flags & MAIL_RET_HDRS == 0));

        let line = format!("RCPT TO:<a@example.org> NOTIFY={} ORCPT=rfc822;{original}\r\n", notify.join(","));
        let ours = rcpt(split(line.trim_end().as_bytes()).1, Charset::Ascii).unwrap().dsn;
        let Ok(Request::Rcpt { to }) = Request::parse(&mut line.as_bytes().iter()) else { panic!("{line}") };
        let theirs = Notify {
            success: to.flags & RCPT_NOTIFY_SUCCESS != 0,
            failure: to.flags & RCPT_NOTIFY_FAILURE != 0,
            delay: to.flags & RCPT_NOTIFY_DELAY != 0,
        };
        prop_assert_eq!(ours.notify, Some(theirs));
        prop_assert_eq!(ours.orcpt.as_ref().map(OriginalRecipient::address), to.orcpt.as_deref());
    }

    /// Whatever comes, a path that is taken can be written and read again as the same.
    #[test]
    fn what_is_taken_can_be_written(path in "[a\"@<>:,. \\\\\u{fc}\\[\\]]{0,16}|\\PC{0,24}", utf8: bool) {
        let charset = if utf8 { Charset::Utf8 } else { Charset::Ascii };
        let read = |line: String, charset| rcpt(line.as_bytes(), charset).map(|rcpt| rcpt.to);
        if let Ok(ForwardPath::Address(taken)) = read(format!("TO:<{path}>"), charset) {
            let again = read(format!("TO:<{taken}>"), Charset::Utf8);
            prop_assert_eq!(again, Ok(ForwardPath::Address(taken.clone())));
            prop_assert!(utf8 || taken.to_string().is_ascii());
        }
    }

    #[test]
    fn hostile_octets_are_only_refused(line in prop::collection::vec(any::<u8>(), 0..80)) {
        let (_, arguments) = split(&line);
        prop_assert!(arguments.len() <= line.len());
        for keyword in [&b"FROM:<"[..], b"TO:<", b""] {
            let arguments = [keyword, arguments].concat();
            let sender = mail(&arguments);
            prop_assert!(sender.is_ok() || sender.is_err_and(|e| e.reply().is_permanent()));
            let recipient = rcpt(&arguments, Charset::Utf8);
            prop_assert!(recipient.is_ok() || recipient.is_err_and(|e| e.reply().is_permanent()));
            let parameters = [b"TO:<a@example.org> ORCPT=utf-8;", line.as_slice()].concat();
            let recipient = rcpt(&parameters, Charset::Utf8);
            prop_assert!(recipient.map_or(true, |rcpt| rcpt.dsn.to_string().is_ascii()));
        }
        if let Ok(name) = hello(arguments) {
            prop_assert!(!name.chars().any(char::is_control));
        }
    }
}
