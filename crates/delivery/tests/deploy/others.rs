//! What others own, and what others forbid.

use super::{EXTRA, MANIFESTS, Stand, release};
use delivery::{DeployError, DownOptions, Progress};
use serde_json::json;

#[tokio::test]
async fn what_is_ours_is_decided_anew_where_the_object_is_another() {
    let stand = Stand::new().await;
    let theirs = json!({"metadata": {"name": "extra", "namespace": "jobs"}, "data": {"theirs": "1"}});
    let gone = || stand.server.remove("ConfigMap", "jobs", "extra");
    let made = || async { stand.inventory().await.entries.iter().find(|entry| entry.name == "extra").map(|entry| entry.made) };
    // Ours is deleted, and somebody makes another one under its name.
    stand.deploy(&release("good:1", &[MANIFESTS, EXTRA])).await.expect("deployed");
    assert_eq!(made().await, Some(true));
    gone();
    stand.server.put("ConfigMap", theirs.clone());
    stand.deploy(&release("good:2", &[MANIFESTS, EXTRA])).await.expect("deployed");
    assert_eq!(made().await, Some(false));
    stand.deploy(&release("good:3", &[MANIFESTS, EXTRA])).await.expect("deployed");
    assert_eq!(made().await, Some(false), "that it carries our labels now changes nothing");
    stand.deploy(&release("good:4", &[MANIFESTS])).await.expect("deployed");
    assert!(stand.server.object("ConfigMap", "jobs", "extra").is_some(), "theirs is not pruned");
    // Theirs is deleted, and we make one.
    gone();
    stand.deploy(&release("good:4", &[MANIFESTS, EXTRA])).await.expect("deployed");
    assert_eq!(made().await, Some(true));
    // The same release again, which changes nothing but that.
    gone();
    stand.server.put("ConfigMap", theirs);
    stand.deploy(&release("good:4", &[MANIFESTS, EXTRA])).await.expect("deployed");
    assert_eq!(made().await, Some(false));
    gone();
    stand.deploy(&release("good:4", &[MANIFESTS, EXTRA])).await.expect("deployed");
    assert_eq!(made().await, Some(true));
    stand.delivery.down("jobs", "jobs", &DownOptions { volumes: true, ..DownOptions::default() }).await.expect("down");
    assert_eq!(stand.server.names(), Vec::<String>::new());
}

#[tokio::test]
async fn what_was_there_before_is_never_removed() {
    let stand = Stand::new().await;
    stand.server.put("Namespace", json!({"metadata": {"name": "jobs"}}));
    stand.server.put("ConfigMap", json!({"metadata": {"name": "extra", "namespace": "jobs"}, "data": {"theirs": "1"}}));
    stand.deploy(&release("good:1", &[MANIFESTS, EXTRA])).await.expect("deployed");
    stand.deploy(&release("good:2", &[MANIFESTS])).await.expect("deployed");
    assert!(stand.server.object("ConfigMap", "jobs", "extra").is_some());
    stand.delivery.down("jobs", "jobs", &DownOptions { volumes: true, ..DownOptions::default() }).await.expect("down");
    assert_eq!(stand.server.names(), ["configmaps/extra", "namespaces/jobs"]);
}

#[tokio::test]
async fn events_that_may_not_be_read_stop_no_deploy_and_are_told_of_once() {
    let stand = Stand::new().await;
    stand.server.forbid("events");
    stand.deploy(&release("good:1", &[MANIFESTS])).await.expect("deployed");
    let Err(DeployError::Rollout(failed)) = stand.deploy(&release("crash:2", &[MANIFESTS])).await else { panic!("it crashes") };
    assert!(failed.rolled_back.is_some(), "{failed:?}");
    let told = |told: &Progress| matches!(told, Progress::Noted { message, .. } if message.contains("events is forbidden"));
    // Two deploys and a way back, and none says it twice.
    let count = stand.told.lock().expect("told").iter().filter(|step| told(step)).count();
    assert!((1..=3).contains(&count), "{count}");
}

#[tokio::test]
async fn what_a_rollout_is_judged_by_must_be_readable() {
    let stand = Stand::new().await;
    stand.server.forbid("pods");
    let error = stand.deploy(&release("good:1", &[MANIFESTS])).await.expect_err("forbidden");
    assert!(error.to_string().contains("pods is forbidden"), "{error}");
}
