//! Settings, images, namespace and labels put into manifests; the release's id comes from the result.

use super::rolling::make_rolling;
use super::{MANAGED_BY, MANAGER, PROJECT, RELEASE, Source};
use crate::settings::{Settings, substitute};
use base::{Finding, Place, Problem, ProblemKind, Severity};
use k8s::yaml::{self, Document};
use k8s::{Fields, Value, kinds};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::time::Duration;

/// What manifests are rendered with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inputs {
    /// The project's name.
    pub project: String,
    /// Where objects go that name no namespace; the project's name where empty.
    pub namespace: String,
    /// Values for `${...}`.
    pub settings: Settings,
    /// What stands as `image: NAME` becomes this reference.
    pub images: BTreeMap<String, String>,
    /// How long requests may still be sent to a pod that is told to end; zero where the cluster sees to it that none is.
    pub drain: Duration,
}

impl Inputs {
    /// The namespace of objects that name none.
    pub fn namespace(&self) -> &str {
        if self.namespace.is_empty() { &self.project } else { &self.namespace }
    }
}

/// An object as it is to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Intent {
    /// The object.
    pub object: Value,
    /// Where it stands; without a file for what Wharf adds.
    pub place: Place,
}

/// The objects of one release.
#[derive(Clone, Debug, PartialEq)]
pub struct Release {
    /// Derived from the objects: equal inputs give an equal id.
    pub id: String,
    /// Of which project.
    pub project: String,
    /// The project's namespace.
    pub namespace: String,
    /// All objects, in the order of the files.
    pub intents: Vec<Intent>,
    /// What was added to them or should be known before they are applied.
    pub notes: Vec<Finding>,
}

impl Release {
    /// The SHA-256 of its objects, in the order of the files.
    ///
    /// # Errors
    /// Never but for a defect.
    pub fn digest(&self) -> Result<oci::Digest, Problem> {
        let objects: Vec<&Value> = self.intents.iter().map(|intent| &intent.object).collect();
        let bytes = oci::canonical::to_vec(&objects).map_err(|error| Problem::new(ProblemKind::Defect, error.to_string()))?;
        Ok(oci::Digest::of(&bytes))
    }
}

/// Renders manifests.
///
/// # Errors
/// All findings of all files at once: no YAML, unknown settings, objects without kind or name, doubled objects, images
/// that are never deployed.
pub fn render(sources: &[Source], inputs: &Inputs) -> Result<Release, Problem> {
    let mut findings = Vec::new();
    let mut intents = Vec::new();
    for source in sources {
        for document in documents(source, inputs, &mut findings) {
            flatten(source, document, &mut intents, &mut findings);
        }
    }
    for intent in &mut intents {
        put_images(&mut intent.object, inputs);
        put_namespace(&mut intent.object, inputs);
    }
    find_doubles(&intents, &mut findings);
    if !findings.is_empty() {
        let count = findings.len();
        let message = match findings.as_slice() {
            [one] => format!("{}: {}", one.place, one.message),
            _ => format!("the manifests have {count} errors"),
        };
        return Err(Problem::new(ProblemKind::Usage, message).with_findings(findings));
    }
    add_namespace(&mut intents, inputs);
    let notes = make_rolling(&mut intents, inputs.drain);
    let id = identify(&intents, inputs);
    for intent in &mut intents {
        put_labels(&mut intent.object, inputs, &id);
    }
    Ok(Release { id, project: inputs.project.clone(), namespace: inputs.namespace().to_owned(), intents, notes })
}

fn documents(source: &Source, inputs: &Inputs, findings: &mut Vec<Finding>) -> Vec<Document> {
    let mut settings = |text: &str| substitute(text, &inputs.settings);
    match yaml::read(&source.text, &mut settings) {
        Ok(documents) => documents,
        Err(errors) => {
            let finding = |error: yaml::YamlError| {
                let place = Place::in_file(source.name.clone(), error.at.line, error.at.column);
                Finding::new("manifest-yaml", Severity::Error, place, error.message)
            };
            findings.extend(errors.into_iter().map(finding));
            Vec::new()
        }
    }
}

// A `List` stands for its items.
fn flatten(source: &Source, document: Document, intents: &mut Vec<Intent>, findings: &mut Vec<Finding>) {
    let place = Place::in_file(source.name.clone(), document.at.line, document.at.column);
    let is_list = document.value.text("kind") == "List" && document.value.text("apiVersion") == "v1";
    let objects = if is_list { document.value.items("items").to_vec() } else { vec![document.value] };
    for (index, object) in objects.into_iter().enumerate() {
        let at = if is_list { document.places.get(&format!("items[{index}]")) } else { None };
        let place = at.map_or_else(|| place.clone(), |at| Place::in_file(source.name.clone(), at.line, at.column));
        let mut wrong = |message: &str| findings.push(Finding::new("manifest-object", Severity::Error, place.clone(), message));
        if !object.is_object() {
            wrong("a manifest is a map with `apiVersion`, `kind` and `metadata`");
        } else if object.text("apiVersion").is_empty() || object.text("kind").is_empty() {
            wrong("the object has no `apiVersion` or no `kind`");
        } else if object.name().is_empty() {
            wrong("the object has no `metadata.name`; generated names cannot be deployed twice");
        } else if ["metadata.managedFields", "metadata.uid", "metadata.resourceVersion"].iter().any(|path| object.at(path).is_some()) {
            wrong("`managedFields`, `uid` and `resourceVersion` come from a cluster and stand in no manifest");
        } else {
            intents.push(Intent { object, place });
        }
    }
}

fn put_images(value: &mut Value, inputs: &Inputs) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                if matches!(name.as_str(), "containers" | "initContainers") {
                    for container in value.as_array_mut().into_iter().flatten() {
                        let image = inputs.images.get(container.text("image"));
                        if let Some(image) = image {
                            container.set("image", image.as_str());
                        }
                    }
                }
                put_images(value, inputs);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| put_images(item, inputs)),
        _ => {}
    }
}

fn put_namespace(object: &mut Value, inputs: &Inputs) {
    let namespaced = kinds::find(object.text("apiVersion"), object.text("kind")).is_some_and(k8s::Kind::is_namespaced);
    if namespaced && object.namespace().is_empty() {
        object.set("metadata.namespace", inputs.namespace());
    }
    // Bindings name their service accounts with a namespace; one that is left out means the object's own.
    let namespace = if object.namespace().is_empty() { inputs.namespace().to_owned() } else { object.namespace().to_owned() };
    if matches!(object.text("kind"), "RoleBinding" | "ClusterRoleBinding")
        && let Some(Value::Array(subjects)) = object.get_mut("subjects")
    {
        let own = |subject: &&mut Value| subject.text("kind") == "ServiceAccount" && subject.text("namespace").is_empty();
        subjects.iter_mut().filter(own).for_each(|subject| subject.set("namespace", namespace.as_str()));
    }
}

fn find_doubles(intents: &[Intent], findings: &mut Vec<Finding>) {
    let mut seen: BTreeMap<String, &Place> = BTreeMap::new();
    for intent in intents {
        let name = shown(&intent.object);
        if let Some(first) = seen.get(&name) {
            let message = format!("{name} stands twice; the first is at {first}");
            findings.push(Finding::new("manifest-double", Severity::Error, intent.place.clone(), message));
        } else {
            seen.insert(name, &intent.place);
        }
    }
}

/// `Deployment jobs/app-a`.
pub(crate) fn shown(object: &Value) -> String {
    match object.namespace() {
        "" => format!("{} {}", object.text("kind"), object.name()),
        namespace => format!("{} {namespace}/{}", object.text("kind"), object.name()),
    }
}

// The project's own namespace is made where objects go into it and no manifest describes it.
fn add_namespace(intents: &mut Vec<Intent>, inputs: &Inputs) {
    let namespace = inputs.namespace();
    let described = intents.iter().any(|intent| intent.object.text("kind") == "Namespace" && intent.object.name() == namespace);
    if described || matches!(namespace, "default" | "kube-system" | "kube-public" | "kube-node-lease") {
        return;
    }
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
    intents.insert(0, Intent { object, place: Place::of_object(format!("Namespace {namespace}")) });
}

fn identify(intents: &[Intent], inputs: &Inputs) -> String {
    let mut hash = Sha256::new();
    hash.update(inputs.project.as_bytes());
    let mut objects: Vec<String> = intents.iter().map(|intent| intent.object.to_string()).collect();
    objects.sort_unstable();
    for object in objects {
        hash.update([0]);
        hash.update(object.as_bytes());
    }
    base::ids::hex(&hash.finalize()).get(..12).unwrap_or_default().to_owned()
}

// A pod template gets what never changes; the release would restart every pod of the project.
fn put_labels(object: &mut Value, inputs: &Inputs, id: &str) {
    let mut label = |path: &str, name: &str, value: &str| {
        let labels = object.at_mut(path);
        if !labels.is_object() {
            *labels = json!({});
        }
        labels[name] = json!(value);
    };
    label("metadata.labels", MANAGED_BY, MANAGER);
    label("metadata.labels", PROJECT, &inputs.project);
    label("metadata.labels", RELEASE, id);
    if object.at("spec.template.spec.containers").is_some() {
        let labels = object.at_mut("spec.template.metadata.labels");
        if !labels.is_object() {
            *labels = json!({});
        }
        labels[PROJECT] = json!(inputs.project);
    }
}
