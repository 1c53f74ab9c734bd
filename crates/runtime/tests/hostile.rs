//! Attacks that others' runtimes fell to. Each is tried against this runtime, and against one with the one protection
//! switched off: there it must succeed, or the test shows nothing.

#[path = "support/place.rs"]
mod support;

use runtime::weak::Weakness;
use runtime::*;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use support::{Place, all, place, weak_place};

/// Both runtimes: the weakened one first, so that `true` is the sound one.
const BOTH: [bool; 2] = [false, true];

async fn runtime_for(test: &str, sound: bool, weakness: Weakness) -> Option<Place> {
    if sound { place(test).await } else { weak_place(test, weakness as u32).await }
}

fn bind(source: &Path, target: &str) -> Mount {
    Mount { source: MountSource::Bind(source.to_owned()), target: target.to_owned(), read_only: false, propagation: Propagation::None }
}

fn below(base: &Path, path: &str, target: &str) -> Mount {
    let source = MountSource::BindBelow { base: base.to_owned(), path: path.to_owned() };
    Mount { source, target: target.to_owned(), read_only: false, propagation: Propagation::None }
}

/// Swaps two names as fast as it goes, until told to stop.
fn swapping(folder: &Path, one: &str, other: &str) -> (Arc<AtomicBool>, std::thread::JoinHandle<()>) {
    let stop = Arc::new(AtomicBool::new(false));
    let (told, folder, one, other) = (stop.clone(), folder.to_owned(), one.to_owned(), other.to_owned());
    let thread = std::thread::spawn(move || {
        let folder = std::fs::File::open(folder).expect("open");
        while !told.load(Ordering::Relaxed) {
            let _ = rustix::fs::renameat_with(&folder, one.as_str(), &folder, other.as_str(), rustix::fs::RenameFlags::EXCHANGE);
        }
    });
    (stop, thread)
}

/// Puts what this very program was loaded with into the image: an attacker's image would hold it.
fn with_libraries(image: &Path) {
    for name in ["lib", "lib64"] {
        let host = Path::new("/").join(name);
        if let Ok(target) = std::fs::read_link(&host) {
            std::fs::create_dir_all(image.join(&target)).expect("folder");
            symlink(target, image.join(name)).expect("link");
        }
    }
    let maps = std::fs::read_to_string("/proc/self/maps").expect("maps");
    for path in maps.lines().filter_map(|line| line.split_whitespace().nth(5)).filter(|path| path.contains(".so")) {
        let path = Path::new(path);
        std::fs::create_dir_all(image.join(path.parent().expect("folder").strip_prefix("/").expect("absolute"))).expect("folder");
        std::fs::copy(path, image.join(path.strip_prefix("/").expect("absolute"))).expect("copied");
    }
    for loader in ["lib64/ld-linux-x86-64.so.2", "usr/lib64/ld-linux-x86-64.so.2", "lib/ld-linux-aarch64.so.1"] {
        if let (Ok(real), false) = (std::fs::canonicalize(Path::new("/").join(loader)), image.join(loader).exists()) {
            std::fs::create_dir_all(image.join(loader).parent().expect("folder")).expect("folder");
            std::fs::copy(real, image.join(loader)).expect("copied");
        }
    }
}

/// CVE-2019-5736: a container makes the runtime execute itself inside, and overwrites the host's program through `/proc/PID/exe`.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2019_5736_the_hosts_program_cannot_be_overwritten() {
    for sound in BOTH {
        let Some(place) = runtime_for("5736", sound, Weakness::WritableProgram).await else { return };
        let before = std::fs::read(place.folder.join("shim")).expect("read");
        let attack = "while ! grep -l '^/proc/self/exe' /proc/[0-9]*/cmdline 2>/dev/null > /tmp/found; do sleep 0.05; done; \
            pid=$(head -n1 /tmp/found | cut -d/ -f3); exec 3< /proc/$pid/exe || exit 5; kill -9 $pid; echo armed; \
            for i in $(seq 200); do { echo pwned > /proc/self/fd/3; } 2>/tmp/why && break; sleep 0.01; done; cat /tmp/why; echo over; sleep 100";
        symlink("busybox", place.folder.join("image/bin/cut")).expect("link");
        with_libraries(&place.folder.join("image"));
        let spec = place.sh("one", "main", attack);
        std::fs::create_dir_all(&spec.root.writable).expect("folder");
        place.runtime.create_pod(&place.pod("one")).await.expect("made");
        place.runtime.start("one", &spec).await.expect("started");
        let exec = ExecSpec { args: vec!["/proc/self/exe".to_owned(), "__wait".to_owned()], ..ExecSpec::default() };
        let streams = place.runtime.exec("one", "main", &exec).await.expect("executes itself");
        place.logged(&spec, "over").await;
        assert!(place.log(&spec).contains("armed"), "the attack got as far as it can: {}", place.log(&spec));
        assert_eq!(streams.exit.await.expect("told"), Ok(137));
        let after = std::fs::read(place.folder.join("shim")).expect("read");
        assert!(after == before, "{}", place.log(&spec));
        // The weakened one is only saved by the shim that happens to run the same file; the sound one by the mount.
        let reason = if sound { "Read-only file system" } else { "Text file busy" };
        assert!(place.log(&spec).contains(reason), "{}", place.log(&spec));
        place.end().await;
    }
}

/// CVE-2021-30465: the target of a mount is a link, put there by the image or by another container that shares a volume.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2021_30465_mount_targets_stay_inside() {
    for sound in BOTH {
        let Some(place) = runtime_for("30465", sound, Weakness::PlainPaths).await else { return };
        let (outside, volume, shared) = (place.folder.join("outside"), place.folder.join("volume"), place.folder.join("shared"));
        for folder in [&outside, &volume, &shared.join("plain")] {
            std::fs::create_dir_all(folder).expect("folder");
        }
        std::fs::write(volume.join("mark"), "here").expect("written");
        symlink(&outside, shared.join("target")).expect("link");
        std::fs::create_dir_all(place.folder.join("image/shared")).expect("folder");
        let mut spec = place.sh("one", "main", "cat /shared/target/mark");
        spec.mounts = vec![bind(&shared, "/shared"), bind(&volume, "/shared/target")];
        let (_, said) = place.run(&place.pod("one"), &spec).await.expect("ran");
        assert_eq!(said.contains("here"), sound, "mounted inside the root, or outside of it: {said}");
        if sound {
            // And while another swaps a folder for the link, all the time.
            let (stop, thread) = swapping(&shared, "plain", "target");
            for attempt in 1..60 {
                spec.attempt = attempt;
                spec.args = ["sh", "-c", "grep -c /volume /proc/self/mountinfo"].map(str::to_owned).to_vec();
                let (_, said) = place.run(&place.pod("one"), &spec).await.expect("ran");
                assert!(
                    said.lines().count() == usize::try_from(attempt).expect("small") + 1 && said.ends_with("\n1\n"),
                    "attempt {attempt}: {said}"
                );
            }
            stop.store(true, Ordering::Relaxed);
            thread.join().expect("joined");
        }
        place.end().await;
    }
}

/// CVE-2017-1002101 and CVE-2021-25741: a `subPath` is a link to the host, from the start or swapped in at the right moment.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2017_1002101_and_cve_2021_25741_sub_paths_stay_in_their_volume() {
    for sound in BOTH {
        let Some(place) = runtime_for("25741", sound, Weakness::PlainPaths).await else { return };
        let (secret, volume) = (place.folder.join("secret"), place.folder.join("volume"));
        for folder in [&secret, &volume.join("plain"), &volume.join("a/b")] {
            std::fs::create_dir_all(folder).expect("folder");
        }
        std::fs::write(secret.join("key"), "secret").expect("written");
        symlink(&secret, volume.join("absolute")).expect("link");
        symlink("../secret", volume.join("relative")).expect("link");
        symlink("../../../secret", volume.join("a/b/deep")).expect("link");
        let mut spec = place.sh("one", "main", "cat /data/key");
        std::fs::create_dir_all(place.folder.join("image/data")).expect("folder");
        for (attempt, path) in (0_u32..).zip(["absolute", "relative", "a/b/deep"]) {
            (spec.attempt, spec.mounts) = (attempt, vec![below(&volume, path, "/data")]);
            let outcome = place.run(&place.pod("one"), &spec).await;
            match outcome {
                Err(RuntimeError::Config(text)) if sound => assert!(text.contains("leads out of the volume"), "{path}: {text}"),
                other => assert!(!sound && place.log(&spec).contains("secret"), "{path}: {other:?}"),
            }
        }
        if sound {
            let (stop, thread) = swapping(&volume, "plain", "absolute");
            let (mut refused, mut ran) = (0, 0);
            for attempt in 10..110 {
                (spec.attempt, spec.mounts) = (attempt, vec![below(&volume, "plain", "/data")]);
                match place.run(&place.pod("one"), &spec).await {
                    Ok((_, said)) => {
                        assert!(!said.contains("secret\n") && !said.ends_with("secret"), "{said}");
                        ran += 1;
                    }
                    Err(RuntimeError::Config(_)) => refused += 1,
                    Err(other) => panic!("{other:?}"),
                }
            }
            stop.store(true, Ordering::Relaxed);
            thread.join().expect("joined");
            assert!(refused > 0 && ran > 0, "both were met: {refused} refused, {ran} ran");
        }
        place.end().await;
    }
}

/// CVE-2024-23651: of two build steps that share a cache, one swaps the folder that the other mounts as the cache's `source` for a
/// link to the host.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2024_23651_the_source_of_a_shared_cache_stays_in_the_cache() {
    for sound in BOTH {
        let Some(place) = runtime_for("23651", sound, Weakness::PlainPaths).await else { return };
        let (host, cache) = (place.folder.join("host"), place.folder.join("cache"));
        std::fs::create_dir_all(host.join("etc")).expect("folder");
        std::fs::write(host.join("etc/key"), "the host's").expect("written");
        std::fs::create_dir_all(cache.join("sub")).expect("folder");
        std::fs::create_dir_all(place.folder.join("image/c")).expect("folder");
        // The first step has the whole cache, and puts links in it: one plain, one above the folder that is mounted.
        let mut first = place.sh("first", "main", &format!("cd /c; rmdir sub; ln -s {0}/etc sub; ln -s {0} up", host.display()));
        first.mounts = vec![below(&cache, "", "/c")];
        place.run(&place.pod("first"), &first).await.expect("ran");
        let mut second = place.sh("second", "main", "cat /c/key; echo written > /c/new");
        for (attempt, path) in (0_u32..).zip(["sub", "up/etc"]) {
            (second.attempt, second.mounts) = (attempt, vec![below(&cache, path, "/c")]);
            match place.run(&place.pod("second"), &second).await {
                Err(RuntimeError::Config(text)) if sound => assert!(text.contains("leads out of the volume"), "{path}: {text}"),
                other => assert!(!sound && place.log(&second).contains("the host's"), "{path}: {other:?}"),
            }
        }
        assert_eq!(host.join("etc/new").exists(), !sound);
        place.end().await;
    }
}

/// CVE-2024-21626: a descriptor of the host stays open, and a working directory below `/proc/self/fd` leads through it.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2024_21626_no_descriptor_of_the_host_is_left() {
    for sound in BOTH {
        let Some(place) = runtime_for("21626", sound, Weakness::LeakedFiles).await else { return };
        // The image has no such folder; the host has, beside its root.
        let mut reached = false;
        for number in (3..32).chain([60]) {
            let mut spec = place.sh("one", "main", "test -d ./usr/bin && echo reached");
            (spec.attempt, spec.working_dir) = (number, format!("/proc/self/fd/{number}"));
            match place.run(&place.pod("one"), &spec).await {
                Ok((_, said)) => reached |= said.contains("reached"),
                Err(RuntimeError::Config(text)) => assert!(text.contains("working directory"), "{text}"),
                Err(other) => panic!("{other:?}"),
            }
        }
        assert_eq!(reached, !sound);
        let mut spec = place.sh("one", "main", "ls -l /proc/self/fd");
        (spec.attempt, spec.log.as_mut().expect("logged").path) = (99, place.folder.join("fds"));
        let (_, said) = place.run(&place.pod("one"), &spec).await.expect("ran");
        assert_eq!(!said.contains(" 60 -> "), sound, "{said}");
        place.end().await;
    }
}

/// CVE-2025-31133: `/dev/null` of a volume is a link, and what should be masked becomes a writable file of `/proc/sys`.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2025_31133_masks_are_the_real_null() {
    for sound in BOTH {
        let Some(place) = runtime_for("31133", sound, Weakness::MaskFromRoot).await else { return };
        let dev = place.folder.join("volume");
        std::fs::create_dir_all(&dev).expect("folder");
        symlink("/proc/sys/kernel/hostname", dev.join("null")).expect("link");
        let mut spec = place.sh("one", "main", "for f in kcore keys timer_list interrupts; do echo pwned > /proc/$f; done; cat /proc/sys/kernel/hostname; echo x > /proc/sys/kernel/hostname");
        // The streams are opened by the runtime before the volume could matter.
        spec.mounts = vec![bind(&dev, "/dev")];
        spec.stdin = true;
        let (_, said) = place.run(&place.pod("one"), &spec).await.expect("ran");
        assert_eq!(!said.contains("pwned\n"), sound, "{said}");
        if sound {
            assert!(said.lines().any(|line| line == "one") && said.contains("hostname: Read-only"), "{said}");
        }
        place.end().await;
    }
}

/// CVE-2025-52565: `/dev/console` is bound by the terminal's name, where a volume has put a link.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2025_52565_the_console_is_the_terminal() {
    for sound in BOTH {
        let Some(place) = runtime_for("52565", sound, Weakness::ConsoleByName).await else { return };
        let pts = place.folder.join("volume");
        std::fs::create_dir_all(&pts).expect("folder");
        symlink("/proc/sys/kernel/hostname", pts.join("0")).expect("link");
        let mut spec = place.sh("one", "main", "echo pwned > /dev/console; echo name=$(cat /proc/sys/kernel/hostname)");
        spec.mounts = vec![bind(&pts, "/dev/pts")];
        (spec.terminal, spec.log) = (true, None);
        std::fs::create_dir_all(&spec.root.writable).expect("folder");
        place.runtime.create_pod(&place.pod("one")).await.expect("made");
        place.runtime.start("one", &spec).await.expect("started");
        let mut streams = place.runtime.attach("one", "main").await.expect("attached");
        let said = all(&mut streams.stdout).await;
        assert_eq!(!said.contains("name=pwned"), sound, "{said}");
        place.end().await;
    }
}

/// CVE-2025-52881: what a runtime writes to `/proc` goes elsewhere, because a mount covers part of it.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2025_52881_nothing_covers_proc() {
    for sound in BOTH {
        let Some(place) = runtime_for("52881", sound, Weakness::CoveredProc).await else { return };
        let fake = place.folder.join("fake");
        std::fs::create_dir_all(&fake).expect("folder");
        std::fs::write(fake.join("hostname"), "covered").expect("written");
        symlink("/proc/sys/kernel", place.folder.join("image/innocent")).expect("link");
        for (attempt, target) in (0_u32..).zip(["/proc/sys/kernel", "/innocent", "/tmp/../proc/sys/kernel"]) {
            let mut spec = place.sh("one", "main", "cat /proc/sys/kernel/hostname");
            (spec.attempt, spec.mounts) = (attempt, vec![bind(&fake, target)]);
            match place.run(&place.pod("one"), &spec).await {
                Err(RuntimeError::Config(text)) if sound => assert!(text.contains("lies in /proc"), "{text}"),
                other => assert!(!sound && place.log(&spec).contains("covered"), "{target}: {other:?}"),
            }
        }
        // The image's own /proc, /sys and /dev must be folders, or our mounts would go where their links lead.
        for name in ["proc", "sys", "dev"] {
            let path = place.folder.join("image").join(name);
            std::fs::remove_dir(&path).expect("removed");
            symlink("/etc", &path).expect("link");
            let error = place.run(&place.pod("one"), &place.sh("one", "linked", "true")).await.expect_err("refused");
            assert!(matches!(&error, RuntimeError::Config(text) if text.contains("not a plain folder")), "{error:?}");
            std::fs::remove_file(&path).expect("removed");
            std::fs::create_dir(&path).expect("made");
        }
        place.end().await;
    }
}

/// Nothing of the shim can be asked, seen or ended from inside.
#[tokio::test(flavor = "multi_thread")]
async fn the_shim_cannot_be_reached_from_inside() {
    let Some(place) = place("reach").await else { return };
    for share_processes in [false, true] {
        let mut pod = place.pod(if share_processes { "shared" } else { "apart" });
        pod.share_processes = share_processes;
        // With the right to look into every process that it can see.
        let mut spec = place.sh(
            &pod.id,
            "main",
            "kill -9 -1; ls -l /proc/[0-9]*/exe /proc/[0-9]*/root /proc/[0-9]*/cwd; ls /proc/1/root/; ls /proc/1/fd | wc -l",
        );
        spec.privileges.capabilities.push("SYS_PTRACE".to_owned());
        let (exit, said) = place.run(&pod, &spec).await.expect("ran");
        assert_eq!(exit.code, 0, "{said}");
        assert!(!said.contains(place.folder.to_str().expect("text")) && !said.contains("lost+found") && !said.contains("boot"), "{said}");
        assert!(place.runtime.state(&pod.id).await.expect("asked").expect("there").shim_pid.is_some(), "the shim lives");
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    place.end().await;
}
