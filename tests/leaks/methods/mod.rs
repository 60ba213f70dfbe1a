//! Every way of hiding a mailbox in a letter, by name.

mod binary;
mod fields;
mod html;
mod ids;
mod lines;
mod matrix;
mod names;
mod nested;
mod openpgp;
mod plain;
mod records;
mod structure;
mod types;

use std::fmt;
use std::sync::OnceLock;

use crate::scene::Scene;

/// What the scrub is to do about a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The mailbox must be gone.
    Promised,
    /// It sits in what cannot be changed (signed, compressed, binary): refused, or gone with the part.
    Opaque,
    /// Beyond the promise: the finder finds it, and no letter has to be rid of it.
    Beyond,
}

type Plant = Box<dyn Fn(&mut Scene<'_>) + Send + Sync>;

/// A way of hiding.
pub struct Method {
    /// Its place among all.
    pub number: u64,
    pub name: String,
    pub reach: Reach,
    plant: Plant,
}

impl Method {
    fn new(name: String, reach: Reach, plant: impl Fn(&mut Scene<'_>) + Send + Sync + 'static) -> Self {
        Self { number: 0, name, reach, plant: Box::new(plant) }
    }

    pub fn plant(&self, scene: &mut Scene<'_>) {
        (self.plant)(scene);
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// A method of a table.
type Entry = (&'static str, fn(&mut Scene<'_>));

/// All of them, in an order that stays.
pub fn all() -> &'static [Method] {
    static ALL: OnceLock<Vec<Method>> = OnceLock::new();
    ALL.get_or_init(collect)
}

fn collect() -> Vec<Method> {
    let tables = [
        ("field", fields::METHODS, Reach::Promised),
        ("id", ids::METHODS, Reach::Promised),
        ("name", names::METHODS, Reach::Promised),
        ("structure", structure::METHODS, Reach::Promised),
        ("lines", lines::METHODS, Reach::Promised),
        ("type", types::METHODS, Reach::Promised),
        ("record", records::METHODS, Reach::Promised),
        ("nested", nested::METHODS, Reach::Promised),
        ("openpgp", openpgp::METHODS, Reach::Promised),
        ("openpgp", openpgp::SIGNED, Reach::Opaque),
        ("binary", binary::METHODS, Reach::Opaque),
        ("beyond", plain::BEYOND, Reach::Beyond),
        ("beyond", html::BEYOND, Reach::Beyond),
        ("beyond", types::BEYOND, Reach::Beyond),
        ("beyond", nested::BEYOND, Reach::Beyond),
    ];
    let listed = tables.into_iter().flat_map(|(kind, table, reach)| {
        table.iter().map(move |(name, plant)| Method::new(format!("{kind}: {name}"), reach, *plant))
    });
    let mut all: Vec<Method> = listed
        .chain(written("plain", "text/plain", plain::TEXTS))
        .chain(written("html", "text/html", html::TEXTS))
        .chain(matrix::all())
        .collect();
    for (number, method) in (1..).zip(&mut all) {
        method.number = number;
    }
    all
}

/// A way of writing the mailbox in a text.
type Text = (&'static str, fn(&mut Scene<'_>) -> String);

fn written(
    kind: &'static str,
    content_type: &'static str,
    texts: &'static [Text],
) -> impl Iterator<Item = Method> {
    texts.iter().map(move |(name, text)| {
        Method::new(format!("{kind}: {name}"), Reach::Promised, move |scene| {
            let text = text(scene);
            scene.text_part(content_type, &text);
        })
    })
}
