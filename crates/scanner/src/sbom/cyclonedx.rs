//! CycloneDX 1.6 in JSON.

use super::licenses::{self, License};
use super::purl::Purl;
use super::{Gathered, Options, reference, target, uuid};
use crate::package::{Inventory, Os, Package, TargetKind};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Components within components deeper than this are not looked at; JSON ends before.
const DEEPEST: usize = 100;

/// The document of an inventory.
pub fn write(inventory: &Inventory, options: Options<'_>) -> Value {
    let os = inventory.os.as_ref();
    let mut components: Vec<Value> = os.map(operating_system).into_iter().collect();
    components.extend(inventory.packages.iter().map(|package| component(package, os)));
    let mut metadata = Map::new();
    if let Some(at) = options.created {
        metadata.insert("timestamp".to_owned(), json!(at.rfc3339()));
    }
    metadata.insert("tools".to_owned(), json!({"components": [{"type": "application", "name": "wharf", "version": options.tool_version}]}));
    metadata.insert("component".to_owned(), subject(inventory));
    let serial = uuid(json!([inventory.target, components]).to_string().as_bytes());
    let mut document = json!({"$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json", "bomFormat": "CycloneDX", "specVersion": "1.6",
        "serialNumber": format!("urn:uuid:{serial}"), "version": 1, "metadata": metadata, "components": components});
    if !inventory.unread.is_empty() {
        // Something could not be read: nobody shall take the list for whole.
        document["compositions"] = json!([{"aggregate": "incomplete", "assemblies": ["target"]}]);
    }
    document
}

fn subject(inventory: &Inventory) -> Value {
    let target = &inventory.target;
    let kind = if target.kind == TargetKind::Image || target.id.is_some() { "container" } else { "application" };
    let mut subject = json!({"bom-ref": "target", "type": kind, "name": target.name});
    if let Some(id) = &target.id {
        subject["version"] = json!(id);
    }
    if !target.layers.is_empty() {
        subject["properties"] = target.layers.iter().map(|layer| property("wharf:layer", layer)).collect();
    }
    subject
}

fn operating_system(os: &Os) -> Value {
    let mut component = json!({"bom-ref": "os", "type": "operating-system", "name": os.id});
    if !os.version.is_empty() {
        component["version"] = json!(os.version);
    }
    if !os.name.is_empty() {
        component["description"] = json!(os.name);
    }
    component
}

fn component(package: &Package, os: Option<&Os>) -> Value {
    let purl = Purl::of(package, os);
    let mut component = json!({"bom-ref": reference(package), "type": "library", "name": purl.name, "version": package.version});
    if !purl.namespace.is_empty() && !package.ecosystem.is_distribution() {
        component["group"] = json!(purl.namespace);
    }
    if package.development {
        component["scope"] = json!("excluded");
    }
    let licenses = choice(&package.licenses);
    if !licenses.is_empty() {
        component["licenses"] = json!(licenses);
    }
    component["purl"] = json!(purl.to_string());
    let mut occurrence = json!({"location": package.file});
    if let Some(line) = package.line {
        occurrence["line"] = json!(line);
    }
    component["evidence"] = json!({"occurrences": [occurrence]});
    let mut properties: Vec<Value> = package.layer.iter().map(|layer| property("wharf:layer", layer)).collect();
    if package.owned {
        properties.push(property("wharf:owned", "true"));
    }
    if !properties.is_empty() {
        component["properties"] = json!(properties);
    }
    component
}

/// Either one expression or a list of licences: the schema allows no mixture.
fn choice(texts: &[String]) -> Vec<Value> {
    let read: Vec<License> = texts.iter().filter(|text| !text.trim().is_empty()).map(|text| licenses::read(text)).collect();
    if let [License::Expression(expression)] = read.as_slice() {
        return vec![json!({"expression": expression})];
    }
    let one = |license: License| match license {
        License::Id(id) => json!({"license": {"id": id}}),
        License::Expression(name) | License::Named(name) => json!({"license": {"name": name}}),
    };
    read.into_iter().map(one).collect()
}

fn property(name: &str, value: &str) -> Value {
    json!({"name": name, "value": value})
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    components: Vec<Component>,
}

#[derive(Default, Deserialize)]
struct Metadata {
    component: Option<Component>,
}

#[derive(Deserialize)]
struct Component {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    name: String,
    version: Option<String>,
    scope: Option<String>,
    description: Option<String>,
    purl: Option<String>,
    #[serde(default)]
    licenses: Vec<Value>,
    #[serde(default)]
    properties: Vec<Property>,
    #[serde(default)]
    evidence: Evidence,
    #[serde(default)]
    components: Vec<Component>,
}

#[derive(Deserialize)]
struct Property {
    #[serde(default)]
    name: String,
    #[serde(default)]
    value: String,
}

#[derive(Default, Deserialize)]
struct Evidence {
    #[serde(default)]
    occurrences: Vec<Occurrence>,
}

#[derive(Deserialize)]
struct Occurrence {
    #[serde(default)]
    location: String,
    line: Option<u32>,
}

impl Component {
    /// The first of several properties; other tools' names for the same thing.
    fn property(&self, names: &[&str]) -> Option<&str> {
        let find = |name: &&str| self.properties.iter().find(|property| property.name == **name);
        names.iter().find_map(find).map(|property| property.value.as_str())
    }
}

/// Reads a document of any version in JSON: packages by their URLs.
///
/// # Errors
/// When it is none.
pub fn read(bytes: &[u8], name: &str) -> Result<Inventory, String> {
    let document: Document = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let (mut gathered, mut os) = (Gathered::new(), None);
    gather(&document.components, 0, name, &mut gathered, &mut os);
    let subject = document.metadata.component;
    let image = subject.as_ref().filter(|subject| subject.kind == "container");
    let id = image.and_then(|subject| subject.version.clone()).filter(|id| id.starts_with("sha256:"));
    let is_layer = |property: &&Property| property.name == "wharf:layer";
    let layers = image.map(|subject| subject.properties.iter().filter(is_layer).map(|layer| layer.value.clone()).collect());
    Ok(gathered.inventory(target(name, id, layers.unwrap_or_default()), os))
}

fn gather(components: &[Component], depth: usize, name: &str, gathered: &mut Gathered, os: &mut Option<Os>) {
    if depth > DEEPEST {
        return;
    }
    for component in components {
        gather(&component.components, depth + 1, name, gathered, os);
        match component.kind.as_str() {
            "operating-system" => {
                let version = component.version.clone().unwrap_or_default();
                *os = Some(Os { id: component.name.clone(), version, name: component.description.clone().unwrap_or_default() });
                continue;
            }
            "file" | "data" if component.purl.is_none() => continue,
            _ => {}
        }
        let place = component.evidence.occurrences.first();
        let file = place.map(|place| place.location.as_str());
        let file = file.or_else(|| component.property(&["syft:location:0:path", "aquasecurity:trivy:FilePath"])).unwrap_or(name);
        let Some(package) = gathered.take(component.purl.as_deref(), file.trim_start_matches('/')) else { continue };
        package.line = place.and_then(|place| place.line);
        package.layer =
            component.property(&["wharf:layer", "syft:location:0:layerID", "aquasecurity:trivy:LayerDiffID"]).map(str::to_owned);
        package.owned = component.property(&["wharf:owned"]) == Some("true");
        package.development = component.scope.as_deref() == Some("excluded");
        package.licenses = component.licenses.iter().filter_map(license).collect();
    }
}

fn license(choice: &Value) -> Option<String> {
    let text = |value: &Value, name: &str| value.get(name)?.as_str().map(str::to_owned);
    text(choice, "expression").or_else(|| choice.get("license").and_then(|one| text(one, "id").or_else(|| text(one, "name"))))
}
