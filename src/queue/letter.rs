//! What the row of a delivery holds of a letter, sealed: the envelope, the head as it goes out, and whom to tell.
//!
//! ```text
//! length of the JSON (4, big endian) · JSON · head · head as the sender sent it
//! ```
//!
//! JSON, because a row may be read by a later version than the one that wrote it: what is missing has a default, what is
//! unknown is passed over. The body is kept once for all deliveries of a transaction, and not here.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::mail::Address;
use crate::relay::alias::{AccountId, AliasId};
use crate::relay::keys::QueueKeys;
use crate::relay::openpgp::{LookedUp, Privacy, Reader};
use crate::relay::ports::{Content, Counted, Delivery, ReportRequest, Surroundings};
use crate::relay::report::Direction;
use crate::relay::transaction::TransactionId;
use crate::smtp::ReversePath;
use crate::smtp::dsn::{EnvelopeId, MessageRequest, Notify, OriginalRecipient, RecipientRequest, Ret};

use super::seal::{self, Opening, Purpose};

/// A delivery without its body, and what it is about.
#[derive(Debug, Clone)]
pub struct Letter {
    /// For the log.
    pub id: String,
    /// Our return path.
    pub from: ReversePath,
    /// The mailbox or the contact; of a report, the sender who gets it.
    pub to: Address,
    /// The head, with the empty line that ends it.
    pub head: Bytes,
    /// As in [`Content::eight_bit`].
    pub eight_bit: bool,
    /// As in [`Content::smtputf8`].
    pub smtputf8: bool,
    /// What the next hop is asked about reports.
    pub dsn: Option<Box<ReportRequest>>,
    /// Whether it is to be encrypted before it is sent.
    pub privacy: Privacy,
    /// Whose message it is; none of our own reports.
    pub about: Option<About>,
}

/// Whose message a delivery carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// The recipient as the sender wrote it.
    pub named: Address,
    /// Which way it goes.
    pub direction: Direction,
    /// The alias that it belongs to; absent for role addresses.
    pub alias: Option<(AliasId, Address)>,
    /// Whose that alias is; absent also in rows of before there was encryption.
    pub account: Option<AccountId>,
    /// Its body is not the one that its author wrote.
    pub scrubbed: bool,
    /// What counts when it has arrived.
    pub counted: Option<Counted>,
    /// Whom to tell; absent when nobody may be told.
    pub teller: Option<Teller>,
}

/// Who is told what becomes of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Teller {
    /// A return path that is proven to be the sender's.
    pub to: Address,
    /// What was asked for the message.
    pub message: MessageRequest,
    /// What was asked for this recipient.
    pub recipient: RecipientRequest,
    /// The head as the sender sent it.
    pub head: Bytes,
}

/// Why a row's letter cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It does not open.
    #[error("{0}")]
    Damaged(#[from] seal::Damage),
    /// It opens and is something else.
    #[error("it opens, and what is in it cannot be understood: {0} is wrong")]
    Strange(&'static str),
}

impl Letter {
    /// The letter of a delivery.
    #[must_use]
    pub fn of(delivery: &Delivery, about: Option<About>) -> Self {
        let Delivery { id, from, to, content, dsn, privacy } = delivery.clone();
        let Content { head, body: _, eight_bit, smtputf8 } = content;
        Self { id, from, to, head, eight_bit, smtputf8, dsn, privacy, about }
    }

    /// Whether there is somebody to be told what becomes of it.
    #[must_use]
    pub fn has_teller(&self) -> bool {
        self.about.as_ref().is_some_and(|about| about.teller.is_some())
    }

    /// The delivery again.
    #[must_use]
    pub fn delivery(&self, body: Bytes) -> Delivery {
        let Self { id, from, to, head, eight_bit, smtputf8, dsn, privacy, about: _ } = self.clone();
        Delivery { id, from, to, content: Content { head, body, eight_bit, smtputf8 }, dsn, privacy }
    }

    /// As the row of a delivery of this transaction keeps it.
    #[must_use]
    pub fn seal(
        &self,
        keys: &QueueKeys,
        surroundings: &impl Surroundings,
        transaction: TransactionId,
    ) -> Vec<u8> {
        seal::seal(keys, surroundings, Purpose::Envelope, transaction, &self.to_bytes())
    }

    /// From what [`Self::seal`] made.
    ///
    /// # Errors
    /// When it is damaged, or sealed under a key that is not here.
    pub fn open(keys: &QueueKeys, transaction: TransactionId, sealed: Vec<u8>) -> Result<Self, Unreadable> {
        match seal::open(keys, Purpose::Envelope, transaction, sealed) {
            Opening::Opened(content) => Self::from_bytes(&content),
            Opening::Damaged(damage) => Err(damage.into()),
        }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let record = serde_json::to_vec(&Record::of(self))
            .unwrap_or_else(|_| unreachable!("text, numbers and truth values can be written as JSON"));
        let length = u32::try_from(record.len())
            .unwrap_or_else(|_| unreachable!("a few addresses are shorter than 4 GiB"))
            .to_be_bytes();
        let original =
            self.about.as_ref().and_then(|about| about.teller.as_ref()).map(|teller| &*teller.head);
        [&length[..], &record, &self.head, original.unwrap_or_default()].concat()
    }

    fn from_bytes(content: &Bytes) -> Result<Self, Unreadable> {
        let cut = Unreadable::Strange("its length");
        let (length, _) = content.split_first_chunk::<4>().ok_or(cut)?;
        let end = (u32::from_be_bytes(*length) as usize).saturating_add(4);
        let record = content.get(4..end).ok_or(cut)?;
        let record: Record =
            serde_json::from_slice(record).map_err(|_| Unreadable::Strange("its description"))?;
        let heads = content.slice(end..);
        if record.head > heads.len() {
            return Err(cut);
        }
        record.letter(&heads)
    }
}

/// The JSON. Addresses are text; what was asked about reports is in the form of SMTP commands.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    id: String,
    /// Empty is `<>`.
    from: String,
    to: String,
    /// Octets of the head.
    head: usize,
    #[serde(default)]
    eight_bit: bool,
    #[serde(default)]
    smtputf8: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asked_next_hop: Option<Asked>,
    /// Absent in rows of before there was encryption.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    privacy: Option<PrivacyRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    about: Option<AboutRecord>,
}

#[derive(Debug, Serialize, Deserialize)]
struct PrivacyRecord {
    account: i64,
    contact: bool,
    known: LookedUp,
}

impl PrivacyRecord {
    fn of(privacy: Privacy) -> Option<Self> {
        let Privacy::Asked { account, reader, known } = privacy else { return None };
        Some(Self { account: account.0, contact: reader == Reader::Contact, known })
    }

    fn privacy(self) -> Privacy {
        let reader = if self.contact { Reader::Contact } else { Reader::Mailbox };
        Privacy::Asked { account: AccountId(self.account), reader, known: self.known }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct AboutRecord {
    named: String,
    reply: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alias: Option<AliasRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<i64>,
    #[serde(default)]
    scrubbed: bool,
    #[serde(default)]
    counted: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    teller: Option<TellerRecord>,
}

#[derive(Debug, Serialize, Deserialize)]
struct AliasRecord {
    id: i64,
    address: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct TellerRecord {
    to: String,
    #[serde(default)]
    asked: Asked,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Asked {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ret: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    envid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    notify: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    orcpt: Option<Original>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Original {
    kind: String,
    address: String,
}

impl Record {
    fn of(letter: &Letter) -> Self {
        Self {
            id: letter.id.clone(),
            from: match &letter.from {
                ReversePath::Null => String::new(),
                ReversePath::Address(address) => address.to_string(),
            },
            to: letter.to.to_string(),
            head: letter.head.len(),
            eight_bit: letter.eight_bit,
            smtputf8: letter.smtputf8,
            asked_next_hop: letter.dsn.as_ref().map(|dsn| Asked::of(&dsn.message, &dsn.recipient)),
            privacy: PrivacyRecord::of(letter.privacy),
            about: letter.about.as_ref().map(AboutRecord::of),
        }
    }

    fn letter(self, heads: &Bytes) -> Result<Letter, Unreadable> {
        let asked = self.asked_next_hop.map(|asked| asked.wishes()).transpose()?;
        Ok(Letter {
            id: self.id,
            from: match self.from.as_str() {
                "" => ReversePath::Null,
                address => ReversePath::Address(parse(address)?),
            },
            to: parse(&self.to)?,
            head: heads.slice(..self.head),
            eight_bit: self.eight_bit,
            smtputf8: self.smtputf8,
            dsn: asked.map(|(message, recipient)| Box::new(ReportRequest { message, recipient })),
            privacy: self.privacy.map(PrivacyRecord::privacy).unwrap_or_default(),
            about: self.about.map(|about| about.about(heads.slice(self.head..))).transpose()?,
        })
    }
}

impl AboutRecord {
    fn of(about: &About) -> Self {
        Self {
            named: about.named.to_string(),
            reply: about.direction == Direction::Reply,
            alias: about
                .alias
                .as_ref()
                .map(|(id, address)| AliasRecord { id: id.0, address: address.to_string() }),
            account: about.account.map(|account| account.0),
            scrubbed: about.scrubbed,
            counted: about.counted.is_some(),
            teller: about.teller.as_ref().map(|teller| TellerRecord {
                to: teller.to.to_string(),
                asked: Asked::of(&teller.message, &teller.recipient),
            }),
        }
    }

    fn about(self, head: Bytes) -> Result<About, Unreadable> {
        let direction = if self.reply { Direction::Reply } else { Direction::Forward };
        let counts_as = if self.reply { Counted::Replied } else { Counted::Forwarded };
        let alias = |record: AliasRecord| parse(&record.address).map(|address| (AliasId(record.id), address));
        let teller = |TellerRecord { to, asked }: TellerRecord| -> Result<_, Unreadable> {
            let (message, recipient) = asked.wishes()?;
            Ok(Teller { to: parse(&to)?, message, recipient, head })
        };
        Ok(About {
            named: parse(&self.named)?,
            direction,
            alias: self.alias.map(alias).transpose()?,
            account: self.account.map(AccountId),
            scrubbed: self.scrubbed,
            counted: self.counted.then_some(counts_as),
            teller: self.teller.map(teller).transpose()?,
        })
    }
}

impl Asked {
    fn of(message: &MessageRequest, recipient: &RecipientRequest) -> Self {
        Self {
            ret: message.ret.map(|ret| ret.to_string()),
            envid: message.envid.as_ref().map(EnvelopeId::to_xtext),
            notify: recipient.notify.map(|notify| notify.to_string()),
            orcpt: recipient.orcpt.as_ref().map(|original| Original {
                kind: original.kind().to_owned(),
                address: original.address().to_owned(),
            }),
        }
    }

    fn wishes(&self) -> Result<(MessageRequest, RecipientRequest), Unreadable> {
        let message = MessageRequest {
            ret: wish(self.ret.as_ref(), Ret::parse)?,
            envid: wish(self.envid.as_ref(), EnvelopeId::parse)?,
        };
        let recipient = RecipientRequest {
            notify: wish(self.notify.as_ref(), Notify::parse)?,
            orcpt: self.orcpt.as_ref().map(Original::read).transpose()?,
        };
        Ok((message, recipient))
    }
}

impl Original {
    fn read(&self) -> Result<OriginalRecipient, Unreadable> {
        let read = OriginalRecipient::from_parts(&self.kind, &self.address);
        read.ok_or(Unreadable::Strange("an original recipient"))
    }
}

fn wish<T>(text: Option<&String>, parse: fn(&[u8]) -> Option<T>) -> Result<Option<T>, Unreadable> {
    let parsed = text.map(|text| parse(text.as_bytes()).ok_or(Unreadable::Strange("a wish for reports")));
    parsed.transpose()
}

fn parse(address: &str) -> Result<Address, Unreadable> {
    Address::parse(address).map_err(|_| Unreadable::Strange("an address"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::Timestamp;
    use crate::relay::keys::Keys;
    use proptest::prelude::*;

    #[derive(Debug)]
    struct Still;

    impl Surroundings for Still {
        fn now(&self) -> Timestamp {
            Timestamp::EPOCH
        }

        fn random(&self, into: &mut [u8]) {
            into.fill(7);
        }
    }

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    fn wishes() -> (MessageRequest, RecipientRequest) {
        let message = MessageRequest { ret: Some(Ret::Headers), envid: EnvelopeId::parse(b"QQ+2B1") };
        let orcpt = OriginalRecipient::parse(b"utf-8;j\\x{FC}@example.com");
        assert!(message.envid.is_some() && orcpt.is_some());
        (message, RecipientRequest { notify: Notify::parse(b"DELAY,FAILURE"), orcpt })
    }

    fn letter() -> Letter {
        let (message, recipient) = wishes();
        let teller = Teller {
            to: address("jane@example.org"),
            message: message.clone(),
            recipient: recipient.clone(),
            head: Bytes::from_static(b"Subject: as it came\r\n\r\n"),
        };
        Letter {
            id: "01.1".to_owned(),
            from: ReversePath::Address(address("rp-x@example.com")),
            to: address("\"m e\"@example.net"),
            head: Bytes::from_static(b"Subject: \xff\r\n\r\n"),
            eight_bit: true,
            smtputf8: false,
            dsn: Some(Box::new(ReportRequest { message, recipient })),
            privacy: Privacy::Asked { account: AccountId(3), reader: Reader::Contact, known: LookedUp::Some },
            about: Some(About {
                named: address("shop+a@example.com"),
                direction: Direction::Forward,
                alias: Some((AliasId(11), address("shop@example.com"))),
                account: Some(AccountId(3)),
                scrubbed: true,
                counted: Some(Counted::Forwarded),
                teller: Some(teller),
            }),
        }
    }

    /// Everything of it, in words.
    fn shown(letter: &Letter) -> String {
        format!("{letter:?}")
    }

    #[test]
    fn a_letter_survives_its_row() {
        let nobody = Letter { from: ReversePath::Null, dsn: None, about: None, ..letter() };
        let untold = About { teller: None, counted: None, ..letter().about.unwrap() };
        let role =
            Letter { about: Some(About { alias: None, direction: Direction::Reply, ..untold }), ..letter() };
        let (keys, id) = (Keys::derive(&[7; 32]).queue, TransactionId::from_bytes([1; 16]));
        for one in [letter(), nobody, role] {
            let sealed = one.seal(&keys, &Still, id);
            assert_eq!(shown(&Letter::open(&keys, id, sealed.clone()).unwrap()), shown(&one));
            let other = TransactionId::from_bytes([2; 16]);
            assert!(matches!(Letter::open(&keys, other, sealed), Err(Unreadable::Damaged(_))));
        }
    }

    #[test]
    fn an_original_recipient_that_grows_by_its_escapes_survives() {
        let orcpt =
            OriginalRecipient::parse(format!("utf-8;{}@example.org", "\u{fc}".repeat(100)).as_bytes());
        assert!(orcpt.as_ref().is_some_and(|original| original.to_string().len() > 500));
        let mut long = letter();
        long.about.as_mut().unwrap().teller.as_mut().unwrap().recipient.orcpt = orcpt;
        let again = Letter::from_bytes(&Bytes::from(long.to_bytes())).unwrap();
        assert_eq!(shown(&again), shown(&long));
    }

    #[test]
    fn what_a_later_version_adds_is_passed_over() {
        let whole = letter().to_bytes();
        let (length, rest) = whole.split_first_chunk::<4>().unwrap();
        let (record, heads) = rest.split_at(u32::from_be_bytes(*length) as usize);
        let record = String::from_utf8_lossy(record).replace(":{\"", ":{\"new\":[1],\"");
        let record = record.replacen('{', "{\"new\":[1],", 1);
        assert!(record.matches("new").count() >= 5, "{record}");
        let length = u32::try_from(record.len()).unwrap().to_be_bytes();
        let later = Bytes::from([&length[..], record.as_bytes(), heads].concat());
        assert_eq!(shown(&Letter::from_bytes(&later).unwrap()), shown(&letter()));
    }

    #[test]
    fn a_cut_or_strange_one_is_told() {
        let whole = Bytes::from(letter().to_bytes());
        for length in [0, 3, 4, 50, whole.len() - 30] {
            assert!(Letter::from_bytes(&whole.slice(..length)).is_err(), "{length}");
        }
        let text = String::from_utf8_lossy(&whole).replace("jane@example.org", "jane example.org");
        assert!(Letter::from_bytes(&Bytes::from(text.into_bytes())).is_err());
    }

    proptest! {
        #[test]
        fn hostile_octets_are_told(mut octets in proptest::collection::vec(any::<u8>(), 0..200), small in any::<bool>()) {
            if let (true, Some(length)) = (small, octets.first_chunk_mut::<3>()) {
                *length = [0; 3];
            }
            prop_assert!(Letter::from_bytes(&octets.into()).is_err());
        }
    }
}
