//! For people: by level, worst first, a line each with the version that mends it; the binary packages of one source package together.

use super::Shown;
use crate::matching::Vulnerability;
use crate::severity::Level;
use std::collections::BTreeMap;

/// A line: one vulnerability of one package, with the binary packages and places that have it.
struct Line {
    id: String,
    package: String,
    version: String,
    fixed: String,
    place: String,
    summary: String,
}

pub(super) fn render(shown: &Shown<'_>) -> String {
    let mut out = Vec::new();
    let found: Vec<&Vulnerability> = shown.judged.counted.iter().chain(&shown.judged.others).collect();
    for level in Level::ALL {
        let of_level: Vec<&Vulnerability> = found.iter().copied().filter(|found| found.severity.level == level).collect();
        if of_level.is_empty() {
            continue;
        }
        if !out.is_empty() {
            out.push(String::new());
        }
        let lines = lines(&of_level, shown);
        let note = if level == Level::Unknown { "; nobody weighed these, they count as high" } else { "" };
        out.push(format!("{} ({}{note})", paint(shown, level), lines.len()));
        out.extend(aligned(&lines, shown.width));
    }
    out.join("\n")
}

fn lines(found: &[&Vulnerability], shown: &Shown<'_>) -> Vec<Line> {
    let mut groups: BTreeMap<(String, String, &str), Vec<&Vulnerability>> = BTreeMap::new();
    let mut order = Vec::new();
    for one in found {
        let (name, version) = match &one.package.source {
            Some(source) => (source.name.clone(), source.version.clone()),
            None => (one.package.package.clone(), one.package.version.clone()),
        };
        let key = (name, version, one.id.as_str());
        if !groups.contains_key(&key) {
            order.push(key.clone());
        }
        groups.entry(key).or_default().push(one);
    }
    let mut lines: Vec<Line> = order.into_iter().filter_map(|key| Some(line(&key.0, &key.1, groups.get(&key)?, shown))).collect();
    // What belongs to one package stands together.
    lines.sort_by(|a, b| a.package.cmp(&b.package).then_with(|| a.version.cmp(&b.version)));
    lines
}

fn line(name: &str, version: &str, found: &[&Vulnerability], shown: &Shown<'_>) -> Line {
    let mut packages: Vec<&str> = found.iter().map(|one| one.package.package.as_str()).filter(|package| *package != name).collect();
    packages.sort_unstable();
    packages.dedup();
    let package = match packages.as_slice() {
        [] => name.to_owned(),
        [one] => format!("{name} ({one})"),
        [one, rest @ ..] => format!("{name} ({one} +{})", rest.len()),
    };
    let mut places: Vec<String> = found.iter().map(|one| place(one)).collect();
    places.sort_unstable();
    places.dedup();
    let more = if places.len() > 1 { format!(" +{}", places.len() - 1) } else { String::new() };
    let first = found.first();
    let counted = first.is_some_and(|first| shown.judged.counted.contains(first));
    Line {
        id: first.map(|first| format!("{} {}", if counted { "!" } else { " " }, id(first))).unwrap_or_default(),
        package: plain(&package),
        version: plain(version),
        fixed: first.map(|first| first.fixed.as_deref().map_or_else(|| format!("({})", first.status.words()), plain)).unwrap_or_default(),
        place: plain(&format!("{}{more}", places.first().map(String::as_str).unwrap_or_default())),
        summary: first.map(|first| plain(&first.summary)).unwrap_or_default(),
    }
}

/// The id with the number that people know it by.
fn id(found: &Vulnerability) -> String {
    match found.cve() {
        // `DEBIAN-CVE-2024-1` says it already.
        Some(cve) if !found.id.ends_with(cve) => plain(&format!("{} {cve}", found.id)),
        Some(cve) => plain(cve),
        None => match found.upstream.as_slice() {
            [] => plain(&found.id),
            [one] => plain(&format!("{} {one}", found.id)),
            [one, rest @ ..] => plain(&format!("{} {one} +{}", found.id, rest.len())),
        },
    }
}

/// Where a distribution keeps its packages is no news.
fn place(found: &Vulnerability) -> String {
    let package = &found.package;
    match (package.ecosystem.is_distribution(), package.line) {
        (true, _) => String::new(),
        (false, Some(line)) => format!("{}:{line}", package.file),
        (false, None) => package.file.clone(),
    }
}

fn aligned(lines: &[Line], width: usize) -> Vec<String> {
    const MOST: [usize; 5] = [40, 36, 24, 26, 40];
    let cells =
        |line: &Line| [line.id.clone(), line.package.clone(), line.version.clone(), format!("-> {}", line.fixed), line.place.clone()];
    let mut widths = [0; 5];
    for line in lines {
        for (width, (cell, most)) in widths.iter_mut().zip(cells(line).iter().zip(MOST)) {
            *width = (*width).max(cell.chars().count().min(most));
        }
    }
    let told = |line: &Line| {
        let mut text = String::new();
        for (cell, width) in cells(line).iter().zip(widths).filter(|(_, width)| *width > 0) {
            text += &format!("{cell:<width$}  ");
        }
        let left = width.saturating_sub(text.chars().count());
        text += &if left >= 16 { cut(&line.summary, left) } else { String::new() };
        text.trim_end().to_owned()
    };
    lines.iter().map(told).collect()
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width { text.to_owned() } else { text.chars().take(width.saturating_sub(1)).chain(['…']).collect() }
}

fn paint(shown: &Shown<'_>, level: Level) -> String {
    let name = level.name().to_uppercase();
    let code = match level {
        Level::Critical => "1;31",
        Level::High => "31",
        Level::Medium => "33",
        Level::Low => "2",
        Level::Unknown => "35",
    };
    if shown.colored { format!("\x1b[{code}m{name}\x1b[0m") } else { name }
}

/// Foreign text as a terminal may show it.
fn plain(text: &str) -> String {
    let moves = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}');
    text.chars().map(|c| if moves(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
