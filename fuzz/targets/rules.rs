//! Any wharf.yaml is read or refused with places; its `ci` rules decide for any branch and files; a project's folder stays in its tree.
#![no_main]
// Of what is here only the reading is called.
#![allow(dead_code, unused_imports)]

#[path = "../../crates/wharf/src"]
mod wharf {
    pub mod settings;
}
use wharf::settings;

use ci::{Moved, ProjectFolder, Rule, Rules};
use settings::{Source, read};

libfuzzer_sys::fuzz_target!(|input: (&str, &str, &str)| {
    let (yaml, pattern, path) = input;
    if yaml.len() + pattern.len() + path.len() > 4_000 {
        return;
    }
    let folder = ProjectFolder::parse(pattern);
    if let Ok(folder) = &folder {
        assert!(!folder.as_str().starts_with('/') && folder.as_str().split('/').all(|part| part != ".." && part != "."));
        let clean = !path.is_empty() && path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if clean {
            assert_eq!(folder.resolve(&folder.relative(path)).as_deref(), Some(path));
        }
    }
    assert!(ci::matches("**", path) && (pattern.contains(['*', '?']) || ci::matches(pattern, path) == (pattern == path)));
    let file = Source { name: "wharf.yaml".to_owned(), text: yaml.to_owned() };
    match read(Some(&file), None, &[], "project: unknown\n") {
        Ok((settings, _)) => {
            let rule = |run: settings::CiRun| Rule {
                branches: run.only.branches,
                paths: run.only.paths,
                environment: run.env,
                stages: run.stages,
                skip: run.skip,
                artefacts: run.artefacts,
            };
            let runs: Vec<Rule> = settings.ci.runs.into_iter().map(rule).collect();
            let count = runs.len();
            let rules = Rules { runs: Some(runs).filter(|runs| !runs.is_empty()), keep: settings.ci.keep, submodules: settings.ci.submodules };
            let changed = [folder.unwrap_or_default().relative(path)];
            let some = rules.wanted(&Moved { branch: pattern, is_default: false, changed: Some(&changed) });
            let all = rules.wanted(&Moved { branch: pattern, is_default: false, changed: None });
            assert!(some.len() <= all.len() && all.len() <= count.max(1));
        }
        Err(findings) => assert!(!findings.is_empty()),
    }
});
