//! What a template's values name: parameters, resources, conditions, mappings.

use super::{Node, Template, Value, rule};
use base::Finding;
use std::collections::{BTreeMap, BTreeSet};

/// Names that are always there begin with this.
const PSEUDO: &str = "AWS::";

/// What can be named.
pub(super) struct Names<'t> {
    pub template: &'t Template,
    pub parameters: BTreeSet<&'t str>,
    pub resources: BTreeSet<&'t str>,
    pub conditions: BTreeSet<&'t str>,
    pub mappings: BTreeSet<&'t str>,
}

/// A value with what is around it.
pub(super) struct Walk<'t, 'n> {
    pub names: &'n Names<'t>,
    pub findings: Vec<Finding>,
    /// Resources that are named.
    pub needs: BTreeSet<String>,
}

impl<'t> Names<'t> {
    pub(super) fn of(template: &'t Template) -> Self {
        let keys = |section: &str| template.section(section).iter().filter_map(|(key, _)| key.text()).collect();
        Self {
            template,
            parameters: keys("Parameters"),
            resources: keys("Resources"),
            conditions: keys("Conditions"),
            mappings: keys("Mappings"),
        }
    }

    pub(super) fn missing(&self, node: &Node, what: &str, name: &str, known: &BTreeSet<&'t str>) -> Finding {
        let meant = base::suggest::closest(name, known.iter().copied()).map(|meant| format!("did you mean `{meant}`?"));
        self.template.wrong(rule::REFERENCE, node, format!("there is no {what} `{name}`")).with_help(meant.unwrap_or_default())
    }
}

impl Walk<'_, '_> {
    /// Looks at a value and all in it; depth is bounded by the reader.
    pub(super) fn walk(&mut self, node: &Node) {
        match &node.value {
            Value::Text(_) => {}
            Value::List(items) => items.iter().for_each(|item| self.walk(item)),
            Value::Map(entries) => {
                if let [(key, argument)] = entries.as_slice() {
                    self.function(key.text().unwrap_or_default(), argument);
                }
                entries.iter().for_each(|(_, value)| self.walk(value));
            }
        }
    }

    fn function(&mut self, name: &str, argument: &Node) {
        match (name, argument.text()) {
            ("Ref", Some(target)) => self.reference(argument, target),
            ("Fn::GetAtt", Some(text)) => self.resource(argument, text.split('.').next().unwrap_or_default()),
            ("Fn::GetAtt", None) => {
                if let Some(target) = argument.items().first().and_then(Node::text) {
                    self.resource(argument, target);
                }
            }
            ("Fn::Sub", Some(text)) => self.substituted(argument, text, &[]),
            ("Fn::Sub", None) => {
                if let [text, own] = argument.items()
                    && let Some(text) = text.text()
                {
                    let own: Vec<&str> = own.entries().iter().filter_map(|(key, _)| key.text()).collect();
                    self.substituted(argument, text, &own);
                }
            }
            ("Fn::If", None) => self.condition(argument.items().first()),
            ("Fn::FindInMap", None) => {
                let mapping = argument.items().first().and_then(|first| Some((first, first.text()?)));
                if let Some((node, mapping)) = mapping.filter(|(_, mapping)| !self.names.mappings.contains(mapping)) {
                    self.findings.push(self.names.missing(node, "mapping", mapping, &self.names.mappings));
                }
            }
            _ => {}
        }
    }

    pub(super) fn condition(&mut self, node: Option<&Node>) {
        let Some((node, name)) = node.and_then(|node| Some((node, node.text()?))) else { return };
        if !self.names.conditions.contains(name) {
            self.findings.push(self.names.missing(node, "condition", name, &self.names.conditions));
        }
    }

    fn reference(&mut self, node: &Node, target: &str) {
        if target.starts_with(PSEUDO) || self.names.parameters.contains(target) {
            return;
        }
        if !self.names.resources.contains(target) {
            let known = self.names.parameters.union(&self.names.resources).copied().collect();
            self.findings.push(self.names.missing(node, "parameter or resource", target, &known));
            return;
        }
        self.needs.insert(target.to_owned());
    }

    pub(super) fn resource(&mut self, node: &Node, target: &str) {
        if !self.names.resources.contains(target) {
            self.findings.push(self.names.missing(node, "resource", target, &self.names.resources));
            return;
        }
        self.needs.insert(target.to_owned());
    }

    /// `${NAME}` and `${NAME.ATTRIBUTE}`; `${!NAME}` stands for itself.
    fn substituted(&mut self, node: &Node, text: &str, own: &[&str]) {
        for part in text.split("${").skip(1) {
            let Some((name, _)) = part.split_once('}') else { continue };
            let name = name.trim();
            match name.split_once('.') {
                _ if name.starts_with('!') || own.contains(&name) => {}
                Some((resource, _)) => self.resource(node, resource),
                None => self.reference(node, name),
            }
        }
    }
}

/// A resource that needs itself, over others.
pub(super) fn cycle(needs: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    let mut left = needs.clone();
    loop {
        let free: Vec<String> =
            left.iter().filter(|(_, needs)| needs.iter().all(|need| !left.contains_key(need))).map(|(id, _)| id.clone()).collect();
        if free.is_empty() {
            return (!left.is_empty()).then(|| around(&left));
        }
        free.iter().for_each(|id| {
            left.remove(id);
        });
    }
}

/// From any resource that is left, one need after another comes back to one that was there before.
fn around(left: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut way: Vec<String> = left.keys().next().cloned().into_iter().collect();
    while let Some(next) = way.last().and_then(|last| left.get(last)).and_then(|needs| needs.iter().find(|need| left.contains_key(*need))) {
        if let Some(at) = way.iter().position(|known| known == next) {
            let mut circle = way.split_off(at);
            circle.push(next.clone());
            return circle;
        }
        way.push(next.clone());
    }
    way
}
