//! A machine for one run: home, cgroups, links and an image of its own.

use crate::fake::FakeCluster;
use async_trait::async_trait;
use k8s::kinds::POD;
use k8s::{Fields, Value};
use network::HostNetwork;
use node::{Capacity, Found, ImageConfig, ImageError, ImageRequest, Images, NodeConfig, NodeManager, Parts, PulledImage, ResolvedImage};
use runtime::ShimRuntime;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

const APPLETS: &str = "sh true false cat echo id ls sleep env pwd hostname touch mkdir kill head tail httpd nc wget seq stat grep";

fn busybox() -> Option<&'static str> {
    let is_static =
        |path: &&str| std::fs::read(path).is_ok_and(|content| !content.windows(8).take(4_096).any(|window| window == b"/lib64/l"));
    ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(is_static)
}

/// Whether containers and links can be made here; says why when they cannot.
pub fn can_run() -> bool {
    let root = std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    let found =
        |program: &str| std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).exists()));
    let missing = [(root, "root"), (busybox().is_some(), "a static busybox"), (found("unshare"), "unshare"), (found("ip"), "ip")];
    for (_, what) in missing.iter().filter(|(there, _)| !there) {
        println!("skipped: {what}");
    }
    missing.iter().all(|(there, _)| *there)
}

pub struct World {
    unique: String,
    pub home: PathBuf,
    pub cluster: Arc<FakeCluster>,
    pub node: NodeManager,
    pub runtime: Arc<ShimRuntime>,
    network: Arc<HostNetwork>,
}

struct OneImage(PathBuf);

#[async_trait]
impl Images for OneImage {
    async fn find(&self, request: &ImageRequest) -> Result<Found, ImageError> {
        self.local(&request.image).await.map(|image| Found::Here(Box::new(image)))
    }

    async fn pull(&self, request: &ImageRequest) -> Result<PulledImage, ImageError> {
        Err(ImageError::Pull(format!("{} is not pulled here", request.image)))
    }

    async fn local(&self, image: &str) -> Result<ResolvedImage, ImageError> {
        if !matches!(image, "busybox" | "sha256:busybox") {
            return Err(ImageError::Pull(format!("no such image: {image}")));
        }
        let config = ImageConfig { entrypoint: vec!["/bin/sh".into(), "-c".into()], ..ImageConfig::default() };
        let image_id = "sha256:busybox".to_owned();
        Ok(ResolvedImage { reference: image_id.clone(), image_id, layers: vec![self.0.clone()], config })
    }
}

fn make_image(folder: &Path) {
    for name in ["bin", "etc", "tmp", "dev", "proc", "sys", "www"] {
        std::fs::create_dir_all(folder.join(name)).expect("folder");
    }
    std::fs::copy(busybox().expect("checked"), folder.join("bin/busybox")).expect("copied");
    for name in APPLETS.split(' ') {
        std::os::unix::fs::symlink("busybox", folder.join("bin").join(name)).expect("linked");
    }
    std::fs::write(folder.join("www/index.html"), "hello\n").expect("written");
    std::fs::write(folder.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n").expect("written");
    std::fs::write(folder.join("etc/group"), "root:x:0:\n").expect("written");
}

/// How many times longer than usual things may take: an emulated machine is no measure.
fn slow() -> u32 {
    std::env::var("WHARF_TEST_SLOW").ok().and_then(|times| times.parse().ok()).unwrap_or(1)
}

impl World {
    pub async fn new() -> Self {
        let unique = format!("wharf-node-real-{}", base::ids::suffix(8));
        let home = std::env::temp_dir().join(&unique);
        make_image(&home.join("image"));
        let cluster = Arc::new(FakeCluster::default());
        let (runtime, network, node) = start(&home, &unique, &cluster).await;
        Self { unique, home, cluster, node, runtime, network }
    }

    /// As if the engine had been killed and started again: everything anew but what runs and what is on disk.
    pub async fn restart(&mut self) {
        self.cluster.watch(|_| {});
        self.node.stop().await;
        let (runtime, network, node) = start(&self.home, &self.unique, &self.cluster).await;
        (self.runtime, self.network, self.node) = (runtime, network, node);
    }

    pub fn put(&self, name: &str, spec: Value) -> String {
        let uid = base::ids::uuid();
        let metadata = json!({"namespace": "n", "name": name, "uid": uid});
        self.cluster.put(POD, json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}));
        uid
    }

    pub fn pod(&self, name: &str) -> Value {
        self.cluster.pod(name).map(|pod| (*pod).clone()).unwrap_or_default()
    }

    pub fn is_ready(&self, name: &str) -> bool {
        self.pod(name).condition("Ready").is_some_and(|ready| ready.text("status") == "True")
    }

    pub fn container(&self, name: &str) -> Value {
        self.pod(name).items("status.containerStatuses").first().cloned().unwrap_or_default()
    }

    /// Waits until something holds; how long it took.
    pub async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) -> Duration {
        let (begun, limit) = (Instant::now(), Duration::from_secs(10) * slow());
        while !holds(self) {
            assert!(begun.elapsed() < limit, "not within {limit:?}: {what}; pods: {:#?}", self.statuses());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        begun.elapsed()
    }

    /// A pod's version, once nothing has been written to it for a while.
    pub async fn version_at_rest(&self, name: &str) -> String {
        loop {
            let version = self.pod(name).resource_version().to_owned();
            tokio::time::sleep(Duration::from_millis(50) * slow()).await;
            if self.pod(name).resource_version() == version {
                return version;
            }
        }
    }

    fn statuses(&self) -> Vec<Value> {
        use node::Cluster;
        let pods = self.cluster.list(POD, "");
        let events = self.cluster.list(k8s::kinds::EVENT, "").into_iter().map(|event| json!(event.text("message")));
        pods.iter().map(|pod| pod["status"].clone()).chain(events).collect()
    }

    /// Output and exit code of a shell command in a pod.
    pub async fn shell(&self, pod: &str, command: &str) -> (i32, String) {
        let uid = self.pod(pod).uid().to_owned();
        let name = self.pod(pod).items("spec.containers")[0].text("name").to_owned();
        let words: Vec<String> = ["/bin/sh", "-c", command].map(str::to_owned).into();
        node::prober::run_in_container(&*self.runtime, &uid, &name, &words).await.expect("ran")
    }

    /// Removes everything; after a failure too.
    pub async fn end(self, failed: bool) {
        use network::PodNetwork;
        use runtime::Runtime;
        self.cluster.watch(|_| {});
        self.node.stop().await;
        let left = self.runtime.pods().await.expect("listed");
        for pod in &left {
            let _ = self.runtime.remove_pod(pod).await;
        }
        assert!(failed || left.is_empty(), "pods are left: {left:?}");
        let _ = node::volumes::unmount_below(&self.home.join("node")).map_err(|why| println!("{why}"));
        self.network.teardown().await.expect("torn down");
        drop(self.runtime);
        let left = std::fs::read_to_string("/proc/self/mountinfo").expect("read");
        assert!(!left.contains(self.home.to_str().expect("text")), "mounts are left: {left}");
        std::fs::remove_dir_all(&self.home).expect("removed");
    }
}

async fn start(home: &Path, unique: &str, cluster: &Arc<FakeCluster>) -> (Arc<ShimRuntime>, Arc<HostNetwork>, NodeManager) {
    let shim_program = std::env::current_exe().expect("a path");
    let config = runtime::Config { home: home.join("runtime"), cgroup_root: unique.to_owned(), shim_program };
    let runtime = Arc::new(ShimRuntime::open(config).await.expect("a runtime"));
    let network = Arc::new(HostNetwork::open(network::Config::new(home.join("network"))).expect("a network"));
    let capacity = Capacity::of_machine(home);
    let mut config = NodeConfig::new("wharf", home.join("node"), "10.42.0.1".parse().expect("an address"), capacity);
    config.host_resolv = "/nonexistent".into();
    let parts = Parts {
        runtime: runtime.clone(),
        network: network.clone(),
        images: Arc::new(OneImage(home.join("image"))),
        cluster: cluster.clone(),
        clock: Arc::new(base::SystemClock),
    };
    let node = NodeManager::start(config, parts).await;
    let told = node.clone();
    cluster.watch(move |change| told.notify(change));
    (runtime, network, node)
}
