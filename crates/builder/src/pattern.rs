//! Patterns of paths: Go's `filepath.Match`, and with `**` those of `.dockerignore` (moby/patternmatcher).

/// A compiled pattern; matching takes time in proportion to pattern and path, whatever they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    tokens: Vec<Token>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Char(char),
    /// `?`: one character but a slash.
    One,
    /// `*`: any but slashes.
    Star,
    /// `**` before something: nothing, or anything that ends with a slash.
    Folders,
    /// `**` at the end: anything.
    Rest,
    /// `[a-z]`.
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

/// What a pattern may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// `*`, `?`, classes and escapes: COPY and ADD.
    Plain,
    /// And `**`: `.dockerignore` and `--exclude`.
    Deep,
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(text: &str, syntax: Syntax) -> Result<Self, &'static str> {
        let mut tokens = Vec::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            tokens.push(match c {
                '*' if syntax == Syntax::Deep && chars.next_if_eq(&'*').is_some() => {
                    chars.next_if_eq(&'/');
                    if chars.peek().is_none() { Token::Rest } else { Token::Folders }
                }
                '*' => Token::Star,
                '?' => Token::One,
                '[' => class(&mut chars)?,
                '\\' => Token::Char(chars.next().ok_or("a backslash stands at the end")?),
                c => Token::Char(c),
            });
        }
        Ok(Self { tokens })
    }

    /// One that matches this very path.
    pub fn exactly(path: &str) -> Self {
        Self { tokens: path.chars().map(Token::Char).collect() }
    }

    /// Whether the pattern has nothing but characters.
    pub fn is_literal(&self) -> bool {
        self.tokens.iter().all(|token| matches!(token, Token::Char(_)))
    }

    /// The path that a literal pattern stands for.
    pub fn literal(&self) -> String {
        self.tokens.iter().filter_map(|token| if let Token::Char(c) = token { Some(*c) } else { None }).collect()
    }

    /// Whether it matches the whole path.
    pub fn matches(&self, path: &str) -> bool {
        // All places in the pattern where one can be after the characters so far.
        let mut states = vec![false; self.tokens.len() + 1];
        self.enter(0, &mut states);
        let mut next = vec![false; self.tokens.len() + 1];
        for c in path.chars() {
            next.iter_mut().for_each(|state| *state = false);
            for (at, token) in self.tokens.iter().enumerate() {
                if states.get(at) == Some(&true) {
                    self.step(at, token, c, &mut next);
                }
            }
            std::mem::swap(&mut states, &mut next);
            if !states.contains(&true) {
                return false;
            }
        }
        states.last() == Some(&true)
    }

    fn step(&self, at: usize, token: &Token, c: char, next: &mut [bool]) {
        match token {
            Token::Char(own) if *own == c => self.enter(at + 1, next),
            Token::One if c != '/' => self.enter(at + 1, next),
            Token::Class { negated, ranges } if c != '/' && ranges.iter().any(|&(low, high)| low <= c && c <= high) != *negated => {
                self.enter(at + 1, next);
            }
            Token::Star if c != '/' => self.enter(at, next),
            Token::Rest => self.enter(at, next),
            Token::Folders => {
                // Within its text: only a slash lets the rest begin.
                if let Some(state) = next.get_mut(at) {
                    *state = true;
                }
                if c == '/' {
                    self.enter(at + 1, next);
                }
            }
            _ => {}
        }
    }

    /// Marks a place, and those after it that need no character.
    fn enter(&self, mut at: usize, states: &mut [bool]) {
        while let Some(state) = states.get_mut(at) {
            *state = true;
            match self.tokens.get(at) {
                Some(Token::Star | Token::Folders | Token::Rest) => at += 1,
                _ => return,
            }
        }
    }
}

fn class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Token, &'static str> {
    const OPEN: &str = "a `[` is not closed";
    let negated = chars.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    let one = |chars: &mut std::iter::Peekable<std::str::Chars<'_>>| match chars.next().ok_or(OPEN)? {
        '\\' => chars.next().ok_or(OPEN),
        c => Ok(c),
    };
    loop {
        if chars.peek() == Some(&']') && !ranges.is_empty() {
            chars.next();
            return Ok(Token::Class { negated, ranges });
        }
        let low = one(chars)?;
        let high = if chars.next_if_eq(&'-').is_some() { one(chars)? } else { low };
        ranges.push((low, high));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rows: &[(&str, &str, bool)], syntax: Syntax) {
        for (pattern, path, expected) in rows {
            let pattern = Pattern::new(pattern, syntax).expect(pattern);
            assert_eq!(pattern.matches(path), *expected, "{pattern:?} {path}");
        }
    }

    #[test]
    fn matches_as_go_does() {
        check(
            &[
                ("abc", "abc", true),
                ("*", "abc", true),
                ("*c", "abc", true),
                ("a*", "a", true),
                ("a*", "ab/c", false),
                ("a*/b", "abc/b", true),
                ("a*/b", "a/c/b", false),
                ("a*b*c*d*e*/f", "axbxcxdxe/f", true),
                ("a*b*c*d*e*/f", "axbxcxdxexxx/fff", false),
                ("ab[c]", "abc", true),
                ("ab[b-d]", "abc", true),
                ("ab[^c]", "abc", false),
                ("ab[^e-g]", "abc", true),
                ("a\\*b", "a*b", true),
                ("a\\*b", "ab", false),
                ("a?b", "a☺b", true),
                ("a[^a]b", "a☺b", true),
                ("a???b", "a☺b", false),
                ("a?b", "a/b", false),
                ("a[^x]b", "a/b", false),
                ("[\\]a]", "]", true),
                ("[\\-x]", "-", true),
                ("**", "a/b", false),
                ("", "", true),
            ],
            Syntax::Plain,
        );
        for wrong in ["[", "[^", "[a", "[a-", "[]a", "a\\"] {
            assert!(Pattern::new(wrong, Syntax::Plain).is_err(), "{wrong}");
        }
    }

    #[test]
    fn two_stars_cross_folders() {
        check(
            &[
                ("**", "file", true),
                ("**", "dir/file", true),
                ("**/", "dir/file", true),
                ("**/file", "file", true),
                ("**/file", "a/b/file", true),
                ("**/file", "afile", false),
                ("**file", "dir/file", true),
                ("dir/**", "dir/a/b", true),
                ("dir/**", "dir", false),
                ("**/dir2/*", "dir/dir2/file", true),
                ("**/dir2/*", "dir/dir2/dir2/file", true),
                ("a/**/b", "a/b", true),
                ("a/**/b", "a/x/y/b", true),
                ("a/**/b", "ab", false),
                ("**/*.txt", "a/b.txt", true),
                ("**/*.txt", "b.txt", true),
                ("**/.git", ".git", true),
            ],
            Syntax::Deep,
        );
    }

    #[test]
    fn hostile_patterns_take_no_time() {
        let pattern = Pattern::new(&"**/*a".repeat(200), Syntax::Deep).expect("pattern");
        assert!(!pattern.matches(&"a/".repeat(2000)));
    }
}
