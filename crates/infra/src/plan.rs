//! A plan: what would change in the cloud, as it is shown, kept and carried out.

use crate::failure::InfraError;
use base::{Place, Severity};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What happens to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Act {
    /// Is made.
    Add,
    /// Is changed.
    Modify,
    /// Is removed.
    Remove,
    /// Is taken in as it stands.
    Import,
    /// Is only known once others are changed.
    Dynamic,
}

/// Whether a changed resource is made anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Replacement {
    /// It stays.
    #[default]
    Never,
    /// That depends on what is only known then.
    Maybe,
    /// A new one is made and the old one removed.
    Always,
}

/// A part of a resource that changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// Such as `Properties.ScalingConfig`.
    pub field: String,
    /// Whether it alone replaces the resource.
    pub replacement: Replacement,
    /// What causes it: a parameter, another resource, or the template itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cause: String,
}

/// A change of one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What happens.
    pub act: Act,
    /// Its name in the template.
    pub id: String,
    /// Its type.
    pub kind: String,
    /// Its own name or ARN; empty where it is not there yet.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub physical: String,
    /// Whether it is made anew.
    #[serde(default)]
    pub replacement: Replacement,
    /// What the cloud does with a removed one beside removing it: `Retain`, `Snapshot`; empty for nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub policy: String,
    /// Which parts change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Detail>,
}

/// A plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// 1.
    pub format: u32,
    /// Which provider carries it out.
    pub provider: String,
    /// The name in wharf.yaml.
    pub name: String,
    /// The project.
    pub project: String,
    /// The environment.
    pub environment: String,
    /// What is changed: the stack's name.
    pub stack: String,
    /// Its own id; it changes when a stack of the same name is made anew.
    pub stack_id: String,
    /// The region.
    pub region: String,
    /// Where the services are, of emulators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// What the cloud keeps to be carried out; empty where nothing changes.
    pub change_set: String,
    /// Whether the stack is made by it.
    pub new: bool,
    /// What the tags of what stands say where it is another's, and is taken over by this plan.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub takes_over: String,
    /// When it was made, RFC 3339.
    pub made: String,
    /// SHA-256 of the template's text.
    pub template: String,
    /// What changes.
    pub changes: Vec<Change>,
}

/// A plan as it is kept in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanFile {
    /// `sha256:...` over the plan.
    pub digest: String,
    /// The plan.
    pub plan: Plan,
}

/// A larger file is no plan.
pub const LARGEST: usize = 8 << 20;

impl Plan {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.change_set.is_empty()
    }

    /// The digest that names it: over its canonical JSON.
    pub fn digest(&self) -> String {
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        format!("sha256:{}", base::ids::hex(&Sha256::digest(bytes)))
    }

    /// The plan as a file.
    pub fn into_file(self) -> PlanFile {
        PlanFile { digest: self.digest(), plan: self }
    }
}

impl PlanFile {
    /// Reads a file and checks that it is as it was written.
    ///
    /// # Errors
    /// When it is no plan, or was changed.
    pub fn read(path: &str, bytes: &[u8]) -> Result<Self, InfraError> {
        let wrong = |message: String| {
            let place = Place { file: Some(path.to_owned()), ..Place::default() };
            let findings = vec![base::Finding::new("infra-plan", Severity::Error, place, message)];
            InfraError::Invalid { what: "the plan".to_owned(), findings }
        };
        let file: Self =
            serde_json::from_slice(bytes).map_err(|error| wrong(format!("it is no plan of `wharf infra plan --out`: {error}")))?;
        if file.plan.format != 1 {
            return Err(wrong(format!("its form {} is not known here, only 1 is", file.plan.format)));
        }
        let digest = file.plan.digest();
        if digest != file.digest {
            return Err(wrong(format!("it was changed after it was made: its digest is {digest}, not {}", file.digest)));
        }
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_is_refused() {
        let change = Change {
            act: Act::Modify,
            id: "Nodes".into(),
            kind: "AWS::EKS::Nodegroup".into(),
            physical: "n".into(),
            replacement: Replacement::Always,
            policy: String::new(),
            details: vec![Detail { field: "Properties.InstanceTypes".into(), replacement: Replacement::Always, cause: "Size".into() }],
        };
        let text = |name: &str| name.to_owned();
        let plan = Plan {
            format: 1,
            provider: text("cloudformation"),
            name: text("cluster"),
            project: text("p"),
            environment: text("local"),
            stack: text("s"),
            stack_id: text("arn"),
            region: text("eu-central-1"),
            endpoint: None,
            change_set: text("arn:cs"),
            new: false,
            takes_over: String::new(),
            made: text("2026-01-01T00:00:00Z"),
            template: text("0"),
            changes: vec![change],
        };
        let bytes = serde_json::to_string(&plan.into_file()).expect("json");
        assert!(PlanFile::read("p.json", bytes.as_bytes()).is_ok());
        for (from, to) in [("\"always\"", "\"never\""), ("arn:cs", "arn:ct"), ("\"format\":1", "\"format\":2"), ("{", "")] {
            let error = PlanFile::read("p.json", bytes.replacen(from, to, 1).as_bytes()).expect_err(from);
            assert!(matches!(error, InfraError::Invalid { .. }), "{error}");
        }
    }
}
