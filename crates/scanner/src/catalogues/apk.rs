//! What apk installed: its database.

use super::{Catalogue, Scope};
use crate::package::Source;
use crate::read::{List, Reading, Told};
use crate::tree::Entry;
use crate::{database, os};

/// See the module.
pub const CATALOGUE: Catalogue = Catalogue { name: "apk", scope: Scope::Installed, wants, read };

fn wants(entry: &Entry) -> bool {
    matches!(entry.path.as_str(), "lib/apk/db/installed" | "usr/lib/apk/db/installed")
}

fn read(reading: &mut Reading<'_>) {
    database::add(reading, &os::apk(reading.os), parse);
}

/// Reads a database: fields of one letter, packages parted by an empty line (apk-tools, "Installed DB").
pub fn parse(text: &str) -> List {
    let mut list = List::default();
    let (mut told, mut origin) = (Told::default(), "");
    for (number, line) in (1u32..).zip(text.lines().chain([""])) {
        let Some((field, value)) = line.split_once(':') else {
            if line.is_empty() {
                close(std::mem::take(&mut told), std::mem::take(&mut origin), &mut list);
            }
            continue;
        };
        match field {
            "P" => (told.name, told.line) = (value.to_owned(), Some(number)),
            "V" => told.version = value.to_owned(),
            "A" => told.architecture = Some(value.to_owned()),
            "L" => told.licenses = vec![value.to_owned()],
            "o" => origin = value,
            _ => {}
        }
    }
    list
}

fn close(mut told: Told, origin: &str, list: &mut List) {
    if told.name.is_empty() {
        return;
    }
    if told.version.is_empty() {
        list.notes.push((told.line, format!("`{}` has no version", told.name)));
        return;
    }
    if !origin.is_empty() && origin != told.name {
        told.source = Some(Source { name: origin.to_owned(), version: told.version.clone() });
    }
    list.packages.push(told);
}

/// Visits the files that the packages of a database own.
pub(crate) fn files(text: &str, mut visit: impl FnMut(&str)) {
    let mut folder = "";
    for line in text.lines() {
        match line.split_once(':') {
            Some(("F", value)) => folder = value,
            Some(("R", name)) if folder.is_empty() => visit(name),
            Some(("R", name)) => visit(&format!("{folder}/{name}")),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_and_files_are_read() {
        let text = "C:Q1x=\nP:ssl_client\nV:1.36.1-r29\nA:x86_64\nL:GPL-2.0-only\no:busybox\nF:usr\nF:usr/bin\nR:ssl_client\na:0:0:755\n\nP:musl\nV:1.2.5-r0\no:musl\nR:top\n";
        let list = parse(text);
        let [client, musl] = list.packages.as_slice() else { panic!("{list:?}") };
        assert_eq!(client.source, Some(Source { name: "busybox".into(), version: "1.36.1-r29".into() }));
        assert_eq!(
            (client.line, client.architecture.as_deref(), client.licenses.as_slice()),
            (Some(2), Some("x86_64"), ["GPL-2.0-only".to_owned()].as_slice())
        );
        assert_eq!((musl.name.as_str(), musl.version.as_str(), &musl.source), ("musl", "1.2.5-r0", &None));
        let mut owned = Vec::new();
        files(text, |path| owned.push(path.to_owned()));
        assert_eq!(owned, ["usr/bin/ssl_client", "usr/bin/top"]);
    }
}
