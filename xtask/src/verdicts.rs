//! `xtask verdicts`: asks kstatus for its verdict of every recorded state of an object, beside which ours are tested.

use crate::Command;
use std::path::{Path, PathBuf};

/// The command.
pub const COMMAND: Command = Command {
    name: "verdicts",
    about: "write what kstatus says of crates/delivery/src/status/fixtures (--check: tell whether it is stale)",
    run,
};

const FIXTURES: &str = "crates/delivery/src/status/fixtures";
const WRITTEN: &str = "kstatus.json";

fn run(args: &[String]) -> Result<(), String> {
    let check = match args {
        [] => false,
        [flag] if flag == "--check" => true,
        _ => return Err("usage: xtask verdicts [--check]".to_owned()),
    };
    let top = crate::root();
    let folder = top.join(FIXTURES);
    let told = ask(&top.join("xtask/verdicts"), &fixtures(&folder)?)?;
    let parsed: serde_json::Value = serde_json::from_str(&told).map_err(|error| format!("the verdicts are not JSON: {error}"))?;
    let path = folder.join(WRITTEN);
    if check {
        let kept = std::fs::read_to_string(&path).ok().and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok());
        return if kept.as_ref() == Some(&parsed) { Ok(()) } else { Err("stale, run `cargo run -p xtask -- verdicts`".to_owned()) };
    }
    std::fs::write(&path, told).map_err(|error| format!("{}: {error}", path.display()))?;
    println!("{} verdicts", parsed.as_object().map_or(0, serde_json::Map::len));
    Ok(())
}

fn fixtures(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| !path.ends_with(WRITTEN)).collect();
    files.sort();
    Ok(files)
}

fn ask(program: &Path, files: &[PathBuf]) -> Result<String, String> {
    let mut command = std::process::Command::new("go");
    command.args(["run", "."]).args(files).env("GO111MODULE", "on").current_dir(program);
    let output = command.output().map_err(|error| format!("`go` (needed to run kstatus): {error}"))?;
    if !output.status.success() {
        return Err(format!("go run: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    String::from_utf8(output.stdout).map_err(|_| "go printed no UTF-8".to_owned())
}
