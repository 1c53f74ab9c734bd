//! A project delivered, again and again, under load: what is changed, what is refused, what is written down.

#![allow(clippy::print_stdout, reason = "figures")]

use super::place::{Place, until};
use serde_json::Value;
use std::process::{Child, Output};
use std::time::{Duration, Instant};

fn said(output: &Output) -> (Option<i32>, String) {
    let text = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    (output.status.code(), text.concat())
}

/// Changes a file of the project.
pub fn edit(place: &Place, file: &str, from: &str, to: &str) {
    let path = place.project().join(file);
    let text = std::fs::read_to_string(&path).expect("read");
    assert!(text.contains(from), "{file} has no {from}");
    std::fs::write(path, text.replace(from, to)).expect("written");
}

/// Every object of the project's namespace with its version.
pub fn versions(place: &Place) -> String {
    let kinds = "deployments,replicasets,pods,services,endpointslices,configmaps,secrets,leases";
    let all: Value = serde_json::from_str(&place.kubectl(&["get", kinds, "-n", "tiny", "-o", "json"])).expect("JSON");
    let line = |item: &Value| format!("{} {} {}\n", item["kind"], item["metadata"]["name"], item["metadata"]["resourceVersion"]);
    all["items"].as_array().expect("a list").iter().map(line).collect()
}

/// Where the service answers, as the run's last lines say.
pub fn url(place: &Place) -> String {
    let out = place.well(&["up", "--json"]);
    let lines = out.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    lines.filter_map(|line| line["url"].as_str().map(str::to_owned)).next().expect("a URL")
}

/// Waits until nothing changes any more: pods of a first run that end, and events, have their time.
pub fn settled(place: &Place) {
    let (mut before, mut since) = (versions(place), Instant::now());
    until("the cluster rests", Duration::from_secs(30), || {
        let now = versions(place);
        if std::mem::replace(&mut before, now.clone()) != now {
            since = Instant::now();
        }
        let ending = place.kubectl(&["get", "pods", "-n", "tiny", "-o", "jsonpath={.items[*].metadata.deletionTimestamp}"]);
        ending.is_empty() && since.elapsed() > Duration::from_secs(1)
    });
}

/// A second run writes nothing.
pub fn again(place: &Place) {
    place.well(&["up"]);
    settled(place);
    let before = versions(place);
    let out = place.well(&["up", "--json"]);
    assert!(out.contains("\"unchanged\":true"), "{out}");
    assert_eq!(versions(place), before);
}

/// Loads that run beside what a test does.
pub struct Loads(Vec<Child>);

/// Begins a load at each rate, with connections that are kept and with new ones.
pub fn loads(place: &Place, url: &str, lasts: Duration, rates: &[&str]) -> Loads {
    let lasting = format!("{}s", lasts.as_secs());
    let kinds = rates.iter().flat_map(|rate| [vec!["--rate", rate], vec!["--rate", rate, "--disable-keepalive"]]);
    let begin = |how: Vec<&str>| place.begin(&[&["load", "-z", &lasting, "-c", "40", "--json"], how.as_slice(), &[url]].concat());
    Loads(kinds.map(begin).collect())
}

impl Loads {
    /// Ends them, or waits for their end: no request was lost.
    pub fn end(self) {
        for load in self.0 {
            let pid = i32::try_from(load.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a pid");
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
            let output = load.wait_with_output().expect("its output");
            let text = String::from_utf8_lossy(&output.stdout);
            let report: Value =
                text.lines().rev().find_map(|line| serde_json::from_str(line).ok()).unwrap_or_else(|| panic!("no report: {output:?}"));
            assert_eq!(report["failed"], 0, "{report}");
            assert!(report["ok"].as_u64().expect("a count") > 100, "{report}");
            println!("{} requests, {} failed, {} sent again", report["requests"], report["failed"], report["retried"]);
        }
    }
}

/// Releases one after the other under load, there and back: no request is lost, and in the end only the new one answers.
pub fn rolling(place: &Place, rounds: u32, lasts: Duration) {
    let (url, begun) = (url(place), Instant::now());
    let loads = loads(place, &url, lasts, &["60"]);
    let answers = || -> Vec<String> { (0..8).map(|_| place.tool("curl", &["-s", &url])).collect() };
    for round in 1..=rounds {
        let (old, new) =
            (format!("hello {}", if round == 1 { "one".to_owned() } else { format!("v{}", round - 1) }), format!("hello v{round}"));
        for file in ["www/index.html", "wharf.yaml"] {
            edit(place, file, &old, &new);
        }
        place.well(&["up"]);
        assert!(answers().iter().all(|answer| *answer == new), "{new}: {:?}", answers());
        place.well(&["rollback"]);
        assert!(answers().iter().all(|answer| *answer == old), "{old}: {:?}", answers());
        place.well(&["up"]);
    }
    assert!(begun.elapsed() < lasts, "the load ended before the last release: {:?}", begun.elapsed());
    loads.end();
}

/// A plan is applied as it was shown, once, approved, and only where nothing moved.
pub fn plans(place: &Place) {
    place.well(&["up"]);
    let key = place.home().join("approver").display().to_string();
    let public = {
        place.tool("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-C", "ops", "-f", &key]);
        std::fs::read_to_string(format!("{key}.pub")).expect("read")
    };
    let (open, closed) = if place.is_cluster() {
        ("drain: 2s }", format!("drain: 2s, load: true, approvers: [\"{}\"] }}", public.trim()))
    } else {
        ("local: {}", format!("local: {{ load: true, approvers: [\"{}\"] }}", public.trim()))
    };
    edit(place, "wharf.yaml", open, &closed);
    let own = format!("environments.{}.approvers=[]", if place.is_cluster() { "kube" } else { "local" });
    let (code, told) = said(&place.wharf(&["up", "--set", &own]));
    assert!(code == Some(2) && told.contains("`approvers` are set in wharf.yaml alone"), "{told}");
    let (code, told) = said(&place.wharf(&["up"]));
    assert!(code == Some(3) && told.contains("takes only plans that were approved"), "{told}");
    edit(place, "k8s/web.yaml", "replicas: 2", "replicas: 3");
    let file = place.home().join("plan.json").display().to_string();
    let shown = place.well(&["plan", "--out", &file]);
    assert!(shown.contains("~ Deployment tiny/web") && shown.contains("spec.replicas: 2 -> 3"), "{shown}");
    let refused = |words: &str| {
        settled(place);
        let before = versions(place);
        let (code, told) = said(&place.wharf(&["deploy", &file]));
        assert!(code == Some(3) && told.contains(words), "{words}: {told}");
        assert_eq!(versions(place), before, "{words}");
    };
    refused("not approved");
    place.well(&["approve", &file, "--key", &key]);
    let text = std::fs::read_to_string(&file).expect("read");
    std::fs::write(&file, text.replacen("\"replicas\": 3", "\"replicas\": 4", 1)).expect("written");
    refused("was edited");
    std::fs::write(&file, text).expect("written");
    place.kubectl(&["-n", "tiny", "annotate", "service", "web", "moved=yes"]);
    refused("Service tiny/web (metadata.annotations");
    place.kubectl(&["-n", "tiny", "annotate", "service", "web", "moved-"]);
    let (code, told) = said(&place.wharf(&["deploy", &file]));
    assert!(code == Some(0) && told.lines().any(|line| line.starts_with("load ") && line.contains("20 requests,")), "{told}");
    let replicas = place.kubectl(&["-n", "tiny", "get", "deployment", "web", "-o", "jsonpath={.spec.replicas}"]);
    assert_eq!(replicas, "3");
    refused("applied already");
    place.well(&["plan", "--out", &file, "--expires", "1s"]);
    place.well(&["approve", &file, "--key", &key]);
    std::thread::sleep(Duration::from_millis(1100));
    refused("expired at");
    let why = place.well(&["why", "web"]);
    assert!(why.contains("ops (SHA256:") && why.contains("intact"), "{why}");
    assert!(place.well(&["why", "web", "--offline"]).contains("ops (SHA256:"));
    edit(place, "wharf.yaml", &closed, open);
    edit(place, "k8s/web.yaml", "replicas: 3", "replicas: 2");
}

/// Nodes that cannot run the images are told before anything is applied.
pub fn machines(place: &Place) {
    place.well(&["up"]);
    let node =
        "apiVersion: v1\nkind: Node\nmetadata: { name: other, labels: { kubernetes.io/arch: s390x } }\nspec: { unschedulable: true }\n";
    std::fs::write(place.home().join("node.yaml"), node).expect("written");
    place.kubectl(&["create", "-f", &place.home().join("node.yaml").display().to_string()]);
    let info = r#"{"status":{"nodeInfo":{"architecture":"s390x","bootID":"","containerRuntimeVersion":"","kernelVersion":"","kubeProxyVersion":"","kubeletVersion":"","machineID":"","operatingSystem":"linux","osImage":"","systemUUID":""}}}"#;
    place.kubectl(&["patch", "node", "other", "--subresource", "status", "--type", "merge", "-p", info]);
    edit(place, "k8s/web.yaml", "replicas: 2", "replicas: 3");
    let shown = place.well(&["plan"]);
    assert!(shown.contains("may be put on nodes that are not (other is s390x)"), "{shown}");
    edit(place, "k8s/web.yaml", "      containers:", "      nodeSelector: { kubernetes.io/arch: s390x }\n      containers:");
    settled(place);
    let before = versions(place);
    let (code, told) = said(&place.wharf(&["up"]));
    assert!(code == Some(3) && told.contains("no node that its pods may go to is: other is s390x"), "{told}");
    assert_eq!(versions(place), before, "nothing was applied");
    edit(place, "k8s/web.yaml", "      nodeSelector: { kubernetes.io/arch: s390x }\n", "");
    edit(place, "k8s/web.yaml", "replicas: 3", "replicas: 2");
    place.kubectl(&["delete", "node", "other"]);
    // What cannot be rolling is told.
    edit(place, "k8s/web.yaml", "maxUnavailable: 0", "maxUnavailable: 1");
    edit(place, "k8s/web.yaml", "replicas: 2", "replicas: 1");
    edit(place, "k8s/web.yaml", "          readinessProbe:", "          livenessProbe:");
    let shown = place.well(&["plan"]);
    assert!(shown.contains("readiness") && shown.contains("maxUnavailable"), "{shown}");
    edit(place, "k8s/web.yaml", "          livenessProbe:", "          readinessProbe:");
    edit(place, "k8s/web.yaml", "replicas: 1", "replicas: 2");
    edit(place, "k8s/web.yaml", "maxUnavailable: 1", "maxUnavailable: 0");
}

/// What no manifest names any more goes where the project made it, and nothing else does.
pub fn prunes(place: &Place) {
    place.well(&["up"]);
    let map = |name: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: {name} }}\ndata: {{ a: b }}\n");
    for name in ["theirs", "copied", "adopted"] {
        place.kubectl(&["create", "configmap", name, "-n", "tiny"]);
    }
    // As somebody does who copies an object that the project made.
    place.kubectl(&["label", "configmap", "copied", "-n", "tiny", "wharf.local/project=tiny", "app.kubernetes.io/managed-by=wharf"]);
    std::fs::write(place.project().join("k8s/maps.yaml"), format!("{}---\n{}", map("ours"), map("adopted"))).expect("written");
    place.well(&["up"]);
    std::fs::remove_file(place.project().join("k8s/maps.yaml")).expect("removed");
    let plan = place.well(&["plan"]);
    assert!(plan.contains("- ConfigMap tiny/ours") && plan.contains("ConfigMap tiny/adopted stays"), "{plan}");
    place.well(&["up"]);
    let left = place.kubectl(&["get", "configmaps", "-n", "tiny", "-o", "name"]);
    assert!(!left.contains("ours") && ["theirs", "copied", "adopted"].iter().all(|name| left.contains(name)), "{left}");
    place.kubectl(&["delete", "configmap", "theirs", "copied", "adopted", "-n", "tiny"]);
}

/// A check inside the image that says no stops the run before anything is deployed.
pub fn checked(place: &Place) {
    place.well(&["up"]);
    let before = versions(place);
    edit(place, "www/index.html", "hello", "nobody");
    let (code, told) = said(&place.wharf(&["up"]));
    assert!(code == Some(1) && told.contains("`check web` failed") && told.contains("nothing to greet"), "{told}");
    assert_eq!(versions(place), before);
    edit(place, "www/index.html", "nobody", "hello");
    let settings = std::fs::read_to_string(place.project().join("wharf.yaml")).expect("read");
    for (check, cause, hint) in [
        ("{ run: [/bin/sleep, \"60\"], timeout: 1s }", "its time up after 1", "`timeout:`"),
        ("{ run: [/bin/sh, -c, \"echo hi; exec >/dev/null 2>&1; exec /bin/sleep 60\"], timeout: 1s }", "its time up after 1", "`timeout:`"),
        ("{ run: [/bin/sh, -c, \"tail -c 100m /dev/zero\"], memory: 16MiB }", "more memory than 16", "`memory:`"),
    ] {
        let lines =
            settings.lines().map(|line| if line.starts_with("  web: { run:") { format!("  web: {check}") } else { line.to_owned() });
        std::fs::write(place.project().join("wharf.yaml"), lines.collect::<Vec<_>>().join("\n")).expect("written");
        let (code, told) = said(&place.wharf(&["up", "--only", "check"]));
        assert!(code == Some(1) && told.contains(cause) && told.contains(hint), "{told}");
    }
    std::fs::write(place.project().join("wharf.yaml"), settings).expect("written");
}

/// A release that serves and fails its smoke checks is taken back and marked, and the next plan says so.
pub fn rejected(place: &Place) {
    place.well(&["up"]);
    edit(place, "www/index.html", "hello", "sorry");
    let (code, told) = said(&place.wharf(&["up"]));
    assert!(code == Some(1) && told.contains("serves again"), "{told}");
    assert!(place.well(&["history"]).contains("failed"), "{}", place.well(&["history"]));
    let plan = place.well(&["plan"]);
    assert!(plan.contains("failed before"), "{plan}");
    edit(place, "www/index.html", "sorry", "hello");
    place.well(&["up"]);
}

/// All that was made goes.
pub fn leaves(place: &Place) {
    place.well(&["up"]);
    place.well(&["down", "--volumes"]);
    let kinds = "deployments,replicasets,pods,services,configmaps,secrets,leases,networkpolicies,persistentvolumeclaims";
    let left = place.kubectl(&["get", kinds, "-A", "-l", "wharf.local/project=tiny", "-o", "name"]);
    assert_eq!(left, "");
    assert_eq!(place.kubectl(&["get", "namespaces", "-l", "wharf.local/project=tiny", "-o", "name"]), "");
}
