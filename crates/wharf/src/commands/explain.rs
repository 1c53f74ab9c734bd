//! `wharf explain`: a rule's page.

use super::{Command, arguments};
use crate::context::Context;
use base::{Problem, ProblemKind};
use clap::Args;
use serde_json::json;
use std::process::ExitCode;

/// See the module.
pub const COMMAND: Command =
    Command { name: "explain", about: "Prints a rule's page: what, why, a bad and a good example", define: Explain::augment_args, run };

#[derive(Debug, Args)]
struct Explain {
    /// The rule's code; all rules are listed when it is left out
    rule: Option<String>,
}

fn run(context: &Context, matches: &clap::ArgMatches) -> Result<ExitCode, Problem> {
    let Explain { rule } = arguments(matches)?;
    let output = &context.output;
    let Some(code) = rule else {
        for rule in linter::RULES {
            if output.is_json() {
                output.json(&json!({"code": rule.code, "severity": rule.severity, "summary": rule.summary, "fixes": rule.fix.is_some()}));
            } else {
                output.data(&format!("{:<8} {:<8} {}", rule.code, rule.severity.name(), rule.summary));
            }
        }
        return Ok(ExitCode::SUCCESS);
    };
    let found = linter::rule(&code.to_uppercase()).ok_or_else(|| {
        let known: Vec<&str> = linter::RULES.iter().map(|rule| rule.code).collect();
        let problem = Problem::new(ProblemKind::Usage, format!("there is no rule `{code}`"));
        match base::suggest::closest(&code.to_uppercase(), known) {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => problem.hint("`wharf explain` lists all rules"),
        }
    })?;
    if output.is_json() {
        output.json(&json!({"code": found.code, "severity": found.severity, "summary": found.summary, "page": found.page}));
    } else {
        output.data(found.page.trim_end());
    }
    Ok(ExitCode::SUCCESS)
}
