//! `wharf sbom` beside what the package managers in the images say themselves, on the base images of WHARF_TEST_BASES; needs root.

#![allow(clippy::print_stdout, reason = "tests say what they skip")]

#[path = "build/place.rs"]
#[allow(dead_code, reason = "builds are tried elsewhere")]
mod place;

use place::Place;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A base image's archive; `None`, and said so, where it is missing.
fn base(name: &str) -> Option<PathBuf> {
    let path = Path::new(&std::env::var_os("WHARF_TEST_BASES")?).join(name);
    if !path.is_file() {
        println!("skipped: {name} of WHARF_TEST_BASES");
        return None;
    }
    Some(path)
}

fn listed(place: &Place, target: &str) -> Value {
    serde_json::from_str(&place.ok(&["sbom", target, "--format", "json"]).0).expect("JSON")
}

/// Some fields of each package of an ecosystem.
fn told(inventory: &Value, ecosystem: &str, fields: &[&str]) -> BTreeSet<Vec<String>> {
    let packages = inventory["packages"].as_array().expect("packages").iter();
    let of = packages.filter(|package| package["ecosystem"].as_str().is_some_and(|name| name.split(':').next() == Some(ecosystem)));
    of.map(|package| fields.iter().map(|field| package[field].as_str().unwrap_or_default().to_owned()).collect()).collect()
}

#[test]
fn a_debian_image_has_what_dpkg_says() {
    let (Some(place), Some(archive)) = (Place::new("sbom-dpkg"), base("debian_bookworm-slim.tar")) else { return };
    let archive = archive.display().to_string();
    place.ok(&["image", "load", &archive]);
    let image = "debian:bookworm-slim";
    let format = "${db:Status-Status} ${Package} ${Version} ${Architecture}\n";
    let (said, _) = place.ok(&["run", "--rm", image, "dpkg-query", "-W", "-f", format]);
    let installed = said.lines().filter_map(|line| line.strip_prefix("installed "));
    let expected: BTreeSet<Vec<String>> = installed.map(|line| line.split(' ').map(str::to_owned).collect()).collect();
    assert!(expected.len() > 50, "{said}");
    let seen = listed(&place, image);
    assert_eq!(told(&seen, "Debian", &["name", "version", "architecture"]), expected);
    // The second time it is not looked for again: what is kept is what is told.
    let id = seen["target"]["id"].as_str().expect("an id").trim_start_matches("sha256:").to_owned();
    let kept = place.0.join("home/sboms").join(format!("{id}.json"));
    let changed = std::fs::read_to_string(&kept).expect("kept").replace("\"name\":\"dpkg\"", "\"name\":\"dpkg-changed\"");
    std::fs::write(&kept, changed).expect("written");
    assert!(told(&listed(&place, image), "Debian", &["name"]).contains(&vec!["dpkg-changed".to_owned()]));
    // What cannot be read is made anew.
    std::fs::write(&kept, "{").expect("written");
    assert_eq!(listed(&place, image), seen);
    // The archive itself, and lists of it, tell the same.
    assert_eq!(listed(&place, &archive)["packages"], seen["packages"]);
    for format in ["cyclonedx", "spdx", "json"] {
        let file = place.0.join(format).display().to_string();
        place.ok(&["sbom", image, "--format", format, "-o", &file]);
        let back = listed(&place, &file);
        assert_eq!(
            (&back["packages"], &back["os"], &back["target"]["layers"]),
            (&seen["packages"], &seen["os"], &seen["target"]["layers"])
        );
    }
}

#[test]
fn a_python_image_has_what_pip_says_and_layers_are_their_own() {
    let (Some(place), Some(archive)) = (Place::new("sbom-pip"), base("python_3.11-slim.tar")) else { return };
    place.ok(&["image", "load", &archive.display().to_string()]);
    // A package of ours, and one of Python's own tools gone.
    let package = "D=$(python -c 'import site; print(site.getsitepackages()[0])')/Own_Thing-1.5.dist-info && mkdir -p $D && printf 'Metadata-Version: 2.1\\nName: Own_Thing\\nVersion: 1.5\\n\\n' > $D/METADATA";
    let gone = "rm -r $(find /usr -name 'wheel-*.egg-info' -o -name 'wheel-*.dist-info')";
    let (_, image) = place.build(&format!("FROM python:3.11-slim\nRUN {package}\nRUN {gone}\n"), &["-t", "app"]);
    let seen = listed(&place, "app");
    let (said, _) = place.ok(&["run", "--rm", "app", "python", "-m", "pip", "list", "--format", "json"]);
    let said: Value = serde_json::from_str(&said).expect("JSON");
    let normal = |name: &str| name.to_lowercase().replace(['_', '.'], "-");
    let field = |one: &Value, name: &str| one[name].as_str().unwrap_or_default().to_owned();
    let expected: BTreeSet<Vec<String>> =
        said.as_array().expect("a list").iter().map(|one| vec![normal(&field(one, "name")), field(one, "version")]).collect();
    assert_eq!(told(&seen, "PyPI", &["name", "version"]), expected);
    assert_eq!(seen["target"]["id"], image);
    let layers = seen["target"]["layers"].as_array().expect("layers");
    let own = seen["packages"].as_array().expect("packages").iter().find(|one| one["name"] == "own-thing").expect("our own");
    assert_eq!(Some(&own["layer"]), layers.get(layers.len() - 2));
    assert!(told(&seen, "Debian", &["layer"]).iter().all(|layer| layers.iter().take(layers.len() - 2).any(|one| *one == layer.concat())));
}

#[test]
fn what_is_no_target_is_refused_in_words() {
    let Some(place) = Place::new("sbom-words") else { return };
    place.write("nothing.txt", "hello");
    place.write("Cargo.lock", &format!("x = {}{}", "[".repeat(1000), "]".repeat(1000)));
    place.write(
        "deep.json",
        &format!("{{\"bomFormat\": \"CycloneDX\", \"components\": {}[]{}}}", "[{\"components\": ".repeat(1000), "}]".repeat(1000)),
    );
    for (target, words) in [
        ("no-such-thing", "neither an image of the store nor a path"),
        ("context/nothing.txt", "no JSON document"),
        ("context/deep.json", "recursion limit exceeded"),
    ] {
        let out = place.run(&["sbom", target]);
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(2), "{said}");
        assert!(said.contains(words), "{said}");
    }
    let (_, said) = place.ok(&["sbom", "context"]);
    assert!(said.contains("Cargo.lock unread warning: line 1: "), "{said}");
}
