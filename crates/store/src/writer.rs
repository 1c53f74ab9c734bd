//! The one thread that writes: checks, journals, makes seen, answers.

use crate::journal::{AppendError, Journal, Record, Replayed};
use crate::state::{Change, State};
use crate::store::Options;
use crate::types::{CommitError, Entry, Expect, Op, Revision, Txn, stamped};
use std::collections::HashMap;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// A transaction and who waits for it.
pub(crate) struct Job {
    pub(crate) txn: Txn,
    pub(crate) done: oneshot::Sender<Result<Revision, CommitError>>,
}

/// One batch holds at most so many transactions, so that the first does not wait for a flood behind it.
const BATCH: usize = 512;

/// Takes what a journal held into memory.
pub(crate) fn replayed(state: &mut State, replayed: Replayed) {
    match replayed {
        Replayed::Entry(record) => {
            if let Some(value) = record.value {
                state.restore(Arc::new(Entry { key: record.key, revision: record.revision, value }));
            }
        }
        Replayed::Restored(revision) => state.restored(revision),
        Replayed::Change(record) if record.revision > state.revision => {
            state.apply(Change { key: record.key, revision: record.revision, value: record.value, last: None });
        }
        // Also in the snapshot: the journal's files overlap it after a crash between the two.
        Replayed::Change(_) => {}
    }
}

/// Writes until nobody can ask any more, or the disk fails.
pub(crate) fn run(jobs: &Receiver<Job>, journal: &mut dyn Journal, state: &Arc<RwLock<State>>, options: &Options) {
    let mut snapshot: Option<JoinHandle<()>> = None;
    while let Ok(first) = jobs.recv() {
        let batch: Vec<Job> = std::iter::once(first).chain(jobs.try_iter().take(BATCH - 1)).collect();
        if let Err(reason) = write(batch, journal, state) {
            state.write().unwrap_or_else(PoisonError::into_inner).stop(&reason);
            return;
        }
        if snapshot.as_ref().is_none_or(JoinHandle::is_finished) && journal.wants_checkpoint() {
            snapshot = checkpoint(journal, state, options);
        }
    }
    if let Some(snapshot) = snapshot {
        let _ = snapshot.join();
    }
}

// A snapshot that fails leaves the journal as it is: longer, and whole. The next one is tried when more was written.
fn checkpoint(journal: &mut dyn Journal, state: &Arc<RwLock<State>>, options: &Options) -> Option<JoinHandle<()>> {
    let (tree, revision) = {
        let state = state.read().unwrap_or_else(PoisonError::into_inner);
        (state.tree.clone(), state.revision)
    };
    let work = journal.checkpoint(&tree, revision).ok()??;
    if options.background {
        let run = move || {
            let _ = work();
        };
        return std::thread::Builder::new().name("store-snapshot".into()).spawn(run).ok();
    }
    let _ = work();
    None
}

struct Accepted {
    done: oneshot::Sender<Result<Revision, CommitError>>,
    revision: Revision,
}

/// What a batch has changed already, ahead of what is seen.
#[derive(Default)]
struct Pending {
    changes: Vec<Change>,
    keys: HashMap<Arc<str>, Option<Revision>>,
}

fn write(batch: Vec<Job>, journal: &mut dyn Journal, state: &Arc<RwLock<State>>) -> Result<(), String> {
    let mut pending = Pending::default();
    let mut accepted = Vec::with_capacity(batch.len());
    {
        let state = state.read().unwrap_or_else(PoisonError::into_inner);
        let mut revision = state.revision;
        for job in batch {
            match check(&job.txn, &state, &pending) {
                Ok(()) => {
                    take(job.txn, &mut pending, &mut revision);
                    accepted.push(Accepted { done: job.done, revision });
                }
                Err(error) => drop(job.done.send(Err(error))),
            }
        }
    }
    if pending.changes.is_empty() {
        accepted.into_iter().for_each(|job| drop(job.done.send(Ok(job.revision))));
        return Ok(());
    }
    let record = |change: &Change| Record { key: change.key.clone(), revision: change.revision, value: change.value.clone() };
    let records: Vec<Record> = pending.changes.iter().map(record).collect();
    if let Err(error) = journal.append(&records) {
        return refuse(accepted, error);
    }
    {
        let mut state = state.write().unwrap_or_else(PoisonError::into_inner);
        pending.changes.into_iter().for_each(|change| state.apply(change));
    }
    accepted.into_iter().for_each(|job| drop(job.done.send(Ok(job.revision))));
    Ok(())
}

fn refuse(accepted: Vec<Accepted>, error: AppendError) -> Result<(), String> {
    let (answer, stop) = match error {
        AppendError::Full(reason) => (CommitError::Full(reason), None),
        AppendError::Failed(reason) => (CommitError::Stopped(reason.clone()), Some(reason)),
    };
    accepted.into_iter().for_each(|job| drop(job.done.send(Err(answer.clone()))));
    stop.map_or(Ok(()), Err)
}

fn check(txn: &Txn, state: &State, pending: &Pending) -> Result<(), CommitError> {
    let stands = |key: &Arc<str>| match pending.keys.get(key) {
        Some(revision) => *revision,
        None => state.tree.get(key).map(|entry| entry.revision),
    };
    for expect in &txn.expect {
        let (key, wanted) = match expect {
            Expect::At(key, revision) => (key, Some(*revision)),
            Expect::Absent(key) => (key, None),
        };
        let found = stands(key);
        if found != wanted {
            return Err(CommitError::Conflict { key: key.clone(), found });
        }
    }
    let gone = txn.ops.iter().find_map(|op| match op {
        Op::Delete { key, .. } if stands(key).is_none() => Some(key.clone()),
        _ => None,
    });
    gone.map_or(Ok(()), |key| Err(CommitError::Conflict { key, found: None }))
}

fn take(txn: Txn, pending: &mut Pending, revision: &mut Revision) {
    for op in txn.ops {
        *revision += 1;
        let change = match op {
            Op::Put { key, value, stamp: None } => Change { key, revision: *revision, value: Some(value.into()), last: None },
            Op::Put { key, value, stamp } => {
                Change { key, revision: *revision, value: Some(stamped(&value, stamp, *revision)), last: None }
            }
            Op::Delete { key, last } => {
                let last = last.map(|(body, stamp)| stamped(&body, stamp, *revision));
                Change { key, revision: *revision, value: None, last }
            }
        };
        pending.keys.insert(change.key.clone(), change.value.as_ref().map(|_| *revision));
        pending.changes.push(change);
    }
}
