//! Stages of different runs, side by side: the columns of the stage view and their average times.

use ci::{Run, StageState};

/// Columns that are shown; a project that has more stages shows the first ones and its run the others.
const MOST: usize = 24;

/// One column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    /// The stage.
    pub(crate) name: String,
    /// How long it took on average where it did its work, in milliseconds.
    pub(crate) average: Option<u64>,
}

/// The columns of some runs, the newest first: every stage once, in the order of the newest run that has it.
pub(crate) fn columns(runs: &[Run]) -> Vec<Column> {
    let mut names: Vec<&str> = Vec::new();
    for run in runs {
        let mut next = 0;
        for stage in &run.stages {
            match names.iter().position(|name| *name == stage.name) {
                Some(at) => next = at + 1,
                None if names.len() < MOST => {
                    names.insert(next.min(names.len()), &stage.name);
                    next += 1;
                }
                None => {}
            }
        }
    }
    names.into_iter().map(|name| Column { name: name.to_owned(), average: average(runs, name) }).collect()
}

/// Unchanged stages cost nothing, and failed ones ended somewhere: neither says how long the work takes.
fn average(runs: &[Run], name: &str) -> Option<u64> {
    let stages = runs.iter().flat_map(|run| &run.stages).filter(|stage| stage.name == name);
    let worked = stages.filter(|stage| matches!(stage.state, StageState::Done | StageState::Warned));
    let (count, sum) =
        worked.filter_map(|stage| stage.milliseconds).fold((0u64, 0u64), |(count, sum), ms| (count + 1, sum.saturating_add(ms)));
    sum.checked_div(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Timestamp;
    use ci::{Commit, RunId, RunState, StageRun, Trigger};

    fn run(stages: &[(&str, StageState, u64)]) -> Run {
        let stage =
            |(name, state, ms): &(&str, StageState, u64)| StageRun { state: *state, milliseconds: Some(*ms), ..StageRun::waiting(*name) };
        Run {
            id: RunId(1),
            repository: "r".into(),
            project: ci::ProjectFolder::default(),
            branch: "main".into(),
            environment: "local".into(),
            commit: Commit::default(),
            trigger: Trigger::Push { by: "ann".into() },
            state: RunState::Passed,
            attempt: 1,
            runner: None,
            created: Timestamp::default(),
            began: None,
            ended: None,
            stages: stages.iter().map(stage).collect(),
            cause: None,
            urls: Vec::new(),
            release: None,
            artefacts: Vec::new(),
        }
    }

    #[test]
    fn stages_are_aligned_and_averaged() {
        use StageState::{Done, Failed, Unchanged, Warned};
        let runs = [
            run(&[("checkout", Done, 10), ("lint", Warned, 30), ("deploy", Done, 100)]),
            run(&[("checkout", Done, 20), ("lint", Failed, 1)]),
            run(&[("checkout", Unchanged, 1), ("lint", Done, 10), ("scan", Done, 7), ("deploy", Done, 300), ("load", Failed, 9)]),
        ];
        let found: Vec<(String, Option<u64>)> = columns(&runs).into_iter().map(|column| (column.name, column.average)).collect();
        let expected = [("checkout", Some(15)), ("lint", Some(20)), ("scan", Some(7)), ("deploy", Some(200)), ("load", None)];
        assert_eq!(found, expected.map(|(name, average)| (name.to_owned(), average)));
        assert_eq!(columns(&[]), []);
    }

    #[test]
    fn there_is_an_end_to_columns() {
        let names: Vec<String> = (0..500).map(|number| format!("s{number}")).collect();
        let stages: Vec<(&str, StageState, u64)> = names.iter().map(|name| (name.as_str(), StageState::Done, 1)).collect();
        assert_eq!(columns(&[run(&stages)]).len(), MOST);
    }
}
