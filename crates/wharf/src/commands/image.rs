//! `wharf image`: the content store.

use super::{Command, arguments};
use crate::context::Context;
use crate::output::Output;
use base::units::show_bytes;
use base::{Problem, ProblemKind};
use blobs::{BlobError, Compression, PruneOptions, SaveFormat, Store};
use clap::{Args, Subcommand};
use oci::Reference;
use serde_json::json;
use std::fs::File;
use std::io::{BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// See the module.
pub const COMMAND: Command =
    Command { name: "image", about: "Lists, inspects, moves and removes images of the content store", define: Image::augment_args, run };

#[derive(Debug, Args)]
struct Image {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Lists images
    #[command(visible_alias = "list")]
    Ls {
        /// The builder's cache mounts instead
        #[arg(long)]
        cache: bool,
    },
    /// Prints an image's configuration
    Inspect {
        /// Name or id
        image: String,
    },
    /// Prints how an image came to be
    History {
        /// Name or id
        image: String,
    },
    /// Writes images to an archive that OCI tools and `docker load` read
    Save {
        /// Names or ids
        #[arg(required = true)]
        images: Vec<String>,
        /// Where to; standard output when it is left out
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Compresses layers
        #[arg(long)]
        gzip: bool,
    },
    /// Takes images in from an OCI layout or an archive of `docker save`
    Load {
        /// Archives or layout folders
        #[arg(required_unless_present = "input")]
        paths: Vec<PathBuf>,
        /// The same, as docker names it
        #[arg(short, long, value_name = "FILE")]
        input: Option<PathBuf>,
    },
    /// Gives an image a name
    Tag {
        /// Name or id
        image: String,
        /// The new name
        name: String,
    },
    /// Removes names, or images with all their names
    Rm {
        /// Names or ids
        #[arg(required = true)]
        images: Vec<String>,
    },
    /// Removes layers that nothing needs
    Prune {
        /// Also images without a name
        #[arg(short, long)]
        all: bool,
        /// Also what the builder remembers, and its cache mounts
        #[arg(long)]
        cache: bool,
        /// Removes cache mounts until all hold at most this, such as 5GB; those that were not used for the longest time go first
        #[arg(long, value_name = "SIZE")]
        cache_mounts: Option<String>,
    },
    /// Reads everything and lists what is damaged
    Fsck,
}

fn run(context: &Context, matches: &clap::ArgMatches) -> Result<ExitCode, Problem> {
    let Image { what } = arguments(matches)?;
    let store = open(context)?;
    let output = &context.output;
    match what {
        What::Ls { cache: false } => list(&store, output),
        What::Ls { cache: true } => caches(&store, output),
        What::Inspect { image } => inspect(&store, output, &image),
        What::History { image } => history(&store, output, &image),
        What::Save { images, output: to, gzip } => save(&store, &images, to, if gzip { Compression::Gzip } else { Compression::None }),
        What::Load { paths, input } => load(&store, output, paths.into_iter().chain(input).collect()),
        What::Tag { image, name } => tag(&store, &image, &name),
        What::Rm { images } => images.iter().try_for_each(|image| store.images().remove(image).map_err(problem)),
        What::Prune { all, cache, cache_mounts } => {
            let limit = cache_mounts.as_deref().map(base::units::parse_bytes).transpose();
            let limit = limit.map_err(|why| Problem::new(ProblemKind::Usage, format!("`--cache-mounts`: {why}")))?;
            prune(&store, output, PruneOptions { unnamed_images: all, cache }, limit)
        }
        What::Fsck => return fsck(&store, output),
    }?;
    Ok(ExitCode::SUCCESS)
}

/// The content store of the home.
///
/// # Errors
/// When the home cannot be used.
pub fn open(context: &Context) -> Result<Store, Problem> {
    Store::open(&context.home.join("blobs")).map_err(problem)
}

/// A failure of the store as the user is told it.
pub fn problem(error: BlobError) -> Problem {
    match &error {
        BlobError::NoImage(_) => Problem::new(ProblemKind::Usage, error.to_string())
            .hint("`wharf image ls` lists what is there; `wharf image load FILE` takes an archive in"),
        BlobError::Name(_) | BlobError::Ambiguous(_) => Problem::new(ProblemKind::Usage, error.to_string()),
        BlobError::File(_) => {
            Problem::new(ProblemKind::Host, error.to_string()).hint("make room or rights there, or pass another home with `--home DIR`")
        }
        BlobError::Damaged { .. } => Problem::new(ProblemKind::Host, error.to_string()),
        _ => Problem::new(ProblemKind::Work, error.to_string()),
    }
}

fn list(store: &Store, output: &Output) -> Result<(), Problem> {
    let images = store.images().list().map_err(problem)?;
    if output.is_json() {
        output.json(&json!(images));
        return Ok(());
    }
    output.data(&format!("{:<50} {:<16} {:>10}", "NAME", "IMAGE ID", "SIZE"));
    for image in images {
        let id: String = image.id.to_string().chars().skip("sha256:".len()).take(12).collect();
        let names: Vec<String> = image.references.iter().map(Reference::familiar).collect();
        for name in if names.is_empty() { vec!["<none>".to_owned()] } else { names } {
            output.data(&format!("{name:<50} {id:<16} {:>10}", show_bytes(image.size)));
        }
    }
    Ok(())
}

fn caches(store: &Store, output: &Output) -> Result<(), Problem> {
    let caches = builder::cache_mounts(store).map_err(|error| problem(error.into()))?;
    if output.is_json() {
        output.json(&json!(caches));
        return Ok(());
    }
    output.data(&format!("{:<60} {:>10} {}", "CACHE MOUNT", "SIZE", "IN USE"));
    for cache in caches {
        output.data(&format!(
            "{:<60} {:>10} {}",
            crate::output::printable(&cache.id),
            show_bytes(cache.bytes),
            if cache.in_use { "yes" } else { "no" }
        ));
    }
    Ok(())
}

fn inspect(store: &Store, output: &Output, image: &str) -> Result<(), Problem> {
    let found = store.images().resolve(image).map_err(problem)?;
    let config = store.images().config_bytes(&found.id).map_err(problem)?;
    let config: serde_json::Value = serde_json::from_slice(&config).unwrap_or_default();
    let layers: Vec<String> = found.layers.iter().map(ToString::to_string).collect();
    let shown =
        json!({"id": found.id.to_string(), "manifest": found.manifest.to_string(), "size": found.size, "layers": layers, "config": config});
    output.data(&if output.is_json() { shown.to_string() } else { format!("{shown:#}") });
    Ok(())
}

fn history(store: &Store, output: &Output, image: &str) -> Result<(), Problem> {
    for (step, layer) in store.images().history(image).map_err(problem)? {
        let size = layer.map(|layer| store.layers().meta(&layer).map(|meta| meta.size)).transpose().map_err(problem)?;
        let by = step.created_by.unwrap_or_default();
        if output.is_json() {
            output.json(&json!({"created": step.created, "created_by": by, "layer": layer.map(|layer| layer.to_string()), "size": size}));
        } else {
            output.data(&format!("{:>10}  {}", size.map_or_else(|| "-".to_owned(), show_bytes), crate::output::printable(&by)));
        }
    }
    Ok(())
}

fn save(store: &Store, names: &[String], to: Option<PathBuf>, compression: Compression) -> Result<(), Problem> {
    let mut images = Vec::new();
    for name in names {
        let image = store.images().resolve(name).map_err(problem)?;
        let reference = name.parse::<Reference>().ok().filter(|reference| reference.digest.is_none() && !name.starts_with("sha256:"));
        images.push((image, reference.map(Reference::or_latest).into_iter().collect()));
    }
    let written = |mut out: Box<dyn Write>| {
        store.save(&images, SaveFormat::Both, compression, &mut *out).map_err(problem)?;
        out.flush().map_err(|error| Problem::new(ProblemKind::Host, format!("cannot write the archive: {error}")))
    };
    match to {
        None if std::io::stdout().is_terminal() => {
            Err(Problem::new(ProblemKind::Usage, "an archive is nothing for a terminal")
                .hint("pass `-o FILE`, or send the output somewhere"))
        }
        None => written(Box::new(BufWriter::new(std::io::stdout().lock()))),
        Some(path) => {
            let file = File::create(&path)
                .map_err(|error| Problem::new(ProblemKind::Host, format!("cannot create `{}`: {error}", path.display())))?;
            written(Box::new(BufWriter::with_capacity(1 << 20, file)))
        }
    }
}

fn load(store: &Store, output: &Output, paths: Vec<PathBuf>) -> Result<(), Problem> {
    for path in paths {
        for image in blobs::import_path(store, &path).map_err(|error| problem(error).hint(format!("while reading `{}`", path.display())))? {
            let names: Vec<String> = image.references.iter().map(Reference::familiar).collect();
            if output.is_json() {
                output.json(&json!({"id": image.id.to_string(), "names": names}));
            } else if names.is_empty() {
                output.data(&image.id.to_string());
            }
            if !output.is_json() {
                names.iter().for_each(|name| output.data(name));
            }
        }
    }
    Ok(())
}

fn tag(store: &Store, image: &str, name: &str) -> Result<(), Problem> {
    let found = store.images().resolve(image).map_err(problem)?;
    let reference: Reference =
        name.parse().map_err(|error| Problem::new(ProblemKind::Usage, format!("`{name}` is no image name: {error}")))?;
    store.images().tag(&reference, &found.id).map_err(problem)
}

fn prune(store: &Store, output: &Output, options: PruneOptions, limit_bytes: Option<u64>) -> Result<(), Problem> {
    let pruned = store.prune(options).map_err(problem)?;
    let trimmed = limit_bytes.map(|limit| builder::trim_cache_mounts(store, limit)).transpose();
    let trimmed = trimmed.map_err(|error| problem(error.into()))?.unwrap_or_default();
    let mounts = builder::cache_mounts(store).map_err(|error| problem(error.into()))?;
    let sum = |mounts: &[builder::CacheMount]| mounts.iter().map(|mount| mount.bytes).sum::<u64>();
    if output.is_json() {
        output.json(
            &json!({"images": pruned.images.len(), "layers": pruned.layers.len(), "bytes": pruned.bytes, "in_use": pruned.in_use.len(),
                "cache_mounts": {"removed": trimmed, "removed_bytes": sum(&trimmed), "kept": mounts.len(), "kept_bytes": sum(&mounts)}}),
        );
    } else {
        output.say(&format!("removed {} images and {} layers, {}", pruned.images.len(), pruned.layers.len(), show_bytes(pruned.bytes)));
        for mount in &trimmed {
            output.say(&format!("removed the cache mount {}, {}", crate::output::printable(&mount.id), show_bytes(mount.bytes)));
        }
        if !mounts.is_empty() {
            output.say(&format!("kept {} cache mounts, {}: `--cache-mounts SIZE` bounds them", mounts.len(), show_bytes(sum(&mounts))));
        }
        if !pruned.in_use.is_empty() {
            output.say(&format!("kept {} layers that something running uses", pruned.in_use.len()));
        }
    }
    Ok(())
}

fn fsck(store: &Store, output: &Output) -> Result<ExitCode, Problem> {
    let faults = store.fsck().map_err(problem)?;
    for fault in &faults {
        output.data(&if output.is_json() {
            json!({"what": fault.what, "why": fault.why}).to_string()
        } else {
            format!("{}: {}", fault.what, fault.why)
        });
    }
    if faults.is_empty() {
        output.say("nothing is damaged");
        return Ok(ExitCode::SUCCESS);
    }
    Err(Problem::new(ProblemKind::Work, format!("{} things are damaged", faults.len()))
        .hint("`wharf image rm` the images concerned and build or load them again"))
}
