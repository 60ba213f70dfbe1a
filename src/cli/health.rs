//! Asks the relay of this configuration whether it answers: a container's health check.
//!
//! It asks on the port that mail comes in by, so it holds whatever `api.listen` is. It does not ask `/readyz`: a container
//! that is not healthy may be ended and started again, which does not bring a database back and loses the sessions.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use super::failure::Failure;

const TIMEOUT: Duration = Duration::from_secs(5);
/// Longest line of a reply (RFC 5321, section 4.5.3.1.5).
const MAX_LINE: u64 = 512;

/// Connects to the first of these addresses and reads the banner.
///
/// # Errors
/// When there is no banner within five seconds, or it does not welcome us.
pub fn run(listen: &[SocketAddr]) -> Result<(), Failure> {
    let Some(address) = listen.first().copied().map(reachable) else {
        return Err(Failure::Refused("smtp.listen names no address".to_owned()));
    };
    let banner = banner(address).map_err(|e| Failure::Refused(format!("{address} does not answer: {e}")))?;
    if banner.starts_with("220") {
        return Ok(());
    }
    Err(Failure::Refused(format!("{address} answers {:?}, expected 220", banner.trim_end())))
}

fn banner(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let mut line = Vec::new();
    BufReader::new((&stream).take(MAX_LINE)).read_until(b'\n', &mut line)?;
    // The answer is known; a relay that is gone before QUIT was there.
    let _ = stream.write_all(b"QUIT\r\n");
    Ok(String::from_utf8_lossy(&line).into_owned())
}

/// Where one connects to reach a socket that listens everywhere.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// What `run` says of a server that sends this.
    fn asked(banner: &'static [u8]) -> Result<(), Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), listener.local_addr().unwrap().port());
        let server = std::thread::spawn(move || listener.accept().unwrap().0.write_all(banner).unwrap());
        let answer = run(&[address]);
        server.join().unwrap();
        answer
    }

    #[test]
    fn only_a_welcome_is_healthy() {
        asked(b"220 mx.example.com ESMTP\r\n").unwrap();
        for banner in
            [&b"421 too many connections\r\n"[..], b"", b"HTTP/1.1 400 Bad Request\r\n", &[b'x'; 2000]]
        {
            assert_eq!(asked(banner).unwrap_err().code(), 1);
        }
    }

    #[test]
    fn nobody_there_is_not_healthy() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(run(&[free]).unwrap_err().code(), 1);
        assert_eq!(run(&[]).unwrap_err().code(), 1);
    }
}
