//! `xtask fuzz [SECONDS] [TARGET..]`: compiles every fuzz target and runs each for a while.

use crate::Command;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// See the module.
pub const COMMAND: Command = Command { name: "fuzz", about: "runs the fuzz targets, 20 s each unless told: [SECONDS] [TARGET..]", run };

const TRIPLE: &str = "x86_64-unknown-linux-gnu";
/// Coverage as libFuzzer reads it, from the stable compiler; the sanitizers themselves need none of it.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1";

fn run(arguments: &[String]) -> Result<(), String> {
    let (seconds, named) = match arguments.split_first() {
        Some((first, rest)) if first.parse::<u32>().is_ok() => (first.as_str(), rest),
        _ => ("20", arguments),
    };
    let root = crate::root();
    let folder = root.join("fuzz");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| folder.join("target"), |target| PathBuf::from(target).join("fuzz"));
    build(&folder, &target)?;
    let wanted: Vec<String> = targets(&folder)?.into_iter().filter(|name| named.is_empty() || named.contains(name)).collect();
    let failed = all(&target, &wanted, seconds)?;
    if failed.is_empty() { Ok(()) } else { Err(format!("targets that failed: {}", failed.join(", "))) }
}

fn build(folder: &Path, target: &Path) -> Result<(), String> {
    let status = std::process::Command::new("cargo")
        .args(["build", "--locked", "--release", "--quiet", "--bins", "--target", TRIPLE, "--target-dir"])
        .arg(target)
        .current_dir(folder)
        .env("RUSTFLAGS", FLAGS)
        .status()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    if status.success() { Ok(()) } else { Err("the fuzz targets do not build".to_owned()) }
}

fn targets(folder: &Path) -> Result<Vec<String>, String> {
    let entries = std::fs::read_dir(folder.join("targets")).map_err(|error| format!("cannot list the fuzz targets: {error}"))?;
    let mut names: Vec<String> =
        entries.flatten().filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".rs")?.to_owned())).collect();
    names.sort();
    Ok(names)
}

/// One target on each core; those that failed.
fn all(target: &Path, names: &[String], seconds: &str) -> Result<Vec<String>, String> {
    let (next, failed) = (Mutex::new(names.iter()), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let Some(name) = next.lock().unwrap_or_else(PoisonError::into_inner).next() else { return Ok(()) };
            if !one(target, name, seconds)? {
                failed.lock().unwrap_or_else(PoisonError::into_inner).push(name.clone());
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().unwrap_or_else(|_| Err("a thread that runs targets has panicked".to_owned())))
    })?;
    Ok(failed.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn one(target: &Path, name: &str, seconds: &str) -> Result<bool, String> {
    let corpus = target.join("corpus").join(name);
    let artifacts = target.join("artifacts").join(name);
    for folder in [&corpus, &artifacts] {
        std::fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    }
    let program = target.join(TRIPLE).join("release").join(name);
    let output = std::process::Command::new(&program)
        .arg(&corpus)
        .args([
            format!("-max_total_time={seconds}"),
            "-rss_limit_mb=2048".to_owned(),
            "-timeout=10".to_owned(),
            "-verbosity=0".to_owned(),
            "-print_final_stats=1".to_owned(),
        ])
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .output()
        .map_err(|error| format!("cannot run {}: {error}", program.display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let wanted =
        |line: &&str| if output.status.success() { line.contains("number_of_executed_units") || line.contains("peak_rss") } else { true };
    let lines: Vec<&str> = said.lines().filter(wanted).collect();
    println!("== fuzz {name} for {seconds} s\n{}", lines.join("\n"));
    Ok(output.status.success())
}
