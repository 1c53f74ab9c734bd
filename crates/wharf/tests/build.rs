//! `wharf build` as people use it, with real containers, on the base images of WHARF_TEST_BASES; needs root.

#![allow(clippy::print_stdout, reason = "tests say what they skip")]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

struct Place(PathBuf);

impl Place {
    fn new(test: &str) -> Option<Self> {
        let Some(bases) = std::env::var_os("WHARF_TEST_BASES") else {
            println!("skipped: WHARF_TEST_BASES");
            return None;
        };
        if !rustix::process::geteuid().is_root() {
            println!("skipped: root");
            return None;
        }
        let path = std::env::temp_dir().join(format!("wharf-build-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("context")).expect("folder");
        let place = Self(path);
        // Of its own: sandboxes of several homes would be in each other's way.
        sys::netns::create(&place.netns()).expect("network namespace");
        let up = Command::new("nsenter").arg(place.inside()).args(["ip", "link", "set", "lo", "up"]).status();
        if !up.is_ok_and(|status| status.success()) {
            println!("skipped: nsenter and ip");
            return None;
        }
        place.ok(&["image", "load", &Path::new(&bases).join("busybox_stable.tar").display().to_string()]);
        Some(place)
    }

    fn netns(&self) -> PathBuf {
        self.0.join("netns")
    }

    fn inside(&self) -> String {
        format!("--net={}", self.netns().display())
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.0.join("context").join(path);
        fs::create_dir_all(path.parent().expect("parent")).expect("folder");
        fs::write(path, content).expect("written");
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new("nsenter");
        command.arg(self.inside()).arg(env!("CARGO_BIN_EXE_wharf"));
        command
            .current_dir(&self.0)
            .env_remove("SSH_AUTH_SOCK")
            .env("WHARF_HOME", self.0.join("home"))
            .env("TOKEN", "s3cret-value-17")
            .args(args);
        command.output().expect("started")
    }

    /// Standard output and error of a command that must succeed.
    fn ok(&self, args: &[&str]) -> (String, String) {
        let out = self.run(args);
        let said = (String::from_utf8_lossy(&out.stdout).into_owned(), String::from_utf8_lossy(&out.stderr).into_owned());
        assert!(out.status.success(), "{args:?}: {}", said.1);
        said
    }

    /// What commands wrote, and the image's id.
    fn build(&self, dockerfile: &str, args: &[&str]) -> (Vec<String>, String) {
        self.write("Dockerfile", dockerfile);
        let (id, said) = self.ok(&[&["build", "context"], args].concat());
        (said.lines().filter_map(|line| line.strip_prefix("    ")).map(str::to_owned).collect(), id.trim().to_owned())
    }

    /// The error of a build that must fail, and its exit code.
    fn fail(&self, dockerfile: &str, args: &[&str]) -> (String, i32) {
        self.write("Dockerfile", dockerfile);
        let out = self.run(&[&["build", "context"], args].concat());
        assert!(!out.status.success(), "{dockerfile}");
        (String::from_utf8_lossy(&out.stderr).into_owned(), out.status.code().expect("code"))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = sys::netns::remove(&self.netns());
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn said(lines: &[String], text: &str) -> bool {
    lines.iter().any(|line| line == text)
}

#[test]
fn mounts_and_networks_are_as_asked_in_real_containers() {
    let Some(place) = Place::new("mounts") else { return };
    place.write("src/a", "content");
    place.write("src/hidden", "hidden");
    place.write(".dockerignore", "src/hidden\n");
    let dockerfile = "FROM busybox:stable AS tools\nRUN mkdir -p /opt/t && echo one > /opt/t/one && ln -s /opt/t /opt/way\nRUN echo two > /opt/t/two\nFROM busybox:stable\nWORKDIR /app\nRUN --mount=from=tools,source=/opt/way,target=/t ls /t; touch /t/x 2>/dev/null || echo layers are read-only\nRUN --mount=source=src,target=deep/er,rw ls deep/er; echo new > deep/er/b && ls deep/er | wc -l\nRUN --mount=type=cache,target=/home/.cache/x,sharing=locked echo x >> /home/.cache/x/f; wc -l < /home/.cache/x/f\nRUN --mount=type=cache,target=/c,id=/home/.cache/x,source=sub,readonly touch /c/y 2>/dev/null || echo cache is read-only\nRUN --mount=type=tmpfs,target=/mem,size=1m df /mem | tail -n1 | awk '{print $2}'\nRUN --network=none grep -c : /proc/net/dev; ping -c1 -W1 127.0.0.1 >/dev/null && echo own loopback; ping -c1 -W1 10.41.0.1 >/dev/null 2>&1 || echo no way out\nRUN sh -c 'sleep 0.1 &'; sleep 0.3; ps -o stat | grep -c Z || true\n";
    let (lines, _) = place.build(dockerfile, &["-t", "one", "-o", "type=local,dest=out"]);
    for text in ["one", "two", "layers are read-only", "a", "2", "1", "cache is read-only", "1024", "own loopback", "no way out", "0"] {
        assert!(said(&lines, text), "{text}: {lines:?}");
    }
    assert!(!said(&lines, "hidden"));
    let mut left: Vec<String> = fs::read_dir(place.0.join("out/app"))
        .expect("list")
        .map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned())
        .collect();
    left.sort();
    assert!(left.is_empty() && !place.0.join("out/t").exists() && !place.0.join("out/home/.cache").exists(), "{left:?}");
    assert!(!place.0.join("context/src/b").exists());
    let (listed, _) = place.ok(&["image", "ls", "--cache"]);
    assert!(listed.contains("/home/.cache/x"), "{listed}");
    let (lines, _) = place.build(dockerfile, &["--no-cache"]);
    assert!(said(&lines, "2"), "the cache was kept: {lines:?}");
    place.ok(&["image", "prune", "--cache"]);
    assert_eq!(place.ok(&["image", "ls", "--cache"]).0.lines().count(), 1, "the heading alone");
    let (error, code) = place.fail("FROM busybox:stable\nRUN --network=host true\n", &[]);
    assert!(code == 1 && error.contains("--allow network.host"), "{error}");
    let own = Command::new("nsenter").arg(place.inside()).args(["readlink", "/proc/self/ns/net"]).output().expect("nsenter");
    let (lines, _) = place.build("FROM busybox:stable\nRUN --network=host readlink /proc/self/ns/net\n", &["--allow", "network.host"]);
    assert_eq!(lines.first().map(String::as_str), Some(String::from_utf8_lossy(&own.stdout).trim()));
}

#[test]
fn secrets_are_told_to_nobody_and_stored_nowhere() {
    let Some(place) = Place::new("secrets") else { return };
    fs::write(place.0.join("key"), "file-secret-18\n").expect("written");
    let dockerfile = "FROM busybox:stable\nRUN --mount=type=secret,id=TOKEN,env=T --mount=type=secret,id=key,required echo \"$T\"; cat /run/secrets/key; base64 /run/secrets/key; df /run/secrets/key | tail -n1 | awk '{print $1}'; stat -c '%a' /run/secrets/key; touch /done\n";
    let args = ["--secret", "id=TOKEN", "--secret", "id=key,src=key", "--metadata-file", "meta.json", "--iidfile", "id", "-t", "s"];
    let (lines, id) = place.build(dockerfile, &args);
    assert!(lines.iter().filter(|line| *line == "***").count() >= 2 && said(&lines, "tmpfs") && said(&lines, "400"), "{lines:?}");
    assert_eq!(fs::read_to_string(place.0.join("id")).expect("id"), id);
    let (json, _) = place.ok(&["--json", "image", "inspect", "s"]);
    let (history, _) = place.ok(&["image", "history", "s"]);
    let told = [lines.concat(), json, history, fs::read_to_string(place.0.join("meta.json")).expect("metadata")].concat();
    for form in ["s3cret-value-17", "file-secret-18", "ZmlsZS1zZWNyZXQ"] {
        assert!(!told.contains(form), "{form}");
        let found = Command::new("grep").args(["-rlF", form]).arg(place.0.join("home")).output().expect("grep");
        assert_eq!(String::from_utf8_lossy(&found.stdout), "", "{form}");
    }
    for (text, why) in [
        ("id=x,src=none", "is no file"),
        ("id=x,env=NOT_SET_AT_ALL", "is not set"),
        ("src=key", "has no id"),
        ("id=x,what=y", "is not known"),
    ] {
        let (error, code) = place.fail(dockerfile, &["--secret", text]);
        assert!(code == 2 && error.contains(why), "{text}: {error}");
    }
    let (error, code) = place.fail(dockerfile, &["--no-cache"]);
    assert!(code == 1 && error.contains("the secret `key` was not given"), "{error}");
}

/// Answers a few requests: a redirect, a file with `Last-Modified`, `304` where it is known, else `404`.
fn server(place: &Place) -> u16 {
    let listener = sys::netns::run_in(&place.netns(), || TcpListener::bind("127.0.0.1:0")).expect("port");
    let port = listener.local_addr().expect("address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = Vec::new();
            let mut buffer = [0; 1024];
            while !request.windows(4).any(|window| window == b"\r\n\r\n") {
                match stream.read(&mut buffer) {
                    Ok(got @ 1..) => request.extend_from_slice(&buffer[..got]),
                    _ => break,
                }
            }
            let request = String::from_utf8_lossy(&request).to_lowercase();
            let modified = "Last-Modified: Wed, 21 Oct 2015 07:28:00 GMT\r\n";
            let answer = if request.starts_with("get /old ") {
                "HTTP/1.1 302 Found\r\nLocation: /file\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned()
            } else if request.starts_with("get /file ") && request.contains("if-modified-since: wed, 21 oct 2015") {
                format!("HTTP/1.1 304 Not Modified\r\n{modified}Connection: close\r\n\r\n")
            } else if request.starts_with("get /file ") {
                format!("HTTP/1.1 200 OK\r\n{modified}Content-Length: 5\r\nConnection: close\r\n\r\nhello")
            } else {
                "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned()
            };
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    port
}

#[test]
fn addresses_are_fetched_and_what_cannot_be_reached_is_said() {
    let Some(place) = Place::new("fetch") else { return };
    let port = server(&place);
    let dockerfile = format!("FROM busybox:stable\nADD http://127.0.0.1:{port}/old /x/\nRUN stat -c '%a %Y' /x/old; cat /x/old\n");
    let (lines, id) = place.build(&dockerfile, &[]);
    assert!(said(&lines, "600 1445412480") && lines.iter().any(|line| line.starts_with("hello")), "{lines:?}");
    let (lines, again) = place.build(&dockerfile, &[]);
    assert_eq!((lines, again), (vec!["cached".to_owned(); 2], id));
    let (error, code) = place.fail(&format!("FROM scratch\nADD http://127.0.0.1:{port}/none /\n"), &[]);
    assert!(code == 1 && error.contains("answers 404"), "{error}");
    let (error, code) = place.fail("FROM scratch\nADD http://127.0.0.1:1/x /\n", &[]);
    assert!(code == 4 && error.contains("127.0.0.1:1"), "{error}");
    let (error, code) = place.fail("FROM 127.0.0.1:1/some/base\n", &[]);
    assert!(code == 4 && error.contains("is not here, and cannot be pulled") && error.contains("127.0.0.1:1"), "{error}");
    let (error, code) = place.fail("FROM busybox:stable\n", &["--platform", "linux/s390x"]);
    assert!(code == 2 && error.contains("cannot be built here"), "{error}");
}

#[test]
fn builds_are_verified_and_come_out_as_asked() {
    let Some(place) = Place::new("outputs") else { return };
    place.write("a", "1");
    let dockerfile = "FROM busybox:stable\nCOPY a /a\nRUN echo x > /x\n";
    let (_, id) = place.build(dockerfile, &["--verify", "-o", "type=tar,dest=files.tar", "-o", "type=oci,dest=oci.tar", "-o", "folder"]);
    let listed = Command::new("tar").arg("-tf").arg(place.0.join("files.tar")).output().expect("tar");
    assert!(String::from_utf8_lossy(&listed.stdout).lines().any(|line| line == "a"));
    assert_eq!(fs::read_to_string(place.0.join("folder/x")).expect("x"), "x\n");
    let (loaded, _) = place.ok(&["image", "load", "oci.tar"]);
    assert_eq!(loaded.trim(), id);
    // An archive on standard output, and nothing else there.
    place.write("Dockerfile", dockerfile);
    let out = place.run(&["build", "context", "-o", "-"]);
    assert_eq!(out.stdout, fs::read(place.0.join("files.tar")).expect("read"));
    let (error, code) = place.fail("FROM busybox:stable\nRUN cat /proc/sys/kernel/random/uuid > /id\n", &["--verify"]);
    assert!(code == 1 && error.contains("`/id`: its content") && error.contains("RUN cat /proc"), "{error}");
}

/// A server of repositories in the place's own network, ended when dropped.
struct Daemon(std::process::Child);

impl Daemon {
    /// `git://127.0.0.1/NAME` for each folder in `repositories`; nothing where git lacks its daemon.
    fn start(place: &Place) -> Option<Self> {
        let base = place.0.join("repositories");
        let child = Command::new("nsenter")
            .arg(place.inside())
            .args(["git", "daemon", "--export-all", "--reuseaddr", "--listen=127.0.0.1", &format!("--base-path={}", base.display())])
            .arg(&base)
            .spawn()
            .ok()?;
        let mut daemon = Self(child);
        for _ in 0..500 {
            if sys::netns::run_in(&place.netns(), || std::net::TcpStream::connect("127.0.0.1:9418")).is_ok() {
                return Some(daemon);
            }
            if daemon.0.try_wait().is_ok_and(|ended| ended.is_some()) {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        println!("skipped: git daemon");
        None
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // nsenter becomes git, whose daemon is a child that ends with it when asked.
        if self.0.try_wait().is_ok_and(|ended| ended.is_none()) {
            let _ = Command::new("kill").arg(self.0.id().to_string()).status();
            let _ = self.0.wait();
        }
    }
}

#[test]
fn repositories_are_added_by_branch_tag_and_commit() {
    let Some(place) = Place::new("repositories") else { return };
    let script = "
        export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
        umask 077
        mkdir -p repositories; cd repositories
        git init -q -b main part; (cd part; echo part > p; git add -A; git commit -qm part)
        git init -q -b main x; cd x
        mkdir docs; echo one > docs/a; printf '#!/bin/sh\\n' > run; chmod 755 run; ln -s docs/a link; git add -A; git commit -qm one
        git tag -am v1 v1
        git -c protocol.file.allow=always submodule --quiet add ../part part; git config -f .gitmodules submodule.part.url ../part; git add -A
        echo two > docs/a; git commit -qam two
        git checkout -q -b side v1; echo side > docs/a; git commit -qam side; git rev-parse HEAD; git checkout -q main";
    let made = Command::new("sh").current_dir(&place.0).args(["-ec", script]).output().expect("sh");
    if !made.status.success() {
        println!("skipped: git: {}", String::from_utf8_lossy(&made.stderr));
        return;
    }
    let side = String::from_utf8_lossy(&made.stdout).trim().to_owned();
    let Some(_daemon) = Daemon::start(&place) else { return };
    let url = "git://127.0.0.1/x";
    let files = |add: &str| {
        let _ = fs::remove_dir_all(place.0.join("out"));
        let (lines, _) = place.build(&format!("FROM scratch\nADD {add} /src\n"), &["-o", "out"]);
        (fs::read_to_string(place.0.join("out/src/docs/a")).unwrap_or_default(), said(&lines, "cached"))
    };
    assert_eq!(files(url), ("two\n".into(), false));
    let mode = |path: &str| {
        std::os::unix::fs::PermissionsExt::mode(&fs::symlink_metadata(place.0.join("out/src").join(path)).expect(path).permissions())
    };
    assert_eq!([mode("run"), mode("docs/a"), mode("docs")].map(|mode| mode & 0o777), [0o755, 0o644, 0o755], "whatever the umask was");
    assert_eq!(fs::read_to_string(place.0.join("out/src/part/p")).expect("submodule"), "part\n");
    assert!(fs::symlink_metadata(place.0.join("out/src/link")).expect("link").is_symlink());
    assert!(!place.0.join("out/src/.git").exists() && !place.0.join("out/src/part/.git").exists());
    assert_eq!(files(&format!("{url}#main")), ("two\n".into(), true), "known by its commit");
    assert_eq!(files(&format!("{url}#v1")), ("one\n".into(), false));
    assert_eq!(files(&format!("{url}#refs/heads/side")), ("side\n".into(), false));
    assert_eq!(files(&format!("{url}#{side}")), ("side\n".into(), true), "the same commit");
    assert_eq!(files(&format!("--checksum={} {url}?branch=side", &side[..9])), ("side\n".into(), true));
    files(&format!("--keep-git-dir {url}#side"));
    let log =
        Command::new("git").arg("-C").arg(place.0.join("out/src")).args(["-c", "safe.directory=*", "log", "-1", "--format=%H %s"]).output();
    assert_eq!(String::from_utf8_lossy(&log.expect("git").stdout).trim(), format!("{side} side"));
    let (_, code) = place.fail(&format!("FROM scratch\nADD --checksum=abc {url} /\n"), &[]);
    assert_eq!(code, 1);
    let (error, code) = place.fail(&format!("FROM scratch\nADD {url}#none /\n"), &[]);
    assert!(code == 1 && error.contains("has no branch or tag `none`"), "{error}");
    let (error, code) = place.fail("FROM scratch\nADD git://127.0.0.1:1/x /\n", &[]);
    assert!(code == 4 && error.contains("git ls-remote of `git://127.0.0.1:1/x` failed"), "{code} {error}");
    let (error, code) = place.fail("FROM scratch\nADD git@127.0.0.1:x.git /\n", &[]);
    assert!(code == 1 && error.contains("--ssh default"), "{error}");
    // Nothing that a repository says makes git read the host's files.
    let evil = "cd repositories/x; git config -f .gitmodules submodule.part.url \"$(realpath ../part)\"; git -c user.name=a -c user.email=a@b commit -qam evil";
    assert!(Command::new("sh").current_dir(&place.0).args(["-ec", evil]).status().expect("sh").success());
    let (error, code) = place.fail(&format!("FROM scratch\nADD {url} /\n"), &[]);
    assert!(code == 1 && error.contains("transport 'file' not allowed"), "{error}");
}

#[test]
fn an_agent_is_there_for_its_step_alone() {
    let Some(place) = Place::new("agent") else { return };
    let key = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(place.0.join("id")).status();
    if !key.is_ok_and(|status| status.success()) {
        println!("skipped: ssh-keygen");
        return;
    }
    let dockerfile = "FROM busybox:stable\nRUN --mount=type=ssh,uid=7,mode=0620 stat -c '%F %a %u' \"$SSH_AUTH_SOCK\"\nRUN echo \"[$SSH_AUTH_SOCK]\"; [ -e /run/buildkit ] || echo gone\n";
    let (lines, _) = place.build(dockerfile, &["--ssh", "default=id", "-t", "s"]);
    assert!(said(&lines, "socket 620 7") && said(&lines, "[]") && said(&lines, "gone"), "{lines:?}");
    let (lines, _) = place.build(dockerfile, &[]);
    assert_eq!(lines.iter().filter(|line| *line == "cached").count(), 2, "whose keys they were is no part of what came out: {lines:?}");
    let (error, code) = place.fail("FROM busybox:stable\nRUN --mount=type=ssh,required true\n", &[]);
    assert!(code == 1 && error.contains("the ssh agent `default` was not given") && error.contains("--ssh default"), "{error}");
    let (error, code) = place.fail("FROM busybox:stable\nRUN --mount=type=ssh [ -n \"$SSH_AUTH_SOCK\" ]\n", &[]);
    assert!(code == 1 && error.contains("asks for the ssh agent `default`"), "{error}");
    let (error, code) = place.fail(dockerfile, &["--ssh", "default"]);
    assert!(code == 2 && error.contains("SSH_AUTH_SOCK"), "{error}");
    fs::write(place.0.join("broken"), "no key\n").expect("written");
    let (error, code) = place.fail(dockerfile, &["--ssh", "default=broken"]);
    assert!(code == 2 && error.contains("the key cannot be used"), "{error}");
}

#[test]
fn a_failed_step_has_a_shell_and_keeps_nothing_of_it() {
    let Some(place) = Place::new("shell") else { return };
    let dockerfile = "FROM busybox:stable\nWORKDIR /here\nRUN --mount=type=secret,id=TOKEN --mount=type=tmpfs,target=/mem V=1 && export V && touch made && exit 3\n";
    place.write("Dockerfile", dockerfile);
    let wharf = format!("nsenter {} {} build context --secret id=TOKEN --shell", place.inside(), env!("CARGO_BIN_EXE_wharf"));
    let mut command = Command::new("script");
    command.args(["-qec", &wharf, "/dev/null"]).current_dir(&place.0).env("WHARF_HOME", place.0.join("home")).env("TOKEN", "s3cret-value-17");
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        println!("skipped: script");
        return;
    };
    // Typed when the prompt is there; `script` ends the session when nobody can type any more.
    let (mut input, mut output) = (child.stdin.take().expect("input"), child.stdout.take().expect("output"));
    let (mut seen, mut buffer, mut typed) = (String::new(), [0; 4096], false);
    while let Ok(got @ 1..) = output.read(&mut buffer) {
        seen.push_str(&String::from_utf8_lossy(&buffer[..got]));
        if !typed && seen.contains("# ") {
            input.write_all(b"echo $(pwd) $(ls) $(stat -c %a /run/secrets/TOKEN) $(grep -c ' /mem tmpfs' /proc/mounts) $TERM:$((40+2)); touch more; exit\n").expect("typed");
            typed = true;
        }
    }
    let status = child.wait().expect("ended");
    assert!(typed && status.code() == Some(1), "{status:?}: {seen}");
    assert!(seen.contains("the command ended with exit code 3; this shell stands where it did"), "{seen}");
    assert!(seen.contains("/here made 400 1 ") && seen.contains(":42"), "{seen}");
    let found = Command::new("find").arg(place.0.join("home")).args(["-name", "more"]).output().expect("find");
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
    let (error, code) = place.fail(dockerfile, &["--shell"]);
    assert!(code == 2 && error.contains("for a person at a terminal"), "{error}");
}

#[test]
fn a_projects_images_get_their_secrets() {
    let Some(place) = Place::new("project") else { return };
    place.write("Dockerfile", "FROM busybox:stable\nRUN --mount=type=secret,id=a --mount=type=secret,id=b --mount=type=secret,id=c cat /run/secrets/a /run/secrets/b | md5sum > /sum; ls /run/secrets > /seen\n");
    place.write("wharf.yaml", "project: secretive\nimages: { app: { secrets: { a: { env: TOKEN }, b: { file: key }, c: { env: NOT_SET_AT_ALL } } } }\n");
    place.write("key", "file-secret-18\n");
    place.write(".dockerignore", "key\n");
    let git = "git init -q . && git -c user.name=a -c user.email=a@b commit -qm x --allow-empty";
    let _ = Command::new("sh").current_dir(place.0.join("context")).args(["-c", git]).status();
    let (_, said) = place.ok(&["build", "--project", "context"]);
    assert!(said.contains("the secret `c` is not here: the variable `NOT_SET_AT_ALL` is not set"), "{said}");
    let files = |name: &str| Command::new("find").arg(place.0.join("home/blobs/layers")).args(["-name", name, "-exec", "cat", "{}", "+"]).output().expect("find").stdout;
    assert_eq!(String::from_utf8_lossy(&files("seen")), "a\nb\n");
    assert_eq!(String::from_utf8_lossy(&files("sum")), "d9965e3e94b748d4b7aa3a0ea6487444  -\n");
    let (error, code) = { let out = place.run(&["build", "--project", "context", "--tag", "x"]); (String::from_utf8_lossy(&out.stderr).into_owned(), out.status.code()) };
    assert!(code == Some(2) && error.contains("`--tag` is for the build of one context"), "{error}");
}
