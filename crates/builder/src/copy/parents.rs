//! `--parents`: sources keep the folders that they are in, from the root of where they come from or from a `/./` in them.

use crate::error::Trouble;
use crate::origin::{Item, Origin, Picked, clean, joined};
use crate::pattern::{Pattern, Syntax};
use oci::tar::EntryPath;
use std::collections::{BTreeMap, BTreeSet};

/// The folder that a source's path is kept from, with nothing in it but what matches and the folders above that.
pub(super) fn pick(origin: &Origin<'_>, written: &str) -> Result<Picked, Trouble> {
    let (before, rest) = written.split_once("/./").unwrap_or(("", written));
    let parts = clean(rest);
    if parts.is_empty() {
        return origin.one(before);
    }
    let pattern = Pattern::new(&parts.join("/"), Syntax::Deep).map_err(|why| Trouble::new(format!("`{written}`: {why}")))?;
    let root = origin.at(before)?;
    if !root.item.is_folder() {
        return Err(Trouble::new(format!("`{before}` is no folder, and `{written}` is to be found in it")));
    }
    let below = matches(origin, &root.path, &parts, &pattern)?;
    if below.is_empty() {
        return Err(if pattern.is_literal() {
            origin.missing(written, &path(&root.path, &parts)?)
        } else {
            Trouble::new(format!("nothing matches `{written}`"))
        });
    }
    Ok(Picked { below, ..root })
}

fn matches(origin: &Origin<'_>, root: &EntryPath, parts: &[&str], pattern: &Pattern) -> Result<BTreeMap<EntryPath, Item>, Trouble> {
    // What stands before the first wildcard need not be searched for.
    let plain = parts.iter().take_while(|part| Pattern::new(part, Syntax::Deep).is_ok_and(|pattern| pattern.is_literal())).count();
    let plain = plain.min(parts.len().saturating_sub(1));
    let mut found = BTreeMap::new();
    let mut above = EntryPath::default();
    for part in parts.iter().take(plain) {
        above = above.join(literal(part)?.as_bytes()).map_err(|fault| Trouble::new(fault.to_string()))?;
        match origin.item(&joined(root, &above)?)? {
            Some(item) if item.is_folder() => drop(found.insert(above.clone(), item)),
            _ => return Ok(BTreeMap::new()),
        }
    }
    let all = origin.below(&joined(root, &above)?)?;
    let mut kept = BTreeMap::new();
    let all: BTreeMap<EntryPath, _> =
        all.into_iter().map(|(path, item)| Ok((joined(&above, &path)?, item))).collect::<Result<_, Trouble>>()?;
    let mut whole: BTreeSet<&EntryPath> = BTreeSet::new();
    for (path, item) in &all {
        // A folder that matches is taken with all in it: its members follow it.
        let inside = path.split().is_some_and(|(above, _)| whole.contains(&above));
        if !inside && !pattern.matches(&String::from_utf8_lossy(path.as_bytes())) {
            continue;
        }
        if item.is_folder() {
            whole.insert(path);
        }
        kept.insert(path.clone(), item.clone());
        let mut up = path.split().map(|(up, _)| up).unwrap_or_default();
        while !up.is_root() && !kept.contains_key(&up) {
            let Some(item) = all.get(&up) else { break };
            kept.insert(up.clone(), item.clone());
            up = up.split().map(|(up, _)| up).unwrap_or_default();
        }
    }
    if kept.is_empty() {
        return Ok(kept);
    }
    found.extend(kept);
    Ok(found)
}

fn literal(part: &str) -> Result<String, Trouble> {
    Pattern::new(part, Syntax::Deep).map(|pattern| pattern.literal()).map_err(|why| Trouble::new(format!("`{part}`: {why}")))
}

fn path(root: &EntryPath, parts: &[&str]) -> Result<EntryPath, Trouble> {
    let relative = EntryPath::parse(parts.join("/").as_bytes()).map_err(|fault| Trouble::new(fault.to_string()))?;
    joined(root, &relative)
}
