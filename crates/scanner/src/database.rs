//! Databases of package managers in images: each layer that installs something rewrites the whole, so that the layer of a package is the
//! one whose copy has it first.

use crate::package::Ecosystem;
use crate::read::{LARGEST_BYTES, List, Reading, Told};
use std::collections::HashMap;

/// What tells one installed package from another.
type Key = (String, Option<String>, String);

fn key(told: &Told) -> Key {
    (told.name.clone(), told.architecture.clone(), told.version.clone())
}

/// Adds the packages of a database's topmost copy, each with its layer. A package that went and came back is of the layer where it came
/// back.
pub(crate) fn add(reading: &mut Reading<'_>, ecosystem: &Ecosystem, parse: fn(&str) -> List) {
    let mut layers: HashMap<Key, Option<String>> = HashMap::new();
    let mut top = List::default();
    let read = reading.tree.versions(reading.entry, LARGEST_BYTES, &mut |layer, bytes| {
        top = parse(&String::from_utf8_lossy(&bytes));
        let mut before = std::mem::take(&mut layers);
        for key in top.packages.iter().map(key) {
            let first = before.remove(&key).unwrap_or_else(|| layer.map(str::to_owned));
            layers.insert(key, first);
        }
    });
    if let Err(error) = read {
        reading.failed(&error.source);
    }
    for told in std::mem::take(&mut top.packages) {
        let layer = layers.get(&key(&told)).cloned().flatten();
        reading.add_of_layer(ecosystem.clone(), told, layer);
    }
    reading.add_all(ecosystem, top);
}
