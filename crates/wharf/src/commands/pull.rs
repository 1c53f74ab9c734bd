//! `wharf pull`: an image from its registry into the store.

use super::{Command, arguments, image};
use crate::context::Context;
use crate::registries::{self, Watch};
use base::units::show_duration;
use base::{Problem, ProblemKind};
use blobs::remote::{host_platform, parse_platform};
use clap::Args;
use serde_json::json;
use std::process::ExitCode;
use std::time::Instant;

/// See the module.
pub const COMMAND: Command =
    Command { name: "pull", about: "Pulls an image from its registry into the content store", define: Arguments::augment_args, run };

#[derive(Debug, Args)]
struct Arguments {
    /// Name of the image, with tag or digest
    image: String,
    /// The machine it is for, such as linux/arm64 [default: this one]
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<String>,
}

fn run(context: &Context, matches: &clap::ArgMatches) -> Result<ExitCode, Problem> {
    let asked: Arguments = arguments(matches)?;
    let reference = registries::reference(&asked.image)?.or_latest();
    let platform = asked.platform.as_deref().map(parse_platform).transpose().map_err(|why| Problem::new(ProblemKind::Usage, why))?;
    let store = image::open(context)?;
    let remote = registries::remote(context)?;
    crate::interrupt::listen(&context.output);
    crate::interrupt::doing(format!("in the pull of `{reference}`: whole layers stay here, the next pull goes on from them"));
    let (watch, began) = (Watch::new(context.output.clone()), Instant::now());
    let see = |progress| watch.see(progress);
    let pulled = context.tokio()?.block_on(remote.fetch(&store, &reference, platform.as_ref(), &see));
    watch.end();
    let pulled = pulled.map_err(registries::problem)?;
    let output = &context.output;
    let (has, host) = (&pulled.image.config, host_platform());
    if platform.is_none() && (has.architecture != host.architecture || has.os != host.os) {
        let machine = format!("{}/{}", has.os, has.architecture);
        output.warning(&format!("`{reference}` is for {}, which this machine does not run", crate::output::printable(&machine)));
    }
    output.say(&format!("pulled `{reference}` in {}", show_duration(began.elapsed())));
    if output.is_json() {
        output.json(&json!({"reference": reference.to_string(), "digest": pulled.digest.to_string(), "image": pulled.image.id.to_string(),
            "size": pulled.image.size}));
    } else {
        output.data(&pulled.digest.to_string());
    }
    Ok(ExitCode::SUCCESS)
}
