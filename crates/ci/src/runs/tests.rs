//! Runs over restarts, told by runners that repeat themselves.

mod decided;

use super::*;
use crate::run::{Commit, StageState, Trigger};
use std::sync::atomic::{AtomicI64, Ordering};

struct Hand(AtomicI64);

impl Hand {
    fn pass(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }
}

struct Place {
    folder: PathBuf,
    clock: Arc<Hand>,
    options: Options,
}

impl Place {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("wharf-ci-{}", base::ids::suffix(10)));
        Self { folder, clock: Arc::new(Hand(AtomicI64::new(1_000_000))), options: Options::default() }
    }

    fn open(&self) -> Runs {
        Runs::open(&self.folder, self.options, self.clock.clone()).expect("opened")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn asked(branch: &str) -> Asked {
    Asked {
        repository: "web".into(),
        project: ProjectFolder::default(),
        branch: branch.into(),
        environment: "local".into(),
        commit: Commit { id: "a".repeat(40), author: "A".into(), subject: "s".into() },
        trigger: Trigger::Push { by: "me".into() },
        work: Work::default(),
    }
}

async fn begin(runs: &Runs, branch: &str) -> RunId {
    runs.begin(vec![asked(branch)], Refs::default()).await.expect("begun")[0]
}

fn out(lines: &[&str]) -> Vec<Said> {
    lines.iter().map(|line| Said::Out((*line).to_owned())).collect()
}

const SHORT: Duration = Duration::from_millis(20);

#[tokio::test]
async fn what_a_runner_says_is_taken_once_also_over_a_restart() {
    let place = Place::new();
    let runs = place.open();
    let mut news = runs.watch();
    let id = begin(&runs, "main").await;
    assert_eq!(news.next().await, Some(Change::Run(id)));
    let taken = runs.take("r1", "i1", SHORT).await.expect("a run");
    assert_eq!((taken.run.id, taken.run.state, taken.run.attempt), (id, RunState::Running, 1));
    let first = out(&["{\"stages\":[\"lint\"]}", "{\"stage\":\"lint\",\"state\":\"running\"}", "one"]);
    assert_eq!(runs.say(id, &taken.token, 0, first.clone()).await.expect("taken").next, 3);
    assert_eq!(runs.say(id, &taken.token, 0, first).await.expect("known").next, 3);
    assert_eq!(runs.say(id, &taken.token, 9, out(&["lost"])).await.expect("a gap").next, 3);
    drop(runs);

    let runs = place.open();
    assert_eq!(runs.load(), (0, 1));
    let rest = vec![Said::Out("one".into()), Said::Err("two".into()), Said::Ended { code: Some(0), cause: None }];
    assert_eq!(runs.say(id, &taken.token, 2, rest).await.expect("taken").next, 5);
    let page = runs.log(id, "lint", 0, 10).expect("a log");
    assert_eq!((page.lines, page.total), (vec!["one".to_owned(), "two".to_owned()], 2));
    let run = runs.get(id).expect("read").expect("kept");
    assert_eq!((run.state, run.runner.as_deref()), (RunState::Passed, Some("r1")));
    assert!(matches!(runs.say(id, &taken.token, 5, Vec::new()).await, Err(RunsError::NotYours(_))));
    drop(runs);
    assert_eq!(place.open().get(id).expect("read").expect("kept"), run);
}

#[tokio::test]
async fn a_lost_run_is_done_by_another_and_the_first_is_refused() {
    let place = Place::new();
    let runs = place.open();
    let id = begin(&runs, "main").await;
    let first = runs.take("r1", "i1", SHORT).await.expect("a run");
    runs.say(id, &first.token, 0, out(&["begun"])).await.expect("taken");
    place.clock.pass(29);
    runs.tick().await;
    assert!(runs.take("r2", "i2", SHORT).await.is_none());
    place.clock.pass(2);
    runs.tick().await;
    let second = runs.take("r2", "i2", SHORT).await.expect("given once more");
    assert_eq!((second.run.id, second.run.attempt), (id, 2));
    assert!(matches!(runs.say(id, &first.token, 1, out(&["late"])).await, Err(RunsError::NotYours(_))));
    runs.say(id, &second.token, 0, vec![Said::Out("mine".into()), Said::Ended { code: Some(1), cause: None }]).await.expect("taken");
    let run = runs.get(id).expect("read").expect("kept");
    assert_eq!((run.state, run.cause.expect("a cause").exit_code), (RunState::Failed, 1));
    let lines = runs.log(id, "checkout", 0, 9).expect("a log").lines;
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[1].contains("`r1`"), "{lines:?}");
}

#[tokio::test]
async fn people_cancel_and_retry() {
    let place = Place::new();
    let runs = place.open();
    let (one, two) = (begin(&runs, "main").await, begin(&runs, "main").await);
    let taken = runs.take("r1", "i1", SHORT).await.expect("a run");
    runs.cancel(two, "me").await.expect("cancelled");
    runs.cancel(one, "me").await.expect("cancelled");
    assert_eq!(runs.get(two).expect("read").expect("kept").state, RunState::Cancelled);
    let lint =
        out(&["{\"stages\":[\"lint\"]}", "{\"stage\":\"lint\",\"state\":\"running\"}", "{\"stage\":\"rollback\",\"state\":\"running\"}"]);
    assert!(runs.say(one, &taken.token, 0, lint).await.expect("taken").stop);
    assert!(matches!(runs.retry(one, None, "me").await, Err(RunsError::NotEnded(_))));
    runs.say(one, &taken.token, 3, vec![Said::Ended { code: Some(130), cause: None }]).await.expect("taken");
    let run = runs.get(one).expect("read").expect("kept");
    assert_eq!((run.state, run.stages[1].state), (RunState::Cancelled, StageState::Skipped));
    for from in ["no", "rollback"] {
        assert!(matches!(runs.retry(one, Some(from), "me").await, Err(RunsError::NoBeginning(..))), "{from}");
    }
    let again = runs.retry(one, Some("lint"), "me").await.expect("begun");
    let taken = runs.take("r1", "i1", SHORT).await.expect("a run");
    assert_eq!((taken.run.id, taken.work.from.as_deref()), (again, Some("lint")));
    runs.say(again, &taken.token, 0, vec![Said::Ended { code: Some(1), cause: None }]).await.expect("taken");
    for from in [None, Some("checkout")] {
        let whole = runs.retry(again, from, "me").await.expect("begun");
        let taken = runs.take("r1", "i1", SHORT).await.expect("a run");
        assert_eq!((taken.run.id, taken.work.from), (whole, None), "all of it, {from:?}");
        assert_eq!(taken.run.trigger, Trigger::Retry { of: again, from: None, by: "me".into() });
        runs.say(whole, &taken.token, 0, vec![Said::Ended { code: Some(0), cause: None }]).await.expect("taken");
    }
    assert_eq!(runs.list(&Filter::default(), None, 9).len(), 5);
    assert_eq!(runs.list(&Filter { state: Some(RunState::Failed), ..Filter::default() }, None, 9)[0].id, again);
    assert_eq!(runs.list(&Filter::default(), Some(again), 1)[0].id, two);
}

#[tokio::test]
async fn logs_have_an_end_and_runs_expire() {
    let mut place = Place::new();
    place.options = Options { log_bytes: 2_000, runs: 1, keep: Duration::from_secs(100), ..Options::default() };
    let runs = place.open();
    for _ in 0..2 {
        let id = begin(&runs, "main").await;
        let taken = runs.take("r1", "i1", SHORT).await.expect("a run");
        let lines: Vec<String> = (0..700).map(|number| format!("line {number}")).collect();
        let mut said: Vec<Said> = lines.into_iter().map(Said::Out).collect();
        said.push(Said::Ended { code: Some(0), cause: None });
        runs.say(id, &taken.token, 0, said).await.expect("taken");
        let page = runs.log(id, "checkout", 200, 9_000).expect("a log");
        assert!(page.cut && page.total < 300 && page.lines.last().is_some_and(|last| last.contains("left out")), "{page:?}");
        assert_eq!(page.lines[0], "line 200");
    }
    assert_eq!(runs.expire().await.expect("expired"), 1);
    place.clock.pass(101);
    assert_eq!(runs.expire().await.expect("expired"), 1);
    assert_eq!(std::fs::read_dir(place.folder.join("runs")).expect("listed").count(), 0);
    assert_eq!(begin(&place_again(&place, runs), "main").await, RunId(3), "no number is given twice");
}

fn place_again(place: &Place, runs: Runs) -> Runs {
    drop(runs);
    place.open()
}

#[tokio::test]
async fn a_delivery_and_the_branches_are_known_with_their_runs() {
    let place = Place::new();
    let runs = place.open();
    let branches = std::collections::BTreeMap::from([("main".to_owned(), "a".repeat(40))]);
    let refs = Refs { branches: Some(("web".into(), branches.clone())), delivery: Some("web/1".into()), ..Refs::default() };
    runs.begin(vec![asked("main")], refs).await.expect("begun");
    drop(runs);
    let runs = place.open();
    let branches = Some(branches);
    assert_eq!((runs.branches("web"), runs.knows_delivery("web/1"), runs.knows_delivery("web/2")), (branches, true, false));
}

#[tokio::test]
async fn two_hundred_runs_at_once_are_all_kept() {
    let place = Place::new();
    let runs = place.open();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..200 {
        let runs = runs.clone();
        tasks.spawn(async move { begin(&runs, &format!("b{}", number % 10)).await });
    }
    let ids: BTreeSet<RunId> = tasks.join_all().await.into_iter().collect();
    assert_eq!((ids.len(), runs.load()), (200, (200, 0)));
    drop(runs);
    let runs = place.open();
    for _ in 0..200 {
        let taken = runs.take("r", "i", SHORT).await.expect("a run");
        runs.say(taken.run.id, &taken.token, 0, vec![Said::Ended { code: Some(0), cause: None }]).await.expect("taken");
    }
    assert_eq!(runs.list(&Filter { state: Some(RunState::Passed), ..Filter::default() }, None, 500).len(), 200);
}
