//! The real API server's documents as the oracle, where its module is on this machine.
#![allow(clippy::print_stdout)]

use super::*;
use std::path::Path;
use std::process::Command;

fn golden(name: &str) -> Option<Value> {
    let cache = Command::new("go").args(["env", "GOMODCACHE"]).output().ok()?;
    let folder = Path::new(String::from_utf8(cache.stdout).ok()?.trim()).join("k8s.io/kubernetes@v1.36.3/api/openapi-spec");
    serde_json::from_slice(&std::fs::read(folder.join(name)).ok()?).ok()
}

/// Everything but prose, and but the kinds of options that every group has.
fn bare(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let dropped = |name: &str| matches!(name, "x-kubernetes-unions" | "x-kubernetes-group-version-kind");
            let prose = |name: &str, value: &Value| name == "description" && value.is_string();
            let kept = members.iter().filter(|(name, value)| !dropped(name) && !prose(name, value));
            Value::Object(kept.map(|(name, value)| (name.clone(), bare(value))).collect())
        }
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(bare).collect();
            if items.iter().all(Value::is_string) {
                items.sort_by_key(ToString::to_string);
            }
            Value::Array(items)
        }
        other => other.clone(),
    }
}

fn compare(ours: &Value, real: &Value, told: &mut Vec<String>) -> usize {
    let mut seen = 0;
    for (name, schema) in ours.as_object().expect("schemas") {
        let Some(other) = real.get(name) else { continue };
        seen += 1;
        let (one, other) = (bare(schema), bare(other));
        if one == other {
            continue;
        }
        let names = one["properties"].as_object().into_iter().chain(other["properties"].as_object()).flatten().map(|(name, _)| name);
        for field in names.collect::<BTreeSet<_>>() {
            if one["properties"][field] != other["properties"][field] {
                told.push(format!("{name}.{field}: {} instead of {}", one["properties"][field], other["properties"][field]));
            }
        }
        if one["required"] != other["required"] {
            told.push(format!("{name}: required {} instead of {}", one["required"], other["required"]));
        }
        if one["x-kubernetes-map-type"] != other["x-kubernetes-map-type"] {
            told.push(format!("{name}: map type"));
        }
    }
    seen
}

#[test]
fn schemas_are_those_of_the_real_server() {
    let Some(real) = golden("swagger.json") else {
        println!("skipped: the Go module k8s.io/kubernetes v1.36.3 (`go mod download k8s.io/kubernetes@v1.36.3`)");
        return;
    };
    let mut told = Vec::new();
    let mut seen = compare(&v2_document()["definitions"], &real["definitions"], &mut told);
    for name in documents() {
        let file = format!("v3/{}_openapi.json", name.replace('/', "__"));
        let real = golden(&file).expect("a real document");
        let ours = v3_document(&name).expect("a document");
        seen += compare(&ours["components"]["schemas"], &real["components"]["schemas"], &mut told);
        for path in ours["paths"].as_object().expect("paths").keys() {
            assert!(real["paths"].get(path).is_some(), "{path} is no path of the real server");
        }
    }
    assert!(told.is_empty(), "{}\n{} differ", told.join("\n"), told.len());
    assert!(seen > 500, "{seen} schemas");
}

#[test]
fn every_reference_has_its_schema() {
    let mut documents: Vec<Value> = documents().iter().filter_map(|name| v3_document(name)).collect();
    documents.push(v2_document());
    for document in documents {
        let mut waiting = vec![&document];
        while let Some(value) = waiting.pop() {
            match value {
                Value::Object(members) => {
                    if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                        let found = document.pointer(reference.strip_prefix('#').expect("local"));
                        assert!(found.is_some(), "{reference}");
                    }
                    waiting.extend(members.values());
                }
                Value::Array(items) => waiting.extend(items),
                _ => {}
            }
        }
    }
}

#[test]
fn kubectl_finds_what_it_looks_for() {
    let index = v3_index();
    assert!(
        index["paths"]["apis/apps/v1"]["serverRelativeURL"].as_str().expect("an address").starts_with("/openapi/v3/apis/apps/v1?hash=")
    );
    let document = v3_document("apis/apps/v1").expect("a document");
    let patch = &document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"];
    let names: Vec<&str> = patch["parameters"].as_array().expect("a list").iter().filter_map(|one| one["name"].as_str()).collect();
    assert!(names.contains(&"fieldValidation") && names.contains(&"dryRun"), "{names:?}");
    assert_eq!(patch["x-kubernetes-group-version-kind"]["kind"], "Deployment");
    assert!(v3_document("apis/nothing/v1").is_none());
    assert!(v2_document().to_string().len() < 2_000_000);
}
