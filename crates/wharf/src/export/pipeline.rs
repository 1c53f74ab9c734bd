//! What is exported: the stages of a project for its environments, as commands.

use super::pattern;
use crate::settings::Settings;
use base::{Problem, ProblemKind};
use ci::ProjectFolder;
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
    /// Files that are kept of it, relative to the project.
    pub artefacts: Vec<String>,
}

impl Wanted {
    /// What is done where a project says nothing: all stages for the default branch, for others those that deploy nothing.
    pub fn usual(environment: &str, default_branch: &str) -> Vec<Self> {
        let common = || Self { environment: environment.to_owned(), ..Self::default() };
        let others = Self { but: Some(default_branch.to_owned()), skip: DEPLOYING.map(str::to_owned).to_vec(), ..common() };
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
    /// Where in its repository the project lies.
    pub(super) folder: ProjectFolder,
    /// Which runners.
    pub(super) runner: Option<String>,
    /// How many days reports and artefacts are kept, where the project says it.
    pub(super) days: Option<u64>,
    /// Whether submodules are fetched.
    pub(super) submodules: bool,
    pub(super) runs: Vec<Run>,
    /// Variables that builds take secrets from.
    pub(super) secrets: Vec<String>,
}

/// Stages that a branch beside the default one leaves out, where a project says nothing.
const DEPLOYING: [&str; 6] = ["push", "engine", "cluster", "deploy", "smoke", "load"];
/// Where reports are put.
pub(super) const REPORTS: &str = crate::report::FOLDER;
/// The saved plan.
pub(super) const PLAN: &str = "wharf-reports/plan.json";

impl Pipeline {
    /// The pipeline of a project.
    ///
    /// # Errors
    /// When it names an environment that is not there, or something that cannot be written into such a file.
    pub fn of(settings: &Settings, folder: ProjectFolder, wanted: Vec<Wanted>, runner: Option<String>) -> Result<Self, Problem> {
        path("the project's folder", folder.as_str())?;
        let mut names = BTreeSet::new();
        let mut runs = Vec::new();
        for mut one in wanted {
            plain("the environment", &one.environment)?;
            one.artefacts.iter().try_for_each(|artefact| path("the artefact", artefact))?;
            // What has changed is named from the root of the repository, everywhere.
            one.paths = one.paths.iter().map(|pattern| beyond(&folder, pattern)).collect::<Result<_, _>>()?;
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
        let days = settings.ci.keep.map(|keep| keep.as_secs().div_ceil(86_400).max(1));
        Ok(Self { folder, runner, days, submodules: settings.ci.submodules, runs, secrets: secrets.into_iter().collect() })
    }

    /// A path of the project from the root of its repository.
    pub(super) fn at(&self, path: &str) -> String {
        self.folder.resolve(path).unwrap_or_else(|| path.to_owned())
    }

    /// A name for what is one in a server, although several projects are in the repository: letters, digits and `-`.
    pub(super) fn own(&self, name: &str) -> String {
        if self.folder.is_root() { name.to_owned() } else { format!("{name}-{}", slug(&self.folder)) }
    }
}

/// The folder as a word.
pub(super) fn slug(folder: &ProjectFolder) -> String {
    folder.as_str().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

fn beyond(folder: &ProjectFolder, pattern: &str) -> Result<String, Problem> {
    folder.resolve(pattern).ok_or_else(|| {
        Problem::new(ProblemKind::Usage, format!("the pattern `{pattern}` leads out of the repository"))
            .hint("patterns of `only.paths` count from the project's folder")
    })
}

/// Paths that no server takes for a pattern, a list or a script.
fn path(what: &str, path: &str) -> Result<(), Problem> {
    if path.chars().all(|c| c.is_alphanumeric() || "-_./+@=~".contains(c)) && !path.starts_with(['-', '~']) {
        return Ok(());
    }
    Err(Problem::new(ProblemKind::Usage, format!("{what} `{path}` cannot be exported"))
        .hint("use letters, digits, `-`, `_`, `.`, `/`, `+`, `@`, `=` and `~`"))
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
    let found = Found { registry: environment.context.is_some() && registry.is_some(), signed, loads: environment.load };
    let steps = steps(settings, &wanted, &found);
    let kubeconfig = environment.context.is_some() && environment.kubeconfig.is_none();
    Ok(Run { name, wanted, steps, signed, registry, kubeconfig })
}

/// What of an environment decides about steps.
struct Found {
    registry: bool,
    signed: bool,
    loads: bool,
}

fn steps(settings: &Settings, wanted: &Wanted, found: &Found) -> Vec<Step> {
    let &Found { registry, signed, loads } = found;
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
    let is_named = |name: &str| wanted.stages.iter().any(|stage| stage == name);
    let mut judging: Vec<&'static str> = Vec::new();
    judging.extend(Some("smoke").filter(|name| !settings.smoke.is_empty() && wanted.has(name)));
    judging.extend(Some("load").filter(|name| !settings.load.is_empty() && wanted.has(name) && (loads || is_named(name))));
    // What a saved plan's deploy judges a release by, whoever asks for it.
    let judged = |name: &str| name == "smoke" && !settings.smoke.is_empty() || name == "load" && loads && !settings.load.is_empty();
    if wanted.has("deploy") && !settings.manifests.is_empty() {
        let with = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let env = wanted.environment.as_str();
        let step = |name, command, deploys| Step { name, commands: vec![command], deploys, pushes: deploys, connects: true };
        steps.push(step("plan", with(&["wharf", "plan", "--env", env, "--out", PLAN]), false));
        // What people sign is deployed by who has the signature; no pipeline holds their keys.
        let more = ["smoke", "load"].into_iter().any(|name| judged(name) && !judging.contains(&name));
        if !signed && more {
            // It would do what this run leaves out: the run's own command does not.
            let stages = [&["prepare", "build", "push", "deploy"][..], &judging].concat().join(",");
            let mut step = Step { deploys: true, pushes: registry, connects: true, ..up("deploy", &stages) };
            step.commands.iter_mut().for_each(|command| command.insert(2, "--yes".to_owned()));
            steps.push(step);
            return steps;
        }
        if !signed {
            steps.push(step("deploy", with(&["wharf", "deploy", "--env", env, PLAN]), true));
        }
        judging.retain(|name| !signed && !judged(name));
    }
    steps.extend(judging.into_iter().map(|name| Step { connects: true, ..up(name, name) }));
    steps
}
