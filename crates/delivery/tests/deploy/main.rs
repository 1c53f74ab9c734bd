//! Deploys against an API in memory: what is written, what is put back, what goes, and what a killed run leaves.

mod approval;
mod others;
mod plans;
mod records;
mod server;

use cluster::Cluster;
use delivery::hold::Holder;
use delivery::inventory::{Inventory, Phase};
use delivery::manifests::{Inputs, Release, read_text, render};
use delivery::{Change, Copies, Delivery, DeployError, DownOptions, Fate, Options, Progress};
use k8s::Fields;
use serde_json::json;
use server::Server;
use std::sync::{Arc, Mutex};

const MANIFESTS: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 1
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      containers: [{ name: web, image: web }]
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { ports: [{ port: 80 }] }
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: data }
spec: { accessModes: [ReadWriteOnce] }
";

const EXTRA: &str = "
apiVersion: v1
kind: ConfigMap
metadata: { name: extra }
data: { a: b }
";

struct Stand {
    server: Server,
    delivery: Delivery,
    told: Arc<Mutex<Vec<Progress>>>,
}

impl Stand {
    async fn new() -> Self {
        let server = Server::start().await;
        let told: Arc<Mutex<Vec<Progress>>> = Arc::default();
        let cluster = Cluster::connect(&server.kubeconfig, None).await.expect("a client");
        let listener = told.clone();
        let mut delivery = Delivery::new(cluster, Arc::new(move |progress| listener.lock().expect("told").push(progress)));
        delivery.copies = Some(Copies::new(&server.folder(), "local"));
        Self { server, delivery, told }
    }

    async fn deploy(&self, release: &Release) -> Result<delivery::Deployed, DeployError> {
        self.delivery.deploy(release, &Options::default()).await
    }

    /// The run that comes next is another process than the one before, which is dead.
    fn killed(&mut self) {
        let dead = Holder { started: 1, ..Holder::this_process("dead") };
        (self.delivery.holder, self.delivery.held) = (dead, Default::default());
    }

    fn next_run(&mut self) {
        (self.delivery.holder, self.delivery.held) = (Holder::this_process("next"), Default::default());
    }

    /// The Lease as another process would have it.
    fn held_by(&self, holder: &Holder, renewed: base::Timestamp) {
        let annotation = serde_json::to_string(holder).expect("JSON");
        self.server.put(
            "Lease",
            json!({"metadata": {"name": "wharf-hold-jobs", "namespace": "jobs", "annotations": {"wharf.local/holder": annotation}},
                "spec": {"holderIdentity": holder.identity(), "leaseDurationSeconds": 15, "renewTime": renewed.rfc3339_micros()}}),
        );
    }

    async fn inventory(&self) -> Inventory {
        Inventory::load(&self.delivery.cluster, "jobs", "jobs").await.expect("an inventory")
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(self.server.folder());
    }
}

fn release(image: &str, texts: &[&str]) -> Release {
    let inputs = Inputs { project: "jobs".to_owned(), images: [("web".to_owned(), image.to_owned())].into(), ..Inputs::default() };
    let sources: Vec<_> = texts.iter().enumerate().map(|(at, text)| read_text(format!("{at}.yaml"), *text)).collect();
    render(&sources, &inputs).expect("rendered")
}

fn image_of(stand: &Stand) -> String {
    let live = stand.server.object("Deployment", "jobs", "web").expect("a deployment");
    live.items("spec.template.spec.containers")[0].text("image").to_owned()
}

#[tokio::test]
async fn the_second_run_writes_nothing() {
    let stand = Stand::new().await;
    let one = release("good:1", &[MANIFESTS]);
    let first = stand.deploy(&one).await.expect("deployed");
    assert!(first.changes.iter().any(|(name, change)| name == "Deployment jobs/web" && *change == Change::Created), "{first:?}");
    assert!(!first.unchanged);
    stand.server.writes();
    let second = stand.deploy(&one).await.expect("deployed");
    assert_eq!(stand.server.writes(), Vec::<String>::new());
    assert!(second.unchanged, "{second:?}");
    let inventory = stand.inventory().await;
    assert_eq!((inventory.phase, inventory.current.as_deref()), (Phase::Deployed, Some(one.id.as_str())));
    assert!(stand.server.folder().join(format!("records/jobs/local/{}.json", one.id)).exists());
}

#[tokio::test]
async fn drift_is_put_right() {
    let stand = Stand::new().await;
    let one = release("good:1", &[MANIFESTS]);
    stand.deploy(&one).await.expect("deployed");
    let mut drifted = stand.server.object("Service", "jobs", "web").expect("a service");
    drifted["spec"]["ports"] = json!([{"port": 81}]);
    stand.server.put("Service", drifted);
    let again = stand.deploy(&one).await.expect("deployed");
    let changed: Vec<&str> = again.changes.iter().filter(|(_, change)| *change == Change::Changed).map(|(name, _)| name.as_str()).collect();
    assert_eq!(changed, ["Service jobs/web"]);
    assert!(!again.unchanged);
}

#[tokio::test]
async fn a_new_release_prunes_what_it_no_longer_names_but_no_data() {
    let stand = Stand::new().await;
    stand.deploy(&release("good:1", &[MANIFESTS, EXTRA])).await.expect("deployed");
    let without_data = MANIFESTS.rsplit_once("---").expect("three").0;
    let plan = stand.delivery.plan(&release("good:2", &[without_data]), true).await.expect("a plan");
    let planned = |name: &str| plan.objects.iter().find(|object| object.object == name).map(|object| object.change);
    assert_eq!(
        (planned("ConfigMap jobs/extra"), planned("Deployment jobs/web"), planned("Service jobs/web")),
        (Some(Change::Pruned), Some(Change::Changed), Some(Change::Changed))
    );
    assert!(stand.server.object("ConfigMap", "jobs", "extra").is_some(), "a plan changes nothing");
    let second = stand.deploy(&release("good:2", &[without_data])).await.expect("deployed");
    assert!(stand.server.object("ConfigMap", "jobs", "extra").is_none());
    assert!(stand.server.object("PersistentVolumeClaim", "jobs", "data").is_some());
    assert_eq!(second.kept.first().map(|(name, _)| name.as_str()), Some("PersistentVolumeClaim jobs/data"));
    assert_eq!(image_of(&stand), "good:2");
}

#[tokio::test]
async fn a_release_that_crashes_is_put_back_with_its_cause() {
    let stand = Stand::new().await;
    let good = release("good:1", &[MANIFESTS]);
    stand.deploy(&good).await.expect("deployed");
    let bad = release("crash:2", &[MANIFESTS, EXTRA]);
    let Err(DeployError::Rollout(failed)) = stand.deploy(&bad).await else { panic!("it crashes") };
    assert!(failed.cause.message.contains("ended with exit code 3; its last line: no database"), "{}", failed.cause);
    assert_eq!(failed.rolled_back.as_deref(), Some(good.id.as_str()), "{:?}", failed.rollback_problem);
    assert_eq!(image_of(&stand), "good:1");
    assert!(stand.server.object("ConfigMap", "jobs", "extra").is_none(), "what the failed release added is gone");
    let inventory = stand.inventory().await;
    assert_eq!((inventory.phase, inventory.current.as_deref()), (Phase::Failed, Some(good.id.as_str())));
    let history = stand.delivery.history("jobs", "jobs").await.expect("history");
    let fates: Vec<(&str, Fate)> = history.iter().map(|record| (record.id.as_str(), record.fate)).collect();
    assert!(fates.contains(&(bad.id.as_str(), Fate::Failed)) && fates.contains(&(good.id.as_str(), Fate::Deployed)), "{fates:?}");
    stand.deploy(&good).await.expect("still good");
    assert_eq!(stand.inventory().await.phase, Phase::Deployed);
}

#[tokio::test]
async fn a_first_release_that_fails_stays_and_says_why() {
    let stand = Stand::new().await;
    let Err(DeployError::Rollout(failed)) = stand.deploy(&release("missing:1", &[MANIFESTS])).await else { panic!("it fails") };
    assert!(failed.cause.message.contains("the image `missing:1`") && failed.rolled_back.is_none(), "{}", failed.cause);
    let live = stand.server.object("Deployment", "jobs", "web").expect("it stays");
    assert!(live.annotation("wharf.local/failed").is_some_and(|cause| cause.contains("missing:1")));
    stand.deploy(&release("good:1", &[MANIFESTS])).await.expect("deployed");
    let live = stand.server.object("Deployment", "jobs", "web").expect("a deployment");
    assert_eq!(live.annotation("wharf.local/failed"), None, "the mark goes with the next release");
}

#[tokio::test]
async fn back_by_hand() {
    let stand = Stand::new().await;
    let (one, two) = (release("good:1", &[MANIFESTS]), release("good:2", &[MANIFESTS]));
    stand.deploy(&one).await.expect("deployed");
    stand.deploy(&two).await.expect("deployed");
    let back = stand.delivery.roll_back("jobs", "jobs", None, &Options::default()).await.expect("back");
    assert_eq!((back.release, image_of(&stand)), (one.id, "good:1".to_owned()));
    let error = stand.delivery.roll_back("jobs", "jobs", Some("nope"), &Options::default()).await.expect_err("none");
    assert!(error.to_string().contains("no record of release `nope`"), "{error}");
}

#[tokio::test]
async fn down_removes_all_and_keeps_data_unless_told() {
    let stand = Stand::new().await;
    stand.server.put("ClusterRole", json!({"metadata": {"name": "theirs"}}));
    stand.deploy(&release("good:1", &[MANIFESTS, EXTRA])).await.expect("deployed");
    let downed = stand.delivery.down("jobs", "jobs", &DownOptions::default()).await.expect("down");
    let kept: Vec<&str> = downed.kept.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(kept, ["Namespace jobs", "PersistentVolumeClaim jobs/data"]);
    assert_eq!(
        stand.server.names(),
        ["clusterroles/theirs", "namespaces/jobs", "persistentvolumeclaims/data", "secrets/wharf-inventory-jobs"]
    );
    let all = stand.delivery.down("jobs", "jobs", &DownOptions { volumes: true, ..DownOptions::default() }).await.expect("down");
    assert_eq!(all.removed.len(), 2, "{all:?}");
    assert_eq!(stand.server.names(), ["clusterroles/theirs"]);
    let nothing = stand.delivery.down("jobs", "jobs", &DownOptions::default()).await.expect("nothing to do");
    assert!(nothing.removed.is_empty());
}

#[tokio::test]
async fn what_is_still_leaving_is_told_once_by_name() {
    let stand = Stand::new().await;
    stand.deploy(&release("good:1", &[MANIFESTS])).await.expect("deployed");
    let owner = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": "u", "controller": true}]);
    let labels = json!({"app.kubernetes.io/part-of": "jobs", "wharf.local/project": "jobs"});
    stand.server.put("Pod", json!({"metadata": {"name": "web-1-a", "namespace": "jobs", "labels": labels, "ownerReferences": owner}}));
    let options = DownOptions { patience: std::time::Duration::from_millis(1400), ..DownOptions::default() };
    stand.delivery.down("jobs", "jobs", &options).await.expect_err("the pod stays");
    let told = stand.told.lock().expect("told");
    let leaving: Vec<_> = told.iter().filter(|told| matches!(told, Progress::Leaving { .. })).collect();
    assert_eq!(leaving, [&Progress::Leaving { left: vec!["Deployment jobs/web".to_owned()] }]);
}

#[tokio::test]
async fn a_run_killed_after_any_write_is_resumed_by_the_next() {
    for writes in 0..16 {
        let mut stand = Stand::new().await;
        stand.deploy(&release("good:1", &[MANIFESTS, EXTRA])).await.expect("deployed");
        let two = release("good:2", &[MANIFESTS]);
        stand.killed();
        stand.server.die_after(Some(writes));
        let killed = stand.deploy(&two).await;
        stand.server.die_after(None);
        stand.next_run();
        let after = stand.deploy(&two).await.unwrap_or_else(|error| panic!("after {writes} writes: {error}"));
        assert_eq!(image_of(&stand), "good:2", "{killed:?}");
        assert!(stand.server.object("ConfigMap", "jobs", "extra").is_none(), "{after:?}");
        assert_eq!(stand.inventory().await.phase, Phase::Deployed);
        stand.delivery.down("jobs", "jobs", &DownOptions { volumes: true, ..DownOptions::default() }).await.expect("down");
        assert_eq!(stand.server.names(), Vec::<String>::new(), "after {writes} writes");
    }
}

#[tokio::test]
async fn a_first_run_killed_after_any_write_leaves_nothing_that_down_misses() {
    for writes in 0..11 {
        let mut stand = Stand::new().await;
        stand.killed();
        stand.server.die_after(Some(writes));
        let _ = stand.deploy(&release("good:1", &[MANIFESTS])).await;
        stand.server.die_after(None);
        stand.next_run();
        stand.delivery.down("jobs", "jobs", &DownOptions { volumes: true, ..DownOptions::default() }).await.expect("down");
        assert_eq!(stand.server.names(), Vec::<String>::new(), "after {writes} writes");
    }
}

#[tokio::test]
async fn an_unreachable_cluster_is_one_sentence() {
    let stand = Stand::new().await;
    let text = std::fs::read_to_string(&stand.server.kubeconfig).expect("read");
    let at = text.find("127.0.0.1:").expect("a port") + 10;
    let closed = format!("{}1{}", &text[..at], &text[at + text[at..].find('"').expect("an end")..]);
    std::fs::write(&stand.server.kubeconfig, closed).expect("written");
    let cluster = Cluster::connect(&stand.server.kubeconfig, None).await.expect("a client");
    let error = cluster.version().await.expect_err("closed");
    assert!(error.to_string().starts_with("cannot reach the cluster at http://127.0.0.1:1: "), "{error}");
    assert!(!stand.told.lock().expect("told").iter().any(|step| matches!(step, Progress::Failed { .. })));
}

fn now() -> base::Timestamp {
    base::Clock::now(&base::SystemClock)
}

#[tokio::test]
async fn the_second_of_two_runs_is_refused_by_name_and_writes_nothing() {
    let stand = Stand::new().await;
    let one = release("good:1", &[MANIFESTS]);
    stand.deploy(&one).await.expect("deployed");
    let first = Holder { user: "first".to_owned(), ..Holder::this_process("") };
    stand.held_by(&first, now());
    stand.server.writes();
    for wanted in [&one, &release("good:2", &[MANIFESTS])] {
        let refused = stand.deploy(wanted).await.expect_err("held");
        let problem = base::Problem::from(refused);
        assert_eq!(problem.kind.exit_code(), 3, "{problem}");
        let named = format!("first@{} process {}", first.host, std::process::id());
        assert!(problem.message.starts_with("another run deploys the project `jobs`") && problem.message.contains(&named), "{problem}");
    }
    let refused = stand.delivery.down("jobs", "jobs", &DownOptions::default()).await.expect_err("held");
    assert!(refused.message.contains("first@"), "{refused}");
    assert_eq!(stand.server.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn two_first_runs_at_once_are_one_release_and_one_refusal() {
    let stand = Stand::new().await;
    let other = Delivery { holder: Holder::this_process("other"), held: Default::default(), ..stand.delivery.clone() };
    let (one, two) = (release("good:1", &[MANIFESTS]), release("good:2", &[MANIFESTS]));
    let options = Options::default();
    let (a, b) = tokio::join!(stand.delivery.deploy(&one, &options), other.deploy(&two, &options));
    let wanted = match (&a, &b) {
        (Ok(_), Err(error)) | (Err(error), Ok(_)) => error.to_string(),
        both => panic!("one of both: {both:?}"),
    };
    assert!(wanted.contains("another run deploys the project"), "{wanted}");
    assert_eq!(image_of(&stand), if a.is_ok() { "good:1" } else { "good:2" });
    assert!(stand.server.object("Lease", "jobs", "wharf-hold-jobs").is_none(), "let go");
}

#[tokio::test]
async fn what_a_dead_run_held_is_taken_over_at_once() {
    let stand = Stand::new().await;
    stand.deploy(&release("good:1", &[MANIFESTS])).await.expect("deployed");
    stand.held_by(&Holder { started: 1, ..Holder::this_process("dead") }, now());
    stand.deploy(&release("good:2", &[MANIFESTS])).await.expect("deployed");
    assert_eq!(image_of(&stand), "good:2");
    assert!(stand.server.object("Lease", "jobs", "wharf-hold-jobs").is_none());
}

#[tokio::test]
async fn a_hold_that_is_kept_lasts_until_it_is_let_go_and_one_that_was_taken_stops_the_work() {
    let stand = Stand::new().await;
    let options = Options { hold_on: true, ..Options::default() };
    stand.delivery.deploy(&release("good:1", &[MANIFESTS]), &options).await.expect("deployed");
    let lease = stand.server.object("Lease", "jobs", "wharf-hold-jobs").expect("held");
    assert_eq!((lease.label("wharf.local/project"), lease.int("spec.leaseDurationSeconds")), (Some("jobs"), Some(15)));
    stand.deploy(&release("good:2", &[MANIFESTS])).await.expect("its own hold");
    assert!(stand.server.object("Lease", "jobs", "wharf-hold-jobs").is_none());
    let never = release("never:1", &[MANIFESTS]);
    let taken = async {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        stand.held_by(&Holder::this_process("thief"), now());
    };
    let (stopped, ()) = tokio::join!(stand.deploy(&never), taken);
    assert!(stopped.expect_err("taken").to_string().contains("has taken over the project `jobs`"));
    assert!(stand.server.object("Lease", "jobs", "wharf-hold-jobs").is_some(), "it is the other's");
}
