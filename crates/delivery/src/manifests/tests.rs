//! Rendering.

use super::*;
use k8s::{Fields, Value};
use proptest::prelude::*;

const TEXT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: ${replicas}
  template:
    metadata: { labels: { app: web } }
    spec:
      containers:
        - { name: web, image: web, args: [\"$$HOME\", \"$(X)\"] }
        - { name: side, image: other }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: b }
subjects: [{ kind: ServiceAccount, name: x }]
";

fn inputs() -> Inputs {
    Inputs {
        project: "jobs".to_owned(),
        settings: [("replicas".to_owned(), "3".to_owned())].into(),
        images: [("web".to_owned(), "localhost/jobs/web@sha256:1".to_owned())].into(),
        ..Inputs::default()
    }
}

fn made(text: &str) -> Release {
    render(&[read_text("k8s/a.yaml", text)], &inputs()).expect("rendered")
}

#[test]
fn puts_in_settings_images_namespace_and_labels() {
    let release = made(TEXT);
    let [namespace, deployment, binding] = release.intents.as_slice() else { panic!("three objects: {release:?}") };
    assert_eq!((namespace.object.text("kind"), namespace.object.name()), ("Namespace", "jobs"));
    let object = &deployment.object;
    assert_eq!((object.namespace(), object.int("spec.replicas")), ("jobs", Some(3)));
    let containers = object.items("spec.template.spec.containers");
    let images: Vec<&str> = containers.iter().map(|container| container.text("image")).collect();
    assert_eq!(images, ["localhost/jobs/web@sha256:1", "other"]);
    let args: Vec<&Value> = containers.iter().flat_map(|container| container.items("args")).collect();
    assert_eq!(args, ["$HOME", "$(X)"]);
    assert_eq!(object.label(PROJECT), Some("jobs"));
    assert_eq!(object.label(RELEASE), Some(release.id.as_str()));
    let template = object.at("spec.template").expect("template");
    assert_eq!((template.label(PROJECT), template.label(RELEASE)), (Some("jobs"), None), "a release restarts no pod by its name");
    assert_eq!(binding.object.items("subjects").first().map(|subject| subject.text("namespace")), Some("jobs"));
    assert_eq!(binding.object.namespace(), "");
    assert_eq!(deployment.place.line, Some(2));
}

#[test]
fn equal_inputs_are_one_release() {
    assert_eq!(made(TEXT), made(TEXT));
    let mut other = inputs();
    other.images.insert("web".to_owned(), "localhost/jobs/web@sha256:2".to_owned());
    let changed = render(&[read_text("k8s/a.yaml", TEXT)], &other).expect("rendered");
    assert_ne!(changed.id, made(TEXT).id);
}

#[test]
fn all_errors_at_once_with_their_places() {
    let text = "kind: A\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\n";
    let other = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: \"${nope}\", b: \"${nada}\"}\n";
    let problem = render(&[read_text("a.yaml", text), read_text("b.yaml", other)], &inputs()).expect_err("wrong");
    let shown: Vec<String> = problem.findings.iter().map(|finding| format!("{}: {}", finding.place, finding.message)).collect();
    assert_eq!(shown.len(), 4, "{shown:#?}");
    assert!(shown.iter().any(|line| line.starts_with("a.yaml:1:1: the object has no")), "{shown:#?}");
    assert!(shown.iter().any(|line| line.starts_with("b.yaml:4:11: there is no setting `nope`")), "{shown:#?}");
    assert!(shown.iter().any(|line| line.contains("Secret jobs/s stands twice; the first is at a.yaml:3:1")), "{shown:#?}");
}

#[test]
fn lists_stand_for_their_items() {
    let release = made(
        "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: a}}\n- {apiVersion: v1, kind: Secret, metadata: {name: b}}\n",
    );
    assert_eq!(release.intents.len(), 3);
    assert_eq!(release.intents.get(2).and_then(|intent| intent.place.line), Some(5));
}

proptest! {
    #[test]
    fn never_panics(text in "[-a:{}\\[\\]$'\" \nkindmetaspec0-9]{0,200}") {
        let _ = render(&[read_text("x", text)], &inputs());
    }
}
