//! Workloads of every kind: each is followed to its release, and none is ill without being told.

use super::place::{Place, until};
use serde_json::Value;
use std::time::Duration;

const MANIFESTS: &str = "apiVersion: apps/v1
kind: StatefulSet
metadata: { name: db }
spec:
  replicas: 1
  serviceName: db
  selector: { matchLabels: { app: db } }
  template:
    metadata: { labels: { app: db } }
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: db
          image: web
          readinessProbe: { exec: { command: [test, '!', -e, /tmp/sick] }, periodSeconds: 1, failureThreshold: 1 }
          volumeMounts: [{ name: tmp, mountPath: /tmp }]
      volumes: [{ name: tmp, emptyDir: {} }]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: agent }
spec:
  selector: { matchLabels: { app: agent } }
  template:
    metadata: { labels: { app: agent } }
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{ name: agent, image: web }]
---
apiVersion: batch/v1
kind: Job
metadata: { name: migrate }
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{ name: migrate, image: web, command: [/bin/sh, -c, 'exit 0'] }]
---
apiVersion: batch/v1
kind: CronJob
metadata: { name: nightly }
spec:
  schedule: 0 3 29 2 *
  jobTemplate:
    spec:
      backoffLimit: 0
      template:
        spec:
          restartPolicy: Never
          containers: [{ name: nightly, image: web, command: [/bin/sh, -c, 'echo the disk is full; exit 3'] }]
";

fn json(place: &Place, args: &[&str]) -> (Option<i32>, Value) {
    let output = place.wharf(args);
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().rev().find_map(|line| serde_json::from_str(line).ok());
    (output.status.code(), last.unwrap_or_else(|| panic!("{args:?}: {text} {}", String::from_utf8_lossy(&output.stderr))))
}

/// What is not well, and why.
fn ill(status: &Value) -> Vec<(String, String)> {
    let objects = status["objects"].as_array().expect("a list").iter().filter(|object| object["well"] == false);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    objects.map(|object| (text(&object["kind"]), text(&object["cause"]))).collect()
}

fn pod(place: &Place, selector: &str) -> String {
    let names = place.kubectl(&["-n", "tiny", "get", "pods", "-l", selector, "-o", "name"]);
    names.lines().next().unwrap_or_else(|| panic!("no pod of {selector}")).to_owned()
}

/// Each kind serves, is followed to its release, falls ill, and is told.
pub fn every_kind(place: &Place) {
    std::fs::write(place.project().join("k8s/kinds.yaml"), MANIFESTS).expect("written");
    place.well(&["up"]);
    let (code, status) = json(place, &["status", "--json"]);
    assert_eq!((code, ill(&status)), (Some(0), Vec::new()), "{status}");
    for kind in ["StatefulSet", "DaemonSet", "Job", "CronJob", "Deployment"] {
        assert!(status["objects"].as_array().expect("a list").iter().any(|object| object["kind"] == kind), "{kind}: {status}");
    }
    let release = status["release"].clone();
    place.kubectl(&["-n", "tiny", "create", "job", "--from=cronjob/nightly", "by-hand"]);
    until("the job has failed", Duration::from_secs(60), || {
        let failed = ["-n", "tiny", "get", "job", "by-hand", "-o", "jsonpath={.status.conditions[?(@.type==\"Failed\")].status}"];
        place.kubectl(&failed) == "True"
    });
    let [set, daemon, job, cron] = ["app=db", "app=agent", "job-name=migrate", "job-name=by-hand"].map(|selector| pod(place, selector));
    let chains = [
        ("db", vec!["StatefulSet"]),
        (set.as_str(), vec!["Pod", "StatefulSet"]),
        ("ds/agent", vec!["DaemonSet"]),
        (&daemon, vec!["Pod", "DaemonSet"]),
        (&job, vec!["Pod", "Job"]),
        ("cronjob/nightly", vec!["CronJob"]),
        ("job/by-hand", vec!["Job", "CronJob"]),
        (&cron, vec!["Pod", "Job", "CronJob"]),
    ];
    for (asked, kinds) in chains {
        let (code, known) = json(place, &["why", asked, "--json"]);
        let chain: Vec<&str> = known["lineage"].as_array().expect("a list").iter().filter_map(|one| one["kind"].as_str()).collect();
        assert_eq!((code, chain, &known["release"]), (Some(0), kinds, &release), "{asked}: {known}");
        assert!(known["images"][0].as_str().is_some_and(|image| image.contains("tiny/web@sha256:")), "{known}");
    }
    assert!(place.well(&["logs", "cronjob/nightly"]).contains("the disk is full"));
    // What a place adds to its commands' words goes to `true`.
    place.well(&["exec", "--env", "kube", "db", "--", "true"]);
    assert_eq!(json(place, &["why", &set, "--offline", "--json"]).1["release"], release);

    // What only a CronJob started is ill, and only that.
    let (code, status) = json(place, &["status", "--json"]);
    let told = ill(&status);
    assert!(code == Some(3) && told.len() == 1 && told[0].0 == "Job", "{told:?}");
    assert!(told[0].1.contains("ended with exit code 3") && told[0].1.ends_with("its last line: the disk is full"), "{told:?}");
    place.kubectl(&["-n", "tiny", "delete", "job", "by-hand"]);
    place.well(&["status", "--wait", "20s"]);

    place.kubectl(&["-n", "tiny", "exec", &set, "--", "touch", "/tmp/sick"]);
    until("the set is not ready", Duration::from_secs(20), || ill(&json(place, &["status", "--json"]).1).len() == 2);
    let (_, plan) = json(place, &["plan", "--json"]);
    assert_eq!(plan["healthy"], false, "{plan}");
    let set_is = plan["unhealthy"].as_array().expect("a list").iter().find(|one| one["kind"] == "StatefulSet").expect("it is told");
    assert!(set_is["cause"].as_str().is_some_and(|cause| cause.contains("`db-0` is not ready: Readiness probe failed")), "{plan}");
    place.well(&["down", "--volumes"]);
}
