//! Containers as programs see them: what they get, what they may do, how they end.

#[path = "support/place.rs"]
mod support;

use runtime::*;
use support::{place, wait};
use tokio::io::AsyncWriteExt;

/// Runs a script in a container that `change` has changed; returns exit code and output.
async fn script(
    test: &str,
    script: &str,
    change: impl FnOnce(&mut PodSpec, &mut ContainerSpec),
) -> Option<(Result<i32, RuntimeError>, String)> {
    let place = place(test).await?;
    let (mut pod, mut spec) = (place.pod("one"), place.sh("one", "main", script));
    change(&mut pod, &mut spec);
    let outcome = place.run(&pod, &spec).await;
    let said = outcome.as_ref().map(|(_, said)| said.clone()).unwrap_or_default();
    place.end().await;
    Some((outcome.map(|(exit, _)| exit.code), said))
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_a_program_and_tells_how_it_ended() {
    let Some(place) = place("run").await else { return };
    let pod = place.pod("one");
    let (exit, said) = place.run(&pod, &place.sh("one", "main", "echo out; echo err >&2; exit 7")).await.expect("ran");
    assert_eq!((exit.code, exit.signal, exit.oom_killed), (7, None, false));
    assert!(said.contains("out\n") && said.contains("err\n"), "{said}");
    // Again in the same pod: a restart is a new attempt.
    let mut again = place.sh("one", "main", "kill -9 $$");
    again.attempt = 1;
    let (exit, _) = place.run(&pod, &again).await.expect("ran");
    assert_eq!(exit.code, 0, "process 1 of its namespace does not die of its own signal");
    let state = place.runtime.state("one").await.expect("asked").expect("there");
    assert!(matches!(state.containers.get("main"), Some((1, ContainerState::Exited(exit))) if exit.code == 0), "{state:?}");
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gets_what_was_asked_for() {
    let test = "echo $A; echo $HOME; echo $PATH; hostname; pwd; id; cat /proc/self/cgroup | wc -l; echo $$; ls -a /proc/self/fd | wc -l; touch /dev/stdout && echo reopened > /dev/stdout; ulimit -n";
    let Some((code, said)) = script("asked", test, |_, spec| {
        spec.env = vec!["A=1".to_owned(), "A=2".to_owned()];
        spec.working_dir = "/srv/made".to_owned();
        spec.user.image = "web".to_owned();
    })
    .await
    else {
        return;
    };
    assert_eq!(code, Ok(0), "{said}");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "2");
    assert_eq!(lines[1], "/home/web");
    assert_eq!(lines[3], "one");
    assert_eq!(lines[4], "/srv/made");
    assert_eq!(lines[5], "uid=1000(web) gid=1000(web) groups=40(logs),1000(web)");
    assert_eq!(lines[7], "1");
    // `.`, `..`, the three streams, and the folder being listed.
    assert_eq!(lines[8], "6", "{said}");
    assert_eq!(lines[9], "reopened", "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn may_do_no_more_than_it_should() {
    let test = "exec 2>&1; grep -E 'Cap|NoNew|Seccomp:' /proc/self/status; \
        mount -t tmpfs x /tmp 2>&1; mknod /tmp/sda b 8 0 && cat /tmp/sda 2>&1 | head -c 100; mknod /dev/kvm c 10 232 && cat /dev/kvm 2>&1; \
        echo 1 > /proc/sys/kernel/printk; cat /proc/kcore | wc -c; ls /sys/firmware | wc -l; touch /sys/x 2>&1; touch /sys/fs/cgroup/x 2>&1; hostname x 2>&1; echo done";
    let Some((code, said)) = script("may", test, |_, _| ()).await else { return };
    assert_eq!(code, Ok(0), "{said}");
    assert!(said.contains("NoNewPrivs:\t1") && said.contains("Seccomp:\t2"), "{said}");
    assert!(
        said.contains("CapEff:\t00000000a80425fb")
            && said.contains("CapBnd:\t00000000a80425fb")
            && said.contains("CapAmb:\t0000000000000000"),
        "{said}"
    );
    assert!(said.contains("mount: permission denied") || said.contains("Operation not permitted"), "{said}");
    assert!(said.contains("/tmp/sda': Permission denied") || said.contains("can't open '/tmp/sda'"), "{said}");
    assert!(said.contains("can't open '/dev/kvm': Permission denied"), "{said}");
    assert!(
        said.contains("printk: Read-only file system")
            && said.contains("touch: /sys/x: Read-only")
            && said.contains("/sys/fs/cgroup/x: Read-only"),
        "{said}"
    );
    assert!(said.contains("\n0\n0\n"), "kcore and firmware are empty: {said}");
    assert!(said.contains("sethostname: Operation not permitted") && said.ends_with("done\n"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn privileges_are_given_where_asked() {
    let test = "grep -E 'NoNew|Seccomp:' /proc/self/status; mount -t tmpfs x /tmp && echo mounted; test -e /dev/fuse -o -e /dev/kmsg && echo devices; test -w /proc/sys/kernel/printk && echo proc";
    let Some((code, said)) = script("given", test, |_, spec| spec.privileges.privileged = true).await else { return };
    assert_eq!((code, said.as_str()), (Ok(0), "NoNewPrivs:\t0\nSeccomp:\t0\nmounted\ndevices\nproc\n"));
    let Some((_, said)) = script("given-escalation", "grep -E 'NoNew|Seccomp:|CapEff' /proc/self/status", |_, spec| {
        spec.privileges.allow_escalation = true;
        spec.user.uid = Some(1000);
    })
    .await
    else {
        return;
    };
    assert_eq!(said, "CapEff:\t0000000000000000\nNoNewPrivs:\t0\nSeccomp:\t2\n");
    let Some((outcome, _)) = script("given-none", "true", |_, spec| spec.privileges.capabilities.push("NOSUCH".to_owned())).await else {
        return;
    };
    assert!(matches!(&outcome, Err(RuntimeError::Config(text)) if text.contains("NOSUCH")), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_start_says_why() {
    let Some(place) = place("why").await else { return };
    std::fs::write(place.folder.join("image/bin/text"), "no program").expect("written");
    std::os::unix::fs::PermissionsExt::set_mode(
        &mut std::fs::metadata(place.folder.join("image/bin/text")).expect("there").permissions(),
        0o644,
    );
    let pod = place.pod("one");
    for (program, code, reason) in [
        ("nosuch", 127, "not found in $PATH"),
        ("/no/such", 127, "no such file"),
        ("/bin/text", 126, "permission denied"),
        ("/etc", 126, "permission denied"),
    ] {
        let error = place.run(&pod, &place.container("one", "main", &[program])).await.expect_err(program);
        let RuntimeError::Start { program: named, reason: told, code: got } = &error else { panic!("{error:?}") };
        assert!(named == program && *got == code && told.contains(reason), "{error:?}");
    }
    let bad = |change: fn(&mut ContainerSpec)| {
        let mut spec = place.sh("one", "main", "true");
        change(&mut spec);
        spec
    };
    let cases: [(ContainerSpec, &str); 5] = [
        (bad(|spec| spec.user.image = "nobody".to_owned()), "no user `nobody`"),
        (bad(|spec| spec.privileges.must_not_be_root = true), "must not run as root"),
        (bad(|spec| spec.args.clear()), "no command"),
        (bad(|spec| spec.working_dir = "/etc/passwd/x".to_owned()), "working directory"),
        (bad(|spec| spec.name = "../x".to_owned()), "no name for a container"),
    ];
    for (spec, reason) in cases {
        let error = place.run(&pod, &spec).await.expect_err(reason);
        assert!(matches!(&error, RuntimeError::Config(text) if text.contains(reason)), "{error:?}");
    }
    // Nothing of the failures is left, and the pod still works.
    assert_eq!(place.run(&pod, &place.sh("one", "main", "exit 3")).await.expect("ran").0.code, 3);
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn volumes_and_roots_are_as_asked() {
    let Some(place) = place("volumes").await else { return };
    let volume = place.folder.join("volume");
    std::fs::create_dir_all(volume.join("deep")).expect("folder");
    std::fs::write(volume.join("file"), "host").expect("written");
    let mount = |source, target: &str, read_only| Mount { source, target: target.to_owned(), read_only, propagation: Propagation::None };
    let mut spec = place.sh("one", "main", "cat /data/file /etc/hosts; echo w > /data/deep/new; echo x > /ro/file; touch /root-is-ro; stat -c %a /mem; dd if=/dev/zero of=/mem/big bs=1M count=4 2>&1 | grep -c space; echo s > /sub/made; ls /sub");
    spec.root.read_only = true;
    spec.mounts = vec![
        mount(MountSource::Bind(volume.clone()), "/data", false),
        mount(MountSource::Bind(volume.clone()), "/ro", true),
        mount(MountSource::Bind(volume.join("file")), "/etc/hosts", true),
        mount(MountSource::Tmpfs { size_bytes: Some(1 << 20), mode: 0o770 }, "/mem", false),
        mount(MountSource::BindBelow { base: volume.clone(), path: "sub/deeper".to_owned() }, "/sub", false),
    ];
    let (exit, said) = place.run(&place.pod("one"), &spec).await.expect("ran");
    assert_eq!(exit.code, 0);
    assert!(said.contains("hosthost"), "{said}");
    assert!(said.contains("can't create /ro/file: Read-only") && said.contains("/root-is-ro: Read-only"), "{said}");
    assert!(["770\n", "\n1\n", "\nmade\n"].iter().all(|part| said.contains(part)), "{said}");
    assert_eq!(std::fs::read_to_string(volume.join("deep/new")).expect("written"), "w\n");
    assert!(volume.join("sub/deeper/made").exists());
    for target in ["/", "relative", "/proc/sys/kernel", "/proc"] {
        spec.attempt += 1;
        spec.mounts = vec![mount(MountSource::Bind(volume.clone()), target, false)];
        let error = place.run(&place.pod("one"), &spec).await.expect_err(target);
        assert!(matches!(error, RuntimeError::Config(_)), "{target}: {error:?}");
    }
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn layers_are_mounted_as_one_root_and_kept_as_they_were() {
    let Some(place) = place("layers").await else { return };
    let (low, top) = (place.folder.join("low"), place.folder.join("top"));
    for folder in [low.join("opt/t"), top.join("opt/t")] {
        std::fs::create_dir_all(folder).expect("folder");
    }
    std::fs::write(low.join("opt/t/low"), "low").expect("written");
    std::fs::write(top.join("opt/t/top"), "top").expect("written");
    std::os::unix::fs::symlink("/opt/t", top.join("way")).expect("link");
    let count = std::cell::Cell::new(0);
    let mount = |path: &str, target: &str, read_only| {
        count.set(count.get() + 1);
        let over = place.folder.join(format!("over{}", count.get()));
        std::fs::create_dir_all(&over).expect("folder");
        let source = MountSource::Layers { layers: vec![top.clone(), low.clone()], place: over, path: path.to_owned() };
        Mount { source, target: target.to_owned(), read_only, propagation: Propagation::None }
    };
    let mut spec = place.sh("one", "main", "cat /a/low /a/top; echo x > /a/no; echo x > /b/yes; ls /b; cat /f");
    spec.mounts = vec![mount("/way", "/a", true), mount("opt/t", "/b", false), mount("opt/t/low", "/f", true)];
    let (exit, said) = place.run(&place.pod("one"), &spec).await.expect("ran");
    assert!(exit.code == 0 && said.contains("lowtop") && said.contains("/a/no: Read-only") && said.contains("yes\n"), "{said}");
    assert!(!top.join("opt/t/yes").exists() && !low.join("opt/t/yes").exists());
    (spec.attempt, spec.mounts) = (1, vec![mount("opt/none", "/b", false)]);
    let error = place.run(&place.pod("one"), &spec).await.expect_err("nothing there");
    assert!(matches!(&error, RuntimeError::Config(text) if text.contains("opt/none")), "{error:?}");
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mounts_of_the_host_spread_as_asked() {
    let Some(place) = place("spread").await else { return };
    // A shared mount of our own, whatever the host's are.
    let volume = place.folder.join("volume");
    for folder in [volume.clone(), place.folder.join("other")] {
        std::fs::create_dir_all(folder).expect("folder");
    }
    let shared = sys::mount::new("tmpfs", &[("size", Some("1m"))], sys::mount::Attributes::default()).expect("mount");
    sys::mount::attach(&shared, sys::Root::open(&volume).expect("open")).expect("attached");
    sys::mount::set(&shared, sys::mount::Attributes::default(), Some(sys::mount::Spread::Shared), false).expect("shared");
    let cases = [(Propagation::None, false), (Propagation::HostToContainer, true), (Propagation::Bidirectional, true)];
    for (attempt, (propagation, seen)) in (0_u32..).zip(cases) {
        let later = volume.join(format!("later{attempt}"));
        std::fs::create_dir_all(&later).expect("folder");
        let mut spec = place.sh("one", "main", &format!("echo ready; read go; ls /data/later{attempt}"));
        (spec.attempt, spec.stdin) = (attempt, true);
        spec.mounts = vec![Mount { source: MountSource::Bind(volume.clone()), target: "/data".to_owned(), read_only: false, propagation }];
        spec.log.as_mut().expect("logged").path = place.folder.join(format!("log{attempt}"));
        std::fs::create_dir_all(&spec.root.writable).expect("folder");
        place.runtime.create_pod(&place.pod("one")).await.expect("made");
        let mut events = place.runtime.events();
        place.runtime.start("one", &spec).await.expect("started");
        place.logged(&spec, "ready").await;
        let new = sys::mount::new("tmpfs", &[("size", Some("1m"))], sys::mount::Attributes::default()).expect("mount");
        drop(
            sys::openat2_in_root(
                &new,
                "mark",
                rustix::fs::OFlags::CREATE | rustix::fs::OFlags::WRONLY,
                rustix::fs::Mode::from_raw_mode(0o644),
            )
            .expect("made"),
        );
        sys::mount::attach(&new, sys::Root::open(&later).expect("open")).expect("attached");
        let mut streams = place.runtime.attach("one", "main").await.expect("attached");
        streams.stdin.as_mut().expect("input").write_all(b"go\n").await.expect("written");
        wait(&mut events, "one", "main").await;
        assert_eq!(place.log(&spec).contains("mark"), seen, "{propagation:?}: {}", place.log(&spec));
        sys::mount::detach(&later).expect("detached");
    }
    sys::mount::detach(&volume).expect("detached");
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_reach_the_first_process_or_all() {
    let Some(place) = place("signal").await else { return };
    let pod = place.pod("one");
    let spec = place.sh("one", "main", "trap 'echo term; exit 42' TERM; echo ready; while true; do sleep 0.05; done");
    std::fs::create_dir_all(&spec.root.writable).expect("folder");
    place.runtime.create_pod(&pod).await.expect("made");
    let mut events = place.runtime.events();
    place.runtime.start("one", &spec).await.expect("started");
    place.logged(&spec, "ready").await;
    place.runtime.signal("one", "main", 15, false).await.expect("sent");
    assert_eq!(wait(&mut events, "one", "main").await.code, 42);
    assert!(matches!(place.runtime.signal("one", "main", 15, false).await, Err(RuntimeError::NotRunning(_))));
    let mut again = place.sh("one", "main", "sleep 1000 & sleep 1000");
    again.attempt = 1;
    place.runtime.start("one", &again).await.expect("started");
    place.runtime.signal("one", "main", 9, true).await.expect("sent");
    let exit = wait(&mut events, "one", "main").await;
    assert_eq!((exit.code, exit.signal), (137, Some(9)));
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_shares_what_it_should() {
    let Some(place) = place("share").await else { return };
    for share_processes in [false, true] {
        let id = if share_processes { "shared" } else { "apart" };
        let mut pod = place.pod(id);
        pod.share_processes = share_processes;
        pod.sysctls = [("kernel.shm_rmid_forced".to_owned(), "1".to_owned())].into();
        place.runtime.create_pod(&pod).await.expect("made");
        let mut events = place.runtime.events();
        let first =
            place.sh(id, "first", "echo shared > /dev/shm/x; ls /dev/pts; trap 'exit 0' TERM; echo ready; while true; do sleep 0.1; done");
        std::fs::create_dir_all(&first.root.writable).expect("folder");
        place.runtime.start(id, &first).await.expect("started");
        place.logged(&first, "ready").await;
        let second = place.sh(id, "second", "cat /dev/shm/x; cat /proc/sys/kernel/shm_rmid_forced; ps | grep -c '[w]hile true'; cat /proc/1/comm; ls /proc/1/root 2>&1; ls /proc/1/cwd/ 2>&1; cat /proc/1/exe 2>&1 | wc -c");
        let (exit, said) = place.run(&pod, &second).await.expect("ran");
        assert_eq!(exit.code, 0);
        if share_processes {
            assert!(said.starts_with("shared\n1\n1\n"), "{said}");
            assert!(said.contains("Permission denied") && !said.contains("usr"), "process 1 shows nothing: {said}");
        } else {
            assert!(said.starts_with("shared\n1\n0\nsh\n"), "{said}");
        }
        place.runtime.signal(id, "first", 15, false).await.expect("sent");
        assert_eq!(wait(&mut events, id, "first").await.code, 0);
    }
    let mut pod = place.pod("refused");
    pod.sysctls = [("kernel.panic".to_owned(), "1".to_owned())].into();
    assert!(matches!(place.runtime.create_pod(&pod).await, Err(RuntimeError::Config(text)) if text.contains("kernel.panic")));
    assert!(place.runtime.state("refused").await.expect("asked").is_none());
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_network_is_the_one_that_is_given() {
    let Some(place) = place("net").await else { return };
    let path = place.folder.join("netns");
    sys::netns::create(&path).expect("made");
    let mut pod = place.pod("one");
    pod.netns = Some(path.clone());
    pod.sysctls = [("net.ipv4.ip_unprivileged_port_start".to_owned(), "80".to_owned())].into();
    let (_, said) = place
        .run(
            &pod,
            &place.sh("one", "main", "cat /proc/net/dev | wc -l; cat /proc/sys/net/ipv4/ip_unprivileged_port_start; ls /sys/class/net"),
        )
        .await
        .expect("ran");
    assert_eq!(said, "3\n80\nlo\n");
    sys::netns::remove(&path).expect("removed");
    place.end().await;
}
