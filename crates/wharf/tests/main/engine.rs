//! The main job on the engine.

use super::place::{Place, URL, place, soon, until};
use super::{causes, delivering};
use std::time::{Duration, Instant};

const VERSIONS: &str = r#"jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.resourceVersion}{"\n"}{end}"#;
const PODS: &str = r#"jsonpath={range .items[*]}{.metadata.uid} {.status.containerStatuses[0].containerID} {.status.containerStatuses[0].restartCount}{"\n"}{end}"#;
const KINDS: &str = "deployments,replicasets,pods,services,endpointslices,secrets,configmaps,serviceaccounts";

fn load(place: &Place, requests: &str) -> std::process::Child {
    place.begin(&["load", URL, "-n", requests, "-c", "4", "--max-failed", "0"])
}

fn went_well(load: std::process::Child) {
    super::place::shown(&["load"], &load.wait_with_output().expect("ended"));
}

#[test]
fn up_serves_and_a_second_up_changes_nothing() {
    let Some(place) = place("twice") else { return };
    assert!(place.well(&["up"]).contains(URL.trim_end_matches('/')));
    let look = || place.kubectl(&["get", KINDS, "-n", "tiny", "-o", VERSIONS]);
    let before = look();
    assert!(before.lines().count() > 8, "{before}");
    let said = place.well(&["up", "--json"]);
    assert!(said.contains("\"unchanged\":true"), "{said}");
    assert_eq!(look(), before);
    went_well(load(&place, "500"));
}

#[test]
fn a_project_is_delivered_to_the_engine() {
    let Some(place) = place("delivered") else { return };
    delivering::again(&place);
    delivering::rolling(&place, 2, soon(Duration::from_secs(30)));
    delivering::plans(&place);
    delivering::machines(&place);
    delivering::prunes(&place);
    delivering::checked(&place);
    delivering::rejected(&place);
    delivering::leaves(&place);
}

#[test]
fn every_cause_is_told_within_ten_seconds_of_its_first_sign() {
    let Some(place) = place("causes") else { return };
    causes::every_cause(&place);
}

#[test]
fn an_engine_that_is_killed_loses_no_request_and_no_pod() {
    let Some(place) = place("killed") else { return };
    place.well(&["up"]);
    let look = || place.kubectl(&["get", "pods", "-n", "tiny", "-o", PODS]);
    let before = look();
    let load = load(&place, "6000");
    for _ in 0..3 {
        place.kill_engine();
        std::thread::sleep(Duration::from_millis(300));
        place.well(&["engine", "start"]);
        // What was acknowledged is kept, and the engine does its work again.
        place.kubectl(&["create", "configmap", &base::ids::suffix(8), "-n", "tiny", "--from-literal=a=b"]);
    }
    went_well(load);
    assert_eq!(look(), before);
    let kept = place.kubectl(&["get", "configmaps", "-n", "tiny", "-o", "name"]);
    assert_eq!(kept.lines().count(), 4, "three and the root certificate's: {kept}");
}

#[test]
fn a_rolling_restart_loses_no_request() {
    let Some(place) = place("rolling") else { return };
    // busybox's httpd does not drain: it is given the time that its connections need.
    let manifest = place.project().join("k8s/web.yaml");
    let text = std::fs::read_to_string(&manifest).expect("read");
    let lifecycle = "image: web\n          lifecycle: { preStop: { sleep: { seconds: 1 } } }";
    std::fs::write(&manifest, text.replace("image: web", lifecycle).replace("Seconds: 1\n", "Seconds: 5\n")).expect("written");
    place.well(&["up"]);
    let load = place.begin(&["load", URL, "--rate", "200", "-z", "5s", "--max-failed", "0"]);
    place.kubectl(&["rollout", "restart", "deployment/web", "-n", "tiny"]);
    place.kubectl(&["rollout", "status", "deployment/web", "-n", "tiny", "--timeout=30s"]);
    place.kubectl(&["rollout", "undo", "deployment/web", "-n", "tiny"]);
    place.kubectl(&["rollout", "status", "deployment/web", "-n", "tiny", "--timeout=30s"]);
    went_well(load);
}

#[test]
fn a_load_balancer_has_an_address_of_its_own() {
    let Some(place) = place("balanced") else { return };
    let manifest = place.project().join("k8s/web.yaml");
    let text = std::fs::read_to_string(&manifest).expect("read");
    std::fs::write(&manifest, text.replace("NodePort", "LoadBalancer").replace(", nodePort: 32080", "")).expect("written");
    let said = place.well(&["up"]);
    let address = place.kubectl(&["get", "service", "web", "-n", "tiny", "-o", "jsonpath={.status.loadBalancer.ingress[0].ip}"]);
    let url = format!("http://{address}");
    assert!(address.starts_with("127.") && said.contains(&url), "{address}: {said}");
    place.well(&["load", &url, "-n", "500", "-c", "4", "--max-failed", "0"]);
}

#[test]
fn a_release_that_cannot_run_is_told_and_taken_back() {
    let Some(place) = place("broken") else { return };
    place.well(&["up"]);
    let dockerfile = place.project().join("Dockerfile");
    let good = std::fs::read_to_string(&dockerfile).expect("read");
    std::fs::write(&dockerfile, good.replace("/bin/httpd", "/bin/nothing")).expect("written");
    let begun = Instant::now();
    let failed = place.wharf(&["up"]);
    let said = String::from_utf8_lossy(&failed.stderr);
    assert_eq!(failed.status.code(), Some(3), "{said}");
    assert!(said.contains("cannot start `/bin/nothing`") && said.contains("serves again"), "{said}");
    assert!(begun.elapsed() < soon(Duration::from_secs(20)), "{:?}", begun.elapsed());
    std::fs::write(&dockerfile, good).expect("written");
    place.well(&["smoke"]);
}

#[test]
fn what_was_stopped_comes_back_soon_and_what_was_reset_leaves_nothing() {
    let Some(place) = place("reset") else { return };
    let seen = || (place.tool("ip", &["-brief", "link"]), place.tool("nft", &["list", "ruleset"]), mounts(&place));
    let before = seen();
    place.well(&["up"]);
    assert_ne!(seen(), before);
    place.well(&["engine", "stop"]);
    until("every process has ended", Duration::from_secs(5), || place.processes().is_empty());
    let begun = Instant::now();
    place.well(&["up"]);
    // No back-off holds back what the engine itself had ended.
    assert!(begun.elapsed() < soon(Duration::from_secs(8)), "{:?}", begun.elapsed());
    place.well(&["down", "--volumes", "--yes"]);
    place.well(&["engine", "reset"]);
    until("every process has ended", Duration::from_secs(5), || place.processes().is_empty());
    assert_eq!(seen(), before);
}

/// Mounts inside, by what they are and where.
fn mounts(place: &Place) -> Vec<String> {
    let table = place.tool("cat", &["/proc/self/mounts"]);
    let ours = place.home();
    let ours = ours.to_str().expect("UTF-8");
    table.lines().filter(|line| line.contains(ours)).map(str::to_owned).collect()
}

#[test]
fn two_at_once_end_well() {
    let Some(place) = place("two") else { return };
    let (one, other) = (place.begin(&["engine", "start"]), place.begin(&["engine", "start"]));
    went_well(one);
    went_well(other);
    place.well(&["engine", "status"]);
}
