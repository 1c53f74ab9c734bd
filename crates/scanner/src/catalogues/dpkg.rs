//! What dpkg installed: its database, and the folder of one file a package that distroless images have instead.

use super::{Catalogue, Scope};
use crate::package::Source;
use crate::read::{List, Reading, Told};
use crate::tree::Entry;
use crate::{database, os};

/// See the module.
pub const CATALOGUE: Catalogue = Catalogue { name: "dpkg", scope: Scope::Installed, wants, read };

const DATABASE: &str = "var/lib/dpkg/status";
const FOLDER: &str = "var/lib/dpkg/status.d";

fn wants(entry: &Entry) -> bool {
    entry.path == DATABASE || entry.folder() == FOLDER && !entry.path.ends_with(".md5sums")
}

fn read(reading: &mut Reading<'_>) {
    database::add(reading, &os::dpkg(reading.os), parse);
}

/// One package's fields, as far as they matter here.
#[derive(Default)]
struct Stanza<'t> {
    line: u32,
    name: &'t str,
    version: &'t str,
    status: &'t str,
    source: &'t str,
    architecture: &'t str,
}

/// Reads a database (deb-control(5), and `Status` of dpkg(1)): what is installed, also when it is half so.
pub fn parse(text: &str) -> List {
    let (mut list, mut stanza) = (List::default(), Stanza::default());
    for (number, line) in (1u32..).zip(text.lines()) {
        if line.trim().is_empty() {
            close(std::mem::take(&mut stanza), &mut list);
            continue;
        }
        if line.starts_with([' ', '\t']) {
            continue;
        }
        let Some((field, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        match field.to_ascii_lowercase().as_str() {
            "package" => (stanza.name, stanza.line) = (value, number),
            "version" => stanza.version = value,
            "status" => stanza.status = value,
            "source" => stanza.source = value,
            "architecture" => stanza.architecture = value,
            _ => {}
        }
    }
    close(stanza, &mut list);
    list
}

fn close(stanza: Stanza<'_>, list: &mut List) {
    let state = stanza.status.split_ascii_whitespace().nth(2).unwrap_or("installed");
    if stanza.name.is_empty() || matches!(state, "not-installed" | "config-files") {
        return;
    }
    if stanza.version.is_empty() {
        list.notes.push((Some(stanza.line), format!("`{}` has no version", stanza.name)));
        return;
    }
    list.packages.push(Told {
        source: source(&stanza),
        architecture: Some(stanza.architecture).filter(|name| !name.is_empty()).map(str::to_owned),
        line: Some(stanza.line),
        ..Told::new(stanza.name, stanza.version)
    });
}

/// `Source: NAME` or `NAME (VERSION)`; what is left out is the package's own.
fn source(stanza: &Stanza<'_>) -> Option<Source> {
    let (name, version) = match stanza.source.split_once('(') {
        Some((name, version)) => (name.trim(), version.trim_end_matches(')').trim()),
        None => (stanza.source, stanza.version),
    };
    (!name.is_empty() && (name, version) != (stanza.name, stanza.version))
        .then(|| Source { name: name.to_owned(), version: version.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_and_sources_are_told_apart() {
        let list = parse(concat!(
            "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nSource: glibc\nVersion: 2.36-9\nDescription: x\n Version: 9\n\n",
            "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\nPackage: g++\nStatus: install ok unpacked\nSource: gcc-defaults (1.203)\nVersion: 4:12\n\n",
            "Package: base-files\nVersion: 12.4\n\nPackage: odd\nStatus: install ok installed\n",
        ));
        let names: Vec<_> = list.packages.iter().map(|told| (told.name.as_str(), told.version.as_str(), told.line)).collect();
        assert_eq!(names, [("libc6", "2.36-9", Some(1)), ("g++", "4:12", Some(13)), ("base-files", "12.4", Some(18))]);
        let sources: Vec<_> = list.packages.iter().map(|told| told.source.clone().map(|source| (source.name, source.version))).collect();
        assert_eq!(sources, [Some(("glibc".into(), "2.36-9".into())), Some(("gcc-defaults".into(), "1.203".into())), None]);
        assert_eq!(list.notes, [(Some(21), "`odd` has no version".to_owned())]);
    }
}
