//! The table of fields: everything that `wharf.yaml` can say, with its kind, its default and what it is for.

mod ci;
mod infra;
mod notify;
mod scan;

pub use ci::{Ci, CiOnly, CiRun};
pub use infra::Infra;
pub use notify::{About, Notify, SecretPlace};
pub use scan::{Advisories, GateMode, Ignored, ScanGate, UnjudgedMode, VulnerabilitySeverity};

use super::command::CommandLine;
use super::reader::{Bytes, Percent};
use super::section::{section, words};
use std::collections::BTreeMap;
use std::time::Duration;

section! {
    /// The whole of `wharf.yaml`.
    Settings {
        /// The project's name: namespace, labels and image names come from it. A DNS label.
        "project" project: String,
        /// The release's number; without it releases are named by their commit.
        "version" version: Option<String>,
        /// Files and folders that tests and `prepare` depend on, relative to the project; by default all of its folder. What git ignores does not count.
        "inputs" inputs: Vec<String>,
        /// The images to build, by name.
        "images" images: BTreeMap<String, Image>,
        /// The tests: name and command.
        "tests" tests: BTreeMap<String, CommandLine>,
        /// Commands that run inside a built image, by the image's name.
        "checks" checks: BTreeMap<String, Check>,
        /// Files and folders of Kubernetes manifests.
        "manifests" manifests: Vec<String>,
        /// What stops a run.
        "gates" gates: Gates,
        /// Where what is known against packages comes from.
        "advisories" advisories: Advisories,
        /// Requests that must be answered after a deploy.
        "smoke" smoke: Vec<Smoke>,
        /// Loads to put on what was deployed.
        "load" load: Vec<Load>,
        /// Requests repeated for as long as the project runs.
        "uptime" uptime: Vec<Uptime>,
        /// Commands of the project's own, for `wharf task NAME`.
        "tasks" tasks: BTreeMap<String, Task>,
        /// Values for `${NAME}` in manifests.
        "settings" settings: BTreeMap<String, String>,
        /// Where the project can run, by name; `local` is the embedded engine.
        "environments" environments: BTreeMap<String, Environment>,
        /// How registries are reached.
        "registries" registries: Registries,
        /// What builds keep.
        "builds" builds: Builds,
        /// Which runs a push to `wharf ci serve` begins.
        "ci" ci: Ci,
        /// Cloud resources that the project stands on, by name; `wharf infra` makes, changes and removes them.
        "infra" infra: BTreeMap<String, Infra>,
        /// Who is told, by name.
        "notify" notify: BTreeMap<String, Notify>,
    }
}

section! {
    /// What builds keep on this machine.
    Builds {
        /// How much all cache mounts together may hold after a build of this project; those that were not used for the longest time go first.
        "cache-mounts" cache_mounts: Bytes = "20GB",
    }
}

section! {
    /// How registries are reached. Who we are there stands in docker's own `config.json`.
    Registries {
        /// Hosts, with their port, that are spoken to in plain HTTP or without checking their certificate. Those on this machine always are.
        "insecure" insecure: Vec<String>,
        /// Hosts or addresses that are asked first when something is pulled, by the registry that they stand for, such as `docker.io`.
        "mirrors" mirrors: BTreeMap<String, Vec<String>>,
        /// Files of certificates in PEM that are trusted beside the system's, relative to the project.
        "authorities" authorities: Vec<String>,
    }
}

section! {
    /// An image to build.
    Image {
        /// The folder that COPY and ADD see, relative to the project.
        "context" context: String = ".",
        /// The Dockerfile, relative to the project; by default `Dockerfile` in the context.
        "dockerfile" dockerfile: Option<String>,
        /// A command that runs before the build; what it leaves in the context is part of the cache key.
        "prepare" prepare: Option<CommandLine>,
        /// The stage to build; by default the last.
        "target" target: Option<String>,
        /// Build arguments.
        "args" args: BTreeMap<String, String>,
        /// The platform, such as `linux/amd64`; by default the host's.
        "platform" platform: Option<String>,
        /// What `RUN --mount=type=secret` can see, by id. Its values are in no layer, record or log.
        "secrets" secrets: BTreeMap<String, ImageSecret>,
    }
}

section! {
    /// Where a secret of a build is: exactly one of these.
    ImageSecret {
        /// In this file, relative to the project; `~/` is your home.
        "file" file: Option<String>,
        /// In this variable of the environment.
        "env" env: Option<String>,
    }
}

section! {
    /// A command inside a build target of an image.
    Check {
        /// The stage to run it in; by default the last.
        "target" target: Option<String>,
        /// The command.
        "run" run: CommandLine,
        /// How much memory it may have.
        "memory" memory: Bytes = "2GiB",
        /// How many CPUs it may have, as percent of one, such as `150%`; by default all.
        "cpu" cpu: Option<Percent>,
        /// How long it may take.
        "timeout" timeout: Duration = "15m",
    }
}

section! {
    /// What stops a run.
    Gates {
        /// Lint findings of this weight or heavier stop it.
        "lint" lint: Threshold = "error",
        /// Security findings; without it they are reported only.
        "scan" scan: Option<ScanGate>,
    }
}

section! {
    /// A request that must be answered after a deploy. Exactly one of the methods names its target, `WORKLOAD/PATH` or a URL.
    Smoke {
        /// GET this.
        "get" get: Option<String>,
        /// HEAD this.
        "head" head: Option<String>,
        /// POST to this.
        "post" post: Option<String>,
        /// PUT to this.
        "put" put: Option<String>,
        /// PATCH this.
        "patch" patch: Option<String>,
        /// DELETE this.
        "delete" delete: Option<String>,
        /// Headers to send.
        "header" header: BTreeMap<String, String>,
        /// The body to send.
        "data" data: Option<String>,
        /// The status that must come.
        "status" status: u16 = "200",
        /// A text that the answer's body must hold.
        "body" body: Option<String>,
        /// How long one answer may take.
        "timeout" timeout: Duration = "5s",
    }
}

section! {
    /// A load. Exactly one of the methods names its target, `WORKLOAD/PATH` or a URL.
    Load {
        /// GET this.
        "get" get: Option<String>,
        /// HEAD this.
        "head" head: Option<String>,
        /// POST to this.
        "post" post: Option<String>,
        /// PUT to this.
        "put" put: Option<String>,
        /// PATCH this.
        "patch" patch: Option<String>,
        /// DELETE this.
        "delete" delete: Option<String>,
        /// Headers to send.
        "header" header: BTreeMap<String, String>,
        /// The body to send.
        "data" data: Option<String>,
        /// How many requests; by default 200, where no duration is given.
        "requests" requests: Option<u64>,
        /// How long to go on.
        "duration" duration: Option<Duration>,
        /// How many connections at once.
        "concurrency" concurrency: u32 = "10",
        /// Requests a second, sent whether or not answers come.
        "rate" rate: Option<u64>,
        /// How long one answer may take.
        "timeout" timeout: Duration = "20s",
        /// How many requests may fail.
        "max-failed" max_failed: u64 = "0",
        /// How long half of the answers may take at most.
        "p50" p50: Option<Duration>,
        /// How long 95 of 100 answers may take at most.
        "p95" p95: Option<Duration>,
        /// How long 99 of 100 answers may take at most.
        "p99" p99: Option<Duration>,
        /// How much longer 99 of 100 answers may take than with the release before, such as `20%`.
        "worse-than" worse_than: Option<Percent>,
        /// Whether HTTP/2 is spoken: over TLS by agreement, else at once.
        "h2" h2: bool = "false",
    }
}

section! {
    /// A request repeated for as long as the project runs. Exactly one of the methods names its target.
    Uptime {
        /// GET this.
        "get" get: Option<String>,
        /// HEAD this.
        "head" head: Option<String>,
        /// POST to this.
        "post" post: Option<String>,
        /// How often.
        "every" every: Duration = "30s",
        /// After how many failures in a row it counts as down.
        "fail-after" fail_after: u32 = "3",
        /// The status that must come.
        "status" status: u16 = "200",
        /// A text that the answer's body must hold.
        "body" body: Option<String>,
        /// How long one answer may take.
        "timeout" timeout: Duration = "5s",
        /// Who is told, names of `notify`.
        "notify" notify: Vec<String>,
    }
}

section! {
    /// A command of the project's own: on the host, in a new container of an image, or in a running workload.
    Task {
        /// The workload to run it in.
        "exec" exec: Option<String>,
        /// The image to run it in.
        "image" image: Option<String>,
        /// The command.
        "run" run: CommandLine,
    }
}

section! {
    /// A place where the project can run.
    Environment {
        /// The kubeconfig's context; without it the embedded engine.
        "context" context: Option<String>,
        /// The kubeconfig, relative to the project; by default `$KUBECONFIG`, else `~/.kube/config`.
        "kubeconfig" kubeconfig: Option<String>,
        /// Where images are pushed, such as `registry.example.com/jobs`.
        "registry" registry: Option<String>,
        /// How long requests may still be sent to a pod that is told to end. It gets a `preStop` sleep of this length, so that it
        /// goes on answering; by default 5s on a cluster of your own and 0s on the engine, which keeps that order itself.
        "drain" drain: Option<Duration>,
        /// Whether `wharf up` also puts the project's `load` on each release that it deploys, and goes back where that fails.
        "load" load: bool = "false",
        /// The ssh keys of those whose approval a deploy needs.
        "approvers" approvers: Vec<String>,
        /// Values for `${NAME}` in manifests; they win over the project's.
        "settings" settings: BTreeMap<String, String>,
    }
}

words! {
    /// From which weight on lint findings stop a run.
    Threshold {
        /// Errors only.
        "error" Error,
        /// Warnings too.
        "warning" Warning,
        /// Infos too.
        "info" Info,
        /// All.
        "style" Style,
        /// None.
        "none" None,
    }
}

/// An HTTP method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpMethod {
    /// `GET`.
    Get,
    /// `HEAD`.
    Head,
    /// `POST`.
    Post,
    /// `PUT`.
    Put,
    /// `PATCH`.
    Patch,
    /// `DELETE`.
    Delete,
}

impl HttpMethod {
    /// Its name in a request.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

fn chosen<'a>(methods: &[(HttpMethod, &'a Option<String>)]) -> (HttpMethod, &'a str) {
    let written = methods.iter().find_map(|(method, target)| target.as_deref().map(|target| (*method, target)));
    written.unwrap_or((HttpMethod::Get, ""))
}

impl Smoke {
    /// The method and its target; settings without exactly one were refused.
    pub fn request(&self) -> (HttpMethod, &str) {
        use HttpMethod::{Delete, Get, Head, Patch, Post, Put};
        chosen(&[(Get, &self.get), (Head, &self.head), (Post, &self.post), (Put, &self.put), (Patch, &self.patch), (Delete, &self.delete)])
    }
}

impl Load {
    /// As [`Smoke::request`].
    pub fn request(&self) -> (HttpMethod, &str) {
        use HttpMethod::{Delete, Get, Head, Patch, Post, Put};
        chosen(&[(Get, &self.get), (Head, &self.head), (Post, &self.post), (Put, &self.put), (Patch, &self.patch), (Delete, &self.delete)])
    }
}

impl Uptime {
    /// As [`Smoke::request`].
    pub fn request(&self) -> (HttpMethod, &str) {
        chosen(&[(HttpMethod::Get, &self.get), (HttpMethod::Head, &self.head), (HttpMethod::Post, &self.post)])
    }
}

impl Image {
    /// The Dockerfile's path relative to the project.
    pub fn dockerfile_path(&self) -> String {
        let default =
            || if self.context == "." { "Dockerfile".to_owned() } else { format!("{}/Dockerfile", self.context.trim_end_matches('/')) };
        self.dockerfile.clone().unwrap_or_else(default)
    }
}
