//! What a cloud must be able to do for Wharf; [`PROVIDERS`] lists those that can.

use crate::aws::{Caller, Heard, Pace, Source, Transport};
use crate::failure::{Failure, FailureKind, InfraError};
use crate::plan::Plan;
use async_trait::async_trait;
use base::Finding;
use net::client::Url;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32};

/// What wharf.yaml declares, with everything that it names read.
#[derive(Clone, Debug, Default)]
pub struct Declared {
    /// The project.
    pub project: String,
    /// The environment.
    pub environment: String,
    /// Its name in wharf.yaml.
    pub name: String,
    /// What it is called in the cloud.
    pub stack: String,
    /// Where.
    pub region: String,
    /// Where all services are, of emulators.
    pub endpoint: Option<String>,
    /// The template's path, as messages show it.
    pub template_path: String,
    /// The template's text.
    pub template: String,
    /// Values that may be shown.
    pub parameters: BTreeMap<String, String>,
    /// Values that may not.
    pub secrets: BTreeMap<String, crate::aws::Secret>,
    /// The role that the cloud takes on to make it.
    pub role: Option<String>,
    /// What is taken in as it stands.
    pub imports: Vec<Import>,
    /// Whether what its tags say is another's may be taken over.
    pub take_over: bool,
    /// Whether only a plan that was made is carried out: what it was made from is not read again.
    pub planned: bool,
}

/// A resource that stands already and is to be taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// Its name in the template.
    pub id: String,
    /// What identifies it, such as `BucketName` and the bucket's name.
    pub identifier: BTreeMap<String, String>,
}

/// How clouds are reached.
#[derive(Clone)]
pub struct Access {
    /// How requests get there.
    pub transport: Arc<dyn Transport>,
    /// Who we are at Amazon's.
    pub aws: Arc<dyn Source>,
    /// Time.
    pub pace: Arc<dyn Pace>,
    /// Who is told of what is tried again.
    pub heard: Arc<dyn Heard>,
    /// Of the waits between tries.
    pub seed: u64,
}

impl Access {
    /// Makes calls to Amazon's services in a region, or to an emulator of them.
    ///
    /// # Errors
    /// When region or endpoint are none, or the endpoint would carry secrets in the clear.
    pub fn aws(self, region: &str, endpoint: Option<&str>) -> Result<Caller, InfraError> {
        let invalid = |why: String| InfraError::Call(Failure::new("infra", FailureKind::Declared, why));
        let endpoint = endpoint.map(Url::parse).transpose().map_err(|error| invalid(error.to_string()))?;
        if let Some(url) = endpoint.as_ref().filter(|url| !url.origin.tls && !url.origin.is_loopback()) {
            return Err(invalid(format!(
                "`{}` is plain HTTP beyond this machine: whoever listens reads parameters and tokens",
                url.origin
            )));
        }
        crate::aws::endpoint("sts", region).map_err(invalid)?;
        let Self { transport, aws: source, pace, heard, seed } = self;
        let (ahead, count) = (AtomicI64::new(0), AtomicU32::new(0));
        Ok(Caller { transport, source, pace, heard, region: region.to_owned(), endpoint, seed, ahead, count, patience: None })
    }
}

/// How far a resource is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Progress {
    /// Under way.
    Begun,
    /// Done.
    Done,
    /// Failed, or was called off.
    Failed,
}

/// Something that happened to a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// When, RFC 3339.
    pub at: String,
    /// Its name in the template.
    pub id: String,
    /// Its type.
    pub kind: String,
    /// Its own name or ARN; may be empty.
    pub physical: String,
    /// The cloud's own word.
    pub status: String,
    /// How far it is.
    pub progress: Progress,
    /// Why; may be empty.
    pub reason: String,
}

/// Is told what happens.
pub trait Watch: Send + Sync {
    /// Something happened to a resource.
    fn event(&self, event: &Event);
    /// What is done now, or waited for.
    fn note(&self, text: &str);
}

/// What stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Its own id.
    pub id: String,
    /// The cloud's own word for its state.
    pub status: String,
    /// Why it is in it; may be empty.
    pub reason: String,
    /// Whether it must be settled before it can be changed.
    pub unsettled: bool,
    /// What it hands out.
    pub outputs: BTreeMap<String, String>,
    /// What its tags say where they say that it is another's; empty where it is what was declared.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub foreign: String,
}

/// A resource that is not as the template says any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Drifted {
    /// Its name in the template.
    pub id: String,
    /// Its type.
    pub kind: String,
    /// Its own name or ARN.
    pub physical: String,
    /// Whether it is gone.
    pub deleted: bool,
    /// Which properties differ: path, as it should be, as it is.
    pub differences: Vec<(String, String, String)>,
}

/// What was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Removed {
    /// Whether there was anything.
    pub existed: bool,
    /// Resources that were kept on purpose, and by what: name in the template, type, own name.
    pub retained: Vec<(String, String, String)>,
}

/// Something that is still there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// Its ARN or name.
    pub id: String,
    /// How it was found: `stack` or `tag`.
    pub by: String,
}

/// How a Kubernetes cluster is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterAccess {
    /// Its name at the cloud.
    pub name: String,
    /// Where its API is.
    pub server: String,
    /// Its authority's certificate, PEM in base64.
    pub authority: String,
}

/// A cloud that can be told what should be there.
#[async_trait]
pub trait Provider: Send + Sync {
    /// What is wrong with what is declared, as far as that can be told without the cloud.
    fn check(&self) -> Vec<Finding>;

    /// What the cloud finds wrong with it.
    ///
    /// # Errors
    /// When it cannot be asked.
    async fn validate(&self) -> Result<Vec<Finding>, InfraError>;

    /// What stands; nothing where nothing does.
    ///
    /// # Errors
    /// When it cannot be asked.
    async fn read(&self) -> Result<Option<Standing>, InfraError>;

    /// How it is said that what stands is another's, of what its tags say.
    fn foreign(&self, said: &str) -> InfraError;

    /// Makes what stands ready to be changed: goes on with what stopped half-way, removes what failed when it was first made. `skip` names
    /// resources that going back leaves as they are.
    ///
    /// # Errors
    /// When that fails.
    async fn settle(&self, watch: &dyn Watch, skip: &[String]) -> Result<(), InfraError>;

    /// What would change. The cloud may keep something to carry out just that.
    ///
    /// # Errors
    /// When it cannot be worked out, or what stands must be settled first.
    async fn plan(&self, watch: &dyn Watch) -> Result<Plan, InfraError>;

    /// Lets go of what the cloud keeps for a plan.
    ///
    /// # Errors
    /// When it cannot be asked.
    async fn discard(&self, plan: &Plan) -> Result<(), InfraError>;

    /// Carries out just this plan, or goes on with it where a run before was ended.
    ///
    /// # Errors
    /// When it fails, or what stands has moved.
    async fn apply(&self, watch: &dyn Watch, plan: &Plan) -> Result<Standing, InfraError>;

    /// What is not as the template says any more.
    ///
    /// # Errors
    /// When it cannot be asked.
    async fn drift(&self, watch: &dyn Watch) -> Result<Vec<Drifted>, InfraError>;

    /// Removes everything, but for what may be let go of where it cannot be.
    ///
    /// # Errors
    /// When something cannot be removed.
    async fn remove(&self, watch: &dyn Watch, retain: &[String]) -> Result<Removed, InfraError>;

    /// All that is still there, found by the stack and by our tags.
    ///
    /// # Errors
    /// When it cannot be asked.
    async fn left(&self) -> Result<Vec<Left>, InfraError>;

    /// How a Kubernetes cluster of it is reached.
    ///
    /// # Errors
    /// When there is none of that name, or it is not ready.
    async fn cluster(&self, name: &str) -> Result<ClusterAccess, InfraError>;

    /// Proves to a Kubernetes cluster of it who we are, until the time that is given with it.
    ///
    /// # Errors
    /// When there are no credentials.
    async fn token(&self, cluster: &str) -> Result<(crate::aws::Secret, base::Timestamp), InfraError>;
}

/// A kind of provider.
pub struct ProviderKind {
    /// Its name in wharf.yaml.
    pub name: &'static str,
    /// Makes one.
    pub make: fn(Declared, Access) -> Result<Box<dyn Provider>, InfraError>,
}

/// Every provider.
pub const PROVIDERS: &[ProviderKind] = &[crate::cloudformation::CLOUDFORMATION];
