//! What was decided and what could not be kept: full disks, connections that break, servers that die in the middle.

use super::*;

/// In the place of a file a folder, so that it cannot be written.
fn block(place: &Place, id: RunId, path: &str) -> PathBuf {
    let path = kept::folder(&place.folder, id).join(path);
    std::fs::create_dir_all(&path).expect("made");
    path
}

#[tokio::test]
async fn what_could_not_be_kept_is_said_again_and_stands_once() {
    let place = Place::new();
    let runs = place.open();
    let id = begin(&runs, "main").await;
    let taken = runs.take("r1", "i1", SHORT).await.expect("a run");
    let lint = "{\"stage\":\"lint\",\"state\":\"running\"}";
    runs.say(id, &taken.token, 0, out(&["zero"])).await.expect("taken");
    let blocked = block(&place, id, "log/lint.log");
    for _ in 0..2 {
        // The log of the first stage is written before that of the second one cannot be.
        runs.say(id, &taken.token, 1, out(&["one", lint, "two"])).await.expect_err("a folder in its place");
    }
    std::fs::remove_dir(blocked).expect("removed");
    runs.say(id, &taken.token, 1, out(&["one", lint, "two"])).await.expect("taken");
    runs.say(id, &taken.token, 4, out(&["{\"stage\":\"checkout\",\"note\":\"three\"}"])).await.expect("taken");
    let lines = |stage| runs.log(id, stage, 0, 99).expect("a log").lines;
    assert_eq!((lines("checkout"), lines("lint")), (["zero", "one", "three"].map(str::to_owned).to_vec(), vec!["two".to_owned()]));
}

#[tokio::test]
async fn an_end_that_could_not_be_kept_is_said_again_and_the_next_run_goes() {
    let place = Place::new();
    let runs = place.open();
    let (one, two) = (begin(&runs, "main").await, begin(&runs, "main").await);
    let taken = runs.take("r1", "i1", SHORT).await.expect("a run");
    let blocked = block(&place, one, "run.json");
    let end = vec![Said::Out("last".into()), Said::Ended { code: Some(0), cause: None }];
    runs.say(one, &taken.token, 0, end.clone()).await.expect_err("a folder in its place");
    assert_eq!(runs.load(), (1, 1), "it is still its runner's");
    std::fs::remove_dir(blocked).expect("removed");
    runs.say(one, &taken.token, 0, end).await.expect("taken");
    assert_eq!(runs.get(one).expect("read").expect("kept").state, RunState::Passed);
    assert_eq!(runs.log(one, "checkout", 0, 9).expect("a log").lines, ["last"]);
    assert_eq!(runs.take("r1", "i1", SHORT).await.expect("the next").run.id, two);
}

/// Begins something and drops it, as a server does with a connection that broke.
fn look_once(asked: impl Future) {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(std::pin::pin!(asked).as_mut().poll(&mut context).is_pending(), "dropped in the middle");
}

#[tokio::test]
async fn what_was_decided_is_carried_out_although_whoever_asked_is_gone() {
    let place = Place::new();
    let runs = place.open();
    let (one, two) = (begin(&runs, "main").await, begin(&runs, "main").await);
    let first = runs.take("r1", "i1", SHORT).await.expect("a run");
    let waits = tokio::spawn({
        let runs = runs.clone();
        async move { runs.take("r2", "i2", Duration::from_secs(20)).await }
    });
    tokio::task::yield_now().await;
    let end = vec![Said::Ended { code: Some(0), cause: None }];
    look_once(runs.say(one, &first.token, 0, end));
    let second = waits.await.expect("joined").expect("the next run");
    assert_eq!((second.run.id, second.run.runner.as_deref()), (two, Some("r2")));
    assert!(matches!(runs.cancel(one, "me").await, Err(RunsError::HasEnded(_))));
    let three = begin(&runs, "main").await;
    look_once(runs.give_back(two, &second.token));
    let second = runs.take("r1", "i1", SHORT).await.expect("the run that was given back");
    assert_eq!((second.run.id, second.run.attempt), (two, 1));
    look_once(runs.cancel(three, "me"));
    runs.tick().await;
    assert_eq!(runs.get(three).expect("read").expect("kept").state, RunState::Cancelled);
    look_once(runs.begin(vec![asked("main")], Refs::default()));
    runs.say(two, &second.token, 0, vec![Said::Ended { code: Some(0), cause: None }]).await.expect("taken");
    assert_eq!(runs.take("r1", "i1", Duration::from_secs(60)).await.expect("begun").run.id, RunId(4));
}

#[tokio::test]
async fn who_left_before_his_turn_gets_nothing() {
    let place = Place::new();
    let runs = place.open();
    let held = runs.inner.order.lock().await;
    tokio::time::timeout(SHORT, runs.take("r1", "i1", SHORT)).await.expect_err("not its turn");
    drop(held);
    let id = begin(&runs, "main").await;
    assert_eq!(runs.take("r2", "i2", SHORT).await.expect("nobody else has it").run.id, id);
}

#[tokio::test]
async fn the_end_of_an_attempt_is_no_end_of_the_next() {
    let place = Place::new();
    let runs = place.open();
    let id = begin(&runs, "main").await;
    let first = runs.take("r1", "i1", SHORT).await.expect("a run");
    place.clock.pass(31);
    runs.tick().await;
    let second = runs.take("r2", "i2", SHORT).await.expect("given once more");
    for action in [Action::Again { id, token: first.token.clone() }, Action::Return { id, token: first.token }] {
        runs.carry_out(&action).await.expect("nothing to do");
        runs.say(id, &second.token, 0, Vec::new()).await.expect("still its runner's");
        assert_eq!(runs.get(id).expect("read").expect("kept").state, RunState::Running);
    }
}

#[tokio::test]
async fn a_run_that_was_cancelled_when_the_server_died_ends_when_it_begins() {
    let place = Place::new();
    let runs = place.open();
    let id = begin(&runs, "main").await;
    {
        // As `cancel` leaves it when the server dies in its middle.
        let live = runs.live(id).expect("a run");
        let mut kept = live.lock().await;
        kept.cancelled = Some("me".into());
        runs.save(&kept).await.expect("saved");
    }
    drop(runs);
    let runs = place.open();
    runs.tick().await;
    assert_eq!(runs.get(id).expect("read").expect("kept").state, RunState::Cancelled);
    runs.retry(id, None, "me").await.expect("it has ended");
}

/// The wall clock jumps, as when the machine slept or was set; the other one goes on.
struct Slept(Arc<Hand>);

impl Clock for Slept {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn steady(&self) -> Timestamp {
        Timestamp::default()
    }
}

#[tokio::test]
async fn a_machine_that_slept_loses_no_runner() {
    let place = Place::new();
    let runs = Runs::open(&place.folder, place.options, Arc::new(Slept(place.clock.clone()))).expect("opened");
    let id = begin(&runs, "main").await;
    let taken = runs.take("r1", "i1", SHORT).await.expect("a run");
    place.clock.pass(100_000);
    runs.tick().await;
    runs.say(id, &taken.token, 0, out(&["here"])).await.expect("still its runner's");
}

#[tokio::test]
async fn a_delivery_that_comes_while_another_is_fetched_for_is_kept() {
    let place = Place::new();
    let runs = place.open();
    let pending = |delivery: &str, branch: &str| Pending {
        provider: "plain".into(),
        delivery: delivery.into(),
        branches: [branch.to_owned()].into(),
    };
    let hook = async |delivery: &str, branch: &str| {
        let refs = Refs { pending: Some(("shop".into(), pending(delivery, branch))), ..Refs::default() };
        runs.begin(Vec::new(), refs).await.expect("kept");
        runs.pending()[0].1.clone()
    };
    let fetched = async |pending: Pending| {
        runs.begin(Vec::new(), Refs { fetched: Some(("shop".into(), pending)), ..Refs::default() }).await.expect("kept");
    };
    let first = hook("d2", "main").await;
    let second = hook("d3", "other").await;
    assert_eq!((second.delivery.as_str(), second.branches.len()), ("d3", 2), "both branches are waited for");
    fetched(first).await;
    assert_eq!(runs.pending(), [("shop".to_owned(), second.clone())]);
    fetched(second).await;
    assert!(runs.pending().is_empty());
}

#[tokio::test]
async fn branches_of_a_repository_that_is_gone_are_forgotten_with_the_next_of_its_name() {
    let place = Place::new();
    let runs = place.open();
    let branches = Branches::from([("main".to_owned(), "a".repeat(40))]);
    for instance in ["web", "webs", "web/one", "web/two"] {
        let refs = Refs { branches: Some((instance.into(), branches.clone())), ..Refs::default() };
        runs.begin(Vec::new(), refs).await.expect("kept");
    }
    let known = ["web", "web/one", "web/two", "webs"].map(|instance| runs.branches(instance).is_some());
    assert_eq!(known, [false, false, true, true]);
}

#[tokio::test]
async fn an_artefact_too_many_is_refused_and_leaves_nothing() {
    let place = Place::new();
    let runs = place.open();
    let id = begin(&runs, "main").await;
    let taken = runs.take("r1", "i1", SHORT).await.expect("a run");
    let artefact = |number: usize| Artefact { name: format!("a{number}"), media_type: "text/plain".into(), bytes: 1 };
    for number in (0..32).chain([0]) {
        runs.keep(id, &taken.token, artefact(number), b"x").await.expect("kept");
    }
    assert!(matches!(runs.keep(id, &taken.token, artefact(32), b"x").await, Err(RunsError::Artefacts(32))));
    let folder = kept::folder(&place.folder, id).join("artefacts");
    assert_eq!(std::fs::read_dir(folder).expect("listed").count(), 32);
}
