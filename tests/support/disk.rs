//! Ways to keep a running daemon from writing to its data directory, and to let it write again.

use std::fs::{File, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::leftovers;

/// What to start a daemon through so that all of this works on it: going beyond [`limit_files`] is an error for it and not
/// its end, and `root` obeys permissions.
pub fn obedient(folder: &Path) -> Vec<&'static str> {
    const SPARED: [&str; 4] = ["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"];
    const NO_SUPERUSER: [&str; 3] =
        ["setpriv", "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search"];
    let is_root = folder.metadata().is_ok_and(|folder| folder.uid() == 0);
    if is_root { [&SPARED[..], &NO_SUPERUSER].concat() } else { SPARED.to_vec() }
}

/// A small file system in memory. Dropping it takes it off.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// On this folder, which is made; nothing where it is not permitted (containers mostly do not).
    pub fn mount(folder: &Path, size: &str) -> Option<Self> {
        std::fs::create_dir_all(folder).expect("a folder");
        let options = format!("size={size},mode=700");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder).stderr(Stdio::null());
        let is_mounted = mount.status().is_ok_and(|status| status.success());
        is_mounted.then(|| Self(folder.to_owned()))
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    /// Leaves no room.
    pub fn fill(&self) {
        let mut filler = File::create(self.filler()).expect("a file");
        while filler.write_all(&[0; 4096]).is_ok() {}
    }

    /// There is room again.
    pub fn make_room(&self) {
        std::fs::remove_file(self.filler()).expect("a file");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if leftovers::are_kept() {
            let copy = self.0.with_extension("kept");
            let _ = Command::new("cp").arg("--recursive").arg(&self.0).arg(copy).status();
        }
        // Lazily: the daemon's end may still be under way.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// No file of the process grows beyond this many octets.
pub fn limit_files(pid: u32, octets: u64) {
    set_limit(pid, &octets.to_string());
}

/// Files grow again.
pub fn unlimit_files(pid: u32) {
    set_limit(pid, "unlimited");
}

/// Only the soft limit, which may be raised again without privileges.
fn set_limit(pid: u32, soft: &str) {
    let mut command = Command::new("prlimit");
    command.arg("--pid").arg(pid.to_string()).arg(format!("--fsize={soft}:"));
    let status = command.status().expect("prlimit is not installed (package util-linux)");
    assert!(status.success(), "prlimit: {status}");
}

/// A folder and its files may only be read.
pub fn make_read_only(folder: &Path) {
    set_modes(folder, 0o444, 0o555);
}

/// They may be written to again.
pub fn make_writable(folder: &Path) {
    set_modes(folder, 0o600, 0o700);
}

fn set_modes(folder: &Path, of_files: u32, of_folder: u32) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        // One that the daemon has removed meanwhile needs none.
        let _ = std::fs::set_permissions(entry.path(), Permissions::from_mode(of_files));
    }
    std::fs::set_permissions(folder, Permissions::from_mode(of_folder)).expect("a folder");
}
