//! A set of fields, as `metav1.FieldsV1` writes it. Source: structured-merge-diff `fieldpath`.

use crate::object::Value;
use serde_json::Map;
use std::collections::BTreeMap;

/// A set of paths as a tree; each step is written as FieldsV1 writes it: `f:name`, `k:{...}`, `v:...`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSet {
    member: bool,
    children: BTreeMap<String, FieldSet>,
}

impl FieldSet {
    /// The set that holds just this place.
    pub(crate) fn leaf() -> Self {
        Self { member: true, children: BTreeMap::new() }
    }

    /// Reads `fieldsV1`; what is no object reads as the empty set.
    pub fn from_fields_v1(fields: &Value) -> Self {
        let mut set = Self::read(fields, 0);
        set.member = false;
        set
    }

    fn read(fields: &Value, depth: usize) -> Self {
        const DEEPEST: usize = 300;
        let Some(members) = fields.as_object() else { return Self::default() };
        let mut set = Self { member: members.is_empty(), children: BTreeMap::new() };
        for (step, below) in members {
            if step == "." {
                set.member = true;
            } else if depth < DEEPEST {
                set.add(step.clone(), Self::read(below, depth + 1));
            }
        }
        set
    }

    /// Writes `fieldsV1`.
    pub fn to_fields_v1(&self) -> Value {
        let mut members = Map::new();
        if self.member && !self.children.is_empty() {
            members.insert(".".to_owned(), Value::Object(Map::new()));
        }
        for (step, below) in &self.children {
            members.insert(step.clone(), below.to_fields_v1());
        }
        Value::Object(members)
    }

    /// Whether no path is in it.
    pub fn is_empty(&self) -> bool {
        !self.member && self.children.is_empty()
    }

    pub(crate) fn is_member(&self) -> bool {
        self.member
    }

    pub(crate) fn mark(&mut self) {
        self.member = true;
    }

    pub(crate) fn child(&self, step: &str) -> Option<&Self> {
        self.children.get(step)
    }

    /// Its steps and what is below each.
    pub(crate) fn below(&self) -> impl Iterator<Item = (&str, &Self)> {
        self.children.iter().map(|(step, below)| (step.as_str(), below))
    }

    pub(crate) fn add(&mut self, step: String, below: Self) {
        if !below.is_empty() {
            match self.children.entry(step) {
                std::collections::btree_map::Entry::Vacant(free) => drop(free.insert(below)),
                std::collections::btree_map::Entry::Occupied(mut taken) => taken.get_mut().unite(&below),
            }
        }
    }

    pub(crate) fn unite(&mut self, other: &Self) {
        self.member |= other.member;
        for (step, below) in &other.children {
            match self.children.get_mut(step) {
                Some(mine) => mine.unite(below),
                None => drop(self.children.insert(step.clone(), below.clone())),
            }
        }
    }

    /// Removes the paths of another set; true when one was there.
    pub(crate) fn subtract(&mut self, other: &Self) -> bool {
        let mut changed = self.member && other.member;
        self.member &= !other.member;
        for (step, below) in &other.children {
            if let Some(mine) = self.children.get_mut(step) {
                changed |= mine.subtract(below);
                if mine.is_empty() {
                    self.children.remove(step);
                }
            }
        }
        changed
    }

    pub(crate) fn intersection(&self, other: &Self) -> Self {
        let mut both = Self { member: self.member && other.member, children: BTreeMap::new() };
        for (step, below) in &self.children {
            if let Some(theirs) = other.children.get(step) {
                both.add(step.clone(), below.intersection(theirs));
            }
        }
        both
    }

    /// Forgets a path and all below it.
    pub(crate) fn forget(&mut self, path: &[&str]) {
        let Some((first, rest)) = path.split_first() else { return };
        let step = format!("f:{first}");
        if rest.is_empty() {
            self.children.remove(&step);
        } else if let Some(below) = self.children.get_mut(&step) {
            below.forget(rest);
            if below.is_empty() {
                self.children.remove(&step);
            }
        }
    }

    /// Forgets one path, and keeps what is below it.
    pub(crate) fn forget_member(&mut self, path: &[&str]) {
        let Some((first, rest)) = path.split_first() else {
            self.member = false;
            return;
        };
        let step = format!("f:{first}");
        if let Some(below) = self.children.get_mut(&step) {
            below.forget_member(rest);
            if below.is_empty() {
                self.children.remove(&step);
            }
        }
    }

    /// Its paths as people read them: `.spec.template.spec.containers[name="app"].image`.
    pub fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect(String::new(), &mut paths);
        paths
    }

    fn collect(&self, prefix: String, paths: &mut Vec<String>) {
        for (step, below) in &self.children {
            below.collect(format!("{prefix}{}", show_step(step)), paths);
        }
        if self.member {
            paths.push(prefix);
        }
    }
}

fn show_step(step: &str) -> String {
    match step.split_once(':') {
        Some(("f", name)) => format!(".{name}"),
        Some(("v", value)) => format!("[={value}]"),
        Some(("k", keys)) => {
            let keys: Map<String, Value> = serde_json::from_str(keys).unwrap_or_default();
            let keys: Vec<String> = keys.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("[{}]", keys.join(","))
        }
        Some(("i", index)) => format!("[{index}]"),
        _ => format!("[{step}]"),
    }
}
