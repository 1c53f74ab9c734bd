//! Carries out what a step asked for, each on a task of its own, and reports how it came out.

use super::{Report, Shared, measure, pull_secrets, record, resize, writer};
use crate::container::{self, Inputs, dns, hosts};
use crate::images::{Found, ImageError, ImageRequest, ResolvedImage};
use crate::pod::{Container, Pod};
use crate::prober::{self, Target};
use crate::step::{Hook, News, PodAction, ProbeKind, ResizeFault, StartFault};
use crate::volumes::{self, Prepared, TokenCache};
use k8s::kinds::{POD, RUNTIME_CLASS};
use k8s::{Fields, Value};
use runtime::RuntimeError;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The longest that a hook without a limit may take.
const HOOK_LIMIT: Duration = Duration::from_secs(24 * 3_600);

/// What a piece of work needs.
pub(super) struct Job {
    pub(super) shared: Arc<Shared>,
    pub(super) pod: Arc<Pod>,
    pub(super) ip: Option<IpAddr>,
    pub(super) netns: Option<PathBuf>,
    pub(super) volumes: Arc<Prepared>,
    pub(super) tokens: Arc<tokio::sync::Mutex<TokenCache>>,
    pub(super) status: Option<Value>,
    /// What the container that the work is about runs, as its status names it; only for its end.
    pub(super) image: Option<String>,
}

impl Job {
    pub(super) async fn run(self, action: PodAction) -> Option<Report> {
        let parts = &self.shared.parts;
        let uid = &self.pod.uid;
        Some(Report::News(match action {
            PodAction::PrepareVolumes => return Some(self.prepare().await),
            PodAction::AttachNetwork => match parts.network.attach(uid).await {
                Ok(link) => return Some(Report::Linked(link)),
                Err(error) => News::NetworkFailed(error.to_string()),
            },
            PodAction::CreateSandbox { replace } => match self.sandbox(replace).await {
                Ok(()) => News::SandboxReady,
                Err(why) => News::SandboxFailed(why),
            },
            PodAction::Start { container, attempt, image } => self.start(container, attempt, image).await,
            PodAction::Pull { container, attempt } => self.pull(container, attempt).await,
            PodAction::Terminate { container } => {
                let signal = self.stop_signal(&container).await;
                let _ = parts.runtime.signal(uid, &container, signal, false).await;
                return None;
            }
            PodAction::Kill { container } => {
                let _ = parts.runtime.signal(uid, &container, 9, true).await;
                return None;
            }
            PodAction::Resize { container, attempt } => self.resize(container, attempt).await?,
            PodAction::RunHook { container, attempt, hook, timeout } => self.hook(container, attempt, hook, timeout).await?,
            PodAction::Probe { container, attempt, kind } => self.probe(container, attempt, kind).await?,
            PodAction::Measure { running } => self.measure(running).await,
            PodAction::Withdraw(address) => News::Withdrawn(
                parts.network.withdraw(address).await.map_err(|error| format!("taking {address} out of the rules: {error}")),
            ),
            PodAction::Remove => News::Removed(self.remove().await),
            PodAction::Delete => News::Deleted(self.delete().await),
            PodAction::Forget | PodAction::Event { .. } => return None,
        }))
    }

    async fn prepare(&self) -> Report {
        let context = volumes::Context { pod: &self.pod, cluster: &*self.shared.parts.cluster, node: &self.shared.config, ip: self.ip };
        let mut tokens = self.tokens.lock().await;
        match volumes::prepare(context, &mut tokens, self.shared.parts.clock.now()).await {
            Ok((prepared, refresh_at)) => Report::Volumes(prepared, refresh_at),
            Err(why) => Report::News(News::VolumesFailed(why)),
        }
    }

    async fn sandbox(&self, replace: bool) -> Result<(), String> {
        let runtime = &self.shared.parts.runtime;
        container::security::check_class(&self.pod, |name| self.shared.parts.cluster.get(RUNTIME_CLASS, "", name))?;
        let spec = container::pod_spec(&self.pod, &self.shared.config, self.netns.clone())?;
        self.write_etc().map_err(|error| error.to_string())?;
        if replace {
            runtime.remove_pod(&self.pod.uid).await.map_err(|error| error.to_string())?;
        }
        runtime.create_pod(&spec).await.map_err(|error| error.to_string())
    }

    fn write_etc(&self) -> std::io::Result<()> {
        let (pod, node) = (&*self.pod, &self.shared.config);
        let folders = node.folders(&pod.uid);
        let own = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
        let host = if pod.host_network { own(&node.host_hosts) } else { String::new() };
        let resolv = dns::of_pod(pod, node, &dns::Resolv::parse(&own(&node.host_resolv)));
        std::fs::create_dir_all(folders.etc(""))?;
        for (name, text) in [
            ("hosts", hosts::hosts_file(pod, node, self.ip, &host)),
            ("resolv.conf", resolv.text()),
            ("hostname", hosts::hostname(pod, node) + "\n"),
        ] {
            // Written in place: the file may be mounted in a container.
            std::fs::write(folders.etc(name), text)?;
            std::fs::set_permissions(folders.etc(name), PermissionsExt::from_mode(0o644))?;
        }
        Ok(())
    }

    async fn start(&self, name: String, attempt: u32, image: Option<Box<ResolvedImage>>) -> News {
        match self.try_start(&name, attempt, image).await {
            Ok(news) => news,
            Err(fault) => News::NotStarted { container: name, attempt, fault },
        }
    }

    async fn try_start(&self, name: &str, attempt: u32, pulled: Option<Box<ResolvedImage>>) -> Result<News, StartFault> {
        let container = self.pod.container(name).ok_or_else(|| no_more(name))?;
        let parts = &self.shared.parts;
        let resolved = match pulled {
            Some(pulled) => pulled,
            None => {
                let (secrets, wrong) = pull_secrets::of_pod(&self.pod, &*parts.cluster);
                let request = ImageRequest { image: container.image.clone(), policy: container.pull, secrets };
                match parts.images.find(&request).await.map_err(StartFault::Image)? {
                    Found::Here(image) => image,
                    Found::Elsewhere => {
                        let (container, image) = (name.to_owned(), request.image);
                        return Ok(News::ImageWanted { container, attempt, image, secrets: wrong });
                    }
                }
            }
        };
        let inputs = Inputs {
            pod: &self.pod,
            container,
            attempt,
            image: &resolved,
            cluster: &*parts.cluster,
            node: &self.shared.config,
            ip: self.ip,
            volumes: &self.volumes,
        };
        let spec = container::container_spec(&inputs)?;
        self.make_room(&spec, container).map_err(|error| StartFault::Host(error.to_string()))?;
        let started = parts.runtime.start(&self.pod.uid, &spec).await;
        let pid = started.map_err(|error| match error {
            RuntimeError::Start { .. } => StartFault::Program(error.to_string()),
            RuntimeError::Config(_) => StartFault::Create(error.to_string()),
            RuntimeError::NotRunning(_) | RuntimeError::Host { .. } => StartFault::Host(error.to_string()),
        })?;
        self.clear_older(name, attempt);
        let at = parts.clock.now();
        let resources = crate::step::wanted_resources(self.pod.raw(container));
        let (container, image) = (name.to_owned(), container.image.clone());
        Ok(News::Started { container, attempt, pid, at, image_id: resolved.reference, image, resources })
    }

    async fn pull(&self, name: String, attempt: u32) -> News {
        let Some(container) = self.pod.container(&name) else {
            return News::NotStarted { fault: no_more(&name), container: name, attempt };
        };
        let parts = &self.shared.parts;
        let (secrets, _) = pull_secrets::of_pod(&self.pod, &*parts.cluster);
        let request = ImageRequest { image: container.image.clone(), policy: container.pull, secrets };
        let result = parts.images.pull(&request).await.map(Box::new);
        News::ImagePulled { container: name, attempt, image: request.image, result }
    }

    /// Folders and files that a start needs.
    fn make_room(&self, spec: &runtime::ContainerSpec, container: &Container) -> std::io::Result<()> {
        std::fs::create_dir_all(&spec.root.writable)?;
        if let Some(folder) = spec.log.as_ref().and_then(|log| log.path.parent()) {
            std::fs::create_dir_all(folder)?;
        }
        let message = self.shared.config.folders(&self.pod.uid).message(&container.name, spec.attempt);
        std::fs::File::create(&message)?;
        std::fs::set_permissions(&message, PermissionsExt::from_mode(0o666))
    }

    /// What earlier attempts wrote goes; the log of the one before stays for `--previous`.
    fn clear_older(&self, name: &str, attempt: u32) {
        let Some(before) = attempt.checked_sub(1) else { return };
        let folders = self.shared.config.folders(&self.pod.uid);
        let (writable, message) = (folders.writable(name, before), folders.message(name, before));
        let key = (self.pod.namespace.as_str(), self.pod.name.as_str(), self.pod.uid.as_str());
        let logs = before.checked_sub(1).map(|old| self.shared.config.log_file(key, name, old));
        tokio::task::spawn_blocking(move || {
            let _ = std::fs::remove_dir_all(writable);
            let _ = std::fs::remove_file(message);
            for path in logs.iter().flat_map(|log| crate::logs::files(log)) {
                let _ = std::fs::remove_file(path);
            }
        });
    }

    /// The container's own, the image's, or SIGTERM.
    async fn stop_signal(&self, name: &str) -> i32 {
        const TERM: i32 = 15;
        let Some(container) = self.pod.container(name) else { return TERM };
        if let Some(own) = &container.stop_signal {
            return crate::signals::number(own).unwrap_or(TERM);
        }
        let reference = self.image.as_deref().unwrap_or(&container.image);
        let image = self.shared.parts.images.local(reference).await;
        image.ok().and_then(|image| crate::signals::number(&image.config.stop_signal)).unwrap_or(TERM)
    }

    fn target<'a>(&'a self, container: &'a Container) -> Target<'a> {
        Target { runtime: &*self.shared.parts.runtime, pod: &self.pod, container, ip: self.ip }
    }

    async fn hook(&self, name: String, attempt: u32, hook: Hook, timeout: Option<Duration>) -> Option<News> {
        let container = self.pod.container(&name)?;
        let handler = match hook {
            Hook::PostStart => container.post_start.as_ref(),
            Hook::PreStop => container.pre_stop.as_ref(),
        };
        let result = prober::perform(&self.target(container), handler?, timeout.unwrap_or(HOOK_LIMIT)).await;
        Some(News::HookDone { container: name, attempt, hook, result })
    }

    async fn probe(&self, name: String, attempt: u32, kind: ProbeKind) -> Option<News> {
        let container = self.pod.container(&name)?;
        let probe = kind.of(container)?;
        let result = prober::perform(&self.target(container), &probe.handler, probe.timeout).await;
        Some(News::Probed { container: name, attempt, kind, result })
    }

    async fn measure(&self, running: Vec<(String, u32)>) -> News {
        let (shared, pod, volumes, begun) = (self.shared.clone(), self.pod.clone(), self.volumes.clone(), Instant::now());
        let over = tokio::task::spawn_blocking(move || measure::over(&pod, &volumes, &shared.config, &running)).await;
        News::Measured { took: begun.elapsed(), over: over.ok().flatten() }
    }

    async fn resize(&self, name: String, attempt: u32) -> Option<News> {
        let raw = self.pod.raw(self.pod.container(&name)?);
        let result = resize::carry_out(&*self.shared.parts.runtime, &self.shared.config, &self.pod, &name, raw).await;
        Some(News::Resized { container: name, attempt, resources: crate::step::wanted_resources(raw), result })
    }

    async fn remove(&self) -> Result<(), String> {
        let (parts, uid) = (&self.shared.parts, &self.pod.uid);
        parts.runtime.remove_pod(uid).await.map_err(|error| error.to_string())?;
        if !self.pod.host_network {
            parts.network.detach(uid).await.map_err(|error| error.to_string())?;
        }
        let base = self.shared.config.folders(uid).base().to_owned();
        let removed = tokio::task::spawn_blocking(move || {
            volumes::unmount_below(&base)?;
            for part in ["volumes", "containers", "etc", "run"] {
                match std::fs::remove_dir_all(base.join(part)) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        return Err(format!("{}: {error}", base.join(part).display()));
                    }
                    _ => {}
                }
            }
            Ok(())
        });
        removed.await.unwrap_or_else(|error| Err(error.to_string()))
    }

    async fn delete(&self) -> Result<(), String> {
        if let Some(status) = &self.status {
            writer::write(&self.shared, &self.pod, status).await;
        }
        let pod = &self.pod;
        match self.shared.parts.cluster.delete_now(POD, &pod.namespace, &pod.name, &pod.uid).await {
            Err(error) if error.code == 404 || (error.code == 409 && !self.is_there()) => Ok(()),
            other => other.map_err(|error| error.to_string()),
        }
    }

    fn is_there(&self) -> bool {
        self.shared.parts.cluster.get(POD, &self.pod.namespace, &self.pod.name).is_some_and(|found| found.uid() == self.pod.uid)
    }
}

fn no_more(container: &str) -> StartFault {
    StartFault::Config(format!("container {container} is no more"))
}

/// What is reported of a piece of work that ended by a defect of ours; the step then tries again, later and later.
pub(super) fn failed(action: PodAction) -> Option<News> {
    let why = || "a defect of this node (see its log)".to_owned();
    Some(match action {
        PodAction::PrepareVolumes => News::VolumesFailed(why()),
        PodAction::AttachNetwork => News::NetworkFailed(why()),
        PodAction::CreateSandbox { .. } => News::SandboxFailed(why()),
        PodAction::Start { container, attempt, .. } => News::NotStarted { container, attempt, fault: StartFault::Host(why()) },
        PodAction::Pull { container, attempt } => {
            News::ImagePulled { container, attempt, image: String::new(), result: Err(ImageError::Pull(why())) }
        }
        PodAction::Resize { container, attempt } => {
            News::Resized { container, attempt, resources: Value::Null, result: Err(ResizeFault::Error(why())) }
        }
        PodAction::RunHook { container, attempt, hook, .. } => News::HookDone { container, attempt, hook, result: Err(why()) },
        PodAction::Probe { container, attempt, kind } => News::Probed { container, attempt, kind, result: Err(why()) },
        PodAction::Measure { .. } => News::Measured { took: Duration::ZERO, over: None },
        PodAction::Withdraw(_) => News::Withdrawn(Err(why())),
        PodAction::Remove => News::Removed(Err(why())),
        PodAction::Delete => News::Deleted(Err(why())),
        PodAction::Terminate { .. } | PodAction::Kill { .. } | PodAction::Forget | PodAction::Event { .. } => return None,
    })
}

/// Removes what an earlier node left below a home: mounts, folders and logs of all pods. For `reset`, when nothing runs any more.
///
/// # Errors
/// The first thing that does not go.
pub fn clean(config: &crate::config::NodeConfig) -> Result<(), String> {
    volumes::unmount_below(&config.pods())?;
    let entries = std::fs::read_dir(config.pods()).into_iter().flatten().flatten();
    for uid in entries.filter_map(|entry| entry.file_name().into_string().ok()) {
        let name = record::load(config, &uid).map(|record| (record.namespace, record.name));
        record::remove(config, &uid, name.as_ref().map(|(namespace, name)| (namespace.as_str(), name.as_str())));
    }
    Ok(())
}
