//! Bad days: what is wrong is named, with the next step and the right exit code.

use super::place::project;
use std::path::Path;
use std::process::{Command, Output};

fn wharf(folder: &Path, args: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } =
        Command::new(env!("CARGO_BIN_EXE_wharf")).args(args).env("WHARF_HOME", folder.join("home")).output().expect("it runs");
    (status.code(), format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)))
}

fn with(test: &str, file: &str, text: &str, args: &[&str]) -> (Option<i32>, String) {
    let folder = project(test);
    let path = folder.join("project");
    std::fs::write(path.join(file), text).expect("written");
    let args: Vec<&str> = args.iter().copied().chain([path.to_str().expect("UTF-8")]).collect();
    let told = wharf(&folder, &args);
    std::fs::remove_dir_all(folder).expect("removed");
    told
}

#[test]
fn five_errors_of_the_settings_are_five_lines() {
    let wrong =
        "project: Jobs_X\nimages:\n  web: { contxt: . }\nmanifests: k8s/\ngates: { lint: bad }\nsmoke:\n  - { get: web/, status: abc }\n";
    let (code, said) = with("five", "wharf.yaml", wrong, &["up"]);
    assert_eq!(code, Some(2), "{said}");
    for place in ["1:10", "3:10", "4:12", "5:16", "7:26"] {
        assert!(said.contains(&format!("wharf.yaml:{place} ")), "{place}: {said}");
    }
    assert!(said.contains("did you mean `context`?"), "{said}");
}

#[test]
fn a_flag_that_nobody_knows_is_named_with_its_place() {
    let (code, said) = with("flag", "Dockerfile", "FROM scratch\nCOPY --frob www /www\n", &["build"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("Dockerfile:2:6") && said.contains("`--frob`"), "{said}");
}

#[test]
fn a_home_that_cannot_be_written_is_named() {
    if !std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0) {
        return;
    }
    let folder = project("home");
    // A file where the home should be.
    std::fs::write(folder.join("home"), "").expect("written");
    let (code, said) = wharf(&folder, &["engine", "start"]);
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("--home DIR"), "{said}");
    std::fs::remove_dir_all(folder).expect("removed");
}

#[test]
fn what_does_not_exist_is_usage() {
    let folder = project("usage");
    for args in [&["up", "--nope"] as &[&str], &["up", "--only", "nope"], &["up", "/nonexistent"]] {
        let (code, said) = wharf(&folder, args);
        assert_eq!(code, Some(2), "{args:?}: {said}");
    }
    let (code, said) = wharf(&folder, &["status", "--project", folder.join("project").to_str().expect("UTF-8")]);
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("wharf engine start"), "{said}");
    std::fs::remove_dir_all(folder).expect("removed");
}
