//! Saved plans against an API in memory: what was shown is applied, once, and only where the world stands as it stood.

use super::{EXTRA, MANIFESTS, Stand, release};
use delivery::ledger::Event;
use delivery::saved::{Origin, PlanFile};
use delivery::{Change, Check, DeployError, Judgement, Options, Record};
use k8s::Fields;
use serde_json::json;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);

impl Stand {
    async fn planned(&self, image: &str, texts: &[&str]) -> PlanFile {
        let file = self.delivery.save_plan(&release(image, texts), Origin::default(), DAY).await.expect("planned");
        PlanFile::read("plan", &file.to_bytes().expect("bytes")).expect("read")
    }

    async fn refusal(&self, file: &PlanFile) -> String {
        self.server.writes();
        let refused = self.delivery.apply_plan(file, &Options::default()).await.expect_err("refused");
        assert_eq!(self.server.writes(), Vec::<String>::new());
        let DeployError::Problem(problem) = refused else { panic!("{refused}") };
        assert_eq!(problem.kind, base::ProblemKind::Target);
        problem.message
    }
}

#[tokio::test]
async fn a_plan_writes_nothing_and_is_applied_as_it_was_shown_and_once() {
    let stand = Stand::new().await;
    stand.deploy(&release("good:1", &[MANIFESTS, EXTRA])).await.expect("deployed");
    stand.server.writes();
    let file = stand.planned("good:2", &[MANIFESTS]).await;
    assert_eq!(stand.server.writes(), Vec::<String>::new());
    let shown: Vec<(&str, Change)> = file.plan.plan.objects.iter().map(|object| (object.object.as_str(), object.change)).collect();
    assert!(
        shown.contains(&("Deployment jobs/web", Change::Changed)) && shown.contains(&("ConfigMap jobs/extra", Change::Pruned)),
        "{shown:?}"
    );
    stand.delivery.apply_plan(&file, &Options::default()).await.expect("applied");
    for object in &file.plan.objects {
        let live = stand.server.object(object.text("kind"), object.namespace(), object.name()).expect("applied");
        for part in ["spec", "data"] {
            assert!(object.at(part).is_none_or(|wanted| contains(live.at(part).expect("there"), wanted)), "{object}");
        }
    }
    assert!(stand.server.object("ConfigMap", "jobs", "extra").is_none());
    assert!(stand.refusal(&file).await.contains("applied already"));
}

#[tokio::test]
async fn a_plan_that_says_less_than_it_does_is_refused() {
    let stand = Stand::new().await;
    stand.deploy(&release("good:1", &[MANIFESTS])).await.expect("deployed");
    let honest = stand.planned("good:2", &[MANIFESTS]).await;
    let secret = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "hidden", "namespace": "jobs"}, "data": {"a": "b"}});
    let mut more = honest.plan.clone();
    more.objects.push(secret);
    let mut other = honest.plan.clone();
    for object in other.objects.iter_mut().filter(|object| object.text("kind") == "Deployment") {
        object.set("spec.template.spec.containers", json!([{"name": "web", "image": "evil:1"}]));
    }
    let mut less = honest.plan.clone();
    less.plan.objects.retain(|object| !object.object.starts_with("Deployment"));
    for (plan, told) in [(more, "ConfigMap jobs/hidden"), (other, "Deployment jobs/web"), (less, "Deployment jobs/web")] {
        // Its digest is right, and it may be signed.
        let file = PlanFile::new(plan).expect("a plan");
        let refusal = stand.refusal(&file).await;
        assert!(refusal.contains("says one thing and would do another") && refusal.contains(told), "{told}: {refusal}");
    }
    stand.delivery.apply_plan(&honest, &Options::default()).await.expect("applied");
}

/// Whether a live value has all that was wanted of it.
fn contains(live: &k8s::Value, wanted: &k8s::Value) -> bool {
    match (live, wanted) {
        (k8s::Value::Object(live), k8s::Value::Object(wanted)) => {
            wanted.iter().all(|(name, wanted)| live.get(name).is_some_and(|live| contains(live, wanted)))
        }
        (k8s::Value::Array(live), k8s::Value::Array(wanted)) => {
            live.len() == wanted.len() && live.iter().zip(wanted).all(|(live, wanted)| contains(live, wanted))
        }
        _ => live == wanted,
    }
}

#[tokio::test]
async fn a_plan_is_stale_once_anything_moved() {
    let stand = Stand::new().await;
    stand.deploy(&release("good:1", &[MANIFESTS])).await.expect("deployed");
    let file = stand.planned("good:2", &[MANIFESTS, EXTRA]).await;
    let before = stand.server.object("Service", "jobs", "web").expect("a service");
    let mut moved = before.clone();
    moved["spec"]["ports"] = json!([{"port": 81}]);
    stand.server.put("Service", moved);
    assert!(stand.refusal(&file).await.contains("Service jobs/web (spec.ports[0].port: 80 -> 81)"));
    // What only says how it is going moves nothing.
    stand.server.put("Service", {
        let mut same = before;
        same["status"] = json!({"loadBalancer": {}});
        same
    });
    stand.server.put("ConfigMap", json!({"metadata": {"name": "extra", "namespace": "jobs"}, "data": {"a": "b"}}));
    assert!(stand.refusal(&file).await.contains("ConfigMap jobs/extra is there now"));
    let other = stand.planned("good:3", &[MANIFESTS]).await;
    stand.deploy(&release("good:4", &[MANIFESTS])).await.expect("deployed");
    let told = stand.refusal(&other).await;
    assert!(told.contains("the release that serves") && told.contains("Deployment jobs/web"), "{told}");
}

#[tokio::test]
async fn what_happens_is_written_down_in_a_chain() {
    let stand = Stand::new().await;
    let (one, bad) = (release("good:1", &[MANIFESTS]), release("crash:2", &[MANIFESTS]));
    let options = Options { notes: json!({"source": "commit-1"}), ..Options::default() };
    stand.delivery.deploy(&one, &options).await.expect("deployed");
    let judged =
        |release, rejected: Option<&str>| Judgement { release, by: "smoke", detail: json!({}), rejected: rejected.map(str::to_owned) };
    stand.delivery.judge("jobs", "jobs", &judged(&*one.id, None)).await.expect("judged");
    stand.deploy(&bad).await.expect_err("crashes");
    let inventory = stand.inventory().await;
    let seen: Vec<(Event, &str)> = inventory.ledger.entries().iter().map(|entry| (entry.event, entry.release.as_str())).collect();
    assert_eq!(
        seen,
        [
            (Event::Begun, &*one.id),
            (Event::Deployed, &*one.id),
            (Event::Passed, &*one.id),
            (Event::Begun, &*bad.id),
            (Event::Failed, &*bad.id),
            (Event::PutBack, &*one.id)
        ]
    );
    assert_eq!(inventory.ledger.verify(), Ok(()));
    let key = inventory.key.clone().expect("a key");
    let copies = stand.delivery.copies.clone().expect("copies");
    for record in stand.delivery.history("jobs", "jobs").await.expect("history") {
        assert!(matches!(record.check(&inventory.ledger, Some(&key)), Ok(Check::Intact { .. })), "{}", record.id);
        let copied = copies.record("jobs", &record.id).expect("read").expect("a copy");
        assert!(matches!(copied.check(&inventory.ledger, None), Ok(Check::Intact { .. })), "{}", record.id);
    }
    let copied = copies.ledger("jobs").expect("read");
    assert_eq!(copied, Some(inventory.ledger));
    // A release that was put back keeps what allowed it, and one that a trial rejects is marked.
    let two = release("good:2", &[MANIFESTS]);
    stand.deploy(&two).await.expect("deployed");
    stand.delivery.judge("jobs", "jobs", &judged(&*two.id, Some("status 500"))).await.expect("judged");
    stand.delivery.roll_back("jobs", "jobs", None, &Options::default()).await.expect("back");
    let records = stand.delivery.history("jobs", "jobs").await.expect("history");
    let of = |id: &str| records.iter().find(|record: &&Record| record.id == id).expect("a record");
    assert_eq!(of(&one.id).notes.text("source"), "commit-1");
    assert!(of(&two.id).cause.as_ref().is_some_and(|cause| cause.message == "status 500"));
    // Nobody goes back to what was rejected, whether it is named or not, and nobody judges what does not serve any more.
    for (to, told) in [(None, "has no release to go back to"), (Some(&*two.id), "was never found good: smoke of jobs: status 500")] {
        let refused = stand.delivery.roll_back("jobs", "jobs", to, &Options::default()).await.expect_err("refused");
        let problem = base::Problem::from(refused);
        assert!(problem.message.contains(told), "{problem}");
    }
    let late = stand.delivery.judge("jobs", "jobs", &judged(&*two.id, Some("late"))).await.expect_err("refused");
    assert!(late.message.contains(&format!("{} serves by now", one.id)), "{late}");
}

#[tokio::test]
async fn a_plan_sees_that_a_secret_moved_and_says_nothing_of_it() {
    const SECRET: &str = "{apiVersion: v1, kind: Secret, metadata: {name: pin}, data: {pin: MTIzNA==}}";
    let stand = Stand::new().await;
    stand.server.put("Namespace", json!({"metadata": {"name": "jobs"}}));
    let live = |value: &str| {
        let applied = json!({"kubectl.kubernetes.io/last-applied-configuration": format!("{{\"data\":{{\"pin\":\"{value}\"}}}}")});
        stand
            .server
            .put("Secret", json!({"metadata": {"name": "pin", "namespace": "jobs", "annotations": applied}, "data": {"pin": value}}));
    };
    let guesses = ["ODg4OA==", "\"ODg4OA==\"", "8888"].map(|guess| oci::Digest::of(guess.as_bytes()).hex());
    // Before a first deploy the plan has a key of its own, later it is the project's, which is in no file.
    for (image, has_key) in [("good:1", true), ("good:2", false)] {
        live("ODg4OA==");
        let file = stand.planned(image, &[MANIFESTS, SECRET]).await;
        assert_eq!(file.plan.key.is_some(), has_key);
        let text = serde_json::to_string(&(&file.plan.before, &file.plan.plan)).expect("JSON");
        assert!(!text.contains("ODg4OA") && !guesses.iter().any(|guess| text.contains(guess)), "{text}");
        live("Nzc3Nw==");
        let told = stand.refusal(&file).await;
        assert!(told.contains("Secret jobs/pin (data.pin: \"(hidden)\" -> \"(hidden)\")"), "{told}");
        assert!(!["ODg4OA", "Nzc3Nw", "MTIzNA"].iter().any(|value| told.contains(value)), "{told}");
        live("ODg4OA==");
        stand.delivery.apply_plan(&file, &Options::default()).await.expect("as it stood");
    }
    // What leaves the cluster: the copy in the home, and the ledger.
    let inventory = stand.inventory().await;
    let copies = stand.delivery.copies.as_ref().expect("copies");
    let record = copies.record("jobs", inventory.current.as_deref().expect("one serves")).expect("read").expect("a copy");
    let kept = serde_json::to_string(&(&record, &inventory.ledger)).expect("JSON");
    let unkeyed = ["MTIzNA==", "\"MTIzNA==\"", "{\"pin\":\"MTIzNA==\"}", "{\"data\":{\"pin\":\"MTIzNA==\"},\"stringData\":null}"];
    assert!(kept.contains("(hidden)") && !kept.contains("MTIzNA"), "{kept}");
    assert!(!unkeyed.iter().any(|guess| kept.contains(&oci::Digest::of(guess.as_bytes()).hex())), "{kept}");
}
