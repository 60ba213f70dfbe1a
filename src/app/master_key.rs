//! The master key: 32 random bytes in a file, made on the first start.
//!
//! All nodes of one database share it. Losing it makes every return path and sealed token that is out there useless, so
//! a file that is there but unreadable is fatal and never replaced.
//!
//! **Replacing it.** Older keys stand one after the other in a file beside it whose name ends in `.old`. They open what
//! was sealed under them (queued mail, return paths that are out there) and seal nothing. On every node, stopped:
//!
//! ```sh
//! umask 077; cat master.key >> master.key.old && head -c 32 /dev/urandom > master.key
//! ```
//!
//! An older key is needed until what it sealed is gone: 30 days for return paths; a queue empties in `delivery.max_age`.
//! Without it, queued mail of its time is set aside as damaged, and tried again by `queue retry` once the key is back.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::relay::keys::MASTER_KEY_LENGTH;

/// So many older keys are read at most.
const MOST_OLDER: usize = 16;

/// The key's bytes; wiped from memory when dropped.
pub type MasterKey = Zeroizing<[u8; MASTER_KEY_LENGTH]>;

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The file cannot be read or written.
    #[error("the master key {path}: cannot {doing} it: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// `read`, `make`.
        doing: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file holds something else.
    #[error(
        "the master key {path} has {found} bytes, and a master key has {MASTER_KEY_LENGTH}: \
         put the right file back (a new key would make every return path that is out there useless)"
    )]
    Length {
        /// Which file.
        path: PathBuf,
        /// Its length, as far as it was read.
        found: usize,
    },
    /// The file of older keys holds something else.
    #[error(
        "the older master keys {path} have {found} bytes or more: it takes whole keys of {MASTER_KEY_LENGTH} bytes one \
         after the other, {MOST_OLDER} at most"
    )]
    OlderLength {
        /// Which file.
        path: PathBuf,
        /// Its length, as far as it was read.
        found: usize,
    },
}

/// Reads the key, or makes it (mode 0600, its folder 0700) when there is no such file.
///
/// # Errors
/// When the file is there and is no key, or it can be neither read nor made.
pub fn read_or_make(path: &Path) -> Result<MasterKey, MasterKeyError> {
    match read(path) {
        Err(MasterKeyError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
            make(path).map_err(|source| MasterKeyError::Io { path: path.into(), doing: "make", source })?;
            read(path)
        }
        answer => answer,
    }
}

/// Reads the older keys that stand beside the key at `path`; none when there is no such file.
///
/// # Errors
/// When the file is there and cannot be read, or does not hold whole keys.
pub fn read_older(path: &Path) -> Result<Vec<MasterKey>, MasterKeyError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".old");
    let path = PathBuf::from(name);
    let bytes = match read_up_to(&path, MOST_OLDER * MASTER_KEY_LENGTH) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(MasterKeyError::Io { path, doing: "read", source }),
        Ok(bytes) => bytes,
    };
    let (keys, rest) = bytes.as_chunks::<MASTER_KEY_LENGTH>();
    if !rest.is_empty() || keys.len() > MOST_OLDER {
        return Err(MasterKeyError::OlderLength { path, found: bytes.len() });
    }
    Ok(keys.iter().copied().map(Zeroizing::new).collect())
}

/// The file's bytes, and one more than `most` of a longer one.
fn read_up_to(path: &Path, most: usize) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(most + 1));
    std::fs::File::open(path)?.take(most as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads the key, and never makes one.
///
/// # Errors
/// When it is not there, cannot be read, or is no key.
pub fn read(path: &Path) -> Result<MasterKey, MasterKeyError> {
    let failed = |source| MasterKeyError::Io { path: path.into(), doing: "read", source };
    let bytes = read_up_to(path, MASTER_KEY_LENGTH).map_err(failed)?;
    match <[u8; MASTER_KEY_LENGTH]>::try_from(bytes.as_slice()) {
        Ok(key) => Ok(Zeroizing::new(key)),
        Err(_) => Err(MasterKeyError::Length { path: path.into(), found: bytes.len() }),
    }
}

/// Writes a fresh key beside its place and links it there: of two processes that start at once, one wins and the other
/// reads what the winner wrote; a crash leaves no half-written key.
fn make(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut key = Zeroizing::new([0; MASTER_KEY_LENGTH]);
    aws_lc_rs::rand::fill(&mut *key)
        .map_err(|_| std::io::Error::other("the system gives no random bytes"))?;
    // Two containers may both be process 1: the name is random, and a file that is there is never written to.
    let mut name = [0; 8];
    aws_lc_rs::rand::fill(&mut name)
        .map_err(|_| std::io::Error::other("the system gives no random bytes"))?;
    let draft = path.with_extension(format!("new-{:016x}", u64::from_be_bytes(name)));
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(&*key)?;
    file.sync_all()?;
    let linked = std::fs::hard_link(&draft, path);
    std::fs::remove_file(&draft)?;
    sync_folder(path)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// The name of a new file is durable only when its folder is.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    std::fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn it_is_made_once_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/master.key");
        let first = read_or_make(&path).unwrap();
        assert_ne!(*first, [0; MASTER_KEY_LENGTH]);
        assert_eq!(*first, *read_or_make(&path).unwrap());
        let mode = |p: &Path| std::fs::metadata(p).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_is_no_key_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        for content in [&b""[..], &[1; 31], &[1; 33]] {
            let path = folder.path().join("master.key");
            std::fs::write(&path, content).unwrap();
            let error = read_or_make(&path).unwrap_err().to_string();
            assert!(error.contains("put the right file back"), "{error}");
            assert_eq!(std::fs::read(&path).unwrap(), content);
        }
    }

    #[test]
    fn older_keys_stand_one_after_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        assert!(read_older(&path).unwrap().is_empty());
        std::fs::write(folder.path().join("master.key.old"), [[1; 32], [2; 32]].concat()).unwrap();
        let older = read_older(&path).unwrap();
        assert_eq!(older.iter().map(|key| **key).collect::<Vec<_>>(), [[1; 32], [2; 32]]);
        for wrong in [31, 33, 17 * 32, 100_000] {
            std::fs::write(folder.path().join("master.key.old"), vec![1; wrong]).unwrap();
            let error = read_older(&path).unwrap_err().to_string();
            assert!(error.contains("master.key.old") && error.contains("whole keys"), "{error}");
        }
    }
}
