//! `wharf infra destroy`: everything goes, and a listing by stack and by tag proves it.

use super::declared::{Entry, Place, Wanted};
use super::{can_ask, consent};
use crate::output::Paint;
use ::infra::provider::{Left, Removed};
use ::infra::{FailureKind, InfraError};
use base::units::show_duration;
use base::{Problem, ProblemKind};
use serde_json::json;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// For so long what was removed may still be listed by its tags.
const LISTED: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_secs(3);

pub(super) fn run(place: &Place<'_>, only: &[String], retain: &[String], take_over: bool) -> Result<ExitCode, Problem> {
    can_ask(place.context, "pass `--yes`")?;
    // What was made last may need what was made first.
    let names: Vec<String> = place.names(only)?.into_iter().rev().collect();
    for name in names {
        let entry = place.entry(&name, Wanted { take_over, ..Wanted::default() })?;
        one(place, &entry, retain)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn one(place: &Place<'_>, entry: &Entry<'_>, retain: &[String]) -> Result<(), Problem> {
    let said = &entry.listener;
    crate::interrupt::doing("in infra destroy: nothing was removed");
    if let Some(standing) = entry.standing(place)? {
        let foreign = if standing.foreign.is_empty() { String::new() } else { format!(" It is another's: {}.", standing.foreign) };
        let (stack, region, status) = (&entry.stack, &entry.region, &standing.status);
        let question = format!("{stack} in {region} is {status}, and all of it goes.{foreign} Type its name to agree:");
        if !consent(place.context, &said.shown(&question), &[entry.stack.as_str()])? {
            return Err(Problem::new(ProblemKind::Work, "not agreed to: nothing was removed"));
        }
    }
    crate::interrupt::doing("in infra destroy: what was begun goes on in the cloud; run `wharf infra destroy` again to follow it");
    let began = Instant::now();
    let removed = place.tokio.block_on(entry.provider.remove(&entry.listener, retain)).map_err(|error| entry.failed(error));
    entry.listener.done();
    let removed = removed?;
    let left = left(place, entry, &removed)?;
    if said.is_json() {
        said.json(json!({"name": entry.name, "removed": removed, "left": left}));
    } else {
        tell(entry, &removed, began.elapsed());
    }
    match left {
        // A run before kept it, or somebody gave it our tags: only people can tell.
        Some(left) if !removed.existed => {
            for left in left {
                said.warning(&format!("`{}` has its tags; it was kept on purpose by a run before, or is to be removed by hand", left.id));
            }
            Ok(())
        }
        Some(left) if !left.is_empty() => {
            let list: Vec<String> = left.iter().map(|left| format!("{} (found by its {})", left.id, left.by)).collect();
            Err(Problem::new(ProblemKind::Target, format!("{} of it still there: {}", left.len(), list.join(", ")))
                .hint("remove them by hand, or run `wharf infra destroy` again"))
        }
        _ => Ok(()),
    }
}

fn tell(entry: &Entry<'_>, removed: &Removed, took: Duration) {
    let said = &entry.listener;
    if !removed.existed {
        said.say(&format!("{} is not there: nothing to remove", entry.stack));
        return;
    }
    said.say(&format!("{} {} is gone in {}", said.paint(Paint::Green, "+"), entry.stack, show_duration(took)));
    for (id, kind, physical) in &removed.retained {
        said.say(&said.shown(&format!("  kept on purpose: {id} {kind} {physical}")));
    }
}

/// What is still there but was not kept on purpose; nothing where it cannot be told.
fn left(place: &Place<'_>, entry: &Entry<'_>, removed: &Removed) -> Result<Option<Vec<Left>>, Problem> {
    let began = Instant::now();
    let kept = |left: &Left| {
        removed.retained.iter().any(|(_, _, physical)| {
            left.id == *physical || left.id.ends_with(&format!(":{physical}")) || left.id.ends_with(&format!("/{physical}"))
        })
    };
    loop {
        let left = match place.tokio.block_on(entry.provider.left()) {
            Ok(left) => left,
            Err(InfraError::Call(failure)) if matches!(failure.kind, FailureKind::Denied | FailureKind::Unsupported) => {
                entry.listener.warning(&format!("whether anything with its tags is left cannot be told: {failure}"));
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let left: Vec<Left> = left.into_iter().filter(|left| !kept(left)).collect();
        if left.is_empty() || !removed.existed || began.elapsed() > LISTED {
            return Ok(Some(left));
        }
        entry.listener.passing(&format!("{} still listed by its tags; such lists are late", left.len()));
        std::thread::sleep(PAUSE);
    }
}
