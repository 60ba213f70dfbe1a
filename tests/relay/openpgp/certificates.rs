//! Certificates that Sequoia makes on the spot: good ones, and those that nobody can encrypt to.

use std::time::{Duration, SystemTime};

use data_encoding::HEXLOWER;
use sequoia_openpgp::cert::{Cert, CertBuilder};
use sequoia_openpgp::serialize::SerializeInto;

use crate::support::daemon::Installation;
use crate::support::database;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The public part of a key, and how it is called.
#[derive(Clone)]
pub struct Made {
    pub data: Vec<u8>,
    pub fingerprint: String,
}

impl Made {
    fn of(cert: &Cert) -> Self {
        let data = cert.to_vec().expect("a certificate in memory");
        Self { data, fingerprint: cert.fingerprint().to_hex() }
    }

    /// Puts it in the place of what was imported, behind the back of all checks. The daemon must not be running.
    pub fn put_into(&self, aliasd: &Installation) {
        let Self { data, fingerprint } = self;
        let data = HEXLOWER.encode(data);
        let statement = format!("UPDATE openpgp_certs SET data = X'{data}', fingerprint = '{fingerprint}'");
        database::alter(&aliasd.database_url(), statement);
    }
}

/// Good for a year.
pub fn usable() -> Made {
    expiring(SystemTime::now() + 365 * DAY)
}

/// Good until then.
pub fn expiring(at: SystemTime) -> Made {
    let made = SystemTime::now() - 30 * DAY;
    let validity = at.duration_since(made).expect("a time after it was made");
    let builder = builder().set_creation_time(made).set_validity_period(validity);
    Made::of(&builder.generate().expect("a key").0)
}

/// Good for a contact.
pub fn usable_for_jane() -> Made {
    let builder = CertBuilder::general_purpose(Some("Jane Doe <jane@example.org>"));
    Made::of(&builder.generate().expect("a key").0)
}

/// The same certificate twice.
pub fn before_and_after_revocation() -> [Made; 2] {
    let (cert, revocation) = builder().generate().expect("a key");
    let (revoked, _) = cert.clone().insert_packets(vec![revocation]).expect("its own revocation");
    [Made::of(&cert), Made::of(&revoked)]
}

fn builder() -> CertBuilder<'static> {
    CertBuilder::general_purpose(Some("Owner <inbox-7f3k@example.net>"))
}

/// Why nobody can encrypt to it.
#[derive(Debug, Clone, Copy)]
pub enum Unfit {
    Expired,
    Revoked,
    OnlySigns,
    Garbage,
}

impl Unfit {
    pub const ALL: [Self; 4] = [Self::Expired, Self::Revoked, Self::OnlySigns, Self::Garbage];

    pub fn make(self) -> Made {
        match self {
            Self::Expired => expiring(SystemTime::now() - DAY),
            Self::Revoked => before_and_after_revocation()[1].clone(),
            Self::OnlySigns => {
                let builder = CertBuilder::new().add_userid("Owner <inbox-7f3k@example.net>");
                Made::of(&builder.add_signing_subkey().generate().expect("a key").0)
            }
            Self::Garbage => {
                let Made { mut data, fingerprint } = usable();
                data.iter_mut().for_each(|octet| *octet = octet.wrapping_mul(7) ^ 0x55);
                Made { data, fingerprint }
            }
        }
    }

    /// What people are told.
    pub fn words(self) -> &'static str {
        match self {
            Self::Expired => "expired at",
            Self::Revoked => "revoked",
            Self::OnlySigns => "no key for encryption",
            Self::Garbage => "",
        }
    }
}
