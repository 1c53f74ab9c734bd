//! Deploy: the manifests into the cluster, tracked until they serve or to a cause.

use super::{Done, Run, Stage};
use crate::output::{Output, Running};
use crate::target::Place;
use base::{Problem, ProblemKind, Severity};
use delivery::hold::Holder;
use delivery::manifests::{Inputs, Release, Source, read_folder, render};
use delivery::saved::PlanFile;
use delivery::{Change, Delivery, DeployError, Deployed, Options, Progress};
use k8s::Fields;
use network::{Protocol, port_holder};
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// See the module.
pub const STAGE: Stage = Stage {
    name: "deploy",
    on_demand: false,
    needs_cluster: true,
    applies: super::always,
    judges_release: false,
    interrupted: "the release may be applied in part and nothing was put back; `wharf up` completes it, `wharf rollback` takes it back",
    run,
};

/// How long a wait may take before it is talked of.
const QUIET: Duration = Duration::from_secs(1);

fn run(run: &mut Run, running: &Running<'_>) -> Result<Done, Problem> {
    let release = release(run)?;
    if run.place == Place::Engine {
        ports_are_free(&release)?;
    }
    tell_plan(run, running, &release)?;
    carry_out(run, running, |delivery, options| Box::pin(async move { delivery.deploy(&release, &options).await }))
}

/// Whoever watches by program sees what would change before it does. What a plan cannot say the deploy says.
fn tell_plan(run: &Run, running: &Running<'_>, release: &Release) -> Result<(), Problem> {
    if run.context.output.is_json() {
        let quiet = Delivery::new(run.cluster()?, Arc::new(|_| {}));
        if let Ok(plan) = run.tokio.block_on(quiet.plan(release, true)) {
            running.detail(&json!({"plan": plan}));
        }
    }
    Ok(())
}

/// Applies a plan that was allowed, as a stage of its own.
///
/// # Errors
/// When it is refused, or the release does not serve.
pub fn apply_plan(run: &mut Run, running: &Running<'_>, plan: PlanFile) -> Result<Done, Problem> {
    carry_out(run, running, |delivery, options| Box::pin(async move { delivery.apply_plan(&plan, &options).await }))
}

type Deploying = std::pin::Pin<Box<dyn Future<Output = Result<Deployed, DeployError>>>>;

fn carry_out(run: &mut Run, running: &Running<'_>, deploy: impl FnOnce(Delivery, Options) -> Deploying) -> Result<Done, Problem> {
    let delivery = delivery(run, running)?;
    let options = Options { rollback: !run.no_rollback, hold_on: true, notes: notes(run), ..Options::default() };
    let deployed = run.tokio.block_on(deploy(delivery, options));
    if let Err(DeployError::Rollout(failed)) = &deployed
        && run.context.output.is_json()
    {
        let cause = &failed.cause;
        run.context.output.json(&json!({"release": failed.release, "workload": cause.workload, "cause": cause.message,
            "told_after_ms": cause.told_after_ms, "evidence": cause.evidence, "rolled_back": failed.rolled_back}));
    }
    let deployed = deployed.map_err(Problem::from).map_err(advise)?;
    (run.unchanged, run.passed) = (deployed.unchanged, Some(deployed.passed.clone()));
    (run.released, run.recorded) = (Some(deployed.release.clone()), !deployed.unchanged);
    for (object, why) in &deployed.kept {
        running.note(&format!("kept {object}: {why}"));
    }
    if run.context.output.is_json() {
        run.context.output.json(&json!({"release": deployed.release}));
    }
    Ok(told(run, &deployed))
}

fn told(run: &Run, deployed: &Deployed) -> Done {
    let objects = deployed.changes.len();
    if deployed.unchanged {
        let pods = if run.engine_ran || run.place != Place::Engine { "nothing was restarted" } else { "their pods are started again" };
        return Done::unchanged(format!("release {}: all {objects} objects stand as they stood, {pods}", deployed.release));
    }
    let count = |wanted: Change| deployed.changes.iter().filter(|(_, change)| *change == wanted).count();
    let told: Vec<String> =
        [(Change::Created, "created"), (Change::Changed, "changed"), (Change::Unchanged, "unchanged"), (Change::Pruned, "pruned")]
            .into_iter()
            .filter(|(change, _)| count(*change) > 0)
            .map(|(change, word)| format!("{} {word}", count(change)))
            .collect();
    Done::new(format!("release {} serves: {}", deployed.release, told.join(", ")))
}

/// What allowed the release, for its record. Of a plan that is what it was made from, wherever it is applied.
fn notes(run: &Run) -> serde_json::Value {
    let mut notes = run.origin.as_ref().map_or_else(|| made_from(run), |origin| origin.notes.clone());
    notes["environment"] = json!(run.context.globals.env);
    notes["by"] = json!(user());
    if let Some(plan) = &run.plan {
        notes["plan"] = json!(plan);
    }
    notes
}

/// What speaks for a release as far as this run has come.
pub fn made_from(run: &Run) -> serde_json::Value {
    let mut notes = json!({"source": run.source(), "tree": format!("sha256:{}", run.inputs), "images": run.images,
        "image_ids": run.image_ids, "stages": run.notes});
    if let Some(commit) = run.project.commit() {
        notes["commit"] = json!(commit);
    }
    notes
}

/// What to do about refusals whose words are the API's.
fn advise(problem: Problem) -> Problem {
    if problem.message.contains("provided port is already allocated") {
        return problem.hint("another service has it; `kubectl --context wharf get services --all-namespaces` shows whose, and `wharf down` in that project frees it");
    }
    problem
}

/// The rules of a node port would hide whoever listens there already.
fn ports_are_free(release: &Release) -> Result<(), Problem> {
    let services = release.intents.iter().filter(|intent| intent.object.text("kind") == "Service");
    for (service, port) in services.flat_map(|intent| intent.object.items("spec.ports").iter().map(|port| (intent.object.name(), port))) {
        let Some(number) = port.int("nodePort").and_then(|number| u16::try_from(number).ok()) else { continue };
        let protocol = if port.text("protocol") == "UDP" { Protocol::Udp } else { Protocol::Tcp };
        if let Some(holder) = port_holder(protocol, number) {
            let holder = holder.pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid} ({})", holder.program));
            let message = format!("port {number}, which Service {service} asks for, is taken by {holder}");
            return Err(Problem::new(ProblemKind::Host, message)
                .hint(format!("end that process, or give the service another nodePort than {number}")));
        }
    }
    Ok(())
}

/// The release that the manifests and images make.
///
/// # Errors
/// All that is wrong in the manifests.
pub fn release(run: &Run) -> Result<Release, Problem> {
    let settings = run.project.settings();
    let mut sources: Vec<Source> = Vec::new();
    for path in &settings.manifests {
        sources.extend(read_folder(&run.project.folder, &run.project.folder.join(path))?);
    }
    if sources.is_empty() {
        return Err(
            Problem::new(ProblemKind::Usage, "there are no manifests to deploy").hint("name them in wharf.yaml: `manifests: [k8s/]`")
        );
    }
    render(
        &sources,
        &Inputs {
            project: run.project.name().to_owned(),
            namespace: String::new(),
            settings: run.settings(),
            images: run.images.clone(),
            drain: drain(run)?,
        },
    )
}

/// How long pods are still led to after they were told to end: what the environment says, else what is usual where it is.
fn drain(run: &Run) -> Result<Duration, Problem> {
    let usual = match run.place {
        Place::Engine => Duration::ZERO,
        Place::Context { .. } => Duration::from_secs(5),
    };
    Ok(run.project.environment(&run.context)?.drain.unwrap_or(usual))
}

/// The delivery into the run's cluster, which tells what it does.
///
/// # Errors
/// When no cluster is connected.
pub fn delivery(run: &Run, running: &Running<'_>) -> Result<Delivery, Problem> {
    let cluster = run.cluster()?;
    let (output, name) = (run.context.output.clone(), running.name().to_owned());
    let began = Instant::now();
    let listener = move |progress: Progress| {
        // What passes within a moment is no news.
        if output.is_json() || output.is_verbose() || began.elapsed() > QUIET || !matches!(progress, Progress::Waiting { .. }) {
            tell(&output, &name, &progress);
        }
    };
    let mut delivery = Delivery::new(cluster, Arc::new(listener));
    delivery.copies = Some(run.context.copies());
    delivery.architecture = Some(blobs::host_architecture().to_owned()).filter(|_| !run.images.is_empty());
    (delivery.holder, delivery.held) = (Holder::this_process(user()), run.held.clone());
    Ok(delivery)
}

/// Whose run this is, as others are told.
fn user() -> String {
    let named = ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok().filter(|name| !name.is_empty()));
    named.unwrap_or_else(|| match rustix::process::geteuid() {
        root if root.is_root() => "root".to_owned(),
        other => format!("user {}", other.as_raw()),
    })
}

/// The first names, and how many there are beside them.
fn some_of(names: &[String]) -> String {
    const NAMED: usize = 3;
    let first = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

fn tell(output: &Output, stage: &str, progress: &Progress) {
    if let (true, Progress::Pods { pods }) = (output.is_json(), progress) {
        output.json(&json!({"stage": stage, "detail": {"pods": pods}}));
        return;
    }
    if output.is_json() {
        output.json(&json!({"stage": stage, "progress": progress, "note": said(progress, true)}));
        return;
    }
    if let Progress::Noted { severity: Severity::Error | Severity::Warning, message } = progress {
        output.warning(message);
    } else if let Some(said) = said(progress, output.is_verbose()) {
        output.note(&said);
    }
}

/// Progress in words; much of it only where more is wanted.
fn said(progress: &Progress, verbose: bool) -> Option<String> {
    Some(match progress {
        Progress::Noted { message, .. } => message.clone(),
        Progress::Waiting { workload, message } => format!("{workload}: {message}"),
        Progress::Failed { workload, cause, told_after_ms } => {
            let after = base::units::show_duration(Duration::from_millis(*told_after_ms));
            format!("{workload}: {cause} (told {after} after its first sign)")
        }
        Progress::RollingBack { release } => format!("going back to release {release}"),
        Progress::Leaving { left } => format!("waiting for {} to end", some_of(left)),
        Progress::Kept { object, why } => format!("kept {object}: {why}"),
        Progress::Object { object, change } if verbose => format!("{object}: {change:?}").to_lowercase(),
        Progress::Ready { workload } if verbose => format!("{workload}: ready"),
        Progress::Checked { check, took_ms } if verbose => format!("{check}: {took_ms} ms"),
        _ => return None,
    })
}
