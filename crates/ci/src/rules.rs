//! Which runs a push begins: the conditions of the project's own settings. Pure.

use crate::runs::Work;
use std::time::Duration;

/// Stages that a branch beside the default one leaves out, where a project says nothing.
const DEPLOYING: [&str; 6] = ["push", "engine", "cluster", "deploy", "smoke", "load"];

/// One kind of run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Patterns of branches; every branch where it is empty. `*` stands for any characters but `/`, `**` for any, `?` for one.
    pub branches: Vec<String>,
    /// Patterns of files, one of which must have changed since the commit before; every change counts where it is empty. They count from
    /// the project's folder: `../` leads out of it, and nothing else does, also not `**`.
    pub paths: Vec<String>,
    /// The environment.
    pub environment: String,
    /// Only these stages; all where it is empty.
    pub stages: Vec<String>,
    /// Not these.
    pub skip: Vec<String>,
    /// Files that are kept of it.
    pub artefacts: Vec<String>,
}

/// What a project says of its runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Each that fits begins a run; `None` is what is done where a project says nothing: all stages for the default branch, for others
    /// those that deploy nothing.
    pub runs: Option<Vec<Rule>>,
    /// How long runs are kept.
    pub keep: Option<Duration>,
    /// Whether submodules are fetched.
    pub submodules: bool,
}

/// A branch that has moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved<'a> {
    /// Its name.
    pub branch: &'a str,
    /// Whether it is the repository's default one.
    pub is_default: bool,
    /// The files that changed; `None` where that is not known, which fits every pattern.
    pub changed: Option<&'a [String]>,
}

impl Rules {
    /// The runs that a moved branch begins: environment and work of each.
    pub fn wanted(&self, moved: &Moved<'_>) -> Vec<(String, Work)> {
        let common = Work { keep_seconds: self.keep.map(|keep| keep.as_secs()), submodules: self.submodules, ..Work::default() };
        let Some(rules) = &self.runs else {
            let skip = if moved.is_default { Vec::new() } else { DEPLOYING.map(str::to_owned).to_vec() };
            return vec![("local".to_owned(), Work { skip, ..common })];
        };
        let fits = rules.iter().filter(|rule| rule.fits(moved));
        let work =
            |rule: &Rule| Work { only: rule.stages.clone(), skip: rule.skip.clone(), artefacts: rule.artefacts.clone(), ..common.clone() };
        fits.map(|rule| (rule.environment.clone(), work(rule))).collect()
    }

    /// Whether any rule looks at the files that changed.
    pub fn looks_at_paths(&self) -> bool {
        self.runs.iter().flatten().any(|rule| !rule.paths.is_empty())
    }
}

impl Rule {
    fn fits(&self, moved: &Moved<'_>) -> bool {
        let branch = self.branches.is_empty() || self.branches.iter().any(|pattern| matches(pattern, moved.branch));
        let files = moved.changed.unwrap_or_default();
        let is_beyond = |path: &str| path.starts_with("../");
        let is = |pattern: &str, file: &str| is_beyond(pattern) == is_beyond(file) && matches(pattern, file);
        let path = || files.iter().any(|file| self.paths.iter().any(|pattern| is(pattern, file)));
        branch && (self.paths.is_empty() || moved.changed.is_none() || path())
    }
}

/// Whether a text fits a pattern: `*` stands for any characters but `/`, `**` for any, `?` for one but `/`.
pub fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    // Which beginnings of the text the beginning of the pattern fits; one row at a time, so that no pattern takes long.
    let mut fits = vec![false; text.len() + 1];
    if let Some(first) = fits.first_mut() {
        *first = true;
    }
    let mut rest = pattern.as_slice();
    while let Some((first, others)) = rest.split_first() {
        let (star, any) = (*first == '*', *first == '*' && others.first() == Some(&'*'));
        rest = if any { others.get(1..).unwrap_or_default() } else { others };
        let mut next = vec![false; text.len() + 1];
        for at in 0..=text.len() {
            let here = fits.get(at).copied().unwrap_or_default();
            let before = at.checked_sub(1);
            let character = before.and_then(|before| text.get(before)).copied();
            let fitted = |row: &[bool]| before.and_then(|before| row.get(before)).copied().unwrap_or_default();
            let now = if star {
                here || fitted(&next) && character.is_some_and(|c| any || c != '/')
            } else {
                fitted(&fits) && character.is_some_and(|c| c == *first || *first == '?' && c != '/')
            };
            if let Some(place) = next.get_mut(at) {
                *place = now;
            }
        }
        fits = next;
    }
    fits.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_fit() {
        let rows = [
            ("main", "main", true),
            ("main", "mai", false),
            ("release/*", "release/1.2", true),
            ("release/*", "release/1/2", false),
            ("release/**", "release/1/2", true),
            ("**", "", true),
            ("*", "a/b", false),
            ("a?c", "abc", true),
            ("a?c", "a/c", false),
            ("**/*.rs", "src/a/b.rs", true),
            ("src/**", "src/", true),
            ("", "", true),
            ("", "a", false),
            ("$(reboot)", "$(reboot)", true),
        ];
        for (pattern, text, fits) in rows {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }

    fn rule(branches: &[&str], paths: &[&str], environment: &str) -> Rule {
        let own = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect();
        Rule { branches: own(branches), paths: own(paths), environment: environment.into(), ..Rule::default() }
    }

    #[test]
    fn branches_and_paths_decide() {
        let rules = Rules { runs: Some(vec![rule(&["main"], &[], "prod"), rule(&[], &["docs/**"], "docs")]), ..Rules::default() };
        let wanted = |branch, changed: Option<&[String]>| {
            let moved = Moved { branch, is_default: false, changed };
            rules.wanted(&moved).into_iter().map(|(environment, _)| environment).collect::<Vec<_>>()
        };
        assert_eq!(wanted("main", Some(&["a".into()])), ["prod"]);
        assert_eq!(wanted("main", Some(&["docs/a".into()])), ["prod", "docs"]);
        assert_eq!(wanted("other", None), ["docs"]);
        assert!(wanted("other", Some(&[])).is_empty());
        let own = Rules { runs: Some(vec![rule(&[], &["**", "../lib/*"], "e")]), ..Rules::default() };
        for (file, fits) in [("a/b", true), ("../a", false), ("../lib/a", true), ("../../lib/a", false)] {
            let files = [file.to_owned()];
            assert_eq!(own.wanted(&Moved { branch: "b", is_default: false, changed: Some(&files) }).len(), usize::from(fits), "{file}");
        }
    }

    #[test]
    fn without_settings_only_the_default_branch_deploys() {
        let wanted = |is_default| Rules::default().wanted(&Moved { branch: "b", is_default, changed: None });
        assert_eq!(wanted(true), [("local".to_owned(), Work::default())]);
        assert!(wanted(false)[0].1.skip.contains(&"deploy".to_owned()));
    }

    proptest! {
        #[test]
        fn a_text_fits_itself_and_stars(text in "[a-z/.$()]{0,20}", at in 0..20usize) {
            prop_assert!(matches(&text, &text) && matches("**", &text));
            let at = at.min(text.len());
            let starred = format!("{}**{}", &text[..at], &text[at..]);
            prop_assert!(matches(&starred, &text));
        }
    }
}
