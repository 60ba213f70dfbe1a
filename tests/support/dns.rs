//! A name server that knows a few names (RFC 1035), and says of all others that they do not exist.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

const A: u16 = 1;
const MX: u16 = 15;
const NO_SUCH_NAME: u8 = 3;

/// A server on a loopback port. It ends with the test process.
pub struct Dns {
    address: SocketAddr,
}

#[derive(Default)]
struct Zone {
    /// Domain and mail host; the host `""` is the null MX (RFC 7505).
    mail_hosts: Vec<(String, String)>,
    addresses: Vec<(String, [u8; 4])>,
}

impl Dns {
    pub fn serving(mail_hosts: &[(&str, &str)], addresses: &[(&str, [u8; 4])]) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port");
        let address = socket.local_addr().expect("a bound socket");
        let zone = Arc::new(Zone {
            mail_hosts: mail_hosts
                .iter()
                .map(|(name, host)| ((*name).to_owned(), (*host).to_owned()))
                .collect(),
            addresses: addresses.iter().map(|(name, ip)| ((*name).to_owned(), *ip)).collect(),
        });
        std::thread::spawn(move || {
            let mut query = [0; 1500];
            while let Ok((length, client)) = socket.recv_from(&mut query) {
                if let Some(answer) = zone.answer(&query[..length]) {
                    // A client that is gone needs none.
                    let _ = socket.send_to(&answer, client);
                }
            }
        });
        Self { address }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Zone {
    /// The answer to a query with one question; nothing for what is none.
    fn answer(&self, query: &[u8]) -> Option<Vec<u8>> {
        let (name, end) = name_in(query, 12)?;
        let kind = u16::from_be_bytes(query.get(end..end + 2)?.try_into().ok()?);
        let records = self.records(&name, kind);
        let code = if self.knows(&name) { 0 } else { NO_SUCH_NAME };
        let mut answer = query.get(..2)?.to_vec();
        // A response by an authority, with recursion; one question, so many answers.
        answer.extend([0x85, 0x80 | code, 0, 1, 0, u8::try_from(records.len()).ok()?, 0, 0, 0, 0]);
        answer.extend(query.get(12..end + 4)?);
        for data in records {
            // The name of the question, the type, the class IN, a minute to live.
            answer.extend([0xc0, 12]);
            answer.extend(kind.to_be_bytes());
            answer.extend([0, 1, 0, 0, 0, 60]);
            answer.extend(u16::try_from(data.len()).ok()?.to_be_bytes());
            answer.extend(data);
        }
        Some(answer)
    }

    fn knows(&self, name: &str) -> bool {
        let mail_hosts = self.mail_hosts.iter().flat_map(|(domain, host)| [domain, host]);
        mail_hosts.chain(self.addresses.iter().map(|(host, _)| host)).any(|known| known == name)
    }

    fn records(&self, name: &str, kind: u16) -> Vec<Vec<u8>> {
        let of_mail = self.mail_hosts.iter().filter(|(domain, _)| kind == MX && domain == name);
        let of_address = self.addresses.iter().filter(|(host, _)| kind == A && host == name);
        let mail = of_mail.map(|(_, host)| [&[0, u8::from(!host.is_empty())], &*encoded(host)].concat());
        mail.chain(of_address.map(|(_, ip)| ip.to_vec())).collect()
    }
}

/// The name that begins there, in lower case, and where it ends.
fn name_in(query: &[u8], mut at: usize) -> Option<(String, usize)> {
    let mut labels = Vec::new();
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        labels.push(String::from_utf8_lossy(query.get(at..at + length)?).to_lowercase());
        at += length;
    }
}

fn encoded(name: &str) -> Vec<u8> {
    let labels = name.split('.').filter(|label| !label.is_empty());
    let mut octets: Vec<u8> = labels
        .flat_map(|label| std::iter::once(u8::try_from(label.len()).unwrap_or(0)).chain(label.bytes()))
        .collect();
    octets.push(0);
    octets
}
