//! Logs and figures: where they go and in which form. What goes into them is decided where it happens; addresses pass
//! through [`crate::relay::redact`] before they are logged, and are never in a figure.

pub mod metrics;

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people and journald.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `telemetry.log` is not a filter.
    #[error("telemetry.log: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Something has set up logging before.
    #[error("logging was set up already: {0}")]
    Twice(#[from] TryInitError),
}

/// Sends log lines of this process to standard error; colour only on a terminal.
///
/// # Errors
/// When `filter` (such as `info` or `info,aliasd::net=debug`) cannot be read, or logging is set up already.
pub fn start(filter: &str, format: LogFormat) -> Result<(), TelemetryError> {
    let lines = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(filter)?)
        .with_writer(std::io::stderr)
        // A line that cannot be written is lost. To complain of it on standard error as well would panic: the log may be on
        // the disk that is full.
        .log_internal_errors(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    match format {
        LogFormat::Text => lines.finish().try_init()?,
        LogFormat::Json => lines.json().flatten_event(true).finish().try_init()?,
    }
    Ok(())
}
