//! The whole build: stages side by side, then the image.

use crate::caches::trim_cache_mounts;
use crate::check::{plan, read, unused};
use crate::context::Context;
use crate::error::{BuildError, StepError};
use crate::event::BuildEvent;
use crate::outside::Outside;
use crate::request::{Built, CACHE_MOUNT_BYTES, LAYER_TIME, Request};
use crate::stage::{Outcome, Shared, Stage};
use base::Timestamp;
use base::{Finding, Place, Severity};
use blobs::Store;
use oci::Digest;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, RwLock};
use std::time::Instant;

/// Builds an image and names it.
///
/// # Errors
/// When the Dockerfile cannot be built as it is (before anything is done), when a step fails, or when the store does.
pub fn build(request: &Request, store: &Store, outside: &Outside<'_>, report: &(dyn Fn(BuildEvent) + Sync)) -> Result<Built, BuildError> {
    let started = Instant::now();
    let read = read(request)?;
    let (checked, target, globals) = plan(&read, request)?;
    let _hold = store.hold()?;
    let layer_time = layer_time(request, &read.file)?;
    let created = request.epoch.unwrap_or(Timestamp::from_micros(layer_time.saturating_mul(1_000_000)));
    let stages = read.parsed.stages();
    let shared = Shared {
        request,
        read: &read,
        stages: &stages,
        store,
        outside,
        report,
        globals,
        remembers: stages.stages.iter().flat_map(|stage| stage.instructions.iter().copied()).any(remembers),
        needed: &checked.stages,
        context: Context::open(&request.context, read.ignore.clone(), index_path(store, &request.context))?,
        named: Mutex::new(BTreeMap::new()),
        bases: Mutex::default(),
        layer_time,
        created: created.rfc3339(),
        used: Mutex::new(global_args(&stages)),
        steps: Mutex::new(Vec::new()),
        filled: AtomicBool::new(false),
        keys: Mutex::default(),
        warnings: Mutex::default(),
        stopped: AtomicBool::new(false),
        terminal: RwLock::new(()),
        done: Mutex::new(BTreeMap::new()),
        signal: Condvar::new(),
    };
    let outcome = run_stages(&shared, &checked.stages, target);
    // Also after a failure: what was hashed needs not be hashed again.
    shared.context.remember();
    let named = shared.named.lock().map(|named| named.values().cloned().collect::<Vec<_>>()).unwrap_or_default();
    named.iter().for_each(|context| context.remember());
    if shared.filled.load(Ordering::Relaxed)
        && let Err(error) = trim_cache_mounts(store, request.cache_mount_bytes.unwrap_or(CACHE_MOUNT_BYTES))
    {
        shared.warn(format!("cache mounts were not trimmed: {error}"));
    }
    let outcome = outcome?;
    let mut config = outcome.config.clone();
    config.set_created(created);
    config.config.labels.extend(request.labels.clone());
    let image = store.images().put(&config)?;
    for tag in &request.tags {
        store.images().tag(tag, &image.id)?;
    }
    let mut steps = shared.steps.into_inner().unwrap_or_default();
    steps.sort_by_key(|step| (step.stage, step.line));
    let cached = steps.iter().filter(|step| step.cached).count();
    let unused = unused(request, &shared.used.into_inner().unwrap_or_default());
    let warnings = checked.warnings.into_iter().chain(shared.warnings.into_inner().unwrap_or_default()).chain(unused).collect();
    let keys = shared.keys.into_inner().unwrap_or_default();
    Ok(Built { image: image.id, manifest: image.manifest, keys, steps, cached, took: started.elapsed(), warnings })
}

fn run_stages(shared: &Shared<'_>, needed: &[usize], target: usize) -> Result<Arc<Outcome>, BuildError> {
    let failure: Mutex<Option<StepError>> = Mutex::new(None);
    let work = |index: usize| {
        let result = Stage::build(shared, index);
        if let Ok(mut done) = shared.done.lock() {
            match result {
                Ok(outcome) => drop(done.insert(index, Some(Arc::new(outcome)))),
                Err(error) => {
                    shared.stopped.store(true, Ordering::Relaxed);
                    done.insert(index, None);
                    // A stage that only stopped because of another one says nothing.
                    if let (false, Ok(mut failure)) = (error.message.is_empty(), failure.lock()) {
                        failure.get_or_insert(error);
                    }
                }
            }
        }
        shared.signal.notify_all();
    };
    match needed {
        [only] => work(*only),
        _ => std::thread::scope(|scope| {
            for &index in needed {
                let work = &work;
                scope.spawn(move || work(index));
            }
        }),
    }
    if let Some(error) = failure.into_inner().unwrap_or_default() {
        return Err(BuildError::Step(Box::new(error)));
    }
    let done = shared.done.lock().ok().and_then(|mut done| done.remove(&target)).flatten();
    done.ok_or_else(|| {
        BuildError::Step(Box::new(StepError { message: "the stage ended without an outcome".into(), ..StepError::default() }))
    })
}

/// `SOURCE_DATE_EPOCH` as a build argument says the time of everything, as with BuildKit.
fn layer_time(request: &Request, file: &str) -> Result<i64, BuildError> {
    let Some(text) = request.args.get("SOURCE_DATE_EPOCH") else { return Ok(LAYER_TIME) };
    text.parse::<i64>().ok().filter(|seconds| (0..=253_402_300_799).contains(seconds)).ok_or_else(|| {
        let place = Place { file: Some(file.to_owned()), ..Place::default() };
        BuildError::Refused(vec![Finding::new(
            "build/argument",
            Severity::Error,
            place,
            format!("SOURCE_DATE_EPOCH is `{text}`, and should be seconds since 1970"),
        )])
    })
}

fn global_args(stages: &dockerfile::Stages<'_>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for instruction in &stages.global_args {
        if let dockerfile::Kind::Arg(arguments) = &instruction.kind {
            names.extend(arguments.iter().map(|argument| argument.name.text.clone()));
        }
    }
    names
}

/// Whether a step writes to what outlives it.
fn remembers(instruction: &dockerfile::Instruction) -> bool {
    let dockerfile::Kind::Run(run) = &instruction.kind else { return false };
    run.mounts.iter().any(|mount| mount.kind == dockerfile::MountKind::Cache && !mount.read_only)
}

/// The file that remembers a context's contents.
pub(crate) fn index_path(store: &Store, context: &Path) -> PathBuf {
    let whole = std::fs::canonicalize(context).unwrap_or_else(|_| context.to_owned());
    store.root().join("cache").join(format!("{}.index", Digest::of(whole.as_os_str().as_encoded_bytes()).hex()))
}
