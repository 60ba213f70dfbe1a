//! Changing single entries of an address list.

use std::ops::Range;

use super::super::address::Address;
use super::super::fold::{FieldWriter, HeaderField};
use super::{AddressList, Entry, Group, Member, NamedAddress};

/// What becomes of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It stays as it is written.
    Keep,
    /// Another takes its place; its comments go.
    Replace {
        /// The name that is shown.
        name: Option<String>,
        /// The address.
        address: Address,
    },
    /// It goes.
    Drop,
}

/// What becomes of entries that can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnMalformed {
    /// They stay as they are written.
    Keep,
    /// They go: nobody knows what is in them.
    Drop,
}

/// What became of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rewritten {
    /// Every entry was kept: leave the field as it is, byte for byte.
    Unchanged,
    /// No entry is left: the field goes.
    Empty,
    /// The new field.
    Field(HeaderField),
}

impl AddressList {
    /// Rewrites the list entry by entry. `value` is what the list was parsed from, `field_name` the name of its field.
    ///
    /// Kept entries keep their own bytes. Groups stay groups; one that loses all of its members goes, one that had none
    /// stays. `decide` is asked once about each address, in order.
    pub fn rewrite(
        &self,
        field_name: &str,
        value: &[u8],
        on_malformed: OnMalformed,
        mut decide: impl FnMut(&NamedAddress) -> Decision,
    ) -> Rewritten {
        let mut plan = Planner { on_malformed, decide: &mut decide };
        let pieces: Vec<Piece<'_>> = self.entries.iter().map(|entry| plan.entry(entry)).collect();
        if pieces.iter().all(|piece| matches!(piece, Piece::Raw(_))) {
            return Rewritten::Unchanged;
        }
        if pieces.iter().all(|piece| matches!(piece, Piece::Nothing)) {
            return Rewritten::Empty;
        }
        let mut writer = FieldWriter::new(field_name);
        write_list(&mut writer, value, &pieces);
        Rewritten::Field(writer.finish())
    }
}

/// What is written for an entry.
enum Piece<'l> {
    Raw(&'l Range<usize>),
    New(Option<String>, Address),
    Group(&'l Range<usize>, Vec<Piece<'l>>),
    Nothing,
}

struct Planner<'d> {
    on_malformed: OnMalformed,
    decide: &'d mut dyn FnMut(&NamedAddress) -> Decision,
}

impl Planner<'_> {
    fn entry<'l>(&mut self, entry: &'l Entry) -> Piece<'l> {
        match entry {
            Entry::Mailbox(mailbox) => self.mailbox(mailbox),
            Entry::Group(group) => self.group(group),
            Entry::Malformed(span) => self.malformed(span),
        }
    }

    fn group<'l>(&mut self, group: &'l Group) -> Piece<'l> {
        let members: Vec<Piece<'l>> = group.members.iter().map(|member| self.member(member)).collect();
        if members.iter().all(|piece| matches!(piece, Piece::Raw(_))) {
            return Piece::Raw(&group.span);
        }
        if members.iter().all(|piece| matches!(piece, Piece::Nothing)) {
            return Piece::Nothing;
        }
        Piece::Group(&group.name_span, members)
    }

    fn member<'l>(&mut self, member: &'l Member) -> Piece<'l> {
        match member {
            Member::Mailbox(mailbox) => self.mailbox(mailbox),
            Member::Malformed(span) => self.malformed(span),
        }
    }

    fn mailbox<'l>(&mut self, mailbox: &'l NamedAddress) -> Piece<'l> {
        match (self.decide)(mailbox) {
            Decision::Keep => Piece::Raw(&mailbox.span),
            Decision::Replace { name, address } => Piece::New(name, address),
            Decision::Drop => Piece::Nothing,
        }
    }

    fn malformed<'l>(&self, span: &'l Range<usize>) -> Piece<'l> {
        match self.on_malformed {
            OnMalformed::Keep => Piece::Raw(span),
            OnMalformed::Drop => Piece::Nothing,
        }
    }
}

fn write_list(writer: &mut FieldWriter, value: &[u8], pieces: &[Piece<'_>]) {
    let left = pieces.iter().filter(|piece| !matches!(piece, Piece::Nothing));
    for (index, piece) in left.enumerate() {
        if index > 0 {
            writer.glue(',');
        }
        write_piece(writer, value, piece);
    }
}

fn write_piece(writer: &mut FieldWriter, value: &[u8], piece: &Piece<'_>) {
    let raw = |span: &Range<usize>| value.get(span.clone()).unwrap_or_default();
    match piece {
        Piece::Raw(span) => {
            writer.raw(raw(span));
        }
        Piece::New(name, address) => {
            writer.mailbox(name.as_deref(), address);
        }
        Piece::Group(name, members) => {
            writer.raw(raw(name)).glue(':');
            write_list(writer, value, members);
            writer.glue(';');
        }
        Piece::Nothing => {}
    }
}
