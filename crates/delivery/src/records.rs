//! What was released: kept in the cluster, to go back to, and in Wharf's home, to look up.

pub mod copies;
pub mod seal;
pub mod statement;

use crate::manifests::{Intent, MANAGED_BY, MANAGER, PROJECT, RELEASE, Release};
use crate::redact::Key;
use crate::rollout::Cause;
use base::{Place, Problem, ProblemKind};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cluster::{Cluster, Delete, Resource, Selection};
use copies::Copies;
use k8s::{Fields, Value, kinds};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::io::{Read, Write};

/// Label that marks a record.
const RECORD: &str = "wharf.local/record";
/// Records kept in a cluster.
const KEPT: usize = 10;
/// A record is read up to this many bytes.
const LARGEST: u64 = 64 * 1024 * 1024;
/// A Secret holds at most this many.
const LARGEST_STORED: usize = 900 * 1024;

/// How a release went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It is being deployed, or a killed run left it so.
    Deploying,
    /// It served.
    Deployed,
    /// It failed.
    Failed,
}

/// One release as it was deployed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The release's id.
    pub id: String,
    /// The project.
    pub project: String,
    /// The namespace of objects that name none.
    pub namespace: String,
    /// When it was deployed first, RFC 3339.
    pub created: String,
    /// How it went.
    pub fate: Fate,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// The release before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// What allowed it: commit, images, findings; whatever the caller knows.
    pub notes: Value,
    /// Its objects.
    pub objects: Vec<Value>,
    /// Whether its Secrets hold HMACs only: the copies outside the cluster.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub redacted: bool,
}

impl Record {
    /// The record of a release that is about to be deployed.
    pub fn new(release: &Release, created: String, previous: Option<String>, notes: Value) -> Self {
        Self {
            id: release.id.clone(),
            project: release.project.clone(),
            namespace: release.namespace.clone(),
            created,
            fate: Fate::Deploying,
            cause: None,
            previous,
            notes,
            objects: release.intents.iter().map(|intent| intent.object.clone()).collect(),
            redacted: false,
        }
    }

    /// The release again.
    pub fn release(&self) -> Release {
        let place = || Place { file: Some(format!("release {}", self.id)), ..Place::default() };
        let intents = self.objects.iter().map(|object| Intent { object: object.clone(), place: place() }).collect();
        Release { id: self.id.clone(), project: self.project.clone(), namespace: self.namespace.clone(), intents, notes: Vec::new() }
    }

    fn name(project: &str, id: &str) -> String {
        format!("wharf-release-{project}-{id}")
    }

    /// Reads one record.
    ///
    /// # Errors
    /// When the cluster refuses, or what is stored is no record.
    pub async fn load(cluster: &Cluster, namespace: &str, project: &str, id: &str) -> Result<Option<Self>, Problem> {
        let secret = cluster.get(&Resource::from(kinds::SECRET), namespace, &Self::name(project, id)).await?;
        let Some(record) = secret.map(|secret| read(&secret)).transpose()? else { return Ok(None) };
        if record.id != id || record.project != project {
            let message =
                format!("the Secret `{}` has the record of release {} of project `{}`", Self::name(project, id), record.id, record.project);
            return Err(Problem::new(ProblemKind::Target, message).hint("somebody changed the record after it was written"));
        }
        Ok(Some(record))
    }

    /// All records of a project, newest first.
    ///
    /// # Errors
    /// When the cluster refuses, or what is stored is no record.
    pub async fn list(cluster: &Cluster, namespace: &str, project: &str) -> Result<Vec<Self>, Problem> {
        let selection = Selection::namespace(namespace).labels(format!("{PROJECT}={project},{RECORD}=release"));
        let secrets = cluster.list(&Resource::from(kinds::SECRET), &selection).await?;
        let mut records = secrets.items.iter().map(read).collect::<Result<Vec<Self>, Problem>>()?;
        records.sort_by(|a, b| (&b.created, &b.id).cmp(&(&a.created, &a.id)));
        Ok(records)
    }

    /// Writes it to the cluster, and to this machine's copies where given (without what Secrets hold: HMACs under `key`).
    ///
    /// # Errors
    /// When it is too large, the cluster refuses, or the file cannot be written.
    pub async fn save(&self, cluster: &Cluster, copies: Option<&Copies>, key: &Key) -> Result<(), Problem> {
        let defect = |error: String| Problem::new(ProblemKind::Defect, error);
        let text = serde_json::to_vec(self).map_err(|error| defect(error.to_string()))?;
        if let Some(copies) = copies {
            copies.write_record(&self.redacted(key))?;
        }
        let packed = pack(&text).map_err(|error| defect(error.to_string()))?;
        if packed.len() > LARGEST_STORED {
            let message = format!(
                "the release has {} of objects, more than a record can hold ({})",
                base::units::show_bytes(packed.len() as u64),
                base::units::show_bytes(LARGEST_STORED as u64)
            );
            return Err(Problem::new(ProblemKind::Target, message).hint("move large ConfigMaps out of the manifests"));
        }
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "wharf.local/release",
            "metadata": {"name": Self::name(&self.project, &self.id), "namespace": self.namespace,
                "labels": {(MANAGED_BY): MANAGER, (PROJECT): self.project, (RELEASE): self.id, (RECORD): "release"}},
            "data": {"record": STANDARD.encode(packed)}});
        let how = cluster::Apply { manager: MANAGER, force: true, dry_run: false };
        cluster.apply(&Resource::from(kinds::SECRET), &secret, &how).await?;
        Ok(())
    }

    /// Removes the oldest records beyond those kept, never the ones named.
    ///
    /// # Errors
    /// When the cluster refuses.
    pub async fn trim(cluster: &Cluster, namespace: &str, project: &str, keep: &[Option<&str>]) -> Result<(), Problem> {
        let records = Self::list(cluster, namespace, project).await?;
        for record in records.iter().skip(KEPT).filter(|record| !keep.contains(&Some(record.id.as_str()))) {
            remove(cluster, namespace, project, &record.id).await?;
        }
        Ok(())
    }

    /// Removes all records of a project.
    ///
    /// # Errors
    /// When the cluster refuses.
    pub async fn remove_all(cluster: &Cluster, namespace: &str, project: &str) -> Result<(), Problem> {
        let selection = Selection::namespace(namespace).labels(format!("{PROJECT}={project},{RECORD}=release"));
        let resource = Resource::from(kinds::SECRET);
        for secret in cluster.list(&resource, &selection).await?.items {
            cluster.delete(&resource, namespace, secret.name(), &Delete::default()).await?;
        }
        Ok(())
    }
}

async fn remove(cluster: &Cluster, namespace: &str, project: &str, id: &str) -> Result<(), Problem> {
    cluster.delete(&Resource::from(kinds::SECRET), namespace, &Record::name(project, id), &Delete::default()).await?;
    Ok(())
}

/// Whether an object is a record or an inventory, which the project's lists leave out.
pub(crate) fn is_bookkeeping(object: &Value) -> bool {
    object.text("kind") == "Secret" && matches!(object.text("type"), "wharf.local/release" | "wharf.local/inventory")
}

pub(crate) fn pack(text: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(text)?;
    packer.finish()
}

pub(crate) fn unpack(packed: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(packed).take(LARGEST).read_to_end(&mut text)?;
    Ok(text)
}

fn read(secret: &Value) -> Result<Record, Problem> {
    let broken = |why: String| Problem::new(ProblemKind::Target, format!("the Secret `{}` is no release record: {why}", secret.name()));
    let packed = STANDARD.decode(secret.text("data.record")).map_err(|error| broken(error.to_string()))?;
    let text = unpack(&packed).map_err(|error| broken(error.to_string()))?;
    serde_json::from_slice(&text).map_err(|error| broken(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_as_it_went() {
        let release = Release {
            id: "abc".to_owned(),
            project: "jobs".to_owned(),
            namespace: "jobs".to_owned(),
            intents: vec![Intent { object: json!({"kind": "A"}), place: Place::default() }],
            notes: Vec::new(),
        };
        let record = Record::new(&release, "2026-01-01T00:00:00Z".to_owned(), None, json!({"commit": "c"}));
        let packed = pack(&serde_json::to_vec(&record).expect("json")).expect("packed");
        let secret = json!({"metadata": {"name": "x"}, "data": {"record": STANDARD.encode(packed)}});
        let back = read(&secret).expect("read");
        assert_eq!(back, record);
        assert_eq!(back.release().intents[0].object, release.intents[0].object);
        for wrong in ["", "!", "AAAA"] {
            assert!(read(&json!({"data": {"record": wrong}})).is_err());
        }
    }
}
