//! `wharf advisories`: an index of what is known against packages is built, fetched, looked at and pushed.

use super::{Command, arguments};
use crate::advisories::{self, Alone, settings_here};
use crate::context::Context;
use crate::registries;
use base::files::{read_up_to, write_atomically};
use base::units::{parse_duration, show_bytes, show_duration};
use base::{Clock, Problem, ProblemKind, SystemClock, Timestamp};
use blobs::remote::Artifact;
use clap::{Args, Subcommand};
use oci::signature::{shown, sign};
use scanner::advisories::index::{self, Index, MEDIA_TYPE, Trust};
use scanner::advisories::sources::{self, Read};
use scanner::advisories::trust::Taken;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

/// See the module.
pub const COMMAND: Command = Command {
    name: "advisories",
    about: "Builds, fetches and shows the index of advisories that scans are made with",
    define: Arguments::augment_args,
    run,
};

/// Larger ones are not fetched.
const LARGEST: usize = 1 << 30;
/// So many sources that could not be read are told one by one.
const MOST_TOLD: usize = 20;

#[derive(Debug, Args)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Makes an index of folders, files and zip archives of advisories (OSV, RustSec, PyPA, Debian's tracker, Alpine's secdb)
    Build(Build),
    /// Fetches an index from a registry or a file, and uses it where it is trusted and newer
    Update {
        /// A reference in a registry, or a file [default: `advisories.from` of wharf.yaml]
        from: Option<String>,
        /// Trusts a key on this machine from now on: a public key of ssh, or its file
        #[arg(long, value_name = "KEY")]
        trust: Vec<String>,
    },
    /// Says which index is in use, its age and what it has
    Info {
        /// Looks at a file instead
        file: Option<PathBuf>,
    },
    /// Pushes the index in use to a registry
    Push {
        /// Where to
        reference: String,
        /// Pushes a file instead
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
struct Build {
    /// A folder, a file or a zip archive; may be repeated
    #[arg(long, required = true, value_name = "PATH", num_args = 1..)]
    from: Vec<PathBuf>,
    /// Where to [default: it is used on this machine at once]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The private key of ssh to sign with [default: one of this machine's own]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// How long it counts as fresh
    #[arg(long, default_value = "14d", value_name = "DURATION")]
    fresh_for: String,
    /// Its number, higher than that of the one before [default: the time in seconds]
    #[arg(long, value_name = "NUMBER")]
    sequence: Option<u64>,
}

fn run(context: &Context, matches: &clap::ArgMatches) -> Result<ExitCode, Problem> {
    let Arguments { what } = arguments(matches)?;
    match what {
        What::Build(asked) => build(context, &asked),
        What::Update { from, trust } => update(context, from, &trust),
        What::Info { file } => info(context, file.as_deref()),
        What::Push { reference, file } => push(context, &reference, file.as_deref()),
    }?;
    Ok(ExitCode::SUCCESS)
}

fn build(context: &Context, asked: &Build) -> Result<(), Problem> {
    let began = Instant::now();
    let fresh_for = parse_duration(&asked.fresh_for).map_err(|why| Problem::new(ProblemKind::Usage, format!("`--fresh-for`: {why}")))?;
    let key = match &asked.key {
        Some(path) => text_of(path)?,
        None => advisories::own_key(context, &Alone::in_home(&context.home)?)?,
    };
    // A key that cannot sign is told before anything is read.
    sign(index::NAMESPACE, b"", &key).map_err(|error| advisories::problem(error.into()))?;
    let read = sources::read(&asked.from).map_err(|error| Problem::new(ProblemKind::Usage, error.to_string()))?;
    tell(context, &read);
    if !read.lost.is_empty() {
        let names: Vec<String> = read.lost.iter().take(MOST_TOLD).map(|name| format!("`{name}`")).collect();
        let more = if read.lost.len() > MOST_TOLD { format!(" and {} more", read.lost.len() - MOST_TOLD) } else { String::new() };
        return Err(Problem::new(
            ProblemKind::Work,
            format!("{}{more} could not be read, and an index without it would have a hole", names.join(", ")),
        )
        .hint("fetch it again, or leave it out of `--from`; the index in use stays as it is"));
    }
    if read.advisories.is_empty() {
        return Err(Problem::new(ProblemKind::Work, format!("there is no advisory in {} files", read.files))
            .hint("OSV documents (.json, .yaml, .zip), RustSec's .md, Debian's tracker and Alpine's secdb (.json) are read"));
    }
    // From here on, so that two who build at once do not take the same number.
    let alone = Alone::in_home(&context.home)?;
    let sequence = asked.sequence.map_or_else(|| advisories::next_number(context, &key), Ok)?;
    let now = SystemClock.now();
    let names = asked.from.iter().filter_map(|path| Some(path.canonicalize().ok()?.file_name()?.to_string_lossy().into_owned())).collect();
    let bytes = index::build(&read.advisories, names, (now, fresh_for, sequence), &key).map_err(advisories::problem)?;
    let to = match &asked.out {
        Some(path) => {
            write_atomically(path, &bytes, 0o644).map_err(|error| Problem::new(ProblemKind::Host, error.to_string()))?;
            path.display().to_string()
        }
        None => {
            advisories::install(context, &alone, &bytes, "built here", &keys_here(context)?)?;
            "this machine".to_owned()
        }
    };
    let length = bytes.len();
    context.output.say(&format!(
        "built number {sequence} for {to}: {} advisories of {} files, {}, in {}",
        read.advisories.len(),
        read.files,
        show_bytes(length as u64),
        show_duration(began.elapsed())
    ));
    if context.output.is_json() {
        context
            .output
            .json(&json!({"advisories": read.advisories.len(), "files": read.files, "withdrawn": read.withdrawn, "bytes": length,
            "sequence": sequence, "unread": read.unread, "milliseconds": u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)}));
    }
    Ok(())
}

fn tell(context: &Context, read: &Read) {
    for finding in read.unread.iter().take(MOST_TOLD) {
        context.output.finding(finding);
    }
    if read.unread.len() > MOST_TOLD {
        context.output.warning(&format!("{} more could not be read", read.unread.len() - MOST_TOLD));
    }
}

fn update(context: &Context, from: Option<String>, trust: &[String]) -> Result<(), Problem> {
    let settings = settings_here(context)?.map(|(settings, _)| settings.advisories).unwrap_or_default();
    let from = from.or(settings.from).ok_or_else(|| {
        Problem::new(ProblemKind::Usage, "it is not said where from")
            .hint("name a reference or a file, or write `advisories: { from: REFERENCE }` into wharf.yaml")
    })?;
    for key in trust {
        let key = if Path::new(key).is_file() { text_of(Path::new(key))? } else { key.clone() };
        advisories::trust(context, &key)?;
    }
    let bytes = fetched(context, &from)?;
    let alone = Alone::in_home(&context.home)?;
    let (index, taken) = advisories::install(context, &alone, &bytes, &from, &settings.keys)?;
    let head = index.head();
    let word = match taken {
        Taken::New => "in use now",
        Taken::Same => "in use already",
    };
    context.output.say(&format!(
        "{word}: number {} of {}, {} advisories, signed by {}",
        head.sequence,
        head.created,
        head.advisories,
        shown(index.key())
    ));
    if context.output.is_json() {
        context.output.json(&json!({"changed": taken == Taken::New, "index": head, "from": from}));
    }
    Ok(())
}

fn fetched(context: &Context, from: &str) -> Result<Vec<u8>, Problem> {
    if Path::new(from).is_file() {
        return read_up_to(Path::new(from), LARGEST).map_err(|error| Problem::new(ProblemKind::Usage, error.to_string()));
    }
    let reference = registries::reference(from).map_err(|problem| problem.hint(format!("`{from}` is no file either")))?;
    let remote = registries::remote(context)?;
    context.tokio()?.block_on(remote.published(&reference, LARGEST)).map_err(registries::problem)
}

fn info(context: &Context, file: Option<&Path>) -> Result<(), Problem> {
    let (index, installed) = match file {
        Some(path) => (Index::open(path, Trust::Anyone).map_err(advisories::problem)?, None),
        None => {
            let keys = keys_here(context)?;
            (advisories::needed(&context.home, &keys)?, advisories::installed(&context.home, &keys)?)
        }
    };
    index.check().map_err(advisories::problem)?;
    let (head, about, now) = (*index.head(), index.about().map_err(advisories::problem)?, SystemClock.now());
    let from = installed.map(|installed| installed.from);
    let output = &context.output;
    if output.is_json() {
        output.json(&json!({"index": head, "about": about, "bytes": index.length(), "key": shown(index.key()), "from": from,
            "age_seconds": now.since(head.created).as_secs(), "fresh": head.fresh_until >= now}));
        return Ok(());
    }
    let fresh =
        if head.fresh_until >= now { format!("until {}", head.fresh_until) } else { format!("no more, since {}", head.fresh_until) };
    let mut rows = vec![
        ("number", head.sequence.to_string()),
        ("built", format!("{}, {} ago", head.created, age(now, head.created))),
        ("fresh", fresh),
        ("signed by", shown(index.key())),
        ("size", format!("{}, {} advisories of {} packages", show_bytes(index.length() as u64), head.advisories, head.packages)),
        ("made of", about.sources.join(", ")),
    ];
    rows.extend(from.map(|from| ("from", from)));
    for (name, value) in rows {
        output.data(&format!("{name:<10} {}", crate::output::printable(&value)));
    }
    for (ecosystem, count) in &about.ecosystems {
        output.data(&format!("{:<10} {count:>7}  {}", "", crate::output::printable(ecosystem)));
    }
    Ok(())
}

fn age(now: Timestamp, then: Timestamp) -> String {
    match now.since(then).as_secs() {
        0..60 => "less than a minute".to_owned(),
        seconds @ 60..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

fn push(context: &Context, to: &str, file: Option<&Path>) -> Result<(), Problem> {
    let path = match file {
        Some(path) => path.to_path_buf(),
        None => {
            let keys = keys_here(context)?;
            advisories::needed(&context.home, &keys)?;
            let installed = advisories::installed(&context.home, &keys)?;
            advisories::folder(&context.home).join(installed.map(|installed| installed.file).unwrap_or_default())
        }
    };
    let content = read_up_to(&path, LARGEST).map_err(|error| Problem::new(ProblemKind::Usage, error.to_string()))?;
    let index = Index::from_bytes(content.clone(), Trust::Anyone).map_err(advisories::problem)?;
    index.check().map_err(advisories::problem)?;
    let head = index.head();
    let annotations = [
        ("org.opencontainers.image.created".to_owned(), head.created.rfc3339()),
        ("org.opencontainers.image.title".to_owned(), "advisories".to_owned()),
    ];
    let artifact = Artifact {
        artifact_type: MEDIA_TYPE.to_owned(),
        media_type: MEDIA_TYPE.to_owned(),
        content,
        annotations: annotations.into_iter().collect(),
    };
    let reference = registries::reference(to)?.or_latest();
    let remote = registries::remote(context)?;
    let digest = context.tokio()?.block_on(remote.publish(&reference, &artifact)).map_err(registries::problem)?;
    context.output.say(&format!("pushed number {} to `{reference}`", head.sequence));
    if context.output.is_json() {
        context.output.json(&json!({"reference": reference.to_string(), "digest": digest.to_string(), "index": head}));
    } else {
        context.output.data(&digest.to_string());
    }
    Ok(())
}

fn keys_here(context: &Context) -> Result<Vec<String>, Problem> {
    Ok(settings_here(context)?.map(|(settings, _)| settings.advisories.keys).unwrap_or_default())
}

fn text_of(path: &Path) -> Result<String, Problem> {
    let bytes = read_up_to(path, 1 << 20).map_err(|error| Problem::new(ProblemKind::Usage, error.to_string()))?;
    String::from_utf8(bytes).map_err(|_| Problem::new(ProblemKind::Usage, format!("`{}` is no key of ssh", path.display())))
}
