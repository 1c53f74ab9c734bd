//! Smoke: the project's own requests, answered as it says.

use super::{Done, Run, Stage, delivery};
use crate::output::Running;
use crate::settings::Smoke;
use ::delivery::smoke::{Check, Expect, Through, smoke};
use base::Problem;
use serde_json::json;
use std::time::Duration;

/// See the module.
pub const STAGE: Stage = Stage {
    name: "smoke",
    on_demand: false,
    needs_cluster: true,
    applies: super::always,
    judges_release: true,
    interrupted: "what was deployed stays and was not checked to the end; `wharf smoke` checks it",
    run,
};

fn run(run: &mut Run, running: &Running<'_>) -> Result<Done, Problem> {
    let checks: Vec<Check> = run.project.settings().smoke.iter().map(check).collect();
    if checks.is_empty() {
        return Ok(Done::unchanged("no smoke checks"));
    }
    let delivery = delivery(run, running)?;
    let through = Through { cluster: &delivery.cluster, namespace: run.project.name(), host: &run.host, listener: &*delivery.listener };
    let passed = run.tokio.block_on(smoke(&checks, through))?;
    Ok(Done::new(format!("{} answered as they should", passed.len())).with(json!({"checks": passed})))
}

fn check(smoke: &Smoke) -> Check {
    let (method, target) = smoke.request();
    Check {
        method: method.name().to_owned(),
        target: target.to_owned(),
        headers: smoke.header.clone(),
        body: smoke.data.clone().unwrap_or_default().into_bytes(),
        expect: Expect { status: Some(smoke.status), contains: smoke.body.clone(), ..Expect::default() },
        within: Duration::from_secs(30),
        timeout: smoke.timeout,
    }
}
