//! Limits, and what happens when an engine, a shim or a container is killed.

#[path = "support/place.rs"]
mod support;

use runtime::*;
use std::time::{Duration, Instant};
use support::{all, place, wait};

#[tokio::test(flavor = "multi_thread")]
async fn lack_of_memory_is_told() {
    let Some(place) = place("oom").await else { return };
    let mut spec = place.sh("one", "main", "dd if=/dev/zero of=/dev/null bs=200M count=1");
    spec.resources.memory_bytes = Some(24 << 20);
    let begun = Instant::now();
    let (exit, _) = place.run(&place.pod("one"), &spec).await.expect("ran");
    assert!(exit.oom_killed, "{exit:?}");
    assert!(begun.elapsed() < Duration::from_secs(10) * support::slow(), "{:?}", begun.elapsed());
    let mut fine = place.sh("one", "main", "dd if=/dev/zero of=/dev/null bs=2M count=1");
    (fine.attempt, fine.resources.memory_bytes) = (1, Some(24 << 20));
    let (exit, _) = place.run(&place.pod("one"), &fine).await.expect("ran");
    assert_eq!((exit.code, exit.oom_killed), (0, false));
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_hold_and_can_be_changed() {
    let Some(place) = place("limits").await else { return };
    let pod = place.pod("one");
    let mut spec = place.sh("one", "main", "while true; do :; done");
    spec.resources = Resources { cpu_milli: Some(200), pids: Some(10), memory_bytes: Some(64 << 20), ..Resources::default() };
    std::fs::create_dir_all(&spec.root.writable).expect("folder");
    place.runtime.create_pod(&pod).await.expect("made");
    place.runtime.start("one", &spec).await.expect("started");
    let share = async || {
        let (from, begun) = (place.runtime.usage("one", "main").await.expect("used"), Instant::now());
        tokio::time::sleep(Duration::from_secs(3)).await;
        let used = place.runtime.usage("one", "main").await.expect("used").cpu_nanos - from.cpu_nanos;
        (used as f64 / begun.elapsed().as_nanos() as f64, from.memory_bytes)
    };
    let (cpu, memory) = share().await;
    // Never more; less only where others keep the machine busy.
    assert!((0.01..0.23).contains(&cpu), "{cpu}");
    assert!(memory > 0 && memory < 64 << 20, "{memory}");
    place.runtime.update("one", "main", &Resources { cpu_milli: Some(400), ..Resources::default() }).await.expect("changed");
    let read = "cat /sys/fs/cgroup/cpu.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us";
    let exec = ExecSpec { args: ["sh", "-c", read].map(str::to_owned).to_vec(), ..ExecSpec::default() };
    let mut streams = place.runtime.exec("one", "main", &exec).await.expect("started");
    assert!(all(&mut streams.stdout).await.starts_with("40000"), "seen from inside");
    // More and less, of the container and of its pod; the other limits stay.
    for megabytes in [128, 32, 64_u64] {
        let memory = Resources { memory_bytes: Some(megabytes << 20), ..Resources::default() };
        place.runtime.update_pod("one", &memory).await.expect("changed");
        place.runtime.update("one", "main", &memory).await.expect("changed");
        let read = "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes";
        let exec = ExecSpec { args: ["sh", "-c", read].map(str::to_owned).to_vec(), ..ExecSpec::default() };
        let mut streams = place.runtime.exec("one", "main", &exec).await.expect("started");
        assert_eq!(all(&mut streams.stdout).await.trim(), (megabytes << 20).to_string());
    }
    let exec =
        ExecSpec { args: ["sh", "-c", "for i in $(seq 30); do sleep 5 & done; wait"].map(str::to_owned).to_vec(), ..ExecSpec::default() };
    let mut streams = place.runtime.exec("one", "main", &exec).await.expect("started");
    let told = all(streams.stderr.as_mut().expect("errors")).await;
    assert!(told.contains("can't fork"), "{told}");
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_outlives_the_threads_that_made_it() {
    let Some(place) = place("threads").await else { return };
    let (runtime, pod, spec) = (place.runtime.clone(), place.pod("one"), place.sh("one", "main", "while true; do sleep 1; done"));
    std::fs::create_dir_all(&spec.root.writable).expect("folder");
    std::thread::spawn(move || {
        let short = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("threads");
        short.block_on(async {
            runtime.create_pod(&pod).await.expect("made");
            runtime.start("one", &spec).await.expect("started");
        });
    })
    .join()
    .expect("ended");
    let asked = tokio::time::timeout(Duration::from_secs(5) * support::slow(), place.runtime.state("one")).await;
    assert!(asked.expect("in time").expect("answered").is_some());
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_engine_adopts_what_runs() {
    let Some(place) = place("adopt").await else { return };
    let pod = place.pod("one");
    let spec = place.sh("one", "main", "i=0; while true; do i=$((i+1)); echo line $i; sleep 0.02; done");
    std::fs::create_dir_all(&spec.root.writable).expect("folder");
    place.runtime.create_pod(&pod).await.expect("made");
    let pid = place.runtime.start("one", &spec).await.expect("started");
    let ended = place.sh("one", "ended", "exit 3");
    place.run(&pod, &ended).await.expect("ran");
    let before = place.runtime.state("one").await.expect("asked").expect("there");
    let again = place.again().await;
    assert_eq!(again.pods().await.expect("listed"), ["one"]);
    assert_eq!(again.state("one").await.expect("asked").expect("there"), before);
    assert!(matches!(before.containers.get("main"), Some((0, ContainerState::Running { pid: same, .. })) if *same == pid));
    again.create_pod(&pod).await.expect("there already");
    let mut events = again.events();
    again.signal("one", "main", 9, false).await.expect("sent");
    assert_eq!(wait(&mut events, "one", "main").await.code, 137);
    let lines = place.log(&spec).lines().count();
    assert!(place.log(&spec).ends_with(&format!("line {lines}\n")), "no line is lost");
    again.remove_pod("one").await.expect("removed");
    again.remove_pod("one").await.expect("gone already");
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_shim_takes_its_containers_along_and_is_told() {
    let Some(place) = place("gone").await else { return };
    for share_processes in [false, true] {
        let mut pod = place.pod(if share_processes { "shared" } else { "apart" });
        pod.share_processes = share_processes;
        let id = pod.id.clone();
        place.runtime.create_pod(&pod).await.expect("made");
        let spec = place.sh(&id, "main", "sleep 1000 & sleep 1000");
        std::fs::create_dir_all(&spec.root.writable).expect("folder");
        let pid = place.runtime.start(&id, &spec).await.expect("started");
        let mut events = place.runtime.events();
        let shim = place.runtime.state(&id).await.expect("asked").expect("there").shim_pid.expect("lives");
        sys::task::signal(shim, 9).expect("killed");
        let told = tokio::time::timeout(Duration::from_secs(10) * support::slow(), async {
            loop {
                if let RuntimeEvent::ShimGone { pod } = events.recv().await.expect("events") {
                    return pod;
                }
            }
        });
        assert_eq!(told.await.expect("in time"), id);
        // At most a status is left, for process 1 of the machine to take.
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        assert!(status.is_empty() || status.contains("State:\tZ"), "{status}");
        let state = place.runtime.state(&id).await.expect("asked").expect("known");
        assert_eq!(state.shim_pid, None);
        assert!(matches!(state.containers.get("main"), Some((0, ContainerState::Exited(exit))) if exit.code == 137), "{state:?}");
        assert!(matches!(place.runtime.start(&id, &spec).await, Err(RuntimeError::NotRunning(_))));
        // The pod can be made again, and a new engine finds it without a shim.
        let again = place.again().await;
        assert_eq!(again.state(&id).await.expect("asked").expect("known").shim_pid, None);
        let mut once_more = place.sh(&id, "main", "exit 6");
        once_more.attempt = 1;
        assert_eq!(place.run(&pod, &once_more).await.expect("ran").0.code, 6);
    }
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_is_removed_while_it_works() {
    let Some(place) = place("remove").await else { return };
    let begun = Instant::now();
    for round in 0..5 {
        let pod = place.pod(&format!("pod{round}"));
        place.runtime.create_pod(&pod).await.expect("made");
        for name in ["a", "b"] {
            let spec = place.sh(&pod.id, name, "trap '' TERM; yes & yes & wait");
            std::fs::create_dir_all(&spec.root.writable).expect("folder");
            place.runtime.start(&pod.id, &spec).await.expect("started");
        }
        place.runtime.remove_pod(&pod.id).await.expect("removed");
        assert_eq!(place.runtime.state(&pod.id).await.expect("asked"), None);
    }
    // Were each of them ended by patience running out, it would take minutes.
    assert!(begun.elapsed() < Duration::from_secs(90), "{:?}", begun.elapsed());
    place.end().await;
}

#[test]
fn containers_end_with_their_shim_even_when_nobody_watches() {
    let engine = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("runtime");
    let begun = engine.block_on(async {
        let place = place("unwatched").await?;
        place.runtime.create_pod(&place.pod("one")).await.expect("made");
        let spec = place.sh("one", "main", "sleep 1000 & sleep 1000");
        std::fs::create_dir_all(&spec.root.writable).expect("folder");
        let pid = place.runtime.start("one", &spec).await.expect("started");
        let shim = place.runtime.state("one").await.expect("asked").expect("there").shim_pid.expect("lives");
        Some((place, pid, shim))
    });
    // The engine is gone, as by a crash: nobody listens any more.
    engine.shutdown_timeout(Duration::from_secs(1));
    let Some((mut place, pid, shim)) = begun else { return };
    let status = |pid: u32| std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let ended = |pid: u32| status(pid).is_empty() || status(pid).contains("State:\tZ");
    std::thread::sleep(Duration::from_millis(100));
    assert!(!ended(pid) && !ended(shim), "both outlive the engine");
    sys::task::signal(shim, 9).expect("killed");
    let begun = Instant::now();
    while !ended(pid) {
        assert!(begun.elapsed() < Duration::from_secs(5) * support::slow(), "{}", status(pid));
        std::thread::sleep(Duration::from_millis(5));
    }
    let engine = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("runtime");
    engine.block_on(async {
        // The next engine takes away what is left.
        let runtime = place.again().await;
        assert_eq!(runtime.state("one").await.expect("asked").expect("known").shim_pid, None);
        runtime.remove_pod("one").await.expect("removed");
        place.runtime = runtime;
        place.end().await;
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_neither_hang_nor_mix() {
    let Some(place) = place("many").await else { return };
    let place = std::sync::Arc::new(place);
    let pods = (0..5).map(|number| {
        let place = place.clone();
        tokio::spawn(async move {
            let id = format!("pod{number}");
            let mut pod = place.pod(&id);
            pod.share_processes = number % 2 == 0;
            place.runtime.create_pod(&pod).await.expect("made");
            let main = place.container(&id, "main", &["sleep", "1000"]);
            std::fs::create_dir_all(&main.root.writable).expect("folder");
            place.runtime.start(&id, &main).await.expect("started");
            for attempt in 0..8 {
                let script = format!("echo {id} {attempt}; exit {attempt}");
                let exec = ExecSpec { args: ["sh", "-c", &script].map(str::to_owned).to_vec(), ..ExecSpec::default() };
                let mut spec = place.sh(&id, &format!("c{attempt}"), &script);
                (spec.log, spec.attempt) = (None, attempt);
                std::fs::create_dir_all(&spec.root.writable).expect("folder");
                let started = async {
                    place.runtime.start(&id, &spec).await.expect("started");
                    place.runtime.attach(&id, &spec.name).await.expect("attached")
                };
                let (first, second) = tokio::join!(started, place.runtime.exec(&id, "main", &exec));
                for mut streams in [first, second.expect("ran")] {
                    assert_eq!(all(&mut streams.stdout).await, format!("{id} {attempt}\n"));
                    assert_eq!(streams.exit.await.expect("told"), Ok(i32::try_from(attempt).expect("small")));
                }
            }
        })
    });
    let all_done = async {
        for pod in pods.collect::<Vec<_>>() {
            pod.await.expect("no panic");
        }
    };
    tokio::time::timeout(Duration::from_secs(120), all_done).await.expect("none hangs");
    std::sync::Arc::into_inner(place).expect("the last one").end().await;
}
