//! The layers hold: imports point down only, and the pure layers stay pure.
//!
//! Reads every file under `src/` with a Rust parser (so comments, strings and grouped imports cannot confuse it), resolves
//! each `crate::`, `self::` and `super::` path to the layer that it names, and fails with file, line and the arrow that
//! points up. Paths inside macro calls count as well. What it does not see: a path that a macro puts together from parts.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::visit::{self, Visit};

/// The layers from the bottom up. A file may name its own layer and those of lower steps; layers on one step do not know
/// one another. `smtp` stands on `mail` because envelopes carry addresses.
const STEPS: &[&[&str]] = &[
    &["mail"],
    &["smtp"],
    &["relay"],
    &["queue", "admin", "auth", "pgp"],
    &["store", "net", "telemetry", "api"],
    &["config"],
    &["app"],
    &["cli"],
    &["main"],
];

/// Layers that are functions of their arguments: no I/O, no clock, no randomness.
const PURE: &[&str] = &["mail", "smtp", "relay"];

/// What a pure layer must not name: these, and everything behind them.
const IMPURE: &[&str] = &[
    "tokio",
    "tokio_util",
    "tokio_rustls",
    "rustls",
    "sqlx",
    "axum",
    "hyper",
    "hyper_util",
    "hickory_resolver",
    "hickory_proto",
    "socket2",
    "tracing",
    "tracing_subscriber",
    "metrics",
    "metrics_exporter_prometheus",
    "rand",
    "getrandom",
    "aws_lc_rs::rand",
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::net::UdpSocket",
    "std::net::ToSocketAddrs",
    "std::os::unix::net",
    "std::time::SystemTime",
    "std::time::Instant",
];

/// Functions that read a clock, whatever type they belong to.
const CLOCKS: &[&str] = &["now", "now_utc", "now_local"];

/// Names that say nothing about what a file holds.
const EMPTY_NAMES: &[&str] = &[
    "util", "utils", "common", "helper", "helpers", "core", "manager", "managers", "handler", "handlers",
    "misc",
];

#[test]
fn imports_point_down_only() {
    let violations = check(&sources());
    let shown: Vec<String> = violations.iter().map(ToString::to_string).collect();
    assert!(violations.is_empty(), "{} import(s) break the layers:\n{}", shown.len(), shown.join("\n"));
}

#[test]
fn every_layer_says_what_it_is() {
    let missing: Vec<PathBuf> = sources()
        .into_iter()
        .filter(|source| source.is_head_of_a_layer() && !source.has_header())
        .map(|source| source.file)
        .collect();
    assert!(missing.is_empty(), "layers without a `//!` header of a sentence: {missing:?}");
}

#[test]
fn every_file_name_says_what_is_in_it() {
    let empty: Vec<PathBuf> = sources()
        .into_iter()
        .filter(|source| source.module.iter().any(|name| EMPTY_NAMES.contains(&name.as_str())))
        .map(|source| source.file)
        .collect();
    assert!(empty.is_empty(), "names that say nothing: {empty:?}");
}

/// A parsed file and the place of its module in the crate.
struct Source {
    file: PathBuf,
    module: Vec<String>,
    code: syn::File,
}

impl Source {
    /// `file` is relative to the package, as `src/mail/address.rs`.
    fn parse(file: &str, text: &str) -> syn::Result<Self> {
        Ok(Self { file: PathBuf::from(file), module: module_of(file), code: syn::parse_file(text)? })
    }

    fn layer(&self) -> Option<&str> {
        self.module.first().map(String::as_str)
    }

    fn is_head_of_a_layer(&self) -> bool {
        self.module.len() == 1 && self.file.ends_with("mod.rs")
    }

    fn has_header(&self) -> bool {
        let text: String = self.code.attrs.iter().filter_map(doc_text).collect();
        text.trim().trim_end_matches(')').ends_with('.') && text.split_whitespace().count() >= 4
    }
}

/// `src/mail/address.rs` is `mail::address`; `lib.rs` is the root, and programs are the layer `main`.
fn module_of(file: &str) -> Vec<String> {
    let inside = file.trim_start_matches("src/").trim_end_matches(".rs");
    if inside == "main" || inside.starts_with("bin/") {
        return vec!["main".to_owned()];
    }
    inside.split('/').filter(|name| !matches!(*name, "mod" | "lib")).map(str::to_owned).collect()
}

fn doc_text(attribute: &syn::Attribute) -> Option<String> {
    let syn::Meta::NameValue(meta) = &attribute.meta else { return None };
    let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &meta.value else { return None };
    attribute.path().is_ident("doc").then(|| text.value())
}

/// All of `src/`, in the order of the names.
#[cfg(test)]
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = BTreeSet::new();
    collect(&root.join("src"), &mut files).expect("src/ can be read");
    assert!(!files.is_empty(), "no source found");
    files.iter().map(|file| read(root, file)).collect()
}

#[cfg(test)]
fn read(root: &Path, file: &Path) -> Source {
    let name = file.strip_prefix(root).expect("a file of this package").to_string_lossy();
    let text = std::fs::read_to_string(file).expect("a readable source file");
    Source::parse(&name, &text).unwrap_or_else(|error| panic!("{name} does not parse: {error}"))
}

fn collect(folder: &Path, files: &mut BTreeSet<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.insert(path);
        }
    }
    Ok(())
}

/// An import that must not be.
#[derive(Debug, PartialEq, Eq)]
struct Violation {
    file: PathBuf,
    line: usize,
    layer: String,
    /// The other end of the arrow: a layer, or a path outside the crate.
    target: String,
    why: &'static str,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, layer, target, why } = self;
        write!(f, "{}:{line}: {layer} -> {target}: {why}", file.display())
    }
}

fn check(sources: &[Source]) -> Vec<Violation> {
    let tests: BTreeSet<Vec<String>> = sources.iter().flat_map(test_modules).collect();
    sources.iter().flat_map(|source| check_file(source, &tests)).collect()
}

/// The modules in files of their own that exist only for tests: `#[cfg(test)] mod tests;`.
fn test_modules(source: &Source) -> Vec<Vec<String>> {
    let declared = source.code.items.iter().filter_map(|item| match item {
        syn::Item::Mod(module) if module.content.is_none() && is_test_only(&module.attrs) => Some(module),
        _ => None,
    });
    declared.map(|module| [source.module.clone(), vec![module.ident.to_string()]].concat()).collect()
}

fn check_file(source: &Source, tests: &BTreeSet<Vec<String>>) -> Vec<Violation> {
    // `lib.rs` only declares the layers.
    let Some(layer) = source.layer() else { return Vec::new() };
    let in_test = (1..=source.module.len()).any(|depth| tests.contains(&source.module[..depth]));
    let module = source.module.clone();
    let mut reader = Reader { source, layer, module, in_test, violations: Vec::new() };
    if step_of(layer).is_none() {
        reader.report(Span::call_site(), layer, NO_LAYER);
    }
    reader.visit_file(&source.code);
    reader.violations
}

const NO_LAYER: &str = "not a layer: put it into STEPS of tests/layering.rs";

fn step_of(layer: &str) -> Option<usize> {
    STEPS.iter().position(|step| step.contains(&layer))
}

/// Walks one file and judges every path in it.
struct Reader<'a> {
    source: &'a Source,
    layer: &'a str,
    /// Where in the crate the walk is now; inline modules make it longer.
    module: Vec<String>,
    in_test: bool,
    violations: Vec<Violation>,
}

impl Reader<'_> {
    fn report(&mut self, at: Span, target: &str, why: &'static str) {
        self.violations.push(Violation {
            file: self.source.file.clone(),
            line: at.start().line,
            layer: self.layer.to_owned(),
            target: target.to_owned(),
            why,
        });
    }

    /// A path in code or at the end of an import; `*` stands for a glob.
    fn judge(&mut self, path: &[String], at: Span, place: Place) {
        match self.resolve(path) {
            Some(inside) => self.judge_inside(&inside, at, place),
            None if PURE.contains(&self.layer) && !self.in_test => self.judge_outside(path, at, place),
            None => {}
        }
    }

    /// The path from the crate's root, if it names something in this crate by `crate`, `self` or `super`.
    fn resolve(&self, path: &[String]) -> Option<Vec<String>> {
        let mut base = match path.first()?.as_str() {
            "crate" | "aliasd" => Vec::new(),
            "self" | "super" => self.module.clone(),
            _ => return None,
        };
        for name in path {
            match name.as_str() {
                "crate" | "aliasd" | "self" => {}
                "super" => drop(base.pop()),
                name => base.push(name.to_owned()),
            }
        }
        Some(base)
    }

    fn judge_inside(&mut self, inside: &[String], at: Span, place: Place) {
        match inside.first().map(String::as_str) {
            None | Some("*") if place == Place::Import => {
                self.report(at, "crate", "names the whole crate: import what is needed by name");
            }
            Some(target) if target != self.layer => self.judge_layer(target, at),
            _ => {}
        }
    }

    fn judge_layer(&mut self, target: &str, at: Span) {
        let (Some(from), Some(to)) = (step_of(self.layer), step_of(target)) else {
            return self.report(at, target, NO_LAYER);
        };
        match from.cmp(&to) {
            std::cmp::Ordering::Less => self.report(at, target, "points up"),
            std::cmp::Ordering::Equal => {
                self.report(at, target, "layers on one step do not know one another");
            }
            std::cmp::Ordering::Greater => {}
        }
    }

    fn judge_outside(&mut self, path: &[String], at: Span, place: Place) {
        // One name alone in code is a variable or a function of the file.
        if path.len() < 2 && place == Place::Code {
            return;
        }
        let written = path.join("::");
        if IMPURE.iter().any(|impure| is_within(&written, impure)) {
            self.report(at, &written, "does not belong in a pure layer");
        } else if path.last().is_some_and(|name| CLOCKS.contains(&name.as_str())) {
            self.report(at, &written, "reads the clock in a pure layer");
        } else if place == Place::Import && IMPURE.iter().any(|impure| is_within(impure, opened(&written))) {
            self.report(
                at,
                &written,
                "opens a module with impure things in it: import what is needed by name",
            );
        }
    }

    /// Paths in the tokens of a macro call or attribute, which the parser leaves as they are.
    fn judge_tokens(&mut self, tokens: TokenStream) {
        let mut path = TokenPath::default();
        for token in tokens {
            match token {
                TokenTree::Ident(name) if path.goes_on() => path.push(&name),
                TokenTree::Ident(name) => {
                    self.judge_token_path(&std::mem::take(&mut path));
                    path.push(&name);
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' => path.colons += 1,
                other => {
                    self.judge_token_path(&std::mem::take(&mut path));
                    if let TokenTree::Group(group) = other {
                        self.judge_tokens(group.stream());
                    }
                }
            }
        }
        self.judge_token_path(&path);
    }

    fn judge_token_path(&mut self, path: &TokenPath) {
        if let Some(start) = path.start {
            self.judge(&path.names, start, Place::Code);
        }
    }

    fn judge_import(&mut self, prefix: &[String], tree: &syn::UseTree) {
        let with = |name: &syn::Ident| [prefix, &[name.to_string()]].concat();
        match tree {
            syn::UseTree::Path(step) => self.judge_import(&with(&step.ident), &step.tree),
            syn::UseTree::Name(name) => self.judge(&with(&name.ident), name.ident.span(), Place::Import),
            syn::UseTree::Rename(name) => self.judge(&with(&name.ident), name.ident.span(), Place::Import),
            syn::UseTree::Glob(glob) => {
                let all = [prefix, &["*".to_owned()]].concat();
                self.judge(&all, glob.star_token.spans[0], Place::Import);
            }
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.judge_import(prefix, tree)),
        }
    }

    /// Walks something that may stand behind `#[cfg(test)]`.
    fn within(&mut self, attributes: &[syn::Attribute], walk: impl FnOnce(&mut Self)) {
        let before = self.in_test;
        self.in_test |= is_test_only(attributes);
        walk(self);
        self.in_test = before;
    }
}

/// Where a path stands: an import opens the way to everything behind it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Import,
    Code,
}

/// A path that is being put together from tokens.
#[derive(Default)]
struct TokenPath {
    names: Vec<String>,
    start: Option<Span>,
    colons: u8,
}

impl TokenPath {
    fn goes_on(&self) -> bool {
        self.colons == 2
    }

    fn push(&mut self, name: &proc_macro2::Ident) {
        self.start.get_or_insert(name.span());
        self.names.push(name.to_string());
        self.colons = 0;
    }
}

/// `path` is `prefix` or lies behind it.
fn is_within(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// What an import opens: `a::b` for `a::b::*` and `a::b::self`, and `a::b` itself, which may be a module.
fn opened(import: &str) -> &str {
    import.strip_suffix("::*").or_else(|| import.strip_suffix("::self")).unwrap_or(import)
}

/// `#[cfg(test)]`, also among other conditions, or `#[test]`.
fn is_test_only(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::List(list) if list.path.is_ident("cfg") => {
            let condition = list.tokens.to_string();
            condition == "test" || (condition.starts_with("all") && condition.contains("test"))
        }
        meta => meta.path().is_ident("test"),
    })
}

fn attributes_of(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        _ => &[],
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        self.within(attributes_of(item), |reader| visit::visit_item(reader, item));
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        self.module.push(module.ident.to_string());
        visit::visit_item_mod(self, module);
        self.module.pop();
    }

    fn visit_item_use(&mut self, import: &'ast syn::ItemUse) {
        self.judge_import(&[], &import.tree);
    }

    fn visit_item_extern_crate(&mut self, import: &'ast syn::ItemExternCrate) {
        self.judge(&[import.ident.to_string()], import.ident.span(), Place::Import);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let start = path.segments.first().map_or_else(Span::call_site, |segment| segment.ident.span());
        self.judge(&names, start, Place::Code);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        self.judge_tokens(call.tokens.clone());
    }

    fn visit_meta_list(&mut self, list: &'ast syn::MetaList) {
        self.judge_tokens(list.tokens.clone());
    }
}

/// The checker itself: each rule broken by a small source.
#[cfg(test)]
mod checker {
    use super::{Source, check};

    fn source(file: &str, text: &str) -> Source {
        Source::parse(file, text).expect(text)
    }

    /// The arrows found in one file, as `layer -> target` with their lines.
    fn arrows(file: &str, text: &str) -> Vec<(usize, String)> {
        let found = check(&[source(file, text)]);
        found.iter().map(|wrong| (wrong.line, format!("{} -> {}", wrong.layer, wrong.target))).collect()
    }

    fn one(line: usize, arrow: &str) -> Vec<(usize, String)> {
        vec![(line, arrow.to_owned())]
    }

    #[test]
    fn an_arrow_that_points_up_is_found_with_its_line() {
        for (file, text, arrow) in [
            ("src/mail/edit.rs", "use crate::smtp::Reply;", "mail -> smtp"),
            ("src/smtp/reply.rs", "use crate::relay::plan;", "smtp -> relay"),
            ("src/relay/plan.rs", "use crate::store;", "relay -> store"),
            ("src/relay/plan.rs", "use crate::{mail::Address, queue::Intake};", "relay -> queue"),
            ("src/store/mod.rs", "pub use crate::cli::{self};", "store -> cli"),
            ("src/net/tls.rs", "fn f(c: &crate::config::Tls) {}", "net -> config"),
            ("src/net/tls.rs", "fn f() { crate::app::run() }", "net -> app"),
            ("src/net/tls.rs", "fn f() { <crate::app::App as Default>::default(); }", "net -> app"),
            ("src/net/tls.rs", "fn f() { println!(\"{}\", 1 + crate::app::run()) }", "net -> app"),
            ("src/net/tls.rs", "macro_rules! m { () => { $crate::app::run() } }", "net -> app"),
            ("src/net/tls.rs", "use super::super::app::run;", "net -> app"),
            ("src/net/mod.rs", "mod a { mod b { use super::super::super::app::run; } }", "net -> app"),
            ("src/config/mod.rs", "#[derive(Debug)] struct S { a: Vec<crate::cli::A> }", "config -> cli"),
            ("src/mail/mod.rs", "#[cfg(test)] mod tests { use crate::relay::x; }", "mail -> relay"),
        ] {
            assert_eq!(arrows(file, &format!("//! A header.\n{text}\n")), one(2, arrow), "{text}");
        }
    }

    #[test]
    fn layers_on_one_step_do_not_know_one_another() {
        assert_eq!(arrows("src/queue/mod.rs", "use crate::admin::x;"), one(1, "queue -> admin"));
        assert_eq!(arrows("src/store/mod.rs", "\nuse crate::net::x;"), one(2, "store -> net"));
        assert_eq!(arrows("src/net/mod.rs", "use crate::telemetry::x;"), one(1, "net -> telemetry"));
    }

    #[test]
    fn arrows_that_point_down_or_stay_within_a_layer_are_fine() {
        for (file, text) in [
            ("src/smtp/mod.rs", "use crate::mail::Address;"),
            ("src/relay/plan.rs", "use super::alias::Alias; use crate::{mail, smtp};"),
            ("src/cli/mod.rs", "use crate::{app, config, store, admin, mail};"),
            ("src/main.rs", "fn main() { aliasd::cli::run() }"),
            ("src/mail/a.rs", "mod tests { use super::*; use super::super::b; }"),
            ("src/lib.rs", "pub mod mail; pub mod cli;"),
            ("src/store/a.rs", "pub(crate) fn f() {} pub(in crate::store) fn g() {}"),
        ] {
            assert_eq!(arrows(file, text), [], "{text}");
        }
    }

    #[test]
    fn comments_strings_and_doc_links_are_not_imports() {
        let text = "//! See [`crate::cli`].\n// use crate::cli;\n/* crate::app::x */\n/// [`crate::store`]\n\
                    const A: &str = \"use crate::cli::x; tokio::spawn\";\nconst B: &str = r#\"crate::net::y\"#;";
        assert_eq!(arrows("src/mail/mod.rs", text), []);
    }

    #[test]
    fn a_pure_layer_names_nothing_impure() {
        for (text, target) in [
            ("use tokio::net::TcpStream;", "tokio::net::TcpStream"),
            ("use std::{fmt, fs};", "std::fs"),
            ("use std::fs::File;", "std::fs::File"),
            ("use std::time::Instant;", "std::time::Instant"),
            ("use std::time::{Duration, SystemTime as T};", "std::time::SystemTime"),
            ("use std::time;", "std::time"),
            ("use std::net::*;", "std::net::*"),
            ("use std::net::{self, IpAddr};", "std::net::self"),
            ("fn f() { let _ = std::time::SystemTime::now(); }", "std::time::SystemTime::now"),
            ("fn f() { let _ = time::OffsetDateTime::now_utc(); }", "time::OffsetDateTime::now_utc"),
            ("fn f() { tracing::info!(\"x\"); }", "tracing::info"),
            ("fn f() { metrics::counter!(\"x\").increment(1); }", "metrics::counter"),
            ("fn f() { let _ = vec![rand::random::<u8>()]; }", "rand::random"),
            ("use aws_lc_rs::rand::SystemRandom;", "aws_lc_rs::rand::SystemRandom"),
            ("extern crate sqlx;", "sqlx"),
            ("fn f(_: ::rustls::ServerConfig) {}", "rustls::ServerConfig"),
        ] {
            for layer in ["mail", "smtp", "relay"] {
                let found = arrows(&format!("src/{layer}/x.rs"), text);
                assert_eq!(found, one(1, &format!("{layer} -> {target}")), "{text}");
            }
            assert_eq!(arrows("src/net/x.rs", text), [], "{text}");
        }
    }

    #[test]
    fn a_pure_layer_may_name_what_only_computes() {
        let text = "use std::net::{IpAddr, Ipv4Addr}; use std::time::Duration; use std::{fmt, io};\n\
                    use aws_lc_rs::hkdf; use bytes::Bytes; fn now(rand: u8) -> u8 { rand } fn g() { now(1); }";
        assert_eq!(arrows("src/relay/x.rs", text), []);
    }

    #[test]
    fn tests_of_a_pure_layer_may_use_more_crates() {
        let inline =
            "#[cfg(test)] mod tests { use std::time::Instant; #[test] fn t() { tokio::spawn(()); } }";
        assert_eq!(arrows("src/mail/x.rs", inline), []);
        assert_eq!(arrows("src/mail/x.rs", "#[cfg(not(test))] mod a { use std::fs; }").len(), 1);

        let parent = source("src/mail/x.rs", "#[cfg(test)] mod tests;");
        let own_file = source("src/mail/x/tests.rs", "use std::fs; use crate::smtp::x;");
        let found = check(&[parent, own_file]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].target, "smtp");
    }

    #[test]
    fn the_crate_cannot_be_opened_as_a_whole() {
        for text in ["use crate::*;", "use crate as all;", "use super::super::*;"] {
            assert_eq!(arrows("src/mail/x.rs", text), one(1, "mail -> crate"), "{text}");
        }
    }

    #[test]
    fn a_folder_that_is_no_layer_is_named() {
        assert_eq!(arrows("src/stuff/mod.rs", "\n\n"), one(1, "stuff -> stuff"));
        assert_eq!(arrows("src/cli/mod.rs", "use crate::stuff::x;"), one(1, "cli -> stuff"));
    }

    #[test]
    fn a_header_is_a_sentence() {
        let has = |text| source("src/mail/mod.rs", text).has_header();
        assert!(has("//! Bytes and grammar of messages."));
        assert!(!has("// Bytes and grammar of messages."));
        assert!(!has("//! store"));
    }

    #[test]
    fn a_violation_reads_as_file_line_and_arrow() {
        let found = check(&[source("src/mail/x.rs", "\n\nuse crate::cli;")]);
        assert_eq!(found[0].to_string(), "src/mail/x.rs:3: mail -> cli: points up");
    }
}
