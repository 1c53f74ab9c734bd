//! `RUN --mount`, `--network` and secrets, on the base images of `WHARF_TEST_BASES`; needs root.

#![allow(clippy::print_stdout)]

#[path = "support/home.rs"]
mod home;

use builder::{BuildError, BuildEvent, Hidden, Secret};
use home::Home;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Instant;

fn home() -> Option<Home> {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: root");
        return None;
    }
    Home::with_bases(&["busybox_stable.tar"])
}

fn last_layer(home: &Home, image: &blobs::Image) -> Vec<String> {
    home.layer(image.layers.last().expect("layer"))
}

#[test]
fn a_bind_of_the_context_shows_what_the_context_has_and_keeps_nothing() {
    let Some(home) = home() else { return };
    home.write("src/a.txt", "a");
    home.write("src/secret.env", "hidden");
    home.write(".dockerignore", "**/*.env\n");
    symlink("a.txt", home.path.join("context/src/link")).expect("link");
    fs::set_permissions(home.path.join("context/src/a.txt"), fs::Permissions::from_mode(0o640)).expect("mode");
    let dockerfile = "FROM busybox:stable\nWORKDIR /app\nRUN --mount=type=bind,source=src,target=deep/er/src ls deep/er/src; stat -c '%a %u %Y' deep/er/src/a.txt; cat deep/er/src/link; echo; touch deep/er/src/x 2>/dev/null || echo read-only; cp deep/er/src/a.txt /kept\nRUN --mount=target=.,rw touch written && ls\nRUN --mount=source=src/a.txt,target=/etc/one cat /etc/one\n";
    let (_, image) = home.build(dockerfile);
    let output = home.output();
    assert_eq!(output[..4], ["a.txt", "link", "640 0 315532801", "a"]);
    assert_eq!(output[4..], ["read-only", "Dockerfile", "src", "written", "a"]);
    let last: Vec<_> = image.layers.iter().rev().take(2).map(|layer| home.layer(layer)).collect();
    assert_eq!(last[1], ["755 0:0 app/"], "WORKDIR");
    assert_eq!(last[0], ["640 0:0 kept a"], "no trace of the mount's folders, and no layer of the steps that wrote nothing");
    assert!(!home.path.join("context/written").exists(), "what is written never comes back");
    assert_eq!(home.build(dockerfile).0.cached, 4);
    home.write("src/secret.env", "changed");
    assert_eq!(home.build(dockerfile).0.cached, 4, "what is ignored changes nothing");
    home.write("src/a.txt", "b");
    let (changed, _) = home.build(dockerfile);
    assert_eq!(changed.steps.iter().map(|step| step.cached).collect::<Vec<_>>(), [true, false, false, false]);
    assert!(changed.steps[1].reasons.contains(&"changed: mount 1, src/a.txt".to_owned()), "{:?}", changed.steps[1].reasons);
    let error = home.fail("FROM busybox:stable\nRUN --mount=source=nothing,target=/x true\n");
    assert!(error.contains("Dockerfile:2") && error.contains("`nothing` is not in the context"), "{error}");
    let error = home.fail("FROM busybox:stable\nRUN --mount=target=/ true\n");
    assert!(error.contains("nothing can be mounted at `/`"), "{error}");
    let error = home.fail("FROM busybox:stable\nRUN --mount=target=/x --mount=type=tmpfs,target=/y/../x true\n");
    assert!(error.contains("two mounts are to be at `/x`"), "{error}");
}

#[test]
fn a_bind_of_a_stage_or_image_shows_its_layers() {
    let Some(home) = home() else { return };
    let dockerfile = "FROM busybox:stable AS tools\nRUN mkdir -p /opt/t && echo one > /opt/t/one && ln -s /opt/t /opt/way\nRUN echo two > /opt/t/two && rm /opt/t/one && date +%N > /elsewhere\nFROM busybox:stable\nRUN --mount=from=tools,source=/opt/way,target=/t ls /t; cat /t/two\nRUN --mount=type=bind,from=tools,target=/all,rw echo x > /all/opt/new && ls /all/opt\nRUN --mount=from=busybox:stable,source=/bin,target=/b test -x /b/sh && echo image\nRUN --mount=from=0,source=/opt/t/two,target=/f cat /f\n";
    let (_, image) = home.build(dockerfile);
    assert_eq!(home.output(), ["two", "two", "new", "t", "way", "image", "two"]);
    let base = home.store.images().resolve("busybox:stable").expect("base");
    assert_eq!(image.layers.len(), base.layers.len(), "no step wrote anything");
    // The stage's own layers changed, and what is mounted of it did not: only the mount of all of it is done again.
    let (again, _) = home.build(&dockerfile.replace("+%N", "+%N%N"));
    let cached: Vec<_> = again.steps.iter().filter(|step| step.stage == 1).map(|step| step.cached).collect();
    assert_eq!(cached, [true, false, true, true]);
    let error = home.fail("FROM busybox:stable\nRUN --mount=from=later,target=/x true\nFROM scratch AS later\n");
    assert!(error.contains("the stage `later` comes later"), "{error}");
    let error = home.fail("FROM busybox:stable\nRUN --mount=from=busybox:stable,source=/nothing,target=/x true\n");
    assert!(error.contains("`/nothing` is not in the stage or image"), "{error}");
}

#[test]
fn caches_outlive_builds_and_are_no_part_of_the_layer() {
    let Some(home) = home() else { return };
    let run = |home: &Home, options: &str, command: &str| {
        let mut request = home.request(&format!("FROM busybox:stable\nRUN --mount=type=cache{options} {command}\n"));
        request.no_cache = true;
        let built = home.build_request(&request).unwrap_or_else(|error| panic!("{error}"));
        (home.output(), home.store.images().get(&built.image).expect("image"))
    };
    let base = home.store.images().resolve("busybox:stable").expect("base").layers.len();
    let (output, image) =
        run(&home, ",target=/home/.cache/x", "ls /home/.cache/x; echo 1 > /home/.cache/x/one; stat -c '%a %u:%g' /home/.cache/x");
    assert_eq!((output, image.layers.len()), (vec!["755 0:0".to_owned()], base));
    assert_eq!(run(&home, ",id=/home/.cache/x,target=/elsewhere", "ls /elsewhere").0, ["one"], "the target is the id");
    assert_eq!(run(&home, ",id=other,target=/home/.cache/x,mode=0700,uid=12,gid=34", "stat -c '%a %u:%g' /home/.cache/x").0, ["700 12:34"]);
    assert_eq!(run(&home, ",id=other,target=/c", "ls /c").0, [""; 0], "another owner is another cache");
    assert_eq!(run(&home, ",target=/home/.cache/x,ro", "touch /home/.cache/x/y 2>/dev/null || echo read-only").0, ["read-only"]);
    assert_eq!(run(&home, ",id=parts,source=sub/dir,target=/c", "echo in > /c/file").0, [""; 0]);
    assert_eq!(run(&home, ",id=parts,target=/c", "cat /c/sub/dir/file").0, ["in"]);
    let dockerfile = "FROM busybox:stable AS seed\nRUN mkdir /seed && echo first > /seed/file\nFROM busybox:stable\nRUN --mount=type=cache,id=seeded,from=seed,source=/seed,target=/c cat /c/file; echo second > /c/file\n";
    home.build(dockerfile);
    assert_eq!(home.output(), ["first"]);
    home.build(&format!("{dockerfile}RUN --mount=type=cache,id=seeded,from=seed,source=/seed,target=/c cat /c/file\n"));
    assert_eq!(home.output(), ["second"], "filled once");
    let mounts = builder::cache_mounts(&home.store).expect("mounts");
    let ids: Vec<_> = mounts.iter().map(|mount| mount.id.as_str()).collect();
    assert_eq!(ids, ["/home/.cache/x", "other", "other", "parts", "seeded"]);
    assert!(mounts.iter().all(|mount| !mount.in_use) && mounts[0].bytes == 2, "{mounts:?}");
    let pruned = home.store.prune(blobs::PruneOptions { unnamed_images: false, cache: true }).expect("pruned");
    assert!(pruned.bytes > 0);
    assert_eq!(builder::cache_mounts(&home.store).expect("mounts"), []);
    assert_eq!(run(&home, ",target=/home/.cache/x", "ls /home/.cache/x").0, [""; 0]);
}

#[test]
fn caches_are_shared_locked_or_private_as_asked() {
    let Some(home) = home() else { return };
    let both = |sharing: &str, second: &str| {
        let stage = |name: &str, sharing: &str| {
            format!(
                "FROM busybox:stable AS {name}\nRUN --mount=type=cache,id=c,target=/c{sharing} echo {name} > /c/{name}; sleep 0.7; ls /c; touch /done\n"
            )
        };
        let dockerfile =
            format!("{}{}FROM scratch\nCOPY --from=a /done /a\nCOPY --from=b /done /b\n", stage("a", sharing), stage("b", second));
        let mut request = home.request(&dockerfile);
        request.no_cache = true;
        let started = Instant::now();
        home.build_request(&request).unwrap_or_else(|error| panic!("{error}"));
        let mut output = home.output();
        output.sort();
        (output, started.elapsed().as_millis())
    };
    let (output, took) = both(",sharing=private", ",sharing=private");
    assert_eq!(output, ["a", "b"], "each saw its own only");
    assert!(took < 1_350, "{took}");
    home.store.prune(blobs::PruneOptions { unnamed_images: false, cache: true }).expect("pruned");
    let (output, took) = both("", "");
    assert_eq!(output, ["a", "a", "b", "b"], "each saw the other's");
    assert!(took < 1_350, "{took}");
    home.store.prune(blobs::PruneOptions { unnamed_images: false, cache: true }).expect("pruned");
    let (output, took) = both(",sharing=locked", ",sharing=locked");
    assert_eq!(output.len(), 3, "the first saw its own only: {output:?}");
    assert!(took >= 1_400, "{took}");
    // One step that names a cache twice does not wait for itself.
    home.build("FROM busybox:stable\nRUN --mount=type=cache,id=c,target=/x,sharing=locked --mount=type=cache,id=c,target=/y echo hi > /x/z && cat /y/z\n");
    assert_eq!(home.output(), ["hi"]);
}

#[test]
fn memory_is_empty_limited_and_gone() {
    let Some(home) = home() else { return };
    let (_, image) = home.build("FROM busybox:stable\nRUN --mount=type=tmpfs,target=/tmp/scratch,size=1m stat -c %a /tmp/scratch; ls /tmp/scratch; dd if=/dev/zero of=/tmp/scratch/x bs=64k count=32 2>/dev/null || echo full\n");
    assert_eq!(home.output(), ["1777", "full"]);
    assert_eq!(image.layers.len(), home.store.images().resolve("busybox:stable").expect("base").layers.len());
    let error = home.fail("FROM busybox:stable\nRUN --mount=type=tmpfs,target=/t,size=many true\n");
    assert!(error.contains("`size` is no size: `many`"), "{error}");
}

#[test]
fn secrets_reach_the_step_and_nothing_else() {
    let Some(home) = home() else { return };
    let value = "s3cr3t-Va1ue/with+signs";
    fs::write(home.path.join("token"), format!("{value}\n")).expect("written");
    let dockerfile = "FROM busybox:stable\nRUN --mount=type=secret,id=token stat -c '%a %u:%g' /run/secrets/token; wc -c < /run/secrets/token; cat /run/secrets/token; echo x=$(base64 /run/secrets/token); touch /done\nRUN --mount=type=secret,id=token,env=TOKEN,required [ ${#TOKEN} = 24 ] || echo ${#TOKEN}; [ ! -e /run/secrets ] && echo no file\nRUN --mount=type=secret,id=token,target=conf/t,mode=0444,uid=5,gid=6,env=T stat -c '%a %u:%g' /conf/t; echo \"[$T]\"\nRUN --mount=type=secret,id=missing ls /run/secrets 2>/dev/null; true\n";
    let mut request = home.request(dockerfile);
    request.secrets.insert("token".into(), Secret::File(home.path.join("token")));
    let built = home.build_request(&request).unwrap_or_else(|error| panic!("{error}"));
    let output = home.output();
    assert_eq!(output[..3], ["400 0:0", "24", "***"]);
    assert!(output[3].starts_with("x=") && !output[3].contains(&"czNjcjN0LVZh"[..8]), "{}", output[3]);
    assert_eq!(output[4..], ["no file", "444 5:6", "[***", "]"]);
    assert_eq!(built.warnings, ["the secret `missing` was not given; the step runs without it"]);
    let image = home.store.images().get(&built.image).expect("image");
    assert_eq!(last_layer(&home, &image), ["644 0:0 done"]);
    // In no file of the store: layers, configuration, what the builder remembers.
    let found = std::process::Command::new("grep").args(["-rlF", value]).arg(home.store.root()).output().expect("grep");
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
    // Another value is no other step.
    request.secrets.insert("token".into(), Secret::Value(Hidden(b"another".to_vec())));
    assert_eq!(home.build_request(&request).expect("built").cached, 4);
    assert!(!format!("{request:?}").contains("another"));
    request.secrets.clear();
    request.no_cache = true;
    let Err(BuildError::Step(step)) = home.build_request(&request) else { panic!("built") };
    assert!(step.line == 3 && step.message.contains("the secret `token` was not given"), "{step}");
    // What a step itself writes of it into the image is told, at least.
    let mut careless = home.request(
        "FROM busybox:stable\nRUN --mount=type=secret,id=token,env=T mkdir /a && (head -c 3000000 /dev/zero; echo \"auth=$T\") > /a/conf\n",
    );
    careless.secrets.insert("token".into(), Secret::Value(Hidden(value.as_bytes().to_vec())));
    let warnings = home.build_request(&careless).expect("built").warnings;
    assert!(warnings.len() == 1 && warnings[0].contains("Dockerfile:2: a secret is in `/a/conf` of the image"), "{warnings:?}");
    // A failing command's last lines are masked too.
    let mut request = home.request("FROM busybox:stable\nRUN --mount=type=secret,id=token,env=T echo $T; exit 4\n");
    request.secrets.insert("token".into(), Secret::Value(Hidden(value.as_bytes().to_vec())));
    let Err(BuildError::Step(step)) = home.build_request(&request) else { panic!("built") };
    assert_eq!(step.output, ["***"]);
    let told = format!(
        "{:?}",
        home.events.lock().expect("events").iter().filter(|event| !matches!(event, BuildEvent::Started { .. })).collect::<Vec<_>>()
    );
    assert!(!told.contains(value));
}

#[test]
fn words_of_mounts_are_expanded() {
    let Some(home) = home() else { return };
    home.write("data/file", "content");
    home.build("FROM busybox:stable\nARG DIR=data\nARG SIZE=2m\nENV WHERE=/mnt/x\nRUN --mount=source=$DIR,target=${WHERE} --mount=type=tmpfs,target=/t,size=$SIZE cat $WHERE/file\n");
    assert_eq!(home.output(), ["content"]);
    let error = home.fail("FROM busybox:stable\nARG T=cache\nRUN --mount=type=$T,target=/x true\n");
    assert!(error.contains("--mount with a variable as its type"), "{error}");
    let error = home.fail("FROM busybox:stable\nRUN --mount=type=ssh,required true\n");
    assert!(error.contains("the ssh agent `default` was not given"), "{error}");
}

#[test]
fn networks_are_given_as_asked_and_the_hosts_only_when_allowed() {
    let Some(home) = home() else { return };
    home.build("FROM busybox:stable\nRUN --network=none --security=sandbox grep -c : /proc/net/dev\n");
    assert_eq!(home.output(), ["1"], "loopback only");
    let dockerfile = "FROM busybox:stable\nRUN --network=host grep -c : /proc/net/dev\n";
    let error = home.fail(dockerfile);
    assert!(error.contains("--network=host") && error.contains("not allowed"), "{error}");
    let mut request = home.request(dockerfile);
    request.host_network = true;
    home.build_request(&request).expect("built");
    let own = fs::read_to_string("/proc/net/dev").expect("read").lines().filter(|line| line.contains(':')).count();
    assert_eq!(home.output(), [own.to_string()]);
    // Hidden in a base's ONBUILD it is not allowed either.
    let mut base = home.request("FROM busybox:stable\nONBUILD RUN --network=host true\n");
    base.host_network = true;
    base.tags.push("trap".parse().expect("name"));
    home.build_request(&base).expect("built");
    let error = home.fail("FROM trap\n");
    assert!(error.contains("--network=host is not allowed"), "{error}");
    let error = home.fail("FROM busybox:stable\nRUN --security=insecure true\n");
    assert!(error.contains("--security=insecure is not supported"), "{error}");
}

/// CVE-2024-23652 through a whole build: the step replaces the folders of its mount targets by links out of the root.
#[test]
fn cve_2024_23652_the_host_keeps_its_folders() {
    let Some(home) = home() else { return };
    let outside = home.path.join("outside");
    fs::create_dir_all(outside.join("keep")).expect("folder");
    fs::write(outside.join("file"), "").expect("written");
    let out = outside.display();
    // The mounts' own targets are busy while the step runs; it moves the folders above them away.
    home.build(&format!(
        "FROM busybox:stable\nRUN --mount=type=tmpfs,target=/w/keep --mount=type=cache,target=/v/file mv /w /gone-w; mv /v /gone-v; ln -s {out} /w; ln -s {out} /v\n"
    ));
    assert!(outside.join("keep").is_dir() && outside.join("file").is_file());
}

/// CVE-2024-23651: what a step is given of a cache that others write to is resolved by the container's own rules: the builder hands
/// the folder and the path below it on, never a path put together. (How that is resolved is tried in the runtime's own tests.)
#[test]
fn cve_2024_23651_the_path_in_a_cache_is_never_resolved_by_the_builder() {
    use builder::{Exit, Isolate, IsolateError, RunSource, RunStep};
    struct Look(std::sync::Mutex<Vec<RunSource>>);
    impl Isolate for Look {
        fn run(&self, step: &RunStep, _: &dyn Fn(&str)) -> Result<Exit, IsolateError> {
            self.0.lock().expect("seen").extend(step.mounts.iter().map(|mount| mount.source.clone()));
            // What a step before has left in the cache.
            if let Some(RunSource::Below { base, .. }) = step.mounts.first().map(|mount| &mount.source) {
                let _ = symlink("/etc", base.join("sub"));
            }
            Ok(Exit::Code(0))
        }
    }
    let home = Home::new();
    let look = Look(std::sync::Mutex::default());
    let mut request = home.request("FROM scratch\nRUN --mount=type=cache,id=c,target=/c,source=sub/../sub true\n");
    request.no_cache = true;
    for _ in 0..2 {
        home.build_isolated(&request, &look).expect("built");
    }
    for source in look.0.lock().expect("seen").iter() {
        let RunSource::Below { base, path } = source else { panic!("{source:?}") };
        assert!(base.starts_with(home.store.root()) && path == "sub/../sub", "{source:?}");
    }
}

/// A cache that remembers what was made of which sources: what changed must be newer than what was made of it before.
#[test]
fn steps_with_caches_see_when_sources_changed() {
    let Some(home) = home() else { return };
    let make = |from: &str| {
        format!(
            "if [ -e /cache/out ] && [ ! {from} -nt /cache/out ]; then echo fresh; else echo made; cp {from} /cache/out; fi; cat /cache/out; chmod 600 {from}"
        )
    };
    let dockerfile = |seed: u32| {
        format!(
            "FROM busybox:stable\nWORKDIR /app\nCOPY src src\nCOPY src/main.c renamed.c\nRUN echo {seed} > /app/generated; ln -s x /app/link\nRUN rm /bin/wget\nRUN --mount=type=cache,id=a,target=/cache {}\nRUN --mount=type=cache,id=b,target=/cache [ ! -e /bin/wget ] && {}\nRUN --mount=type=cache,id=c,target=/cache {}\n",
            make("src/main.c"),
            make("generated"),
            make("renamed.c")
        )
    };
    let run = |seed: u32| {
        let mut request = home.request(&dockerfile(seed));
        request.no_cache = true;
        let built = home.build_request(&request).unwrap_or_else(|error| panic!("{error}"));
        (home.output(), built.image)
    };
    home.write("src/main.c", "one\n");
    home.write("src/deep/main.c", "another");
    let (output, first) = run(1);
    assert_eq!(output, ["made", "one", "made", "1", "made", "one"]);
    let (output, again) = run(1);
    assert_eq!(output, ["fresh", "one", "fresh", "1", "fresh", "one"], "nothing changed, and nothing is done again");
    assert_eq!(again, first, "no time of the host is in a layer");
    // busybox compares whole seconds.
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    home.write("src/main.c", "two\n");
    assert_eq!(run(1).0, ["made", "two", "fresh", "1", "made", "two"]);
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    assert_eq!(run(2).0, ["fresh", "two", "made", "2", "fresh", "two"]);
    assert!(home.store.fsck().expect("fsck").is_empty());
}
