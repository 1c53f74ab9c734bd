//! Cloud resources: who makes them, what they may be called, and for which environments they are.

use super::known;
use crate::settings::node::{Key, Node};
use crate::settings::reader::{Reader, rule};
use net::client::Url;

pub(super) fn check(root: &Node, key: &Key, node: &Node, reader: &mut Reader) {
    if !super::is_label(&key.text) {
        reader.wrong(rule::VALUE, &key.origin, format!("`{}` cannot name cloud resources", key.text), "small letters, digits and `-`");
    }
    let text = |name: &str| node.get(name).and_then(|node| Some((node, node.as_text()?)));
    let known_providers = || ::infra::PROVIDERS.iter().map(|provider| provider.name);
    if let Some((node, provider)) = text("provider").filter(|(_, provider)| known_providers().all(|known| known != *provider)) {
        let help = format!("there are: {}", known_providers().collect::<Vec<_>>().join(", "));
        reader.below("provider", |reader| reader.wrong(rule::VALUE, &node.origin, format!("there is no provider `{provider}`"), help));
    }
    // With settings in it only the command can tell.
    if let Some((node, stack)) = text("stack").filter(|(_, stack)| !stack.contains("${") && !is_stack(stack)) {
        let message = format!("`{stack}` cannot name a stack");
        reader.below("stack", |reader| {
            reader.wrong(rule::VALUE, &node.origin, message, "a letter, then letters, digits and `-`, 128 at most")
        });
    }
    if let Some((node, Err(error))) = text("endpoint").map(|(node, endpoint)| (node, Url::parse(endpoint))) {
        reader.below("endpoint", |reader| reader.wrong(rule::VALUE, &node.origin, error.to_string(), ""));
    }
    if let (Some((node, _)), None) = (text("context"), text("cluster")) {
        reader.wrong(rule::MISSING, &node.origin, "`context` is given, but no cluster", "`cluster` names the output that names it");
    }
    for (name, place) in node.get("secrets").map(Node::entries).unwrap_or_default() {
        if place.get("file").is_some() == place.get("env").is_some() {
            let message = format!("it is not said where the secret `{}` is, or twice", name.text);
            reader.wrong(rule::VALUE, &name.origin, message, "write `file: PATH` or `env: NAME`");
        }
        if let Some((twice, _)) =
            node.get("parameters").map(Node::entries).unwrap_or_default().iter().find(|(key, _)| key.text == name.text)
        {
            let message = format!("`{}` is a secret and a parameter", name.text);
            reader.wrong(rule::VALUE, &twice.origin, message, "keep one of them");
        }
    }
    for name in node.get("environments").map(Node::items).unwrap_or_default() {
        let text = name.as_text().unwrap_or_default();
        if text != "local" {
            known(text, &name.origin, root.get("environments"), "environment", reader);
        }
    }
}

/// CloudFormation API Reference, `CreateChangeSet`, `StackName`.
pub(crate) fn is_stack(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '-';
    text.len() <= 128 && text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(inner)
}
