//! `wharf push`: an image out of the store into the registry that its name says.

use super::{Command, arguments, image};
use crate::context::Context;
use crate::registries::{self, Watch};
use base::units::{show_bytes, show_duration};
use base::{Problem, ProblemKind};
use blobs::Compression;
use clap::{Args, ValueEnum};
use serde_json::json;
use std::process::ExitCode;
use std::time::Instant;

/// See the module.
pub const COMMAND: Command =
    Command { name: "push", about: "Pushes an image to the registry that its name says", define: Arguments::augment_args, run };

#[derive(Debug, Args)]
struct Arguments {
    /// Name of the image, with the registry
    image: String,
    /// Where to push it, instead of the name it has here
    #[arg(long, value_name = "NAME")]
    to: Option<String>,
    /// A further tag; may be repeated
    #[arg(long = "tag", short = 't', value_name = "TAG")]
    tags: Vec<String>,
    /// How layers are packed
    #[arg(long, value_enum, default_value_t = Packing::Gzip)]
    compression: Packing,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Packing {
    /// With gzip
    Gzip,
    /// Not at all
    None,
}

fn run(context: &Context, matches: &clap::ArgMatches) -> Result<ExitCode, Problem> {
    let asked: Arguments = arguments(matches)?;
    let to = registries::reference(asked.to.as_deref().unwrap_or(&asked.image))?.or_latest();
    for tag in &asked.tags {
        registries::reference(&format!("x:{tag}")).map_err(|_| Problem::new(ProblemKind::Usage, format!("`{tag}` is no tag")))?;
    }
    if to.digest.is_some() {
        return Err(
            Problem::new(ProblemKind::Usage, "an image is pushed to a tag; its digest comes out of it").hint("leave out `@sha256:...`")
        );
    }
    let store = image::open(context)?;
    let found = store.images().resolve(&asked.image).map_err(image::problem)?;
    let remote = registries::remote(context)?;
    let compression = match asked.compression {
        Packing::Gzip => Compression::Gzip,
        Packing::None => Compression::None,
    };
    crate::interrupt::listen(&context.output);
    crate::interrupt::doing(format!("in the push of `{to}`: what was sent stays there, the next push goes on from it"));
    let (watch, began) = (Watch::new(context.output.clone()), Instant::now());
    let see = |progress| watch.see(progress);
    let pushed = context.tokio()?.block_on(remote.push(&store, &found, &to, &asked.tags, compression, &see));
    watch.end();
    let pushed = pushed.map_err(registries::problem)?;
    let output = &context.output;
    output.say(&format!(
        "pushed `{to}` in {}: {} sent, {} blobs were there, {} taken over",
        show_duration(began.elapsed()),
        show_bytes(pushed.uploaded_bytes),
        pushed.skipped,
        pushed.mounted
    ));
    if output.is_json() {
        output.json(&json!({"reference": pushed.reference.to_string(), "digest": pushed.digest.to_string(), "image": found.id.to_string(),
            "uploaded": pushed.uploaded, "uploaded_bytes": pushed.uploaded_bytes, "skipped": pushed.skipped, "mounted": pushed.mounted}));
    } else {
        output.data(&pushed.digest.to_string());
    }
    Ok(ExitCode::SUCCESS)
}
