//! A release that serves and then no longer does: `status` and the next `plan` say so, and why.

use super::place::{Place, place, until};
use serde_json::Value;
use std::time::Duration;

const PROBE: &str = "readinessProbe: { httpGet: { path: /, port: 8080 }, periodSeconds: 1 }";
const SICK: &str = "readinessProbe: { exec: { command: [test, '!', -e, /tmp/sick] }, periodSeconds: 1, failureThreshold: 1 }
          volumeMounts: [{ name: tmp, mountPath: /tmp }]
      volumes: [{ name: tmp, emptyDir: {} }]";

fn json(place: &Place, args: &[&str]) -> (Option<i32>, Value) {
    let output = place.wharf(args);
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().rev().find_map(|line| serde_json::from_str(line).ok());
    (output.status.code(), last.unwrap_or_else(|| panic!("{args:?}: {text} {}", String::from_utf8_lossy(&output.stderr))))
}

fn of<'a>(listed: &'a Value, kind: &str) -> Vec<&'a Value> {
    listed.as_array().expect("a list").iter().filter(|object| object["kind"] == kind).collect()
}

fn in_every_pod(place: &Place, command: &[&str]) {
    for pod in place.kubectl(&["-n", "tiny", "get", "pods", "-l", "app=web", "-o", "name"]).lines() {
        place.kubectl(&[&["-n", "tiny", "exec", pod, "--"], command].concat());
    }
}

#[test]
fn readiness_that_is_lost_later_shows_in_status_and_in_the_next_plan() {
    let Some(place) = place("health") else { return };
    let manifest = place.project().join("k8s/web.yaml");
    let text = std::fs::read_to_string(&manifest).expect("read");
    assert!(text.contains(PROBE));
    std::fs::write(&manifest, text.replace(PROBE, SICK)).expect("written");
    place.well(&["up"]);
    let (code, status) = json(&place, &["status", "--json"]);
    assert_eq!((code, &status["healthy"]), (Some(0), &Value::from(true)), "{status}");
    let kinds = ["Deployment", "Service", "Pod", "Namespace"];
    assert!(kinds.iter().all(|kind| !of(&status["objects"], kind).is_empty()), "{status}");
    let (code, plan) = json(&place, &["plan", "--json"]);
    assert_eq!((code, &plan["healthy"], plan["unhealthy"].as_array().map(Vec::len)), (Some(0), &Value::from(true), Some(0)), "{plan}");

    in_every_pod(&place, &["touch", "/tmp/sick"]);
    until("the pods are not ready", Duration::from_secs(20), || {
        json(&place, &["status", "--json"]).1["objects"].as_array().expect("a list").iter().filter(|object| object["well"] == false).count()
            == 3
    });
    let (code, status) = json(&place, &["status", "--json"]);
    assert_eq!((code, &status["healthy"]), (Some(3), &Value::from(false)), "{status}");
    let cause = of(&status["objects"], "Deployment")[0]["cause"].as_str().expect("a cause");
    assert!(cause.contains("container `web` of pod `web-") && cause.contains("is not ready: Readiness probe failed"), "{cause}");
    let shown = place.wharf(&["status"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("because container `web`") && shown.status.code() == Some(3));

    // Nothing changes, and the plan does not call that good.
    let (code, plan) = json(&place, &["plan", "--json"]);
    assert_eq!((code, &plan["healthy"]), (Some(0), &Value::from(false)), "{plan}");
    assert!(plan["plan"]["objects"].as_array().expect("a list").iter().all(|object| object["change"] == "unchanged"), "{plan}");
    assert!(
        of(&plan["unhealthy"], "Deployment")[0]["cause"].as_str().is_some_and(|cause| cause.contains("Readiness probe failed")),
        "{plan}"
    );
    let shown = place.well(&["plan"]);
    assert!(shown.contains("is not healthy now, and this plan changes nothing of it"), "{shown}");
    assert!(shown.contains("Deployment tiny/web: container `web` of pod `web-"), "{shown}");

    in_every_pod(&place, &["rm", "/tmp/sick"]);
    place.well(&["status", "--wait", "20s"]);
    assert!(!place.well(&["plan"]).contains("not healthy"));

    place.kubectl(&["-n", "tiny", "delete", "service", "web"]);
    let (code, status) = json(&place, &["status", "--json"]);
    assert_eq!((code, &of(&status["objects"], "Service")[0]["state"]), (Some(3), &Value::from("NotFound")), "{status}");
    let shown = place.well(&["plan"]);
    assert!(shown.contains("+ Service tiny/web") && shown.contains("Service tiny/web: not there: somebody removed it"), "{shown}");
    place.well(&["up"]);
    place.well(&["status"]);
}
