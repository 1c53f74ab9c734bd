//! How fast a shim stamps log lines, and what it weighs: `logs SHIM ROOTFS MEGABYTES`. ROOTFS holds a static busybox as `bin/busybox`.

#![allow(clippy::print_stdout, reason = "a benchmark prints")]

use runtime::*;
use std::time::Instant;

fn status(pid: u32, file: &str, names: &[&str]) -> String {
    let text = std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let wanted = text.lines().filter(|line| names.iter().any(|name| line.starts_with(name)));
    wanted.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join(", ")
}

fn cpu_ticks(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = text.rsplit_once(')').map_or("", |(_, after)| after).split_whitespace().collect();
    [11, 12].iter().filter_map(|&at| fields.get(at)?.parse::<u64>().ok()).sum()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let args: Vec<String> = std::env::args().collect();
    let [_, shim, rootfs, megabytes] = args.as_slice() else { panic!("logs SHIM ROOTFS MEGABYTES") };
    let folder = std::env::temp_dir().join(format!("wharf-logs-{}", std::process::id()));
    let config = Config { home: folder.join("home"), cgroup_root: format!("wharf-logs-{}", std::process::id()), shim_program: shim.into() };
    let runtime = ShimRuntime::open(config).await.expect("runtime");
    let pod = PodSpec {
        id: "logs".to_owned(),
        name: "logs".to_owned(),
        hostname: "logs".to_owned(),
        folder: folder.join("pod"),
        netns: None,
        resources: Resources::default(),
        cgroup: "logs".to_owned(),
        sysctls: Default::default(),
        share_processes: false,
        shm_bytes: 1 << 20,
    };
    runtime.create_pod(&pod).await.expect("pod");
    let line = "a line of a hundred bytes as services write them, with a time, a level, a name, and some words of ..";
    let mut events = runtime.events();
    for (attempt, script) in (0_u32..).zip(["sleep 1".to_owned(), format!("yes '{line}' | head -c {megabytes}000000")]) {
        std::fs::create_dir_all(folder.join("root")).expect("folder");
        let spec = ContainerSpec {
            name: "main".to_owned(),
            attempt,
            root: Root { layers: vec![rootfs.into()], writable: folder.join("root"), read_only: false },
            args: ["/bin/busybox", "sh", "-c", &script].map(str::to_owned).to_vec(),
            env: Vec::new(),
            working_dir: "/".to_owned(),
            user: User::default(),
            privileges: Privileges {
                privileged: false,
                capabilities: Vec::new(),
                allow_escalation: false,
                seccomp: true,
                must_not_be_root: false,
                unmasked_proc: false,
            },
            resources: Resources::default(),
            mounts: Vec::new(),
            log: Some(LogFile { path: folder.join("log"), max_bytes: 10 << 20, max_files: 3 }),
            stdin: false,
            terminal: false,
        };
        let shim = runtime.state("logs").await.expect("asked").and_then(|state| state.shim_pid).expect("lives");
        let (begun, ticks) = (Instant::now(), cpu_ticks(shim));
        runtime.start("logs", &spec).await.expect("started");
        if attempt == 0 {
            println!(
                "shim beside a running container: {}",
                status(shim, "smaps_rollup", &["Pss:", "Private_Clean", "Private_Dirty", "Rss"])
            );
        }
        events.recv().await.expect("ended");
        if attempt == 1 {
            let (wall, cpu) = (begun.elapsed().as_secs_f64(), (cpu_ticks(shim) - ticks) as f64 / 100.0);
            let size: f64 = megabytes.parse().expect("a number");
            println!("{size} MB in {wall:.2} s: {:.0} MB/s, {:.0} MB/s of a core of the shim", size / wall, size / cpu);
            println!("shim afterwards: {}", status(shim, "smaps_rollup", &["Pss:", "Private_Clean", "Private_Dirty", "Rss"]));
        }
    }
    runtime.remove_pod("logs").await.expect("removed");
    std::fs::remove_dir_all(folder).expect("removed");
}
