//! Files and functions stay short. What was longer when the rule came stands in `lengths.txt` with its length, which may only shrink.

use super::tree::{File, Tree};
use super::{Check, Violations};
use std::collections::BTreeMap;

pub(super) const CHECK: Check = Check { about: "files under 400 lines, functions under 70", run };

const LONGEST_FILE: usize = 400;
const LONGEST_FUNCTION: usize = 70;
const LIST: &str = "xtask/src/tidy/lengths.txt";

fn run(tree: &Tree, found: &mut Violations) {
    let allowed = allowed(tree);
    let long = too_long(tree);
    for (name, (path, line, length)) in &long {
        match allowed.get(name) {
            None => found.add(path, *line, format!("`{name}` has {length} lines: split it")),
            Some(most) if length > most => found.add(path, *line, format!("`{name}` has grown from {most} to {length} lines: split it")),
            Some(_) => {}
        }
    }
    for (index, name) in allowed.keys().enumerate().filter(|(_, name)| !long.contains_key(*name)) {
        found.add(LIST, index + 1, format!("`{name}` is short now: take it out (`xtask tidy --shrink`)"));
    }
}

/// Writes the list anew: what has shrunk is lowered, what is short goes out, nothing is raised or added.
pub(super) fn shrink(tree: &Tree) -> Result<(), String> {
    let long = too_long(tree);
    let kept = allowed(tree).into_iter().filter_map(|(name, most)| {
        let (_, _, length) = long.get(&name)?;
        Some(format!("{} {name}\n", most.min(*length)))
    });
    std::fs::write(tree.root.join(LIST), kept.collect::<String>()).map_err(|error| format!("cannot write {LIST}: {error}"))
}

fn allowed(tree: &Tree) -> BTreeMap<String, usize> {
    let lines = tree.get(LIST).map(|file| file.text.lines()).into_iter().flatten();
    lines.filter_map(|line| line.split_once(' ')).filter_map(|(length, name)| Some((name.to_owned(), length.parse().ok()?))).collect()
}

/// By name: file, line and length of everything that is too long.
fn too_long(tree: &Tree) -> BTreeMap<String, (String, usize, usize)> {
    let mut long = BTreeMap::new();
    for file in tree.rust().filter(|file| !file.is_generated()) {
        let lines = file.text.lines().count();
        if lines > LONGEST_FILE {
            long.insert(file.path.clone(), (file.path.clone(), 1, lines));
        }
        for (name, line, length) in functions(file).into_iter().filter(|(_, _, length)| *length > LONGEST_FUNCTION) {
            long.insert(format!("{}::{name}", file.path), (file.path.clone(), line, length));
        }
    }
    long
}

/// Name, line and length of every function; the length counts from `fn` to the closing brace.
fn functions(file: &File) -> Vec<(String, usize, usize)> {
    let mut found = Vec::new();
    let mut open: Vec<(String, usize, usize)> = Vec::new();
    let mut announced: Option<(String, usize)> = None;
    let mut depth = 0usize;
    for (index, line) in file.code.lines().enumerate() {
        if let Some(name) = function_name(line) {
            announced = Some((name, index + 1));
        }
        for c in line.chars() {
            match c {
                ';' if depth == open.last().map_or(0, |(_, _, depth)| *depth) => announced = None,
                '{' => {
                    depth += 1;
                    if let Some((name, line)) = announced.take() {
                        open.push((name, line, depth));
                    }
                }
                '}' => {
                    if open.last().is_some_and(|(_, _, at)| *at == depth) {
                        found.extend(open.pop().map(|(name, line, _)| (name, line, index + 2 - line)));
                    }
                    depth = depth.saturating_sub(1);
                }
                _ => {}
            }
        }
    }
    found
}

fn function_name(line: &str) -> Option<String> {
    let (before, rest) = line.split_once("fn ")?;
    let modifiers = before
        .split_whitespace()
        .all(|word| word.starts_with("pub") || ["const", "async", "extern", "\"C\"", "default", "in", "crate)", "super)"].contains(&word));
    let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (modifiers && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_measured_from_name_to_brace() {
        let text = "//! x\ntrait T {\n    fn none(&self);\n    fn one(\n        a: [u8; 2],\n    ) -> u8 {\n        let f = || { 1 };\n        f()\n    }\n}\npub(crate) async fn two() { if x { y() } }\n";
        let tree = Tree::of(vec![("a.rs".to_owned(), text.to_owned())]);
        let found = functions(&tree.files[0]);
        assert_eq!(found, [("one".to_owned(), 4, 6), ("two".to_owned(), 11, 1)]);
    }
}
