//! The engine: composes API server, controllers, node, runtime and network, and takes them apart again.

mod drain;
mod names;
mod parts;

use crate::api::{ServedObjects, follow};
use crate::control::{self, Surroundings};
use crate::images::StoredImages;
use crate::lock::{HomeLock, Whereabouts};
use crate::proxy::LateNode;
use crate::services::Services;
use apiserver::Server;
use base::{Clock, Problem, ProblemKind, SystemClock, files};
use node::{NodeManager, Parts};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

pub use drain::reset;
pub use parts::network_config;

/// Where an engine keeps things, and what it is.
#[derive(Clone, Debug)]
pub struct Config {
    /// All that Wharf keeps.
    pub home: PathBuf,
    /// This very program, started anew for shims and the name service.
    pub program: PathBuf,
    /// The API's port on 127.0.0.1; the next free one is taken when it is not.
    pub port: u16,
    /// Through which proxies images are pulled.
    pub proxies: net::client::Proxies,
}

impl Config {
    /// Keys, objects, whereabouts.
    pub fn folder(&self) -> PathBuf {
        self.home.join("engine")
    }

    /// Volumes of the class `local`.
    pub fn volumes(&self) -> PathBuf {
        self.home.join("volumes")
    }
}

/// Takes lines for the engine's log.
pub type Log = Arc<dyn Fn(&str) + Send + Sync>;

/// The node's name.
pub const NODE: &str = "wharf";

/// A running engine.
pub struct Engine {
    config: Config,
    lock: HomeLock,
    whereabouts: Whereabouts,
    server: Server,
    node: NodeManager,
    services: Arc<Services>,
    tasks: JoinSet<()>,
    log: Log,
}

impl Engine {
    /// Starts it, adopting what an earlier one left running: when this returns, the API answers. To be called within a tokio runtime.
    ///
    /// # Errors
    /// What this host lacks, or who is in the way, each with the next step.
    pub async fn start(config: Config, log: Log) -> Result<Self, Problem> {
        let began = Instant::now();
        parts::require_root()?;
        let lock = HomeLock::take(&config.folder())?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let late = Arc::new(LateNode::new(clock.clone()));
        // What the host may lack is asked for before the API is there, so that nobody talks to half an engine.
        let network = Arc::new(parts::network(&config)?);
        let runtime = Arc::new(parts::runtime(&config).await?);
        let store = parts::images(&config)?;
        let server = parts::server(&config, clock.clone(), late.clone()).await?;
        report(&server, &log);
        let objects = Arc::new(ServedObjects(server.api()));
        let services = Arc::new(Services::new(network.clone(), objects.clone()));
        let mut tasks = JoinSet::new();
        let (changes, control) = subscribe(&server, &services, &mut tasks, &log);
        let node = NodeManager::start(
            parts::node_config(&config),
            Parts {
                runtime,
                network: services.clone(),
                images: Arc::new(StoredImages::new(store, &config.home, config.proxies.clone())),
                cluster: objects.clone(),
                clock: clock.clone(),
            },
        )
        .await;
        late.set(node.clone());
        names::start(&config, &network, &log)?;
        let around = Surroundings { objects, clock, root_ca: Arc::from(server.ca_pem()), volumes: config.volumes() };
        tasks.spawn(control::run(around, control));
        tasks.spawn(tell_node(node.clone(), changes));
        let whereabouts = Whereabouts {
            pid: std::process::id(),
            address: server.address().to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ending: false,
        };
        announce(&config, &lock, &server, &whereabouts)?;
        log(&format!("ready at {} after {} ms", whereabouts.address, began.elapsed().as_millis()));
        Ok(Self { config, lock, whereabouts, server, node, services, tasks, log })
    }

    /// Where clients find it.
    pub fn whereabouts(&self) -> &Whereabouts {
        &self.whereabouts
    }

    /// Ends its pods, each with the grace that it asks for, and itself. Objects stay.
    ///
    /// # Errors
    /// When something of the network cannot be removed.
    pub async fn stop(mut self) -> Result<(), Problem> {
        self.lock.withdraw();
        self.node.stop().await;
        self.tasks.shutdown().await;
        self.services.close().await.map_err(|error| Problem::new(ProblemKind::Host, error.to_string()))?;
        // The links to the shims lived on the node's own thread, and ended with it.
        let runtime = parts::runtime(&self.config).await?;
        let pods = drain::Pods { api: self.server.api(), runtime: &runtime, network: &*self.services };
        pods.end_all().await?;
        self.server.drain(Duration::from_secs(2)).await;
        names::stop(&self.config);
        (self.log)("ended");
        Ok(())
    }
}

fn report(server: &Server, log: &Log) {
    for damage in &server.store_report().damage {
        log(&format!("the journal was damaged, and what could not be trusted was left out: {damage:?}"));
    }
}

type Changes = mpsc::UnboundedReceiver<crate::objects::Change>;

/// Hands every change to those whom it concerns.
fn subscribe(server: &Server, services: &Arc<Services>, tasks: &mut JoinSet<()>, log: &Log) -> (Changes, Changes) {
    let (to_node, changes) = mpsc::unbounded_channel();
    let (to_control, control) = mpsc::unbounded_channel();
    let told = services.clone();
    tasks.spawn(follow(server.api(), move |change| {
        if Services::concerns(&change) {
            told.ask();
        }
        let _ = to_node.send(change.clone());
        let _ = to_control.send(change);
    }));
    let (rules, log) = (services.clone(), log.clone());
    tasks.spawn(async move { rules.run(|problem| log(&format!("the network's rules were refused: {problem}"))).await });
    (changes, control)
}

async fn tell_node(node: NodeManager, mut changes: Changes) {
    while let Some(change) = changes.recv().await {
        if let Some(change) = node::Change::of(change.kind, &change.object, change.gone) {
            node.notify(change);
        }
    }
}

fn announce(config: &Config, lock: &HomeLock, server: &Server, whereabouts: &Whereabouts) -> Result<(), Problem> {
    let failed = |error: &dyn std::fmt::Display| Problem::new(ProblemKind::Host, format!("cannot tell where the engine is: {error}"));
    let kubeconfig = server.kubeconfig().map_err(|error| failed(&error))?;
    let path = config.folder().join("kubeconfig");
    let same = files::read_if_exists(&path).ok().flatten().is_some_and(|old| old == kubeconfig.as_bytes());
    if !same {
        files::write_atomically(&path, kubeconfig.as_bytes(), 0o600).map_err(|error| failed(&error))?;
    }
    lock.announce(whereabouts).map_err(|error| failed(&error))
}
