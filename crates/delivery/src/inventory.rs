//! What a project has in a cluster: one Secret that names every object, so that nothing is forgotten and nothing of
//! others is touched.

use crate::ledger::{Ledger, shortened};
use crate::manifests::{Intent, MANAGED_BY, MANAGER, PROJECT, Release};
use crate::records::{pack, unpack};
use crate::redact::Key;
use base::{Problem, ProblemKind};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cluster::{Cluster, Resource};
use k8s::{Fields, Value, kinds};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Text that is larger is packed: Secrets hold 1 MiB, and this grows by a third on its way into one.
const LARGEST: usize = 640 * 1024;
/// What the ledger comes down to where nothing else helps.
const FEW: usize = 16 * 1024;
/// Characters of a cause that are kept; all of it is in the release's record.
const LONGEST_CAUSE: usize = 2048;

/// Where a deploy stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Nothing was deployed yet.
    #[default]
    Empty,
    /// `target` is being applied; a run that was killed left it so.
    Deploying,
    /// `current` serves.
    Deployed,
    /// `target` failed and `current` is being put back.
    RollingBack,
    /// `target` failed; `current` serves again, or nothing does where there is none.
    Failed,
    /// All is being removed.
    Leaving,
}

/// One object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Entry {
    /// Such as `apps/v1`.
    pub api_version: String,
    /// Such as `Deployment`.
    pub kind: String,
    /// Empty for cluster-wide kinds.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Whether Wharf made it; what it only changed is never removed.
    pub made: bool,
}

impl Entry {
    /// The entry of an object.
    pub fn of(object: &Value, made: bool) -> Self {
        let text = |path: &str| object.text(path).to_owned();
        Self {
            api_version: text("apiVersion"),
            kind: text("kind"),
            namespace: text("metadata.namespace"),
            name: text("metadata.name"),
            made,
        }
    }

    /// Whether both name the same object.
    pub fn same(&self, other: &Self) -> bool {
        (&self.api_version, &self.kind, &self.namespace, &self.name) == (&other.api_version, &other.kind, &other.namespace, &other.name)
    }
}

impl std::fmt::Display for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.namespace.as_str() {
            "" => write!(f, "{} {}", self.kind, self.name),
            namespace => write!(f, "{} {namespace}/{}", self.kind, self.name),
        }
    }
}

/// A project's objects and where its deploy stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Inventory {
    /// The project.
    pub project: String,
    /// Where the deploy stands.
    pub phase: Phase,
    /// The release that serves.
    pub current: Option<String>,
    /// The one before it.
    pub previous: Option<String>,
    /// The release that is being deployed, or failed last.
    pub target: Option<String>,
    /// Why it failed.
    pub cause: Option<String>,
    /// Every object.
    pub entries: Vec<Entry>,
    /// What happened so far.
    #[serde(default)]
    pub ledger: Ledger,
    /// Under which what Secrets hold is told apart outside the cluster; none before the first deploy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    #[serde(skip)]
    pub(crate) stored: Option<(String, String)>,
}

impl Inventory {
    fn name(project: &str) -> String {
        format!("wharf-inventory-{project}")
    }

    /// Reads a project's inventory; an empty one where there is none.
    ///
    /// # Errors
    /// When the cluster refuses, or what is stored is not an inventory.
    pub async fn load(cluster: &Cluster, namespace: &str, project: &str) -> Result<Self, Problem> {
        let secret = cluster.get(&Resource::from(kinds::SECRET), namespace, &Self::name(project)).await?;
        let Some(secret) = secret else { return Ok(Self { project: project.to_owned(), ..Self::default() }) };
        let broken = |why: String| {
            let message = format!("the Secret `{}` in namespace `{namespace}` is no inventory: {why}", Self::name(project));
            Problem::new(ProblemKind::Target, message).hint("if it is not Wharf's, deploy under another project name")
        };
        let packed = secret.text("data.packed");
        let text = if packed.is_empty() {
            STANDARD.decode(secret.text("data.inventory")).map_err(|error| broken(error.to_string()))?
        } else {
            let packed = STANDARD.decode(packed).map_err(|error| broken(error.to_string()))?;
            unpack(&packed).map_err(|error| broken(error.to_string()))?
        };
        let mut read: Self = serde_json::from_slice(&text).map_err(|error| broken(error.to_string()))?;
        if read.project != project {
            return Err(broken(format!("it is of project `{}`", read.project)));
        }
        read.stored = Some((secret.resource_version().to_owned(), String::from_utf8_lossy(&text).into_owned()));
        Ok(read)
    }

    /// Writes it; nothing is sent when it is as it was read. One that is too large for a Secret lets the oldest of its ledger go.
    ///
    /// # Errors
    /// When the cluster refuses, or another run wrote it since.
    pub async fn save(&mut self, cluster: &Cluster, namespace: &str) -> Result<(), Problem> {
        self.entries.sort();
        self.entries.dedup_by(|a, b| a.same(b));
        self.cause = self.cause.take().map(|cause| shortened(&cause, LONGEST_CAUSE));
        let text = self.text()?;
        if self.stored.as_ref().is_some_and(|(_, stored)| *stored == text) {
            return Ok(());
        }
        let text = self.fitting(text)?;
        let written = match self.write(cluster, namespace, &text).await {
            // What a server takes is its own affair: one that takes less gets less, and the deploy goes on.
            Err(error) if error.api().is_some_and(|refusal| matches!(refusal.code, 413 | 422)) && self.ledger.entries().len() > 1 => {
                self.ledger.shrink(FEW);
                let text = self.text()?;
                (self.write(cluster, namespace, &text).await, text)
            }
            written => (written, text),
        };
        let (written, text) = written;
        let written = written.map_err(|error| match error.api().map(|refusal| refusal.code) {
            Some(409) => Problem::new(ProblemKind::Target, format!("another run deploys the project `{}` at this moment", self.project))
                .hint("wait for it to end and run this again"),
            _ => error.into(),
        })?;
        self.stored = Some((written.resource_version().to_owned(), text));
        Ok(())
    }

    fn text(&self) -> Result<String, Problem> {
        serde_json::to_string(self).map_err(|error| Problem::new(ProblemKind::Defect, error.to_string()))
    }

    fn fitting(&mut self, mut text: String) -> Result<String, Problem> {
        for bound in [LARGEST / 2, LARGEST / 8, FEW] {
            if text.len() <= LARGEST {
                break;
            }
            self.ledger.shrink(bound);
            text = self.text()?;
        }
        Ok(text)
    }

    async fn write(&self, cluster: &Cluster, namespace: &str, text: &str) -> cluster::Result<Value> {
        // Names of very many objects are much the same.
        let packed = (text.len() > LARGEST).then(|| pack(text.as_bytes()).ok()).flatten();
        let data = packed.map_or_else(|| json!({"inventory": STANDARD.encode(text)}), |packed| json!({"packed": STANDARD.encode(packed)}));
        let mut secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "wharf.local/inventory",
            "metadata": {"name": Self::name(&self.project), "namespace": namespace, "labels": {(MANAGED_BY): MANAGER, (PROJECT): self.project}},
            "data": data});
        let resource = Resource::from(kinds::SECRET);
        match &self.stored {
            None => cluster.create(&resource, &secret, MANAGER).await,
            Some((version, _)) => {
                secret.set("metadata.resourceVersion", version.as_str());
                cluster.replace(&resource, &secret, MANAGER).await
            }
        }
    }

    /// The project's key; a new one where there is none.
    pub(crate) fn make_key(&mut self) -> Key {
        self.key.get_or_insert_with(Key::random).clone()
    }

    /// Removes it from the cluster.
    ///
    /// # Errors
    /// When the cluster refuses.
    pub async fn remove(cluster: &Cluster, namespace: &str, project: &str) -> Result<(), Problem> {
        cluster.delete(&Resource::from(kinds::SECRET), namespace, &Self::name(project), &cluster::Delete::default()).await?;
        Ok(())
    }

    /// The entry of an object, where it is known.
    pub fn entry(&self, object: &Value) -> Option<&Entry> {
        let wanted = Entry::of(object, true);
        self.entries.iter().find(|entry| entry.same(&wanted))
    }

    /// Adds an object that is about to be applied. Whose it is is decided anew where it is not there, and so will be made, and where
    /// it is not the project's; one that is there and the project's stays what it was known as, for what was taken over is labelled too.
    pub fn meet(&mut self, entry: Entry, is_there: bool) {
        if !is_there || !entry.made {
            self.forget(&entry);
        }
        self.remember(entry);
    }

    /// Adds an object, or keeps what is known of it.
    pub fn remember(&mut self, entry: Entry) {
        if !self.entries.iter().any(|known| known.same(&entry)) {
            self.entries.push(entry);
        }
    }

    /// Forgets an object.
    pub fn forget(&mut self, entry: &Entry) {
        self.entries.retain(|known| !known.same(entry));
    }
}

impl Release {
    /// Its objects as the inventory names them.
    pub(crate) fn intents_as_entries(&self) -> Vec<Entry> {
        let entry = |intent: &Intent| {
            let mut entry = Entry::of(&intent.object, true);
            let cluster_wide = k8s::kinds::find(&entry.api_version, &entry.kind).is_some_and(|kind| !kind.is_namespaced());
            if entry.namespace.is_empty() && !cluster_wide {
                entry.namespace.clone_from(&self.namespace);
            }
            entry
        };
        self.intents.iter().map(entry).collect()
    }
}
