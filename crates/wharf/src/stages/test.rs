//! Test: the project's own tests, unless nothing has changed since they passed.

use super::{Done, Run, Stage};
use crate::output::Running;
use crate::{command, inputs};
use base::Problem;
use serde_json::json;

/// See the module.
pub const STAGE: Stage = Stage {
    name: "test",
    on_demand: false,
    needs_cluster: false,
    applies: super::always,
    judges_release: false,
    interrupted: "the tests were ended and nothing was built or deployed; run this again",
    run,
};

fn run(run: &mut Run, running: &Running<'_>) -> Result<Done, Problem> {
    let tests = run.project.settings().tests.clone();
    if tests.is_empty() {
        return Ok(Done::unchanged("no tests"));
    }
    let (mut passed, mut detail) = (0, Vec::new());
    for (name, test) in &tests {
        let stage = format!("test {name}");
        let key = inputs::key(&test.to_string(), &run.inputs);
        // In this folder: what git ignores does not count as an input, and may not be there in another one.
        let known = run.memory.knows(&stage, &key);
        detail.push(json!({"name": name, "run": test.to_string(), "passed_before": known}));
        if known {
            continue;
        }
        run.memory.forget(&stage);
        let verbose = run.context.output.takes_lines();
        command::run(name, test, &run.project.folder, &|line| {
            if verbose {
                running.note(line);
            }
        })?;
        run.memory.remember(&stage, &key);
        passed += 1;
    }
    if passed == 0 {
        return Ok(Done::unchanged(format!("{} passed before with the same inputs", tests.len())).with(json!({"tests": detail})));
    }
    Ok(Done::new(format!("{passed} passed")).with(json!({"tests": detail})))
}
