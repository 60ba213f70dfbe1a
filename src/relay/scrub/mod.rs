//! Taking the owner's mailboxes out of what leaves as the alias.

mod bytes;
mod secrets;
mod text;
mod view;

pub use secrets::Secrets;
pub use text::reverse_aliases_in;
pub use view::Syntax;
