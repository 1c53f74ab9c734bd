//! The layer table of the design against `cargo metadata`.

use super::tree::Tree;
use super::{Check, Violations};
use serde_json::Value;

pub(super) const CHECK: Check = Check { about: "rooms only look down", run };

/// The rooms of each layer, lowest first.
const LAYERS: [&[&str]; 6] = [
    &["base", "sys", "net"],
    &["oci", "dockerfile", "k8s"],
    &["blobs", "store", "runtime", "network", "cluster"],
    &["linter", "builder", "scanner", "registry", "apiserver", "controllers", "node", "delivery", "infra", "ci", "monitor", "loadgen"],
    &["engine", "dashboard"],
    &["wharf"],
];
/// The edges that are allowed inside a layer.
const BESIDE: [(&str, &str); 2] = [("net", "base"), ("net", "sys")];
/// What delivery is handed as stages and must not know.
const NEVER: [(&str, &str); 3] = [("delivery", "linter"), ("delivery", "builder"), ("delivery", "scanner")];

fn layer(room: &str) -> Option<usize> {
    LAYERS.iter().position(|rooms| rooms.contains(&room))
}

fn run(tree: &Tree, found: &mut Violations) {
    let edges = if tree.root.as_os_str().is_empty() { manifest_edges(tree) } else { metadata_edges(tree, found) };
    for (room, on) in edges {
        let manifest = format!("crates/{room}/Cargo.toml");
        let line = tree.get(&manifest).and_then(|file| file.text.lines().position(|line| names(line, &on))).map_or(1, |index| index + 1);
        match (layer(&room), layer(&on)) {
            (None, _) => found.add(&manifest, 1, format!("`{room}` stands in no layer of xtask's table")),
            (Some(_), None) => {}
            (Some(own), Some(other)) => {
                let down = own > other || BESIDE.contains(&(room.as_str(), on.as_str()));
                if !down || NEVER.contains(&(room.as_str(), on.as_str())) {
                    found.add(&manifest, line, format!("`{room}` (layer {own}) must not depend on `{on}` (layer {other})"));
                }
            }
        }
    }
}

fn names(line: &str, room: &str) -> bool {
    line.strip_prefix(room).is_some_and(|rest| rest.starts_with('.') || rest.trim_start().starts_with('='))
}

/// From room to room, tests' dependencies left out; a room without any names itself so that its layer is checked.
fn metadata_edges(tree: &Tree, found: &mut Violations) -> Vec<(String, String)> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output =
        std::process::Command::new(cargo).args(["metadata", "--no-deps", "--format-version", "1"]).current_dir(&tree.root).output();
    let metadata = output.ok().and_then(|output| serde_json::from_slice::<Value>(&output.stdout).ok());
    let Some(packages) = metadata.as_ref().and_then(|metadata| metadata["packages"].as_array()) else {
        found.add("Cargo.toml", 1, "cargo metadata does not answer");
        return Vec::new();
    };
    let mut edges = Vec::new();
    for package in packages {
        let (name, manifest) = (text(&package["name"]), text(&package["manifest_path"]));
        if !manifest.contains(&format!("/crates/{name}/")) {
            continue;
        }
        if layer(&name).is_none() {
            edges.push((name.clone(), String::new()));
        }
        let dependencies = package["dependencies"].as_array().into_iter().flatten();
        let ours = dependencies.filter(|on| on["path"].is_string() && on["kind"] != "dev");
        edges.extend(ours.map(|on| (name.clone(), text(&on["name"]))));
    }
    edges
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The same from the manifests alone, for trees that are none of cargo's.
fn manifest_edges(tree: &Tree) -> Vec<(String, String)> {
    let mut edges = Vec::new();
    for file in tree.files.iter().filter(|file| file.path.ends_with("Cargo.toml")) {
        let Some(room) = file.path.strip_prefix("crates/").and_then(|rest| rest.split('/').next()) else { continue };
        for on in LAYERS.iter().flat_map(|rooms| rooms.iter()).filter(|on| file.text.lines().any(|line| names(line, on))) {
            edges.push((room.to_owned(), (*on).to_owned()));
        }
    }
    edges
}
