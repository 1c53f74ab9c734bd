//! `ADD` of repositories, and ssh agents.

use super::place::{Place, said};
use std::fs;
use std::process::Command;

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
