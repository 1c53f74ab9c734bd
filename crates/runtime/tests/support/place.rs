//! What every test stands on: a runtime in a folder of its own, an image made of busybox, and its removal.

#![allow(dead_code, reason = "each test file uses a part")]
#![allow(clippy::print_stdout, reason = "tests say what they skip")]

use runtime::*;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::io::AsyncReadExt;

static COUNT: AtomicU32 = AtomicU32::new(0);

/// How many times longer than usual things may take: WHARF_TEST_SLOW, for an emulated machine is no measure.
pub fn slow() -> u32 {
    std::env::var("WHARF_TEST_SLOW").ok().and_then(|times| times.parse().ok()).unwrap_or(1)
}

/// A runtime of one test.
pub struct Place {
    pub folder: PathBuf,
    pub cgroup_root: String,
    pub runtime: ShimRuntime,
    pub weak: u32,
}

/// `None`, with the reason printed, where containers cannot be run.
pub async fn place(test: &str) -> Option<Place> {
    weak_place(test, 0).await
}

/// As [`place`], with protections off.
pub async fn weak_place(test: &str, weak: u32) -> Option<Place> {
    // Elsewhere than it was built (a virtual machine) the test says where it is.
    let shim = std::env::var_os("WHARF_TEST_SHIM").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_runtime-test-shim")), PathBuf::from);
    let busybox =
        ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| std::fs::read(path).is_ok_and(|content| is_static(&content)));
    let Some(busybox) = busybox else {
        println!("skipped: no static busybox");
        return None;
    };
    if std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) != 0) {
        println!("skipped: not root");
        return None;
    }
    let unique = format!("wharf-rt-{test}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let base = std::env::var_os("WHARF_TEST_DISK").map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = base.join(&unique);
    let image = folder.join("image");
    for name in ["bin", "etc", "tmp", "dev", "proc", "sys", "root", "home/web"] {
        std::fs::create_dir_all(image.join(name)).expect("folder");
    }
    std::fs::set_permissions(image.join("tmp"), std::os::unix::fs::PermissionsExt::from_mode(0o1777)).expect("mode");
    std::fs::copy(busybox, image.join("bin/busybox")).expect("copied");
    let applets = "sh true false cat echo id ls sleep env pwd hostname mount umount touch mkdir ln rm mv kill ps stat dd head yes nproc seq test tty stty readlink grep wc chmod chown mknod sync ulimit nc ip";
    for name in applets.split(' ') {
        let _ = std::os::unix::fs::symlink("busybox", image.join("bin").join(name));
    }
    std::fs::write(image.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000:web:/home/web:/bin/sh\n").expect("written");
    std::fs::write(image.join("etc/group"), "root:x:0:\nweb:x:1000:\nlogs:x:40:web\n").expect("written");
    // A copy: one of the attacks is upon this very file. By another process: a file that this one has open for writing
    // could be so in a child that another test is just starting, and then not be executed.
    assert!(std::process::Command::new("cp").arg(&shim).arg(folder.join("shim")).status().expect("copied").success());
    let config = Config { home: folder.join("home"), cgroup_root: unique.clone(), shim_program: folder.join("shim") };
    let runtime = ShimRuntime::open_weakened(config, weak).await.expect("opens");
    Some(Place { folder, cgroup_root: unique, runtime, weak })
}

// No program interpreter: it runs in an image that holds nothing else.
fn is_static(content: &[u8]) -> bool {
    !content.windows(8).take(4096).any(|window| window == b"/lib64/l")
}

impl Place {
    /// A new runtime over the same folder, as after a crash of the engine.
    pub async fn again(&self) -> ShimRuntime {
        ShimRuntime::open_weakened(self.config(), self.weak).await.expect("opens again")
    }

    pub fn config(&self) -> Config {
        Config { home: self.folder.join("home"), cgroup_root: self.cgroup_root.clone(), shim_program: self.folder.join("shim") }
    }

    pub fn pod(&self, id: &str) -> PodSpec {
        PodSpec {
            id: id.to_owned(),
            name: format!("tests/{id}"),
            hostname: id.to_owned(),
            folder: self.folder.join("pods").join(id),
            netns: None,
            resources: Resources::default(),
            cgroup: format!("pods/{id}"),
            sysctls: BTreeMap::new(),
            share_processes: false,
            shm_bytes: 1 << 20,
        }
    }

    pub fn container(&self, pod: &str, name: &str, args: &[&str]) -> ContainerSpec {
        let own = self.folder.join("containers").join(format!("{pod}-{name}"));
        std::fs::create_dir_all(&own).expect("folder");
        ContainerSpec {
            name: name.to_owned(),
            attempt: 0,
            root: Root { layers: vec![self.folder.join("image")], writable: own.join("root"), read_only: false },
            args: args.iter().map(|&arg| arg.to_owned()).collect(),
            env: Vec::new(),
            working_dir: String::new(),
            user: User::default(),
            privileges: Privileges {
                privileged: false,
                capabilities: capabilities(),
                allow_escalation: false,
                seccomp: true,
                must_not_be_root: false,
                unmasked_proc: false,
            },
            resources: Resources::default(),
            mounts: Vec::new(),
            log: Some(LogFile { path: own.join("log"), max_bytes: 10 << 20, max_files: 3 }),
            stdin: false,
            terminal: false,
        }
    }

    pub fn sh(&self, pod: &str, name: &str, script: &str) -> ContainerSpec {
        self.container(pod, name, &["sh", "-c", script])
    }

    /// Makes the pod, runs one container in it to its end, and returns how it ended and what it said, without stamps.
    pub async fn run(&self, pod: &PodSpec, spec: &ContainerSpec) -> Result<(Exit, String), RuntimeError> {
        std::fs::create_dir_all(&spec.root.writable).expect("folder");
        self.runtime.create_pod(pod).await?;
        let mut events = self.runtime.events();
        self.runtime.start(&pod.id, spec).await?;
        let exit = wait(&mut events, &pod.id, &spec.name).await;
        Ok((exit, self.log(spec)))
    }

    /// The lines of a log without stamps.
    pub fn log(&self, spec: &ContainerSpec) -> String {
        let text = std::fs::read(&spec.log.as_ref().expect("logged").path).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        text.lines().filter_map(|line| line.splitn(4, ' ').nth(3)).map(|line| format!("{line}\n")).collect()
    }

    /// Waits until the log holds a text.
    pub async fn logged(&self, spec: &ContainerSpec, text: &str) {
        for _ in 0..500 * slow() {
            if self.log(spec).contains(text) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("`{text}` never came: {}", self.log(spec));
    }

    /// Removes everything, and checks that nothing is left.
    pub async fn end(self) {
        for pod in self.runtime.pods().await.expect("listed") {
            self.runtime.remove_pod(&pod).await.expect("removed");
        }
        assert_eq!(left_cgroups(&self.cgroup_root), Vec::<PathBuf>::new());
        let mounts = std::fs::read_to_string("/proc/self/mounts").expect("mounts");
        assert!(!mounts.contains(&self.cgroup_root), "{mounts}");
        assert_eq!(std::fs::read_dir(self.folder.join("home/shims")).expect("listed").count(), 0);
        std::fs::remove_dir_all(&self.folder).expect("removed");
    }
}

/// A test that failed takes its pods away too, if not its folder.
impl Drop for Place {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let runtime = self.runtime.clone();
        let removing = std::thread::spawn(move || {
            let own = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
            own.block_on(async {
                for pod in runtime.pods().await.unwrap_or_default() {
                    let _ = tokio::time::timeout(Duration::from_secs(10), runtime.remove_pod(&pod)).await;
                }
            });
        });
        let _ = removing.join();
    }
}

/// Folders below the hierarchies that carry our name.
pub fn left_cgroups(root: &str) -> Vec<PathBuf> {
    let mut roots = vec![PathBuf::from("/sys/fs/cgroup")];
    roots.extend(std::fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten().map(|entry| entry.path()));
    roots.into_iter().map(|mount| mount.join(root)).filter(|path| path.exists()).collect()
}

/// What containers have by default.
pub fn capabilities() -> Vec<String> {
    let names = "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE";
    names.split(' ').map(str::to_owned).collect()
}

/// The end of a container.
pub async fn wait(events: &mut tokio::sync::broadcast::Receiver<RuntimeEvent>, pod: &str, name: &str) -> Exit {
    let waiting = async {
        loop {
            match events.recv().await.expect("events") {
                RuntimeEvent::Exited { pod: of, container, exit, .. } if of == pod && container == name => return exit,
                _ => {}
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("ends in time")
}

/// Reads to the end.
pub async fn all(reader: &mut (dyn tokio::io::AsyncRead + Send + Unpin)) -> String {
    let mut bytes = Vec::new();
    tokio::time::timeout(Duration::from_secs(60), reader.read_to_end(&mut bytes)).await.expect("ends in time").expect("read");
    String::from_utf8_lossy(&bytes).into_owned()
}
