//! Images FROM scratch: COPY, ADD, configuration, stages, cache and errors, without any container.

#![allow(clippy::print_stdout)]

#[path = "support/home.rs"]
mod home;

use builder::{BuildError, NamedContext, Request, StepReport};
use home::{Home, env};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

#[test]
fn copies_files_folders_patterns_and_here_documents() {
    let home = Home::new();
    home.write("app/main.py", "main");
    home.write("app/lib/a.py", "a");
    home.write("one.txt", "1");
    home.write("two.txt", "2");
    fs::set_permissions(home.path.join("context/one.txt"), fs::Permissions::from_mode(0o4711)).expect("mode");
    symlink("../../outside", home.path.join("context/app/link")).expect("link");
    symlink("app", home.path.join("context/alias")).expect("link");
    let (_, image) = home.build("FROM scratch\nWORKDIR /srv\nCOPY app code\nCOPY o*.txt two.txt /data/\nCOPY one.txt ./renamed\nCOPY --chown=1000:1001 --chmod=640 alias owned/\nCOPY <<EOF <<'RAW' /etc/\nhello $PATH\nEOF\n$PATH stays\nRAW\n");
    assert_eq!(
        home.listing(&image),
        [
            "755 0:0 srv/",
            "755 0:0 srv/",
            "755 0:0 srv/code/",
            "755 0:0 srv/code/lib/",
            "644 0:0 srv/code/lib/a.py a",
            "777 0:0 srv/code/link -> ../../outside",
            "644 0:0 srv/code/main.py main",
            "755 0:0 data/",
            "4711 0:0 data/one.txt 1",
            "644 0:0 data/two.txt 2",
            "755 0:0 srv/",
            "4711 0:0 srv/renamed 1",
            "755 0:0 srv/",
            "755 1000:1001 srv/owned/",
            "640 1000:1001 srv/owned/lib/",
            "640 1000:1001 srv/owned/lib/a.py a",
            "777 1000:1001 srv/owned/link -> ../../outside",
            "640 1000:1001 srv/owned/main.py main",
            "755 0:0 etc/",
            "644 0:0 etc/EOF hello /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbi",
            "644 0:0 etc/RAW $PATH stays",
        ]
    );
}

#[test]
fn the_configuration_says_what_the_dockerfile_says() {
    let home = Home::new();
    let (_, image) = home.build(
        "ARG BASE=scratch\nFROM ${BASE}\nMAINTAINER me\nARG V=1\nENV A=1 B=\"two words\"\nENV A=2 C=$A-$V\nLABEL x=\"$B\" y=z\nEXPOSE 80 53/UDP 8000-8002\nVOLUME /data [\"/x\"]\nSTOPSIGNAL SIGINT\nHEALTHCHECK --interval=30s --timeout=1m30s --start-interval=500ms --retries=3 CMD curl -f x\nWORKDIR /a\nWORKDIR b/../c\nUSER app:app\nSHELL [\"/bin/bash\", \"-c\"]\nENTRYPOINT [\"/app\", \"-x\"]\nCMD run $A\nONBUILD COPY . /src\n",
    );
    let config = &image.config.config;
    assert_eq!(image.config.author.as_deref(), Some("me"));
    assert_eq!(env(&image).get("C").map(String::as_str), Some("1-1"));
    assert_eq!(config.env[1..], ["A=2", "B=two words", "C=1-1"]);
    assert_eq!((config.labels["x"].as_str(), config.labels["y"].as_str()), ("two words", "z"));
    assert_eq!(config.exposed_ports.keys().collect::<Vec<_>>(), ["53/udp", "80/tcp", "8000/tcp", "8001/tcp", "8002/tcp"]);
    assert_eq!(config.user, "app:app");
    assert_eq!(config.stop_signal.as_deref(), Some("SIGINT"));
    let check = config.healthcheck.as_ref().expect("check");
    assert_eq!((check.interval, check.timeout, check.start_interval, check.retries), (30_000_000_000, 90_000_000_000, 500_000_000, 3));
    assert_eq!(check.test, ["CMD-SHELL", "curl -f x"]);
    assert_eq!(config.working_dir, "/a/c");
    assert_eq!(config.entrypoint.as_deref(), Some(["/app".to_owned(), "-x".to_owned()].as_slice()));
    assert_eq!(config.cmd.as_deref(), Some(["/bin/bash".to_owned(), "-c".to_owned(), "run $A".to_owned()].as_slice()));
    assert_eq!(config.on_build, ["COPY . /src"]);
    assert_eq!(image.config.created.as_deref(), Some("1980-01-01T00:00:01Z"));
    assert_eq!(image.config.history.iter().filter(|step| !step.empty_layer).count(), image.layers.len());
}

fn flags(steps: &[StepReport]) -> Vec<bool> {
    steps.iter().map(|step| step.cached).collect()
}

#[test]
fn equal_inputs_give_equal_images_and_no_work() {
    let home = Home::new();
    home.write("a", "1");
    home.write("b", "2");
    let dockerfile = "FROM scratch\nCOPY a /a\nLABEL l=1\nCOPY b /b\nWORKDIR /w\n";
    let (first, _) = home.build(dockerfile);
    assert_eq!(first.cached, 0);
    let (again, _) = home.build(dockerfile);
    assert_eq!((again.image, again.manifest, again.cached), (first.image, first.manifest, 3));
    // Times mean nothing; contents and modes do.
    home.write("a", "1");
    let (touched, _) = home.build(dockerfile);
    assert_eq!((touched.image, touched.cached), (first.image, 3));
    let (relabelled, _) = home.build(&dockerfile.replace("l=1", "l=2"));
    assert_eq!(relabelled.cached, 3);
    assert_ne!(relabelled.image, first.image);
    home.write("b", "3");
    let (changed, _) = home.build(dockerfile);
    assert_eq!(flags(&changed.steps), [true, false, false]);
    assert_eq!(changed.steps[1].reasons, ["changed: b"]);
    assert_eq!(changed.steps[2].reasons, ["changed: what the step stands on"]);
    fs::set_permissions(home.path.join("context/a"), fs::Permissions::from_mode(0o600)).expect("mode");
    let (mode, _) = home.build(dockerfile);
    assert_eq!(mode.cached, 0);
    // Another machine comes to the very same image.
    let other = Home::new();
    other.write("a", "1");
    other.write("b", "2");
    let (elsewhere, _) = other.build(dockerfile);
    assert_eq!((elsewhere.image, elsewhere.manifest), (first.image, first.manifest));
    let mut request = home.request(dockerfile);
    request.no_cache = true;
    let redone = home.build_request(&request).expect("built");
    assert_eq!((redone.cached, redone.steps[0].reasons[0].as_str()), (0, "--no-cache was asked for"));
    request.no_cache = false;
    request.epoch = base::Timestamp::parse_rfc3339("2026-01-02T03:04:05Z");
    let dated = home.build_request(&request).expect("built");
    assert_eq!(dated.cached, 3);
    assert_eq!(home.store.images().get(&dated.image).expect("image").config.created.as_deref(), Some("2026-01-02T03:04:05Z"));
}

#[test]
fn keys_tell_renames_and_shifts_apart() {
    let home = Home::new();
    home.write("d/ab/c", "x");
    let (one, _) = home.build("FROM scratch\nCOPY d /d\n");
    fs::remove_dir_all(home.path.join("context/d")).expect("removed");
    home.write("d/a/bc", "x");
    let (two, _) = home.build("FROM scratch\nCOPY d /d\n");
    assert_ne!(one.image, two.image);
    assert_eq!(two.cached, 0);
    let (three, _) = home.build("FROM scratch\nCOPY <<E /f\n1\nE\n");
    let (four, _) = home.build("FROM scratch\nCOPY <<E /f\n2\nE\n");
    assert_ne!(three.image, four.image);
}

#[test]
fn dockerignore_leaves_out_and_says_so() {
    let home = Home::new();
    for path in ["src/main.rs", "target/x", "secret.pem", "docs/a.md", "docs/keep.md"] {
        home.write(path, path);
    }
    home.write(".dockerignore", "target\n*.pem\ndocs\n!docs/keep.md\nDockerfile\n.dockerignore\n");
    let (_, image) = home.build("FROM scratch\nCOPY . /\n");
    assert_eq!(
        home.listing(&image),
        ["755 0:0 docs/", "644 0:0 docs/keep.md docs/keep.md", "755 0:0 src/", "644 0:0 src/main.rs src/main.rs"]
    );
    let error = home.fail("FROM scratch\nCOPY secret.pem /\n");
    assert!(error.contains("Dockerfile:2") && error.contains(".dockerignore"), "{error}");
    home.write("Dockerfile.dockerignore", "src\n");
    let (_, image) = home.build("FROM scratch\nCOPY secret.pem /\n");
    assert_eq!(home.listing(&image), ["644 0:0 secret.pem secret.pem"]);
    home.write("Dockerfile.dockerignore", "[\n");
    assert!(home.fail("FROM scratch\n").contains("Dockerfile.dockerignore:1"));
}

#[test]
fn what_is_to_be_left_out_is_in_no_image() {
    let home = Home::new();
    home.write("a", "1");
    // Nothing brings it back.
    home.write("Dockerfile.dockerignore", "!out\n");
    let request = Request { leave_out: vec!["out".to_owned()], ..home.request("FROM scratch\nCOPY . /\n") };
    let before = home.build_request(&request).expect("built").image;
    home.write("out/report.xml", "<a/>");
    assert_eq!(home.build_request(&request).expect("built").image, before);
    assert_ne!(home.build_request(&Request { leave_out: Vec::new(), ..request }).expect("built").image, before);
}

#[test]
fn stages_copy_from_each_other_and_unneeded_ones_are_not_built() {
    let home = Home::new();
    home.write("bin/app", "app");
    home.write("other", "o");
    fs::set_permissions(home.path.join("context/bin/app"), fs::Permissions::from_mode(0o755)).expect("mode");
    let dockerfile = "FROM scratch AS Build\nCOPY --chown=7:8 bin /out/bin\nFROM scratch AS unneeded\nCOPY missing /\nFROM scratch AS mid\nCOPY other /o\nFROM mid\nCOPY --from=build /out/bin/* /usr/bin/\nCOPY --from=0 /out /all\nENTRYPOINT [\"/usr/bin/app\"]\n";
    let (built, image) = home.build(dockerfile);
    let expected = [
        "644 0:0 o o",
        "755 0:0 usr/",
        "755 0:0 usr/bin/",
        "755 7:8 usr/bin/app app",
        "755 7:8 all/",
        "755 7:8 all/bin/",
        "755 7:8 all/bin/app app",
    ];
    // The folder `/out` was made by COPY itself with --chown, and so is its owner's.
    assert_eq!(home.listing(&image), expected);
    assert!(built.steps.iter().all(|step| step.stage != 1));
    let (again, _) = home.build(dockerfile);
    assert_eq!(again.cached, again.steps.len());
    let mut request = home.request(dockerfile);
    request.target = Some("BUILD".into());
    let target = home.build_request(&request).expect("built");
    assert_eq!(home.store.images().get(&target.image).expect("image").layers.len(), 1);
    request.target = Some("none".into());
    assert!(home.build_request(&request).expect_err("no stage").to_string().contains("no stage is called `none`"));
}

#[test]
fn onbuild_runs_in_the_child_and_only_there() {
    let home = Home::new();
    home.write("a", "1");
    let (base, _) = home.build("FROM scratch\nONBUILD COPY a /triggered\nONBUILD ENV T=1\n");
    home.store.images().tag(&"base".parse().expect("name"), &base.image).expect("tagged");
    let (_, image) = home.build("FROM base\nCOPY a /own\n");
    assert_eq!(home.listing(&image), ["644 0:0 triggered 1", "644 0:0 own 1"]);
    assert!(image.config.config.on_build.is_empty());
    assert_eq!(env(&image).get("T").map(String::as_str), Some("1"));
}

#[test]
fn arguments_have_scopes() {
    let home = Home::new();
    let dockerfile = "ARG G=global\nARG H=${G}2\nFROM scratch AS one\nENV NONE=$G\nARG G\nARG H\nARG L=$H-local\nENV SEEN=$G/$H/$L PLATFORM=$TARGETARCH\nFROM scratch AS two\nARG TARGETOS\nENV LEAK=[$L] OS=$TARGETOS\nFROM one AS three\nENV INHERITED=$L\n";
    let target = |name: &str, args: &[(&str, &str)]| {
        let mut request = home.request(dockerfile);
        request.target = Some(name.into());
        request.args = args.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let built = home.build_request(&request).expect("built");
        (env(&home.store.images().get(&built.image).expect("image")), built.warnings)
    };
    let (one, _) = target("one", &[]);
    assert_eq!((one["NONE"].as_str(), one["SEEN"].as_str(), one["PLATFORM"].as_str()), ("", "global/global2/global2-local", ""));
    let (one, warnings) = target("one", &[("G", "given"), ("L", "l"), ("TYPO", "x")]);
    assert_eq!(one["SEEN"], "given/given2/l");
    assert_eq!(warnings, ["the build argument `TYPO` was given and no ARG asks for it"]);
    let (two, _) = target("two", &[("L", "l")]);
    assert_eq!((two["LEAK"].as_str(), two["OS"].as_str()), ("[]", "linux"));
}

#[test]
fn add_unpacks_archives_and_copy_does_not() {
    let home = Home::new();
    home.write("tree/bin/x", "x");
    home.write("tree/y", "y");
    home.write("plain.gz", "no archive");
    fs::set_permissions(home.path.join("context/tree"), fs::Permissions::from_mode(0o700)).expect("mode");
    let context = home.path.join("context");
    let tar = |args: &[&str]| Command::new("tar").current_dir(&context).args(args).status().is_ok_and(|status| status.success());
    if !tar(&["--owner=5", "--group=6", "--mtime=@1000000000", "-czf", "tree.tgz", "-C", "tree", "."]) {
        println!("skipped: tar");
        return;
    }
    let (_, image) =
        home.build("FROM scratch\nADD tree.tgz /opt\nADD plain.gz /plain/\nCOPY plain.gz /copied\nADD --unpack=false plain.gz /kept\n");
    assert_eq!(
        home.listing(&image),
        [
            "755 0:0 opt/",
            "755 5:6 opt/bin/",
            "644 5:6 opt/bin/x x",
            "644 5:6 opt/y y",
            "755 0:0 plain/",
            "644 0:0 plain/plain.gz no archive",
            "644 0:0 copied no archive",
            "644 0:0 kept no archive"
        ]
    );
    home.write("evil.tar", {
        let mut bytes = Vec::new();
        let path = oci::tar::EntryPath::parse(b"x").expect("path");
        let entry = oci::tar::Entry {
            path,
            kind: oci::tar::Kind::File { size: 0 },
            mode: 0o644,
            uid: 0,
            gid: 0,
            mtime: Default::default(),
            xattrs: Default::default(),
        };
        oci::tar::encode_header(&entry, &mut bytes);
        let mut evil = bytes.clone();
        evil[..4].copy_from_slice(b"../x");
        evil[148..156].copy_from_slice(b"        ");
        let sum: u32 = evil.iter().map(|&b| u32::from(b)).sum();
        evil[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        [bytes, evil, vec![0; 1024]].concat()
    });
    let error = home.fail("FROM scratch\nADD evil.tar /\n");
    assert!(error.contains("leaves the archive"), "{error}");
}

#[test]
fn nothing_leaves_the_context_or_the_root() {
    let home = Home::new();
    home.write("a", "1");
    symlink("/etc/passwd", home.path.join("context/passwd")).expect("link");
    symlink("/etc", home.path.join("context/host")).expect("link");
    for source in ["../../../../etc/passwd", "passwd", "host/passwd", "/etc/passwd"] {
        let error = home.fail(&format!("FROM scratch\nCOPY {source} /x\n"));
        assert!(error.contains("not in the context"), "{source}: {error}");
    }
    // A link of the image is followed within the image.
    home.write("links/up/.keep", "");
    symlink("/../../real", home.path.join("context/links/out")).expect("link");
    let (_, image) = home.build("FROM scratch\nCOPY links /l\nCOPY a /l/out/\nCOPY a /l/../../../b\n");
    let listing = home.listing(&image);
    assert_eq!(listing[listing.len() - 3..], ["755 0:0 real/", "644 0:0 real/a 1", "644 0:0 b 1"]);
    assert!(!home.path.join("real").exists());
}

#[test]
fn what_cannot_be_done_is_named_with_its_line() {
    let home = Home::new();
    home.write("a", "1");
    home.write("d/b", "1");
    let rows = [
        ("FROM scratch\nCOPY a d /x\n", "Dockerfile:2", "write `/x/`"),
        ("FROM scratch\nCOPY missing /x\n", "Dockerfile:2", "`missing` is not in the context"),
        ("FROM scratch\nCOPY m*g /x\n", "Dockerfile:2", "nothing matches `m*g`"),
        ("FROM scratch\nCOPY a /x\nCOPY d /x\n", "Dockerfile:3", "is no folder"),
        ("FROM scratch\nCOPY d /x/\nCOPY a /x/b/c\n", "Dockerfile:3", "is no folder"),
        ("FROM scratch\nCOPY d /x\nCOPY --from=9 /a /b\n", "Dockerfile:3", "no stage 9"),
        ("FROM scratch AS s\nCOPY --from=s /a /b\n", "Dockerfile:2", "comes later, or is this one"),
        ("FROM scratch\nCOPY --chown=nobody a /\n", "Dockerfile:2", "no user `nobody`"),
        ("FROM scratch\nRUN --mount=type=ssh,required true\n", "Dockerfile:2", "the ssh agent `default` was not given"),
        ("FROM scratch\nRUN --network=host true\n", "Dockerfile:2", "--network=host"),
        (
            "FROM scratch\nADD https://example.com/x.git#main /\n",
            "Dockerfile:2",
            "the repository `https://example.com/x.git` cannot be reached: this build has no network",
        ),
        ("FROM scratch\nADD https://example.com/x.git#-x /\n", "Dockerfile:2", "of the repository `https://example.com/x.git#-x`"),
        ("FROM scratch\nARG U=git@example.com:x/y\nADD $U /\n", "Dockerfile:3", "pass `--ssh default`"),
        ("FROM scratch\nADD --keep-git-dir a /\n", "Dockerfile:2", "of what is no repository"),
        ("FROM scratch\nARG F=a\nADD --keep-git-dir $F /\n", "Dockerfile:3", "for repositories, and nothing else"),
        ("FROM scratch\nADD --checksum=xyz https://example.com/x.git /\n", "Dockerfile:2", "--checksum=xyz"),
        ("FROM scratch\nADD https://example.com/x.git a /\n", "Dockerfile:2", "an ADD for each"),
        ("FROM scratch\nADD --checksum=md5:00 https://example.com/x /\n", "Dockerfile:2", "--checksum=md5:00"),
        (
            "FROM scratch\nADD --checksum=sha256:0000000000000000000000000000000000000000000000000000000000000000 a /\n",
            "Dockerfile:2",
            "--checksum is for one address",
        ),
        ("FROM scratch\nADD https://example.com/x /\n", "Dockerfile:2", "`https://example.com/x` cannot be fetched"),
        ("FROM scratch\nCOPY --parents none/x /\n", "Dockerfile:2", "`none/x` is not in the context"),
        ("FROM scratch\nCOPY --parents **/none* /\n", "Dockerfile:2", "nothing matches"),
        ("FROM scratch\nCOPY --chmod=u+q a /\n", "Dockerfile:2", "--chmod=u+q is not supported"),
        ("FROM --platform=windows/amd64 scratch\n", "Dockerfile:1", "windows/amd64"),
        ("FROM $NOTHING\n", "Dockerfile:1", "is empty"),
        ("FROM no/such:image\n", "Dockerfile:1", "is not here"),
        ("FROM scratch\nEXPOSE 80x\n", "Dockerfile:2", "no port"),
        ("FROM scratch\nSTOPSIGNAL no-signal\n", "Dockerfile:2", "no signal"),
        ("FROM scratch\nENV A=${B?needed}\n", "Dockerfile:2", "needed"),
        ("FRO scratch\n", "Dockerfile:1", "FRO"),
        ("", "Dockerfile", "no stage"),
    ];
    for (dockerfile, place, message) in rows {
        let error = home.fail(dockerfile);
        assert!(error.contains(place) && error.contains(message), "{dockerfile:?}: {error}");
    }
}

#[test]
fn all_that_is_unsupported_is_told_before_anything_is_done() {
    let home = Home::new();
    let request =
        home.request("FROM scratch\nCOPY missing /\nRUN --device=x true\nRUN --security=insecure true\nONBUILD RUN --network=host x\n");
    let BuildError::Refused(findings) = home.build_request(&request).expect_err("refused") else { panic!("not refused") };
    assert_eq!(findings.iter().map(|finding| finding.place.line).collect::<Vec<_>>(), [Some(3), Some(4), Some(5)]);
    assert!(home.events.lock().expect("events").is_empty());
}

#[test]
fn other_contexts_stand_for_images_and_folders() {
    let home = Home::new();
    home.write("a", "1");
    let (base, image) = home.build("FROM scratch\nCOPY a /from-base\n");
    let archive = home.path.join("base.tar");
    let mut bytes = Vec::new();
    home.store
        .save(&[(image, vec!["some/base:1".parse().expect("name")])], blobs::SaveFormat::Both, blobs::Compression::None, &mut bytes)
        .expect("saved");
    fs::write(&archive, bytes).expect("written");
    let other = Home::new();
    other.write("x", "x");
    fs::create_dir(other.path.join("assets")).expect("folder");
    fs::write(other.path.join("assets/logo"), "logo").expect("written");
    let mut request = other.request("FROM some/base:1\nCOPY --from=assets logo /\nCOPY x /\n");
    let Err(BuildError::Step(step)) = other.build_request(&request) else { panic!("no base") };
    assert!(step.hint.contains("--build-context"), "{step:?}");
    request.contexts.insert("some/base:1".into(), NamedContext::Archive(archive));
    request.contexts.insert("assets".into(), NamedContext::Folder(other.path.join("assets")));
    let built = other.build_request(&request).expect("built");
    let listing = other.listing(&other.store.images().get(&built.image).expect("image"));
    assert_eq!(listing, ["644 0:0 from-base 1", "644 0:0 logo logo", "644 0:0 x x"]);
    assert_ne!(built.image, base.image);
    let checked = builder::check(&Request { contexts: Default::default(), ..request }).expect("checked");
    assert_eq!(checked.images, ["assets", "some/base:1"]);
}
