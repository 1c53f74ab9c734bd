//! What is left for later says where it is kept: `TODO(#12)`.

use super::tree::Tree;
use super::{Check, Violations};

pub(super) const CHECK: Check = Check { about: "a TODO names its issue", run };

const MARKS: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
const ENDINGS: [&str; 5] = [".rs", ".toml", ".sh", ".yaml", ".yml"];

fn run(tree: &Tree, found: &mut Violations) {
    for file in tree.files.iter().filter(|file| ENDINGS.iter().any(|ending| file.path.ends_with(ending))) {
        for (index, line) in file.text.lines().enumerate() {
            if let Some(mark) = MARKS.iter().find(|mark| lacks_reference(line, mark)) {
                found.add(&file.path, index + 1, format!("write `{mark}(#ISSUE)`"));
            }
        }
    }
}

fn lacks_reference(line: &str, mark: &str) -> bool {
    let word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(mark).any(|(at, _)| {
        let (before, after) = (line.get(..at).unwrap_or_default(), line.get(at + mark.len()..).unwrap_or_default());
        let alone = !word(before.chars().next_back()) && !word(after.chars().next());
        alone && line.contains("//") | line.contains('#') && !after.starts_with("(#")
    })
}
