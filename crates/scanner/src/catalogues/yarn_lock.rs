//! Yarn's lock file: its own format of version 1, and the YAML of later ones, which is read by the same lines.

use super::{Catalogue, Scope};
use crate::package::Ecosystem;
use crate::read::{List, Reading, Told};
use crate::tree::Entry;

/// See the module.
pub const CATALOGUE: Catalogue = Catalogue { name: "yarn-lock", scope: Scope::Sources, wants, read };

fn wants(entry: &Entry) -> bool {
    entry.name() == "yarn.lock"
}

fn read(reading: &mut Reading<'_>) {
    if let Some(text) = reading.text() {
        reading.take(&Ecosystem::Npm, parse(&text));
    }
}

#[derive(Default)]
struct Block<'t> {
    line: u32,
    /// The first of the ranges that it is for.
    key: &'t str,
    version: &'t str,
    /// Later versions name the package itself.
    resolution: &'t str,
    soft: bool,
}

/// Reads the text.
///
/// # Errors
/// When it has none of the format's marks.
pub fn parse(text: &str) -> Result<List, String> {
    if !text.contains("yarn lockfile v1") && !text.contains("__metadata:") && !text.trim().is_empty() {
        return Err("it is no lock file of Yarn: neither `yarn lockfile v1` nor `__metadata` stands in it".to_owned());
    }
    let (mut list, mut block) = (List::default(), Block::default());
    for (number, line) in (1u32..).zip(text.lines()) {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        if !line.starts_with(' ') {
            close(std::mem::take(&mut block), &mut list);
            let key = line.trim_end().trim_end_matches(':').split(", ").next().unwrap_or_default();
            block = Block { line: number, key: unquoted(key.trim_end_matches(',')), ..Block::default() };
            continue;
        }
        // Fields stand two deep; what is deeper belongs to dependencies.
        let Some(field) = line.strip_prefix("  ").filter(|field| !field.starts_with(' ')) else { continue };
        let (name, value) = field.split_once([' ', ':']).unwrap_or((field, ""));
        let value = unquoted(value.trim_start_matches(':').trim());
        match name {
            "version" => block.version = value,
            "resolution" => block.resolution = value,
            "linkType" => block.soft = value == "soft",
            _ => {}
        }
    }
    close(block, &mut list);
    Ok(list)
}

fn close(block: Block<'_>, list: &mut List) {
    // Members of the workspace, and the file's own head.
    if block.key.is_empty() || block.key == "__metadata" || block.soft {
        return;
    }
    let given = if block.resolution.is_empty() { block.key } else { block.resolution };
    let Some((name, range)) = split(given) else {
        list.notes.push((Some(block.line), format!("`{}` names no package", given.escape_debug())));
        return;
    };
    // `x@npm:real@^1` is a package under another name.
    let name = range.strip_prefix("npm:").and_then(split).map_or(name, |(real, _)| real);
    if block.version.is_empty() {
        list.notes.push((Some(block.line), format!("`{}` has no version", name.escape_debug())));
    } else {
        list.packages.push(Told { line: Some(block.line), ..Told::new(name, block.version) });
    }
}

/// A name, which may begin with `@`, and what stands after the next `@`.
fn split(text: &str) -> Option<(&str, &str)> {
    let at = text.char_indices().skip(1).find(|(_, c)| *c == '@')?.0;
    let (name, rest) = text.split_at_checked(at)?;
    Some((name, rest.strip_prefix('@')?))
}

fn unquoted(text: &str) -> &str {
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_are_read() {
        let old = "# yarn lockfile v1\n\n\n\"@s/a@^1.0.0\", \"@s/a@^1.1.0\":\n  version \"1.2.0\"\n  resolved \"https://x\"\n  dependencies:\n    version \"9\"\n\nx@npm:real@^2:\n  version \"2.0.0\"\n";
        let new = "__metadata:\n  version: 8\n\n\"@s/a@npm:^1.0.0, @s/a@npm:^1.1.0\":\n  version: 1.2.0\n  resolution: \"@s/a@npm:1.2.0\"\n  languageName: node\n  linkType: hard\n\n\"x@npm:real@^2\":\n  version: 2.0.0\n  resolution: \"real@npm:2.0.0\"\n  linkType: hard\n\n\"app@workspace:.\":\n  version: 0.0.0-use.local\n  resolution: \"app@workspace:.\"\n  linkType: soft\n";
        let told = |text: &str| {
            parse(text).expect("read").packages.into_iter().map(|told| (told.name, told.version, told.line)).collect::<Vec<_>>()
        };
        assert_eq!(told(old), [("@s/a".into(), "1.2.0".into(), Some(4)), ("real".into(), "2.0.0".into(), Some(10))]);
        assert_eq!(told(new), told(old));
        assert!(parse("else").is_err());
    }
}
