//! `aliasd serve`: the daemon, until it is told to stop.

use tokio::signal::unix::{SignalKind, signal};

use crate::app::database::Migrate;
use crate::app::{Daemon, StartError};
use crate::config::Settings;
use crate::telemetry;

use super::database;
use super::failure::Failure;

/// Runs the relay until SIGTERM or SIGINT, then lets what is under way end.
///
/// # Errors
/// When it cannot start.
pub async fn run(settings: Settings, migrate: Migrate) -> Result<(), Failure> {
    start_log(&settings)?;
    // Before anything is started: a signal that comes early must not be lost.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut daemon = Daemon::start(&settings, migrate).await?;
    announce(&settings, &daemon);
    warn_of_settings(&settings);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        part = daemon.broken() => return Err(Failure::Refused(format!("the {part} has ended by itself: see the log, and start again"))),
    }
    tracing::info!("stopping: no new connections; what is under way is finished first");
    daemon.stop().await;
    tracing::info!("stopped");
    Ok(())
}

fn start_log(settings: &Settings) -> Result<(), Failure> {
    telemetry::start(&settings.telemetry.log, settings.telemetry.log_format)
        .map_err(|error| Failure::Setup(error.to_string()))
}

fn announce(settings: &Settings, daemon: &Daemon) {
    for address in daemon.addresses() {
        tracing::info!(%address, hostname = %settings.hostname, version = env!("CARGO_PKG_VERSION"), "listening");
    }
    if let Some(address) = daemon.http_address() {
        tracing::info!(%address, "answering HTTP: /healthz, /readyz, /metrics");
    }
    for address in daemon.web_addresses() {
        tracing::info!(%address, "answering strangers over HTTP: certificates of aliases (WKD)");
    }
}

/// What starts all the same, but should not stay so.
fn warn_of_settings(settings: &Settings) {
    if !settings.hostname.as_str().contains('.') {
        tracing::warn!(
            hostname = %settings.hostname,
            "hostname is not a full name: many servers refuse mail from one; set it to the name of this machine in the DNS"
        );
    }
    if settings.smtp.postmaster.is_none() {
        tracing::warn!(
            "smtp.postmaster is not set: mail to postmaster@ and abuse@ is refused; RFC 5321 wants it taken"
        );
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Database(error) => database::failure(error),
            StartError::MasterKey(_) | StartError::Loop(_) | StartError::Dns(_) => {
                Self::Setup(error.to_string())
            }
            StartError::Bind(_)
            | StartError::Http(_)
            | StartError::Web(_)
            | StartError::Tls(_)
            | StartError::Discovery(_) => Self::Refused(error.to_string()),
        }
    }
}
