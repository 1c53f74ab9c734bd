//! The stages of a run, one file each; [`STAGES`] lists them in their order.

mod build;
mod check;
mod cluster;
mod deploy;
mod engine;
mod lint;
mod load;
mod prepare;
mod push;
mod scan;
mod selection;
mod smoke;
mod test;

use crate::context::Context;
use crate::inputs::Memory;
use crate::output::{Running, Stages, Verdict};
use crate::project::Project;
use crate::target::Place;
use ::cluster::Cluster;
use ::delivery::saved::{Origin, PlannedImage};
use base::{Problem, ProblemKind};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

pub use deploy::{apply_plan, delivery, made_from, release};
pub use load::headers;
pub use push::deliver as deliver_images;
pub use selection::Selection;

/// One stage.
#[derive(Debug)]
pub struct Stage {
    /// What is typed and shown.
    pub name: &'static str,
    /// Whether it runs only where it is asked for by name.
    pub on_demand: bool,
    /// Whether it needs the cluster of the environment.
    pub needs_cluster: bool,
    /// Whether there is anything for it to do in this project and environment; otherwise it is not shown.
    pub applies: fn(&Run) -> bool,
    /// Whether its failure says that the release is no good.
    pub judges_release: bool,
    /// What stands when it is interrupted, and what to do next.
    pub interrupted: &'static str,
    /// Does it.
    pub run: fn(&mut Run, &Running<'_>) -> Result<Done, Problem>,
}

/// Every stage.
pub const STAGES: &[Stage] = &[
    lint::STAGE,
    test::STAGE,
    prepare::STAGE,
    build::STAGE,
    scan::STAGE,
    check::STAGE,
    push::STAGE,
    engine::STAGE,
    cluster::STAGE,
    deploy::STAGE,
    smoke::STAGE,
    load::STAGE,
];

/// Whether there is a stage of that name.
pub fn exists(name: &str) -> bool {
    STAGES.iter().any(|stage| stage.name == name)
}

/// For stages of every project.
pub fn always(_: &Run) -> bool {
    true
}

/// How a stage ended that did not fail.
pub struct Done {
    /// How.
    pub verdict: Verdict,
    /// A few words.
    pub summary: String,
    /// All that it found, for the release's record; null where that is the summary.
    pub detail: Value,
}

impl Done {
    /// It did its work.
    pub fn new(summary: impl Into<String>) -> Self {
        Self { verdict: Verdict::Done, summary: summary.into(), detail: Value::Null }
    }

    /// It had nothing to do.
    pub fn unchanged(summary: impl Into<String>) -> Self {
        Self { verdict: Verdict::Unchanged, summary: summary.into(), detail: Value::Null }
    }

    /// The same with all that it found.
    #[must_use]
    pub fn with(self, detail: Value) -> Self {
        Self { detail, ..self }
    }

    /// As the release's record has it.
    fn noted(&self) -> Value {
        let mut noted = json!({"verdict": self.verdict.name(), "summary": self.summary});
        if !self.detail.is_null() {
            noted["detail"] = self.detail.clone();
        }
        noted
    }
}

/// What stages hand on to one another.
pub struct Run {
    /// The command's context.
    pub context: Context,
    /// The project.
    pub project: Project,
    /// What went well before.
    pub memory: Memory,
    /// The digest of the project's inputs.
    pub inputs: String,
    /// Whether `prepare` was left out because nothing had changed.
    pub prepare_skipped: bool,
    /// References of the images that were built, by name.
    pub images: BTreeMap<String, String>,
    /// Their ids.
    pub image_ids: BTreeMap<String, String>,
    /// Whether nothing is to be changed, only planned.
    pub planning: bool,
    /// Waits for what starts on its own.
    pub tokio: tokio::runtime::Runtime,
    /// The engine, while it starts beside the first stages.
    pub starting: Option<Receiver<Result<(), Problem>>>,
    /// Where the environment is.
    pub place: Place,
    /// The cluster, once it is connected.
    pub cluster: Option<Cluster>,
    /// The host on which the cluster's NodePorts answer.
    pub host: String,
    /// The hold on the project, from the deploy until the run's end: nobody else deploys while what serves is judged.
    pub held: ::delivery::hold::Slot,
    /// The plan that is applied, and who approved it.
    pub plan: Option<Value>,
    /// What that plan was made from.
    pub origin: Option<Origin>,
    /// What speaks for the release so far, for its record: by stage how it ended, and what it found.
    pub notes: serde_json::Map<String, Value>,
    /// Whether a failed rollout is left as it is.
    pub no_rollback: bool,
    /// Whether the engine ran before.
    pub engine_ran: bool,
    /// Whether the deploy changed nothing.
    pub unchanged: bool,
    /// What the release that this run deploys passed before, by stage; none where it deploys nothing.
    pub passed: Option<Vec<String>>,
    /// The release that it deployed or tried, until its record stands beside the images.
    pub released: Option<String>,
    /// Whether something of that release was written down.
    pub recorded: bool,
}

impl Run {
    /// A run for a project, with nothing done yet.
    ///
    /// # Errors
    /// When its inputs cannot be read.
    pub fn new(context: &Context, folder: Option<&Path>) -> Result<Self, Problem> {
        let project = Project::load(context, folder)?;
        let inputs = project.inputs()?;
        Ok(Self {
            place: Place::of(context, &project)?,
            host: String::new(),
            memory: Memory::open(&context.home, &project.folder),
            tokio: context.tokio()?,
            context: context.clone(),
            project,
            inputs,
            prepare_skipped: false,
            images: BTreeMap::new(),
            image_ids: BTreeMap::new(),
            planning: false,
            plan: None,
            origin: None,
            notes: serde_json::Map::new(),
            starting: None,
            cluster: None,
            held: ::delivery::hold::Slot::default(),
            no_rollback: false,
            engine_ran: false,
            unchanged: false,
            passed: None,
            released: None,
            recorded: false,
        })
    }

    /// The stages on demand that the environment asks for.
    ///
    /// # Errors
    /// When there is no such environment.
    pub fn asked_stages(&self) -> Result<Vec<&'static str>, Problem> {
        let loads = self.project.environment(&self.context)?.load;
        Ok(if loads { vec![load::STAGE.name] } else { Vec::new() })
    }

    /// Runs stages in their order until one fails.
    ///
    /// # Errors
    /// Why it failed.
    pub fn go(&mut self, stages: &[&'static Stage]) -> Result<(), Problem> {
        let done = self.go_through(stages);
        self.let_go();
        crate::attest::attach(self);
        done
    }

    /// Lets the project go, where it was held on to.
    pub fn let_go(&self) {
        self.tokio.block_on(async {
            let hold = self.held.lock().await.take();
            if let Some(hold) = hold {
                hold.let_go().await;
            }
        });
    }

    /// The registry that the environment's cluster takes images from; the engine takes them from Wharf's own store.
    pub fn registry(&self) -> Option<&str> {
        let environment = self.project.environment(&self.context).ok()?;
        environment.context.as_ref().and(environment.registry.as_deref())
    }

    /// The images as a plan names them.
    pub fn planned_images(&self) -> BTreeMap<String, PlannedImage> {
        let planned = self.images.iter().map(|(name, reference)| {
            let id = self.image_ids.get(name).cloned().unwrap_or_default();
            (name.clone(), PlannedImage { reference: reference.clone(), id })
        });
        planned.collect()
    }

    /// What has approvers is deployed by a plan that one of them signed, and not otherwise.
    fn may_deploy(&self, stages: &[&'static Stage]) -> Result<(), Problem> {
        let deploys = stages.iter().any(|stage| stage.name == deploy::STAGE.name);
        if !deploys || self.project.environment(&self.context)?.approvers.is_empty() {
            return Ok(());
        }
        let env = &self.context.globals.env;
        Err(Problem::new(ProblemKind::Target, format!("the environment `{env}` takes only plans that were approved"))
            .hint(format!("wharf plan --env {env} --out plan.json, wharf approve plan.json --key KEY, wharf deploy --env {env} plan.json")))
    }

    fn go_through(&mut self, stages: &[&'static Stage]) -> Result<(), Problem> {
        let stages: Vec<&'static Stage> = stages.iter().copied().filter(|stage| (stage.applies)(self)).collect();
        self.may_deploy(&stages)?;
        let width = stages.iter().map(|stage| stage.name.len()).max().unwrap_or(0);
        if stages.iter().any(|stage| stage.name == engine::STAGE.name) {
            crate::commands::doctor::require_root()?;
            self.engine_ran = crate::engine_client::running(&self.context).is_some();
            self.starting = Some(engine::begin(&self.context));
        }
        let mut shown = Stages::new(self.context.output.clone(), width);
        if self.context.output.is_json() {
            self.context.output.json(&json!({"stages": stages.iter().map(|stage| stage.name).collect::<Vec<_>>()}));
        }
        for stage in &stages {
            crate::interrupt::doing(format!("in {}: {}{}", stage.name, stage.interrupted, self.engine_left()));
            let running = shown.begin(stage.name);
            let done = (stage.run)(self, &running);
            crate::interrupt::give_way();
            match done {
                Ok(done) => {
                    running.end_with(done.verdict, &done.summary, &done.detail);
                    let result = done.noted();
                    if self.is_on_trial(stage) {
                        self.recorded = true;
                        self.judge(stage.name, result.clone(), None)?;
                    }
                    self.notes.insert(stage.name.to_owned(), result);
                }
                Err(problem) => {
                    running.end(Verdict::Failed, "");
                    // What this machine could not measure says nothing of the release.
                    let judged = stage.judges_release && problem.kind != ProblemKind::Host;
                    self.recorded |= judged && self.is_on_trial(stage);
                    return Err(if judged { self.go_back(stage, &mut shown, problem) } else { problem });
                }
            }
        }
        if self.context.output.is_json() {
            let milliseconds = u64::try_from(shown.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.context.output.json(&json!({"done": true, "milliseconds": milliseconds, "unchanged": self.unchanged}));
        } else if stages.len() > 1 {
            self.context.output.say(&format!("{:<width$}  {:>20}", "total", base::units::show_duration(shown.elapsed())));
        }
        Ok(())
    }

    // An engine that this run began runs on by itself.
    fn engine_left(&self) -> &'static str {
        let begun = self.starting.is_some() || self.cluster.is_some();
        if begun && !self.engine_ran { "; the engine runs on, `wharf engine stop` ends it" } else { "" }
    }

    /// Whether a stage decides about what was deployed: it is new, or the run that deployed it never came to this stage.
    pub fn is_on_trial(&self, stage: &Stage) -> bool {
        stage.judges_release && self.passed.as_ref().is_some_and(|passed| !passed.iter().any(|by| by == stage.name))
    }

    /// Writes down what a stage found of the release that serves.
    fn judge(&self, by: &str, detail: Value, rejected: Option<String>) -> Result<(), Problem> {
        let mut delivery = ::delivery::Delivery::new(self.cluster()?, Arc::new(|_| {}));
        delivery.copies = Some(self.context.copies());
        let release = self.released.as_deref().ok_or_else(|| Problem::new(ProblemKind::Defect, "nothing was deployed"))?;
        let judgement = ::delivery::Judgement { release, by, detail, rejected };
        self.tokio.block_on(delivery.judge(self.project.name(), self.project.name(), &judgement))
    }

    /// A release that serves and does not do what it should is put back, as one that does not serve is.
    fn go_back(&self, stage: &Stage, shown: &mut Stages, problem: Problem) -> Problem {
        if !self.is_on_trial(stage) {
            return problem;
        }
        // What cannot be marked is not this run's any more, or not to be reached.
        if let Err(why) = self.judge(stage.name, json!({"findings": problem.findings}), Some(problem.message.clone())) {
            return problem.hint(format!("nothing was put back: {why}"));
        }
        if self.no_rollback {
            return problem;
        }
        crate::interrupt::doing("in rollback: the release before may be back only in part; `wharf rollback` or `wharf up` completes it");
        let running = shown.begin("rollback");
        let name = self.project.name();
        let options = ::delivery::Options { rollback: false, ..Default::default() };
        let done = deploy::delivery(self, &running)
            .and_then(|delivery| self.tokio.block_on(delivery.roll_back(name, name, None, &options)).map_err(Problem::from));
        match done {
            Ok(deployed) => {
                running.end(Verdict::Done, &format!("release {} serves again", deployed.release));
                if self.context.output.is_json() {
                    self.context.output.json(&json!({"rolled_back": deployed.release}));
                }
                problem.hint(format!("release {} serves again", deployed.release))
            }
            Err(why) => {
                running.end(Verdict::Failed, "");
                problem.hint(format!("nothing was put back: {why}"))
            }
        }
    }

    /// What names the sources of what is deployed: where a plan is applied, those that it was made from.
    pub fn source(&self) -> String {
        self.origin.as_ref().map_or_else(|| self.project.tag(&self.inputs), |origin| origin.source.clone())
    }

    /// The values for `${NAME}` in manifests; `tag` is the images' tag, unless the project has a setting of that name.
    pub fn settings(&self) -> BTreeMap<String, String> {
        let mut values = BTreeMap::from([("tag".to_owned(), self.project.tag(&self.inputs))]);
        values.extend(self.project.read.values(&self.context.globals.env));
        values
    }

    /// Connects the environment's cluster.
    ///
    /// # Errors
    /// When its credentials cannot be used.
    pub fn connect(&mut self) -> Result<Cluster, Problem> {
        let cluster = self.tokio.block_on(self.place.connect(&self.context))?;
        self.host = self.tokio.block_on(self.place.host(&cluster));
        self.cluster = Some(cluster.clone());
        Ok(cluster)
    }

    /// The cluster that was connected by its stage.
    ///
    /// # Errors
    /// When that stage did not run.
    pub fn cluster(&self) -> Result<Cluster, Problem> {
        self.cluster.clone().ok_or_else(|| Problem::new(ProblemKind::Defect, "no cluster is connected"))
    }
}
