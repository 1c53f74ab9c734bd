//! Laying one source over another: maps grow together, everything else is replaced.

use super::fields::Settings;
use super::node::{Key, Node, Origin, Value};
use super::reader::rule;
use super::yaml;
use base::{Finding, Severity};

/// Lays `over` upon `under`.
pub(crate) fn lay(under: Node, over: Node) -> Node {
    let Node { origin, value } = under;
    match (value, over) {
        (Value::Map(mut entries), Node { value: Value::Map(others), .. }) => {
            for (key, node) in others {
                match entries.iter().position(|(known, _)| known.text == key.text) {
                    Some(at) => {
                        let (_, below) = entries.remove(at);
                        entries.insert(at, (key, lay(below, node)));
                    }
                    None => entries.push((key, node)),
                }
            }
            Node { origin, value: Value::Map(entries) }
        }
        (value, Node { value: Value::Null, .. }) => Node { origin, value },
        (_, over) => over,
    }
}

/// Lays `KEY=VALUE` of the command line upon the rest. The key is a path such as `images.app.target` or `load.0.requests`; a plain name
/// that is no field sets a value for manifests.
pub(crate) fn set(root: Node, text: &str, findings: &mut Vec<Finding>) -> Node {
    let origin = Origin::CommandLine(text.into());
    let mut wrong = |message: String, help: &str| {
        findings.push(Finding::new(rule::VALUE, Severity::Error, origin.place(""), message).with_help(help));
    };
    let Some((key, value)) = text.split_once('=') else {
        wrong(format!("`--set {text}` has no equals sign"), "write `--set KEY=VALUE`");
        return root;
    };
    let mut steps: Vec<&str> = key.split('.').collect();
    if steps.iter().any(|step| step.is_empty()) {
        wrong(format!("`{key}` is no path of a setting"), "write it like `images.app.target`");
        return root;
    }
    if steps.len() == 1 && !Settings::FIELDS.iter().any(|field| field.name == key) {
        steps.insert(0, "settings");
    }
    let Some(node) = parse_value(value, &origin, findings) else { return root };
    place(root, &steps, node, &origin, findings)
}

/// A list or map in YAML's flow form, else the text as it stands.
fn parse_value(value: &str, origin: &Origin, findings: &mut Vec<Finding>) -> Option<Node> {
    if value.starts_with(['{', '[', '"', '\'']) {
        return yaml::parse(value, &|_, _| origin.clone(), findings);
    }
    Some(Node::text(value, origin.clone()))
}

fn place(under: Node, steps: &[&str], node: Node, origin: &Origin, findings: &mut Vec<Finding>) -> Node {
    let Some((step, rest)) = steps.split_first() else { return node };
    match under.value {
        Value::List(mut items) => {
            match step.parse::<usize>().ok().and_then(|index| items.get_mut(index)) {
                Some(item) => *item = place(item.clone(), rest, node, origin, findings),
                None => {
                    let message = format!("`{step}` is no number of this list, which has {} entries from 0 on", items.len());
                    findings.push(Finding::new(rule::VALUE, Severity::Error, origin.place(""), message));
                }
            }
            Node { origin: under.origin, value: Value::List(items) }
        }
        Value::Map(mut entries) => {
            match entries.iter_mut().find(|(key, _)| key.text == *step) {
                Some((_, below)) => *below = place(below.clone(), rest, node, origin, findings),
                None => {
                    let below = place(Node::map(origin.clone()), rest, node, origin, findings);
                    entries.push((Key { origin: origin.clone(), text: (*step).to_owned() }, below));
                }
            }
            Node { origin: under.origin, value: Value::Map(entries) }
        }
        Value::Null | Value::Text { .. } => place(Node::map(origin.clone()), steps, node, origin, findings),
    }
}
