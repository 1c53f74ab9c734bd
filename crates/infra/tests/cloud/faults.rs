//! Every call throttled, failed, lost or cut off once: what is wanted stands all the same, made once.

use crate::fake::{Fake, Fault};
use crate::place::{FIRST, Listener, apply, destroy, provider, run, second};
use proptest::prelude::*;
use std::sync::Arc;

/// The whole life of a stack.
async fn life(fake: &Arc<Fake>, listener: &Listener) -> Result<(), infra::InfraError> {
    apply(fake, FIRST, listener).await?;
    apply(fake, &second(), listener).await?;
    destroy(fake, listener).await?;
    Ok(())
}

fn calls() -> usize {
    let fake = Fake::new();
    run(life(&fake, &Listener::default())).expect("without faults");
    fake.with(|state| state.calls.len())
}

fn proven(fake: &Arc<Fake>, what: &str) {
    let operations: Vec<String> = fake.with(|state| state.stacks.operations.iter().map(|(name, _)| name.clone()).collect());
    assert_eq!(operations, ["execute", "execute", "delete"], "each operation once: {what}");
    nothing_left(fake, what);
}

fn nothing_left(fake: &Arc<Fake>, what: &str) {
    // What did not happen by now is not to happen to who looks.
    fake.with(|state| state.faults.clear());
    let left = run(provider(fake, FIRST).left()).expect("left");
    let kept: Vec<_> = left.iter().map(|left| left.id.as_str()).collect();
    assert_eq!(kept, ["jobs-cluster-Logs"], "only what is kept on purpose: {what}");
    assert!(fake.with(|state| state.stacks.sets.is_empty()), "no change set: {what}");
}

#[test]
fn each_call_may_fail_once() {
    let calls = calls();
    assert!(calls > 40, "{calls}");
    for fault in [Fault::Throttle, Fault::Server, Fault::LostBefore, Fault::LostAfter, Fault::Expired, Fault::Garbled] {
        for at in 0..calls {
            let fake = Fake::new();
            fake.with(|state| state.faults = vec![(at, fault)]);
            let done = run(life(&fake, &Listener::default()));
            done.unwrap_or_else(|error| panic!("{fault:?} at call {at}: {error}"));
            proven(&fake, &format!("{fault:?} at call {at}"));
        }
    }
}

/// One run of a command that may be cut off; whether it came to its end.
async fn cut(fake: &Arc<Fake>, command: impl Future<Output = Result<(), infra::InfraError>>) -> Result<bool, infra::InfraError> {
    tokio::select! {
        done = command => done.map(|()| true),
        () = fake.killed.notified() => Ok(false),
    }
}

#[test]
fn each_call_may_be_the_last_of_a_run() {
    let calls = calls();
    for fault in [Fault::KillBefore, Fault::KillAfter] {
        for at in 0..calls {
            let fake = Fake::new();
            fake.with(|state| state.faults = vec![(at, fault)]);
            run(async {
                let listener = Listener::default();
                let mut killed = 0;
                for step in 0..3 {
                    // The command is given again until it ends by itself, as a person or a pipeline would.
                    loop {
                        let command = async {
                            match step {
                                0 => apply(&fake, FIRST, &listener).await.map(drop),
                                1 => apply(&fake, &second(), &listener).await.map(drop),
                                _ => destroy(&fake, &listener).await.map(drop),
                            }
                        };
                        match cut(&fake, command).await {
                            Ok(true) => break,
                            Ok(false) => killed += 1,
                            Err(error) => panic!("{fault:?} at call {at} in step {step}: {error}"),
                        }
                    }
                }
                assert_eq!(killed, 1, "{fault:?} at call {at}");
            });
            proven(&fake, &format!("{fault:?} at call {at}"));
        }
    }
}

#[test]
fn a_clock_that_is_off_is_noticed_once() {
    let fake = Fake::new();
    fake.with(|state| state.ahead = 3 * 3600 * 1_000_000);
    run(life(&fake, &Listener::default())).expect("signed by the cloud's clock");
    let refused = fake.with(|state| state.calls.iter().filter(|(name, _)| name.starts_with("refused")).count());
    // One provider a command: each finds it out for itself, once.
    assert_eq!(refused, 3);
    proven(&fake, "clock");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_mixture_of_faults_ends_well(faults in proptest::collection::vec((0usize..90, 0u8..8), 0..12), lag in 0i64..8, failing in 0u32..2, stuck in 0u32..2) {
        const FAULTS: [Fault; 8] = [Fault::Throttle, Fault::Server, Fault::LostBefore, Fault::LostAfter, Fault::Expired, Fault::Garbled, Fault::KillBefore, Fault::KillAfter];
        let fake = Fake::new();
        fake.with(|state| {
            state.stacks.lag = lag;
            state.stacks.failing.insert("Cluster".to_owned(), failing);
            state.stacks.stuck.insert("Nodes".to_owned(), stuck);
            let mut seen = std::collections::BTreeSet::new();
            state.faults = faults.iter().filter(|(at, _)| seen.insert(*at)).map(|(at, fault)| (*at, FAULTS[usize::from(*fault)])).collect();
        });
        run(async {
            let listener = Listener::default();
            for step in 0..3 {
                let mut tries = 0;
                loop {
                    tries += 1;
                    assert!(tries < 40, "step {step} does not end");
                    let command = async {
                        match step {
                            0 => apply(&fake, FIRST, &listener).await.map(drop),
                            1 => apply(&fake, &second(), &listener).await.map(drop),
                            _ => destroy(&fake, &listener).await.map(drop),
                        }
                    };
                    // A failure that is told is given again, too.
                    if matches!(cut(&fake, command).await, Ok(true)) {
                        break;
                    }
                }
            }
        });
        nothing_left(&fake, "mixture");
    }
}
