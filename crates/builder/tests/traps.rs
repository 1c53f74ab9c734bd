//! What other builders got wrong against docker, each as a test; and the same Dockerfiles by buildah, whose files must be the same.

#![allow(clippy::print_stdout)]

#[path = "support/home.rs"]
mod home;

use home::Home;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

/// All files of an image as `mode uid:gid path what`, sorted.
fn files(archive: &Path) -> Vec<String> {
    let bytes = fs::read(archive).expect("archive");
    let mut reader = oci::tar::Reader::new(bytes.as_slice(), oci::tar::Limits::default());
    let mut lines = Vec::new();
    while let Some(entry) = reader.next().expect("member") {
        let mut content = vec![0u8; 40];
        let got = reader.read(&mut content).expect("content");
        let what = match &entry.kind {
            oci::tar::Kind::Folder => "/".to_owned(),
            oci::tar::Kind::Symlink { target } => format!(" -> {}", String::from_utf8_lossy(target)),
            oci::tar::Kind::Hardlink { target } => format!(" = {target}"),
            _ => format!(" {}", String::from_utf8_lossy(&content[..got]).trim_end()),
        };
        // Not what every runtime leaves of its own.
        let path = entry.path.to_string();
        if !["dev", "proc", "sys", "etc/hostname", "etc/hosts", "etc/resolv.conf", "run", "run/.containerenv"].contains(&path.as_str()) {
            lines.push(format!("{:o} {}:{} {path}{what}", entry.mode, entry.uid, entry.gid));
        }
    }
    lines.sort_by(|one, other| one.split(' ').nth(2).cmp(&other.split(' ').nth(2)));
    lines
}

fn ours(home: &Home, dockerfile: &str) -> Vec<String> {
    let (_, image) = home.build(dockerfile);
    let path = home.path.join("ours.tar");
    builder::export_tar(&image, &mut fs::File::create(&path).expect("file")).expect("exported");
    files(&path)
}

fn buildah(home: &Home, args: &[&str]) -> bool {
    let mut command = Command::new("buildah");
    command.args(["--storage-driver", "vfs", "--root"]).arg(home.path.join("buildah")).arg("--runroot").arg(home.path.join("buildah-run"));
    let out = command.args(args).stdin(Stdio::null()).output();
    match out {
        Ok(out) if out.status.success() => true,
        Ok(out) => panic!("buildah {args:?}: {}", String::from_utf8_lossy(&out.stderr)),
        Err(_) => {
            println!("skipped: buildah");
            false
        }
    }
}

fn differences(ours: &[String], theirs: &[String]) -> Vec<String> {
    let ours_only = ours.iter().filter(|line| !theirs.contains(line)).map(|line| format!("ours: {line}"));
    ours_only.chain(theirs.iter().filter(|line| !ours.contains(line)).map(|line| format!("theirs: {line}"))).collect()
}

/// The same by buildah; `None` where it is missing.
fn theirs(home: &Home) -> Option<Vec<String>> {
    let (context, archive) = (home.path.join("context"), home.path.join("theirs.tar"));
    let to = format!("oci-archive:{}", archive.display());
    if !buildah(home, &["bud", "--isolation", "chroot", "-q", "-t", "other", &context.display().to_string()]) {
        return None;
    }
    assert!(buildah(home, &["push", "-q", "other", &to]));
    let imported = blobs::import_path(&home.store, &archive).expect("imported");
    let image = home.store.images().get(&imported[0].id).expect("image");
    let path = home.path.join("files.tar");
    builder::export_tar(&image, &mut fs::File::create(&path).expect("file")).expect("exported");
    Some(files(&path))
}

fn context() -> Home {
    let home = Home::new();
    for (path, content) in
        [("a", "1"), ("d/one", "one"), ("d/sub/two", "two"), ("bin/tool", "tool"), ("x y", "spaced"), ("k/[b]", "bracket")]
    {
        home.write(path, content);
    }
    for (path, mode) in [("d/sub", 0o1777), ("bin/tool", 0o755), ("a", 0o640)] {
        fs::set_permissions(home.path.join("context").join(path), fs::Permissions::from_mode(mode)).expect("mode");
    }
    symlink("sub/two", home.path.join("context/d/link")).expect("link");
    home
}

#[test]
fn files_are_those_that_buildah_makes() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: root");
        return;
    }
    let home = context();
    let dockerfiles = [
        // Folders: content into one that is new, with and without a slash; into one that is there. (A new one without a slash has the
        // source's mode with us and with docker, and 755 with buildah.)
        "FROM scratch\nCOPY d /new\nCOPY d /slash/\nCOPY a /there/a\nCOPY d /there\nCOPY d/ /there/deep/er\n",
        // Folders on the way belong to whom the copy belongs to, and have no mode of --chmod.
        "FROM scratch\nCOPY --chmod=600 --chown=5:6 d /x/y/\nCOPY --chown=7 a /p/q/a\nCOPY --chmod=4711 a /m/a\n",
        // WORKDIR makes folders for the user; what is there stays.
        "FROM scratch\nWORKDIR /w/v\nUSER 7:8\nWORKDIR sub/dir\nCOPY a .\nCOPY a ./b\nWORKDIR /w\n",
        // One file over another, and over a link.
        "FROM scratch\nCOPY a d/one d/link /f/\nCOPY d/one /f/a\nCOPY bin/tool /l/two\nCOPY a /l/\n",
        // Names.
        "FROM scratch\nCOPY [\"x y\", \"/s p/\"]\nCOPY d/* /star/\nCOPY a d/o?e /two/\n",
        // Stages: modes, owners and links of layers are kept.
        "FROM scratch AS one\nCOPY --chown=3:4 d /d\nCOPY --chown=9:9 bin /d/bin\nFROM scratch\nCOPY --from=one /d /copy/\nCOPY --from=0 /d/bin/tool /tool\nCOPY --from=one --chown=1:1 /d/link /followed\n",
        // Archives; without an entry for their own root, which buildah gives the folder that they are unpacked into.
        "FROM scratch\nADD t.tar.gz /t\nADD t.tar.gz /t/again/\nCOPY t.tar.gz /c/\nADD a /plain\n",
    ];
    let tar = ["--owner=5", "--group=6", "--mtime=@1000", "-czf", "t.tar.gz", "-C", "d", "one", "sub", "link"];
    assert!(Command::new("tar").current_dir(home.path.join("context")).args(tar).status().expect("tar").success());
    for dockerfile in dockerfiles {
        let ours = ours(&home, dockerfile);
        let Some(theirs) = theirs(&home) else { return };
        assert_eq!(differences(&ours, &theirs), [""; 0], "{dockerfile}");
    }
}

#[test]
fn commands_leave_the_files_that_buildahs_leave() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: root");
        return;
    }
    let Some(home) = Home::with_bases(&["busybox_stable.tar"]) else { return };
    let base = Path::new(&std::env::var("WHARF_TEST_BASES").expect("set")).join("busybox_stable.tar");
    home.write("a", "1");
    if !buildah(&home, &["pull", "-q", &format!("docker-archive:{}", base.display())]) {
        return;
    }
    let dockerfiles = [
        "FROM busybox:stable\nRUN rm -r /home && mkdir /home && touch /home/new && rm /bin/wget && ln -s /nowhere /bin/wget && mkdir -p /opt/x && chmod 1777 /opt/x\n",
        "FROM busybox:stable\nWORKDIR /app\nUSER 1000:1001\nRUN touch /tmp/mine && id -u > /tmp/id\nCOPY a /app/\n",
        "FROM busybox:stable\nENV A=1\nARG B=2\nRUN echo $A$B > /ab && touch -d @86400 /dated && mkfifo /pipe && ln /ab /hard\n",
    ];
    for dockerfile in dockerfiles {
        let ours = ours(&home, dockerfile);
        let Some(theirs) = theirs(&home) else { return };
        assert_eq!(differences(&ours, &theirs), [""; 0], "{dockerfile}");
    }
}

#[test]
fn a_destination_that_is_a_link_is_followed_and_a_name_in_a_folder_is_not() {
    // As fsutil, which docker copies with; buildah replaces both.
    let files = ours(&context(), "FROM scratch\nCOPY d /l\nCOPY a /l/link\n");
    assert!(files.contains(&"777 0:0 l/link -> sub/two".to_owned()) && files.contains(&"640 0:0 l/sub/two 1".to_owned()), "{files:?}");
    let home = context();
    home.write("e/link", "file");
    let files = ours(&home, "FROM scratch\nCOPY d /l\nCOPY e/link /l/\n");
    assert!(files.contains(&"644 0:0 l/link file".to_owned()) && files.contains(&"644 0:0 l/sub/two two".to_owned()), "{files:?}");
}

#[test]
fn a_volume_makes_no_folder() {
    // buildah makes one; docker does not.
    assert_eq!(ours(&context(), "FROM scratch\nCOPY a /a\nVOLUME [\"/vol\", \"/more\"]\n"), ["640 0:0 a 1"]);
}

#[test]
fn keys_hold_what_a_step_depends_on_and_nothing_else() {
    let home = context();
    home.write("v1", "1");
    home.write("v2", "1");
    let cached = |dockerfile: &str, args: &[(&str, &str)]| {
        let mut request = home.request(dockerfile);
        request.args = args.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let built = home.build_request(&request).unwrap_or_else(|error| panic!("{dockerfile}: {error}"));
        built.steps.iter().map(|step| step.cached).collect::<Vec<_>>()
    };
    // Arguments that COPY, ADD and WORKDIR use; and not those that they do not.
    let dockerfile = "FROM scratch\nARG V=1\nARG OTHER=x\nCOPY v$V /f\nADD v$V /g\nWORKDIR /w$V\n";
    assert_eq!(cached(dockerfile, &[]), [false, false, false]);
    assert_eq!(cached(dockerfile, &[("OTHER", "y")]), [true, true, true]);
    assert_eq!(cached(dockerfile, &[("V", "2")]), [false, false, false]);
    // The body of a here-document, and a variable in it.
    let heredoc = "FROM scratch\nARG W=a\nCOPY <<E /h\n$W\nE\n";
    assert_eq!(cached(heredoc, &[]), [false]);
    assert_eq!(cached(heredoc, &[("W", "b")]), [false]);
    assert_eq!(cached(&heredoc.replace("<<E", "<<'E'"), &[("W", "b")]), [false]);
    assert_eq!(cached(&heredoc.replace("<<E", "<<'E'"), &[("W", "c")]), [true], "nothing is expanded in it");
    // Neither the time nor the labels of a base.
    for (label, epoch) in [("1", "2020-01-01T00:00:00Z"), ("2", "2021-01-01T00:00:00Z")] {
        let mut base = home.request(&format!("FROM scratch\nCOPY a /base\nLABEL l={label}\n"));
        base.epoch = base::Timestamp::parse_rfc3339(epoch);
        base.tags.push("labelled".parse().expect("name"));
        home.build_request(&base).expect("built");
        assert_eq!(cached("FROM labelled\nCOPY d /d\n", &[]), [label == "2"]);
    }
}

#[test]
fn proxies_reach_commands_and_nothing_that_is_kept() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: root");
        return;
    }
    let Some(home) = Home::with_bases(&["busybox_stable.tar"]) else { return };
    let mut request = home.request("FROM busybox:stable\nRUN echo $HTTP_PROXY $all_proxy; touch /f\n");
    request
        .args
        .extend([("HTTP_PROXY", "http://one"), ("all_proxy", "http://two")].map(|(name, value)| (name.to_owned(), value.to_owned())));
    let built = home.build_request(&request).expect("built");
    assert_eq!(home.output(), ["http://one http://two"]);
    assert_eq!(built.warnings, [""; 0]);
    let image = home.store.images().get(&built.image).expect("image");
    assert!(!format!("{:?}", image.config).contains("http://"));
    request.args.insert("HTTP_PROXY".into(), "http://other".into());
    assert_eq!(home.build_request(&request).expect("built").cached, 1);
    request.args.clear();
    assert_eq!(home.build_request(&request).expect("built").image, built.image);
}

#[test]
fn times_are_kept_between_stages_and_are_one_for_the_context() {
    let home = context();
    let times = |dockerfile: &str| {
        let (_, image) = home.build(dockerfile);
        let mut bytes = Vec::new();
        home.store.layers().export(image.layers.last().expect("layer"), &mut bytes).expect("exported");
        let mut reader = oci::tar::Reader::new(bytes.as_slice(), oci::tar::Limits::default());
        std::iter::from_fn(|| reader.next().expect("member")).map(|entry| (entry.path.to_string(), entry.mtime.seconds)).collect::<Vec<_>>()
    };
    let tar = ["--mtime=@1000", "-cf", "t.tar", "a"];
    assert!(Command::new("tar").current_dir(home.path.join("context")).args(tar).status().expect("tar").success());
    assert_eq!(times("FROM scratch AS s\nADD t.tar /t/\nFROM scratch\nCOPY --from=s /t/a /\n"), [("a".to_owned(), 1000)]);
    assert_eq!(times("FROM scratch\nCOPY a /\n"), [("a".to_owned(), 315_532_801)]);
    let mut request = home.request("FROM scratch\nCOPY a /\n");
    request.args.insert("SOURCE_DATE_EPOCH".into(), "1234".into());
    let image = home.store.images().get(&home.build_request(&request).expect("built").image).expect("image");
    assert_eq!(image.config.created.as_deref(), Some("1970-01-01T00:20:34Z"));
}
