//! The golden files of `k8s.io/api` as the oracle, and hostile input.
#![allow(clippy::print_stdout)]

use super::*;
use crate::fields;
use proptest::prelude::*;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder `testdata` of the Go module, when it is on this machine.
fn golden() -> Option<PathBuf> {
    let module = match std::env::var_os("WHARF_TEST_K8S_API") {
        Some(folder) => PathBuf::from(folder),
        None => {
            let cache = Command::new("go").args(["env", "GOMODCACHE"]).output().ok()?;
            Path::new(String::from_utf8(cache.stdout).ok()?.trim()).join("k8s.io/api@v0.36.3")
        }
    };
    Some(module.join("testdata")).filter(|folder| folder.is_dir())
}

/// The name of a golden file: group, version, kind.
fn file(root: (&str, &str, &str)) -> String {
    format!("{}.{}.{}", if root.0.is_empty() { "core" } else { root.0 }, root.1, root.2)
}

#[test]
fn golden_files_go_both_ways() {
    let Some(folder) = golden() else {
        println!("skipped: the Go module k8s.io/api v0.36.3 (`go mod download k8s.io/api@v0.36.3`)");
        return;
    };
    let mut seen = 0;
    let mut wrong = Vec::new();
    for (group, version, kind, message) in ROOTS {
        let path = folder.join("HEAD").join(file((group, version, kind)));
        let with = |ending: &str| path.with_file_name(format!("{}.{ending}", path.file_name().expect("a name").to_string_lossy()));
        let (Ok(bytes), Ok(text)) = (std::fs::read(with("pb")), std::fs::read(with("json"))) else { continue };
        seen += 1;
        let wanted: Value = serde_json::from_slice(&text).expect("golden JSON");
        let decoded = decode(&bytes).expect("golden protobuf");
        if decoded != wanted {
            wrong.push(format!("{path:?}: {}", first_difference("", &decoded, &wanted)));
        }
        if encode(&wanted).expect("encodable") != bytes {
            wrong.push(format!("{path:?}: encoded bytes differ"));
        }
        let checked = fields::read(message, &text).expect("readable");
        assert_eq!(checked.problems, []);
        let mut settled = checked.value;
        settle(message, &mut settled);
        if settled != wanted {
            wrong.push(format!("{path:?}: settled: {}", first_difference("", &settled, &wanted)));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(seen > 60, "{seen} golden files");
    for kind in crate::KINDS {
        assert!(message(&kind.api_version(), kind.kind).is_some_and(|message| std::ptr::eq(message, kind.schema)), "{}", kind.kind);
        let name = file((kind.group, kind.version, kind.kind));
        assert!(folder.join("HEAD").join(format!("{name}.pb")).is_file(), "no golden file of {name}");
    }
}

/// Found by fuzzing: a number of a ControllerRevision's data came back as its neighbour.
#[test]
fn every_bit_of_a_number_survives() {
    let text = br#"{"data":888888888888888888888888888555555555555555555555.5}"#;
    let value: Value = serde_json::from_slice(text).expect("JSON");
    let again: Value = serde_json::from_str(&value.to_string()).expect("JSON");
    assert_eq!(again, value);
}

#[test]
fn older_golden_files_are_read() {
    let Some(folder) = golden() else {
        println!("skipped: the Go module k8s.io/api v0.36.3");
        return;
    };
    let mut seen = 0;
    for version in ["v1.33.0", "v1.34.0", "v1.35.0"] {
        for entry in std::fs::read_dir(folder.join(version)).expect("a folder").flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(named) = name.strip_suffix(".pb") else { continue };
            let known = ROOTS.iter().any(|(group, version, kind, _)| named == file((group, version, kind)));
            if known {
                seen += 1;
                decode(&std::fs::read(entry.path()).expect("readable")).unwrap_or_else(|error| panic!("{version}/{name}: {error}"));
            }
        }
    }
    assert!(seen > 180, "{seen} golden files");
}

/// Bytes that are almost a body reach far deeper than random ones: bits flipped, tails cut, pieces doubled.
#[test]
fn damaged_golden_files_never_panic() {
    let Some(folder) = golden() else {
        println!("skipped: the Go module k8s.io/api v0.36.3");
        return;
    };
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = |most: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % most.max(1) as u64).unwrap_or(0)
    };
    let mut read = 0;
    for (group, version, kind, message) in ROOTS {
        let Ok(bytes) = std::fs::read(folder.join("HEAD").join(format!("{}.pb", file((group, version, kind))))) else { continue };
        for _ in 0..40 {
            let mut damaged = bytes.clone();
            for _ in 0..=below(3) {
                let at = below(damaged.len());
                match below(4) {
                    0 => damaged.truncate(at),
                    1 => damaged.extend_from_within(at..),
                    _ => damaged.get_mut(at).into_iter().for_each(|byte| *byte ^= 1 << below(8)),
                }
            }
            let Ok(value) = decode(&damaged) else { continue };
            read += 1;
            let again = encode(&value).expect("what was read can be written");
            assert_eq!(decode(&again).expect("what was written can be read"), value);
            let text = value.to_string();
            if let Ok(checked) = fields::read(message, text.as_bytes()) {
                for kind in crate::KINDS.iter().filter(|known| std::ptr::eq(known.schema, *message)) {
                    let mut object = checked.value.clone();
                    (kind.default)(&mut object);
                    let _ = (kind.validate)(&object, Some(&value));
                }
            }
        }
    }
    assert!(read > 100, "{read} damaged bodies were readable");
}

fn first_difference(path: &str, one: &Value, other: &Value) -> String {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let mut names: Vec<&String> = one.keys().chain(other.keys()).collect();
            names.sort();
            for name in names {
                if one.get(name) != other.get(name) {
                    let null = Value::Null;
                    return first_difference(&format!("{path}.{name}"), one.get(name).unwrap_or(&null), other.get(name).unwrap_or(&null));
                }
            }
            path.to_owned()
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            let at = one.iter().zip(other).position(|(one, other)| one != other).unwrap_or(0);
            first_difference(&format!("{path}[{at}]"), &one[at], &other[at])
        }
        _ => format!("{path}: {one} instead of {other}"),
    }
}

#[test]
fn a_namespace_is_written_as_kubectl_does() {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}});
    let bytes = encode(&namespace).expect("encodable");
    let back = decode(&bytes).expect("readable");
    assert_eq!(back, json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}, "spec": {}, "status": {}}));
    assert_eq!(encode(&back).expect("encodable"), bytes);
}

#[test]
fn options_stand_in_every_group() {
    assert!(message("apps/v1", "DeleteOptions").is_some());
    assert!(message("v1", "Status").is_some());
    assert!(message("v1", "Nothing").is_none());
}

#[test]
fn refuses_what_is_no_body() {
    assert_eq!(decode(b"{}"), Err(CodecError::Magic));
    assert_eq!(decode(b"k8s\0\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), Err(CodecError::Wire("integer overflow")));
    let mut many = Vec::new();
    for _ in 0..MANY {
        many.extend_from_slice(&[0x12, 0]);
    }
    assert_eq!(decode_message(&crate::generated::core_v1::POD_SPEC, &many), Err(CodecError::TooLarge));
}

const MANY: usize = 150_000;

proptest! {
    #[test]
    fn never_panics_on_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..400), at in 0usize..1000) {
        let (_, _, _, message) = ROOTS[at % ROOTS.len()];
        let _ = decode(&bytes);
        if let Ok(mut value) = decode_message(message, &bytes) {
            settle(message, &mut value);
            let again = encode_message(message, &value).expect("what was read can be written");
            let mut back = decode_message(message, &again).expect("what was written can be read");
            settle(message, &mut back);
            prop_assert_eq!(back, value);
        }
    }

    #[test]
    fn never_panics_on_text(text in "\\PC*") {
        let _ = fields::read(&crate::generated::core_v1::POD, text.as_bytes());
        let _ = crate::quantity::canonical(&text);
        let _ = duration::parse(&text);
    }

    #[test]
    fn quantities_are_stable(number in "[+-]?[0-9]{1,9}(\\.[0-9]{1,6})?", suffix in "(n|u|m|k|M|G|T|P|Ki|Mi|Gi|Ti)?") {
        if let Ok(once) = crate::quantity::canonical(&format!("{number}{suffix}")) {
            prop_assert_eq!(crate::quantity::canonical(&once), Ok(once.clone()));
        }
    }
}
