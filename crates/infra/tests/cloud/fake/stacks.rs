//! Stacks and change sets in time: an operation is a list of moments with what happens then.

use super::sets::ChangeSet;
use super::template::{Change, Template};
use std::collections::{BTreeMap, BTreeSet};

/// How long one moment of an operation is, unless told.
pub(super) const SECOND: i64 = 1_000_000;

#[derive(Clone, Debug)]
pub struct Event {
    pub at: i64,
    pub key: String,
    pub token: String,
    pub id: String,
    pub kind: String,
    pub physical: String,
    pub status: String,
    pub reason: String,
}

#[derive(Clone, Debug)]
pub struct Resource {
    pub kind: String,
    pub physical: String,
    pub status: String,
}

#[derive(Clone, Debug, Default)]
pub struct Stack {
    pub id: String,
    pub name: String,
    pub status: String,
    pub reason: String,
    pub created: i64,
    pub updated: Option<i64>,
    pub deleted: Option<i64>,
    pub template: Template,
    pub outputs: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
    pub resources: BTreeMap<String, Resource>,
    /// Newest last.
    pub events: Vec<Event>,
    pub protected: bool,
    plan: Vec<(i64, Effect)>,
    token: String,
    old: Template,
}

#[derive(Clone, Debug)]
enum Effect {
    Status(&'static str, String),
    Resource(String, &'static str, String),
    Template(Template, BTreeMap<String, String>),
}

/// How finding out what was changed beside the template goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detection {
    Done,
    /// It does not end.
    Endless,
    /// For a reason that passes nobody's time.
    Refused,
}

pub struct Stacks {
    /// How long one moment of an operation is, in microseconds.
    pub step: i64,
    pub all: Vec<Stack>,
    pub sets: Vec<ChangeSet>,
    /// Resources that cannot be made or changed, so often.
    pub failing: BTreeMap<String, u32>,
    /// Resources that cannot be taken back or removed, so often.
    pub stuck: BTreeMap<String, u32>,
    /// Why no change set can be worked out.
    pub refusing: Option<String>,
    /// How finding out what was changed beside the template goes.
    pub detection: Detection,
    /// What was changed beside the template is this now.
    pub actual: Option<String>,
    /// Seconds until what was told is seen.
    pub lag: i64,
    /// Operations that began: what, and with which token.
    pub operations: Vec<(String, String)>,
    count: usize,
}

impl Default for Stacks {
    fn default() -> Self {
        Self {
            step: SECOND,
            all: Vec::new(),
            sets: Vec::new(),
            failing: BTreeMap::new(),
            stuck: BTreeMap::new(),
            refusing: None,
            detection: Detection::Done,
            actual: None,
            lag: 0,
            operations: Vec::new(),
            count: 0,
        }
    }
}

impl Stacks {
    /// The stack of a name that is not gone, or of an id.
    pub fn find(&mut self, name: &str) -> Option<&mut Stack> {
        self.all.iter_mut().rev().find(|stack| stack.id == name || (stack.name == name && stack.status != "DELETE_COMPLETE"))
    }

    pub fn set(&mut self, name: &str, stack: Option<&str>) -> Option<&mut ChangeSet> {
        let stack = stack.map(|stack| self.find(stack).map(|stack| stack.id.clone()).unwrap_or_default());
        self.sets.iter_mut().rev().find(|set| set.id == name || (set.name == name && stack.as_ref() == Some(&set.stack)))
    }

    pub fn next(&mut self) -> usize {
        self.count += 1;
        self.count
    }

    /// Lets everything happen that is due.
    pub fn advance(&mut self, now: i64) {
        for stack in &mut self.all {
            let due = stack.plan.iter().take_while(|(at, _)| *at <= now).count();
            for (at, effect) in stack.plan.drain(..due).collect::<Vec<_>>() {
                self.count += 1;
                stack.happen(at, effect, self.count);
            }
        }
        for set in &mut self.sets {
            let stack = self.all.iter().find(|stack| stack.id == set.stack);
            set.work(stack, self.refusing.as_deref(), now);
        }
        self.sets.retain(|set| set.gone.is_none_or(|gone| now < gone));
    }

    /// Makes a stack that waits for its first change set.
    pub fn review(&mut self, name: &str, tags: BTreeMap<String, String>, now: i64) -> String {
        let id = format!("arn:aws:cloudformation:eu-central-1:1:stack/{name}/{}", self.next());
        let mut stack = Stack { id: id.clone(), name: name.to_owned(), created: now, tags, ..Stack::default() };
        let number = self.next();
        stack.happen(now, Effect::Status("REVIEW_IN_PROGRESS", String::new()), number);
        self.all.push(stack);
        id
    }

    pub fn add_set(
        &mut self,
        name: &str,
        stack: &str,
        (template, tags): (Template, BTreeMap<String, String>),
        import: Vec<String>,
        now: i64,
    ) {
        let id = format!("arn:aws:cloudformation:eu-central-1:1:changeSet/{name}/{}", self.next());
        let (status, execution) = ("CREATE_PENDING".to_owned(), "UNAVAILABLE".to_owned());
        let (name, stack, reason) = (name.to_owned(), stack.to_owned(), String::new());
        self.sets.push(ChangeSet {
            id,
            name,
            stack,
            made: now,
            template,
            tags,
            import,
            changes: Vec::new(),
            status,
            execution,
            reason,
            gone: None,
        });
    }

    fn used(counts: &mut BTreeMap<String, u32>, id: &str) -> bool {
        counts.get_mut(id).filter(|left| **left > 0).map(|left| *left -= 1).is_some()
    }

    pub fn execute(&mut self, set: &ChangeSet, token: &str, now: i64) {
        self.operations.push(("execute".to_owned(), token.to_owned()));
        let step = self.step;
        let lag = self.lag * step;
        let Some(index) = self.all.iter().position(|stack| stack.id == set.stack) else { return };
        let stack = &mut self.all[index];
        let creating = stack.status == "REVIEW_IN_PROGRESS";
        let importing = !set.import.is_empty();
        let word = if importing {
            "IMPORT"
        } else if creating {
            "CREATE"
        } else {
            "UPDATE"
        };
        let mut at = now + lag;
        let mut plan = vec![(at, status(word, "IN_PROGRESS", "User Initiated"))];
        stack.old = stack.template.clone();
        let mut failed = None;
        let (removed, made): (Vec<&Change>, Vec<&Change>) = set.changes.iter().partition(|change| change.action == "Remove");
        for change in &made {
            let verb = if change.action == "Modify" { "UPDATE" } else { word };
            at += step;
            plan.push((at, resource(&change.id, verb, "IN_PROGRESS", "")));
            at += 2 * step;
            if Self::used(&mut self.failing, &change.id) {
                plan.push((at, resource(&change.id, verb, "FAILED", "Resource handler returned message: no capacity")));
                failed = Some(change.id.clone());
                break;
            }
            plan.push((at, resource(&change.id, verb, "COMPLETE", "")));
        }
        if let Some(failed) = failed {
            at += step;
            let reason = format!("The following resource(s) failed to create: [{failed}].");
            let back = if creating {
                "ROLLBACK"
            } else if importing {
                "IMPORT_ROLLBACK"
            } else {
                "UPDATE_ROLLBACK"
            };
            plan.push((at, status(back, "IN_PROGRESS", &reason)));
            let ids: Vec<String> = made.iter().map(|change| change.id.clone()).collect();
            let (stuck, gone) = Self::taken_back(&mut self.stuck, &ids, &stack.template, &mut plan, (at, step));
            at = gone + step;
            let end = if stuck.is_some() { "FAILED" } else { "COMPLETE" };
            plan.push((at, status(back, end, stuck.as_deref().unwrap_or_default())));
        } else {
            plan.push((at, Effect::Template(set.template.clone(), set.tags.clone())));
            if !removed.is_empty() {
                at += step;
                plan.push((at, status("UPDATE_COMPLETE_CLEANUP", "IN_PROGRESS", "")));
                for change in removed {
                    at += step;
                    let end = if stack.template.keeps(&change.id) { "SKIPPED" } else { "COMPLETE" };
                    plan.push((at, resource(&change.id, "DELETE", end, "")));
                }
            }
            at += step;
            plan.push((at, status(word, "COMPLETE", "")));
        }
        (stack.plan, stack.token) = (plan, token.to_owned());
        self.spend(set, at);
    }

    /// The service removes a stack's change sets when the operation has ended.
    fn spend(&mut self, set: &ChangeSet, at: i64) {
        for other in self.sets.iter_mut().filter(|other| other.stack == set.stack) {
            if other.id == set.id {
                other.execution = "EXECUTE_IN_PROGRESS".to_owned();
            }
            other.gone = Some(at);
        }
    }

    fn taken_back(
        stuck: &mut BTreeMap<String, u32>,
        ids: &[String],
        before: &Template,
        plan: &mut Vec<(i64, Effect)>,
        (mut at, step): (i64, i64),
    ) -> (Option<String>, i64) {
        for id in ids.iter().rev() {
            at += step;
            let verb = if before.resources.contains_key(id) { "UPDATE" } else { "DELETE" };
            if Self::used(stuck, id) {
                plan.push((at, resource(id, verb, "FAILED", "it is in use")));
                return (Some(format!("The following resource(s) failed to update: [{id}].")), at);
            }
            plan.push((at, resource(id, verb, "COMPLETE", "")));
        }
        (None, at)
    }

    pub fn go_on(&mut self, name: &str, token: &str, skip: &[String], now: i64) -> bool {
        self.operations.push(("continue".to_owned(), token.to_owned()));
        let step = self.step;
        let lag = self.lag * step;
        let Some(index) = self.all.iter().position(|stack| stack.id == name || stack.name == name) else { return false };
        let stack = &mut self.all[index];
        let mut at = now + lag;
        let mut plan = vec![(at, status("UPDATE_ROLLBACK", "IN_PROGRESS", "User Initiated"))];
        let left: Vec<String> =
            stack.resources.keys().filter(|id| !skip.contains(id) && !stack.old.resources.contains_key(*id)).cloned().collect();
        let changed = stack.resources.iter().filter(|(_, resource)| resource.status == "UPDATE_FAILED").map(|(id, _)| id.clone());
        let left: Vec<String> = left.into_iter().chain(changed.filter(|id| !skip.contains(id))).collect();
        let old = stack.old.clone();
        let (failed, gone) = Self::taken_back(&mut self.stuck, &left, &old, &mut plan, (at, step));
        at = gone + step;
        plan.push((
            at,
            status("UPDATE_ROLLBACK", if failed.is_some() { "FAILED" } else { "COMPLETE" }, failed.as_deref().unwrap_or_default()),
        ));
        (stack.plan, stack.token) = (plan, token.to_owned());
        true
    }

    pub fn delete(&mut self, id: &str, token: &str, retain: &[String], now: i64) {
        self.operations.push(("delete".to_owned(), token.to_owned()));
        let step = self.step;
        let lag = self.lag * step;
        let Some(index) = self.all.iter().position(|stack| stack.id == id) else { return };
        let stack = &mut self.all[index];
        stack.deleted = Some(now);
        let mut at = now + lag;
        let mut plan = vec![(at, status("DELETE", "IN_PROGRESS", "User Initiated"))];
        let mut failed = None;
        let order = stack.template.order().into_iter().chain(stack.resources.keys().cloned()).collect::<Vec<_>>();
        let mut seen = BTreeSet::new();
        for id in order.into_iter().rev().filter(|id| seen.insert(id.clone()) && stack.resources.contains_key(id)) {
            at += step;
            if retain.contains(&id) || stack.template.keeps(&id) {
                plan.push((at, resource(&id, "DELETE", "SKIPPED", "")));
            } else if Self::used(&mut self.stuck, &id) {
                plan.push((at, resource(&id, "DELETE", "FAILED", "it has dependencies and cannot be deleted")));
                failed = Some(format!("The following resource(s) failed to delete: [{id}]."));
            } else {
                plan.push((at, resource(&id, "DELETE", "IN_PROGRESS", "")));
                at += step;
                plan.push((at, resource(&id, "DELETE", "COMPLETE", "")));
            }
        }
        at += step;
        plan.push((at, status("DELETE", if failed.is_some() { "FAILED" } else { "COMPLETE" }, failed.as_deref().unwrap_or_default())));
        (stack.plan, stack.token) = (plan, token.to_owned());
        self.sets.retain(|set| set.stack != id);
    }
}

fn status(what: &str, how: &str, reason: &str) -> Effect {
    Effect::Status(leaked(format!("{what}_{how}")), reason.to_owned())
}

fn resource(id: &str, what: &str, how: &str, reason: &str) -> Effect {
    Effect::Resource(id.to_owned(), leaked(format!("{what}_{how}")), reason.to_owned())
}

/// A handful of words of a test that ends soon.
fn leaked(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

impl Stack {
    pub fn is_busy(&self) -> bool {
        !self.plan.is_empty() || (self.status.ends_with("_IN_PROGRESS") && self.status != "REVIEW_IN_PROGRESS")
    }

    fn happen(&mut self, at: i64, effect: Effect, number: usize) {
        let (id, kind, physical, status, reason) = match effect {
            Effect::Template(template, tags) => {
                self.tags = tags;
                self.outputs = template.outputs.clone();
                self.template = template;
                return;
            }
            Effect::Status(status, reason) => {
                self.status = status.to_owned();
                self.reason = reason.clone();
                if status == "UPDATE_IN_PROGRESS" || status == "CREATE_IN_PROGRESS" || status == "IMPORT_IN_PROGRESS" {
                    self.updated = Some(at);
                }
                (self.name.clone(), "AWS::CloudFormation::Stack".to_owned(), self.id.clone(), status, reason)
            }
            Effect::Resource(id, status, reason) => {
                let physical = format!("{}-{id}", self.name);
                let kind = self.resources.get(&id).map(|known| known.kind.clone()).unwrap_or_else(|| "AWS::Test::Thing".to_owned());
                self.resources.insert(id.clone(), Resource { kind: kind.clone(), physical: physical.clone(), status: status.to_owned() });
                if status == "DELETE_COMPLETE" {
                    self.resources.remove(&id);
                }
                (id, kind, physical, status, reason)
            }
        };
        let (key, token, status) = (format!("e{number}"), self.token.clone(), status.to_owned());
        self.events.push(Event { at, key, token, id, kind, physical, status, reason });
    }
}
