//! Patterns of branches and files as regular expressions, which all three understand.

/// The expression of a pattern: `*` stands for any characters but `/`, `**` for any, `?` for one but `/`.
pub(super) fn regex(pattern: &str) -> String {
    let mut expression = String::from("^");
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '*' if rest.next_if_eq(&'*').is_some() => expression.push_str(".*"),
            '*' => expression.push_str("[^/]*"),
            '?' => expression.push_str("[^/]"),
            c if c.is_alphanumeric() || "-_/ ,:;=@%&\"'<>~`!".contains(c) => expression.push(c),
            c => expression.extend(['\\', c]),
        }
    }
    expression.push('$');
    expression
}

/// Several patterns as one.
pub(super) fn any(patterns: &[String]) -> String {
    match patterns {
        [one] => regex(one),
        several => format!("({})", several.iter().map(|pattern| regex(pattern)).collect::<Vec<_>>().join("|")),
    }
}

/// How often `**` may stand in a pattern where each becomes two of GitLab's.
pub(super) const MOST_DEEP: usize = 4;

/// The same as patterns of GitLab's `changes`, one of which must fit. They are those of Ruby's `File.fnmatch` with `FNM_PATHNAME`,
/// `FNM_DOTMATCH` and `FNM_EXTGLOB`, in which `**` goes through folders only as `**/`, after `$NAME` and `%NAME%` were replaced.
pub(super) fn globs(pattern: &str) -> Vec<String> {
    // More stars say no more.
    let mut pattern = pattern.to_owned();
    while pattern.contains("***") {
        pattern = pattern.replace("***", "**");
    }
    if pattern == "**" {
        return vec!["**/*".to_owned()];
    }
    let (start, tail) = match pattern.strip_suffix("/**") {
        Some(start) => (start, "/**/*"),
        None => (pattern.as_str(), ""),
    };
    let parts: Vec<String> = start.split("**").map(glob).collect();
    let (first, rest) = parts.split_first().map_or((String::new(), &[] as &[String]), |(first, rest)| (first.clone(), rest));
    let all = rest.iter().fold(vec![first], |all, part| {
        // A whole folder's name and any below it; elsewhere any characters: those without a `/`, and those with one.
        let between = |before: &String| (before.is_empty() || before.ends_with('/')) && part.starts_with('/');
        let ways = |before: &String| if between(before) { vec!["*/**"] } else { vec!["*", "*/**/*"] };
        all.iter().flat_map(|before| ways(before).into_iter().map(move |way| format!("{before}{way}{part}"))).collect()
    });
    all.into_iter().map(|one| one + tail).collect()
}

/// A part without `**`: what means something to GitLab alone stands for itself.
fn glob(part: &str) -> String {
    let escaped = |c: char| match c {
        '[' | ']' | '{' | '}' | '\\' => format!("\\{c}"),
        // Not by a backslash: variables are replaced before.
        '$' | '%' => format!("[{c}]"),
        c => c.to_string(),
    };
    part.chars().map(escaped).collect()
}

/// Whether a pattern stands for itself alone.
pub(super) fn is_exact(pattern: &str) -> bool {
    !pattern.contains(['*', '?'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_become_expressions() {
        for (pattern, expression) in [
            ("main", "^main$"),
            ("release/*", "^release/[^/]*$"),
            ("release/**", "^release/.*$"),
            ("a?c.d", "^a[^/]c\\.d$"),
            ("$(reboot)", "^\\$\\(reboot\\)$"),
        ] {
            assert_eq!(regex(pattern), expression);
        }
        for (pattern, expected) in [
            ("app/main.rs", &["app/main.rs"] as &[&str]),
            ("k8s/*.yaml", &["k8s/*.yaml"]),
            ("a?c", &["a?c"]),
            ("**", &["**/*"]),
            ("src/**", &["src/**/*"]),
            ("src/*/**", &["src/*/**/*"]),
            ("**/*.rs", &["*/**/*.rs"]),
            ("src/**/lib.rs", &["src/*/**/lib.rs"]),
            ("**/a/**/b", &["*/**/a/*/**/b"]),
            ("**.md", &["*.md", "*/**/*.md"]),
            ("src**", &["src*", "src*/**/*"]),
            ("a/****/b", &["a/*/**/b"]),
            ("a**b", &["a*b", "a*/**/*b"]),
            ("**a/**", &["*a/**/*", "*/**/*a/**/*"]),
            ("x/**y/**z", &["x/*y/*z", "x/*y/*/**/*z", "x/*/**/*y/*z", "x/*/**/*y/*/**/*z"]),
            ("a[1]/{b,c}\\d", &["a\\[1\\]/\\{b,c\\}\\\\d"]),
            ("$HOME/%A%/**", &["[$]HOME/[%]A[%]/**/*"]),
        ] {
            assert_eq!(globs(pattern), expected, "{pattern}");
        }
        assert_eq!(any(&["a".to_owned(), "b*".to_owned()]), "(^a$|^b[^/]*$)");
    }
}
