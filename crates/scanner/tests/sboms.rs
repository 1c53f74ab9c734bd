//! CycloneDX and SPDX, there and back, and what others write.

use proptest::prelude::*;
use scanner::sbom::{Options, cyclonedx, read, spdx};
use scanner::{Ecosystem, Inventory, Os, Package, Source, Target, TargetKind};

const OPTIONS: Options<'static> = Options { tool_version: "0.1.0", created: None };

fn ecosystem() -> impl Strategy<Value = Ecosystem> {
    prop_oneof![
        Just(Ecosystem::Debian("12".into())),
        Just(Ecosystem::Cargo),
        Just(Ecosystem::PyPi),
        Just(Ecosystem::Npm),
        Just(Ecosystem::Go),
    ]
}

fn package() -> impl Strategy<Value = Package> {
    let name = "[a-z][a-z0-9+]{0,8}";
    let place = ("[a-zA-Z0-9 ;/éß.-]{1,20}[a-z]", proptest::option::of(1..1000u32), any::<bool>(), any::<bool>());
    (ecosystem(), name, "[0-9][0-9.:~+-]{0,6}[0-9]", proptest::option::of("[a-z]{1,5}"), place, any::<bool>()).prop_map(
        |(ecosystem, name, version, source, (file, line, layer, owned), development)| {
            let distribution = ecosystem.is_distribution();
            let name = match ecosystem {
                Ecosystem::Npm => format!("@scope/{}", name.replace('+', "-")),
                Ecosystem::Go => format!("example.com/Own/{name}"),
                Ecosystem::PyPi | Ecosystem::Cargo => name.replace('+', "x"),
                _ => name,
            };
            Package {
                source: source.filter(|_| distribution).map(|name| Source { name, version: "1".into() }),
                architecture: distribution.then(|| "amd64".to_owned()),
                ecosystem,
                name,
                version,
                licenses: vec!["MIT".into()],
                file: file.trim_start_matches('/').to_owned(),
                line,
                layer: layer.then(|| "sha256:aa".to_owned()),
                development,
                owned,
            }
        },
    )
}

fn inventory(mut packages: Vec<Package>) -> Inventory {
    packages.sort();
    packages.dedup();
    let target = Target { kind: TargetKind::Image, name: "app:1".into(), id: Some("sha256:ab".into()), layers: vec!["sha256:aa".into()] };
    Inventory { target, os: Some(Os { id: "debian".into(), version: "12".into(), name: "Debian 12".into() }), packages, unread: vec![] }
}

proptest! {
    #[test]
    fn nothing_is_lost_on_the_way(packages in proptest::collection::vec(package(), 0..20)) {
        let whole = inventory(packages);
        for document in [cyclonedx::write(&whole, OPTIONS), spdx::write(&whole, OPTIONS)] {
            let back = read(document.to_string().as_bytes(), "app:1").expect("read");
            prop_assert_eq!(&back.packages, &whole.packages);
            prop_assert_eq!(&back.os, &whole.os);
            prop_assert_eq!((&back.target.id, &back.target.layers), (&whole.target.id, &whole.target.layers));
            prop_assert_eq!(back.unread, vec![]);
        }
        let own = serde_json::to_vec(&whole).expect("written");
        prop_assert_eq!(read(&own, "app:1").expect("read"), whole);
    }

    #[test]
    fn equal_inventories_give_equal_bytes(packages in proptest::collection::vec(package(), 0..8)) {
        let (one, other) = (inventory(packages.clone()), inventory(packages.into_iter().rev().collect()));
        for write in [cyclonedx::write, spdx::write] {
            prop_assert_eq!(write(&one, OPTIONS).to_string(), write(&other, OPTIONS).to_string());
        }
        let document = cyclonedx::write(&one, OPTIONS);
        let names: std::collections::BTreeSet<_> = document["components"].as_array().into_iter().flatten().map(|one| one["bom-ref"].to_string()).collect();
        prop_assert_eq!(names.len(), one.packages.len() + 1);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes, "x");
    }
}

#[test]
fn documents_of_others_are_read() {
    let syft = r#"{"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": [
        {"type": "library", "name": "outer", "purl": "pkg:pypi/Outer_Name@1.0", "properties": [{"name": "syft:location:0:path", "value": "/app/x"}, {"name": "syft:location:0:layerID", "value": "sha256:1"}],
         "components": [{"type": "library", "name": "inner", "purl": "pkg:npm/inner@2.0.0"}]},
        {"type": "library", "name": "libc6", "purl": "pkg:deb/debian/libc6@2.36-9?arch=amd64&upstream=glibc&distro=debian-12"},
        {"type": "library", "name": "log4j", "purl": "pkg:maven/org.apache/log4j@1"},
        {"type": "library", "name": "nameless"},
        {"type": "operating-system", "name": "debian", "version": "12"}]}"#;
    let seen = read(syft.as_bytes(), "bom.json").expect("read");
    let found: Vec<_> =
        seen.packages.iter().map(|one| (one.ecosystem.osv(), one.name.as_str(), one.file.as_str(), one.layer.as_deref())).collect();
    let expected =
        [("Debian:12", "libc6", "bom.json", None), ("PyPI", "outer-name", "app/x", Some("sha256:1")), ("npm", "inner", "bom.json", None)];
    assert_eq!(found, expected.map(|(ecosystem, name, file, layer)| (ecosystem.to_owned(), name, file, layer)));
    assert_eq!(seen.packages.first().and_then(|one| one.source.clone()), Some(Source { name: "glibc".into(), version: "2.36-9".into() }));
    let notes: Vec<_> = seen.unread.iter().map(|finding| finding.message.as_str()).collect();
    assert_eq!(notes, ["1 packages of type `maven` are not known here", "1 components without a package URL are not looked at"]);
    let spdx = r#"{"spdxVersion": "SPDX-2.3", "packages": [{"name": "a", "licenseDeclared": "MIT", "sourceInfo": "acquired package info from x", "externalRefs": [{"referenceCategory": "PACKAGE_MANAGER", "referenceType": "purl", "referenceLocator": "pkg:cargo/a@1.0.0"}]}]}"#;
    assert_eq!(read(spdx.as_bytes(), "x").expect("read").packages.first().map(|one| one.name.clone()).as_deref(), Some("a"));
}

#[test]
fn what_is_no_such_document_is_refused_in_words() {
    let deep = format!("{{\"bomFormat\": \"CycloneDX\", \"components\": {}{}}}", "[".repeat(1000), "]".repeat(1000));
    let nested = format!("{{\"bomFormat\": \"CycloneDX\", \"components\": {}[]{}}}", "[{\"components\": ".repeat(1000), "}]".repeat(1000));
    for (text, words) in [
        ("", "no JSON"),
        ("<bom/>", "XML"),
        ("{}", "bomFormat"),
        ("{\"@context\": \"https://spdx.org/rdf/3.0\"}", "SPDX 3"),
        ("{\"spdxVersion\": \"SPDX-1.2\"}", "versions 2.2"),
        (&deep, "invalid type"),
        (&nested, "recursion limit"),
    ] {
        let error = read(text.as_bytes(), "x").expect_err("refused");
        assert!(error.contains(words), "{error}");
    }
}
