//! Go's module file.

use super::{Catalogue, Scope};
use crate::package::Ecosystem;
use crate::read::{List, Reading, Told};
use crate::tree::Entry;

/// See the module.
pub const CATALOGUE: Catalogue = Catalogue { name: "go-mod", scope: Scope::Sources, wants, read };

fn wants(entry: &Entry) -> bool {
    entry.name() == "go.mod"
}

fn read(reading: &mut Reading<'_>) {
    if let Some(text) = reading.text() {
        reading.take(&Ecosystem::Go, parse(&text));
    }
}

/// A `replace` of one module, of all versions where none is named.
struct Replace<'t> {
    name: &'t str,
    version: Option<&'t str>,
    by: &'t str,
    by_version: Option<&'t str>,
}

#[derive(Default)]
struct Module<'t> {
    go: Option<(&'t str, u32)>,
    toolchain: Option<(&'t str, u32)>,
    requires: Vec<(&'t str, &'t str, u32)>,
    replaces: Vec<Replace<'t>>,
}

/// Reads the text (go.dev/ref/mod, "go.mod files"): what is required, replaced modules by what replaces them, and the standard library by
/// the release that is named, which is the least that builds it.
///
/// # Errors
/// When it has no module.
pub fn parse(text: &str) -> Result<List, String> {
    let (mut module, mut verb, mut named) = (Module::default(), "", false);
    for (number, line) in (1u32..).zip(text.lines()) {
        let words: Vec<&str> =
            line.split("//").next().unwrap_or_default().split_whitespace().map(|word| word.trim_matches(['"', '`'])).collect();
        match words.as_slice() {
            [] => {}
            [")"] => verb = "",
            [block, "("] => verb = block,
            words if !verb.is_empty() => directive(verb, words, number, &mut module),
            [first, rest @ ..] => {
                named |= *first == "module";
                directive(first, rest, number, &mut module);
            }
        }
    }
    if !named { Err("it names no module".to_owned()) } else { Ok(list(&module)) }
}

fn directive<'t>(verb: &str, words: &[&'t str], number: u32, module: &mut Module<'t>) {
    match (verb, words) {
        ("go", [version]) => module.go = Some((version, number)),
        ("toolchain", [name]) => module.toolchain = name.strip_prefix("go").map(|version| (version, number)),
        ("require", [name, version, ..]) => module.requires.push((name, version, number)),
        ("replace", [name, "=>", by]) => module.replaces.push(Replace { name, version: None, by, by_version: None }),
        ("replace", [name, version, "=>", by]) => module.replaces.push(Replace { name, version: Some(version), by, by_version: None }),
        ("replace", [name, "=>", by, to]) => module.replaces.push(Replace { name, version: None, by, by_version: Some(to) }),
        ("replace", [name, version, "=>", by, to]) => {
            module.replaces.push(Replace { name, version: Some(version), by, by_version: Some(to) });
        }
        _ => {}
    }
}

fn list(module: &Module<'_>) -> List {
    let mut list = List::default();
    // `go 1.24` is a language that later releases speak, too; only with a third number it is a release.
    if let Some((version, line)) = module.toolchain.or(module.go.filter(|(version, _)| version.matches('.').count() == 2)) {
        list.packages.push(Told { line: Some(line), ..Told::new("stdlib", version) });
    }
    for (name, version, line) in &module.requires {
        let of = |replace: &&Replace<'_>| replace.name == *name && replace.version.is_none_or(|of| of == *version);
        // One for this version goes before one for all.
        let replace = module.replaces.iter().filter(of).max_by_key(|replace| replace.version.is_some());
        match replace {
            None => list.packages.push(Told { line: Some(*line), ..Told::new(*name, *version) }),
            Some(Replace { by, by_version: Some(version), .. }) => {
                list.packages.push(Told { line: Some(*line), ..Told::new(*by, *version) })
            }
            Some(Replace { by, .. }) => {
                list.notes.push((Some(*line), format!("`{name}` is replaced by the folder `{by}`, which has no version")));
            }
        }
    }
    // Since 1.17 all modules that are built are listed (go.dev/ref/mod, "go.mod file").
    let minor = module.go.and_then(|(version, _)| version.strip_prefix("1.")?.split('.').next()?.parse::<u32>().ok());
    if module.go.is_none() || minor.is_some_and(|minor| minor < 17) {
        list.notes.push((None, "before Go 1.17 it lists only what is required directly; `go mod tidy -go=1.17` lists all".to_owned()));
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaced_modules_are_what_replaces_them() {
        let text = "module example.com/app\n\ngo 1.21\n\ntoolchain go1.22.3\n\nrequire github.com/BurntSushi/toml v1.0.0\nrequire (\n\tgolang.org/x/net v0.1.0 // indirect\n\tgolang.org/x/sys v0.2.0\n\texample.com/own v0.0.0\n)\nreplace golang.org/x/net => example.com/net v0.3.0\nreplace (\n\tgolang.org/x/sys v0.1.0 => example.com/sys v9.9.9\n\texample.com/own => ../own\n)\n";
        let list = parse(text).expect("read");
        let found: Vec<_> = list.packages.iter().map(|told| (told.name.as_str(), told.version.as_str(), told.line)).collect();
        let expected = [
            ("stdlib", "1.22.3", Some(5)),
            ("github.com/BurntSushi/toml", "v1.0.0", Some(7)),
            ("example.com/net", "v0.3.0", Some(9)),
            ("golang.org/x/sys", "v0.2.0", Some(10)),
        ];
        assert_eq!(found, expected);
        assert_eq!(list.notes.len(), 1, "{list:?}");
        assert_eq!(parse("module x\ngo 1.16\n").expect("read"), List { packages: vec![], notes: parse("module x\n").expect("read").notes });
        assert_eq!(parse("module x\ngo 1.24.3\n").expect("read").packages, [Told { line: Some(2), ..Told::new("stdlib", "1.24.3") }]);
        assert!(parse("nothing").is_err());
    }
}
