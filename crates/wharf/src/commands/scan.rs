//! `wharf scan`: what is known against the packages of an image, a folder, an archive or a list.

use super::{Command, arguments, image};
use crate::advisories::{self, settings_here};
use crate::bases::{self, Advised};
use crate::context::Context;
use crate::gate;
use crate::settings::Settings;
use base::{Clock, Problem, ProblemKind, SystemClock};
use clap::Args;
use clap::builder::PossibleValuesParser;
use scanner::advisories::index::Index;
use scanner::gate::{Gate, Judged, Mode, Unjudged, judge};
use scanner::matching::{Options, Report, scan};
use scanner::reports::{self, Shown};
use scanner::sbom::{self, cyclonedx, spdx};
use scanner::severity::Level;
use scanner::{Inventory, TargetKind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// See the module.
pub const COMMAND: Command = Command {
    name: "scan",
    about: "Finds what is known against the packages of an image, a folder, an archive or another list",
    define: Arguments::augment_args,
    run,
};

const FORMATS: [&str; 6] = ["table", "json", "sarif", "junit", "cyclonedx", "spdx"];

#[derive(Debug, Args)]
struct Arguments {
    /// An image's name or id, or the path of a folder, an archive of an image, a lock file, a program, or a CycloneDX or SPDX document [default: the project's folder]
    target: Option<String>,
    /// How to write it [default: table, with --json json]
    #[arg(long, value_parser = PossibleValuesParser::new(FORMATS))]
    format: Option<String>,
    /// Fails on findings as bad as this: low, medium, high, critical or none [default: `gates.scan` of wharf.yaml, else high]
    #[arg(long, value_name = "SEVERITY")]
    fail_on: Option<String>,
    /// What a file that could not be read does, and an ecosystem that the advisories know nothing of: fail or warn [default: `gates.scan` of wharf.yaml, else fail]
    #[arg(long, value_name = "MODE", value_parser = PossibleValuesParser::new(["fail", "warn"]))]
    unjudged: Option<String>,
    /// Only findings that a version mends count and are shown
    #[arg(long)]
    only_fixable: bool,
    /// Only what was added since counts and is shown: a file of `--format json`, or a release
    #[arg(long, value_name = "FILE|RELEASE")]
    baseline: Option<String>,
    /// Packages for development count too
    #[arg(long)]
    development: bool,
    /// The Dockerfile that the image was built from, for advice on its base [default: the project's for its images]
    #[arg(long, value_name = "FILE")]
    dockerfile: Option<PathBuf>,
    /// Writes a better base into the Dockerfile, where there is one
    #[arg(long)]
    fix: bool,
}

fn run(context: &Context, matches: &clap::ArgMatches) -> Result<ExitCode, Problem> {
    let asked: Arguments = arguments(matches)?;
    let here = settings_here(context)?;
    let (settings, folder) = here.unwrap_or_else(|| (Settings::default(), PathBuf::from(".")));
    let gate = asked.gate(&settings)?;
    let index = advisories::needed(&context.home, &settings.advisories.keys)?;
    let target = match &asked.target {
        Some(target) => target.clone(),
        None => context.project_folder(None)?.display().to_string(),
    };
    let inventory = crate::scan::inventory_of(context, &target)?;
    let image = built_from(context, &settings, &inventory);
    let project = Some(settings.project.as_str()).filter(|name| !name.is_empty());
    let of = (&inventory.target, image.map(|(name, _)| name));
    let baseline = asked.baseline.as_deref().map(|named| gate::baseline(context, named, project, of)).transpose()?;
    let development = asked.development || settings.gates.scan.as_ref().is_some_and(|gate| gate.development);
    let now = SystemClock.now();
    let mut report = scan(&inventory, &index, &Options { development }, now).map_err(advisories::problem)?;
    let known = baseline.map_or(0, |baseline| baseline.take_from(&mut report));
    // Once, so that no format shows what others leave out.
    let unfixed = if asked.only_fixable { report.keep_fixable() } else { 0 };
    let judged = judge(&report, &gate, now);
    show(context, &asked, &inventory, (&report, &judged, &gate))?;
    talk(context, (&report, &judged), known, unfixed);
    if let Some(advised) = advice(context, &asked, &settings, &folder, (&index, &inventory))? {
        tell_base(context, &asked, &folder, &advised)?;
    }
    end(context, &judged, &gate, &index)
}

impl Arguments {
    /// The settings' gate with the flags' words; a scan by hand fails where the settings say nothing.
    fn gate(&self, settings: &Settings) -> Result<Gate, Problem> {
        let mut gate = gate::of(settings.gates.scan.as_ref());
        if settings.gates.scan.is_none() {
            gate = Gate { mode: Mode::Fail, only_fixable: false, ..gate };
        }
        if let Some(word) = self.fail_on.as_deref() {
            let unknown = || Problem::new(ProblemKind::Usage, format!("`{word}` is no severity; use low, medium, high, critical or none"));
            gate.fail_on = if word == "none" { None } else { Some(Level::parse(word).ok_or_else(unknown)?) };
            gate.mode = Mode::Fail;
        }
        match self.unjudged.as_deref() {
            Some("warn") => gate.unjudged = Unjudged::Warn,
            Some(_) => (gate.unjudged, gate.mode) = (Unjudged::Fail, Mode::Fail),
            None => {}
        }
        gate.only_fixable |= self.only_fixable;
        Ok(gate)
    }
}

fn show(
    context: &Context,
    asked: &Arguments,
    inventory: &Inventory,
    (report, judged, gate): (&Report, &Judged, &Gate),
) -> Result<(), Problem> {
    let output = &context.output;
    let name = asked.format.as_deref().unwrap_or(if output.is_json() { "json" } else { "table" });
    let options = sbom::Options { tool_version: env!("CARGO_PKG_VERSION"), created: None };
    let text = match name {
        "cyclonedx" => {
            let mut document = cyclonedx::write(inventory, options);
            reports::add_to_cyclonedx(&mut document, inventory, report, &judged.ignored);
            format!("{document:#}")
        }
        "spdx" => {
            let mut document = spdx::write(inventory, options);
            reports::add_to_spdx(&mut document, inventory, report, &judged.ignored);
            format!("{document:#}")
        }
        name => {
            let format = reports::format(name).ok_or_else(|| Problem::new(ProblemKind::Defect, format!("there is no format `{name}`")))?;
            let (width, colored) = (crate::output::width(), output.is_colored());
            (format.render)(&Shown { report, judged, gate, width, colored, version: env!("CARGO_PKG_VERSION") })
        }
    };
    if !text.is_empty() {
        output.data(&text);
    }
    Ok(())
}

fn talk(context: &Context, (report, judged): (&Report, &Judged), known: usize, unfixed: usize) {
    let output = &context.output;
    for finding in &report.unjudged {
        output.finding(finding);
    }
    for over in judged.expired_told() {
        output.warning(&over);
    }
    let hidden = if unfixed > 0 { format!(", {unfixed} without a fix not shown") } else { String::new() };
    let before = if known > 0 { format!(", {known} that were there before not shown") } else { String::new() };
    output.say(&format!("{}: {}{hidden}{before}", crate::output::printable(&report.target.name), reports::summary(report, judged)));
}

/// Advice on the base of what the target was built from: a Dockerfile that was named, or the project's.
fn advice(
    context: &Context,
    asked: &Arguments,
    settings: &Settings,
    folder: &Path,
    (index, inventory): (&Index, &Inventory),
) -> Result<Option<Advised>, Problem> {
    let (path, target) = match &asked.dockerfile {
        Some(path) => (path.clone(), None),
        None => match built_from(context, settings, inventory) {
            Some((_, image)) => (folder.join(image.dockerfile_path()), image.target.clone()),
            None if asked.fix => {
                return Err(Problem::new(ProblemKind::Usage, "it is not known which Dockerfile the target was built from")
                    .hint("name it with `--dockerfile FILE`"));
            }
            None => return Ok(None),
        },
    };
    let bytes = base::files::read_up_to(&path, 4 << 20).map_err(|error| Problem::new(ProblemKind::Usage, error.to_string()))?;
    let text = String::from_utf8_lossy(&bytes);
    let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
    bases::look(context, index, (&name, &text, target.as_deref()), &settings.advisories.bases)
}

/// The project's image that the target is, or its only one where the target is a folder; with its name.
fn built_from<'s>(context: &Context, settings: &'s Settings, inventory: &Inventory) -> Option<(&'s str, &'s crate::settings::Image)> {
    let named = |(name, image): (&'s String, &'s crate::settings::Image)| (name.as_str(), image);
    if inventory.target.kind == TargetKind::Folder {
        return settings.images.iter().next().filter(|_| settings.images.len() == 1).map(named);
    }
    let id = inventory.target.id.as_deref()?;
    let names = image::open(context).ok()?.images().names().ok()?;
    let of = |name: &str| format!("{}/{name}", settings.project);
    let found =
        settings.images.iter().find(|(name, _)| names.iter().any(|(known, image)| image.to_string() == id && known.repository == of(name)));
    found.map(named)
}

fn tell_base(context: &Context, asked: &Arguments, folder: &Path, advised: &Advised) -> Result<(), Problem> {
    let output = &context.output;
    match advised.finding() {
        Some(finding) if !asked.fix => output.finding(&finding),
        Some(_) => {
            let path = asked.dockerfile.clone().unwrap_or_else(|| folder.join(&advised.dockerfile));
            if let Some(best) = bases::fix(&path, advised)? {
                output.say(&format!(
                    "{}:{}: `{}` is `{best}` now; build again to use it",
                    advised.dockerfile, advised.line.line, advised.line.image
                ));
            }
        }
        None if asked.fix && !advised.is_known => output.warning(&format!(
            "{}:{}: which base is better than `{}` cannot be told, for it could not be judged itself",
            advised.dockerfile, advised.line.line, advised.line.image
        )),
        None if asked.fix => {
            output.say(&format!("{}:{}: no known base is better than `{}`", advised.dockerfile, advised.line.line, advised.line.image))
        }
        None => {}
    }
    Ok(())
}

fn end(context: &Context, judged: &Judged, gate: &Gate, index: &Index) -> Result<ExitCode, Problem> {
    const NEWER: &str = "`wharf advisories update` fetches newer ones";
    if let Some(stale) = &judged.stale {
        if gate.mode == Mode::Fail {
            return Err(Problem::new(ProblemKind::Work, stale.clone()).hint(NEWER));
        }
        context.output.warning(&format!("{stale}; {NEWER}"));
    }
    if !judged.stops(gate.mode) {
        return Ok(ExitCode::SUCCESS);
    }
    let fixable = if gate.only_fixable { " and a version mends them" } else { "" };
    let found = gate::found(judged.counted.len(), gate.fail_on).map(|found| format!("{found}{fixable} (marked `!`)"));
    let blind = gate::blind(judged.unjudged.len());
    let why: Vec<String> = found.iter().chain(&blind).cloned().collect();
    let problem =
        Problem::new(ProblemKind::Work, format!("the gate stops here: {}, by advisories of {}", why.join(", and "), index.head().created));
    Err(gate::hinted(problem, found.is_some(), blind.is_some()))
}
