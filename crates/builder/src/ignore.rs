//! `.dockerignore`: patterns anchored at the context's root, `!` brings back, the last match wins. Not git's rules.

use crate::pattern::{Pattern, Syntax};

/// The patterns of one file.
#[derive(Clone, Debug, Default)]
pub struct Ignore {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    pattern: Pattern,
    brings_back: bool,
}

/// Which rules matched a folder, for what lies in it: a rule that matches a folder matches all below.
#[derive(Clone, Debug, Default)]
pub struct Matched(Vec<bool>);

/// A pattern that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoreError {
    /// Line, from 1.
    pub line: u32,
    /// The pattern.
    pub pattern: String,
    /// What is wrong.
    pub why: &'static str,
}

impl Ignore {
    /// Reads the file's text.
    ///
    /// # Errors
    /// All patterns that cannot be read.
    pub fn parse(text: &str) -> Result<Self, Vec<IgnoreError>> {
        let (mut rules, mut errors) = (Vec::new(), Vec::new());
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (line, written) in (1u32..).zip(text.lines()).filter(|(_, written)| !written.starts_with('#')) {
            let trimmed = written.trim();
            if trimmed.is_empty() {
                continue;
            }
            let (brings_back, pattern) = trimmed.strip_prefix('!').map_or((false, trimmed), |rest| (true, rest.trim()));
            let compiled =
                if pattern.is_empty() { Err("a `!` has no pattern behind it") } else { Pattern::new(&clean(pattern), Syntax::Deep) };
            match compiled {
                Ok(pattern) => rules.push(Rule { pattern, brings_back }),
                Err(why) => errors.push(IgnoreError { line, pattern: trimmed.to_owned(), why }),
            }
        }
        if errors.is_empty() { Ok(Self { rules }) } else { Err(errors) }
    }

    /// Of patterns without lines, as `--exclude` has them.
    ///
    /// # Errors
    /// The first that cannot be read, and why.
    pub fn of(patterns: &[String]) -> Result<Self, (String, &'static str)> {
        let mut rules = Vec::new();
        for written in patterns {
            let (brings_back, pattern) = written.strip_prefix('!').map_or((false, written.as_str()), |rest| (true, rest));
            let pattern = Pattern::new(&clean(pattern), Syntax::Deep).map_err(|why| (written.clone(), why))?;
            rules.push(Rule { pattern, brings_back });
        }
        Ok(Self { rules })
    }

    /// Whether nothing is ever ignored.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Leaves one path out as well, whatever the other rules say; it is no pattern.
    pub fn leave_out(&mut self, path: &str) {
        self.rules.push(Rule { pattern: Pattern::exactly(&clean(path)), brings_back: false });
    }

    /// Whether something below an ignored folder could be brought back.
    pub fn brings_back(&self) -> bool {
        self.rules.iter().any(|rule| rule.brings_back)
    }

    /// Whether a path (below the root, no slash at either end) is ignored, given what matched its folder; and what matched it.
    pub fn decide(&self, path: &str, folder: &Matched) -> (bool, Matched) {
        let mut ignored = false;
        let matched = self.rules.iter().enumerate().map(|(at, rule)| {
            let matched = folder.0.get(at) == Some(&true) || rule.pattern.matches(path);
            if matched {
                ignored = !rule.brings_back;
            }
            matched
        });
        let matched = Matched(matched.collect());
        (ignored, matched)
    }

    /// As [`Ignore::decide`] for a path whose folders were not decided before.
    pub fn ignores(&self, path: &str) -> bool {
        let mut matched = Matched::default();
        let mut ignored = false;
        let ends = path.char_indices().filter(|(_, c)| *c == '/').map(|(at, _)| at).chain([path.len()]);
        for end in ends {
            (ignored, matched) = self.decide(path.get(..end).unwrap_or_default(), &matched);
        }
        ignored
    }
}

/// Go's `filepath.Clean`, and no slash at the beginning.
fn clean(pattern: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in pattern.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            // Nothing is above the root; a pattern that goes there matches nothing of the context by its first part.
            if parts.pop().is_none() {
                parts.push("..");
            }
        } else {
            parts.push(part);
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_dockers_and_not_gits() {
        let rows: &[(&str, &str, bool)] = &[
            ("node_modules", "node_modules", true),
            ("node_modules", "node_modules/a/b", true),
            ("node_modules", "sub/node_modules", false),
            ("**/node_modules", "sub/node_modules/x", true),
            ("/foo", "foo", true),
            ("foo/", "foo/bar", true),
            ("./foo", "foo", true),
            ("a/../foo", "foo", true),
            ("*.md\n!README.md", "README.md", false),
            ("*.md\n!README.md", "CHANGES.md", true),
            ("*.md\n!README*.md\nREADME-secret.md", "README-secret.md", true),
            ("*.md\nREADME-secret.md\n!README*.md", "README-secret.md", false),
            ("*\n!src", "src/main.rs", false),
            ("*\n!src\nsrc/*.o", "src/a.o", true),
            ("*/temp*", "sub/temporary.txt", true),
            ("*/temp*", "a/b/temp", false),
            ("temp?", "tempa", true),
            ("# comment\n #kept", "#kept", true),
            ("  spaced  ", "spaced", true),
            ("! spaced", "spaced", false),
            ("a\n!a/b\na/b/c", "a/b/c", true),
            ("a\n!a/b\na/b/c", "a/b/d", false),
            ("**", "anything/at/all", true),
            ("**\n!keep", "keep", false),
            ("**/*.go\n!a/b.go", "a/b.go", false),
            ("\u{feff}foo", "foo", true),
            ("../foo", "foo", false),
        ];
        for (text, path, expected) in rows {
            assert_eq!(Ignore::parse(text).expect(text).ignores(path), *expected, "{text:?} {path}");
        }
    }

    #[test]
    fn wrong_patterns_have_lines() {
        let errors = Ignore::parse("ok\n!\n[a\n").expect_err("wrong");
        assert_eq!(errors.iter().map(|error| error.line).collect::<Vec<_>>(), [2, 3]);
    }
}
