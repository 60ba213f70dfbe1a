//! Changing single entries of an address list.

use std::ops::Range;

use memchr::memchr;

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

/// What becomes of the words around the members of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnGroup {
    /// They stay.
    Keep,
    /// They stay unless a mail program might read an address in them: a name with `@`, or comments.
    KeepPlain,
    /// They go: the members stand by themselves, and a group without members goes.
    Open,
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
    /// Kept entries keep their own bytes. A group that loses all of its members goes; one that had none stays, unless
    /// groups are opened. `decide` is asked once about each address, in order.
    pub fn rewrite(
        &self,
        field_name: &str,
        value: &[u8],
        (on_malformed, on_group): (OnMalformed, OnGroup),
        mut decide: impl FnMut(&NamedAddress) -> Decision,
    ) -> Rewritten {
        let mut plan = Planner { value, on_malformed, on_group, decide: &mut decide, has_opened: false };
        let pieces: Vec<Piece<'_>> = self.entries.iter().flat_map(|entry| plan.entry(entry)).collect();
        if !plan.has_opened && pieces.iter().all(|piece| matches!(piece, Piece::Raw(_))) {
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
    value: &'d [u8],
    on_malformed: OnMalformed,
    on_group: OnGroup,
    decide: &'d mut dyn FnMut(&NamedAddress) -> Decision,
    has_opened: bool,
}

impl Planner<'_> {
    fn entry<'l>(&mut self, entry: &'l Entry) -> Vec<Piece<'l>> {
        match entry {
            Entry::Mailbox(mailbox) => vec![self.mailbox(mailbox)],
            Entry::Group(group) => self.group(group),
            Entry::Malformed(span) => vec![self.malformed(span)],
        }
    }

    fn group<'l>(&mut self, group: &'l Group) -> Vec<Piece<'l>> {
        let members: Vec<Piece<'l>> = group.members.iter().map(|member| self.member(member)).collect();
        if self.opens(group) {
            self.has_opened = true;
            return if members.is_empty() { vec![Piece::Nothing] } else { members };
        }
        vec![if members.iter().all(|piece| matches!(piece, Piece::Raw(_))) {
            Piece::Raw(&group.span)
        } else if members.iter().all(|piece| matches!(piece, Piece::Nothing)) {
            Piece::Nothing
        } else {
            Piece::Group(&group.name_span, members)
        }]
    }

    /// A comment anywhere in a group counts: where it belongs to is read in different ways.
    fn opens(&self, group: &Group) -> bool {
        let has = |span: &Range<usize>, octet| {
            self.value.get(span.clone()).is_some_and(|bytes| memchr(octet, bytes).is_some())
        };
        match self.on_group {
            OnGroup::Keep => false,
            OnGroup::KeepPlain => has(&group.name_span, b'@') || has(&group.span, b'('),
            OnGroup::Open => true,
        }
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
