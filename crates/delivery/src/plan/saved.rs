//! A plan as a file: what was shown is what is applied, once, and only where the world stands as it stood.

use super::{Plan, strip};
use crate::apply;
use crate::deploy::{Delivery, DeployError, Deployed, Options};
use crate::manifests::{Intent, Release};
use crate::plan::approval::Approval;
use crate::redact::{self, Key};
use base::{Place, Problem, ProblemKind, Timestamp};
use k8s::Value;
use oci::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the file's form.
const FORMAT: u32 = 1;
/// A file larger than this is no plan.
pub const LARGEST: usize = 16 << 20;

/// An image of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedImage {
    /// As the manifests will name it: `registry/name@sha256:...`.
    pub reference: String,
    /// The digest of its configuration, the same whatever the compression.
    pub id: String,
}

/// An object before a plan is applied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Before {
    /// Such as `Deployment jobs/app-a`.
    pub object: String,
    /// Its state, without what the server keeps for itself, what Secrets hold as HMACs; absent where it is not there.
    pub state: Option<Value>,
}

/// What is known of a run beside its objects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The environment's name.
    pub environment: String,
    /// The images by the names that manifests use.
    pub images: BTreeMap<String, PlannedImage>,
    /// The sources' commit, or what else names them; the images' tag.
    pub source: String,
    /// What speaks for the release beside the plan: commit, tree, what each stage found.
    #[serde(default)]
    pub notes: Value,
}

/// A plan with all that is needed to apply it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedPlan {
    /// 1.
    pub format: u32,
    /// The project.
    pub project: String,
    /// The project's namespace.
    pub namespace: String,
    /// The API server's URL.
    pub server: String,
    /// When it was made, RFC 3339.
    pub created: String,
    /// From when on it is refused, RFC 3339.
    pub expires: String,
    /// Where it comes from.
    pub origin: Origin,
    /// What was shown.
    pub plan: Plan,
    /// The objects as they will be applied.
    pub objects: Vec<Value>,
    /// The world before.
    pub before: Vec<Before>,
    /// The release that served.
    pub current: Option<String>,
    /// Under which `before` hides what Secrets hold; the inventory's, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
}

/// The file: a plan, its digest, and who approved it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanFile {
    /// The plan.
    pub plan: SavedPlan,
    /// The SHA-256 of the plan's canonical JSON.
    pub digest: Digest,
    /// Signatures over the digest.
    #[serde(default)]
    pub approvals: Vec<Approval>,
}

pub(super) fn refused(message: impl Into<String>) -> Problem {
    Problem::new(ProblemKind::Target, message.into())
}

impl PlanFile {
    /// A plan that nobody approved yet.
    ///
    /// # Errors
    /// Never but for a defect.
    pub fn new(plan: SavedPlan) -> Result<Self, Problem> {
        let digest = digest(&plan)?;
        Ok(Self { plan, digest, approvals: Vec::new() })
    }

    /// Reads a file; one whose digest is not that of its plan was edited.
    ///
    /// # Errors
    /// When it is no plan, of another form, or was edited.
    pub fn read(name: &str, bytes: &[u8]) -> Result<Self, Problem> {
        let no_plan = |why: String| {
            Problem::new(ProblemKind::Usage, format!("`{name}` is no plan: {why}")).hint("`wharf plan --out FILE` writes one")
        };
        if bytes.len() > LARGEST {
            return Err(no_plan(format!("it is larger than {}", base::units::show_bytes(LARGEST as u64))));
        }
        let file: Self = serde_json::from_slice(bytes).map_err(|error| no_plan(error.to_string()))?;
        if file.plan.format != FORMAT {
            return Err(no_plan(format!("its form is {}, not {FORMAT}", file.plan.format)));
        }
        let found = digest(&file.plan)?;
        if found != file.digest {
            return Err(refused(format!("the plan `{name}` was edited: its digest is {found}, and the file says {}", file.digest))
                .hint("make a new one with `wharf plan --out FILE`"));
        }
        Ok(file)
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// Never but for a defect.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Problem> {
        serde_json::to_vec_pretty(self).map_err(|error| Problem::new(ProblemKind::Defect, error.to_string()))
    }

    /// The release that it deploys.
    pub fn release(&self) -> Release {
        let plan = &self.plan;
        let place = || Place { file: Some(format!("plan {}", self.digest)), ..Place::default() };
        let intents = plan.objects.iter().map(|object| Intent { object: object.clone(), place: place() }).collect();
        Release {
            id: plan.plan.release.clone(),
            project: plan.project.clone(),
            namespace: plan.namespace.clone(),
            intents,
            notes: plan.plan.notes.clone(),
        }
    }

    /// Whether it may be applied at all: not expired, and approved by one of `approvers` where there are some.
    ///
    /// # Errors
    /// What is missing.
    pub fn allowed(&self, now: Timestamp, approvers: &[String]) -> Result<Option<String>, Problem> {
        let expires = Timestamp::parse_rfc3339(&self.plan.expires);
        if expires.is_none_or(|expires| expires <= now) {
            return Err(refused(format!("the plan expired at {}", self.plan.expires)).hint("make a new one with `wharf plan --out FILE`"));
        }
        super::approval::check(&self.approvals, &self.digest, approvers)
    }
}

fn digest(plan: &SavedPlan) -> Result<Digest, Problem> {
    let bytes = oci::canonical::to_vec(plan).map_err(|error| Problem::new(ProblemKind::Defect, error.to_string()))?;
    Ok(Digest::of(&bytes))
}

/// An object as it counts for a plan: what Secrets hold as HMACs, so that a change shows and nothing is told.
pub(super) fn state(object: &Value, key: &Key) -> Value {
    redact::redacted(&strip(object), key)
}

impl Delivery {
    /// Plans a deploy into a file.
    ///
    /// # Errors
    /// As [`Delivery::plan`].
    pub async fn save_plan(&self, release: &Release, origin: Origin, lasts: std::time::Duration) -> Result<PlanFile, Problem> {
        let plan = self.plan(release, true).await?;
        let inventory = self.inventory(release).await?;
        // Who may read the plan need not be able to try guesses; only before a first deploy there is no other key.
        let (key, own) = match inventory.key {
            Some(key) => (key, None),
            None => {
                let key = Key::random();
                (key.clone(), Some(key))
            }
        };
        let before = self.before(release, &key).await?;
        let now = self.clock.now();
        PlanFile::new(SavedPlan {
            format: FORMAT,
            project: release.project.clone(),
            namespace: release.namespace.clone(),
            server: self.cluster.server().to_owned(),
            created: now.rfc3339(),
            expires: now.plus(lasts).rfc3339(),
            origin,
            plan,
            objects: release.intents.iter().map(|intent| intent.object.clone()).collect(),
            before,
            current: inventory.current,
            key: own,
        })
    }

    pub(super) async fn before(&self, release: &Release, key: &Key) -> Result<Vec<Before>, Problem> {
        let targets = apply::read(&self.cluster, release).await?;
        Ok(targets
            .iter()
            .map(|target| Before { object: target.shown(), state: target.live.as_ref().map(|live| state(live, key)) })
            .collect())
    }

    /// Applies a plan that is allowed: by its objects and nothing else, and only when nothing has moved since it was made.
    ///
    /// # Errors
    /// As [`Delivery::check_plan`] and [`Delivery::deploy`].
    pub async fn apply_plan(&self, file: &PlanFile, options: &Options) -> Result<Deployed, DeployError> {
        self.check_plan(file).await?;
        self.deploy_as(&file.release(), options, Some(file)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn file() -> PlanFile {
        PlanFile::new(SavedPlan {
            format: FORMAT,
            project: "p".to_owned(),
            namespace: "p".to_owned(),
            server: "https://here".to_owned(),
            created: "2026-01-01T00:00:00Z".to_owned(),
            expires: "2026-01-02T00:00:00Z".to_owned(),
            origin: Origin::default(),
            plan: Plan { release: "r".to_owned(), objects: Vec::new(), kept: Vec::new(), notes: Vec::new() },
            objects: vec![json!({"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1"}})],
            before: Vec::new(),
            current: None,
            key: None,
        })
        .expect("a plan")
    }

    #[test]
    fn a_file_comes_back_and_an_edited_one_is_told() {
        let file = file();
        let bytes = file.to_bytes().expect("bytes");
        assert_eq!(PlanFile::read("plan", &bytes), Ok(file.clone()));
        assert_eq!(file.release().intents[0].object, file.plan.objects[0]);
        let text = String::from_utf8(bytes).expect("text");
        for (from, to) in [("\"1\"", "\"2\""), ("\"r\"", "\"x\""), ("2026-01-02", "2027-01-02"), ("https://here", "https://there")] {
            let edited = text.replacen(from, to, 1);
            assert_ne!(edited, text);
            let told = PlanFile::read("plan", edited.as_bytes()).expect_err("edited");
            assert!(told.message.contains("was edited") && told.kind == ProblemKind::Target, "{told}");
        }
        for wrong in ["", "{}", "[1]", "\u{0}"] {
            assert_eq!(PlanFile::read("plan", wrong.as_bytes()).expect_err("no plan").kind, ProblemKind::Usage);
        }
    }

    #[test]
    fn an_expired_plan_is_refused() {
        let at = |text: &str| Timestamp::parse_rfc3339(text).expect("a time");
        assert_eq!(file().allowed(at("2026-01-01T23:59:59Z"), &[]), Ok(None));
        assert!(file().allowed(at("2026-01-02T00:00:00Z"), &[]).expect_err("expired").message.contains("expired"));
        let (_, approver) = crate::plan::approval::tests::key(1);
        let unsigned = file().allowed(at("2026-01-01T01:00:00Z"), &[approver]).expect_err("unsigned");
        assert_eq!(unsigned.kind, ProblemKind::Target);
    }
}
