//! Readers of ENV, LABEL, ARG and EXPOSE: instructions made of words in which quotes and escapes count.

use super::Reader;
use crate::instruction::{Argument, KeyValue, Kind};
use crate::logical::{Logical, is_blank};
use crate::span::Word;

pub(super) fn env(reader: &mut Reader<'_, '_>) -> Option<Kind> {
    pairs(reader).map(Kind::Env)
}

pub(super) fn label(reader: &mut Reader<'_, '_>) -> Option<Kind> {
    pairs(reader).map(Kind::Label)
}

pub(super) fn arg(reader: &mut Reader<'_, '_>) -> Option<Kind> {
    reader.required("a name")?;
    let ranges = ranges(reader.logical, reader.start, reader.end, reader.escape);
    let mut arguments = Vec::new();
    for (start, end) in ranges {
        let (name, default) = split(reader.logical, start, end);
        if name.text.is_empty() {
            reader.wrong(name.span, "ARG lacks a name before the equals sign", "write `ARG NAME=DEFAULT`");
            continue;
        }
        arguments.push(Argument { name, default });
    }
    Some(Kind::Arg(arguments))
}

pub(super) fn expose(reader: &mut Reader<'_, '_>) -> Option<Kind> {
    reader.required("a port")?;
    let ports = reader.words();
    let wrong: Vec<Word> = ports.iter().filter(|port| !is_port(&port.text)).cloned().collect();
    for port in wrong {
        reader.wrong(port.span, format!("`{}` is no port to expose", port.text), "write `80`, `80/tcp`, `53/udp` or `8000-8010`");
    }
    Some(Kind::Expose(ports))
}

fn pairs(reader: &mut Reader<'_, '_>) -> Option<Vec<KeyValue>> {
    reader.required("a name and a value")?;
    let logical = reader.logical;
    let ranges = ranges(logical, reader.start, reader.end, reader.escape);
    let first_has_value = ranges.first().is_some_and(|(start, end)| split(logical, *start, *end).1.is_some());
    if !first_has_value {
        return legacy(reader).map(|pair| vec![pair]);
    }
    let mut pairs = Vec::new();
    for (start, end) in ranges {
        let (key, value) = split(logical, start, end);
        match value {
            None => {
                reader.wrong(key.span, format!("`{}` has no equals sign", key.text), "write `NAME=VALUE`, a value with spaces in quotes")
            }
            Some(_) if key.text.is_empty() => reader.wrong(logical.span(start, end), "a name is missing before the equals sign", ""),
            Some(value) => pairs.push(KeyValue { key, value, legacy: false }),
        }
    }
    Some(pairs)
}

/// `KEY the whole rest`.
fn legacy(reader: &mut Reader<'_, '_>) -> Option<KeyValue> {
    let text = reader.text();
    let Some(length) = text.find(is_blank) else {
        let message = format!("{} has a name and no value", reader.name());
        let help = format!("write `{} NAME=VALUE`", reader.name());
        reader.wrong(reader.span(), message, help);
        return None;
    };
    let key = reader.logical.word(reader.start, reader.start + length);
    let (start, end) = reader.logical.trim(reader.start + length, reader.end);
    Some(KeyValue { key, value: reader.logical.word(start, end), legacy: true })
}

fn split(logical: &Logical, start: usize, end: usize) -> (Word, Option<Word>) {
    let text = logical.text.get(start..end).unwrap_or_default();
    match text.find('=') {
        None => (logical.word(start, end), None),
        Some(at) => (logical.word(start, start + at), Some(logical.word(start + at + 1, end))),
    }
}

/// The ranges of words, which quotes and escapes hold together; an open quote reaches to the end.
fn ranges(logical: &Logical, start: usize, end: usize, escape: char) -> Vec<(usize, usize)> {
    let text = logical.text.get(start..end).unwrap_or_default();
    let (mut ranges, mut from, mut quote) = (Vec::new(), None, None);
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        if quote.is_none() && (is_blank(c) || c.is_whitespace()) {
            ranges.extend(from.take().map(|from| (start + from, start + at)));
            continue;
        }
        from = from.or(Some(at));
        match quote {
            _ if c == escape => drop(chars.next()),
            None if c == '\'' || c == '"' => quote = Some(c),
            Some(open) if c == open => quote = None,
            _ => {}
        }
    }
    ranges.extend(from.map(|from| (start + from, end)));
    ranges
}

/// A port, a range of ports, with a protocol or not; with a variable nothing can be said yet. The old `ADDRESS:HOST:PORT` counts by its end.
fn is_port(text: &str) -> bool {
    if text.contains('$') || text.contains(['"', '\'']) {
        return true;
    }
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol_known = ["tcp", "udp", "sctp"].iter().any(|known| protocol.eq_ignore_ascii_case(known));
    let ports = ports.rsplit(':').next().unwrap_or_default();
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let number = |text: &str| text.parse::<u32>().ok();
    protocol_known && number(first).zip(number(last)).is_some_and(|(first, last)| first <= last)
}
