use crate::mail::*;
use crate::relay::alias::*;
use crate::relay::openpgp::*;
use crate::relay::ports::*;
#[derive(Debug)]
pub struct StubPgp;
impl OpenPgp for StubPgp {
    fn inspect(&self, _: &[u8], _: Timestamp) -> Result<Vec<Inspected>, Unusable> {
        Err(Unusable(String::new()))
    }
    fn check(&self, _: &[Certificate], _: Timestamp) -> Result<(), Unusable> {
        Err(Unusable(String::new()))
    }
    fn encrypt(&self, _: &Content, _: &[Certificate], _: Timestamp) -> Result<Content, Unusable> {
        Err(Unusable(String::new()))
    }
}
impl KeyWatch for StubPgp {
    async fn harvest(
        &self,
        _: AccountId,
        _: &Address,
        _: &Inspected,
        _: bool,
        _: Timestamp,
    ) -> Result<bool, Unavailable> {
        Ok(false)
    }
    async fn keep_found(
        &self,
        _: AccountId,
        _: &Address,
        _: &[Inspected],
        _: Timestamp,
    ) -> Result<(), Unavailable> {
        Ok(())
    }
    async fn expiring(&self, _: Timestamp, _: Warned, _: u32) -> Result<Vec<Expiring>, Unavailable> {
        Ok(vec![])
    }
    async fn note_warned(&self, _: &Expiring, _: Warned) -> Result<bool, Unavailable> {
        Ok(false)
    }
    async fn note_alarm(
        &self,
        _: AccountId,
        _: &Address,
        _: Timestamp,
        _: Timestamp,
    ) -> Result<bool, Unavailable> {
        Ok(false)
    }
    async fn mailboxes_to_tell(&self, _: AccountId) -> Result<Vec<Mailbox>, Unavailable> {
        Ok(vec![])
    }
}

impl KeyDiscovery for StubPgp {
    async fn discover(&self, _: &Address) -> Result<Vec<u8>, DiscoveryFailed> {
        Ok(vec![])
    }
}
