//! The whole Dockerfile before any work: what is wrong, what is not supported, what is needed.

use crate::error::BuildError;
use crate::fetch::Checksum;
use crate::ignore::Ignore;
use crate::mode::ModeChange;
use crate::repository::{Address, check_commit, is_repository};
use crate::request::{NamedContext, Request};
use crate::scope::{Scope, platform_args};
use base::{Finding, Place, Severity};
use dockerfile::{Add, Argument, Instruction, Kind, Parsed, Source, Stage, Stages};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// The rule of what is understood and not supported.
const UNSUPPORTED: &str = "build/unsupported";
/// The rule of names that lead nowhere.
const REFERENCE: &str = "build/reference";
/// The rule of what is refused unless it is allowed.
const ENTITLEMENT: &str = "build/entitlement";
/// The rule of words that cannot be expanded.
const EXPANSION: &str = "build/expansion";

/// What is known of a Dockerfile before it is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Images that are looked for in the store and then at their registries, by the names that they have in the Dockerfile.
    pub images: Vec<String>,
    /// Indexes of the stages that are needed for the target, in order.
    pub stages: Vec<usize>,
    /// What does not stop the build, and should be known.
    pub warnings: Vec<String>,
}

/// What was read and is built from.
pub(crate) struct Read {
    pub parsed: Parsed,
    pub ignore: Ignore,
    /// The Dockerfile, as the caller named it.
    pub file: String,
}

/// Where a stage or a file comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    Scratch,
    Stage(usize),
    Context(NamedContext),
    Image(String),
}

/// Reads and checks a request's Dockerfile and `.dockerignore`, and does nothing else.
///
/// # Errors
/// All that is wrong, as [`BuildError::Refused`]; or a file that cannot be read.
pub fn check(request: &Request) -> Result<Checked, BuildError> {
    let read = read(request)?;
    Ok(plan(&read, request)?.0)
}

/// Reads the Dockerfile and what belongs to it.
pub(crate) fn read(request: &Request) -> Result<Read, BuildError> {
    let file = request.dockerfile.display().to_string();
    let text = text(&request.dockerfile)?;
    let own = PathBuf::from(format!("{file}.dockerignore"));
    let general = request.context.join(".dockerignore");
    let mut ignore = Ignore::default();
    if let Some(path) = [own, general].into_iter().find(|path| path.is_file()) {
        ignore = Ignore::parse(&self::text(&path)?).map_err(|errors| {
            let finding = |error: crate::ignore::IgnoreError| {
                let place = Place::in_file(path.display().to_string(), error.line, 1);
                Finding::new(
                    "build/ignore",
                    Severity::Error,
                    place,
                    format!("the pattern `{}` cannot be read: {}", error.pattern, error.why),
                )
            };
            BuildError::Refused(errors.into_iter().map(finding).collect())
        })?;
    }
    request.leave_out.iter().for_each(|path| ignore.leave_out(path));
    Ok(Read { parsed: dockerfile::parse(&text), ignore, file })
}

fn text(path: &std::path::Path) -> Result<String, BuildError> {
    let bytes = base::files::read(path)?;
    String::from_utf8(bytes).map_err(|_| {
        let place = Place { file: Some(path.display().to_string()), ..Place::default() };
        BuildError::Refused(vec![Finding::new("build/text", Severity::Error, place, "the file is no UTF-8 text")])
    })
}

/// Checks, and gives the target's index and the global arguments too.
pub(crate) fn plan(read: &Read, request: &Request) -> Result<(Checked, usize, Scope), BuildError> {
    let mut check =
        Check { read, request, stages: read.parsed.stages(), findings: Vec::new(), images: BTreeSet::new(), globals: Scope::default() };
    check.findings.extend(read.parsed.errors.iter().map(|error| error.finding(&read.file)));
    check.read_globals();
    for stage in &check.stages.stages.clone() {
        check.stage(stage);
    }
    let target = check.target();
    let (Some(target), true) = (target, check.findings.is_empty()) else { return Err(BuildError::Refused(check.findings)) };
    let needed = check.needed(target);
    check.images.clear();
    for &index in &needed {
        for base in check.bases(index) {
            if let Base::Image(name) = base {
                check.images.insert(name);
            }
        }
    }
    let warnings = Vec::new();
    Ok((Checked { images: check.images.into_iter().collect(), stages: needed, warnings }, target, check.globals))
}

struct Check<'a> {
    read: &'a Read,
    request: &'a Request,
    stages: Stages<'a>,
    findings: Vec<Finding>,
    images: BTreeSet<String>,
    globals: Scope,
}

impl Check<'_> {
    fn find(&mut self, rule: &str, offset: usize, message: impl Into<String>, help: impl Into<String>) {
        let (line, column) = self.read.parsed.locate(offset);
        let place = Place::in_file(&self.read.file, line, column);
        self.findings.push(Finding::new(rule, Severity::Error, place, message).with_help(help));
    }

    fn read_globals(&mut self) {
        for (name, value) in platform_args() {
            self.globals.set(&name, &value);
        }
        for instruction in self.stages.global_args.clone() {
            if let Kind::Arg(arguments) = &instruction.kind {
                for argument in arguments {
                    self.global(argument);
                }
            }
        }
    }

    fn global(&mut self, argument: &Argument) {
        let name = argument.name.text.clone();
        if let Some(value) = self.request.args.get(&name) {
            self.globals.set(&name, value);
        } else if let Some(default) = &argument.default {
            match dockerfile::expand(&default.text, self.read.parsed.escape, &|name| self.globals.get(name)) {
                Ok(value) => self.globals.set(&name, &value),
                Err(error) => self.find(EXPANSION, default.span.start, error.to_string(), ""),
            }
        }
    }

    fn target(&mut self) -> Option<usize> {
        let last = self.stages.stages.len().checked_sub(1);
        let Some(last) = last else {
            self.find(REFERENCE, 0, "the Dockerfile has no stage", "begin it with `FROM IMAGE`, or `FROM scratch`");
            return None;
        };
        let Some(name) = &self.request.target else { return Some(last) };
        let found = self.stages.find(name).map(|stage| stage.index);
        if found.is_none() {
            let names: Vec<String> = self.stages.stages.iter().filter_map(Stage::name).collect();
            let help = if names.is_empty() { "no stage has a name".to_owned() } else { format!("the stages are {}", names.join(", ")) };
            self.find(REFERENCE, 0, format!("no stage is called `{name}`"), help);
        }
        found
    }

    fn stage(&mut self, stage: &Stage<'_>) {
        self.from(stage);
        for instruction in &stage.instructions {
            self.instruction(instruction, stage.index);
        }
    }

    fn from(&mut self, stage: &Stage<'_>) {
        let from = stage.from;
        if let Err(error) = image_of(stage, &self.globals, self.read.parsed.escape) {
            self.find(EXPANSION, from.image.span.start, error, "");
        } else if let Ok(name) = image_of(stage, &self.globals, self.read.parsed.escape)
            && name.is_empty()
        {
            let message = format!("`{}` is empty", from.image.text);
            self.find(
                REFERENCE,
                from.image.span.start,
                message,
                "give the argument a default in an ARG before the first FROM, or pass --build-arg",
            );
        }
        if let Some(platform) = &from.platform {
            let asked = dockerfile::expand(platform, self.read.parsed.escape, &|name| self.globals.get(name)).unwrap_or_default();
            let own = format!("linux/{}", crate::scope::architecture());
            if asked != own && !asked.is_empty() {
                let message = format!("the platform `{asked}` is not supported on this machine");
                self.find(UNSUPPORTED, stage.head.span.start, message, format!("only `{own}` is"));
            }
        }
    }

    fn instruction(&mut self, instruction: &Instruction, stage: usize) {
        for (what, help) in unsupported(instruction) {
            let keyword = instruction.keyword.text.to_uppercase();
            self.find(UNSUPPORTED, instruction.span.start, format!("{keyword} {what} is not supported"), help);
        }
        for from in sources_of(instruction) {
            self.copy_from(instruction, from, stage);
        }
        if let Kind::Run(run) = &instruction.kind
            && run.network.as_deref() == Some("host")
            && !self.request.host_network
        {
            let message = "RUN --network=host reaches all that this machine does, and is not allowed";
            self.find(ENTITLEMENT, instruction.span.start, message, "pass `--allow network.host` if you trust the Dockerfile");
        }
        if let Kind::Onbuild(onbuild) = &instruction.kind {
            self.instruction(&onbuild.instruction, stage);
        }
    }

    fn copy_from(&mut self, instruction: &Instruction, from: &str, stage: usize) {
        if self.stages.find_before(from, stage).is_some() || self.request.contexts.contains_key(from) {
            return;
        }
        if let Ok(number) = from.parse::<usize>() {
            let message = format!("there is no stage {number} before this one");
            self.find(REFERENCE, instruction.span.start, message, "stages are counted from 0");
        } else if self.stages.find(from).is_some_and(|found| found.index >= stage) {
            let message = format!("the stage `{from}` comes later, or is this one");
            self.find(REFERENCE, instruction.span.start, message, "move it before this stage");
        } else if from.parse::<oci::Reference>().is_err() {
            self.find(REFERENCE, instruction.span.start, format!("`{from}` is no stage and no name of an image"), "");
        }
    }

    fn bases(&self, stage: usize) -> Vec<Base> {
        let Some(stage) = self.stages.stages.get(stage) else { return Vec::new() };
        let own = image_of(stage, &self.globals, self.read.parsed.escape).unwrap_or_default();
        let mut bases = vec![base_of(&own, stage.index, &self.stages, self.request)];
        for instruction in &stage.instructions {
            bases.extend(sources_of(instruction).map(|from| base_of(from, stage.index, &self.stages, self.request)));
        }
        bases
    }

    /// The stages that a target needs, itself too.
    fn needed(&self, target: usize) -> Vec<usize> {
        let (mut needed, mut open) = (BTreeSet::new(), vec![target]);
        while let Some(stage) = open.pop() {
            if needed.insert(stage) {
                open.extend(
                    self.bases(stage).into_iter().filter_map(|base| if let Base::Stage(index) = base { Some(index) } else { None }),
                );
            }
        }
        needed.into_iter().collect()
    }
}

/// A `FROM`'s image with its arguments expanded.
pub(crate) fn image_of(stage: &Stage<'_>, globals: &Scope, escape: char) -> Result<String, String> {
    dockerfile::expand(&stage.from.image.text, escape, &|name| globals.get(name)).map_err(|error| error.to_string())
}

/// What a name means in a stage: one before it, something given by name, or an image.
pub(crate) fn base_of(name: &str, stage: usize, stages: &Stages<'_>, request: &Request) -> Base {
    if let Some(found) = stages.find_before(name, stage) {
        return Base::Stage(found.index);
    }
    let familiar = || name.parse::<oci::Reference>().map(|name| name.or_latest()).ok();
    let given = request.contexts.get(name).or_else(|| {
        let wanted = familiar()?;
        request
            .contexts
            .iter()
            .find(|(own, _)| own.parse::<oci::Reference>().is_ok_and(|own| own.or_latest() == wanted))
            .map(|(_, context)| context)
    });
    match given {
        Some(context) => Base::Context(context.clone()),
        None if name == "scratch" => Base::Scratch,
        None => Base::Image(name.to_owned()),
    }
}

/// The stages, contexts and images that an instruction takes files from.
fn sources_of(instruction: &Instruction) -> impl Iterator<Item = &str> {
    let (copy, mounts) = match &instruction.kind {
        Kind::Copy(copy) => (copy.from.as_deref(), [].as_slice()),
        Kind::Run(run) => (None, run.mounts.as_slice()),
        _ => (None, [].as_slice()),
    };
    copy.into_iter().chain(mounts.iter().filter_map(|mount| mount.from.as_deref()))
}

/// What of an instruction is not supported, and what to do.
pub(crate) fn unsupported(instruction: &Instruction) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut no = |what: &str, help: &str| found.push((what.to_owned(), help.to_owned()));
    match &instruction.kind {
        Kind::Run(run) => {
            let of_variable =
                |flag: &&dockerfile::Flag| flag.name == "mount" && flag.value.as_deref().is_some_and(|value| value.contains("type=$"));
            if instruction.flags.iter().any(|flag| of_variable(&flag)) {
                no("--mount with a variable as its type", "write the type out");
            }
            if run.security.as_deref().is_some_and(|security| security != "sandbox") {
                no("--security=insecure", "leave it out");
            }
            if !run.devices.is_empty() {
                no("--device", "leave it out");
            }
        }
        Kind::Copy(copy) => {
            mode_problem(copy.chmod.as_deref(), &mut no);
        }
        Kind::Add(add) => {
            add_problems(add, &mut no);
            mode_problem(add.chmod.as_deref(), &mut no);
        }
        _ => {}
    }
    found
}

/// Words with variables in them are read when they are known.
fn add_problems(add: &Add, no: &mut dyn FnMut(&str, &str)) {
    let plain = |text: &&str| !text.contains('$');
    let paths = || add.sources.iter().filter_map(|source| if let Source::Path(word) = source { Some(word.text.as_str()) } else { None });
    for path in paths().filter(plain).filter(|path| is_repository(path)) {
        if let Err(why) = Address::parse(path) {
            no(&format!("of the repository `{path}`"), &why);
        }
    }
    let of_repository = paths().any(is_repository);
    if let Some(checksum) = add.checksum.as_deref().filter(plain) {
        let read = if of_repository { check_commit(checksum) } else { Checksum::parse(checksum).map(drop) };
        if let Err(why) = read {
            no(&format!("--checksum={checksum}"), &why);
        }
    }
    if add.keep_git_dir.is_some() && !of_repository && paths().all(|path| plain(&path)) {
        no(
            "--keep-git-dir of what is no repository",
            "leave it out; a repository's address ends in `.git`, or begins with git:// or ssh://",
        );
    }
}

fn mode_problem(mode: Option<&str>, no: &mut dyn FnMut(&str, &str)) {
    if let Some(mode) = mode.filter(|mode| !mode.contains('$'))
        && ModeChange::parse(mode).is_none()
    {
        no(&format!("--chmod={mode}"), MODE_HELP);
    }
}

/// What a mode looks like.
pub(crate) const MODE_HELP: &str = "write the mode as an octal number such as 0755, or as u=rwX,go=rX";

/// Whether ADD fetches a source.
pub(crate) fn is_remote(source: &str) -> bool {
    let scheme = source.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    scheme.is_some_and(|scheme| scheme == "http" || scheme == "https")
}

/// Build arguments that no `ARG` asked for.
pub(crate) fn unused(request: &Request, used: &BTreeSet<String>) -> Vec<String> {
    let known: BTreeMap<&str, ()> = crate::scope::PROXIES
        .into_iter()
        .chain([
            "SOURCE_DATE_EPOCH",
            "BUILDKIT_CACHE_MOUNT_NS",
            "BUILDKIT_SYNTAX",
            "BUILDKIT_INLINE_CACHE",
            "BUILDKIT_MULTI_PLATFORM",
            "BUILDKIT_SANDBOX_HOSTNAME",
        ])
        .map(|name| (name, ()))
        .collect();
    let unused = request.args.keys().filter(|name| !used.contains(*name) && !known.contains_key(name.as_str()));
    unused.map(|name| format!("the build argument `{name}` was given and no ARG asks for it")).collect()
}
