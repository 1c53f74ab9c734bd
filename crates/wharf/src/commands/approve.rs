//! `wharf approve`: a person's signature over a plan's digest.

use super::{Command, arguments};
use crate::context::Context;
use crate::output::printable;
use ::delivery::approval;
use ::delivery::saved::{LARGEST, PlanFile};
use base::{Problem, ProblemKind};
use clap::Args;
use serde_json::json;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// See the module.
pub const COMMAND: Command = Command { name: "approve", about: "Signs a saved plan with an ssh key", define: Arguments::augment_args, run };

#[derive(Debug, Args)]
struct Arguments {
    /// The plan
    plan: PathBuf,
    /// The private key, of the kind ssh-ed25519
    #[arg(long, value_name = "FILE", required_unless_present = "signature", conflicts_with = "signature")]
    key: Option<PathBuf>,
    /// A signature that was made elsewhere: `ssh-keygen -Y sign -n wharf-plan` over the digest
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
}

/// Reads a plan.
///
/// # Errors
/// When the file cannot be read, or is no plan.
pub fn read(path: &Path) -> Result<PlanFile, Problem> {
    PlanFile::read(&path.display().to_string(), &bytes(path, LARGEST)?)
}

fn bytes(path: &Path, largest: usize) -> Result<Vec<u8>, Problem> {
    let read = base::files::read_up_to(path, largest);
    read.map_err(|error| Problem::new(ProblemKind::Usage, error.to_string()))
}

fn run(context: &Context, matches: &clap::ArgMatches) -> Result<ExitCode, Problem> {
    let asked: Arguments = arguments(matches)?;
    let mut file = read(&asked.plan)?;
    if !context.output.is_json() {
        super::plan::show(&context.output, &file);
    }
    let text = |path: &Path| bytes(path, 64 << 10).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let approval = match (&asked.key, &asked.signature) {
        (Some(key), _) => {
            consent(context)?;
            approval::sign(&file.digest, &text(key)?)?
        }
        (None, Some(signature)) => approval::take(&file.digest, &text(signature)?)?,
        (None, None) => return Err(crate::cli::usage("nothing to sign with").hint("pass --key FILE")),
    };
    if !file.approvals.contains(&approval) {
        file.approvals.push(approval);
    }
    let written = base::files::write_atomically(&asked.plan, &file.to_bytes()?, 0o600);
    written.map_err(|error| Problem::new(ProblemKind::Host, error.to_string()))?;
    if context.output.is_json() {
        context.output.json(&json!({"digest": file.digest, "approvals": file.approvals.len()}));
    } else {
        context.output.say(&format!("approved {}; next: wharf deploy {}", file.digest, asked.plan.display()));
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks, where somebody can answer: what was shown is what is signed.
fn consent(context: &Context) -> Result<(), Problem> {
    if context.globals.yes || !std::io::stdin().is_terminal() {
        return Ok(());
    }
    context.output.say("Approve this plan? [y/N]");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).map_err(|error| Problem::new(ProblemKind::Host, error.to_string()))?;
    match line.trim() {
        "y" | "Y" | "yes" => Ok(()),
        other => Err(Problem::new(ProblemKind::Work, format!("not approved: the answer was `{}`", printable(other)))),
    }
}
