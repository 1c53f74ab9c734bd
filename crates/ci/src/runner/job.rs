//! One run, from its checkout to its end.

use super::checkout::{self, Checkout, Refused};
use super::child::{self, End, Follow};
use super::lines::Budget;
use super::link::{Link, LinkError};
use super::speaker::{self, Attempt, Speaker, Standing};
use super::{AGAIN, RunnerOptions};
use crate::run::{Cause, StageState};
use crate::runs::{CHECKOUT, Said};
use crate::server::wire::Job;
use base::Finding;
use base::mask::Mask;
use bytes::Bytes;
use rustix::fs::{Mode, OFlags, ResolveFlags};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::Command;
use tokio::sync::watch;

/// How long the last words may take to arrive, beside the server's own patience.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// Bytes of an artefact.
const ARTEFACT_BYTES: u64 = 64 << 20;

/// Does a run; the answer says how it ended, for the runner's own log.
pub(super) async fn go(options: &RunnerOptions, link: &Link, job: Job, leaving: watch::Receiver<bool>) -> String {
    let (id, token) = (job.taken.run.id, job.taken.token.clone());
    let silence = Duration::from_millis(job.taken.silence_ms);
    let attempt = Attempt { id, token: token.clone(), silence };
    let (speaker, standing, speaking) = speaker::begin(link.clone(), attempt);
    let doing = Doing { options, link, job: &job, speaker: &speaker, mask: Mask::new(job.secrets.values()) };
    let end = doing.all(standing, leaving).await;
    let words = match &end {
        Ok(End::Code(Some(0))) => "done".to_owned(),
        Ok(End::Code(Some(code))) => format!("ended with code {code}"),
        Ok(End::Code(None)) => "ended by a signal".to_owned(),
        Ok(End::Stopped) => "cancelled".to_owned(),
        Ok(End::Lost) => "lost: it is another runner's, or the server was not reached".to_owned(),
        Ok(End::Leaving) => "given back".to_owned(),
        Err(refused) => refused.cause.message.clone(),
    };
    let last = match end {
        Ok(End::Code(code)) => Some(Said::Ended { code, cause: None }),
        Ok(End::Stopped) => Some(Said::Ended { code: Some(130), cause: None }),
        Ok(End::Lost | End::Leaving) => None,
        Err(refused) => Some(Said::Ended { code: Some(refused.cause.exit_code), cause: Some(refused.cause) }),
    };
    let leaves = words == "given back";
    if let Some(last) = last {
        speaker.say(last).await;
    }
    drop(speaker);
    if tokio::time::timeout(silence + LAST_WORDS, speaking).await.is_err() {
        return format!("{words}; the server did not hear of it");
    }
    if leaves {
        let _ = link.give_back(id, &token).await;
    }
    words
}

struct Doing<'a> {
    options: &'a RunnerOptions,
    link: &'a Link,
    job: &'a Job,
    speaker: &'a Speaker,
    mask: Mask,
}

impl Doing<'_> {
    async fn all(&self, standing: watch::Receiver<Standing>, leaving: watch::Receiver<bool>) -> Result<End, Refused> {
        let (mut stopping, mut left, mut ours) = (standing.clone(), leaving.clone(), standing.clone());
        let checkout = tokio::select! {
            checkout = self.check_out() => checkout?,
            _ = left.wait_for(|left| *left) => return Ok(End::Leaving),
            standing = stopping.wait_for(|standing| *standing != Standing::Ours) => {
                return Ok(if standing.is_ok_and(|standing| *standing == Standing::Stopped) { End::Stopped } else { End::Lost });
            }
        };
        let follow = Follow {
            mask: self.mask.clone(),
            budget: Budget::new(self.job.log_bytes),
            speaker: self.speaker.clone(),
            standing,
            leaving,
            grace: self.options.grace,
        };
        let end = child::run(self.command(&checkout.folder), follow).await;
        let program = self.options.program.display();
        let end = end.map_err(|error| Refused::new("host", 5, format!("cannot start {program}: {error}")))?;
        if matches!(end, End::Code(_)) {
            tokio::select! {
                () = self.leave_artefacts(&checkout.folder) => {}
                // Nobody takes them any more.
                _ = ours.wait_for(|standing| *standing == Standing::Lost) => {}
                _ = left.wait_for(|left| *left) => {}
            }
        }
        Ok(end)
    }

    async fn check_out(&self) -> Result<Checkout, Refused> {
        let began = Instant::now();
        self.speaker.event(json!({"stage": CHECKOUT, "state": StageState::Running.name()})).await;
        let done = checkout::check_out(self.options, self.job).await;
        let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (findings, state, summary, detail) = match &done {
            Ok(done) => (&done.findings, StageState::Done, done.summary.as_str(), done.detail.clone()),
            Err(refused) => (&refused.findings, StageState::Failed, refused.cause.message.as_str(), json!(null)),
        };
        self.find(findings).await;
        let ended = json!({"stage": CHECKOUT, "state": state.name(), "summary": self.mask.text(summary), "milliseconds": milliseconds, "detail": detail});
        self.speaker.event(ended).await;
        if let Err(Refused { cause: Cause { kind, message, hints, exit_code }, .. }) = &done {
            let message = self.mask.text(message);
            self.speaker
                .event(json!({"error": {"kind": kind, "message": message, "hints": hints, "findings": [], "exit_code": exit_code}}))
                .await;
        }
        done
    }

    async fn find(&self, findings: &[Finding]) {
        for finding in findings {
            self.speaker.event(json!({"stage": CHECKOUT, "finding": finding})).await;
        }
    }

    fn command(&self, folder: &Path) -> Command {
        let (run, work) = (&self.job.taken.run, &self.job.taken.work);
        let mut command = Command::new(&self.options.program);
        command
            .args(&self.options.before)
            .args(["up", "--json", "--yes", "--project", ".", "--env", &run.environment])
            .args(&self.options.after);
        for (flag, stages) in [("--only", &work.only), ("--skip", &work.skip)] {
            if !stages.is_empty() {
                command.args([flag, &stages.join(",")]);
            }
        }
        if let Some(from) = &work.from {
            command.args(["--from", from]);
        }
        command.env_clear().envs(self.options.environment.iter().map(|(name, value)| (name, value)));
        command.env("CI", "true").env("WHARF_CI_RUN", run.id.to_string()).env("WHARF_CI_REPOSITORY", &run.repository);
        command.env("WHARF_CI_BRANCH", &run.branch).env("WHARF_CI_COMMIT", &run.commit.id);
        command.env("WHARF_CI_PROJECT", run.project.to_string()).envs(&self.job.secrets);
        command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Files that the project wants to keep. One that is not there is told, and no failure: not every run comes so far.
    async fn leave_artefacts(&self, folder: &Path) {
        let mut names = BTreeMap::new();
        for path in &self.job.taken.work.artefacts {
            let name: String = path.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' }).collect();
            let name = name.trim_start_matches(['.', '-']).to_owned();
            let told = match (names.insert(name.clone(), path), read(folder, path)) {
                (Some(other), _) => Some(format!("`{other}` is kept as `{name}` already")),
                (None, Ok(content)) => self.keep(&name, content.into()).await.err().map(|error| error.to_string()),
                (None, Err(error)) => Some(error.to_string()),
            };
            if let Some(why) = told {
                self.speaker.say(Said::Err(format!("the artefact `{path}` is not kept: {why}"))).await;
            }
        }
    }

    /// Sends a file, again where the server does not answer; it is for the speaker to say when the run is lost.
    async fn keep(&self, name: &str, content: Bytes) -> Result<(), LinkError> {
        loop {
            match self.link.keep(self.job.taken.run.id, &self.job.taken.token, name, content.clone()).await {
                Err(LinkError::Unreached(_)) => tokio::time::sleep(AGAIN).await,
                other => return other,
            }
        }
    }
}

/// A file of the project, and nothing that a link leads to.
fn read(folder: &Path, path: &str) -> std::io::Result<Vec<u8>> {
    let root = File::open(folder)?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = rustix::fs::openat2(&root, path, flags, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS)?;
    let file = File::from(file);
    let data = file.metadata()?;
    if !data.is_file() {
        return Err(std::io::Error::other("it is no file"));
    }
    if data.len() > ARTEFACT_BYTES {
        return Err(std::io::Error::from(std::io::ErrorKind::FileTooLarge));
    }
    let mut content = Vec::new();
    file.take(ARTEFACT_BYTES).read_to_end(&mut content)?;
    Ok(content)
}
