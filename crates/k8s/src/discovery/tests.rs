//! The real API server's documents as the oracle, where its module is on this machine.
#![allow(clippy::print_stdout)]

use super::*;
use std::path::{Path, PathBuf};
use std::process::Command;

fn golden(name: &str) -> Option<Value> {
    let cache = Command::new("go").args(["env", "GOMODCACHE"]).output().ok()?;
    let folder: PathBuf = Path::new(String::from_utf8(cache.stdout).ok()?.trim()).join("k8s.io/kubernetes@v1.36.3/api/discovery");
    let text = std::fs::read(folder.join(name)).ok()?;
    serde_json::from_slice(&text).ok()
}

/// What we serve must be told as the real server tells it; what we do not serve is not looked at.
#[test]
fn resources_are_told_as_the_real_server_tells_them() {
    let mut seen = 0;
    let mut groups: Vec<(&str, Vec<&str>)> = groups();
    groups.push(("", vec!["v1"]));
    for (group, versions) in groups {
        let name = if group.is_empty() { "api__v1.json".to_owned() } else { format!("apis__{group}__{}.json", versions[0]) };
        let Some(real) = golden(&name) else {
            println!("skipped: the Go module k8s.io/kubernetes v1.36.3 (`go mod download k8s.io/kubernetes@v1.36.3`)");
            return;
        };
        let ours = api_resource_list(group, versions[0]).expect("served");
        for resource in ours["resources"].as_array().expect("a list") {
            let named = |other: &&Value| other["name"] == resource["name"];
            let mut other = real["resources"].as_array().into_iter().flatten().find(named).expect("a real resource").clone();
            if let Some(members) = other.as_object_mut() {
                members.remove("storageVersionHash");
            }
            assert_eq!(*resource, other);
            seen += 1;
        }
        assert_eq!(ours["groupVersion"], real["groupVersion"]);
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn both_forms_tell_the_same() {
    let aggregated = aggregated(Root::Apis);
    let items = aggregated["items"].as_array().expect("a list");
    assert_eq!(items.len(), groups().len());
    let apps = items.iter().find(|item| item["metadata"]["name"] == "apps").expect("apps");
    let deployments = apps["versions"][0]["resources"].as_array().expect("a list").iter().find(|one| one["resource"] == "deployments");
    let deployments = deployments.expect("deployments");
    assert_eq!(deployments["responseKind"], json!({"group": "apps", "version": "v1", "kind": "Deployment"}));
    let subs: Vec<&str> =
        deployments["subresources"].as_array().expect("a list").iter().filter_map(|sub| sub["subresource"].as_str()).collect();
    assert_eq!(subs, ["scale", "status"]);
    assert_eq!(api_group("apps").expect("served")["preferredVersion"]["groupVersion"], "apps/v1");
    assert!(api_group("nothing").is_none());
    assert!(api_resource_list("", "v2").is_none());
}
