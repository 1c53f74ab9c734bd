//! Each way through the states: what is shown, what stands afterwards, what is told of a failure.

use crate::fake::{Detection, Fake};
use crate::place::{FIRST, Listener, apply, declared, destroy, make, provider, run, second};
use base::Clock;
use infra::InfraError;
use infra::plan::{Act, Replacement};
use infra::provider::{Declared, Import};

fn status(fake: &Fake) -> String {
    fake.with(|state| state.stacks.find("jobs-cluster").map(|stack| stack.status.clone()).unwrap_or_default())
}

#[test]
fn a_stack_is_made_changed_and_removed() {
    let (fake, listener) = (Fake::new(), Listener::default());
    fake.with(|state| state.stacks.lag = 3);
    run(async {
        let first = apply(&fake, FIRST, &listener).await.expect("made");
        assert!(first.new && first.changes.iter().all(|change| change.act == Act::Add) && first.changes.len() == 5, "{first:?}");
        assert_eq!(status(&fake), "CREATE_COMPLETE");
        let told = listener.told();
        assert_eq!(told.first().map(String::as_str), Some("jobs-cluster CREATE_IN_PROGRESS"));
        assert_eq!(told.last().map(String::as_str), Some("jobs-cluster CREATE_COMPLETE"));
        assert_eq!(told.iter().filter(|line| *line == "Nodes CREATE_COMPLETE").count(), 1, "each once: {told:?}");

        let again = apply(&fake, FIRST, &listener).await.expect("nothing to do");
        assert!(again.is_empty() && fake.with(|state| state.stacks.sets.is_empty()), "an empty change set is not left behind");

        let listener = Listener::default();
        let changed = apply(&fake, &second(), &listener).await.expect("changed");
        let of = |id: &str| changed.changes.iter().find(|change| change.id == id).expect(id);
        assert_eq!((of("Nodes").act, of("Nodes").replacement), (Act::Modify, Replacement::Always));
        assert_eq!((of("Topic").act, of("Role").act), (Act::Add, Act::Remove));
        assert_eq!(status(&fake), "UPDATE_COMPLETE");
        assert!(!listener.told().iter().any(|line| line.contains("CREATE_COMPLETE") && line.contains("Net")), "nothing of before is told");

        let cluster = provider(&fake, FIRST).cluster("jobs").await.expect("cluster");
        assert_eq!((cluster.server.as_str(), cluster.authority.as_str()), ("https://jobs.eks.example", "LS0t"));
        assert!(provider(&fake, FIRST).cluster("other").await.is_err());
        let drifted = provider(&fake, FIRST).drift(&listener).await.expect("drift");
        assert_eq!(drifted[0].differences, [("InstanceTypes.0".to_owned(), "t3.large".to_owned(), "t3.small".to_owned())]);

        let removed = destroy(&fake, &listener).await.expect("removed");
        let kept: Vec<_> = removed.retained.iter().map(|(id, _, _)| id.as_str()).collect();
        assert!(removed.existed && kept == ["Logs"], "{removed:?}");
        let left = provider(&fake, FIRST).left().await.expect("left");
        assert_eq!(left.iter().map(|left| left.by.as_str()).collect::<Vec<_>>(), ["tag"], "only what was kept on purpose: {left:?}");
        assert!(!destroy(&fake, &listener).await.expect("nothing").existed);
    });
}

#[test]
fn what_could_not_be_made_is_told_and_removed_by_the_next_run() {
    let (fake, listener) = (Fake::new(), Listener::default());
    fake.with(|state| state.stacks.failing.insert("Cluster".to_owned(), 1));
    run(async {
        let error = apply(&fake, FIRST, &listener).await.expect_err("no capacity");
        let InfraError::Failed { message, findings, rolled_back, .. } = &error else { panic!("{error}") };
        assert!(message.contains("ROLLBACK_COMPLETE") && message.contains("no capacity"), "{message}");
        assert!(*rolled_back && findings[0].place.object.as_deref().is_some_and(|object| object.ends_with("Cluster")), "{findings:?}");
        let error = provider(&fake, FIRST).plan(&listener).await.expect_err("only looks");
        assert!(matches!(error, InfraError::Unsettled { .. }), "{error}");
        apply(&fake, FIRST, &listener).await.expect("made at the second try");
        assert_eq!(status(&fake), "CREATE_COMPLETE");
    });
}

#[test]
fn a_failed_update_goes_back_and_a_stuck_rollback_goes_on() {
    let (fake, listener) = (Fake::new(), Listener::default());
    run(async {
        apply(&fake, FIRST, &listener).await.expect("made");
        fake.with(|state| {
            state.stacks.failing.insert("Nodes".to_owned(), 1);
            state.stacks.stuck.insert("Nodes".to_owned(), 1);
        });
        let error = apply(&fake, &second(), &listener).await.expect_err("fails, goes back, stops, goes on");
        let InfraError::Failed { rolled_back, .. } = &error else { panic!("{error}") };
        assert!(*rolled_back);
        assert_eq!((status(&fake).as_str(), fake.count("ContinueUpdateRollback")), ("UPDATE_ROLLBACK_COMPLETE", 1));

        // Stuck twice: it stands half-way until somebody mends the cause, and then the next run goes on.
        fake.with(|state| {
            state.stacks.failing.insert("Nodes".to_owned(), 1);
            state.stacks.stuck.insert("Nodes".to_owned(), 2);
        });
        let error = apply(&fake, &second(), &listener).await.expect_err("stuck");
        assert!(error.to_string().contains("UPDATE_ROLLBACK_FAILED"), "{error}");
        apply(&fake, &second(), &listener).await.expect("goes on, then changes");
        assert_eq!(status(&fake), "UPDATE_COMPLETE");
    });
}

#[test]
fn what_cannot_be_removed_is_named_and_can_be_let_go_of() {
    let (fake, listener) = (Fake::new(), Listener::default());
    run(async {
        apply(&fake, FIRST, &listener).await.expect("made");
        fake.with(|state| state.stacks.stuck.insert("Net".to_owned(), 1));
        destroy(&fake, &listener).await.expect("the second try removes it");

        apply(&fake, FIRST, &listener).await.expect("made again");
        fake.with(|state| state.stacks.stuck.insert("Net".to_owned(), 9));
        let error = destroy(&fake, &listener).await.expect_err("stuck");
        assert!(error.to_string().contains("AWS::EC2::VPC Net") || error.to_string().contains("Net"), "{error}");
        let removed = provider(&fake, FIRST).remove(&listener, &["Net".to_owned()]).await.expect("let go of");
        let kept: Vec<_> = removed.retained.iter().map(|(id, _, _)| id.as_str()).collect();
        assert_eq!(kept, ["Logs", "Net"]);
    });
}

#[test]
fn a_protected_stack_stays_and_a_refused_template_leaves_nothing() {
    let (fake, listener) = (Fake::new(), Listener::default());
    run(async {
        let error = apply(&fake, r#"{"Resources": [1]}"#, &listener).await.expect_err("no template");
        assert!(matches!(error, InfraError::Invalid { .. }), "{error}");
        assert!(fake.with(|state| state.stacks.all.is_empty()));
        // Found out only while the change set is worked out: by then there is a stack that waits for it.
        fake.with(|state| state.stacks.refusing = Some("Unresolved resource dependencies [x]".to_owned()));
        let error = apply(&fake, FIRST, &listener).await.expect_err("refused");
        let InfraError::Invalid { findings, .. } = &error else { panic!("{error}") };
        assert!(findings[0].message.contains("Unresolved"), "{findings:?}");
        assert!(provider(&fake, FIRST).left().await.expect("left").is_empty() && fake.with(|state| state.stacks.sets.is_empty()));
        fake.with(|state| state.stacks.refusing = None);
        apply(&fake, FIRST, &listener).await.expect("made");
        fake.with(|state| state.stacks.find("jobs-cluster").expect("there").protected = true);
        let error = destroy(&fake, &listener).await.expect_err("protected");
        assert!(error.to_string().contains("protected"), "{error}");
    });
}

#[test]
fn a_plan_is_carried_out_once_and_only_while_nothing_moved() {
    let (fake, listener) = (Fake::new(), Listener::default());
    run(async {
        apply(&fake, FIRST, &listener).await.expect("made");
        let plan = provider(&fake, &second()).plan(&listener).await.expect("plan");
        let same = provider(&fake, &second()).plan(&listener).await.expect("the same again");
        assert_eq!(same.change_set, plan.change_set, "the same change has the same change set");
        let mut other = plan.clone();
        other.changes.pop();
        assert!(matches!(provider(&fake, FIRST).apply(&listener, &other).await, Err(InfraError::Stale { .. })), "not what was shown");
        // It is carried out whatever the template in the folder says by then.
        provider(&fake, FIRST).apply(&listener, &plan).await.expect("applied");
        // Told again, it says how that ended: nothing else happened since.
        provider(&fake, FIRST).apply(&listener, &plan).await.expect("was applied");
        assert_eq!(fake.with(|state| state.stacks.operations.len()), 2);
        let stale = provider(&fake, FIRST).plan(&listener).await.expect("back");
        apply(&fake, &second().replace("\"Size\": 3", "\"Size\": 4"), &listener).await.expect("somebody else");
        let error = provider(&fake, FIRST).apply(&listener, &stale).await.expect_err("stale");
        assert!(matches!(error, InfraError::Stale { .. }), "{error}");
        let error = provider(&fake, FIRST).apply(&listener, &plan).await.expect_err("long ago");
        assert!(matches!(error, InfraError::Stale { .. }), "{error}");
    });
}

#[test]
fn a_plan_that_nobody_wants_leaves_nothing() {
    let (fake, listener) = (Fake::new(), Listener::default());
    run(async {
        let provider = provider(&fake, FIRST);
        let plan = provider.plan(&listener).await.expect("plan");
        provider.discard(&plan).await.expect("gone");
        destroy(&fake, &listener).await.expect("nothing");
        assert!(provider.left().await.expect("left").is_empty());
    });
}

#[test]
fn what_stands_is_taken_in() {
    let (fake, listener) = (Fake::new(), Listener::default());
    run(async {
        let without = FIRST.replace(
            r#""Logs": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "Properties": {}}"#,
            r#""Key": {"Type": "AWS::KMS::Key"}"#,
        );
        apply(&fake, &without, &listener).await.expect("made");
        let text = without.replace(
            r#""Key": {"Type": "AWS::KMS::Key"}"#,
            r#""Key": {"Type": "AWS::KMS::Key"}, "Logs": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "Properties": {}}"#,
        );
        let import = |id: &str| Import { id: id.to_owned(), identifier: [("BucketName".to_owned(), "b".to_owned())].into() };
        let wrong = make(&fake, Declared { imports: vec![import("Key")], ..declared(&text) }).expect("provider");
        assert!(wrong.check().iter().any(|finding| finding.message.contains("DeletionPolicy")));
        let provider = make(&fake, Declared { imports: vec![import("Logs")], ..declared(&text) }).expect("provider");
        assert!(provider.check().is_empty(), "{:?}", provider.check());
        let plan = provider.plan(&listener).await.expect("plan");
        assert_eq!(plan.changes.iter().map(|change| change.act).collect::<Vec<_>>(), [Act::Import]);
        provider.apply(&listener, &plan).await.expect("taken in");
        assert_eq!(status(&fake), "IMPORT_COMPLETE");
    });
}

#[test]
fn the_stack_of_another_environment_is_left_alone_unless_it_is_taken_over() {
    let (fake, listener) = (Fake::new(), Listener::default());
    let staging =
        |take_over: bool| make(&fake, Declared { environment: "staging".to_owned(), take_over, ..declared(&second()) }).expect("provider");
    run(async {
        // A stack that only waits has nothing to lose: whoever is first makes it.
        let waiting = staging(false).plan(&listener).await.expect("plan");
        staging(false).discard(&waiting).await.expect("gone");
        apply(&fake, FIRST, &listener).await.expect("made for prod");
        let mine = provider(&fake, &second()).plan(&listener).await.expect("plan of prod");
        let done = fake.count("CreateChangeSet");
        for error in [
            staging(false).plan(&listener).await.expect_err("plan"),
            staging(false).settle(&listener, &[]).await.expect_err("settle"),
            staging(false).apply(&listener, &mine).await.expect_err("apply"),
            staging(false).remove(&listener, &[]).await.expect_err("remove"),
        ] {
            let InfraError::Foreign { message, hints } = &error else { panic!("{error}") };
            assert!(message.contains("`wharf.local/environment` is `prod`, not `staging`"), "{message}");
            assert!(hints.iter().any(|hint| hint.contains("--take-over")), "{hints:?}");
        }
        assert_eq!((status(&fake).as_str(), fake.count("CreateChangeSet"), fake.count("DeleteStack")), ("CREATE_COMPLETE", done, 1));

        // One that somebody made by hand has no tags at all.
        let tags = fake.with(|state| std::mem::take(&mut state.stacks.find("jobs-cluster").expect("there").tags));
        let error = provider(&fake, FIRST).remove(&listener, &[]).await.expect_err("by hand");
        assert!(error.to_string().contains("it has no tag `wharf.local/project`"), "{error}");
        fake.with(|state| state.stacks.find("jobs-cluster").expect("there").tags = tags);

        let plan = staging(true).plan(&listener).await.expect("taken over");
        assert!(plan.takes_over.contains("`prod`"), "{plan:?}");
        // The saved plan says it: nobody has to say it twice. But it takes over what it was shown, and nothing else.
        let other = infra::Plan { takes_over: String::new(), ..plan.clone() };
        assert!(matches!(staging(false).apply(&listener, &other).await, Err(InfraError::Foreign { .. })));
        let standing = staging(false).apply(&listener, &plan).await.expect("applied");
        assert_eq!(standing.foreign, "");
        staging(false).apply(&listener, &plan).await.expect("said again, it says how that ended");
        assert!(matches!(provider(&fake, FIRST).remove(&listener, &[]).await, Err(InfraError::Foreign { .. })), "prod has lost it");
        staging(false).remove(&listener, &[]).await.expect("its own");
    });
}

#[test]
fn what_was_changed_beside_the_template_is_asked_for_a_while_and_no_longer() {
    let (fake, listener) = (Fake::new(), Listener::default());
    run(async {
        apply(&fake, FIRST, &listener).await.expect("made");
        fake.with(|state| state.stacks.detection = Detection::Endless);
        let began = fake.time.now();
        let error = provider(&fake, FIRST).drift(&listener).await.expect_err("it never ends");
        assert!(matches!(error, InfraError::Call(_)) && error.to_string().contains("within two minutes"), "{error}");
        let took = fake.time.now().since(began).as_secs();
        assert!((100..140).contains(&took), "{took} s");
    });
}

/// Same template, other environment: the tags alone are a change.
#[test]
fn taking_over_what_stands_as_it_should_changes_its_tags() {
    let (fake, listener) = (Fake::new(), Listener::default());
    run(async {
        apply(&fake, FIRST, &listener).await.expect("made for prod");
        let mine = Declared { environment: "staging".to_owned(), take_over: true, ..declared(FIRST) };
        let provider = make(&fake, mine).expect("provider");
        let plan = provider.plan(&listener).await.expect("plan");
        assert!(!plan.is_empty() && plan.changes.is_empty(), "{plan:?}");
        assert_eq!(provider.apply(&listener, &plan).await.expect("applied").foreign, "");
    });
}
