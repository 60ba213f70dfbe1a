//! The stage of the demo: the real daemon, and a receiving server that plays the servers of the owner and of the
//! contact. All on free ports of the loopback interface, all in a folder that is removed at the end.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::admin::Registry;
use crate::admin::records::NewAlias;
use crate::app::Daemon;
use crate::app::surroundings::System;
use crate::config::{self, Environment};
use crate::mail::{Address, DomainName, Message};
use crate::net;
use crate::relay::alias::Mode;
use crate::relay::ports::{Content, Delivery, Outcome, Surroundings, Transport};
use crate::smtp::{ForwardPath, Reply, ReversePath, Transaction};

/// How long the demo waits for a message that aliasd says it has delivered.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why the stage cannot be set.
pub type StageError = anyhow::Error;

/// A message as it arrived at the receiving server.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) message: Message,
}

impl Arrived {
    /// Whether a text occurs in the message or its envelope sender, in any case of letters.
    pub(super) fn contains(&self, text: &str) -> bool {
        let all = [self.from.as_bytes(), self.message.raw()].concat().to_ascii_lowercase();
        memchr::memmem::find(&all, text.to_ascii_lowercase().as_bytes()).is_some()
    }
}

/// Everything that runs.
pub(super) struct Stage {
    folder: tempfile::TempDir,
    daemon: Daemon,
    receiver: net::listener::Listener,
    mail: mpsc::Receiver<Arrived>,
    sender: net::smtp_out::Outbound,
}
