//! From a folder to settings.

use super::fields::{Environment, Settings};
use super::infer::infer;
use super::node::{Node, Origin};
use super::reader::{Reader, Setting, Shaped, rule};
use super::{check, merge, yaml};
use base::{Finding, Place, Severity};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The project's file.
pub const PROJECT_FILE: &str = "wharf.yaml";
/// What one person has otherwise; stays out of git.
pub const LOCAL_FILE: &str = "wharf.local.yaml";

/// A project: its folder and what was said of it.
#[derive(Clone, Debug)]
pub struct Project {
    /// Where everything is relative to.
    pub folder: PathBuf,
    /// The settings.
    pub settings: Settings,
    /// Every value with its origin, in the order of the table of fields.
    pub list: Vec<Setting>,
    /// Whether there is no `wharf.yaml`.
    pub inferred: bool,
}

/// A file's name as shown to people, and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The name.
    pub name: String,
    /// The text.
    pub text: String,
}

/// Reads a project's folder.
///
/// # Errors
/// Everything that is wrong in the files and on the command line, all at once.
pub fn load(folder: &Path, sets: &[String]) -> Result<Project, Vec<Finding>> {
    let mut findings = Vec::new();
    let [file, local] = [PROJECT_FILE, LOCAL_FILE].map(|name| source(folder, name, &mut findings));
    if !findings.is_empty() {
        return Err(findings);
    }
    let inferred = infer(folder);
    let (settings, list) = read(file.as_ref(), local.as_ref(), sets, &inferred.yaml(file.is_none()))?;
    Ok(Project { folder: folder.to_path_buf(), settings, list, inferred: file.is_none() })
}

/// Reads sources; `inferred` is YAML that stands for fields that no file has.
///
/// # Errors
/// As [`load`].
pub fn read(
    file: Option<&Source>,
    local: Option<&Source>,
    sets: &[String],
    inferred: &str,
) -> Result<(Settings, Vec<Setting>), Vec<Finding>> {
    let mut reader = Reader::default();
    let mut root = Node::map(file.map_or(Origin::Inferred, |file| yaml::in_file(&file.name)(1, 1)));
    for source in [file, local].into_iter().flatten() {
        if let Some(node) = yaml::parse(&source.text, &yaml::in_file(&source.name), &mut reader.findings) {
            reader.section(&node, Settings::FIELDS);
            root = merge::lay(root, keep_known(node));
        }
    }
    for text in sets {
        root = merge::set(root, text, &mut reader.findings);
    }
    let root = fill(root, inferred, &mut reader.findings);
    let mut settings = Settings::read(&keep_map(root.clone()), &mut reader);
    check::check(&root, &mut reader);
    if !reader.findings.is_empty() {
        return Err(sorted(reader.findings));
    }
    settings.environments.entry("local".to_owned()).or_insert_with(Environment::default);
    Ok((settings, reader.settings))
}

impl Project {
    /// The environment of that name.
    pub fn environment(&self, name: &str) -> Option<&Environment> {
        self.settings.environments.get(name)
    }

    /// The values for manifests in an environment: the project's, then the environment's, then those of `--set NAME=VALUE`.
    pub fn values(&self, environment: &str) -> BTreeMap<String, String> {
        let mut values = self.settings.settings.clone();
        let own = self.environment(environment).map(|environment| environment.settings.clone()).unwrap_or_default();
        values.extend(own);
        let said = |name: &String| {
            self.list.iter().any(|setting| setting.path == format!("settings.{name}") && matches!(setting.origin, Origin::CommandLine(_)))
        };
        values.extend(self.settings.settings.iter().filter(|(name, _)| said(name)).map(|(name, value)| (name.clone(), value.clone())));
        values
    }
}

fn source(folder: &Path, name: &str, findings: &mut Vec<Finding>) -> Option<Source> {
    let mut wrong = |message: String| {
        let place = Place { file: Some(name.to_owned()), ..Place::default() };
        findings.push(Finding::new(rule::YAML, Severity::Error, place, message));
    };
    match base::files::read_if_exists(&folder.join(name)) {
        Err(error) => wrong(error.to_string()),
        Ok(None) => {}
        Ok(Some(bytes)) => match String::from_utf8(bytes) {
            Ok(text) => return Some(Source { name: name.to_owned(), text }),
            Err(_) => wrong("the file is no UTF-8 text".to_owned()),
        },
    }
    None
}

/// A document that is no map was told already; it counts as empty.
fn keep_map(node: Node) -> Node {
    if matches!(node.value, super::node::Value::Map(_)) { node } else { Node::map(node.origin) }
}

/// Without the unknown fields, which were told with their own file.
fn keep_known(node: Node) -> Node {
    let mut node = keep_map(node);
    if let super::node::Value::Map(entries) = &mut node.value {
        entries.retain(|(key, _)| Settings::FIELDS.iter().any(|field| field.name == key.text));
    }
    node
}

/// Puts what was inferred where no file says anything.
fn fill(root: Node, inferred: &str, findings: &mut Vec<Finding>) -> Node {
    let Some(seen) = yaml::parse(inferred, &|_, _| Origin::Inferred, findings) else { return root };
    let mut root = root;
    if let super::node::Value::Map(entries) = &mut root.value {
        for (key, node) in seen.entries() {
            if !entries.iter().any(|(known, _)| known.text == key.text) {
                entries.push((key.clone(), node.clone()));
            }
        }
    }
    root
}

fn sorted(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by(|left, right| left.place.cmp(&right.place));
    findings.dedup();
    findings
}
