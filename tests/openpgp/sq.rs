//! Keys of version 6, made by `sq`, which also decrypts what we encrypt to them. That of Debian 12 does not know them: `./test`
//! builds one and names it in `ALIASD_TEST_SQ`. The tests beside the code decrypt for keys of version 6 as well, with the library.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use aliasd::pgp::Engine;
use aliasd::relay::ports::OpenPgp;

use crate::decrypting::{armored, bytes, content, is_the_original};
use crate::{as_stored, now};

struct Sq {
    program: OsString,
    home: tempfile::TempDir,
}

impl Sq {
    fn path(&self, name: &str) -> String {
        self.home.path().join(name).to_str().expect("a path in UTF-8").to_owned()
    }

    fn run(&self, arguments: &[&str]) {
        let mut command = Command::new(&self.program);
        command
            .arg("--home")
            .arg(self.home.path().join("home"))
            .args(["--batch", "--overwrite"])
            .args(arguments);
        let output = command.output().unwrap_or_else(|error| panic!("sq cannot be started: {error}"));
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
#[ignore = "needs sq 1.5 in ALIASD_TEST_SQ"]
fn version_6() {
    let program = std::env::var_os("ALIASD_TEST_SQ").expect("sq 1.5 or newer, named by ALIASD_TEST_SQ");
    let sq = Sq { program, home: tempfile::tempdir().expect("a folder") };
    let [key, revocation, cert, sealed_file, plain] =
        ["key", "rev", "cert", "sealed", "plain"].map(|name| sq.path(name));
    let user = ["--shared-key", "--name", "Jane Doe", "--email", "jane@example.net", "--without-password"];
    let files = ["--profile", "rfc9580", "--output", &key, "--rev-cert", &revocation];
    sq.run(&[&["key", "generate"][..], &user, &files].concat());
    sq.run(&["key", "delete", "--cert-file", &key, "--output", &cert]);
    let engine = Engine::new(true);
    let inspected = engine.inspect(&read(&cert), now()).expect("usable");
    assert_eq!(inspected[0].fingerprint.as_str().len(), 64, "a fingerprint of version 6");
    for length in [0, 1, 10_000, 20_000_000] {
        let original = content(&bytes(length));
        let sealed = engine.encrypt(&original, &[as_stored(&inspected[0])], now()).expect("encrypted");
        std::fs::write(&sealed_file, armored(&sealed)).expect("a file");
        sq.run(&["decrypt", "--signatures", "0", "--recipient-file", &key, "--output", &plain, &sealed_file]);
        is_the_original(&read(&plain), &original);
    }
}

fn read(path: &str) -> Vec<u8> {
    std::fs::read(Path::new(path)).expect("a file")
}
