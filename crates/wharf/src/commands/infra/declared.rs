//! What wharf.yaml declares, with everything that it names read: templates, secrets, who we are.

use super::credentials::{Chain, Files};
use super::listen::Listener;
use crate::context::Context;
use crate::project::Project;
use crate::settings::{Infra, SecretPlace};
use ::infra::aws::{NetTransport, RealPace, Secret};
use ::infra::provider::{Access, Declared, Import, Standing};
use ::infra::{InfraError, PROVIDERS, Provider};
use base::mask::Mask;
use base::{Finding, Problem, ProblemKind};
use net::client::ClientOptions;
use serde_json::json;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The largest template or secret that is read.
const LARGEST: usize = 1 << 20;

/// Where the commands work.
pub(super) struct Place<'a> {
    pub context: &'a Context,
    pub project: Project,
    pub tokio: tokio::runtime::Runtime,
    files: Files,
    /// What is in no message.
    hidden: RefCell<Vec<String>>,
}

/// What is wanted of an entry beside what wharf.yaml says of it.
#[derive(Default)]
pub(super) struct Wanted {
    /// What is taken in as it stands.
    pub imports: Vec<Import>,
    /// Whether a stack that its tags say is another's may be taken.
    pub take_over: bool,
    /// Whether only a saved plan is carried out: then neither template nor values are needed.
    pub planned: bool,
}

/// One entry, ready to be worked on.
pub(super) struct Entry<'a> {
    pub name: String,
    pub settings: Infra,
    pub stack: String,
    pub region: String,
    /// Where the services are, of emulators.
    pub endpoint: Option<String>,
    /// As which profile the cloud is asked, where it is one.
    pub profile: Option<String>,
    pub take_over: bool,
    /// Whether a secret could not be read: then it cannot be looked for in what the cloud says back.
    blind: bool,
    pub provider: Box<dyn Provider>,
    pub listener: Listener<'a>,
}

impl<'a> Place<'a> {
    pub(super) fn new(context: &'a Context) -> Result<Self, Problem> {
        let project = Project::load(context, None)?;
        let files = Files::of_user();
        Ok(Self { context, project, tokio: context.tokio()?, files, hidden: RefCell::default() })
    }

    /// Names of the entries that are meant, in order.
    pub(super) fn names(&self, only: &[String]) -> Result<Vec<String>, Problem> {
        let all = &self.project.settings().infra;
        let environment = &self.context.globals.env;
        if let Some(unknown) = only.iter().find(|name| !all.contains_key(*name)) {
            let known: Vec<&str> = all.keys().map(String::as_str).collect();
            let problem = crate::cli::usage(format!("wharf.yaml has no `infra.{unknown}`"));
            return Err(if known.is_empty() { problem } else { problem.hint(format!("there are: {}", known.join(", "))) });
        }
        let is_for = |entry: &Infra| entry.environments.is_empty() || entry.environments.contains(environment);
        if let Some(other) = only.iter().find(|name| all.get(*name).is_some_and(|entry| !is_for(entry))) {
            let message = format!("`infra.{other}` is not for the environment `{environment}`");
            let named = all.get(other).map(|entry| entry.environments.join("`, `")).unwrap_or_default();
            return Err(crate::cli::usage(message).hint(format!("pass `--env` with one of `{named}`")));
        }
        let names: Vec<String> = match only {
            [] => all.iter().filter(|(_, entry)| is_for(entry)).map(|(name, _)| name.clone()).collect(),
            only => only.to_vec(),
        };
        if names.is_empty() {
            let elsewhere: BTreeSet<&str> = all.values().flat_map(|entry| &entry.environments).map(String::as_str).collect();
            let hint = match elsewhere.into_iter().collect::<Vec<_>>().as_slice() {
                [] => "write `infra: { NAME: { template: PATH } }`".to_owned(),
                others => format!("it does for: {}; pass `--env NAME`", others.join(", ")),
            };
            return Err(crate::cli::usage(format!("wharf.yaml declares no cloud resources for the environment `{environment}`")).hint(hint));
        }
        Ok(names)
    }

    /// The one entry that is meant.
    pub(super) fn one(&self, only: &[String]) -> Result<Entry<'a>, Problem> {
        match self.names(only)?.as_slice() {
            [name] => self.entry(name, Wanted::default()),
            several => Err(crate::cli::usage(format!("there are several: {}", several.join(", "))).hint("pass `--only NAME`")),
        }
    }

    /// An entry with its provider. Nothing was asked of the cloud yet.
    pub(super) fn entry(&self, name: &str, wanted: Wanted) -> Result<Entry<'a>, Problem> {
        let declared = self.project.settings().infra.get(name).cloned();
        let settings = declared.ok_or_else(|| Problem::new(ProblemKind::Defect, format!("no entry `{name}`")))?;
        let chain = self.files.chain(settings.profile.as_deref(), crate::registries::proxies())?;
        let region = match &settings.region {
            Some(region) => self.put_in(name, "region", region)?,
            None => chain.region().ok_or_else(|| {
                crate::cli::usage(format!("no region is set for `infra.{name}`")).hint(format!("set `infra.{name}.region`, or $AWS_REGION"))
            })?,
        };
        let stack = match &settings.stack {
            Some(stack) => self.put_in(name, "stack", stack)?,
            None => format!("{}-{name}", self.project.name()),
        };
        if !crate::settings::is_stack(&stack) {
            return Err(crate::cli::usage(format!("`{stack}` cannot name a stack")).hint(format!("set `infra.{name}.stack`")));
        }
        let endpoint = settings.endpoint.clone().or_else(|| super::credentials::variable("AWS_ENDPOINT_URL"));
        let (secrets, blind) = self.secrets(name, &settings, wanted.planned)?;
        let declared = Declared {
            project: self.project.name().to_owned(),
            environment: self.context.globals.env.clone(),
            name: name.to_owned(),
            stack: stack.clone(),
            region: region.clone(),
            endpoint: endpoint.clone(),
            template_path: settings.template.clone(),
            template: if wanted.planned { String::new() } else { self.template(&settings.template)? },
            parameters: if wanted.planned { BTreeMap::new() } else { self.parameters(name, &settings)? },
            secrets,
            role: settings.role.as_deref().map(|role| self.put_in(name, "role", role)).transpose()?,
            imports: wanted.imports,
            take_over: wanted.take_over,
            planned: wanted.planned,
        };
        let kind = PROVIDERS.iter().find(|kind| kind.name == settings.provider);
        let kind = kind.ok_or_else(|| Problem::new(ProblemKind::Defect, format!("no provider `{}`", settings.provider)))?;
        let mask = Mask::new(self.hidden.borrow().iter());
        let listener = Listener::new(&self.context.output, mask);
        let profile = chain.profile();
        let access = access(chain, &region, endpoint.clone(), Arc::new(listener.heard()));
        let provider = (kind.make)(declared, access).map_err(Problem::from)?;
        let (name, take_over) = (name.to_owned(), wanted.take_over);
        Ok(Entry { name, settings, stack, region, endpoint, profile, take_over, blind, provider, listener })
    }

    fn template(&self, path: &str) -> Result<String, Problem> {
        let whole = self.project.folder.join(path);
        let bytes = base::files::read_up_to(&whole, LARGEST).map_err(|error| crate::cli::usage(error.to_string()))?;
        String::from_utf8(bytes).map_err(|_| crate::cli::usage(format!("`{path}` is not UTF-8")))
    }

    fn put_in(&self, name: &str, field: &str, text: &str) -> Result<String, Problem> {
        let values = self.project.read.values(&self.context.globals.env);
        delivery::settings::substitute(text, &values).map_err(|why| crate::cli::usage(format!("`infra.{name}.{field}`: {why}")))
    }

    fn parameters(&self, name: &str, settings: &Infra) -> Result<BTreeMap<String, String>, Problem> {
        let filled = |(key, value): (&String, &String)| Ok((key.clone(), self.put_in(name, &format!("parameters.{key}"), value)?));
        settings.parameters.iter().map(filled).collect()
    }

    /// All secrets, and whether one is missing that need not be there: a saved plan has them already.
    fn secrets(&self, name: &str, settings: &Infra, planned: bool) -> Result<(BTreeMap<String, Secret>, bool), Problem> {
        let (mut all, mut missing) = (BTreeMap::new(), false);
        for (key, place) in &settings.secrets {
            let text = match self.secret(place) {
                Ok(text) => text,
                Err(_) if planned => {
                    missing = true;
                    continue;
                }
                Err(why) => return Err(crate::cli::usage(format!("`infra.{name}.secrets.{key}`: {why}"))),
            };
            self.hidden.borrow_mut().push(text.clone());
            all.insert(key.clone(), Secret::new(text));
        }
        Ok((all, missing))
    }

    fn secret(&self, place: &SecretPlace) -> Result<String, String> {
        if let Some(name) = &place.env {
            return std::env::var(name).map_err(|_| format!("the variable `{name}` is not set"));
        }
        let path = place.file.as_deref().unwrap_or_default();
        let home = std::env::var_os("HOME").map(std::path::PathBuf::from);
        let whole = match (path.strip_prefix("~/"), home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => self.project.folder.join(path),
        };
        let bytes = base::files::read_up_to(&whole, LARGEST).map_err(|error| error.to_string())?;
        let text = String::from_utf8(bytes).map_err(|_| format!("`{path}` is not UTF-8"))?;
        Ok(text.trim_end_matches(['\r', '\n']).to_owned())
    }

    /// A problem without the secrets that the cloud may have said back.
    pub(super) fn masked(&self, mut problem: Problem) -> Problem {
        let mask = Mask::new(self.hidden.borrow().iter());
        if mask.is_empty() {
            return problem;
        }
        problem.message = mask.text(&problem.message);
        problem.hints.iter_mut().for_each(|hint| *hint = mask.text(hint));
        for Finding { message, help, evidence, .. } in &mut problem.findings {
            *message = mask.text(message);
            *help = mask.text(help);
            evidence.iter_mut().for_each(|line| *line = mask.text(line));
        }
        problem
    }
}

/// How the cloud is reached.
pub(super) fn access(chain: Chain, region: &str, endpoint: Option<String>, heard: Arc<dyn ::infra::aws::Heard>) -> Access {
    let proxies = crate::registries::proxies();
    let transport = Arc::new(NetTransport::new(ClientOptions { proxies, ..ClientOptions::default() }));
    let seed = u64::from_be_bytes(base::ids::random::<8>());
    Access { transport, aws: Arc::new(chain.at(region, endpoint)), pace: Arc::new(RealPace), heard, seed }
}

impl Entry<'_> {
    /// What stands of it; nobody is asked whether another's may be changed or removed, unless that was said.
    pub(super) fn standing(&self, place: &Place<'_>) -> Result<Option<Standing>, Problem> {
        let standing = place.tokio.block_on(self.provider.read()).map_err(Problem::from)?;
        match &standing {
            Some(standing) if !standing.foreign.is_empty() && !self.take_over => Err(self.provider.foreign(&standing.foreign).into()),
            _ => Ok(standing),
        }
    }

    /// What it hands out as it can be shown: nothing of it where secrets cannot be looked for.
    pub(super) fn outputs(&self, standing: &Standing) -> BTreeMap<String, String> {
        let value = |value: &String| if self.blind { base::mask::MASKED.to_owned() } else { value.clone() };
        standing.outputs.iter().map(|(name, text)| (name.clone(), value(text))).collect()
    }

    /// A failure; to programs it is told whether what stood before stands again.
    pub(super) fn failed(&self, error: InfraError) -> Problem {
        if let InfraError::Failed { message, rolled_back, .. } = &error
            && self.listener.is_json()
        {
            let document = json!({"name": self.name, "stack": self.stack, "message": message, "rolled_back": rolled_back});
            self.listener.json(json!({"failed": document}));
        }
        error.into()
    }

    /// What is wrong with it as far as that can be told here, all at once.
    pub(super) fn checked(&self) -> Result<(), Problem> {
        let findings = self.provider.check();
        if findings.iter().all(|finding| finding.severity != base::Severity::Error) {
            findings.iter().for_each(|finding| self.listener.finding(finding));
            return Ok(());
        }
        let what = format!("`{}`", self.settings.template);
        Err(InfraError::Invalid { what, findings }.into())
    }
}
