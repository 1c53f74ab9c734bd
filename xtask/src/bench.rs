//! `xtask bench`: what the product costs, beside its peers in one run. Each benchmark is a file in `bench/` and a line in [`BENCHES`].

mod api;
mod builds;
mod idle;
mod images;
mod load;
mod nodeport;
mod project;
mod registry;
mod site;
mod starts;
mod store;

use crate::Command;
use site::Site;

/// See the module.
pub const COMMAND: Command =
    Command { name: "bench", about: "measures beside the peers, all or those named; `--help` says what, how, and against whom", run };

/// A benchmark.
struct Bench {
    /// As it is asked for.
    name: &'static str,
    /// What is measured, against whom, how.
    about: &'static str,
    /// Measures and prints; what is missing on this machine is an error that begins with `skipped: `.
    run: fn(&Site) -> Result<(), String>,
}

const BENCHES: &[Bench] =
    &[starts::BENCH, api::BENCH, store::BENCH, builds::BENCH, images::BENCH, nodeport::BENCH, load::BENCH, idle::BENCH, registry::BENCH];

const HELP: &str = "\
usage: cargo xtask bench [--wharf FILE] [--peer KUBECONFIG] [NAME..]

  --wharf FILE        the program to measure (otherwise it is built as it ships)
  --peer KUBECONFIG   a real Kubernetes that runs here, with client certificates

Ours and the peer take turns within one run, so that a busy machine slows both; a ratio says what it divides by what.
Figures only mean something on a quiet machine: its load is printed first. What is missing is said, never guessed.
";

fn run(arguments: &[String]) -> Result<(), String> {
    let Some((site, named)) = asked(arguments)? else {
        println!("{HELP}");
        for bench in BENCHES {
            println!("  {:<10}{}", bench.name, bench.about.replace('\n', "\n            "));
        }
        return Ok(());
    };
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    println!("{cores} cores, load {}", load.split(' ').take(3).collect::<Vec<_>>().join(" "));
    let mut failed = Vec::new();
    for bench in BENCHES.iter().filter(|bench| named.is_empty() || named.iter().any(|name| name == bench.name)) {
        println!("\n== {}", bench.name);
        match (bench.run)(&site) {
            Ok(()) => {}
            Err(missing) if missing.starts_with("skipped: ") => println!("{missing}"),
            Err(why) => {
                println!("failed: {why}");
                failed.push(bench.name);
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("benchmarks that failed: {}", failed.join(", "))) }
}

/// Where to measure and what; nothing when help is wanted.
fn asked(arguments: &[String]) -> Result<Option<(Site, Vec<String>)>, String> {
    let (mut wharf, mut peer, mut named) = (None, None, Vec::new());
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().map(std::path::PathBuf::from).ok_or_else(|| format!("{argument} needs a file"));
        match argument.as_str() {
            "--help" | "-h" => return Ok(None),
            "--wharf" => wharf = Some(value()?),
            "--peer" => peer = Some(value()?),
            name if BENCHES.iter().any(|bench| bench.name == name) => named.push(name.to_owned()),
            other => return Err(format!("there is no benchmark `{other}`; `cargo xtask bench --help` lists them")),
        }
    }
    Ok(Some((Site::new(wharf, peer)?, named)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart_and_checked() {
        let names: std::collections::BTreeSet<_> = BENCHES.iter().map(|bench| bench.name).collect();
        assert_eq!(names.len(), BENCHES.len());
        assert!(asked(&["nonsense".to_owned()]).is_err());
        assert!(asked(&["--wharf".to_owned()]).is_err());
        assert!(asked(&["--help".to_owned()]).expect("help").is_none());
    }
}
