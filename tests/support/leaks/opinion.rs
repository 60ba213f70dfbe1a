//! A second opinion on what a message says: that of mail-parser.

use std::panic;

use mail_parser::decoders::html::html_to_text;
use mail_parser::{Addr, Address, HeaderValue, Message, MessageParser, MessagePart, PartType};

use super::{Hunt, Reader, Rule, fields};

const MAX_DEPTH: usize = 20;

/// Looks at all that mail-parser sees in a message. With debug assertions it fails on some multiparts without an end: then it
/// has no opinion.
pub fn read(message: &[u8], hunt: &mut Hunt<'_>) {
    if let Ok(Some(parsed)) = panic::catch_unwind(|| MessageParser::default().parse(message)) {
        read_message(&parsed, "message", hunt, 0);
    }
}

fn read_message(message: &Message<'_>, place: &str, hunt: &mut Hunt<'_>, depth: usize) {
    for (number, part) in message.parts.iter().enumerate() {
        let place = format!("{place} / {number}");
        read_headers(part, &place, hunt);
        match &part.body {
            PartType::Text(text) => hunt.text(Reader::MailParser, &place, text, Rule::Prose),
            PartType::Html(text) => {
                hunt.text(Reader::MailParser, &place, text, Rule::Prose);
                hunt.text(Reader::MailParser, &place, &html_to_text(text), Rule::Prose);
            }
            PartType::Binary(octets) | PartType::InlineBinary(octets) => {
                hunt.bytes(Reader::MailParser, &place, octets, &[], Rule::Prose);
            }
            PartType::Message(nested) if depth < MAX_DEPTH => read_message(nested, &place, hunt, depth + 1),
            PartType::Message(_) | PartType::Multipart(_) => {}
        }
    }
}

fn read_headers(part: &MessagePart<'_>, place: &str, hunt: &mut Hunt<'_>) {
    for header in &part.headers {
        let name = header.name.as_str().to_ascii_lowercase();
        let place = format!("{place}, field {name}");
        for (text, rule) in texts(&header.value, fields::rule(&name)) {
            hunt.text(Reader::MailParser, &place, &text, rule);
        }
    }
}

/// What a field says, and what must not show there.
fn texts(value: &HeaderValue<'_>, rule: Rule) -> Vec<(String, Rule)> {
    match value {
        HeaderValue::Text(text) => vec![(text.to_string(), rule)],
        HeaderValue::TextList(list) => list.iter().map(|text| (text.to_string(), rule)).collect(),
        HeaderValue::Address(address) => people(address).into_iter().map(|text| (text, rule)).collect(),
        HeaderValue::ContentType(value) => {
            let kind = [&value.c_type].into_iter().chain(&value.c_subtype);
            let kind = kind.map(|word| (word.to_string(), Rule::Trace));
            let parameters = value.attributes.iter().flatten();
            let parameters = parameters.map(|parameter| {
                let rule = fields::parameter_rule(&parameter.name.to_ascii_lowercase());
                (parameter.value.to_string(), rule)
            });
            kind.chain(parameters).collect()
        }
        HeaderValue::Received(received) => vec![(format!("{received:?}"), Rule::Trace)],
        HeaderValue::DateTime(_) | HeaderValue::Empty => Vec::new(),
    }
}

fn people(address: &Address<'_>) -> Vec<String> {
    let person = |person: &Addr<'_>| {
        [person.name.as_deref(), person.address.as_deref()].map(|text| text.unwrap_or_default().to_owned())
    };
    match address {
        Address::List(list) => list.iter().flat_map(person).collect(),
        Address::Group(groups) => groups
            .iter()
            .flat_map(|group| {
                let name = group.name.as_deref().unwrap_or_default().to_owned();
                group.addresses.iter().flat_map(person).chain([name]).collect::<Vec<_>>()
            })
            .collect(),
    }
}
