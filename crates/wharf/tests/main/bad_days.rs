//! Bad days: what is wrong is named, with the next step and the right exit code.

#![allow(clippy::print_stdout, reason = "tests say what they skip")]

use super::place::{place, program, project, until};
use std::path::Path;
use std::process::{Command, Output};

fn wharf(folder: &Path, args: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } =
        Command::new(program()).args(args).env("WHARF_HOME", folder.join("home")).output().expect("it runs");
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

const PYTHON: &str = "python3";

fn lacks(program: &str) -> bool {
    let lacking = Command::new(program).arg("--version").output().is_err();
    if lacking {
        println!("skipped: no {program}");
    }
    lacking
}

fn told(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn sentences(said: &str, word: &str) -> Vec<String> {
    said.lines().filter(|line| line.starts_with(word)).map(str::to_owned).collect()
}

#[test]
fn without_root_it_says_so_and_does_nothing() {
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    if !Command::new("setpriv").args(nobody).arg(program()).arg("--version").output().is_ok_and(|tried| tried.status.success()) {
        println!("skipped: no setpriv, no root, or a program that others may not read");
        return;
    }
    let folder = project("root");
    std::fs::create_dir(folder.join("home")).expect("made");
    std::os::unix::fs::chown(folder.join("home"), Some(65534), Some(65534)).expect("given away");
    for args in [&["up"] as &[&str], &["deploy"], &["engine", "start"]] {
        let mut command = Command::new("setpriv");
        command.args(nobody).arg(program()).args(args).current_dir(folder.join("project"));
        let (code, said) = told(&command.env("WHARF_HOME", folder.join("home")).output().expect("it runs"));
        assert_eq!(code, Some(5), "{args:?}: {said}");
        assert!(sentences(&said, "error: ").concat().contains("needs root") && said.contains("sudo"), "{args:?}: {said}");
    }
    std::fs::remove_dir_all(folder).expect("removed");
}

#[test]
fn a_port_that_is_taken_names_who_has_it() {
    let Some(place) = place("port") else { return };
    if lacks(PYTHON) {
        return;
    }
    let server = ["-m", "http.server", "32080", "--bind", "127.0.0.1"];
    let mut holder =
        place.command(PYTHON, &server).stderr(std::process::Stdio::null()).stdout(std::process::Stdio::null()).spawn().expect("it runs");
    until("it listens", std::time::Duration::from_secs(10), || place.tool("ss", &["-tln"]).contains(":32080"));
    let (code, said) = told(&place.wharf(&["up"]));
    assert_eq!(code, Some(5), "{said}");
    let error = sentences(&said, "error: ").concat();
    assert!(
        error.contains("port 32080, which Service web asks for, is taken by process") && error.contains(&holder.id().to_string()),
        "{said}"
    );
    assert_eq!(sentences(&said, "hint: ").len(), 1, "{said}");
    holder.kill().expect("killed");
    holder.wait().expect("ended");
    place.well(&["up"]);
    place.well(&["down", "--volumes"]);
}

#[test]
fn a_home_that_is_full_or_read_only_is_named() {
    let Some(place) = place("full") else { return };
    let home = place.home();
    let home = home.to_str().expect("UTF-8");
    place.tool("mount", &["-t", "tmpfs", "-o", "size=8m", "none", home]);
    let base = std::env::var("WHARF_TEST_BASES").expect("a place has it") + "/busybox_stable.tar";
    place.well(&["image", "load", &base]);
    place.tool("sh", &["-c", &format!("cat /dev/zero > {home}/filler 2>/dev/null; true")]);
    for args in [&["up"] as &[&str], &["engine", "start"], &["image", "load", "/proc/self/exe"]] {
        let (code, said) = told(&place.wharf(args));
        if args[0] == "image" {
            // What it reads is no image; it only must not be a defect.
            assert_ne!(code, Some(70), "{said}");
            continue;
        }
        assert_eq!(code, Some(5), "{args:?}: {said}");
        assert_eq!(sentences(&said, "error: ").len(), 1, "{args:?}: {said}");
        assert!(said.contains("No space left") && said.contains("make room") && said.contains("--home DIR"), "{args:?}: {said}");
    }
    place.tool("mount", &["-o", "remount,ro", home]);
    for args in [&["up"] as &[&str], &["engine", "start"]] {
        let (code, said) = told(&place.wharf(args));
        assert_eq!(code, Some(5), "{args:?}: {said}");
        assert_eq!(sentences(&said, "error: ").len(), 1, "{args:?}: {said}");
        assert!(said.contains("ead-only") && said.contains("--home DIR"), "{args:?}: {said}");
    }
    place.tool("umount", &[home]);
    place.well(&["up"]);
    place.well(&["down", "--volumes"]);
}

/// A kernel without packet rules: their sockets cannot be had.
const NO_RULES: &str = "
import ctypes, os, struct, sys
number = {'x86_64': 41, 'aarch64': 198}[os.uname().machine]
program = [(0x20,0,0,0), (0x15,0,5,number), (0x20,0,0,16), (0x15,0,3,16), (0x20,0,0,32), (0x15,0,1,12), (0x06,0,0,0x00050000|93), (0x06,0,0,0x7fff0000)]
filters = b''.join(struct.pack('HBBI', *one) for one in program)
buffer = ctypes.create_string_buffer(filters)
header = ctypes.create_string_buffer(struct.pack('HxxxxxxP', len(program), ctypes.addressof(buffer)))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, header) == 0
os.execv(sys.argv[1], sys.argv[1:])
";

#[test]
fn a_kernel_without_packet_rules_is_named() {
    let Some(place) = place("no-rules") else { return };
    if lacks(PYTHON) {
        return;
    }
    let without = |args: &[&str]| {
        let program = program();
        let words = ["-c", NO_RULES, program.to_str().expect("UTF-8")];
        let all: Vec<&str> = words.into_iter().chain(args.iter().copied()).collect();
        place.command(PYTHON, &all).output().expect("it runs")
    };
    for args in [&["up"] as &[&str], &["engine", "start"]] {
        let (code, said) = told(&without(args));
        assert_eq!(code, Some(5), "{args:?}: {said}");
        assert_eq!(sentences(&said, "error: ").len(), 1, "{args:?}: {said}");
        assert!(said.contains("the kernel has no nf_tables") && said.contains("modprobe nf_tables"), "{args:?}: {said}");
    }
    let doctor = without(&["doctor"]);
    let said = String::from_utf8_lossy(&doctor.stdout);
    assert_eq!(doctor.status.code(), Some(5), "{said}");
    assert!(said.lines().any(|line| line.starts_with("nf_tables") && line.contains("lacking")), "{said}");
}
