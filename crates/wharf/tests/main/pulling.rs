//! The engine pulls: policies, pull secrets, moved tags, and a registry that is not always there.

use super::place::{Place, place, program, soon, until};
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const HOST: &str = "127.0.0.1:5000";
const SECONDS_10: Duration = Duration::from_secs(10);
/// `ann` with the password `ann-secret`.
const USERS: &str = "ann:$2y$04$wkeOkvgsCoRpJFknSqaBE.FDlPE7KhhGy7/rHrEhtk1s/KwuKPLCe\n";
const AUTH: &str = "YW5uOmFubi1zZWNyZXQ=";

/// A registry that wants a password, served by the program itself inside the place; and somebody who may push to it.
struct Registry<'a> {
    place: &'a Place,
    folder: PathBuf,
    serving: Option<Child>,
}

impl Drop for Registry<'_> {
    fn drop(&mut self) {
        self.stop();
    }
}

impl<'a> Registry<'a> {
    fn start(place: &'a Place) -> Self {
        let folder = place.home().with_file_name("pusher");
        std::fs::create_dir_all(folder.join("docker")).expect("made");
        std::fs::write(folder.join("users"), USERS).expect("written");
        let config = format!("{{\"auths\":{{\"{HOST}\":{{\"auth\":\"{AUTH}\"}}}}}}");
        std::fs::write(folder.join("docker/config.json"), config).expect("written");
        let mut registry = Self { place, folder, serving: None };
        registry.serve();
        let base = PathBuf::from(std::env::var_os("WHARF_TEST_BASES").expect("there is a place")).join("busybox_stable.tar");
        registry.program(&["image", "load", base.to_str().expect("UTF-8")]);
        registry
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).to_str().expect("UTF-8").to_owned()
    }

    fn serve(&mut self) {
        let (root, users) = (self.path("registry"), self.path("users"));
        let words = ["registry", "serve", "--listen", HOST, "--root", &root, "--htpasswd", &users];
        let mut command = self.place.command(program().to_str().expect("UTF-8"), &words);
        self.serving = Some(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs"));
        let port = ["-c", "exec 3<>/dev/tcp/127.0.0.1/5000"];
        until("the registry listens", SECONDS_10, || {
            self.place.command("bash", &port).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
        });
    }

    fn stop(&mut self) {
        if let Some(mut serving) = self.serving.take() {
            let _ = serving.kill();
            let _ = serving.wait();
        }
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = self.serving.as_ref().and_then(|child| rustix::process::Pid::from_raw(i32::try_from(child.id()).ok()?));
        rustix::process::kill_process(pid.expect("it serves"), signal).expect("signalled");
    }

    fn program(&self, words: &[&str]) {
        let home = self.path("home");
        let words: Vec<&str> = words.iter().copied().chain(["--home", &home]).collect();
        let mut command = self.place.command(program().to_str().expect("UTF-8"), &words);
        super::place::shown(&words, &command.env("DOCKER_CONFIG", self.path("docker")).output().expect("it runs"));
    }

    /// Pushes an image whose program says `text`.
    fn push(&self, name: &str, text: &str) {
        let context = self.folder.join("context");
        std::fs::create_dir_all(&context).expect("made");
        std::fs::write(context.join("text"), text).expect("written");
        let dockerfile = "FROM busybox:stable\nCOPY text /text\nCMD [\"/bin/sh\", \"-c\", \"cat /text; exec sleep 600\"]\n";
        std::fs::write(context.join("Dockerfile"), dockerfile).expect("written");
        let name = format!("{HOST}/{name}");
        self.program(&["build", "-t", &name, context.to_str().expect("UTF-8")]);
        self.program(&["push", &name]);
    }

    /// Makes a pod of an image; `more` is further YAML of its spec.
    fn pod(&self, name: &str, image: &str, policy: &str, more: &str) {
        let text = format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{ name: {name}, namespace: default }}\nspec:\n  terminationGracePeriodSeconds: 1\n  {more}\n  containers: [{{ name: c, image: \"{HOST}/{image}\", imagePullPolicy: {policy} }}]\n"
        );
        let file = self.folder.join(format!("{name}.yaml"));
        std::fs::write(&file, text).expect("written");
        self.place.kubectl(&["apply", "-f", file.to_str().expect("UTF-8")]);
    }

    fn status(&self, pod: &str) -> Value {
        let pod: Value = serde_json::from_str(&self.place.kubectl(&["get", "pod", pod, "-o", "json"])).expect("JSON");
        pod["status"]["containerStatuses"][0].clone()
    }

    fn runs(&self, pod: &str, says: &str) -> Value {
        until(&format!("{pod} runs"), SECONDS_10 * 2, || self.status(pod)["state"]["running"].is_object());
        until(&format!("{pod} says {says}"), SECONDS_10, || self.place.kubectl(&["logs", pod]) == says);
        self.status(pod)
    }

    fn waits(&self, pod: &str, reason: &str) -> String {
        let waiting = || self.status(pod)["state"]["waiting"].clone();
        until(&format!("{pod}: {reason}"), SECONDS_10, || waiting()["reason"] == reason);
        waiting()["message"].as_str().unwrap_or_default().to_owned()
    }

    fn events(&self, pod: &str) -> String {
        let about = format!("involvedObject.name={pod}");
        let shown = "jsonpath={range .items[*]}{.reason}: {.message}{\"\\n\"}{end}";
        self.place.kubectl(&["get", "events", "--field-selector", &about, "-o", shown])
    }
}

const WITH_SECRET: &str = "imagePullSecrets: [{ name: nowhere }, { name: key }]";

fn make_secret(place: &Place) {
    let words = ["create", "secret", "docker-registry", "key", "--docker-server", HOST, "--docker-username", "ann"];
    place.kubectl(&[&words[..], &["--docker-password", "ann-secret"]].concat());
}

#[test]
fn the_engine_pulls_as_policies_and_secrets_say() {
    let Some(place) = place("pulls") else { return };
    let mut registry = Registry::start(&place);
    registry.push("team/app:1", "one\n");
    place.well(&["engine", "start"]);
    registry.pod("bare", "team/app:1", "IfNotPresent", "");
    assert!(registry.waits("bare", "ErrImagePull").starts_with("unauthorized: "));
    assert!(registry.waits("bare", "ImagePullBackOff").contains("ErrImagePull: unauthorized: "));
    make_secret(&place);
    registry.pod("private", "team/app:1", "IfNotPresent", WITH_SECRET);
    let first = registry.runs("private", "one\n");
    assert!(first["imageID"].as_str().is_some_and(|id| id.starts_with(&format!("{HOST}/team/app@sha256:"))), "{first}");
    let events = registry.events("private");
    for event in
        ["Pulling: Pulling image \"127.0.0.1:5000/team/app:1\"", "Pulled: Successfully pulled image", "`nowhere` (there is no such"]
    {
        assert!(events.contains(event), "{event}: {events}");
    }
    // Here now, and still not for who has no key to it; the account's key is every pod's of it.
    registry.pod("never", "team/app:1", "Never", "");
    registry.waits("never", "ErrImageNeverPull");
    place.kubectl(&["patch", "serviceaccount", "default", "-p", "{\"imagePullSecrets\":[{\"name\":\"key\"}]}"]);
    registry.pod("account", "team/app:1", "Never", "");
    registry.runs("account", "one\n");
    assert!(registry.events("account").contains("already present on machine"));
    registry.pod("nothing", "team/nothing:1", "Never", "");
    registry.waits("nothing", "ErrImageNeverPull");
    registry.pod("missing", "team/nothing:1", "IfNotPresent", "");
    assert!(registry.waits("missing", "ErrImagePull").starts_with("not found: "));

    registry.push("team/app:1", "two\n");
    registry.pod("always", "team/app:1", "Always", "");
    assert_ne!(registry.runs("always", "two\n")["imageID"], first["imageID"]);
    assert_eq!(registry.status("private")["imageID"], first["imageID"]);

    registry.stop();
    registry.pod("kept", "team/app:1", "IfNotPresent", "");
    registry.runs("kept", "two\n");
    registry.pod("asks", "team/app:1", "Always", "");
    assert!(registry.waits("asks", "ErrImagePull").contains("is not reached"));
    registry.serve();
    registry.runs("asks", "two\n");
    let said = std::fs::read_to_string(place.home().join("engine/engine.log")).expect("read");
    let told = format!("{said}{}", place.kubectl(&["get", "events,pods", "-o", "yaml"]));
    assert!(!told.contains("ann-secret") && !told.contains(AUTH));
}

#[test]
fn a_killed_engine_pulls_on() {
    let Some(place) = place("pullkill") else { return };
    let registry = Registry::start(&place);
    registry.push("team/app:1", "one\n");
    place.well(&["engine", "start"]);
    make_secret(&place);
    registry.signal(rustix::process::Signal::STOP);
    registry.pod("private", "team/app:1", "IfNotPresent", WITH_SECRET);
    until("it pulls", SECONDS_10, || registry.events("private").contains("Pulling: "));
    // What does not pull is not held up, and what ends need not wait.
    registry.pod("other", "team/app:1", "Never", "");
    registry.waits("other", "ErrImageNeverPull");
    registry.pod("gone", "team/app:1", "Always", "");
    until("it pulls too", SECONDS_10, || registry.events("gone").contains("Pulling: "));
    let begun = Instant::now();
    place.kubectl(&["delete", "pod", "gone"]);
    assert!(begun.elapsed() < soon(Duration::from_secs(5)), "{:?}", begun.elapsed());
    place.kill_engine();
    place.well(&["engine", "start"]);
    registry.signal(rustix::process::Signal::CONT);
    registry.runs("private", "one\n");
}

#[test]
fn a_release_without_its_pull_secret_is_told_and_one_with_it_serves() {
    let Some(place) = place("pullup") else { return };
    let registry = Registry::start(&place);
    registry.push("team/app:1", "one\n");
    place.well(&["up"]);
    let manifest = place.project().join("k8s/web.yaml");
    let good = std::fs::read_to_string(&manifest).expect("read");
    std::fs::write(&manifest, good.replace("image: web\n", &format!("image: {HOST}/team/app:1\n"))).expect("written");
    let (cause, _) = super::causes::cause(&place, "no pull secret");
    assert!(cause.contains("cannot be pulled: unauthorized"), "{cause}");
    // As a sidecar, with its secret.
    let words = ["create", "secret", "docker-registry", "key", "-n", "tiny", "--docker-server", HOST, "--docker-username", "ann"];
    place.kubectl(&[&words[..], &["--docker-password", "ann-secret"]].concat());
    let beside =
        format!("      containers:\n        - {{ name: beside, image: \"{HOST}/team/app:1\", securityContext: {{ runAsUser: 10001 }} }}\n");
    let text = good.replace("      containers:\n", &format!("      imagePullSecrets: [{{ name: key }}]\n{beside}"));
    std::fs::write(&manifest, text).expect("written");
    place.well(&["up"]);
}
