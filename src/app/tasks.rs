//! The tasks that run as long as the daemon does.

use tokio::task::JoinHandle;

/// Waits for a task; one that panicked is told of.
pub(super) async fn ended<T>(what: &str, task: JoinHandle<T>) -> Option<T> {
    match task.await {
        Ok(answer) => Some(answer),
        Err(error) => {
            tracing::error!(%error, "the {what} ended badly");
            None
        }
    }
}
