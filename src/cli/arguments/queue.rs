//! `aliasd queue …`

use clap::builder::{RangedI64ValueParser, RangedU64ValueParser};
use clap::{Args, Subcommand};

use crate::mail::DomainName;
use crate::queue::inspect::Standing;

use super::{Form, words};

/// `aliasd queue …`
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum QueueCommand {
    /// List deliveries, the oldest first
    List {
        /// Only those that stand like this
        #[arg(long, value_parser = words(Standing::WORDS))]
        state: Option<Standing>,
        /// Only those that go to an address at this domain
        #[arg(long)]
        domain: Option<DomainName>,
        /// No more than this
        #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<u64>::new().range(1..))]
        limit: Option<u64>,
        #[command(flatten)]
        form: Form,
    },
    /// Show everything about a delivery but the message
    Show {
        /// Its id, from `queue list`
        #[arg(value_parser = id())]
        id: i64,
        #[command(flatten)]
        form: Form,
    },
    /// Try deliveries now, also damaged ones and those to a server that is being left alone for a while
    Retry(Deliveries),
    /// Hold deliveries back; one that is under way is held if it does not arrive
    Hold(Deliveries),
    /// Let deliveries that were held be tried at their time again
    Release(Deliveries),
    /// Remove deliveries for good; nobody is told
    Drop {
        /// Their ids, from `queue list`
        #[arg(value_name = "ID", required = true, value_parser = id())]
        ids: Vec<i64>,
    },
}

/// To which deliveries an order goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[group(required = true, multiple = false)]
pub struct Deliveries {
    /// Their ids, from `queue list`
    #[arg(value_name = "ID", value_parser = id())]
    pub ids: Vec<i64>,
    /// All that it makes sense for
    #[arg(long)]
    pub all: bool,
}

fn id() -> RangedI64ValueParser<i64> {
    RangedI64ValueParser::new().range(1..)
}
