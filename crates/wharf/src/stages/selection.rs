//! Which stages a command wants, and which those need.

use super::{STAGES, Stage, build, check, cluster, deploy, engine, lint, prepare, push, scan, test};
use base::{Problem, ProblemKind};

/// Which stages are wanted.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Only these.
    pub only: Vec<String>,
    /// Not these.
    pub skip: Vec<String>,
    /// This one and those after it.
    pub from: Option<String>,
    /// Those on demand that the environment asks for.
    pub also: Vec<&'static str>,
}

impl Selection {
    /// What a plan needs; one that is kept says what every stage before it found.
    pub fn planning(kept: bool) -> Self {
        let found = [lint::STAGE.name, test::STAGE.name, scan::STAGE.name, check::STAGE.name];
        let needed = [prepare::STAGE.name, build::STAGE.name, engine::STAGE.name, cluster::STAGE.name];
        Self::of(&[if kept { &found[..] } else { &[] }, &needed].concat())
    }

    /// What connects the environment's cluster.
    pub fn connecting() -> Self {
        Self::of(&[engine::STAGE.name, cluster::STAGE.name])
    }

    /// Just these stages.
    pub fn of(names: &[&str]) -> Self {
        Self { only: names.iter().map(|name| (*name).to_owned()).collect(), ..Self::default() }
    }

    /// The stages that it means, in their order.
    ///
    /// # Errors
    /// When it names one that is not there.
    pub fn stages(&self) -> Result<Vec<&'static Stage>, Problem> {
        let known: Vec<&str> = STAGES.iter().map(|stage| stage.name).collect();
        for name in self.only.iter().chain(&self.skip).chain(&self.from) {
            if !known.contains(&name.as_str()) {
                return Err(Problem::new(ProblemKind::Usage, format!("there is no stage `{name}`"))
                    .hint(format!("there are: {}", known.join(", "))));
            }
        }
        let first = self.from.as_ref().and_then(|from| known.iter().position(|name| name == from)).unwrap_or(0);
        let named = |stage: &&'static Stage| self.only.iter().any(|name| name == stage.name);
        let wanted = |stage: &&'static Stage| {
            let asked = || self.from.as_deref() == Some(stage.name) || self.also.contains(&stage.name);
            if self.only.is_empty() { !stage.on_demand || asked() } else { named(stage) }
        };
        let skipped = |stage: &Stage| self.skip.iter().any(|name| name == stage.name);
        let mut all: Vec<&'static Stage> = STAGES.iter().skip(first).filter(wanted).filter(|stage| !skipped(stage)).collect();
        let has = |all: &[&'static Stage], of: &[&Stage]| all.iter().any(|stage| of.iter().any(|one| one.name == stage.name));
        let mut needed: Vec<&'static Stage> = Vec::new();
        // What is scanned, pushed and deployed is named by the digests that a build gives; an unchanged one costs nothing.
        if has(&all, &[&scan::STAGE, &push::STAGE, &deploy::STAGE]) {
            needed.extend([&prepare::STAGE].into_iter().filter(|stage| !skipped(stage)).chain([&build::STAGE]));
        }
        // What was pushed is there already; what was not would be missed.
        if has(&all, &[&deploy::STAGE]) && !skipped(&push::STAGE) {
            needed.push(&push::STAGE);
        }
        if all.iter().any(|stage| stage.needs_cluster) {
            needed.extend([&engine::STAGE, &cluster::STAGE]);
        }
        for stage in needed {
            if !has(&all, &[stage]) {
                all.push(stage);
            }
        }
        all.sort_by_key(|stage| known.iter().position(|name| *name == stage.name));
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::Selection;

    fn names(selection: &Selection) -> String {
        let stages = selection.stages().expect("stages that there are");
        stages.iter().map(|stage| stage.name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_a_stage_needs_comes_before_it() {
        let listed = |text: &str| text.split(' ').filter(|name| !name.is_empty()).map(str::to_owned).collect::<Vec<_>>();
        let rows = [
            // only, skip, from, what is done.
            ("lint", "", "", "lint"),
            ("scan", "", "", "prepare build scan"),
            ("push", "", "", "prepare build push"),
            ("prepare check", "", "", "prepare check"),
            ("deploy", "", "", "prepare build push engine cluster deploy"),
            ("deploy", "push prepare", "", "build engine cluster deploy"),
            ("smoke", "", "", "engine cluster smoke"),
            ("", "", "scan", "prepare build scan check push engine cluster deploy smoke"),
            ("", "push engine cluster deploy smoke", "scan", "prepare build scan check"),
            ("", "build push engine cluster deploy smoke", "", "lint test prepare build scan check"),
            ("", "", "smoke", "engine cluster smoke"),
        ];
        for (only, skip, from, done) in rows {
            let from = Some(from.to_owned()).filter(|from| !from.is_empty());
            let selection = Selection { only: listed(only), skip: listed(skip), from, also: Vec::new() };
            assert_eq!(names(&selection), done, "{selection:?}");
        }
    }

    #[test]
    fn a_plan_that_is_kept_says_what_every_gate_found() {
        assert_eq!(names(&Selection::planning(true)), "lint test prepare build scan check engine cluster");
        assert_eq!(names(&Selection::planning(false)), "prepare build engine cluster");
    }

    #[test]
    fn an_unknown_stage_is_refused_by_name() {
        let wrong = Selection::of(&["tset"]).stages().expect_err("no such stage");
        assert!(wrong.message.contains("`tset`") && wrong.hints[0].contains("test"), "{wrong:?}");
    }
}
