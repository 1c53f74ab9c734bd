//! What the tests stand on: a provider over the fake, and who listens.

use crate::fake::{ACCESS_KEY, Fake, REGION, SECRET};
use infra::aws::{Credentials, Held, Secret};
use infra::provider::{Access, Declared, Event, PROVIDERS, Watch};
use infra::{InfraError, Provider};
use std::sync::{Arc, Mutex};

#[derive(Default)]
pub struct Listener {
    pub events: Mutex<Vec<Event>>,
}

impl Watch for Listener {
    fn event(&self, event: &Event) {
        self.events.lock().expect("no panic while held").push(event.clone());
    }

    fn note(&self, _: &str) {}
}

impl Listener {
    /// Each event as `id status`.
    pub fn told(&self) -> Vec<String> {
        self.events.lock().expect("no panic while held").iter().map(|event| format!("{} {}", event.id, event.status)).collect()
    }
}

pub const FIRST: &str = r#"{"Resources": {
    "Net": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
    "Role": {"Type": "AWS::IAM::Role", "Properties": {}},
    "Cluster": {"Type": "AWS::EKS::Cluster", "DependsOn": "Net", "Properties": {"Name": "jobs", "Version": "1.35"}},
    "Nodes": {"Type": "AWS::EKS::Nodegroup", "DependsOn": "Cluster", "Properties": {"InstanceTypes": ["t3.large"], "Size": 2}},
    "Logs": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "Properties": {}}},
  "Outputs": {"ClusterName": {"Value": "jobs"}}}"#;

pub fn second() -> String {
    FIRST.replace("\"Size\": 2", "\"Size\": 3").replace("t3.large", "t3.xlarge").replace(
        r#""Role": {"Type": "AWS::IAM::Role", "Properties": {}},"#,
        r#""Topic": {"Type": "AWS::SNS::Topic", "DependsOn": "Net", "Properties": {}},"#,
    )
}

pub fn credentials() -> Credentials {
    Credentials { access_key: ACCESS_KEY.to_owned(), secret: Secret::new(SECRET), session: None, expires: None }
}

pub fn access(fake: &Arc<Fake>, seed: u64) -> Access {
    Access { transport: fake.clone(), aws: Arc::new(Held(credentials())), pace: fake.time.clone(), heard: Arc::new(()), seed }
}

pub fn declared(template: &str) -> Declared {
    let text = str::to_owned;
    Declared {
        project: text("jobs"),
        environment: text("prod"),
        name: text("cluster"),
        stack: text("jobs-cluster"),
        region: text(REGION),
        template_path: text("infra/cluster.yaml"),
        template: text(template),
        ..Declared::default()
    }
}

pub fn provider(fake: &Arc<Fake>, template: &str) -> Box<dyn Provider> {
    make(fake, declared(template)).expect("provider")
}

pub fn make(fake: &Arc<Fake>, declared: Declared) -> Result<Box<dyn Provider>, InfraError> {
    let kind = PROVIDERS.iter().find(|kind| kind.name == "cloudformation").expect("listed");
    (kind.make)(declared, access(fake, 7))
}

pub fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime").block_on(future)
}

/// As `wharf infra apply` does it: settles where it must, plans, carries out.
pub async fn apply(fake: &Arc<Fake>, template: &str, listener: &Listener) -> Result<infra::Plan, InfraError> {
    let provider = provider(fake, template);
    if provider.read().await?.is_some_and(|standing| standing.unsettled) {
        provider.settle(listener, &[]).await?;
    }
    let plan = provider.plan(listener).await?;
    provider.apply(listener, &plan).await?;
    Ok(plan)
}

pub async fn destroy(fake: &Arc<Fake>, listener: &Listener) -> Result<infra::provider::Removed, InfraError> {
    provider(fake, FIRST).remove(listener, &[]).await
}
