//! Telling owners about their certificates: that mail for a mailbox cannot be encrypted, and that a certificate expires.
//!
//! Notices go through the queue like our reports. Of several nodes, and however often something goes wrong, one tells, once
//! a day: the port notes it before anything is sent. A notice that cannot be committed is lost; the log has it.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;

use crate::mail::{Address, Timestamp};
use crate::relay::alias::{AccountId, Mailbox};
use crate::relay::notice::{Desk, Notice};
use crate::relay::openpgp::{Privacy, Reader, Unusable};
use crate::relay::ports::{Directory as _, Expiring, KeyWatch as _, OpenPgp as _, Unavailable, Warned};

use super::letter::Letter;
use super::station::{Ports, Station};
use crate::smtp::ReversePath;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// A mailbox whose trouble was told is not asked about for so long.
const QUIET: Duration = Duration::from_secs(10 * 60);
/// Mailboxes that are remembered so; with more, all are asked about again.
const REMEMBERED: usize = 10_000;
/// Certificates that are told of in one round.
const ROUND: u32 = 500;
/// When an owner is told that a certificate expires, the nearest first.
const STAGES: [(Warned, Duration); 3] = [
    (Warned::Expired, Duration::ZERO),
    (Warned::WeekAhead, DAY.saturating_mul(7)),
    (Warned::MonthAhead, DAY.saturating_mul(30)),
];

/// The mailboxes whose trouble was told or looked up lately, so that a flood of mail for one of them costs nothing.
#[derive(Debug, Default)]
pub(super) struct Told(Mutex<HashMap<(AccountId, Address), Timestamp>>);

impl Told {
    /// Whether this is the first time within [`QUIET`].
    fn is_news(&self, account: AccountId, mailbox: &Address, now: Timestamp) -> bool {
        let mut told = self.0.lock();
        if told.len() >= REMEMBERED {
            told.clear();
        }
        let key = (account, mailbox.clone());
        let is_news = told.get(&key).is_none_or(|last| last.later_by(QUIET) <= now);
        if is_news {
            told.insert(key, now);
        }
        is_news
    }
}

impl<P: Ports> Station<P> {
    /// Tells the owner that mail for a mailbox cannot be encrypted. The author of a reply is told in its refusal.
    pub(super) async fn alarm(&self, privacy: Privacy, to: &Address, why: &Unusable) {
        let Privacy::Asked { account, reader: Reader::Mailbox, .. } = privacy else { return };
        let now = self.now();
        if !self.told.is_news(account, to, now) {
            return;
        }
        if let Err(error) = self.tell_of_failure(account, to, why, now).await {
            tracing::error!(%error, "the owner of a mailbox is not told that its mail cannot be encrypted");
        }
    }

    async fn tell_of_failure(
        &self,
        account: AccountId,
        mailbox: &Address,
        why: &Unusable,
        now: Timestamp,
    ) -> Result<(), Unavailable> {
        if !self.keywatch.note_alarm(account, mailbox, now, now.earlier_by(DAY)).await? {
            return Ok(());
        }
        let Some((to, privacy)) = self.reachable(account, mailbox).await? else {
            tracing::error!(
                "mail for a mailbox cannot be encrypted, and its account has no mailbox to tell that"
            );
            return Ok(());
        };
        self.tell(&Notice::NotEncrypted { mailbox, why }, to, privacy).await
    }

    /// A mailbox of the owner that can be written to as it wants to be: the troubled one itself only when there is no other,
    /// and then in clear.
    async fn reachable(
        &self,
        account: AccountId,
        troubled: &Address,
    ) -> Result<Option<(Address, Privacy)>, Unavailable> {
        let mailboxes = self.keywatch.mailboxes_to_tell(account).await?;
        for Mailbox { address, encrypts, .. } in &mailboxes {
            let certificates = self.directory.certificates(account, address).await?;
            if !encrypts || self.openpgp.check(&certificates, self.now()).is_ok() {
                return Ok(Some((address.clone(), Privacy::unasked(account, Reader::Mailbox))));
            }
        }
        let itself = mailboxes.into_iter().find(|mailbox| mailbox.address == *troubled);
        Ok(itself.map(|mailbox| (mailbox.address, Privacy::Open)))
    }

    /// Tells the owners of certificates that expire, as far as they have not been told. One who cannot be told does not keep
    /// the others from it.
    pub(super) async fn tell_of_expiry(&self) -> Result<(), Unavailable> {
        for (stage, ahead) in STAGES {
            let until = self.now().later_by(ahead);
            for expiring in self.keywatch.expiring(until, stage, ROUND).await? {
                if let Err(error) = self.tell_once(&expiring, stage).await {
                    let id = expiring.id;
                    tracing::error!(%error, %id, "the owner of a certificate is not told that it expires");
                }
            }
        }
        Ok(())
    }

    async fn tell_once(&self, expiring: &Expiring, stage: Warned) -> Result<(), Unavailable> {
        if self.keywatch.note_warned(expiring, stage).await? {
            self.tell_of_one(expiring, stage).await?;
        }
        Ok(())
    }

    async fn tell_of_one(&self, expiring: &Expiring, stage: Warned) -> Result<(), Unavailable> {
        let Expiring { account, address, fingerprint, expires_at, .. } = expiring;
        let notice = Notice::Expiring { mailbox: address, fingerprint, at: *expires_at, stage };
        match self.reachable(*account, address).await? {
            Some((to, privacy)) => self.tell(&notice, to, privacy).await,
            None => {
                tracing::warn!("a certificate expires, and its account has no mailbox to tell that");
                Ok(())
            }
        }
    }

    async fn tell(&self, notice: &Notice<'_>, to: Address, privacy: Privacy) -> Result<(), Unavailable> {
        let now = self.now();
        let transaction = self.new_transaction(now);
        let desk = Desk { hostname: &self.policy.hostname, now, id: &transaction.to_string() };
        let content = notice.compose(&desk, &to);
        let letter = Letter {
            id: format!("{transaction}.notice"),
            from: ReversePath::Null,
            to,
            head: content.head,
            eight_bit: content.eight_bit,
            smtputf8: content.smtputf8,
            dsn: None,
            privacy,
            about: None,
        };
        let expires_at = self.policy.schedule.of_reports().expires_at(now);
        let queued = self.own_letter(transaction, now, &letter, &content.body, expires_at);
        self.enqueue(vec![queued]).await.map(|_| ())
    }
}
