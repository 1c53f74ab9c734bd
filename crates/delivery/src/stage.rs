//! Stages: what each does, what its failure means, and how long it took.

use base::finding::Finding;
use base::{Problem, Severity};
use futures::future::BoxFuture;
use std::time::{Duration, Instant};

/// What a failed stage means for the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// The run ends.
    #[default]
    Fail,
    /// The run goes on, with a warning.
    Warn,
    /// The run goes on; the findings are kept.
    ReportOnly,
}

impl Policy {
    /// The policy of a name: `fail`, `warn`, `report-only`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "fail" => Some(Self::Fail),
            "warn" => Some(Self::Warn),
            "report-only" => Some(Self::ReportOnly),
            _ => None,
        }
    }
}

/// What a stage did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// One line.
    pub summary: String,
    /// Whether nothing had changed, so that nothing was done.
    pub unchanged: bool,
    /// What it found.
    pub findings: Vec<Finding>,
}

impl Done {
    /// Done, in a line.
    pub fn new(summary: impl Into<String>) -> Self {
        Self { summary: summary.into(), ..Self::default() }
    }

    /// Nothing had changed.
    pub fn unchanged(summary: impl Into<String>) -> Self {
        Self { summary: summary.into(), unchanged: true, findings: Vec::new() }
    }
}

/// One stage over a context that stages share.
pub struct Stage<C> {
    /// Its name, such as `build`.
    pub name: &'static str,
    /// What its failure means.
    pub policy: Policy,
    /// Why it is left out, where it is.
    pub skip: Option<String>,
    /// Does it.
    pub run: for<'a> fn(&'a mut C) -> BoxFuture<'a, Result<Done, Problem>>,
}

/// How a stage ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Well.
    Done(Done),
    /// It was left out, and why.
    Skipped(String),
    /// Badly, and the run goes on by its policy.
    Tolerated(Problem),
    /// Badly, and the run ends.
    Failed(Problem),
}

/// One stage's report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The stage.
    pub stage: &'static str,
    /// What its failure means.
    pub policy: Policy,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took.
    pub took: Duration,
}

impl Report {
    /// Its findings, of success and failure alike.
    pub fn findings(&self) -> &[Finding] {
        match &self.outcome {
            Outcome::Done(done) => &done.findings,
            Outcome::Tolerated(problem) | Outcome::Failed(problem) => &problem.findings,
            Outcome::Skipped(_) => &[],
        }
    }

    /// The heaviest finding's weight.
    pub fn worst(&self) -> Option<Severity> {
        self.findings().iter().map(|finding| finding.severity).min()
    }
}

/// What is told of a run.
#[derive(Clone, Debug)]
pub enum Told<'a> {
    /// A stage begins.
    Begins(&'static str),
    /// A stage has ended.
    Ended(&'a Report),
}

/// Runs stages in order until one fails; the last report then says why.
pub async fn run<C>(stages: &[Stage<C>], context: &mut C, tell: &(dyn Fn(Told<'_>) + Send + Sync)) -> Vec<Report> {
    let mut reports = Vec::with_capacity(stages.len());
    for stage in stages {
        tell(Told::Begins(stage.name));
        let begun = Instant::now();
        let outcome = match &stage.skip {
            Some(why) => Outcome::Skipped(why.clone()),
            None => match (stage.run)(context).await {
                Ok(done) => Outcome::Done(done),
                Err(problem) if is_tolerated(stage.policy, &problem) => Outcome::Tolerated(problem),
                Err(problem) => Outcome::Failed(problem),
            },
        };
        let report = Report { stage: stage.name, policy: stage.policy, outcome, took: begun.elapsed() };
        tell(Told::Ended(&report));
        let failed = matches!(report.outcome, Outcome::Failed(_));
        reports.push(report);
        if failed {
            break;
        }
    }
    reports
}

// A policy is about what the work says, never about a defect or the user's own stop.
fn is_tolerated(policy: Policy, problem: &Problem) -> bool {
    policy != Policy::Fail && !matches!(problem.kind, base::ProblemKind::Interrupted | base::ProblemKind::Defect)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::ProblemKind;
    use std::sync::Mutex;

    fn good<'a>(log: &'a mut Vec<&'static str>) -> BoxFuture<'a, Result<Done, Problem>> {
        Box::pin(async move {
            log.push("good");
            Ok(Done::new("fine"))
        })
    }

    fn bad<'a>(log: &'a mut Vec<&'static str>) -> BoxFuture<'a, Result<Done, Problem>> {
        Box::pin(async move {
            log.push("bad");
            Err(Problem::new(ProblemKind::Work, "no"))
        })
    }

    #[tokio::test]
    async fn policies_decide_what_a_failure_means() {
        let stages = [
            Stage { name: "a", policy: Policy::Fail, skip: None, run: good },
            Stage { name: "b", policy: Policy::Warn, skip: None, run: bad },
            Stage { name: "c", policy: Policy::Fail, skip: Some("not asked for".to_owned()), run: bad },
            Stage { name: "d", policy: Policy::Fail, skip: None, run: bad },
            Stage { name: "e", policy: Policy::Fail, skip: None, run: good },
        ];
        let told = Mutex::new(Vec::new());
        let mut log = Vec::new();
        let reports = run(&stages, &mut log, &|step| {
            if let Told::Begins(name) = step {
                told.lock().expect("lock").push(name);
            }
        })
        .await;
        assert_eq!(log, ["good", "bad", "bad"]);
        assert_eq!(*told.lock().expect("lock"), ["a", "b", "c", "d"]);
        assert!(matches!(reports.last().expect("one").outcome, Outcome::Failed(_)));
    }
}
