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
        assert_eq!(any(&["a".to_owned(), "b*".to_owned()]), "(^a$|^b[^/]*$)");
    }
}
