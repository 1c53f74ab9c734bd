//! Check: the project's own commands, each in a container of a build target of an image.

use super::{Done, Run, Stage, build};
use crate::command::Tail;
use crate::commands::run::{Limits, watched};
use crate::inputs;
use crate::output::Running;
use crate::settings::Check;
use base::Problem;
use serde_json::json;

/// See the module.
pub const STAGE: Stage = Stage {
    name: "check",
    on_demand: false,
    needs_cluster: false,
    applies: |run| !run.project.settings().checks.is_empty(),
    judges_release: false,
    interrupted: "its containers were ended and nothing was deployed; the next run begins them again",
    run,
};

fn run(run: &mut Run, running: &Running<'_>) -> Result<Done, Problem> {
    let (mut done, mut known, mut detail) = (0, 0, Vec::new());
    for (image, check) in run.project.settings().checks.clone() {
        let built = build::target(run, running, &image, check.target.as_deref())?;
        let stage = format!("check {image}");
        let key = inputs::key(&format!("check {}", check.run), &built.image.to_string());
        let known_before = run.memory.passed(&key);
        let said = if known_before { Vec::new() } else { one(run, running, &stage, &built.image.to_string(), &check)? };
        detail.push(
            json!({"image": image, "target": check.target, "run": check.run.to_string(), "passed_before": known_before, "said": said}),
        );
        if known_before {
            known += 1;
            continue;
        }
        run.memory.pass(&key);
        done += 1;
    }
    let detail = json!({"checks": detail});
    let plural = |count: usize| if count == 1 { "1 check".to_owned() } else { format!("{count} checks") };
    Ok(match (done, known) {
        (0, known) => Done::unchanged(format!("{} passed before on the same image", plural(known))).with(detail),
        (done, _) => Done::new(format!("{} passed", plural(done))).with(detail),
    })
}

/// Runs one; its last lines.
fn one(run: &Run, running: &Running<'_>, stage: &str, image: &str, check: &Check) -> Result<Vec<String>, Problem> {
    let (tail, every_line) = (Tail::default(), run.context.output.takes_lines());
    let limits = Limits { memory_bytes: check.memory.0, cpu_milli: check.cpu.map(|cpu| u64::from(cpu.0) * 10), time: check.timeout };
    let ended = watched(&run.context, image, check.run.argv(), &limits, &|line| {
        tail.take(line);
        if every_line {
            running.note(line);
        }
    })?;
    let hint = |name: &str| format!("its limit is `{name}:` of the check in wharf.yaml");
    let memory = base::units::show_bytes(limits.memory_bytes);
    match ended {
        Some(exit) if exit.code == 0 => Ok(tail.lines()),
        Some(exit) if exit.oom_killed => Err(tail.failure(stage, &check.run, &format!("more memory than {memory}")).hint(hint("memory"))),
        Some(exit) => Err(tail.failure(stage, &check.run, &format!("exit code {}", exit.code))),
        None => {
            let time = base::units::show_duration(limits.time);
            Err(tail.failure(stage, &check.run, &format!("its time up after {time}")).hint(hint("timeout")))
        }
    }
}
