//! Packages as a person reads them.

use crate::output::printable;
use scanner::{Inventory, Package};
use std::collections::BTreeMap;

/// One line a package: name, version, who numbers it, the layer from the bottom, and the file.
pub(super) fn write(inventory: &Inventory) -> String {
    let mut rows = vec![["PACKAGE", "VERSION", "ECOSYSTEM", "LAYER", "FILE"].map(str::to_owned)];
    rows.extend(inventory.packages.iter().map(|package| row(inventory, package)));
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or_default().min(60);
    let widths: Vec<usize> = (0..4).map(width).collect();
    let line = |row: &[String; 5]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}  "));
        let last = row.last().map(String::as_str).unwrap_or_default();
        format!("{}{last}", cells.collect::<String>()).trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn row(inventory: &Inventory, package: &Package) -> [String; 5] {
    let layers = &inventory.target.layers;
    let at = package.layer.as_ref().and_then(|layer| layers.iter().position(|one| one == layer));
    let layer = at.map_or_else(|| "-".to_owned(), |at| format!("{}/{}", at + 1, layers.len()));
    let mut file = package.line.map_or_else(|| package.file.clone(), |line| format!("{}:{line}", package.file));
    for (holds, words) in [(package.development, " (development)"), (package.owned, " (the distribution's)")] {
        if holds {
            file.push_str(words);
        }
    }
    [package.name.clone(), package.version.clone(), package.ecosystem.osv(), layer, file].map(|cell| printable(&cell))
}

/// How many packages there are, by who numbers them.
pub(super) fn summary(inventory: &Inventory) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    inventory.packages.iter().for_each(|package| *counts.entry(package.ecosystem.osv()).or_default() += 1);
    let parts: Vec<String> = counts.iter().map(|(ecosystem, count)| format!("{count} {ecosystem}")).collect();
    match inventory.packages.len() {
        0 => "no packages".to_owned(),
        1 => format!("1 package: {}", parts.join(", ")),
        all => format!("{all} packages: {}", parts.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_sees_layers_and_lines_and_no_control_characters() {
        let text = r#"{"target": {"kind": "image", "name": "x", "layers": ["sha256:a", "sha256:b"]}, "packages": [
            {"ecosystem": "Debian:12", "name": "libc6", "version": "2.36-9", "file": "var/lib/dpkg/status", "line": 7, "layer": "sha256:b"},
            {"ecosystem": "npm", "name": "\u001b[2Jevil", "version": "1.0.0", "file": "package-lock.json", "development": true}]}"#;
        let inventory: Inventory = serde_json::from_str(text).expect("an inventory");
        let expected = "PACKAGE   VERSION  ECOSYSTEM  LAYER  FILE\nlibc6     2.36-9   Debian:12  2/2    var/lib/dpkg/status:7\n\u{fffd}[2Jevil  1.0.0    npm        -      package-lock.json (development)";
        assert_eq!(write(&inventory), expected);
        assert_eq!(summary(&inventory), "2 packages: 1 Debian:12, 1 npm");
    }
}
