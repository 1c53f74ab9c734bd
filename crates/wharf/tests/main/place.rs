//! A home, a small project and a network namespace for one test, or a real Kubernetes that is there already; all gone at its end.

#![allow(clippy::print_stdout, reason = "tests say what they skip")]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// The program: of this build, or the one that WHARF_TEST_PROGRAM names, such as a release.
pub fn program() -> PathBuf {
    std::env::var_os("WHARF_TEST_PROGRAM").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_wharf")), PathBuf::from)
}

/// A limit of time, longer by what WHARF_TEST_SLOW says: an emulated machine is no measure.
pub fn soon(limit: Duration) -> Duration {
    limit * std::env::var("WHARF_TEST_SLOW").ok().and_then(|times| times.parse().ok()).unwrap_or(1)
}

/// Where the project's service answers.
pub const URL: &str = "http://127.0.0.1:32080/";

const SETTINGS: &str = "project: tiny
images:
  web: { context: . }
checks:
  web: { run: [/bin/sh, -c, \"grep -E 'hello|sorry' /www/index.html || { echo nothing to greet; exit 1; }\"] }
manifests: [k8s/]
smoke:
  - { get: web/, status: 200, body: hello one }
load:
  - { get: web/, requests: 20, concurrency: 2, max-failed: 0 }
environments:
  local: {}
  kube: { context: kubernetes-test, registry: 127.0.0.1:5000/tiny, drain: 2s }
";

const DOCKERFILE: &str = "FROM busybox:stable
COPY www /www
USER 10001:10001
ENTRYPOINT [\"/bin/httpd\", \"-f\", \"-p\", \"8080\", \"-h\", \"/www\"]
";

const MANIFESTS: &str = "apiVersion: v1
kind: Service
metadata: { name: web }
spec:
  type: NodePort
  selector: { app: web }
  ports: [{ name: http, port: 80, targetPort: 8080, nodePort: 32080 }]
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 2
  progressDeadlineSeconds: 20
  strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } }
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      terminationGracePeriodSeconds: 1
      securityContext: { runAsNonRoot: true }
      containers:
        - name: web
          image: web
          resources: { limits: { cpu: 200m, memory: 32Mi } }
          readinessProbe: { httpGet: { path: /, port: 8080 }, periodSeconds: 1 }
";

/// One test's place.
pub struct Place {
    folder: PathBuf,
    target: Target,
}

enum Target {
    /// The namespaces of an engine of its own.
    Engine(Child),
    /// The kubeconfig of a real Kubernetes.
    Cluster(PathBuf),
}

/// A folder with the project in it, for tests that need no engine.
pub fn project(test: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("wharf-main-{test}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
    let write = |name: &str, text: &str| {
        let path = folder.join("project").join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    };
    write("wharf.yaml", SETTINGS);
    write("Dockerfile", DOCKERFILE);
    write("www/index.html", "hello one");
    write("k8s/web.yaml", MANIFESTS);
    folder
}

/// A place, or `None` with what is missing printed.
pub fn place(test: &str) -> Option<Place> {
    let base = base(&["unshare", "nsenter", "ip", "nft", "kubectl"])?;
    let inside = "ip link set lo up && echo ready && exec sleep 600";
    let mut namespace = Command::new("unshare")
        .args(["-n", "-m", "--propagation", "slave", "sh", "-c", inside])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a namespace");
    let mut ready = [0; 5];
    std::io::Read::read_exact(namespace.stdout.as_mut().expect("its output"), &mut ready).expect("the namespace is ready");
    let place = Place { folder: project(test), target: Target::Engine(namespace) };
    place.well(&["image", "load", base.to_str().expect("a path in UTF-8")]);
    Some(place)
}

/// A place on the real Kubernetes that WHARF_TEST_KUBECONFIG names, or `None` with what is missing printed.
#[allow(dead_code, reason = "the tests of the engine need none")]
pub fn cluster(test: &str) -> Option<Place> {
    let Some(kubeconfig) = std::env::var_os("WHARF_TEST_KUBECONFIG") else {
        println!("skipped: WHARF_TEST_KUBECONFIG is not set");
        return None;
    };
    Place::of_cluster(test, kubeconfig.into())
}

/// The archive of the base image, where that and the tools are there.
pub fn base(tools: &[&str]) -> Option<PathBuf> {
    let skip = |what: &str| println!("skipped: {what}");
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    if !is_root {
        skip("not root");
        return None;
    }
    let Some(base) = std::env::var_os("WHARF_TEST_BASES").map(|bases| Path::new(&bases).join("busybox_stable.tar")) else {
        skip("WHARF_TEST_BASES is not set");
        return None;
    };
    if let Some(missing) = tools.iter().find(|tool| !is_there(tool)) {
        skip(&format!("no `{missing}`"));
        return None;
    }
    if !base.exists() {
        skip(&format!("no {}", base.display()));
        return None;
    }
    Some(base)
}

fn is_there(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(tool).exists())
}

impl Place {
    /// A place on the cluster of a kubeconfig, or `None` with what is missing printed.
    pub fn of_cluster(test: &str, kubeconfig: PathBuf) -> Option<Self> {
        let base = base(&["kubectl"])?;
        let place = Self { folder: project(test), target: Target::Cluster(kubeconfig) };
        place.well(&["image", "load", base.to_str().expect("a path in UTF-8")]);
        Some(place)
    }

    /// The project's folder.
    pub fn project(&self) -> PathBuf {
        self.folder.join("project")
    }

    /// Whether it is a cluster of others.
    pub fn is_cluster(&self) -> bool {
        matches!(self.target, Target::Cluster(_))
    }

    /// The home.
    pub fn home(&self) -> PathBuf {
        self.folder.join("home")
    }

    /// A command inside.
    pub fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = match &self.target {
            Target::Engine(namespace) => {
                let mut command = Command::new("nsenter");
                // Entering a mount namespace leaves the working folder behind.
                let folder = format!("--wd={}", self.project().display());
                command.args(["-t", &namespace.id().to_string(), "-n", "-m", &folder, "--", program]);
                command.env("KUBECONFIG", self.home().join("engine/kubeconfig"));
                command
            }
            Target::Cluster(kubeconfig) => {
                let mut command = Command::new(program);
                command.current_dir(self.project()).env("KUBECONFIG", kubeconfig);
                command
            }
        };
        command.args(args).env("WHARF_HOME", self.home()).env("HOME", &self.folder).stdin(Stdio::null());
        command
    }

    fn program(&self, args: &[&str]) -> Command {
        let mut command = self.command(program().to_str().expect("UTF-8"), args);
        if matches!(self.target, Target::Cluster(_)) {
            command.args(["--env", "kube"]);
        }
        command
    }

    /// The program, whatever comes of it.
    pub fn wharf(&self, args: &[&str]) -> Output {
        self.program(args).output().expect("it runs")
    }

    /// The program in the background.
    pub fn begin(&self, args: &[&str]) -> Child {
        self.program(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs")
    }

    /// The program in the background, with another kubeconfig.
    #[allow(dead_code, reason = "only a cluster of others has one")]
    pub fn begin_with(&self, args: &[&str], kubeconfig: &Path) -> Child {
        self.program(args).env("KUBECONFIG", kubeconfig).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs")
    }

    /// The program, which has to go well; what it wrote to standard output.
    pub fn well(&self, args: &[&str]) -> String {
        shown(args, &self.wharf(args))
    }

    /// kubectl, which has to go well.
    pub fn kubectl(&self, args: &[&str]) -> String {
        shown(args, &self.command("kubectl", args).output().expect("it runs"))
    }

    /// Another tool, which has to go well.
    pub fn tool(&self, program: &str, args: &[&str]) -> String {
        shown(args, &self.command(program, args).output().expect("it runs"))
    }

    /// Kills the engine as the kernel would.
    pub fn kill_engine(&self) {
        let file = std::fs::read(self.home().join("engine/engine.json")).expect("an engine runs");
        let engine: Value = serde_json::from_slice(&file).expect("JSON");
        let pid = i32::try_from(engine["pid"].as_i64().expect("a pid")).ok().and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(pid.expect("a pid"), rustix::process::Signal::KILL).expect("killed");
    }

    /// Processes that were started with the home among their words.
    pub fn processes(&self) -> Vec<String> {
        let home = self.home();
        let wanted = home.to_str().expect("UTF-8").to_owned();
        let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
        let words = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
        words.map(|words| String::from_utf8_lossy(&words).replace('\0', " ")).filter(|words| words.contains(&wanted)).collect()
    }
}

/// Waits until it is so.
pub fn until(what: &str, limit: Duration, mut so: impl FnMut() -> bool) {
    let (begun, limit) = (Instant::now(), soon(limit));
    while !so() {
        assert!(begun.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Standard output of what went well.
pub fn shown(args: &[&str], output: &Output) -> String {
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{args:?}: {}\n{out}\n{error}", output.status);
    out.into_owned()
}

impl Drop for Place {
    fn drop(&mut self) {
        let words: &[&str] = match &self.target {
            Target::Engine(_) => &["engine", "reset"],
            Target::Cluster(_) => &["down", "--volumes"],
        };
        let undone = self.wharf(words);
        if let Target::Engine(namespace) = &mut self.target {
            let _ = namespace.kill();
            let _ = namespace.wait();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
        if !std::thread::panicking() {
            shown(words, &undone);
        }
    }
}
