//! Answers on standard output: tables and `key: value` lines for people, JSON for programs.
//!
//! Names and remarks may come from strangers' messages: what a terminal would take for a command is made visible.

use std::fmt::Write as _;
use std::io::{self, Write};

use serde::Serialize;

/// How an answer is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Plain,
    /// For programs: one line.
    Json,
}

/// Something that can be printed.
pub trait View: Serialize {
    /// The heads of a list's columns.
    const COLUMNS: &'static [&'static str];

    /// Its cells in a list, one for each column.
    fn row(&self) -> Vec<String>;

    /// All of it, name by name.
    fn details(&self) -> Vec<(&'static str, String)>;
}

/// Prints one thing.
///
/// # Errors
/// When it cannot be written.
pub fn print_one<V: View>(out: &mut impl Write, form: Form, view: &V) -> io::Result<()> {
    if form == Form::Json {
        return print_json(out, view);
    }
    let details = view.details();
    let width = details.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    details.iter().try_for_each(|(name, value)| {
        writeln!(out, "{:<1$}  {2}", format!("{name}:"), width + 1, printable(value))
    })
}

/// Prints one thing as a line of JSON.
///
/// # Errors
/// When it cannot be written.
pub fn print_json(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    writeln!(out)
}

/// A list that is printed as its pages come in.
pub struct List<'a, W: Write> {
    out: &'a mut W,
    form: Form,
    /// Printed so far.
    rows: usize,
    /// Of the columns; they grow when a later page has a longer cell.
    widths: Vec<usize>,
}

impl<'a, W: Write> List<'a, W> {
    /// Starts a list.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn start(out: &'a mut W, form: Form) -> io::Result<Self> {
        if form == Form::Json {
            write!(out, "{{\"items\":[")?;
        }
        Ok(Self { out, form, rows: 0, widths: Vec::new() })
    }

    /// Prints a page.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn page<V: View>(&mut self, page: &[V]) -> io::Result<()> {
        match self.form {
            Form::Json => page.iter().try_for_each(|view| self.json_item(view)),
            Form::Plain => self.table(page),
        }
    }

    /// Ends the list; an empty one tells people what to do.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(self, when_empty: &str) -> io::Result<()> {
        match self.form {
            Form::Json => writeln!(self.out, "]}}"),
            Form::Plain if self.rows == 0 => writeln!(self.out, "{when_empty}"),
            Form::Plain => Ok(()),
        }
    }

    fn json_item<V: View>(&mut self, view: &V) -> io::Result<()> {
        if self.rows > 0 {
            write!(self.out, ",")?;
        }
        self.rows += 1;
        serde_json::to_writer(&mut *self.out, view).map_err(io::Error::from)
    }

    fn table<V: View>(&mut self, page: &[V]) -> io::Result<()> {
        let heads: Vec<String> = V::COLUMNS.iter().map(|head| head.to_uppercase()).collect();
        let rows: Vec<Vec<String>> =
            page.iter().map(|view| view.row().iter().map(|cell| printable(cell)).collect()).collect();
        self.widths.resize(heads.len(), 0);
        for row in rows.iter().chain([&heads]) {
            self.widths
                .iter_mut()
                .zip(row)
                .for_each(|(width, cell)| *width = (*width).max(cell.chars().count()));
        }
        let head = (self.rows == 0).then_some(&heads);
        self.rows += rows.len();
        head.into_iter().chain(&rows).try_for_each(|row| writeln!(self.out, "{}", aligned(row, &self.widths)))
    }
}

fn aligned(row: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for (cell, width) in row.iter().zip(widths) {
        // Nothing is lost: a `String` takes every write.
        let _ = write!(line, "{cell:<width$}  ");
    }
    line.trim_end().to_owned()
}

/// The text with control characters made visible.
fn printable(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut shown, c| {
        if c.is_control() {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
        shown
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Pair(&'static str, &'static str);

    impl View for Pair {
        const COLUMNS: &'static [&'static str] = &["name", "value"];

        fn row(&self) -> Vec<String> {
            vec![self.0.into(), self.1.into()]
        }

        fn details(&self) -> Vec<(&'static str, String)> {
            vec![("name", self.0.into()), ("a value", self.1.into())]
        }
    }

    fn list(form: Form, pages: &[&[Pair]]) -> String {
        let mut out = Vec::new();
        let mut list = List::start(&mut out, form).unwrap();
        pages.iter().for_each(|page| list.page(page).unwrap());
        list.finish("nothing here").unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_table_is_aligned_and_has_one_head() {
        let text = list(Form::Plain, &[&[Pair("a", "1"), Pair("häuser", "2")], &[Pair("c", "3")]]);
        assert_eq!(text, "NAME    VALUE\na       1\nhäuser  2\nc       3\n");
    }

    #[test]
    fn json_is_one_object_however_many_pages_there_are() {
        assert_eq!(
            list(Form::Json, &[&[Pair("a", "1")], &[Pair("b", "2")]]),
            "{\"items\":[[\"a\",\"1\"],[\"b\",\"2\"]]}\n"
        );
        assert_eq!(list(Form::Json, &[]), "{\"items\":[]}\n");
    }

    #[test]
    fn an_empty_list_says_what_to_do() {
        assert_eq!(list(Form::Plain, &[]), "nothing here\n");
    }

    #[test]
    fn what_a_terminal_would_obey_is_made_visible() {
        let mut out = Vec::new();
        print_one(&mut out, Form::Plain, &Pair("x", "\u{1b}[2Jevil\r\n\u{9b}")).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "name:     x\na value:  \\u{1b}[2Jevil\\r\\n\\u{9b}\n");
    }
}
