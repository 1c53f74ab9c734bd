//! Smoke checks: the project's own requests, answered as it says they are, through the services as they stand.

mod address;
mod request;

use crate::progress::{Listener, Progress};
use base::{Finding, Place, Problem, ProblemKind, Severity};
use cluster::Cluster;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

pub use address::{Endpoint, balancer_address, endpoint, outside};
pub use request::Answer;

/// One check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// `GET`, `POST`, ...
    pub method: String,
    /// `SERVICE/path` or a whole `http://` URL.
    pub target: String,
    /// Headers to send.
    pub headers: BTreeMap<String, String>,
    /// The body to send.
    pub body: Vec<u8>,
    /// What must come back.
    pub expect: Expect,
    /// For how long the check is tried again until it holds.
    pub within: Duration,
    /// For how long one answer may take.
    pub timeout: Duration,
}

/// What must come back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expect {
    /// The status; any of 200 to 399 where absent.
    pub status: Option<u16>,
    /// The body without the white space around it.
    pub body: Option<String>,
    /// A part of the body.
    pub contains: Option<String>,
    /// Headers, values as they must be.
    pub headers: BTreeMap<String, String>,
}

impl Default for Check {
    fn default() -> Self {
        Self {
            method: "GET".to_owned(),
            target: String::new(),
            headers: BTreeMap::new(),
            body: Vec::new(),
            expect: Expect::default(),
            within: Duration::from_secs(30),
            timeout: Duration::from_secs(10),
        }
    }
}

/// A check that held.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Passed {
    /// Such as `GET http://127.0.0.1:32000/hello`.
    pub check: String,
    /// Its status.
    pub status: u16,
    /// Milliseconds that the last answer took.
    pub took_ms: u64,
    /// How many tries it took.
    pub tries: u32,
}

const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// Where services are looked up and reached.
#[derive(Clone, Copy)]
pub struct Through<'a> {
    /// The cluster whose services are meant.
    pub cluster: &'a Cluster,
    /// The project's namespace.
    pub namespace: &'a str,
    /// The host on which NodePorts answer, such as `127.0.0.1`.
    pub host: &'a str,
    /// Takes progress.
    pub listener: &'a Listener,
}

/// Runs all checks, at the same time; all failures are told, not only the first.
///
/// # Errors
/// When one does not hold within its time; the findings name each.
pub async fn smoke(checks: &[Check], through: Through<'_>) -> Result<Vec<Passed>, Problem> {
    let outcomes = futures::future::join_all(checks.iter().map(|check| one(check, through))).await;
    let mut findings = Vec::new();
    let mut passed = Vec::new();
    for outcome in outcomes {
        match outcome? {
            Ok(one) => passed.push(one),
            Err(finding) => findings.push(finding),
        }
    }
    if findings.is_empty() {
        return Ok(passed);
    }
    let message = match findings.as_slice() {
        [one] => one.message.clone(),
        all => format!("{} of {} smoke checks failed", all.len(), checks.len()),
    };
    Err(Problem::new(ProblemKind::Work, message).with_findings(findings))
}

async fn one(check: &Check, through: Through<'_>) -> Result<Result<Passed, Finding>, Problem> {
    let begun = Instant::now();
    let (mut pause, mut tries) = (FIRST_PAUSE, 0);
    loop {
        tries += 1;
        let (shown, why) = match attempt(check, through).await? {
            Ok(passed) => {
                (through.listener)(Progress::Checked { check: passed.check.clone(), took_ms: passed.took_ms });
                return Ok(Ok(Passed { tries, ..passed }));
            }
            Err(failure) => failure,
        };
        if begun.elapsed() + pause >= check.within {
            let message = format!("{shown}: {why} (after {tries} tries in {})", base::units::show_duration(begun.elapsed()));
            let place = Place::of_object(shown);
            return Ok(Err(Finding::new("smoke", Severity::Error, place, message)));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn attempt(check: &Check, through: Through<'_>) -> Result<Result<Passed, (String, String)>, Problem> {
    let target = match endpoint(check.target.as_str(), through.cluster, through.namespace, through.host).await? {
        Ok(target) => target,
        Err(why) => return Ok(Err((format!("{} {}", check.method, check.target), why))),
    };
    let shown = format!("{} {target}", check.method);
    let begun = Instant::now();
    let answer = match tokio::time::timeout(check.timeout, request::send(check, &target)).await {
        Err(_) => return Ok(Err((shown, format!("no answer within {}", base::units::show_duration(check.timeout))))),
        Ok(Err(why)) => return Ok(Err((shown, why))),
        Ok(Ok(answer)) => answer,
    };
    let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(match holds(&check.expect, &answer) {
        Ok(()) => Ok(Passed { check: shown, status: answer.status, took_ms, tries: 0 }),
        Err(why) => Err((shown, why)),
    })
}

/// Whether an answer is as expected; what is not is named.
fn holds(expect: &Expect, answer: &Answer) -> Result<(), String> {
    match expect.status {
        Some(status) if status != answer.status => return Err(format!("status {} instead of {status}", answer.status)),
        None if !(200..400).contains(&answer.status) => return Err(format!("status {}", answer.status)),
        _ => {}
    }
    let body = String::from_utf8_lossy(&answer.body);
    if let Some(wanted) = expect.body.as_ref().filter(|wanted| wanted.trim() != body.trim()) {
        return Err(format!("the body is {:?} instead of {:?}", short(body.trim()), short(wanted.trim())));
    }
    if let Some(part) = expect.contains.as_ref().filter(|part| !body.contains(part.as_str())) {
        return Err(format!("the body {:?} does not contain {:?}", short(body.trim()), short(part)));
    }
    for (name, wanted) in &expect.headers {
        match answer.headers.get(&name.to_lowercase()) {
            Some(found) if found == wanted => {}
            Some(found) => return Err(format!("the header `{name}` is {:?} instead of {wanted:?}", short(found))),
            None => return Err(format!("there is no header `{name}`")),
        }
    }
    Ok(())
}

fn short(text: &str) -> String {
    const LONGEST: usize = 120;
    if text.chars().count() > LONGEST { format!("{}...", text.chars().take(LONGEST).collect::<String>()) } else { text.to_owned() }
}

#[cfg(test)]
mod tests;
