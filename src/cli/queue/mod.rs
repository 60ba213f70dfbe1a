//! `aliasd queue …`: looking at the queue, and orders to deliveries.
//!
//! Lists show addresses, so they need the master key; orders do not. A key that is missing or wrong is a warning here, and
//! never made: somebody who looks at a broken installation is to see as much as there is.

mod view;

use std::collections::BTreeSet;
use std::io::Write;

use crate::app::database::{self, Migrate};
use crate::app::master_key::{self, MasterKeyError};
use crate::app::surroundings::System;
use crate::config::Settings;
use crate::queue::inspect::{self, Carried, Entry, Inspector, Standing, Walked, Wanted};
use crate::queue::spool::{DeliveryId, Order, Spool, Which};
use crate::relay::keys::{Keys, QueueKeys};
use crate::relay::ports::{Surroundings, Unavailable};
use crate::store::Meters;

use super::arguments::{self, Deliveries, QueueCommand};
use super::database::failure;
use super::failure::Failure;
use super::output::{Form, List, print_one};

use view::{Row, Shown, Tally, deliveries};

type Done = Result<(), Failure>;

/// Opens the database of these settings (SQLite is made and migrated as `serve` does) and does the command.
///
/// # Errors
/// [`Failure::Refused`] when a delivery is not there or stands so that the order cannot be carried out;
/// [`Failure::TryAgain`] when the database is away.
pub async fn run<W: Write>(settings: &Settings, command: QueueCommand, out: &mut W) -> Done {
    let store =
        database::open(&settings.database, Migrate::OnlySqlite, Meters::default()).await.map_err(failure)?;
    let keys = if shows_addresses(&command) { keys_or_warning(settings) } else { None };
    let done = obey(command, &store, keys.as_ref(), &System, out).await;
    store.close().await;
    done
}

fn shows_addresses(command: &QueueCommand) -> bool {
    matches!(command, QueueCommand::List { .. } | QueueCommand::Show { .. })
}

fn keys_or_warning(settings: &Settings) -> Option<QueueKeys> {
    let warn = |error: &MasterKeyError| {
        // Nobody is left to be told that standard error is gone.
        let _ = writeln!(std::io::stderr(), "aliasd: warning: {error}; addresses are not shown");
    };
    keys(settings).inspect_err(warn).ok()
}

fn keys(settings: &Settings) -> Result<QueueKeys, MasterKeyError> {
    let path = &settings.master_key;
    let (master, older) = (master_key::read(path)?, master_key::read_older(path)?);
    Ok(Keys::derive_with_older(&master, &older).queue)
}

/// Does what the command says and prints the answer.
async fn obey<P: Spool, S: Surroundings, W: Write>(
    command: QueueCommand,
    spool: &P,
    keys: Option<&QueueKeys>,
    surroundings: &S,
    out: &mut W,
) -> Done {
    let mut desk = Desk { spool, keys, surroundings, out };
    match command {
        QueueCommand::List { state, domain, limit, form } => {
            desk.list(&Wanted { state, domain, limit }, form.into()).await
        }
        QueueCommand::Show { id, form } => desk.show(DeliveryId(id), form).await,
        QueueCommand::Retry(which) => desk.order(Order::Retry, which).await,
        QueueCommand::Hold(which) => desk.order(Order::Hold, which).await,
        QueueCommand::Release(which) => desk.order(Order::Release, which).await,
        QueueCommand::Drop { ids } => desk.order_each(Order::Drop, ids).await,
    }
}

/// Where commands are done.
struct Desk<'a, P, S, W> {
    spool: &'a P,
    keys: Option<&'a QueueKeys>,
    surroundings: &'a S,
    out: &'a mut W,
}

impl<P: Spool, S: Surroundings, W: Write> Desk<'_, P, S, W> {
    async fn list(&mut self, wanted: &Wanted, form: Form) -> Done {
        let (now, mut tally) = (self.surroundings.now(), Tally::default());
        let inspector = Inspector { spool: self.spool, keys: self.keys };
        let mut list = List::start(self.out, form)?;
        let print = |page: Vec<Entry>| {
            page.iter().for_each(|entry| tally.add(entry));
            let rows: Vec<_> = page.into_iter().map(|entry| Row { entry, now }).collect();
            list.page(&rows).map_err(Failure::from)
        };
        let walked = inspector.walk(now, wanted, print).await?;
        list.finish(when_empty(wanted))?;
        if form == Form::Plain && !tally.is_empty() {
            let first = if walked == Walked::ToTheLimit { "the first " } else { "" };
            writeln!(self.out, "{first}{}", tally.summary(now))?;
        }
        Ok(())
    }

    async fn show(&mut self, id: DeliveryId, form: arguments::Form) -> Done {
        let now = self.surroundings.now();
        let inspector = Inspector { spool: self.spool, keys: self.keys };
        let Some(details) = inspector.show(now, id).await? else {
            return Err(Failure::Refused(missing(id)));
        };
        Ok(print_one(self.out, form.into(), &Shown { details, now })?)
    }

    async fn order(&mut self, order: Order, Deliveries { ids, all }: Deliveries) -> Done {
        if !all {
            return self.order_each(order, ids).await;
        }
        let changed = self.spool.order(order, Which::All, self.surroundings.now()).await?;
        self.changed(order, changed)
    }

    /// One that cannot be changed does not keep the others from it.
    async fn order_each(&mut self, order: Order, ids: Vec<i64>) -> Done {
        let (mut changed, mut complaints) = (0, Vec::new());
        for id in ids.into_iter().collect::<BTreeSet<_>>().into_iter().map(DeliveryId) {
            match inspect::order(self.spool, order, id, self.surroundings.now()).await? {
                Carried::Out => changed += 1,
                Carried::Missing => complaints.push(missing(id)),
                Carried::Unchanged(standing) => match why_unchanged(order, id, standing) {
                    Ok(remark) => writeln!(self.out, "{remark}")?,
                    Err(complaint) => complaints.push(complaint),
                },
            }
        }
        self.changed(order, changed)?;
        if complaints.is_empty() { Ok(()) } else { Err(Failure::Refused(complaints.join("\n"))) }
    }

    fn changed(&mut self, order: Order, number: u64) -> Done {
        let done = match order {
            Order::Retry => "due now",
            Order::Hold => "held",
            Order::Release => "released",
            Order::Drop => "dropped",
        };
        Ok(writeln!(self.out, "{done}: {}", deliveries(number))?)
    }
}

fn when_empty(wanted: &Wanted) -> &'static str {
    match wanted {
        Wanted { state: None, domain: None, .. } => "the queue is empty",
        _ => "nothing in the queue is like this",
    }
}

fn missing(DeliveryId(id): DeliveryId) -> String {
    format!(
        "delivery {id} is not in the queue: it was delivered, given up or dropped, or there never was one"
    )
}

/// What to say of a delivery that an order does not change: it stands as was wanted, or there is something else to be done
/// first.
fn why_unchanged(order: Order, DeliveryId(id): DeliveryId, standing: Standing) -> Result<String, String> {
    match (order, standing) {
        (Order::Retry, Standing::InFlight) => Ok(format!("delivery {id} is being tried right now")),
        (Order::Retry, Standing::Held) => {
            Err(format!("delivery {id} is held: let it go first with `aliasd queue release {id}`"))
        }
        (Order::Hold, Standing::Held) => Ok(format!("delivery {id} is held already")),
        (Order::Hold, Standing::Damaged) => {
            Ok(format!("delivery {id} is damaged: it is not tried anyway until you order it"))
        }
        (Order::Release, _) => Ok(format!("delivery {id} is not held")),
        // Something else has changed it in the same moment.
        (Order::Retry | Order::Hold | Order::Drop, _) => {
            Err(format!("delivery {id} was changed by something else meanwhile: try again"))
        }
    }
}

impl From<Unavailable> for Failure {
    fn from(Unavailable(why): Unavailable) -> Self {
        Self::TryAgain(format!("the queue cannot be read or changed: {why}; try again"))
    }
}

#[cfg(test)]
mod tests;
