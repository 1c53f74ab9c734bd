//! Which pushes an exported workflow counts, asked of its own script as GitHub runs it: by `bash -eo pipefail`.

use super::*;
use saphyr::Yaml;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A repository with one commit, which goes with the value.
struct Repository(PathBuf);

impl Repository {
    fn new() -> Option<Self> {
        if ["git", "bash"].iter().any(|tool| Command::new(tool).arg("--version").output().is_err()) {
            return None;
        }
        let folder = std::env::temp_dir().join(format!("wharf-changed-{}", base::ids::suffix(8)));
        base::files::make_folder(&folder, 0o700).expect("made");
        let repository = Self(folder);
        repository.git(&["init", "-q"]);
        repository.push(&["README"]);
        Some(repository)
    }

    fn git(&self, words: &[&str]) -> String {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]).args(words).current_dir(&self.0);
        let done = command.env("GIT_CONFIG_GLOBAL", "/dev/null").output().expect("git runs");
        assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    }

    /// A commit that adds these files; its parent.
    fn push(&self, files: &[&str]) -> String {
        let before = self.git(&["rev-list", "--max-count=1", "--all"]);
        for file in files {
            let path = self.0.join(file);
            base::files::make_folder(path.parent().expect("a folder"), 0o700).expect("made");
            std::fs::write(path, file).expect("written");
        }
        self.commit();
        before
    }

    fn commit(&self) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--no-verify", "-m", "m"]);
    }
}

impl Drop for Repository {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn node<'y>(of: &Yaml<'y>, name: &str) -> Yaml<'y> {
    of.as_mapping_get(name).cloned().unwrap_or_else(|| panic!("no {name} in {of:?}"))
}

/// The step that asks, of a run with these patterns: its script and its variables.
fn asked(paths: &[&str]) -> (String, Vec<(String, String)>) {
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    let wanted = Wanted { paths, environment: "local".to_owned(), ..Wanted::default() };
    let text = (github::EXPORTER.write)(&Pipeline::of(&settings(), ProjectFolder::default(), vec![wanted], None).expect("a pipeline"));
    let document = Yaml::load_from_str(&text).expect("YAML").remove(0);
    let jobs = node(&document, "jobs");
    let (_, job) = jobs.as_mapping().and_then(|jobs| jobs.iter().next()).expect("a job");
    let steps = node(job, "steps");
    let step = steps
        .as_vec()
        .and_then(|steps| steps.iter().find(|step| step.as_mapping_get("id").and_then(|id| id.as_str()) == Some("which")).cloned());
    let step = step.expect("the step that asks");
    assert_eq!(node(&step, "shell").as_str(), Some("bash"));
    let env = node(&step, "env");
    let text_of = |node: &Yaml<'_>| node.as_str().unwrap_or_default().to_owned();
    let env = env.as_mapping().expect("variables").iter().map(|(name, value)| (text_of(name), text_of(value))).collect();
    (text_of(&node(&step, "run")), env)
}

/// What the script says of a push after `before`: its code, and whether the run's steps are to run.
fn fits(folder: &Path, (script, env): &(String, Vec<(String, String)>), before: &str) -> (Option<i32>, bool) {
    let out = folder.join(".git/said");
    let mut command = Command::new("bash");
    command.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script]).current_dir(folder).env("GITHUB_OUTPUT", &out);
    let done = command.envs(env.iter().cloned()).env("BRANCH", "main").env("BEFORE", before).output().expect("bash runs");
    let said = std::fs::read_to_string(&out).unwrap_or_default();
    let _ = std::fs::remove_file(&out);
    (done.status.code(), said.contains("fits=true"))
}

#[test]
#[allow(clippy::print_stdout, reason = "tests say what they skip")]
fn a_push_of_many_files_runs_every_stage() {
    let Some(repository) = Repository::new() else {
        println!("skipped: git or bash is missing");
        return;
    };
    let files: Vec<String> = (0..3000).map(|number| format!("src/deep/a/file-with-a-long-name-{number}.rs")).collect();
    let before = repository.push(&files.iter().map(String::as_str).collect::<Vec<_>>());
    let script = asked(&["src/**"]);
    // It was a race between two programs: it is asked often.
    for _ in 0..10 {
        assert_eq!(fits(&repository.0, &script, &before), (Some(0), true));
    }
    assert_eq!(fits(&repository.0, &asked(&["docs/**"]), &before), (Some(0), false), "none of them");
    assert_eq!(fits(&repository.0, &asked(&["docs/**"]), &"0".repeat(40)), (Some(0), true), "nothing before it: all count");
}

#[test]
#[allow(clippy::print_stdout, reason = "tests say what they skip")]
fn names_are_read_as_they_are_and_what_was_moved_away_counts() {
    let Some(repository) = Repository::new() else {
        println!("skipped: git or bash is missing");
        return;
    };
    for (file, pattern, expected) in [
        ("src/größe.rs", "src/*", true),
        ("src/a \"b\"\\c.rs", "src/*", true),
        ("src/a/b.rs", "src/*", false),
        ("src/a[1].rs", "src/a[1].rs", true),
        ("src/a1.rs", "src/a[1].rs", false),
    ] {
        let before = repository.push(&[file]);
        assert_eq!(fits(&repository.0, &asked(&[pattern]), &before), (Some(0), expected), "{file} {pattern}");
    }
    let before = repository.git(&["rev-parse", "HEAD"]);
    repository.git(&["mv", "src/a1.rs", "elsewhere.rs"]);
    repository.commit();
    assert_eq!(fits(&repository.0, &asked(&["src/**"]), &before), (Some(0), true));
}

#[test]
#[allow(clippy::print_stdout, reason = "tests say what they skip")]
fn what_cannot_be_asked_fails_the_job() {
    let Some(repository) = Repository::new() else {
        println!("skipped: git or bash is missing");
        return;
    };
    let before = repository.push(&["src/a"]);
    let (script, mut env) = asked(&["src/**"]);
    env.iter_mut().filter(|(name, _)| name == "PATHS").for_each(|(_, value)| *value = "(".to_owned());
    assert_eq!(fits(&repository.0, &(script, env), &before), (Some(2), false), "not green");
}
