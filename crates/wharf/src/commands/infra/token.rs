//! `wharf infra token`: what a kubeconfig's `exec` asks for, so that no other program has to be installed.

use super::credentials::{Files, variable};
use super::declared::access;
use crate::context::Context;
use ::infra::eks;
use base::Problem;
use clap::Args;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Of which cluster, and as whom.
#[derive(Debug, Args)]
pub(super) struct Token {
    /// The cluster's name
    #[arg(long)]
    cluster: String,
    /// Its region
    #[arg(long)]
    region: String,
    /// The profile to use
    #[arg(long)]
    profile: Option<String>,
    /// Where all services are, of emulators
    #[arg(long)]
    endpoint: Option<String>,
}

/// A token holds for 15 minutes; it is fetched anew a minute before.
const LASTS: Duration = Duration::from_secs(14 * 60);

pub(super) fn run(context: &Context, asked: &Token) -> Result<ExitCode, Problem> {
    let chain = Files::of_user().chain(asked.profile.as_deref(), crate::registries::proxies())?;
    let endpoint = asked.endpoint.clone().or_else(|| variable("AWS_ENDPOINT_URL"));
    let access = access(chain, &asked.region, endpoint.clone(), Arc::new(()));
    let caller = access.aws(&asked.region, endpoint.as_deref()).map_err(Problem::from)?;
    let (token, since) = context.tokio()?.block_on(eks::token(&caller, &asked.cluster)).map_err(|failure| failure.problem())?;
    context.output.data(&eks::exec_credential(&token, since.plus(LASTS)).to_string());
    Ok(ExitCode::SUCCESS)
}
