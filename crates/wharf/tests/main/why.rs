//! From what runs back to what allowed it: in the cluster, on this machine, beside the image.

use super::place::{Place, place, until};
use serde_json::Value;
use std::process::{Child, Output};
use std::time::Duration;

/// A finding for the record, which stops nothing.
const FINDING: &str = "FROM busybox:stable AS unused\nCMD echo one\n";

fn edit(place: &Place, file: &str, change: impl Fn(&str) -> String) {
    let path = place.project().join(file);
    let text = std::fs::read_to_string(&path).expect("read");
    let changed = change(&text);
    assert_ne!(changed, text, "{file}");
    std::fs::write(path, changed).expect("written");
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

fn why(place: &Place, words: &[&str]) -> Value {
    let out = place.well(&[&["why", "--json"], words].concat());
    serde_json::from_str(out.trim()).unwrap_or_else(|error| panic!("{words:?}: {error}: {out}"))
}

fn pod(place: &Place) -> String {
    let names = place.kubectl(&["-n", "tiny", "get", "pods", "-l", "app=web", "-o", "name"]);
    names.lines().next().expect("a pod").to_owned()
}

/// The project as a commit, with something to find, tests, and a load in every run.
fn prepared(place: &Place) -> String {
    edit(place, "Dockerfile", |text| format!("{FINDING}{text}"));
    edit(place, "wharf.yaml", |text| {
        let text = text.replace("manifests:", "tests:\n  unit: [/bin/true]\nmanifests:");
        text.replace("  local: {}\n", "  local: { load: true }\n").replace("drain: 2s }", "drain: 2s, load: true }")
    });
    let git = |words: &[&str]| place.tool("git", &[&["-c", "user.name=a", "-c", "user.email=a@example.com"], words].concat());
    git(&["init", "-q"]);
    git(&["add", "-A"]);
    git(&["commit", "-q", "-m", "one"]);
    git(&["rev-parse", "HEAD"]).trim().to_owned()
}

fn is_whole(known: &Value, commit: &str) {
    let notes = &known["notes"];
    assert_eq!((&notes["commit"]["id"], &notes["commit"]["dirty"]), (&Value::from(commit), &Value::from(false)), "{known}");
    assert!(notes["tree"].as_str().is_some_and(|tree| tree.starts_with("sha256:")) && known["intact"] == true, "{known}");
    let finding = &notes["stages"]["lint"]["detail"]["findings"][0];
    assert_eq!((&finding["rule"], &finding["place"]["line"]), (&Value::from("DL3025"), &Value::from(2)), "{known}");
    assert!(finding["message"].as_str().is_some_and(|message| message.len() > 10) && finding["place"]["file"] == "Dockerfile", "{known}");
    assert_eq!(notes["stages"]["test"]["detail"]["tests"][0]["name"], "unit", "{known}");
    assert!(notes["image_ids"]["web"].as_str().is_some_and(|id| id.starts_with("sha256:")), "{known}");
    let entries = known["entries"].as_array().expect("entries");
    let by = |by: &str| entries.iter().find(|entry| entry["detail"]["by"] == by).unwrap_or_else(|| panic!("no {by}: {known}"));
    assert_eq!(by("smoke")["detail"]["result"]["detail"]["checks"][0]["status"], 200, "{known}");
    assert_eq!(by("load")["detail"]["result"]["detail"]["loads"][0]["requests"], 20, "{known}");
}

#[test]
fn everything_that_allowed_a_pod_is_reached_and_a_change_of_it_is_found() {
    let Some(place) = place("why") else { return };
    let commit = prepared(&place);
    place.well(&["up"]);
    let pod = pod(&place);
    for words in [&[pod.as_str()][..], &["web"], &["deploy/web"], &["web", "--offline"], &[&pod, "--offline"]] {
        let known = why(&place, words);
        is_whole(&known, &commit);
        let image = known["images"][0].as_str().expect("an image");
        assert!(image.starts_with("localhost/tiny/web@sha256:"), "{image}");
        assert_eq!(known["from"], if words.contains(&"--offline") { "home" } else { "cluster" });
    }
    let lineage = why(&place, &[&pod])["lineage"].clone();
    let kinds: Vec<&str> = lineage.as_array().expect("a list").iter().filter_map(|one| one["kind"].as_str()).collect();
    assert_eq!(kinds, ["Pod", "ReplicaSet", "Deployment"]);
    let shown = place.well(&["why", &pod]);
    for words in [", of Deployment web", "Dockerfile:2", "DL3025", &commit, "20 requests, 0 failed", "GET http", "intact"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let nothing = place.wharf(&["why", "nothing"]);
    assert!(nothing.status.code() == Some(3) && said(&nothing).contains("hint: there are: web"), "{}", said(&nothing));
    assert_eq!(place.wharf(&["why", "service/web"]).status.code(), Some(2));

    // One changed byte of this machine's record is found, in what was found as well as in what was deployed.
    let release = why(&place, &["web"])["release"].as_str().expect("a release").to_owned();
    let record = place.home().join(format!("records/tiny/local/{release}.json"));
    let text = std::fs::read_to_string(&record).expect("read");
    for (from, to) in [("DL3025", "DL3024"), ("\"replicas\":2", "\"replicas\":3"), (&commit[..], &format!("{}0", &commit[1..]))] {
        assert!(text.contains(from), "{from}");
        std::fs::write(&record, text.replacen(from, to, 1)).expect("written");
        let output = place.wharf(&["why", "web", "--offline"]);
        assert!(output.status.code() == Some(3) && said(&output).contains("is not as it was written"), "{from}: {}", said(&output));
    }
    std::fs::write(&record, text).expect("written");
    place.well(&["why", "web", "--offline"]);
}

/// A registry of ours, in the place's own network.
struct Registry(Child);

impl Registry {
    fn serve(place: &Place) -> Self {
        let root = place.home().with_file_name("registry").display().to_string();
        let registry = Self(place.begin(&["registry", "serve", "--listen", "127.0.0.1:5000", "--root", &root]));
        until("the registry answers", Duration::from_secs(20), || {
            place.command("curl", &["-sf", "http://127.0.0.1:5000/v2/"]).output().is_ok_and(|output| output.status.success())
        });
        registry
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_record_stands_beside_its_image() {
    let Some(place) = place("beside") else { return };
    edit(&place, "k8s/web.yaml", |text| {
        format!(
            "{text}---\napiVersion: v1\nkind: Secret\nmetadata: {{ name: token }}\nstringData: {{ password: hunter2-in-the-manifest }}\n"
        )
    });
    edit(&place, "wharf.yaml", |text| text.replace("context: kubernetes-test", "context: wharf, kubeconfig: ../home/engine/kubeconfig"));
    let commit = prepared(&place);
    place.well(&["engine", "start"]);
    let registry = Registry::serve(&place);
    place.well(&["up", "--env", "kube"]);
    let known = why(&place, &["web", "--env", "kube"]);
    is_whole(&known, &commit);
    let image = known["images"][0].as_str().expect("an image").to_owned();
    assert!(image.starts_with("127.0.0.1:5000/tiny/web@sha256:"), "{image}");
    let beside = why(&place, &[&image, "--env", "kube"]);
    is_whole(&beside, &commit);
    assert_eq!((&beside["release"], &beside["from"]), (&known["release"], &Value::from("registry")));
    assert_eq!(beside["notes"], known["notes"]);

    // As others read it: one artifact, an in-toto statement about this very image, without anything secret.
    let (name, digest) = image.split_once('@').expect("a digest");
    let path = name.trim_start_matches("127.0.0.1:5000/");
    let get = |what: &str| -> Value {
        serde_json::from_str(&place.tool("curl", &["-sf", &format!("http://127.0.0.1:5000/v2/{path}/{what}")])).expect("JSON")
    };
    let listed = get(&format!("referrers/{digest}"));
    let manifests = listed["manifests"].as_array().expect("a list");
    assert_eq!((manifests.len(), &manifests[0]["artifactType"]), (1, &Value::from("application/vnd.in-toto+json")), "{listed}");
    let manifest: Value = {
        let url = format!("http://127.0.0.1:5000/v2/{path}/manifests/{}", manifests[0]["digest"].as_str().expect("a digest"));
        let accept = "Accept: application/vnd.oci.image.manifest.v1+json";
        serde_json::from_str(&place.tool("curl", &["-sf", "-H", accept, &url])).expect("JSON")
    };
    assert_eq!(manifest["subject"]["digest"], digest, "{manifest}");
    let statement = get(&format!("blobs/{}", manifest["layers"][0]["digest"].as_str().expect("a digest")));
    assert_eq!(
        (&statement["_type"], &statement["predicateType"]),
        (&Value::from("https://in-toto.io/Statement/v1"), &Value::from("https://wharf.local/release/v1"))
    );
    assert_eq!(statement["subject"][0]["digest"]["sha256"], digest.trim_start_matches("sha256:"));
    let text = statement.to_string();
    assert!(text.contains("(hidden)") && !text.contains("hunter2") && !text.contains("aHVudGVyMi1pbi"), "{text}");

    // Without a record in the cluster it is the one to be read.
    let release = known["release"].as_str().expect("a release");
    place.kubectl(&["-n", "tiny", "delete", "secret", &format!("wharf-release-tiny-{release}")]);
    let again = why(&place, &[&pod(&place), "--env", "kube"]);
    is_whole(&again, &commit);
    assert_eq!(again["from"], "registry");

    // A second run writes nothing there either; one whose registry takes no record deploys all the same.
    place.well(&["up", "--env", "kube"]);
    assert_eq!(get(&format!("referrers/{digest}"))["manifests"].as_array().map(Vec::len), Some(1));
    drop(registry);
    edit(&place, "k8s/web.yaml", |text| text.replace("replicas: 2", "replicas: 3"));
    let output = place.wharf(&["up", "--env", "kube", "--skip", "push"]);
    assert!(output.status.success() && said(&output).contains("warning: the record is not beside the images: "), "{}", said(&output));
    assert_ne!(why(&place, &["web", "--env", "kube"])["release"], known["release"]);
    place.well(&["down", "--volumes", "--env", "kube"]);
}
