//! `wharf scan` and `wharf advisories` as people use them: by files of their own, without a network.

#![allow(clippy::print_stdout, reason = "tests say what they skip")]

use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// A folder with a home and advisories of its own.
struct Place(PathBuf);

/// What a command said and how it ended.
struct Said {
    out: String,
    err: String,
    code: i32,
}

impl Place {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("wharf-scan-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        let place = Self(path);
        let osv = |id: &str, alias: &str, (ecosystem, name): (&str, &str), fixed: &str, cvss: &str| {
            let text = format!(
                r#"{{"id":"{id}","aliases":["{alias}"],"summary":"about {name}","severity":[{{"type":"CVSS_V3","score":"{cvss}"}}],"affected":[
                {{"package":{{"ecosystem":"{ecosystem}","name":"{name}"}},"ranges":[{{"type":"ECOSYSTEM","events":[{{"introduced":"0"}},{{"fixed":"{fixed}"}}]}}]}}]}}"#
            );
            place.write(&format!("advisories/{id}.json"), &text);
        };
        osv("RUSTSEC-2020-0071", "CVE-2020-26235", ("crates.io", "time"), "0.2.23", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H");
        osv("PYSEC-2018-28", "CVE-2018-18074", ("PyPI", "requests"), "2.20.0", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N");
        osv("CVE-2024-0001", "DSA-1-1", ("Debian:12", "openssl"), "3.0.11-1~deb12u2", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H");
        place.write("rust/Cargo.lock", "version = 3\n\n[[package]]\nname = \"time\"\nversion = \"0.1.43\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n");
        place.write("python/requirements.txt", "requests==2.19.1\n");
        place
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().expect("parent")).expect("folder");
        fs::write(path, text).expect("written");
    }

    fn run(&self, args: &[&str]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
        command.current_dir(&self.0).env("WHARF_HOME", self.0.join("home")).args(args);
        let out = command.output().expect("started");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said { out: text(&out.stdout), err: text(&out.stderr), code: out.status.code().unwrap_or(-1) }
    }

    fn ends(&self, code: i32, args: &[&str]) -> Said {
        let said = self.run(args);
        assert_eq!(said.code, code, "{args:?}: {}{}", said.out, said.err);
        said
    }

    /// Builds an index into a file.
    fn index(&self, file: &str, more: &[&str]) {
        self.ends(0, &[&["advisories", "build", "--from", "advisories", "--out", file][..], more].concat());
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn lock_files_with_known_vulnerabilities_fail_by_name_with_the_fixing_version() {
    let place = Place::new("locks");
    let none = place.ends(5, &["scan", "rust"]);
    assert!(none.err.contains("no advisories") && none.err.contains("wharf advisories build"), "{}", none.err);
    place.ends(0, &["advisories", "build", "--from", "advisories"]);
    for (folder, id, fixed, place_of) in [
        ("rust", "RUSTSEC-2020-0071 CVE-2020-26235", "-> 0.2.23", "Cargo.lock:"),
        ("python", "PYSEC-2018-28 CVE-2018-18074", "-> 2.20.0", "requirements.txt:1"),
    ] {
        let said = place.ends(1, &["scan", folder]);
        for text in ["HIGH (1)", id, fixed, place_of] {
            assert!(said.out.contains(text), "{text}: {}", said.out);
        }
        assert!(said.err.contains("the gate stops here: 1 finding is high or worse"), "{}", said.err);
    }
    place.ends(0, &["scan", "rust", "--fail-on", "critical"]);
    let report = place.ends(1, &["--json", "scan", "rust"]);
    let line = report.out.lines().next().expect("a report");
    let document: Value = serde_json::from_str(line).expect("JSON");
    assert_eq!((&document["gate"]["stops"], &document["vulnerabilities"][0]["severity"]["score"]), (&Value::Bool(true), &Value::from(7.5)));
    place.write("before.json", line);
    place.ends(0, &["scan", "rust", "--baseline", "before.json"]);
    for format in ["sarif", "cyclonedx", "spdx"] {
        let document: Value = serde_json::from_str(&place.ends(1, &["scan", "rust", "--format", format]).out).expect(format);
        assert!(document.to_string().contains("RUSTSEC-2020-0071"), "{format}");
    }
    assert!(place.ends(1, &["scan", "rust", "--format", "junit"]).out.contains("failures=\"1\""));
}

#[test]
fn a_project_ignores_for_a_reason_and_a_time() {
    let place = Place::new("ignores");
    place.ends(0, &["advisories", "build", "--from", "advisories"]);
    let settings = |until: &str| {
        format!(
            "project: p\ngates:\n  scan:\n    ignore:\n      - {{ id: CVE-2020-26235, package: time, reason: never asked for, until: {until} }}\n"
        )
    };
    place.write("rust/wharf.yaml", &settings("2999-12-31"));
    let said = place.ends(0, &["--project", "rust", "scan"]);
    assert!(said.err.contains("1 ignored"), "{}", said.err);
    place.write("rust/wharf.yaml", &settings("2020-12-31"));
    let said = place.ends(1, &["--project", "rust", "scan"]);
    assert!(said.err.contains("`CVE-2020-26235` is ignored no more: its time is over (never asked for)"), "{}", said.err);
    place.write("rust/wharf.yaml", &settings("someday"));
    assert!(place.ends(2, &["--project", "rust", "scan"]).err.contains("`someday` is no day"));
    place.write("rust/wharf.yaml", "project: p\ngates: { scan: { mode: report-only } }\n");
    place.ends(0, &["--project", "rust", "scan"]);
}

#[test]
fn what_could_not_be_judged_stops_unless_it_is_allowed() {
    let place = Place::new("unjudged");
    place.ends(0, &["advisories", "build", "--from", "advisories"]);
    place.write("merged/Cargo.lock", "version = 3\n<<<<<<< HEAD\n");
    place.write("web/package-lock.json", r#"{"lockfileVersion": 3, "packages": {"node_modules/lodash": {"version": "4.17.0"}}}"#);
    for (folder, told, summary) in [
        ("merged", "Cargo.lock unread warning: line 2:", "0 packages, nothing known against them, 1 file not read"),
        ("web", "the index knows nothing of npm: 1 package was not judged", "0 packages, nothing known against them, 1 package not judged"),
    ] {
        let said = place.ends(1, &["scan", folder]);
        for text in [told, summary, "the gate stops here: 1 thing could not be judged", "`wharf scan --unjudged warn`"] {
            assert!(said.err.contains(text), "{text}: {}", said.err);
        }
        assert!(place.ends(1, &["scan", folder, "--format", "junit"]).out.contains("errors=\"1\""));
        // Told all the same.
        assert!(place.ends(0, &["scan", folder, "--unjudged", "warn"]).err.contains(told));
        for (settings, code) in [("{ unjudged: warn }", 0), ("{ fail-on: none }", 1), ("{ mode: warn }", 0)] {
            place.write(&format!("{folder}/wharf.yaml"), &format!("project: p\ngates: {{ scan: {settings} }}\n"));
            assert!(place.ends(code, &["--project", folder, "scan"]).err.contains(told), "{settings}");
        }
        place.ends(1, &["--project", folder, "scan", "--unjudged", "fail"]);
    }
}

#[test]
fn an_index_that_was_changed_rolled_back_or_is_stale_is_refused_by_name() {
    let place = Place::new("index");
    place.index("two", &["--sequence", "2"]);
    place.index("one", &["--sequence", "1"]);
    place.index("stale", &["--sequence", "3", "--fresh-for", "0s"]);
    place.ends(0, &["advisories", "update", "two"]);
    assert!(place.ends(0, &["advisories", "update", "two"]).err.contains("in use already"));
    let rolled = place.ends(3, &["advisories", "update", "one"]);
    assert!(rolled.err.contains("rolled back: it is number 1") && rolled.err.contains("number 2 is installed"), "{}", rolled.err);
    assert!(place.ends(3, &["advisories", "update", "stale"]).err.contains("frozen"));
    let mut bytes = fs::read(place.0.join("two")).expect("read");
    let middle = bytes.len() - 20;
    bytes[middle] ^= 1;
    fs::write(place.0.join("changed"), &bytes).expect("written");
    assert!(place.ends(3, &["advisories", "update", "changed"]).err.contains("tampered with"));
    // The same of the one in use, behind Wharf's back.
    let mut files = fs::read_dir(place.0.join("home/advisories")).expect("listed").flatten().map(|entry| entry.path());
    let file = files.find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("index-"))).expect("installed");
    fs::remove_file(&file).expect("removed");
    fs::write(&file, &bytes).expect("written");
    assert!(place.ends(3, &["scan", "rust"]).err.contains("tampered with"));
    place.ends(0, &["advisories", "update", "two"]);
    let info: Value = serde_json::from_str(&place.ends(0, &["--json", "advisories", "info"]).out).expect("JSON");
    assert_eq!(
        (&info["index"]["sequence"], &info["about"]["ecosystems"]["PyPI"], &info["fresh"]),
        (&Value::from(2), &Value::from(1), &Value::Bool(true))
    );
    place.write("rust/wharf.yaml", "project: p\ngates: { scan: { fail-on: none, advisories-at-most: 1ms } }\n");
    let old = place.ends(1, &["--project", "rust", "scan"]);
    assert!(old.err.contains("`advisories-at-most` allows"), "{}", old.err);
    let other = Place::new("stranger");
    fs::copy(place.0.join("two"), other.0.join("two")).expect("copied");
    assert!(other.ends(3, &["advisories", "update", "two"]).err.contains("whose key is not trusted here"));
    fs::copy(place.0.join("home/advisories/key.pub"), other.0.join("key.pub")).expect("copied");
    other.ends(0, &["advisories", "update", "two", "--trust", "key.pub"]);
}

#[test]
fn what_a_project_trusts_is_trusted_there_alone() {
    let (place, other) = (Place::new("machine"), Place::new("foreign"));
    place.ends(0, &["advisories", "build", "--from", "advisories"]);
    // Theirs knows nothing of what is wrong with requests.
    fs::remove_file(other.0.join("advisories/PYSEC-2018-28.json")).expect("removed");
    other.write("advisories/PYSEC-1.json", r#"{"id":"PYSEC-1","affected":[{"package":{"ecosystem":"PyPI","name":"x"},"versions":["1"]}]}"#);
    other.index("index", &[]);
    let key = fs::read_to_string(other.0.join("home/advisories/key.pub")).expect("read");
    let index = other.0.join("index").display().to_string();
    let settings = format!("project: p\nadvisories: {{ from: {index}, keys: [\"{}\"] }}\n", key.trim());
    place.write("checkout/wharf.yaml", &settings);
    place.write("checkout/requirements.txt", "requests==2.19.1\n");
    place.ends(0, &["--project", "checkout", "advisories", "update"]);
    place.ends(0, &["--project", "checkout", "scan"]);
    // Elsewhere the machine's own counts, as before.
    assert!(place.ends(1, &["scan", "python"]).out.contains("PYSEC-2018-28"));
    let from = |args: &[&str]| serde_json::from_str::<Value>(&place.ends(0, args).out).expect("JSON")["from"].clone();
    assert_eq!(from(&["--json", "advisories", "info"]), "built here");
    assert_eq!(from(&["--json", "--project", "checkout", "advisories", "info"]), Value::from(index));
    // A machine that has none has none by that either.
    let bare = Place::new("bare");
    bare.write("checkout/wharf.yaml", &settings);
    bare.ends(0, &["--project", "checkout", "advisories", "update"]);
    assert!(bare.ends(5, &["scan", "python"]).err.contains("no advisories"));
}

#[test]
fn a_rollback_is_one_whatever_the_key_is_called() {
    let place = Place::new("comment");
    place.index("old", &["--sequence", "50"]);
    place.index("new", &["--sequence", "100"]);
    place.ends(0, &["advisories", "update", "new"]);
    let key = fs::read_to_string(place.0.join("home/advisories/key.pub")).expect("read");
    let bare: Vec<&str> = key.split_whitespace().take(2).collect();
    for (name, comment) in [("alice", " alice"), ("nobody", "")] {
        place.write(&format!("{name}/wharf.yaml"), &format!("project: p\nadvisories: {{ keys: [\"{}{comment}\"] }}\n", bare.join(" ")));
        let said = place.ends(3, &["--project", name, "advisories", "update", "old"]);
        assert!(said.err.contains("rolled back") && said.err.contains("number 100 is installed"), "{}", said.err);
    }
}

#[test]
fn a_source_without_its_end_does_not_take_the_place_of_a_good_index() {
    let place = Place::new("holes");
    place.ends(0, &["advisories", "build", "--from", "advisories"]);
    place.write("advisories/all.zip", "PK\u{3}\u{4} and no end");
    for more in [&[][..], &["--out", "index"]] {
        let said = place.ends(1, &[&["advisories", "build", "--from", "advisories"][..], more].concat());
        assert!(said.err.contains("`advisories/all.zip` could not be read, and an index without it would have a hole"), "{}", said.err);
    }
    assert!(!place.0.join("index").exists());
    place.ends(1, &["scan", "rust"]);
    // A single advisory that cannot be read is told and left out.
    fs::remove_file(place.0.join("advisories/all.zip")).expect("removed");
    place.write("advisories/bad.json", "{");
    assert!(place.ends(0, &["advisories", "build", "--from", "advisories"]).err.contains("advisories/bad.json"));
}

#[test]
fn stale_advisories_are_told_in_every_mode() {
    let place = Place::new("stale");
    place.ends(0, &["advisories", "build", "--from", "advisories", "--fresh-for", "1s"]);
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    for (mode, code) in [("warn", 0), ("report-only", 0), ("fail", 1)] {
        place.write("rust/wharf.yaml", &format!("project: p\ngates: {{ scan: {{ mode: {mode}, fail-on: none }} }}\n"));
        let said = place.ends(code, &["--project", "rust", "scan"]);
        assert!(said.err.contains("the advisories are frozen") && said.err.contains("`wharf advisories update`"), "{mode}: {}", said.err);
    }
}

#[test]
fn what_nothing_mends_is_left_out_of_every_format_where_that_is_asked_for() {
    let place = Place::new("fixable");
    let text = r#"{"id":"RUSTSEC-9","affected":[{"package":{"ecosystem":"crates.io","name":"time"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"}]}]}]}"#;
    place.write("advisories/RUSTSEC-9.json", text);
    place.ends(0, &["advisories", "build", "--from", "advisories"]);
    for format in ["table", "json", "sarif", "junit", "cyclonedx", "spdx"] {
        assert!(place.ends(1, &["scan", "rust", "--format", format]).out.contains("RUSTSEC-9"), "{format}");
        let said = place.ends(1, &["scan", "rust", "--format", format, "--only-fixable"]);
        assert!(!said.out.contains("RUSTSEC-9") && said.out.contains("RUSTSEC-2020-0071"), "{format}: {}", said.out);
        assert!(said.err.contains("1 package, 1 vulnerability (1 high), 1 with a fix, 1 without a fix not shown"), "{}", said.err);
    }
}

#[test]
fn who_builds_at_once_leaves_one_whole_index_and_one_key() {
    let place = Place::new("at-once");
    let build = || place.run(&["advisories", "build", "--from", "advisories"]);
    let done: Vec<Said> = std::thread::scope(|scope| {
        let started: Vec<_> = (0..8).map(|_| scope.spawn(build)).collect();
        started.into_iter().map(|thread| thread.join().expect("run")).collect()
    });
    assert!(done.iter().all(|said| said.code == 0), "{:?}", done.iter().map(|said| &said.err).collect::<Vec<_>>());
    place.ends(0, &["advisories", "info"]);
    place.ends(1, &["scan", "rust"]);
    let files = fs::read_dir(place.0.join("home/advisories")).expect("listed").flatten();
    let indexes = files.filter(|entry| entry.file_name().to_string_lossy().starts_with("index-")).count();
    assert_eq!(indexes, 1);
}

#[test]
fn a_newer_base_is_advised_with_its_line_and_written() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: root");
        return;
    }
    let place = Place::new("bases");
    place.ends(0, &["advisories", "build", "--from", "advisories"]);
    for (tag, version) in [("12.0", "3.0.11-1~deb12u1"), ("12.8", "3.0.11-1~deb12u2"), ("8", "1.0.1-1")] {
        let status = format!(
            "Package: libssl3\nStatus: install ok installed\nArchitecture: amd64\nSource: openssl\nVersion: {version}\nDescription: x\n\n"
        );
        place.write(&format!("{tag}/status"), &status);
        // The index knows nothing of Debian 8, which is no reason to prefer it.
        let release = tag.split('.').next().unwrap_or_default();
        place.write(&format!("{tag}/os-release"), &format!("ID=debian\nVERSION_ID=\"{release}\"\nPRETTY_NAME=\"Debian {release}\"\n"));
        place.write(&format!("{tag}/Dockerfile"), "FROM scratch\nCOPY os-release /etc/os-release\nCOPY status /var/lib/dpkg/status\n");
        place.ends(0, &["build", tag, "-t", &format!("base:{tag}")]);
    }
    place.write("app/Dockerfile", "FROM base:12.0 AS under\nFROM under\nCOPY a /a\n");
    place.write("app/a", "a");
    place.ends(0, &["build", "app", "-t", "app:1"]);
    let said = place.ends(1, &["scan", "app:1", "--dockerfile", "app/Dockerfile"]);
    assert!(said.out.contains("openssl (libssl3)") && said.out.contains("CVE-2024-0001"), "{}", said.out);
    let told = "app/Dockerfile:1 base info: the base `base:12.0` has 1 (1 critical), and `base:12.8` has none: 1 fewer of these";
    assert!(said.err.contains(told), "{}", said.err);
    place.ends(1, &["scan", "app:1", "--dockerfile", "app/Dockerfile", "--fix"]);
    assert_eq!(fs::read_to_string(place.0.join("app/Dockerfile")).expect("read"), "FROM base:12.8 AS under\nFROM under\nCOPY a /a\n");
    place.ends(0, &["build", "app", "-t", "app:2"]);
    place.ends(0, &["scan", "app:2", "--dockerfile", "app/Dockerfile"]);
    place.write("app/Dockerfile", "FROM base:8\nCOPY a /a\n");
    place.ends(0, &["build", "app", "-t", "app:3"]);
    let said = place.ends(1, &["scan", "app:3", "--dockerfile", "app/Dockerfile", "--fix"]);
    assert!(said.err.contains("app/Dockerfile:1: which base is better than `base:8` cannot be told"), "{}", said.err);
}
