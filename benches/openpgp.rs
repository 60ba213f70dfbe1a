//! What encrypting costs, beside GnuPG run as a process for each message (when `gpg` is there):
//!
//!     cargo bench --bench openpgp
//!
//! Prints for each kind of key messages of 10 KB a second and MB/s of one of 20 MB, on one thread; how often a
//! certificate is read and judged a second; and how much memory encrypting 20 MB takes at its peak, beside the
//! message itself.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use aliasd::mail::Timestamp;
use aliasd::pgp::Engine;
use aliasd::relay::openpgp::{Certificate, Inspected, Origin};
use aliasd::relay::ports::{Content, OpenPgp};
use bytes::Bytes;
use sequoia_openpgp::Profile;
use sequoia_openpgp::cert::{CertBuilder, CipherSuite};
use sequoia_openpgp::serialize::SerializeInto;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const MEASURED: Duration = Duration::from_secs(3);
const SMALL: usize = 10 * 1024;
const LARGE: usize = 20_000_000;

fn main() -> Result<(), Failure> {
    let home = tempfile::Builder::new().prefix("gnupg").tempdir()?;
    std::fs::set_permissions(home.path(), PermissionsExt::from_mode(0o700))?;
    measure_memory()?;
    for (name, suite, profile) in [
        ("Curve25519, version 4", CipherSuite::Cv25519, Profile::RFC4880),
        ("Curve25519, version 6", CipherSuite::Cv25519, Profile::RFC9580),
        ("RSA-2048", CipherSuite::RSA2k, Profile::RFC4880),
        ("RSA-4096", CipherSuite::RSA4k, Profile::RFC4880),
    ] {
        let builder = CertBuilder::general_purpose(Some("Jane Doe <jane@example.net>"));
        let (cert, _) = builder.set_cipher_suite(suite).set_profile(profile)?.generate()?;
        println!("{name}");
        measure(&cert.to_vec()?)?;
        if profile == Profile::RFC4880 {
            measure_gnupg(home.path(), &cert.to_vec()?, &cert.fingerprint().to_hex())?;
        }
    }
    Ok(())
}

fn measure(file: &[u8]) -> Result<(), Failure> {
    let engine = Engine::new(true);
    let inspected = engine.inspect(file, now()?)?;
    let certificates: Vec<Certificate> = inspected.iter().map(stored).collect();
    let (small, large) = (content(SMALL), content(LARGE));
    let now = now()?;
    let reads = rate(|| engine.inspect(file, now).map(drop))?;
    let messages = rate(|| engine.encrypt(&small, &certificates, now).map(drop))?;
    let large_ones = rate(|| engine.encrypt(&large, &certificates, now).map(drop))?;
    println!(
        "  aliasd: {messages:7.0} messages/s of 10 KB, {:5.0} MB/s, {reads:6.0} certificates/s",
        megabytes(large_ones)
    );
    Ok(())
}

/// Before anything else: memory that was given back to the allocator once is not asked for again.
fn measure_memory() -> Result<(), Failure> {
    let (cert, _) = CertBuilder::general_purpose(Some("Jane Doe <jane@example.net>")).generate()?;
    let engine = Engine::new(true);
    let now = now()?;
    let certificates: Vec<Certificate> = engine.inspect(&cert.to_vec()?, now)?.iter().map(stored).collect();
    let large = content(LARGE);
    if let Some(peak) = peak(|| engine.encrypt(&large, &certificates, now).map(drop))? {
        println!("memory for 20 MB: {:.2} times the message at the peak", peak / LARGE as f64);
    }
    Ok(())
}

fn measure_gnupg(home: &Path, file: &[u8], fingerprint: &str) -> Result<(), Failure> {
    let import = gpg(home, &["--import"], file);
    if import.is_err() {
        println!("  gpg is not there or fails: not measured");
        return Ok(());
    }
    let arguments = ["--encrypt", "--armor", "--compress-algo", "none", "--recipient", fingerprint];
    let (small, large) = (content(SMALL), content(LARGE));
    let messages = rate(|| gpg(home, &arguments, &small.body))?;
    let large_ones = rate(|| gpg(home, &arguments, &large.body))?;
    println!("  gpg:    {messages:7.0} messages/s of 10 KB, {:5.0} MB/s", megabytes(large_ones));
    Ok(())
}

fn gpg(home: &Path, arguments: &[&str], input: &[u8]) -> Result<(), Failure> {
    let mut command = Command::new("gpg");
    command.arg("--homedir").arg(home).args(["--batch", "--yes", "--quiet", "--trust-model", "always"]);
    command.args(arguments).args(["--output", "/dev/null"]).stdin(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input)?;
    }
    if child.wait()?.success() { Ok(()) } else { Err("gpg failed".into()) }
}

/// How often a second.
fn rate<E>(work: impl Fn() -> Result<(), E>) -> Result<f64, Failure>
where
    Failure: From<E>,
{
    let (begun, mut done) = (Instant::now(), 0.0);
    while begun.elapsed() < MEASURED {
        work()?;
        done += 1.0;
    }
    Ok(done / begun.elapsed().as_secs_f64())
}

/// Octets that the process took more than before, at most; none where the system does not tell.
fn peak<E>(work: impl Fn() -> Result<(), E>) -> Result<Option<f64>, Failure>
where
    Failure: From<E>,
{
    // Sets the high-water mark back to what is used now.
    if std::fs::write("/proc/self/clear_refs", "5").is_err() {
        return Ok(None);
    }
    let before = status("VmRSS:");
    work()?;
    Ok(status("VmHWM:").zip(before).map(|(after, before)| after - before))
}

fn status(name: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024.0)
}

fn megabytes(large_ones: f64) -> f64 {
    large_ones * LARGE as f64 / 1e6
}

fn stored(inspected: &Inspected) -> Certificate {
    Certificate {
        fingerprint: inspected.fingerprint.clone(),
        data: inspected.data.as_slice().into(),
        origin: Origin::Imported,
    }
}

fn content(length: usize) -> Content {
    const HEAD: &[u8] = b"From: jane@example.org\r\nTo: shop@example.com\r\nSubject: Plans\r\n\
        MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n";
    let line = b"The quick brown fox jumps over the lazy dog, and the dog does not mind at all.\r\n";
    let body: Vec<u8> = line.iter().copied().cycle().take(length).collect();
    Content { head: Bytes::from_static(HEAD), body: body.into(), eight_bit: false, smtputf8: false }
}

fn now() -> Result<Timestamp, Failure> {
    Ok(Timestamp::from_millis(i64::try_from(std::time::UNIX_EPOCH.elapsed()?.as_millis())?))
}
