//! `aliasd demo`: the main job, shown on the loopback interface with the real daemon, a receiving server and a contact,
//! all in this process. What is shown is what happened: every tick is a check of the bytes that arrived.

mod keys;
mod stage;
mod view;

use crate::mail::{Address, Message, address_list};
use crate::relay::ports::Outcome;

use keys::Keys;
use stage::{Arrived, Stage, StageError};
use view::View;

/// What the demo does at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtEnd {
    /// Stop everything and leave nothing behind.
    Stop,
    /// Stay up until Ctrl-C.
    Stay,
}

const ALIAS: &str = "shop@example.com";
const MAILBOX: &str = "me@example.net";
const CONTACT: &str = "jane@example.org";

/// Plays all steps.
///
/// # Errors
/// When the stage cannot be set (no free port, no room for the database), or a step did not hold.
pub async fn run(at_end: AtEnd) -> Result<(), StageError> {
    let view = View::of_stdout();
    let mut stage = Stage::set(ALIAS, MAILBOX).await?;
    let mut story = Story { view, stage: &mut stage, held: true };
    story.introduce();
    story.tell().await?;
    let held = story.held;
    match at_end {
        AtEnd::Stay => stay(view, &mut stage).await,
        AtEnd::Stop => {}
    }
    stage.strike().await?;
    println!();
    anyhow::ensure!(held, "not every step held: see the marks above");
    view.held("Every step held. Nothing is left running.");
    Ok(())
}

struct Story<'a> {
    view: View,
    stage: &'a mut Stage,
    held: bool,
}

impl Story<'_> {
    fn introduce(&self) {
        println!("aliasd demo");
        self.view.say(&format!("{ALIAS} is an alias of {MAILBOX}; {CONTACT} knows only the alias."));
        self.view.say(&format!("aliasd listens on {}, with an empty SQLite database.", self.stage.relay()));
        self.view.say(&format!(
            "The servers of example.net and example.org are played on {}.",
            self.stage.receiver()
        ));
    }

    async fn tell(&mut self) -> Result<(), StageError> {
        let Some(forwarded) = self.jane_writes().await? else { return Ok(()) };
        self.owner_answers(&forwarded).await?;
        self.jane_writes_in_confidence().await?;
        self.stranger_is_refused().await
    }

    fn check(&mut self, held: bool, text: &str) {
        if held {
            self.view.held(text);
        } else {
            self.view.failed(text);
        }
        self.held &= held;
    }

    async fn jane_writes(&mut self) -> Result<Option<Arrived>, StageError> {
        self.view.heading(1, "Jane writes to the alias");
        let sent = stage::compose(
            ("Jane Doe", CONTACT),
            ALIAS,
            "Your order 4711",
            "Hello,\n\nyour parcel is on its way. Does Friday suit you?\n\nJane\n",
        )?;
        let outcome = self.stage.hand_over(CONTACT, ALIAS, &sent).await?;
        if !self.accepted(&outcome) {
            return Ok(None);
        }
        let arrived = self.stage.arrived().await?;
        self.view.side_by_side(["as Jane sent it", "as it arrived at the mailbox"], &sent, &arrived.message);
        self.check(arrived.to == MAILBOX, &format!("it arrived at {MAILBOX}"));
        self.check(sent.body() == arrived.message.body(), "its body is the same, byte for byte");
        Ok(Some(arrived))
    }

    async fn owner_answers(&mut self, forwarded: &Arrived) -> Result<(), StageError> {
        self.view.heading(2, "The owner answers, with an ordinary reply");
        let Some(reverse_alias) = first_from(&forwarded.message) else {
            self.check(false, "the message that arrived has an address to answer to");
            return Ok(());
        };
        self.view.say(&format!("It goes to the reverse alias {reverse_alias}."));
        let sent = stage::compose(
            ("The owner", MAILBOX),
            &reverse_alias.to_string(),
            "Re: Your order 4711",
            "Friday is fine, thank you.\n",
        )?;
        let outcome = self.stage.hand_over(MAILBOX, &reverse_alias.to_string(), &sent).await?;
        if !self.accepted(&outcome) {
            return Ok(());
        }
        let arrived = self.stage.arrived().await?;
        self.view.side_by_side(["as the owner sent it", "as Jane received it"], &sent, &arrived.message);
        self.view.say("");
        self.view.body(&arrived.message);
        self.check(arrived.to == CONTACT, &format!("it arrived at {CONTACT}"));
        let from = first_from(&arrived.message).map(|from| from.to_string());
        self.check(from.as_deref() == Some(ALIAS), &format!("it comes from {ALIAS}"));
        self.check(
            !arrived.contains(MAILBOX),
            &format!(
                "{MAILBOX} occurs nowhere in its {} bytes and its envelope",
                arrived.message.raw().len()
            ),
        );
        Ok(())
    }

    async fn jane_writes_in_confidence(&mut self) -> Result<(), StageError> {
        self.view.heading(3, "The owner imports an OpenPGP certificate, and Jane writes again");
        let keys = Keys::make(MAILBOX)?;
        let fingerprint = self.stage.import_certificate(MAILBOX, &keys.certificate()?).await?;
        self.view.say(&format!("As \"aliasd key import {MAILBOX} FILE\" does, of {fingerprint}."));
        let sent = stage::compose(
            ("Jane Doe", CONTACT),
            ALIAS,
            "How to get in",
            "The code of the front door is 8125.\nThe spare key is under the third flower pot.\n",
        )?;
        let outcome = self.stage.hand_over(CONTACT, ALIAS, &sent).await?;
        if !self.accepted(&outcome) {
            return Ok(());
        }
        let arrived = self.stage.arrived().await?;
        let titles = ["as Jane sent it", "as it arrived at the mailbox's server, encrypted"];
        self.view.side_by_side(titles, &sent, &arrived.message);
        self.view.say("");
        self.view.beginning_of_body(&arrived.message);
        self.is_unreadable(&sent, &arrived);
        self.is_readable_with(&keys, &sent, &arrived);
        Ok(())
    }

    /// For everybody without the owner's key.
    fn is_unreadable(&mut self, sent: &Message, arrived: &Arrived) {
        let media_type = field(&arrived.message, "Content-Type").to_ascii_lowercase();
        let is_encrypted = arrived.to == MAILBOX && media_type.starts_with("multipart/encrypted");
        self.check(is_encrypted, &format!("it arrived at {MAILBOX}, and it is encrypted"));
        let shown = field(&arrived.message, "Subject");
        let is_hidden = shown == "[...]" && !arrived.contains(&field(sent, "Subject"));
        self.check(is_hidden, &format!("its subject is hidden: on the way it is {shown}"));
        let text = sent.body();
        let text = String::from_utf8_lossy(&text);
        self.check(
            !text.lines().any(|line| arrived.contains(line)),
            &format!("no line of its text occurs in its {} bytes", arrived.message.raw().len()),
        );
    }

    fn is_readable_with(&mut self, keys: &Keys, sent: &Message, arrived: &Arrived) {
        match keys.open(&arrived.message) {
            Ok(inner) => {
                self.view.say("Decrypted with the owner's key:");
                self.view.body(&inner);
                let is_the_same = inner.body() == sent.body();
                self.check(is_the_same, "decrypted, its body is the same, byte for byte");
                self.check(field(&inner, "Subject") == field(sent, "Subject"), "and so is its subject");
            }
            Err(error) => self.check(false, &format!("the owner's key opens it ({error:#})")),
        }
    }

    async fn stranger_is_refused(&mut self) -> Result<(), StageError> {
        self.view.heading(4, "Mail that is not for us is refused while its sender waits");
        for (to, code) in [("nobody@example.com", "5.1.1"), ("someone@example.org", "5.7.1")] {
            let sent = stage::compose(("Jane Doe", CONTACT), to, "Hello?", "Is anybody there?\n")?;
            let outcome = self.stage.hand_over(CONTACT, to, &sent).await?;
            self.view.say(&format!("To {to}:"));
            self.refused(&outcome, code);
        }
        Ok(())
    }

    fn accepted(&mut self, outcome: &Outcome) -> bool {
        let accepted = matches!(outcome, Outcome::Delivered(_));
        match outcome {
            Outcome::Delivered(by) => self.view.quote(&by.reply),
            Outcome::Rejected(failure) | Outcome::Deferred(failure) | Outcome::Uncertain(failure) => {
                self.view.quote(&failure.text);
            }
        }
        self.check(accepted, "aliasd took it: the sender was told so after the next hop had it");
        accepted
    }

    fn refused(&mut self, outcome: &Outcome, enhanced: &str) {
        let Outcome::Rejected(failure) = outcome else {
            self.check(false, "the sender saw a 5xx");
            return;
        };
        let (class, subject, detail) = failure.enhanced;
        let code = format!("{class}.{subject}.{detail}");
        self.view.quote(&format!("{} {code} {}", failure.code, failure.text));
        let expected = code == enhanced;
        self.check(expected, &format!("the sender saw {} {enhanced} and a reason", failure.code));
    }
}

fn first_from(message: &Message) -> Option<Address> {
    let (_, field) = message.named("From").next()?;
    address_list::parse(message.value(field)).mailboxes().next().map(|named| named.address.clone())
}

/// The value of the first field with this name; empty when there is none.
fn field(message: &Message, name: &str) -> String {
    let value = message.named(name).next().map(|(_, field)| message.value(field));
    String::from_utf8_lossy(value.unwrap_or_default()).trim().to_owned()
}

async fn stay(view: View, stage: &mut Stage) {
    view.heading(5, "Staying up: try it");
    view.say("Mail for the alias is encrypted now (\"key list\" and \"key remove\" change that).");
    view.say("Send to the alias, and watch here what arrives:");
    view.quote(&format!("swaks --server {} --from {CONTACT} --to {ALIAS}", stage.relay()));
    view.say("Manage aliases, from the folder where you started this:");
    view.quote(&format!("target/release/aliasd --config {} alias list", stage.config_file().display()));
    if let Some(address) = stage.http() {
        view.say("See what it counts:");
        view.quote(&format!("curl http://{address}/metrics"));
    }
    view.say("Ctrl-C ends it and removes everything.");
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => return,
            arrived = stage.next_arrival() => match arrived {
                Some(arrived) => show_arrival(view, &arrived),
                None => return,
            },
        }
    }
}

fn show_arrival(view: View, arrived: &Arrived) {
    view.heading(0, &format!("Arrived at {}, from {}", arrived.to, arrived.from));
    for line in String::from_utf8_lossy(arrived.message.raw()).lines() {
        view.quote(line);
    }
}
