//! What a rule is, and what it sees.

use crate::shell::Script;
use base::{Finding, Place, Severity};
use dockerfile::{CommandLine, Instruction, Kind, Parsed, Run, Span, Stages};
use std::collections::HashSet;

/// A rule: one file in `rules/`, its page beside it, one line in [`crate::RULES`].
pub struct Rule {
    /// The code, hadolint's where it has such a rule.
    pub code: &'static str,
    /// The weight, hadolint's default.
    pub severity: Severity,
    /// What it asks for, in a few words.
    pub summary: &'static str,
    /// The page: what, why, a bad and a good example.
    pub page: &'static str,
    /// Looks at a file and reports.
    pub check: fn(&Unit<'_>, &mut Sink<'_>),
    /// What `--fix` does about a finding, where a machine can know it.
    pub fix: Option<fn(&Unit<'_>, &Finding) -> Option<Edit>>,
}

/// A change of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// What goes.
    pub span: Span,
    /// What comes in its place.
    pub text: String,
}

/// A Dockerfile as rules see it.
pub struct Unit<'a> {
    /// The file's name, as the user gave it.
    pub file: &'a str,
    /// The tree.
    pub parsed: &'a Parsed,
    /// Its stages.
    pub stages: Stages<'a>,
    /// The images that stages stand on, in lower case: some are stages themselves.
    pub bases: HashSet<String>,
    /// Every RUN with its shell commands, also those inside ONBUILD.
    pub runs: Vec<RunUnit<'a>>,
}

/// A RUN with its commands.
pub struct RunUnit<'a> {
    /// The instruction that findings point at: the RUN, or the ONBUILD around it.
    pub instruction: &'a Instruction,
    /// The RUN itself.
    pub run: &'a Run,
    /// The stage's index; 0 also for what stands before the first FROM by mistake.
    pub stage: usize,
    /// Whether it stands inside an ONBUILD.
    pub on_build: bool,
    /// What it executes.
    pub script: Script,
}

impl<'a> Unit<'a> {
    /// Prepares a file for the rules.
    pub fn new(file: &'a str, parsed: &'a Parsed) -> Self {
        let stages = parsed.stages();
        let mut runs = Vec::new();
        let mut stage = 0;
        for instruction in parsed.instructions() {
            if matches!(instruction.kind, Kind::From(_)) {
                stage += usize::from(stages.stages.first().is_some_and(|first| first.head.line < instruction.line));
            }
            runs.extend(run_unit(instruction, stage));
        }
        let bases = stages.stages.iter().map(|stage| stage.from.image.text.to_lowercase()).collect();
        Self { file, parsed, stages, bases, runs }
    }

    /// Every instruction, those that stand before the first FROM by mistake too.
    pub fn instructions(&self) -> impl Iterator<Item = &'a Instruction> + use<'a> {
        self.parsed.instructions()
    }
}

fn run_unit(instruction: &Instruction, stage: usize) -> Option<RunUnit<'_>> {
    let (run, on_build) = match &instruction.kind {
        Kind::Run(run) => (run, false),
        Kind::Onbuild(onbuild) => match &onbuild.instruction.kind {
            Kind::Run(run) => (run, true),
            _ => return None,
        },
        _ => return None,
    };
    Some(RunUnit { instruction, run, stage, on_build, script: script(run) })
}

/// The shell script of a RUN. The JSON form counts as its words in a row, which finds `["pip", "install", ..]` too.
fn script(run: &Run) -> Script {
    match run.script() {
        dockerfile::Script::Exec(words) => Script::parse(&words.join(" ")),
        dockerfile::Script::Shell(text) => Script::parse(&text),
        dockerfile::Script::File(text) => {
            let interpreter = text.lines().next().unwrap_or_default().trim_start_matches("#!").trim();
            let shell = interpreter.split([' ', '/']).any(|word| ["sh", "bash", "dash", "ash", "zsh", "ksh"].contains(&word));
            if shell { Script::parse(&text) } else { Script::default() }
        }
    }
}

/// The text of a word without one pair of quotes around it.
pub(crate) fn unquoted(text: &str) -> &str {
    let inside = |quote: char| text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    inside('"').or_else(|| inside('\'')).unwrap_or(text)
}

/// Whether a command stands in shell form.
pub(crate) const fn is_shell_form(command: &CommandLine) -> bool {
    matches!(command, CommandLine::Shell(_))
}

/// Takes what a rule finds.
pub struct Sink<'s> {
    rule: &'s Rule,
    file: &'s str,
    findings: &'s mut Vec<Finding>,
}

impl<'s> Sink<'s> {
    /// A place for one rule's findings about one file.
    pub fn new(rule: &'s Rule, file: &'s str, findings: &'s mut Vec<Finding>) -> Self {
        Self { rule, file, findings }
    }

    /// Reports at an instruction, once however often it is called for it.
    pub fn at(&mut self, instruction: &Instruction, message: impl Into<String>, help: impl Into<String>) {
        let place = Place::in_file(self.file, instruction.line, 1);
        if self.findings.last().is_some_and(|last| last.rule == self.rule.code && last.place == place) {
            return;
        }
        self.findings.push(Finding::new(self.rule.code, self.rule.severity, place, message).with_help(help));
    }
}
