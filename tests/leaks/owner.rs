//! Owners of the alias, and how their mailboxes can be spelled.

use crate::dice::Dice;

/// A mailbox that must not show.
#[derive(Debug, Clone, Copy)]
pub struct Mailbox {
    pub local: &'static str,
    /// In A-labels.
    pub domain: &'static str,
    /// In letters, when that is different.
    pub written_domain: Option<&'static str>,
}

/// Someone who replies as `shop@example.com`; the alias goes to all of these mailboxes.
#[derive(Debug)]
pub struct Owner {
    pub mailboxes: &'static [Mailbox],
}

const fn plain(local: &'static str, domain: &'static str) -> Mailbox {
    Mailbox { local, domain, written_domain: None }
}

/// Short, telling, with every character that means something somewhere, beyond ASCII, deep in a domain, several of them.
pub const OWNERS: [Owner; 8] = [
    Owner { mailboxes: &[plain("me", "example.net")] },
    Owner { mailboxes: &[plain("zq7.owner", "example.net")] },
    Owner {
        mailboxes: &[Mailbox {
            local: "j\u{fc}rgen",
            domain: "xn--mnchen-3ya.example.net",
            written_domain: Some("m\u{fc}nchen.example.net"),
        }],
    },
    Owner { mailboxes: &[plain("a-b_c+d", "post.de.example.net")] },
    Owner { mailboxes: &[plain("zq7.owner", "home.example.net"), plain("kx9.partner", "work.example.net")] },
    Owner { mailboxes: &[plain("4711", "x1.example.net")] },
    Owner {
        mailboxes: &[
            plain("wxyzowner", "a.very.deep.name.example.net"),
            plain("o'neil", "example.net"),
            plain("q_z=1", "xn--bcher-kva.example.net"),
        ],
    },
    Owner {
        mailboxes: &[Mailbox {
            local: "zq7-owner",
            domain: "xn--bcher-kva.example.net",
            written_domain: Some("b\u{fc}cher.example.net"),
        }],
    },
];

/// Somebody else, for finds that must not be made.
pub const NOBODY: Owner = Owner { mailboxes: &[plain("vbn8.nobody", "elsewhere.example.edu")] };

impl Owner {
    /// Every mailbox, as it is in the directory.
    pub fn addresses(&self) -> impl Iterator<Item = String> {
        self.mailboxes.iter().map(Mailbox::address)
    }
}

impl Mailbox {
    pub fn address(&self) -> String {
        format!("{}@{}", self.local, self.domain)
    }

    /// The address in some case, perhaps with a tag, the domain in labels or letters.
    pub fn spelled(&self, dice: &mut Dice) -> String {
        let tag = if dice.one_in(5) { dice.pick(&["+shop", "+2026", "+a.b-c"]) } else { "" };
        let domain = match self.written_domain {
            Some(written) if dice.one_in(2) => written,
            _ => self.domain,
        };
        cased(&format!("{}{tag}@{domain}", self.local), dice)
    }

    /// The domain, or a name below it.
    pub fn host(&self, dice: &mut Dice) -> String {
        let below = dice.pick(&["", "", "mail.", "smtp-out.", "a.b."]);
        cased(&format!("{below}{}", self.domain), dice)
    }

    /// The local part.
    pub fn word(&self, dice: &mut Dice) -> String {
        cased(self.local, dice)
    }
}

fn cased(text: &str, dice: &mut Dice) -> String {
    match dice.below(5) {
        0 => text.to_uppercase(),
        1 => text.chars().map(|c| if dice.one_in(2) { c.to_ascii_uppercase() } else { c }).collect(),
        _ => text.to_owned(),
    }
}
