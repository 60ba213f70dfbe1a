//! Letters that hide mailboxes: what is drawn is a plan, and a plan is always written down as the same letter.

use std::sync::OnceLock;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::dice::Dice;
use crate::leaks::Secret;
use crate::methods::{self, Method, Reach};
use crate::owner::{OWNERS, Owner};
use crate::scene::Scene;

/// Most places in a letter where something is hidden, without the one that may be opaque.
const MOST_METHODS: usize = 5;
/// How many of the letters have something that cannot be changed.
const OPAQUE: f64 = 0.08;

/// What a letter is made from.
#[derive(Debug, Clone)]
pub struct Plan {
    pub owner: &'static Owner,
    pub methods: Vec<&'static Method>,
    pub seed: u64,
}

/// Plans of letters that must come out clean, or not at all.
pub fn plans() -> impl Strategy<Value = Plan> {
    let (promised, opaque) = (of_reach(Reach::Promised), of_reach(Reach::Opaque));
    let drawn = (
        0..OWNERS.len(),
        vec(0..promised.len(), 1..=MOST_METHODS),
        option::weighted(OPAQUE, 0..opaque.len()),
        any::<u64>(),
    );
    drawn.prop_map(move |(owner, indices, last, seed)| Plan {
        owner: &OWNERS[owner],
        methods: indices.into_iter().map(|at| promised[at]).chain(last.map(|at| opaque[at])).collect(),
        seed,
    })
}

fn of_reach(reach: Reach) -> &'static [&'static Method] {
    static BY_REACH: [OnceLock<Vec<&'static Method>>; 4] = [const { OnceLock::new() }; 4];
    BY_REACH[reach as usize]
        .get_or_init(|| methods::all().iter().filter(|method| method.reach == reach).collect())
}

impl Plan {
    /// A letter that hides something in one way only.
    pub fn of(method: &'static Method, owner: &'static Owner, seed: u64) -> Self {
        Self { owner, methods: vec![method], seed }
    }

    /// The letter as its owner sends it.
    pub fn letter(&self) -> Vec<u8> {
        self.letter_from(&format!("The Owner <{}>", self.owner.mailboxes[0].address()))
    }

    /// The letter with this text in `From`.
    pub fn letter_from(&self, author: &str) -> Vec<u8> {
        let dice = Dice::new(self.seed);
        let mut scene = Scene::new(&self.owner.mailboxes[0], dice.clone());
        for method in &self.methods {
            // Dice of its own: a letter with one method less is otherwise the same.
            scene.dice = dice.for_part(method.number);
            scene.mailbox = &self.owner.mailboxes[self.which_mailbox(&mut scene.dice)];
            method.plant(&mut scene);
        }
        scene.dice = dice;
        scene.written(author)
    }

    fn which_mailbox(&self, dice: &mut Dice) -> usize {
        let which = dice.below(self.owner.mailboxes.len() as u64);
        usize::try_from(which).expect("a short list")
    }
}

/// What must not show of an owner.
pub fn secrets(owner: &Owner) -> Vec<Secret> {
    owner.addresses().map(|address| Secret::of(&address)).collect()
}
