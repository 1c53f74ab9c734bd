//! `wharf login`, `push`, `pull` and `logout` as people use them, with Debian's docker-registry.

#![allow(clippy::print_stdout, reason = "tests say what they skip")]

use serde_json::Value;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

#[path = "registries/killed.rs"]
mod killed;

const PASSWORD: &str = "hunter2-the-password";
/// As it stands in headers and in docker's file.
const ENCODED: &str = "bWU6aHVudGVyMi10aGUtcGFzc3dvcmQ=";

struct Place {
    folder: PathBuf,
    registry: Option<Child>,
    host: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(registry) = &mut self.registry {
            let _ = registry.kill();
            let _ = registry.wait();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Place {
    /// A registry that wants a password; nothing, having said so, where a tool is missing.
    fn new() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            println!("skipped: root");
            return None;
        }
        let folder = std::env::temp_dir().join(format!("wharf-registries-{}-{}", std::process::id(), base::ids::suffix(6)));
        std::fs::create_dir_all(&folder).expect("folder");
        let mut place = Self { folder, registry: None, host: String::new() };
        let Ok(passwords) = Command::new("htpasswd").args(["-Bbn", "me", PASSWORD]).output() else {
            println!("skipped: htpasswd");
            return None;
        };
        std::fs::write(place.folder.join("htpasswd"), passwords.stdout).expect("written");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("port").port();
        let at = place.folder.display();
        let config = format!(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {at}/data\nhttp:\n  addr: 127.0.0.1:{port}\n  secret: x\nauth:\n  htpasswd:\n    realm: x\n    path: {at}/htpasswd\n"
        );
        std::fs::write(place.folder.join("registry.yml"), config).expect("written");
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(place.folder.join("registry.yml")).stdout(Stdio::null()).stderr(Stdio::null());
        let Ok(child) = command.spawn() else {
            println!("skipped: docker-registry");
            return None;
        };
        (place.registry, place.host) = (Some(child), format!("127.0.0.1:{port}"));
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(30), "docker-registry does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(place)
    }

    fn program(&self, home: &str, arguments: &[&str]) -> Command {
        let program = std::env::var_os("WHARF_TEST_PROGRAM").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_wharf")), PathBuf::from);
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(&self.folder)
            .env("WHARF_HOME", self.folder.join(home))
            .env("DOCKER_CONFIG", self.folder.join("docker"));
        command.env("PATH", format!("{}:{}", self.folder.display(), std::env::var("PATH").unwrap_or_default()));
        command
    }

    fn wharf(&self, home: &str, arguments: &[&str], stdin: &str) -> Output {
        let mut command = self.program(home, arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("wharf");
        child.stdin.take().expect("stdin").write_all(stdin.as_bytes()).expect("written");
        let output = child.wait_with_output().expect("ended");
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!said.contains(PASSWORD) && !said.contains(ENCODED), "{said}");
        output
    }

    fn ok(&self, home: &str, arguments: &[&str], stdin: &str) -> String {
        let output = self.wharf(home, arguments, stdin);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn refused(&self, home: &str, arguments: &[&str], stdin: &str) -> (Option<i32>, String) {
        let output = self.wharf(home, arguments, stdin);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// An image in the store of a home, by name.
    fn image(&self, home: &str, name: &str) {
        self.image_of(home, name, &[b"hello".to_vec()]);
    }

    /// An image with a layer of one file for each content.
    fn image_of(&self, home: &str, name: &str, contents: &[Vec<u8>]) {
        let store = blobs::Store::open(&self.folder.join(home).join("blobs")).expect("store");
        let platform = blobs::remote::host_platform();
        let mut config = oci::ImageConfig { architecture: platform.architecture, os: platform.os, ..Default::default() };
        config.rootfs.diff_ids = contents
            .iter()
            .map(|content| store.layers().import(layer(content).as_slice(), "test", None))
            .collect::<Result<_, _>>()
            .expect("layers");
        let image = store.images().put(&config).expect("image");
        store.images().tag(&name.parse().expect("reference"), &image.id).expect("tagged");
    }
}

/// A layer with one file.
fn layer(content: &[u8]) -> Vec<u8> {
    let mut archive = Vec::new();
    let (path, size) = (oci::tar::EntryPath::parse(b"hello").expect("path"), content.len() as u64);
    let kind = oci::tar::Kind::File { size };
    let entry = oci::tar::Entry { path, kind, mode: 0o644, uid: 0, gid: 0, mtime: oci::tar::Mtime::default(), xattrs: Default::default() };
    oci::tar::encode_header(&entry, &mut archive);
    archive.extend_from_slice(content);
    archive.extend_from_slice(oci::tar::padding(size));
    archive.extend_from_slice(&oci::tar::END);
    archive
}

#[test]
fn log_in_push_pull_log_out() {
    let Some(place) = Place::new() else { return };
    let host = place.host.as_str();
    let name = format!("{host}/team/app:1");
    place.image("one", &name);
    let (code, said) = place.refused("one", &["push", &name], "");
    assert!(code == Some(3) && said.contains(&format!("hint: `wharf login {host}`")), "{said}");
    let (code, said) = place.refused("one", &["login", "-u", "me", "--password-stdin", host], "wrong\n");
    assert!(code == Some(3) && said.contains("check name and password"), "{said}");
    assert!(!place.folder.join("docker/config.json").exists(), "nothing wrong is kept");
    let (code, said) = place.refused("one", &["login", host], "");
    assert!(code == Some(2) && said.contains("--username"), "{said}");
    place.ok("one", &["login", "-u", "me", "--password-stdin", host], &format!("{PASSWORD}\n"));
    let file = place.folder.join("docker/config.json");
    assert_eq!(std::fs::metadata(&file).expect("file").permissions().mode() & 0o777, 0o600);
    assert!(std::fs::read_to_string(&file).expect("read").contains(ENCODED));
    let digest = place.ok("one", &["push", &name, "-t", "latest"], "");
    let again: Value = serde_json::from_str(&place.ok("one", &["push", "--json", &name], "")).expect("json");
    assert_eq!((again["digest"].as_str(), again["uploaded"].as_u64()), (Some(digest.as_str()), Some(0)));
    for name in [name.clone(), format!("{host}/team/app"), format!("{host}/team/app@{digest}")] {
        let home = format!("home-{}", base::ids::suffix(6));
        let pulled: Value = serde_json::from_str(&place.ok(&home, &["pull", "--json", "--quiet", &name], "")).expect("json");
        assert_eq!((pulled["digest"].as_str(), pulled["image"].as_str()), (Some(digest.as_str()), again["image"].as_str()), "{name}");
        place.ok(&home, &["image", "fsck"], "");
        place.ok(&home, &["image", "inspect", &name], "");
    }
    let (code, said) = place.refused("one", &["pull", &format!("{host}/team/none")], "");
    assert!(code == Some(3) && said.contains(&format!("`{host}` has no image `team/none:latest`")), "{said}");
    let (code, said) = place.refused("one", &["pull", "127.0.0.1:1/x"], "");
    assert!(code == Some(4) && said.contains("127.0.0.1:1"), "{said}");
    let (code, said) = place.refused("one", &["pull", &name, "--platform", "linux/s390x"], "");
    assert!(code == Some(1) && said.contains("not for linux/s390x"), "{said}");
    place.ok("one", &["logout", host], "");
    assert!(!std::fs::read_to_string(&file).expect("read").contains(ENCODED));
    assert_eq!(place.refused("two", &["pull", &name], "").0, Some(3));
}

/// A helper keeps the password; the file says only whose it is.
#[test]
fn credential_helpers_are_asked_and_told() {
    let Some(place) = Place::new() else { return };
    let host = place.host.as_str();
    let helper = place.folder.join("docker-credential-test");
    let kept = place.folder.join("kept");
    let script = format!(
        "#!/bin/sh\ncase $1 in\nstore) cat >{0};;\nget) cat >/dev/null; if [ -e {0} ]; then cat {0}; else echo 'credentials not found in native keychain'; exit 1; fi;;\nerase) cat >/dev/null; rm -f {0};;\nesac\n",
        kept.display()
    );
    script_file(&helper, &script);
    std::fs::create_dir_all(place.folder.join("docker")).expect("folder");
    let file = place.folder.join("docker/config.json");
    std::fs::write(&file, r#"{"credsStore":"test","HttpHeaders":{"X":"y"}}"#).expect("written");
    let name = format!("{host}/team/app:1");
    place.image("one", &name);
    assert_eq!(place.refused("one", &["push", &name], "").0, Some(3));
    place.ok("one", &["login", "-u", "me", "--password-stdin", host], PASSWORD);
    let written = std::fs::read_to_string(&file).expect("read");
    assert!(!written.contains(ENCODED) && written.contains(host) && written.contains("HttpHeaders"), "{written}");
    place.ok("one", &["push", &name], "");
    place.ok("one", &["logout", host], "");
    assert!(!kept.exists());
    // One that fails is named, and nothing of what it says to `store` is shown.
    script_file(&helper, "#!/bin/sh\ncat\nexit 7\n");
    let (code, said) = place.refused("one", &["login", "-u", "me", "--password-stdin", host], PASSWORD);
    assert!(code == Some(5) && said.contains("docker-credential-test"), "{said}");
}

fn script_file(path: &Path, text: &str) {
    std::fs::write(path, text).expect("written");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("runnable");
}
