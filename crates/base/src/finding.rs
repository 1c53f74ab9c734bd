//! The one shape of everything that Wharf finds: lint, test, policy, plan, rollout, smoke, load.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How much a finding weighs, heaviest first, with hadolint's four names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Wrong or dangerous.
    Error,
    /// Likely to hurt.
    Warning,
    /// Worth knowing.
    Info,
    /// A matter of taste.
    Style,
}

impl Severity {
    /// The lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
            Self::Style => "style",
        }
    }

    /// The severity of a lower-case name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Error, Self::Warning, Self::Info, Self::Style].into_iter().find(|severity| severity.name() == name)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where a finding is: a file with line and column (both from 1), or an object and its field, or both.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The file, as the user named it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub file: Option<String>,
    /// Line, from 1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub line: Option<u32>,
    /// Column in characters, from 1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub column: Option<u32>,
    /// A Kubernetes object, written `Kind namespace/name`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub object: Option<String>,
    /// The field, written as a path: `spec.template.spec.containers[0].image`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub field: Option<String>,
}

impl Place {
    /// A line and column of a file.
    pub fn in_file(file: impl Into<String>, line: u32, column: u32) -> Self {
        Self { file: Some(file.into()), line: Some(line), column: Some(column), ..Self::default() }
    }

    /// A Kubernetes object.
    pub fn of_object(object: impl Into<String>) -> Self {
        Self { object: Some(object.into()), ..Self::default() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        if let Some(file) = &self.file {
            write!(f, "{file}")?;
            for number in [self.line, self.column].into_iter().flatten() {
                write!(f, ":{number}")?;
            }
            separator = " ";
        }
        for part in [&self.object, &self.field].into_iter().flatten() {
            write!(f, "{separator}{part}")?;
            separator = " ";
        }
        Ok(())
    }
}

/// One thing found, with what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The rule's code, such as `DL3006`.
    pub rule: String,
    /// Its weight.
    pub severity: Severity,
    /// Where.
    pub place: Place,
    /// What is wrong, one sentence.
    pub message: String,
    /// What to do, one sentence; empty where the message says it.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub help: String,
    /// What was seen: source lines, log lines, a probe's answer.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub evidence: Vec<String>,
}

impl Finding {
    /// A finding without help or evidence.
    pub fn new(rule: impl Into<String>, severity: Severity, place: Place, message: impl Into<String>) -> Self {
        Self { rule: rule.into(), severity, place, message: message.into(), help: String::new(), evidence: Vec::new() }
    }

    /// The same with a next step.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    /// The same with one more thing seen.
    #[must_use]
    pub fn with_evidence(mut self, evidence: impl Into<String>) -> Self {
        self.evidence.push(evidence.into());
        self
    }
}
