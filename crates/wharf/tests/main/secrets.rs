//! Nothing secret is told or kept where it does not belong: not by any command, in no record, no log, not beside an image.

use super::leaks::{Secret, Written, leaks};
use super::place::{Place, place, program, shown, until};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};
use std::time::Duration;

const HOST: &str = "127.0.0.1:5000";
const PASSWORD: &str = "s3cret&'w<o>r\"d%40 $x";
/// `ann` with that password.
const USERS: &str = "ann:$2y$04$w1i8L6m8N5VqdrzmIv34DOcc7TGJocFbwK7LI4L4ZBDgCOr0Z1h9O\n";
const WRONG: &str = "n0t-the-p&ssword";
const IN_MANIFEST: &str = "kept-in-a-manifest/+&1";

/// A place with a registry that wants a password, a cluster that wants a token, and plans that want a signature.
struct Stand<'a> {
    place: &'a Place,
    folder: PathBuf,
    registry: Child,
    said: Vec<Written>,
}

impl Drop for Stand<'_> {
    fn drop(&mut self) {
        let _ = self.registry.kill();
        let _ = self.registry.wait();
    }
}

impl<'a> Stand<'a> {
    fn new(place: &'a Place) -> Self {
        place.well(&["engine", "start"]);
        let folder = place.home().parent().expect("a folder").to_path_buf();
        std::fs::write(folder.join("users"), USERS).expect("written");
        let log = std::fs::File::create(folder.join("registry.log")).expect("made");
        let path = |name: &str| folder.join(name).display().to_string();
        let words = ["registry", "serve", "--verbose", "--listen", HOST, "--root", &path("registry"), "--htpasswd", &path("users")];
        let mut command = place.command(program().to_str().expect("UTF-8"), &words);
        let registry = command.stdout(log.try_clone().expect("a log")).stderr(log).spawn().expect("it runs");
        let answers = ["-s", "-o", "/dev/null", "http://127.0.0.1:5000/v2/"];
        until("the registry answers", Duration::from_secs(20), || {
            place.command("curl", &answers).output().is_ok_and(|output| output.status.success())
        });
        Self { place, folder, registry, said: Vec::new() }
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// The program with all that it says, whatever comes of it; `--json` and for people.
    fn both(&mut self, words: &[&str]) {
        for how in ["--json", "--color=never"] {
            self.one(&[words, &[how]].concat(), "");
        }
    }

    fn one(&mut self, words: &[&str], stdin: &str) -> Output {
        let words = [words, &["--verbose"]].concat();
        let mut command = self.place.command(program().to_str().expect("UTF-8"), &words);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
        child.stdin.take().expect("its input").write_all(stdin.as_bytes()).expect("written");
        let output = child.wait_with_output().expect("it ended");
        for (name, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
            self.said.push(Written { place: format!("{name} of {words:?}"), bytes: bytes.clone() });
        }
        output
    }

    fn well(&mut self, words: &[&str], stdin: &str) -> String {
        let output = self.one(words, stdin);
        shown(words, &output)
    }

    /// A user of the cluster with a token and all rights; the token.
    fn user(&self) -> String {
        let kubectl = |words: &[&str]| self.place.kubectl(words);
        kubectl(&["create", "serviceaccount", "deployer"]);
        kubectl(&["create", "clusterrolebinding", "deployer", "--clusterrole=cluster-admin", "--serviceaccount=default:deployer"]);
        let token = kubectl(&["create", "token", "deployer"]).trim().to_owned();
        let mut config: Value =
            serde_json::from_str(&kubectl(&["config", "view", "--raw", "--minify", "--flatten", "-o", "json"])).expect("JSON");
        for (file, token) in [("kube.json", token.clone()), ("wrong.json", format!("{}AAAA", &token[..token.len() - 4]))] {
            config["users"][0]["user"] = json!({ "token": token });
            config["contexts"][0]["name"] = json!("tokened");
            std::fs::write(self.folder.join(file), config.to_string()).expect("written");
        }
        token
    }

    fn project(&self) {
        let edit = |file: &str, change: &dyn Fn(String) -> String| {
            let path = self.place.project().join(file);
            let text = std::fs::read_to_string(&path).expect("read");
            std::fs::write(path, change(text)).expect("written");
        };
        edit("wharf.yaml", &|text| {
            let wrong = format!("  wrong: {{ context: tokened, kubeconfig: ../wrong.json, registry: {HOST}/tiny }}\n");
            text.replace("context: kubernetes-test", "context: tokened, kubeconfig: ../kube.json") + &wrong
        });
        edit("k8s/web.yaml", &|text| {
            let secret =
                format!("---\napiVersion: v1\nkind: Secret\nmetadata: {{ name: token }}\nstringData: {{ password: \"{IN_MANIFEST}\" }}\n");
            text.replace("      containers:\n", "      imagePullSecrets: [{ name: key }]\n      containers:\n") + &secret
        });
        let public = std::fs::read_to_string(self.folder.join("approver.pub")).expect("a key");
        edit("wharf.yaml", &|text| text.replace("  kube: {", &format!("  kube: {{ approvers: [\"{}\"],", public.trim())));
    }

    /// Logs in, pushes and pulls, well and not.
    fn at_the_registry(&mut self) {
        self.both(&["push", "127.0.0.1:5000/tiny/other:1"]);
        assert!(!self.one(&["login", "-u", "ann", "--password-stdin", HOST, "--json"], WRONG).status.success());
        for how in ["--json", "--color=never"] {
            self.well(&["login", "-u", "ann", "--password-stdin", HOST, how], PASSWORD);
        }
        self.well(&["build", "-t", "127.0.0.1:5000/tiny/other:1", "."], "");
        self.both(&["push", "127.0.0.1:5000/tiny/other:1"]);
        self.both(&["pull", "127.0.0.1:5000/tiny/other:1"]);
        self.both(&["pull", "127.0.0.1:5000/tiny/none:1"]);
    }

    /// Deploys by a plan that somebody signed; the signature's own bytes.
    fn deploy(&mut self, how: &str) -> Vec<u8> {
        let (plan, key) = (self.path("plan.json"), self.path("approver"));
        self.well(&["plan", "--env", "kube", "--out", &plan, how], "");
        self.one(&["deploy", "--env", "kube", &plan, how], "");
        self.well(&["approve", &plan, "--key", &key, how], "");
        let file: Value = serde_json::from_slice(&std::fs::read(&plan).expect("read")).expect("JSON");
        self.well(&["deploy", "--env", "kube", &plan, how], "");
        let pem = file["approvals"][0]["signature"].as_str().expect("a signature").to_owned();
        let blob = unpacked(&pem);
        blob[blob.len() - 64..].to_vec()
    }

    /// All that was kept: this machine's files but the images' own sources, the registry's, and what the cluster shows to everybody.
    fn kept(&self) -> Vec<Written> {
        let (mut kept, mut seen) = (Vec::new(), BTreeSet::new());
        for folder in ["home", "registry"] {
            below(&self.folder.join(folder), &mut seen, &mut kept);
        }
        kept.push(file(&self.folder.join("registry.log")));
        let kinds = "deployments,replicasets,pods,events,configmaps,services,serviceaccounts,leases,namespaces,nodes,endpointslices";
        let shown = self.place.kubectl(&["get", kinds, "-A", "-o", "json", "--show-managed-fields"]);
        kept.push(Written { place: "the cluster".to_owned(), bytes: shown.into_bytes() });
        kept
    }

    /// The cluster's records: what is noted, and the objects, which are kept to be put back and hold what they hold.
    fn records(&self) -> (Vec<Written>, Vec<Written>) {
        let all: Value = serde_json::from_str(&self.place.kubectl(&["-n", "tiny", "get", "secrets", "-o", "json"])).expect("JSON");
        let (mut noted, mut objects) = (Vec::new(), Vec::new());
        for secret in all["items"].as_array().expect("a list") {
            let place = secret["metadata"]["name"].as_str().expect("a name").to_owned();
            let data = |name: &str| STANDARD.decode(secret["data"][name].as_str().unwrap_or_default()).expect("base64");
            match secret["type"].as_str() {
                Some("wharf.local/inventory") => noted.push(Written { place, bytes: data("inventory") }),
                Some("wharf.local/release") => {
                    let mut text = Vec::new();
                    flate2::read::GzDecoder::new(data("record").as_slice()).read_to_end(&mut text).expect("gzip");
                    let mut record: Value = serde_json::from_slice(&text).expect("JSON");
                    let kept = record["objects"].take();
                    objects.push(Written { place: place.clone(), bytes: kept.to_string().into_bytes() });
                    noted.push(Written { place, bytes: record.to_string().into_bytes() });
                }
                _ => {}
            }
        }
        assert!(noted.len() >= 3 && objects.len() >= 2, "two releases and an inventory");
        (noted, objects)
    }
}

/// What an armoured text holds.
fn unpacked(pem: &str) -> Vec<u8> {
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    STANDARD.decode(body).expect("base64")
}

/// The seed of a key in OpenSSH's form stands before the second of its public parts.
fn seed(private: &str, public: &str) -> Vec<u8> {
    let public = STANDARD.decode(public.split(' ').nth(1).expect("a key")).expect("base64");
    let (blob, point) = (unpacked(private), &public[public.len() - 32..]);
    let last = blob.windows(32).rposition(|part| part == point).expect("its public part");
    blob[last - 32..last].to_vec()
}

fn file(path: &Path) -> Written {
    // Logs on the disk are made in advance, full of zeros.
    let bytes = std::fs::read(path).unwrap_or_default().into_iter().filter(|byte| *byte != 0).collect();
    Written { place: path.display().to_string(), bytes }
}

/// Every file below a folder, once: a program of many names is one.
fn below(folder: &Path, seen: &mut BTreeSet<(u64, u64)>, files: &mut Vec<Written>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(about) = entry.metadata() else { continue };
        if about.is_dir() {
            below(&entry.path(), seen, files);
        } else if about.is_file() && seen.insert((about.dev(), about.ino())) {
            files.push(file(&entry.path()));
        }
    }
}

#[test]
fn nothing_secret_is_told_or_kept_where_it_does_not_belong() {
    let Some(place) = place("secrets") else { return };
    let mut stand = Stand::new(&place);
    place.tool("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-C", "ops", "-f", &stand.path("approver")]);
    let token = stand.user();
    stand.project();
    place.kubectl(&["create", "namespace", "tiny"]);
    let words = ["-n", "tiny", "create", "secret", "docker-registry", "key", "--docker-server", HOST, "--docker-username", "ann"];
    place.kubectl(&[&words[..], &["--docker-password", PASSWORD]].concat());

    stand.at_the_registry();
    stand.both(&["settings", "--env", "kube"]);
    stand.both(&["up", "--env", "kube"]);
    let first = stand.deploy("--json");
    let manifest = place.project().join("k8s/web.yaml");
    let text = std::fs::read_to_string(&manifest).expect("read");
    std::fs::write(&manifest, text.replace("replicas: 2", "replicas: 1")).expect("written");
    let second = stand.deploy("--color=never");
    for words in [&["history"][..], &["why", "web"], &["why", "web", "--offline"], &["status"], &["plan"], &["smoke"], &["logs", "web"]] {
        stand.both(&[words, &["--env", "kube"]].concat());
        stand.both(&[words, &["--env", "wrong"]].concat());
    }
    let known: Value = serde_json::from_str(&stand.well(&["why", "web", "--env", "kube", "--json"], "")).expect("JSON");
    let image = known["images"][0].as_str().expect("an image").to_owned();
    let beside = stand.well(&["why", &image, "--env", "kube"], "");
    assert!(beside.contains("ops (SHA256:"), "the registry has the record: {beside}");
    stand.both(&["doctor"]);

    let read = |name: &str| std::fs::read(stand.folder.join(name)).expect("read");
    let text = |name: &str| String::from_utf8(read(name)).expect("text");
    let everywhere = [
        Secret::new("the registry's password", PASSWORD.as_bytes()),
        Secret::new("a password that was wrong", WRONG.as_bytes()),
        Secret::new("the token", token.as_bytes()),
        Secret::new("the token's signature", token.rsplit('.').next().expect("a part").as_bytes()),
        Secret::new("the approver's key", &seed(&text("approver"), &text("approver.pub"))),
    ];
    // Signatures are no secrets: the records keep them, so that who approved a plan can be checked again.
    let signatures = [Secret::new("the first plan's signature", &first), Secret::new("the second plan's signature", &second)];
    let in_manifest = [Secret::new("the manifest's secret", IN_MANIFEST.as_bytes())];

    // The search finds each where it belongs.
    let found = |secrets: &[Secret], place: &str, bytes: Vec<u8>| leaks(secrets, &[Written { place: place.to_owned(), bytes }]);
    assert!(!found(&everywhere[..1], "docker", read(".docker/config.json")).is_empty());
    assert!(!found(&everywhere[2..3], "kubeconfig", read("kube.json")).is_empty());
    assert!(!found(&signatures[1..], "plan", read("plan.json")).is_empty());
    assert!(!found(&everywhere[4..], "key", read("approver")).is_empty());
    let live = place.kubectl(&["-n", "tiny", "get", "secret", "token", "-o", "json"]);
    assert!(!found(&in_manifest, "secret", live.into_bytes()).is_empty());
    let (noted, objects) = stand.records();
    assert!(!leaks(&in_manifest, &objects).is_empty(), "what is put back is whole");
    assert!(!leaks(&signatures, &noted).is_empty(), "who approved is kept with the record");

    let kept = stand.kept();
    assert!(kept.iter().any(|one| one.place.contains("/records/tiny/")) && kept.iter().any(|one| one.place.ends_with("registry.log")));
    let mut told: Vec<String> = Vec::new();
    for written in [&stand.said, &kept, &noted] {
        told.extend(leaks(&everywhere, written));
        told.extend(leaks(&in_manifest, written));
    }
    told.extend(leaks(&everywhere, &objects));
    assert!(told.is_empty(), "{told:#?}");
    let bytes: usize = stand.said.iter().chain(&kept).chain(&noted).chain(&objects).map(|one| one.bytes.len()).sum();
    assert!(bytes > 100_000 && stand.said.len() > 60, "{bytes} bytes, {} outputs", stand.said.len());
}
