//! Times starts of `/bin/true` beside crun's, interleaved, with the same namespaces, limits and filter.
//!
//! `starts SHIM ROOTFS ROUNDS`: SHIM is a program that calls `runtime::shim::dispatch`, ROOTFS a folder with `bin/true`.
//! Needs root; crun refuses hybrid hosts that show it the v2 mount, so there run it as
//! `unshare -m sh -c 'umount /sys/fs/cgroup/unified; starts ...'`.

#![allow(clippy::print_stdout, reason = "a benchmark prints")]

use runtime::*;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

struct Place {
    folder: PathBuf,
    rootfs: PathBuf,
    netns: PathBuf,
}

fn limits() -> Resources {
    Resources { memory_bytes: Some(256 << 20), cpu_milli: Some(1000), pids: Some(100), ..Resources::default() }
}

fn capabilities() -> Vec<String> {
    "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE"
        .split(' ')
        .map(str::to_owned)
        .collect()
}

/// One whole life: pod made, container started, its end heard, pod removed. Returns times up to the end, and in all;
/// and of the container alone, in a pod that is there.
async fn ours(runtime: &ShimRuntime, place: &Place, round: u32) -> (Duration, Duration, Duration) {
    let id = format!("bench-{round}");
    let folder = place.folder.join(&id);
    let pod = PodSpec {
        id: id.clone(),
        name: id.clone(),
        hostname: "bench".to_owned(),
        folder: folder.clone(),
        netns: Some(place.netns.clone()),
        resources: Resources::default(),
        cgroup: id.clone(),
        sysctls: Default::default(),
        share_processes: false,
        shm_bytes: 64 << 20,
    };
    let container = |name: &str| {
        std::fs::create_dir_all(folder.join(name)).expect("folder");
        ContainerSpec {
            name: name.to_owned(),
            attempt: 0,
            root: Root { layers: vec![place.rootfs.clone()], writable: folder.join(name), read_only: false },
            args: vec!["/bin/true".to_owned()],
            env: Vec::new(),
            working_dir: "/".to_owned(),
            user: User::default(),
            privileges: Privileges {
                privileged: false,
                capabilities: capabilities(),
                allow_escalation: false,
                seccomp: true,
                must_not_be_root: false,
                unmasked_proc: false,
            },
            resources: limits(),
            mounts: Vec::new(),
            log: Some(LogFile { path: folder.join(format!("{name}.log")), max_bytes: 1 << 20, max_files: 2 }),
            stdin: false,
            terminal: false,
        }
    };
    let (one, two) = (container("one"), container("two"));
    let mut events = runtime.events();
    let begun = Instant::now();
    runtime.create_pod(&pod).await.expect("pod");
    runtime.start(&id, &one).await.expect("started");
    events.recv().await.expect("ended");
    let ended = begun.elapsed();
    let again = Instant::now();
    runtime.start(&id, &two).await.expect("started");
    events.recv().await.expect("ended");
    let alone = again.elapsed();
    let removing = Instant::now();
    runtime.remove_pod(&id).await.expect("removed");
    let all = ended + removing.elapsed();
    std::fs::remove_dir_all(folder).expect("removed");
    (ended, all, alone)
}

fn crun(bundle: &Path, root: &Path, round: u32) -> Duration {
    let begun = Instant::now();
    let status = Command::new("crun")
        .arg("--root")
        .arg(root)
        .args(["run", "--bundle"])
        .arg(bundle)
        .arg(format!("bench-{}-{round}", std::process::id()))
        .status()
        .expect("crun");
    assert!(status.success());
    begun.elapsed()
}

fn bundle(place: &Place) -> PathBuf {
    let bundle = place.folder.join("bundle");
    for name in ["rootfs", "upper", "work"] {
        std::fs::create_dir_all(bundle.join(name)).expect("folder");
    }
    assert!(Command::new("crun").arg("spec").arg("--bundle").arg(&bundle).current_dir(&bundle).status().is_ok());
    let path = [bundle.join("config.json")].into_iter().find(|path| path.exists()).expect("crun wrote its specification");
    let mut spec: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).expect("read")).expect("json");
    spec["process"]["args"] = serde_json::json!(["/bin/true"]);
    spec["process"]["terminal"] = false.into();
    let names: Vec<String> = capabilities().iter().map(|name| format!("CAP_{name}")).collect();
    for set in ["bounding", "effective", "permitted"] {
        spec["process"]["capabilities"][set] = serde_json::json!(names);
    }
    spec["process"]["capabilities"]["inheritable"] = serde_json::json!([]);
    spec["process"]["capabilities"]["ambient"] = serde_json::json!([]);
    spec["process"]["rlimits"] = serde_json::json!([]);
    spec["root"]["readonly"] = false.into();
    for namespace in spec["linux"]["namespaces"].as_array_mut().expect("list") {
        if namespace["type"] == "network" {
            namespace["path"] = place.netns.to_str().expect("text").into();
        }
    }
    let limits = limits();
    spec["linux"]["resources"] = serde_json::json!({"memory": {"limit": limits.memory_bytes}, "cpu": {"quota": 100_000, "period": 100_000}, "pids": {"limit": limits.pids}});
    let allowed: Vec<&str> =
        include_str!("../src/seccomp/allowed.txt").split_ascii_whitespace().map(|word| word.trim_start_matches("x86:")).collect();
    spec["linux"]["seccomp"] = serde_json::json!({"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [{"names": allowed, "action": "SCMP_ACT_ALLOW"}]});
    std::fs::write(&path, serde_json::to_vec(&spec).expect("json")).expect("written");
    let options = format!(
        "lowerdir={},upperdir={},workdir={}",
        place.rootfs.display(),
        bundle.join("upper").display(),
        bundle.join("work").display()
    );
    sys::mount::classic("overlay", bundle.join("rootfs").to_str().expect("text"), Default::default(), &options).expect("mounted");
    bundle
}

fn show(name: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |part: usize| {
        times.get((times.len() * part / 100).min(times.len().saturating_sub(1))).copied().unwrap_or_default().as_secs_f64() * 1e3
    };
    println!("{name:<44} p10 {:6.2}  p50 {:6.2}  p95 {:6.2}  p99 {:6.2} ms", at(10), at(50), at(95), at(99));
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let args: Vec<String> = std::env::args().collect();
    let [_, shim, rootfs, rounds] = args.as_slice() else { panic!("starts SHIM ROOTFS ROUNDS") };
    let rounds: u32 = rounds.parse().expect("a number");
    let folder = std::env::temp_dir().join(format!("wharf-starts-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("folder");
    let place = Place { rootfs: rootfs.into(), netns: folder.join("netns"), folder: folder.clone() };
    sys::netns::create(&place.netns).expect("network namespace");
    let config =
        Config { home: folder.join("home"), cgroup_root: format!("wharf-starts-{}", std::process::id()), shim_program: shim.into() };
    let runtime = ShimRuntime::open(config).await.expect("runtime");
    let peer = Command::new("crun").arg("--version").output().is_ok().then(|| bundle(&place));
    let (mut ended, mut all, mut alone, mut theirs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        let (to_end, whole, second) = ours(&runtime, &place, round).await;
        ended.push(to_end);
        all.push(whole);
        alone.push(second);
        if let Some(bundle) = &peer {
            theirs.push(crun(bundle, &folder.join("crun"), round));
        }
    }
    show("wharf: new pod, start to end told", ended);
    show("wharf: the same and pod removed", all);
    show("wharf: further container of a pod", alone);
    show("crun run", theirs);
    if let Some(bundle) = peer {
        sys::mount::detach(&bundle.join("rootfs")).expect("unmounted");
    }
    sys::netns::remove(&place.netns).expect("removed");
    std::fs::remove_dir_all(folder).expect("removed");
}
