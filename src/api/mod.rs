//! HTTP on `api.listen`: whether the daemon lives, whether it can do its work, and its figures. None of that needs a token,
//! and none of it names anybody. The admin API is to stand beside it, under `/admin/v1`.
//!
//! | path | answer |
//! |---|---|
//! | `GET /healthz` | 200 as long as the process serves |
//! | `GET /readyz` | 200 when every part can do its work, else 503; which one cannot stands in `parts` |
//! | `GET /metrics` | the figures, in the text format of Prometheus |
//!
//! Everything else is 404 or 405, as problem details. What is behind the answers is a [`Status`], so that this layer knows
//! neither database nor mail. [`web`] is another set of paths, for strangers, on a listener of its own. It opens no sockets either: [`serve`] speaks on a connection that somebody else accepted and
//! counted.

mod problem;
mod server;
mod status;
pub mod web;

pub use server::{TOO_MANY, serve};
pub use status::{Part, Status, router};
