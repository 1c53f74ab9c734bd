//! What is wrong with a template and the values for its parameters, all of it at once.

use super::references::{Names, Walk, cycle};
use super::{LARGEST, Node, Template, Value, rule};
use crate::provider::Declared;
use base::{Finding, Severity};
use std::collections::{BTreeMap, BTreeSet};

const SECTIONS: [&str; 11] = [
    "AWSTemplateFormatVersion",
    "Description",
    "Metadata",
    "Parameters",
    "Rules",
    "Mappings",
    "Conditions",
    "Transform",
    "Hooks",
    "Resources",
    "Outputs",
];
const ATTRIBUTES: [&str; 9] =
    ["Type", "Properties", "DependsOn", "Condition", "CreationPolicy", "DeletionPolicy", "UpdatePolicy", "UpdateReplacePolicy", "Metadata"];
const MOST_RESOURCES: usize = 500;

impl Template {
    /// All that is wrong with it and with what is declared for it.
    pub fn check(&self, declared: &Declared) -> Vec<Finding> {
        let mut findings = Vec::new();
        if declared.template.len() > LARGEST {
            let message = format!("it has {} bytes; a call carries at most {LARGEST}", declared.template.len());
            findings.push(
                self.wrong(rule::SHAPE, &self.root, message).with_help("split it into stacks of their own, each an entry of `infra`"),
            );
        }
        // What a macro makes of it is only known to the service; what goes in has sections, names and forms of the macro's own.
        if self.is_expanded() {
            self.resources_are_there(&mut findings);
        } else {
            self.sections(&mut findings);
            self.references(&mut findings);
        }
        self.parameters(declared, &mut findings);
        for import in &declared.imports {
            self.import(&import.id, &mut findings);
        }
        findings
    }

    fn sections(&self, findings: &mut Vec<Finding>) {
        if !matches!(self.root.value, Value::Map(_)) {
            return findings.push(self.wrong(rule::SHAPE, &self.root, "a template is a map with `Resources`"));
        }
        for (key, _) in self.root.entries() {
            let name = key.text().unwrap_or_default();
            if !SECTIONS.contains(&name) {
                let meant = base::suggest::closest(name, SECTIONS).map(|meant| format!("did you mean `{meant}`?"));
                let finding = self.wrong(rule::SHAPE, key, format!("a template has no section `{name}`"));
                findings.push(finding.with_help(meant.unwrap_or_default()));
            }
        }
        self.resources_are_there(findings);
        let resources = self.section("Resources");
        if resources.len() > MOST_RESOURCES {
            findings.push(self.wrong(rule::SHAPE, &self.root, format!("it has more than {MOST_RESOURCES} resources")));
        }
        for (key, resource) in resources {
            self.resource(key, resource, findings);
        }
    }

    fn resources_are_there(&self, findings: &mut Vec<Finding>) {
        if self.section("Resources").is_empty() {
            findings.push(self.wrong(rule::SHAPE, &self.root, "it has no `Resources`"));
        }
    }

    fn resource(&self, key: &Node, resource: &Node, findings: &mut Vec<Finding>) {
        let id = key.text().unwrap_or_default();
        if id.is_empty() || id.len() > 255 || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            findings.push(self.wrong(rule::SHAPE, key, format!("`{id}` cannot name a resource")).with_help("it is letters and digits"));
        }
        match resource.get("Type").map(|kind| (kind, kind.text().unwrap_or_default())) {
            None => findings.push(self.wrong(rule::SHAPE, key, format!("`{id}` has no `Type`"))),
            Some((node, kind)) if kind.split("::").count() < 2 => {
                findings.push(self.wrong(rule::SHAPE, node, format!("`{kind}` is no type")).with_help("write it like `AWS::EKS::Cluster`"));
            }
            Some(_) => {}
        }
        for (key, _) in resource.entries() {
            let name = key.text().unwrap_or_default();
            if !ATTRIBUTES.contains(&name) {
                let meant = base::suggest::closest(name, ATTRIBUTES).map(|meant| format!("did you mean `{meant}`?"));
                let help = meant.unwrap_or_else(|| "what a resource is made of stands below `Properties`".to_owned());
                findings.push(self.wrong(rule::SHAPE, key, format!("a resource has no attribute `{name}`")).with_help(help));
            }
        }
    }

    fn parameters(&self, declared: &Declared, findings: &mut Vec<Finding>) {
        let known: BTreeMap<&str, &Node> = self.section("Parameters").iter().filter_map(|(key, node)| Some((key.text()?, node))).collect();
        for name in declared.parameters.keys().chain(declared.secrets.keys()).filter(|name| !known.contains_key(name.as_str())) {
            let meant = base::suggest::closest(name, known.keys().copied()).map(|meant| format!("did you mean `{meant}`?"));
            let finding =
                self.wrong(rule::PARAMETER, &self.root, format!("there is no parameter `{name}`, but `infra.{}` sets it", declared.name));
            findings.push(finding.with_help(meant.unwrap_or_default()));
        }
        for (name, node) in known {
            let shown = declared.parameters.get(name);
            let hidden = declared.secrets.get(name).map(crate::aws::Secret::reveal);
            let echoes = node.get("NoEcho").and_then(Node::text).is_none_or(|text| !text.eq_ignore_ascii_case("true"));
            if hidden.is_some() && echoes {
                findings.push(
                    self.wrong(rule::PARAMETER, node, format!("`{name}` is given a secret, but everybody who sees the stack can read it"))
                        .with_help("add `NoEcho: true`"),
                );
            }
            match shown.map(String::as_str).or(hidden) {
                None if node.get("Default").is_none() => {
                    let finding = self.wrong(rule::PARAMETER, node, format!("`{name}` has no default and is not set"));
                    findings.push(finding.with_help(format!("set `infra.{}.parameters.{name}`", declared.name)));
                }
                Some(value) => findings.extend(self.value(name, node, value, hidden.is_some())),
                None => {}
            }
        }
    }

    fn value(&self, name: &str, node: &Node, value: &str, secret: bool) -> Option<Finding> {
        let shown = if secret { "its value".to_owned() } else { format!("`{value}`") };
        let kind = node.get("Type").and_then(Node::text).unwrap_or_default();
        // The service holds each item of a list against them. A value of the parameter store is a key there, not a list.
        let list = kind == "CommaDelimitedList" || kind.starts_with("List<");
        let items: Vec<&str> = if list { value.split(',').map(str::trim).collect() } else { vec![value] };
        let said = |item: &str| if secret || items.len() == 1 { shown.clone() } else { format!("`{item}` of {shown}") };
        let allowed = node.get("AllowedValues").map(|list| list.items().iter().filter_map(Node::text).collect::<Vec<_>>());
        if let Some(allowed) = allowed.filter(|allowed| !allowed.is_empty())
            && let Some(item) = items.iter().find(|item| !allowed.contains(item))
        {
            let message = format!("`{name}`: {} is not one of {}", said(item), allowed.join(", "));
            return Some(self.wrong(rule::PARAMETER, node, message));
        }
        let number = matches!(kind, "Number" | "List<Number>");
        let wrong = items.iter().find(|item| number && item.parse::<f64>().is_err())?;
        Some(self.wrong(rule::PARAMETER, node, format!("`{name}`: {} is no number", said(wrong))))
    }

    fn references(&self, findings: &mut Vec<Finding>) {
        let names = Names::of(self);
        let mut needs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (key, resource) in self.section("Resources") {
            let mut walk = Walk { names: &names, findings: Vec::new(), needs: BTreeSet::new() };
            ["Properties", "Metadata", "UpdatePolicy", "CreationPolicy"]
                .iter()
                .filter_map(|part| resource.get(part))
                .for_each(|part| walk.walk(part));
            walk.condition(resource.get("Condition"));
            if let Some(depends) = resource.get("DependsOn") {
                for target in depends.text().map(|_| std::slice::from_ref(depends)).unwrap_or_else(|| depends.items()) {
                    walk.resource(target, target.text().unwrap_or_default());
                }
            }
            findings.append(&mut walk.findings);
            needs.insert(key.text().unwrap_or_default().to_owned(), walk.needs);
        }
        let mut walk = Walk { names: &names, findings: Vec::new(), needs: BTreeSet::new() };
        for (_, output) in self.section("Outputs") {
            walk.condition(output.get("Condition"));
            ["Value", "Export", "Description"].iter().filter_map(|part| output.get(part)).for_each(|part| walk.walk(part));
        }
        self.section("Conditions").iter().for_each(|(_, condition)| walk.walk(condition));
        findings.append(&mut walk.findings);
        if let Some(circle) = cycle(&needs) {
            let at = self.section("Resources").iter().find(|(key, _)| key.text() == circle.first().map(String::as_str)).map(|(key, _)| key);
            let message = format!("these need each other: {}", circle.join(" -> "));
            findings.push(self.wrong(rule::REFERENCE, at.unwrap_or(&self.root), message));
        }
    }

    /// The service takes in only what the template says is kept when it is removed (User Guide, "Import resource").
    fn import(&self, id: &str, findings: &mut Vec<Finding>) {
        let resource = self.section("Resources").iter().find(|(key, _)| key.text() == Some(id));
        match resource {
            None => {
                let known = self.section("Resources").iter().filter_map(|(key, _)| key.text());
                let meant = base::suggest::closest(id, known).map(|meant| format!("did you mean `{meant}`?"));
                findings.push(
                    self.wrong(rule::REFERENCE, &self.root, format!("there is no resource `{id}`")).with_help(meant.unwrap_or_default()),
                );
            }
            Some((key, resource)) if resource.get("DeletionPolicy").is_none() => {
                let finding = self.wrong(rule::SHAPE, key, format!("`{id}` is taken in only with a `DeletionPolicy`"));
                findings.push(finding.with_help("write `DeletionPolicy: Retain`; it can be removed again afterwards"));
            }
            Some(_) => {}
        }
    }

    /// What the service says of it.
    pub(crate) fn refused(&self, message: &str) -> Finding {
        let place = base::Place { file: Some(self.path.clone()), ..base::Place::default() };
        Finding::new(rule::SERVICE, Severity::Error, place, message)
    }
}

#[cfg(test)]
mod tests;
