//! Which command is legal when, as data (RFC 5321, section 4.1.4).

use crate::smtp::command::Verb;
use crate::smtp::reply::{self, Reply};

/// Where the dialogue stands, as far as the order of commands goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Before EHLO or HELO.
    Connected,
    /// No transaction is open.
    Greeted,
    /// After MAIL, with no recipient yet.
    Sender,
    /// After MAIL, with a recipient at least.
    Recipients,
}

/// What becomes of a command.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rule {
    /// It is obeyed; its arguments may still be wrong.
    Obey,
    /// It is answered with this and nothing changes.
    Refuse(&'static Reply),
}

use Rule::{Obey, Refuse};

struct Row {
    verb: Verb,
    connected: Rule,
    greeted: Rule,
    sender: Rule,
    recipients: Rule,
}

const fn row(verb: Verb, connected: Rule, greeted: Rule, sender: Rule, recipients: Rule) -> Row {
    Row { verb, connected, greeted, sender, recipients }
}

const fn always(verb: Verb, rule: Rule) -> Row {
    row(verb, rule, rule, rule, rule)
}

const NESTED: Rule = Refuse(&reply::NESTED_MAIL);
const HELLO_FIRST: Rule = Refuse(&reply::HELLO_FIRST);
const MAIL_FIRST: Rule = Refuse(&reply::MAIL_FIRST);
const NO_RECIPIENTS: Rule = Refuse(&reply::NO_RECIPIENTS);
const NOT_OFFERED: Rule = Refuse(&reply::NOT_OFFERED);

#[rustfmt::skip]
static TABLE: &[Row] = &[
    //                  connected    greeted     after MAIL     after RCPT
    row(Verb::Mail,     HELLO_FIRST, Obey,       NESTED,        NESTED),
    row(Verb::Rcpt,     HELLO_FIRST, MAIL_FIRST, Obey,          Obey),
    row(Verb::Data,     HELLO_FIRST, MAIL_FIRST, NO_RECIPIENTS, Obey),
    always(Verb::Ehlo,     Obey),
    always(Verb::Helo,     Obey),
    always(Verb::Rset,     Obey),
    always(Verb::Noop,     Obey),
    always(Verb::Quit,     Obey),
    always(Verb::Vrfy,     Obey),
    always(Verb::Help,     Obey),
    always(Verb::Http,     Obey),
    always(Verb::Expn,     NOT_OFFERED),
    always(Verb::StartTls, NOT_OFFERED),
    always(Verb::Auth,     NOT_OFFERED),
    always(Verb::Bdat,     NOT_OFFERED),
    always(Verb::Lhlo,     NOT_OFFERED),
    always(Verb::Unknown,  Refuse(&reply::UNKNOWN_COMMAND)),
];

/// The rule for a command at this point. A verb without a row is refused.
pub(super) fn rule(verb: Verb, phase: Phase) -> Rule {
    let row = TABLE.iter().find(|row| row.verb == verb);
    row.map_or(NOT_OFFERED, |row| match phase {
        Phase::Connected => row.connected,
        Phase::Greeted => row.greeted,
        Phase::Sender => row.sender,
        Phase::Recipients => row.recipients,
    })
}
