//! What is exported: the stages of a project for its environments, as commands.

use super::pattern;
use crate::settings::Settings;
use base::{Problem, ProblemKind};
use std::collections::BTreeSet;

/// A run as the project wants it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Patterns of branches; every one where it is empty.
    pub branches: Vec<String>,
    /// Every branch but this one.
    pub but: Option<String>,
    /// Patterns of files, one of which must have changed; every change counts where it is empty.
    pub paths: Vec<String>,
    /// The environment.
    pub environment: String,
    /// Only these stages; all where it is empty.
    pub stages: Vec<String>,
    /// Not these.
    pub skip: Vec<String>,
}

impl Wanted {
    /// What is done where a project says nothing: all stages for the default branch, for others those that deploy nothing.
    pub fn usual(environment: &str, default_branch: &str) -> Vec<Self> {
        let common = || Self { environment: environment.to_owned(), ..Self::default() };
        let others = Self { but: Some(default_branch.to_owned()), skip: vec!["push".to_owned(), "deploy".to_owned()], ..common() };
        vec![Self { branches: vec![default_branch.to_owned()], ..common() }, others]
    }

    fn has(&self, stage: &str) -> bool {
        (self.stages.is_empty() || self.stages.iter().any(|one| one == stage)) && !self.skip.iter().any(|one| one == stage)
    }
}

/// One stage of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// Its name, such as `lint`.
    pub name: &'static str,
    /// The commands.
    pub commands: Vec<Vec<String>>,
    /// Whether it changes the environment.
    pub deploys: bool,
    /// Whether it speaks with the environment's registry.
    pub pushes: bool,
    /// Whether it speaks with the environment's cluster.
    pub connects: bool,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// A name for jobs: letters, digits and `-`.
    pub name: String,
    /// When.
    pub wanted: Wanted,
    /// Its stages.
    pub steps: Vec<Step>,
    /// Whether its plan has to be signed by a person before it is deployed.
    pub signed: bool,
    /// The host of its registry, where somebody may have to log in.
    pub registry: Option<String>,
    /// Whether its cluster is one of a kubeconfig's that is not in the project.
    pub kubeconfig: bool,
}

/// All runs of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pipeline {
    /// The project.
    pub(super) project: String,
    /// Which runners.
    pub(super) runner: Option<String>,
    pub(super) runs: Vec<Run>,
    /// Variables that builds take secrets from.
    pub(super) secrets: Vec<String>,
}

/// Where reports are put.
pub(super) const REPORTS: &str = crate::report::FOLDER;
/// The saved plan.
pub(super) const PLAN: &str = "wharf-reports/plan.json";

impl Pipeline {
    /// The pipeline of a project.
    ///
    /// # Errors
    /// When it names an environment that is not there, or something that cannot be written into such a file.
    pub fn of(settings: &Settings, wanted: Vec<Wanted>, runner: Option<String>) -> Result<Self, Problem> {
        let mut names = BTreeSet::new();
        let mut runs = Vec::new();
        for one in wanted {
            plain("the environment", &one.environment)?;
            for pattern in one.branches.iter().chain(&one.but).chain(&one.paths) {
                if pattern.contains("${{") || pattern.chars().any(char::is_control) {
                    return Err(Problem::new(ProblemKind::Usage, format!("the pattern `{pattern}` cannot be exported")));
                }
            }
            let deep = |path: &&String| path.matches("**").count() > pattern::MOST_DEEP;
            if let Some(path) = one.paths.iter().find(deep) {
                return Err(Problem::new(ProblemKind::Usage, format!("the pattern `{path}` cannot be exported"))
                    .hint(format!("`**` stands in it more than {} times; write several patterns", pattern::MOST_DEEP)));
            }
            runs.push(run(settings, one, &mut names)?);
        }
        if let Some(runner) = &runner {
            plain("the runner", runner)?;
        }
        let secrets: BTreeSet<String> =
            settings.images.values().flat_map(|image| image.secrets.values()).filter_map(|secret| secret.env.clone()).collect();
        for secret in &secrets {
            plain("the variable", secret)?;
        }
        Ok(Self { project: settings.project.clone(), runner, runs, secrets: secrets.into_iter().collect() })
    }
}

/// Names that mean nothing to YAML, Groovy, shells and the servers' own templates.
fn plain(what: &str, name: &str) -> Result<(), Problem> {
    if !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
        return Ok(());
    }
    Err(Problem::new(ProblemKind::Usage, format!("{what} `{name}` cannot be exported")).hint("use letters, digits, `-`, `_` and `.`"))
}

fn run(settings: &Settings, wanted: Wanted, names: &mut BTreeSet<String>) -> Result<Run, Problem> {
    let environment = settings.environments.get(&wanted.environment).ok_or_else(|| {
        let known: Vec<&str> = settings.environments.keys().map(String::as_str).collect();
        Problem::new(ProblemKind::Usage, format!("wharf.yaml has no environment `{}`", wanted.environment))
            .hint(format!("there are: {}", known.join(", ")))
    })?;
    let deploys = wanted.has("deploy");
    let base: String = wanted.environment.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let base = if deploys { base } else { "check".to_owned() };
    let free = |name: &String| !names.contains(name);
    let name = std::iter::once(base.clone()).chain((2..).map(|number| format!("{base}-{number}"))).find(free).unwrap_or(base);
    names.insert(name.clone());
    let registry = environment.registry.as_ref().and_then(|registry| registry.split('/').next()).map(str::to_owned);
    let signed = !environment.approvers.is_empty();
    let steps = steps(settings, &wanted, environment.context.is_some() && registry.is_some(), signed);
    let kubeconfig = environment.context.is_some() && environment.kubeconfig.is_none();
    Ok(Run { name, wanted, steps, signed, registry, kubeconfig })
}

fn steps(settings: &Settings, wanted: &Wanted, registry: bool, signed: bool) -> Vec<Step> {
    let (images, checks) = (!settings.images.is_empty(), !settings.checks.is_empty());
    let up = |name: &'static str, stages: &str| {
        let words = ["wharf", "up", "--env", &wanted.environment, "--only", stages];
        let reports = ["sarif", "xml"].into_iter().flat_map(|end| ["--report".to_owned(), format!("{REPORTS}/{name}.{end}")]);
        let command = words.into_iter().map(str::to_owned).chain(reports).collect();
        Step { name, commands: vec![command], deploys: false, pushes: false, connects: false }
    };
    // What a stage builds on is named with it: it costs nothing where it was done before on the same machine.
    let all = [
        ("lint", true, up("lint", "lint")),
        ("test", !settings.tests.is_empty(), up("test", "test")),
        ("build", images, up("build", "prepare,build")),
        ("scan", images && crate::stages::exists("scan"), up("scan", "prepare,build,scan")),
        ("check", checks, up("check", "prepare,check")),
        ("push", images && registry, Step { pushes: true, ..up("push", "prepare,build,push") }),
    ];
    let mut steps: Vec<Step> = all.into_iter().filter(|(name, applies, _)| *applies && wanted.has(name)).map(|(_, _, step)| step).collect();
    if wanted.has("deploy") && !settings.manifests.is_empty() {
        let with = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let env = wanted.environment.as_str();
        let step = |name, command, deploys| Step { name, commands: vec![command], deploys, pushes: deploys, connects: true };
        steps.push(step("plan", with(&["wharf", "plan", "--env", env, "--out", PLAN]), false));
        // What people sign is deployed by who has the signature; no pipeline holds their keys.
        if !signed {
            steps.push(step("deploy", with(&["wharf", "deploy", "--env", env, PLAN]), true));
        }
    }
    steps
}
