//! Templates in JSON, as far as the fake needs them: resources with what they need, and outputs.

use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Template {
    pub resources: BTreeMap<String, Value>,
    pub outputs: BTreeMap<String, String>,
}

/// Properties that cannot be changed in place.
const REPLACING: [&str; 3] = ["CidrBlock", "InstanceTypes", "Name"];

impl Template {
    pub fn parse(text: &str) -> Option<Self> {
        let root: Value = serde_json::from_str(text).ok()?;
        let resources = root["Resources"].as_object()?.clone().into_iter().collect();
        let outputs = root["Outputs"].as_object().into_iter().flatten();
        let outputs = outputs.map(|(name, output)| (name.clone(), output["Value"].as_str().unwrap_or_default().to_owned())).collect();
        Some(Self { resources, outputs })
    }

    /// Resources in an order in which each comes after what it needs.
    pub fn order(&self) -> Vec<String> {
        let mut left: Vec<&String> = self.resources.keys().collect();
        let mut done: Vec<String> = Vec::new();
        while !left.is_empty() {
            let before = left.len();
            left.retain(|id| {
                let depends = self.resources[*id]["DependsOn"].as_str().map(str::to_owned);
                let ready = depends.is_none_or(|need| done.contains(&need));
                if ready {
                    done.push((*id).clone());
                }
                !ready
            });
            assert!(left.len() < before, "a circle in a test's template");
        }
        done
    }

    pub fn kind(&self, id: &str) -> String {
        self.resources.get(id).and_then(|resource| resource["Type"].as_str()).unwrap_or_default().to_owned()
    }

    pub fn keeps(&self, id: &str) -> bool {
        self.resources.get(id).is_some_and(|resource| resource["DeletionPolicy"] == "Retain")
    }
}

/// A change: action, name, type, and whether it is made anew.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub action: &'static str,
    pub id: String,
    pub kind: String,
    pub replaces: bool,
    pub fields: Vec<String>,
}

pub fn changes(old: &Template, new: &Template, import: &[String]) -> Vec<Change> {
    let mut all = Vec::new();
    for id in new.order() {
        let kind = new.kind(&id);
        match old.resources.get(&id) {
            None => {
                let action = if import.contains(&id) { "Import" } else { "Add" };
                all.push(Change { action, id, kind, replaces: false, fields: Vec::new() });
            }
            Some(before) if *before != new.resources[&id] => {
                let now = &new.resources[&id]["Properties"];
                let names = now.as_object().into_iter().flatten().map(|(name, _)| name.clone());
                let fields: Vec<String> = names.filter(|name| before["Properties"][name] != now[name]).collect();
                let replaces = fields.iter().any(|field| REPLACING.contains(&field.as_str()));
                all.push(Change { action: "Modify", id, kind, replaces, fields });
            }
            Some(_) => {}
        }
    }
    for id in old.order().into_iter().rev().filter(|id| !new.resources.contains_key(id)) {
        all.push(Change { action: "Remove", kind: old.kind(&id), id, replaces: false, fields: Vec::new() });
    }
    all
}
