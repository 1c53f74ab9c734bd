//! Records that somebody changed, and what runs that are killed leave of them.

use super::{MANIFESTS, Stand, image_of, release};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use delivery::{Check, DeployError, Options, Record};
use k8s::Fields;
use serde_json::{Value, json};
use std::io::{Read, Write};

impl Stand {
    /// Changes the record of a release as somebody with a client could.
    fn edit(&self, id: &str, edit: impl Fn(&mut Value)) {
        let mut secret = self.server.object("Secret", "jobs", &format!("wharf-release-jobs-{id}")).expect("a record");
        let packed = STANDARD.decode(secret.text("data.record")).expect("base64");
        let mut text = String::new();
        flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut text).expect("gzip");
        let mut record: Value = serde_json::from_str(&text).expect("JSON");
        edit(&mut record);
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(record.to_string().as_bytes()).expect("packed");
        secret["data"]["record"] = json!(STANDARD.encode(packer.finish().expect("packed")));
        self.server.put("Secret", secret);
    }
}

fn to_evil(record: &mut Value) {
    let text = record["objects"].to_string().replace("good:1", "good:evil");
    record["objects"] = serde_json::from_str(&text).expect("JSON");
}

#[tokio::test]
async fn a_record_that_somebody_changed_is_not_rolled_back_to() {
    let stand = Stand::new().await;
    let (one, two) = (release("good:1", &[MANIFESTS]), release("good:2", &[MANIFESTS]));
    stand.deploy(&one).await.expect("deployed");
    stand.deploy(&two).await.expect("deployed");
    stand.edit(&one.id, to_evil);
    stand.server.writes();
    let refused = base::Problem::from(stand.delivery.roll_back("jobs", "jobs", None, &Options::default()).await.expect_err("edited"));
    assert!(refused.message.contains(&one.id) && refused.message.contains("not as it was written"), "{refused}");
    assert!(refused.hints.iter().any(|hint| hint.contains("wharf history")), "{refused:?}");
    assert_eq!((stand.server.writes(), image_of(&stand)), (Vec::new(), "good:2".to_owned()));
    // The record of another release under this one's name is no better for being true.
    stand.edit(&two.id, |record| record["id"] = json!(one.id));
    let refused = stand.delivery.roll_back("jobs", "jobs", Some(&two.id), &Options::default()).await.expect_err("another's");
    assert!(refused.to_string().contains("has the record of release"), "{refused}");
}

#[tokio::test]
async fn a_record_that_somebody_changed_is_not_put_back_by_itself() {
    let stand = Stand::new().await;
    let one = release("good:1", &[MANIFESTS]);
    stand.deploy(&one).await.expect("deployed");
    stand.edit(&one.id, to_evil);
    let Err(DeployError::Rollout(failed)) = stand.deploy(&release("crash:2", &[MANIFESTS])).await else { panic!("it crashes") };
    assert!(failed.rolled_back.is_none(), "{failed:?}");
    assert!(failed.rollback_problem.is_some_and(|problem| problem.message.contains("not as it was written")));
    assert_eq!(image_of(&stand), "crash:2");
    // From its sources it is deployed as ever, and its record is true again.
    stand.deploy(&one).await.expect("deployed");
    let inventory = stand.inventory().await;
    let record = Record::load(&stand.delivery.cluster, "jobs", "jobs", &one.id).await.expect("read").expect("a record");
    assert!(matches!(record.check(&inventory.ledger, inventory.key.as_ref()), Ok(Check::Intact { .. })));
}

#[tokio::test]
async fn no_record_is_called_changed_for_a_run_that_was_killed() {
    for writes in 0..14 {
        let mut stand = Stand::new().await;
        let (one, two) = (release("good:1", &[MANIFESTS]), release("good:2", &[MANIFESTS]));
        stand.deploy(&one).await.expect("deployed");
        stand.deploy(&two).await.expect("deployed");
        stand.killed();
        stand.server.die_after(Some(writes));
        let killed = stand.delivery.roll_back("jobs", "jobs", Some(&one.id), &Options::default()).await;
        stand.server.die_after(None);
        stand.next_run();
        let inventory = stand.inventory().await;
        for record in stand.delivery.history("jobs", "jobs").await.expect("history") {
            let said = record.check(&inventory.ledger, inventory.key.as_ref());
            assert!(matches!(said, Ok(Check::Intact { .. } | Check::Behind { .. })), "after {writes} writes: {said:?} ({killed:?})");
        }
        stand.delivery.roll_back("jobs", "jobs", Some(&one.id), &Options::default()).await.expect("back");
        assert_eq!(image_of(&stand), "good:1");
        let inventory = stand.inventory().await;
        for record in stand.delivery.history("jobs", "jobs").await.expect("history") {
            let said = record.check(&inventory.ledger, inventory.key.as_ref());
            assert!(matches!(said, Ok(Check::Intact { .. })), "after {writes} writes: {said:?}");
        }
    }
}

#[tokio::test]
async fn no_number_of_failures_and_no_size_of_an_inventory_stops_a_project() {
    let stand = Stand::new().await;
    stand.server.largest_secret(1 << 20);
    let good = release("good:1", &[MANIFESTS]);
    stand.deploy(&good).await.expect("deployed");
    // An inventory as earlier versions could leave it: more than a Secret holds.
    let line = "no database ".repeat(1500);
    for number in 0..60 {
        let result = json!({"checks": vec![json!({"check": line}); 4]});
        let judgement =
            delivery::Judgement { release: &good.id, by: "smoke", detail: json!({"number": number, "result": result}), rejected: None };
        stand.delivery.judge("jobs", "jobs", &judgement).await.expect("judged");
    }
    let mut inventory = stand.inventory().await;
    for number in 0..12_000 {
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("a-map-that-is-kept-{number}"), "namespace": "jobs"}});
        inventory.entries.push(delivery::inventory::Entry::of(&object, false));
    }
    inventory.save(&stand.delivery.cluster, "jobs").await.expect("packed");
    assert_eq!(stand.inventory().await, inventory, "it comes back as it went");
    stand.deploy(&release("good:2", &[MANIFESTS])).await.expect("deployed");
    // A server that takes less.
    stand.server.largest_secret(100 * 1024);
    stand.deploy(&release("good:3", &[MANIFESTS])).await.expect("deployed");
    let inventory = stand.inventory().await;
    assert_eq!(inventory.ledger.verify(), Ok(()));
    assert!(inventory.entries.len() > 12_000);
}
