//! What a run found, as a file for other programs: JUnit (`.xml`), SARIF (`.sarif`) or JSON, by the file's ending.

mod junit;
mod sarif;

use base::{Finding, Problem, ProblemKind};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The folder of a project for what runs leave behind. It is part of no image, counts as no change of the project, and tells git so.
pub const FOLDER: &str = "wharf-reports";

/// A stage that ended.
#[derive(Clone, Debug, PartialEq)]
pub struct StageReport {
    /// Its name.
    pub name: String,
    /// `done`, `unchanged`, `warned` or `failed`.
    pub verdict: &'static str,
    /// Its few words.
    pub summary: String,
    /// All that it found, in its own shape.
    pub detail: Value,
    /// How long it took.
    pub time: Duration,
}

/// All that a run told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recorded {
    /// Stages in their order.
    pub stages: Vec<StageReport>,
    /// What was found that did not stop it.
    pub findings: Vec<Finding>,
}

/// One shape.
struct Shape {
    ending: &'static str,
    write: fn(&Recorded, Option<&Problem>) -> String,
}

const SHAPES: &[Shape] =
    &[Shape { ending: "xml", write: junit::write }, Shape { ending: "sarif", write: sarif::write }, Shape { ending: "json", write: plain }];

fn shape(path: &Path) -> Option<&'static Shape> {
    let ending = path.extension()?.to_str()?.to_ascii_lowercase();
    SHAPES.iter().find(|shape| shape.ending == ending)
}

/// Refuses a file whose ending says nothing, before anything is done.
///
/// # Errors
/// Which endings there are.
pub fn check(path: &Path) -> Result<(), Problem> {
    let wrong = || {
        Problem::new(ProblemKind::Usage, format!("it cannot be told how `{}` is to be written", path.display()))
            .hint("end its name in `.xml` (JUnit), `.sarif` or `.json`")
    };
    shape(path).map(|_| ()).ok_or_else(wrong)
}

/// Removes reports of earlier runs, so that none is taken for this run's.
///
/// # Errors
/// When one is there and cannot be removed.
pub fn forget(paths: &[PathBuf]) -> Result<(), Problem> {
    for path in paths {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                let error = base::files::FileError::new("remove", path, error);
                return Err(Problem::new(ProblemKind::Host, error.to_string()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Writes the report of a run that went well, or did not.
///
/// # Errors
/// When the file cannot be written.
pub fn write(path: &Path, recorded: &Recorded, problem: Option<&Problem>) -> Result<(), Problem> {
    check(path)?;
    let text = shape(path).map(|shape| (shape.write)(recorded, problem)).unwrap_or_default();
    make_folder(path)?;
    base::files::write_atomically(path, text.as_bytes(), 0o644).map_err(|error| Problem::new(ProblemKind::Host, error.to_string()))
}

/// Makes the folder of a file that a run leaves behind; git ignores [`FOLDER`] from then on.
///
/// # Errors
/// When it cannot be made.
pub fn make_folder(file: &Path) -> Result<(), Problem> {
    let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) else { return Ok(()) };
    let mut made = base::files::make_folder(folder, 0o755);
    let marks = folder.join(".gitignore");
    if folder.file_name().is_some_and(|name| name == FOLDER) && !marks.exists() {
        made = made.and_then(|()| base::files::write_atomically(&marks, b"*\n", 0o644));
    }
    made.map_err(|error| Problem::new(ProblemKind::Host, error.to_string()))
}

/// Where a project's [`FOLDER`] is below a build's context, when it is.
pub fn below(project: &Path, context: &Path) -> Option<String> {
    let (project, context) = (project.canonicalize().ok()?, context.canonicalize().ok()?);
    Some(project.join(FOLDER).strip_prefix(context).ok()?.to_str()?.to_owned())
}

fn plain(recorded: &Recorded, problem: Option<&Problem>) -> String {
    let stages: Vec<Value> = recorded
        .stages
        .iter()
        .map(|stage| {
            json!({"stage": stage.name, "state": stage.verdict, "summary": stage.summary, "detail": stage.detail,
                "milliseconds": u64::try_from(stage.time.as_millis()).unwrap_or(u64::MAX)})
        })
        .collect();
    let error = problem.map(
        |problem| json!({"kind": problem.kind.name(), "message": problem.message, "hints": problem.hints, "findings": problem.findings}),
    );
    json!({"stages": stages, "findings": recorded.findings, "error": error}).to_string()
}

/// Everything that was found, what stopped the run first.
fn findings<'a>(recorded: &'a Recorded, problem: Option<&'a Problem>) -> Vec<&'a Finding> {
    problem.into_iter().flat_map(|problem| &problem.findings).chain(&recorded.findings).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{Place, Severity};

    fn stage(name: &str, verdict: &'static str, detail: Value) -> StageReport {
        StageReport { name: name.to_owned(), verdict, summary: "2 <passed>".to_owned(), detail, time: Duration::from_millis(1_250) }
    }

    fn recorded() -> (Recorded, Problem) {
        let tests = json!({"tests": [{"name": "unit", "run": "cargo test"}, {"name": "api", "run": "x", "passed_before": true}]});
        let findings =
            vec![Finding::new("DL3006", Severity::Warning, Place::in_file("app/Docker file", 3, 1), "tag it").with_help("pin it")];
        let stages = vec![stage("lint", "warned", Value::Null), stage("test", "done", tests), stage("build", "failed", Value::Null)];
        let stopped =
            Finding::new("build", Severity::Error, Place::in_file("Dockerfile", 7, 1), "RUN false\u{1} & more").with_evidence("exit ]]> 1");
        (Recorded { stages, findings }, Problem::new(ProblemKind::Work, "`app` failed").with_findings(vec![stopped]))
    }

    #[test]
    fn junit_has_a_suite_for_each_stage_and_a_case_for_each_test() {
        let (recorded, problem) = recorded();
        let text = junit::write(&recorded, Some(&problem));
        let body = text.split_once("?>").expect("a head").1;
        let expected = "<testsuites name=\"wharf\" tests=\"4\" failures=\"1\" time=\"3.750\">\
            <testsuite name=\"lint\" tests=\"1\" failures=\"0\" skipped=\"0\" time=\"1.250\"><testcase classname=\"wharf\" name=\"lint\" time=\"1.250\"><system-out>2 &lt;passed&gt;</system-out></testcase></testsuite>\
            <testsuite name=\"test\" tests=\"2\" failures=\"0\" skipped=\"0\" time=\"1.250\"><testcase classname=\"wharf.test\" name=\"unit\" time=\"0.625\"/><testcase classname=\"wharf.test\" name=\"api\" time=\"0.625\"/></testsuite>\
            <testsuite name=\"build\" tests=\"1\" failures=\"1\" skipped=\"0\" time=\"1.250\"><testcase classname=\"wharf\" name=\"build\" time=\"1.250\">\
            <failure message=\"`app` failed\" type=\"work\">`app` failed\nDockerfile:7:1 build error: RUN false\u{fffd} &amp; more\n    exit ]]&gt; 1\n</failure></testcase></testsuite></testsuites>\n";
        assert_eq!(body.trim_start(), expected);
    }

    #[test]
    fn sarif_has_every_finding_at_its_place() {
        let (recorded, problem) = recorded();
        let text: Value = serde_json::from_str(&sarif::write(&recorded, Some(&problem))).expect("JSON");
        assert_eq!(text["version"], "2.1.0");
        let results = text["runs"][0]["results"].as_array().expect("results");
        assert_eq!(results.len(), 2);
        assert_eq!((results[0]["ruleId"].as_str(), results[0]["level"].as_str()), (Some("build"), Some("error")));
        let place = &results[1]["locations"][0]["physicalLocation"];
        assert_eq!(
            (place["artifactLocation"]["uri"].as_str(), place["region"]["startLine"].as_u64()),
            (Some("app/Docker%20file"), Some(3))
        );
        assert_eq!(text["runs"][0]["tool"]["driver"]["rules"].as_array().map(Vec::len), Some(2));
        assert_eq!(text["runs"][0]["invocations"][0]["executionSuccessful"], false);
        let well = sarif::write(&Recorded::default(), None);
        assert!(well.contains("\"results\":[]") && well.contains("\"executionSuccessful\":true"), "{well}");
    }

    #[test]
    fn what_stopped_a_run_outside_of_its_stages_is_a_failure_of_its_own() {
        let recorded = Recorded { stages: vec![stage("lint", "done", Value::Null)], findings: Vec::new() };
        let problem = Problem::new(ProblemKind::Target, "the environment `prod` takes only plans that were approved");
        let text = junit::write(&recorded, Some(&problem));
        assert!(text.contains("tests=\"2\" failures=\"1\"") && text.contains("takes only plans"), "{text}");
        let text: Value = serde_json::from_str(&sarif::write(&recorded, Some(&problem))).expect("JSON");
        assert_eq!(text["runs"][0]["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"], problem.message.as_str());
    }

    #[test]
    fn the_folder_of_reports_is_told_to_git_and_to_builds() {
        let project = std::env::temp_dir().join(format!("wharf-report-{}", base::ids::suffix(8)));
        let file = project.join(FOLDER).join("a.xml");
        write(&file, &Recorded::default(), None).expect("written");
        assert_eq!(std::fs::read_to_string(project.join(FOLDER).join(".gitignore")).expect("read"), "*\n");
        let digest = || crate::inputs::digest(&project, &[".".to_owned()]).expect("read");
        let before = digest();
        std::fs::write(project.join(FOLDER).join("b.xml"), "x").expect("written");
        assert_eq!(digest(), before);
        std::fs::create_dir(project.join("app")).expect("made");
        assert_eq!(below(&project, &project).as_deref(), Some(FOLDER));
        assert_eq!(below(&project, &project.join("app/..")).as_deref(), Some(FOLDER));
        assert_eq!(below(&project, &project.join("app")), None);
        forget(&[file.clone(), project.join("none.xml")]).expect("removed");
        assert!(!file.exists());
        std::fs::remove_dir_all(project).expect("removed");
    }

    #[test]
    fn the_ending_says_the_shape() {
        for well in ["a.xml", "x/b.SARIF", "c.json"] {
            check(Path::new(well)).expect(well);
        }
        for wrong in ["a", "a.txt", ".xml"] {
            assert!(check(Path::new(wrong)).expect_err(wrong).hints[0].contains(".sarif"));
        }
    }
}
