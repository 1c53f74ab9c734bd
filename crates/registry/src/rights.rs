//! Who may do what with which repositories.
//!
//! A file of lines `WHO PATTERN RIGHT..`: WHO is a user's name, `*` for everybody who has said who they are, or `anonymous`
//! for everybody; PATTERN names repositories, where `*` stands for any run of characters without a slash and `**` for any
//! run; a RIGHT is `pull`, `push` or `delete`. What no line allows is refused. `#` begins a comment.

/// One thing that may be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// To read.
    Pull,
    /// To add, and to move tags.
    Push,
    /// To remove.
    Delete,
}

impl Right {
    const ALL: [(&'static str, Self); 3] = [("pull", Self::Pull), ("push", Self::Push), ("delete", Self::Delete)];

    fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, right)| *right)
    }

    /// As it is written.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, right)| *right == self).map_or("", |(name, _)| name)
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who<'a> {
    /// Somebody who has not said who they are.
    Anonymous,
    /// A user whose password was right.
    User(&'a str),
}

/// Why a file of rights cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct RightsError {
    /// Which line, from 1.
    pub line: usize,
    /// What is wrong with it, and what is expected.
    pub what: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    who: String,
    pattern: String,
    rights: Vec<Right>,
}

/// Rights of everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights(Vec<Line>);

const ANONYMOUS: &str = "anonymous";
const EVERYBODY_KNOWN: &str = "*";

impl Rights {
    /// Everybody may do everything: where nobody is asked who they are.
    pub fn open() -> Self {
        Self(vec![Line { who: ANONYMOUS.to_owned(), pattern: "**".to_owned(), rights: vec![Right::Pull, Right::Push, Right::Delete] }])
    }

    /// Everybody who has a password may do everything.
    pub fn users() -> Self {
        let mut open = Self::open();
        open.0.iter_mut().for_each(|line| EVERYBODY_KNOWN.clone_into(&mut line.who));
        open
    }

    /// Reads a file of rights.
    ///
    /// # Errors
    /// For the first line that is not as it should be.
    pub fn parse(text: &str) -> Result<Self, RightsError> {
        let mut lines = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default();
            let wrong = |what: String| RightsError { line: number + 1, what };
            let mut words = line.split_whitespace();
            let Some(who) = words.next() else { continue };
            let pattern = words.next().ok_or_else(|| wrong("expected `WHO PATTERN RIGHT..`".to_owned()))?;
            if pattern.len() > 255 || pattern.matches('*').count() > 8 {
                return Err(wrong("a pattern has at most 255 characters and 8 stars".to_owned()));
            }
            let unknown = |word: &str| wrong(format!("`{word}` is no right: expected `pull`, `push` or `delete`"));
            let rights: Vec<_> = words.map(|word| Right::named(word).ok_or_else(|| unknown(word))).collect::<Result<_, _>>()?;
            if rights.is_empty() {
                return Err(wrong("a right is missing: `pull`, `push` or `delete`".to_owned()));
            }
            lines.push(Line { who: who.to_owned(), pattern: pattern.to_owned(), rights });
        }
        Ok(Self(lines))
    }

    /// Whether somebody may do something with a repository.
    pub fn allow(&self, who: Who<'_>, repository: &str, right: Right) -> bool {
        let is_meant = |line: &Line| match who {
            _ if line.who == ANONYMOUS => true,
            Who::Anonymous => false,
            Who::User(name) => line.who == EVERYBODY_KNOWN || line.who == name,
        };
        self.0.iter().any(|line| line.rights.contains(&right) && is_meant(line) && fits(&line.pattern, repository))
    }

    /// Whether somebody who has not said who they are may do anything at all.
    pub fn has_anonymous(&self) -> bool {
        self.0.iter().any(|line| line.who == ANONYMOUS)
    }
}

/// Whether a pattern stands for a name.
pub fn fits(pattern: &str, name: &str) -> bool {
    // Where the pattern may be after each character of the name: as many places as the pattern is long, whatever it says.
    let pattern: Vec<Part> = parts(pattern);
    let mut at = vec![false; pattern.len() + 1];
    if let Some(first) = at.first_mut() {
        *first = true;
    }
    spread(&pattern, &mut at);
    for byte in name.bytes() {
        let mut next = vec![false; pattern.len() + 1];
        for (place, part) in pattern.iter().enumerate().filter(|(place, _)| at.get(*place) == Some(&true)) {
            let stays = matches!(part, Part::Any) || *part == Part::Within && byte != b'/';
            let goes = *part == Part::Byte(byte);
            if let Some(slot) = next.get_mut(if stays { place } else { place + 1 }).filter(|_| stays || goes) {
                *slot = true;
            }
        }
        spread(&pattern, &mut next);
        at = next;
    }
    at.last() == Some(&true)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Byte(u8),
    Within,
    Any,
}

fn parts(pattern: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = pattern;
    while let Some(first) = rest.bytes().next() {
        let (part, length) = match first {
            b'*' if rest.starts_with("**") => (Part::Any, 2),
            b'*' => (Part::Within, 1),
            byte => (Part::Byte(byte), 1),
        };
        parts.push(part);
        // A pattern may hold more than ASCII; it then fits nothing, for names hold nothing else.
        let Some(left) = rest.get(length..) else { return vec![Part::Byte(0)] };
        rest = left;
    }
    parts
}

/// A star may stand for nothing.
fn spread(pattern: &[Part], at: &mut [bool]) {
    for (place, part) in pattern.iter().enumerate() {
        let reached = at.get(place) == Some(&true) && !matches!(part, Part::Byte(_));
        if let Some(next) = at.get_mut(place + 1).filter(|_| reached) {
            *next = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_they_say() {
        for (pattern, name, expected) in [
            ("a/b", "a/b", true),
            ("a/b", "a/bc", false),
            ("a/*", "a/b", true),
            ("a/*", "a/b/c", false),
            ("a/**", "a/b/c", true),
            ("a/**", "a", false),
            ("**", "any/thing", true),
            ("*", "any", true),
            ("*", "any/thing", false),
            ("*/web-*", "team/web-1", true),
            ("**/x", "a/b/x", true),
            ("a**", "a", true),
            ("", "a", false),
            ("é", "a", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
        assert!(!fits(&"*a".repeat(8), &"a".repeat(255).replace("aaa", "b")), "no pattern takes long");
    }

    #[test]
    fn rights_are_those_of_the_lines_that_fit() {
        let text = "# ours\nalice jobs/** pull push delete\n* jobs/* pull\nanonymous public/** pull # all\n\n";
        let rights = Rights::parse(text).expect("rights");
        let alice = Who::User("alice");
        assert!(rights.allow(alice, "jobs/a/b", Right::Delete));
        assert!(rights.allow(alice, "public/x", Right::Pull));
        assert!(!rights.allow(alice, "public/x", Right::Push));
        assert!(rights.allow(Who::User("bob"), "jobs/a", Right::Pull));
        assert!(!rights.allow(Who::User("bob"), "jobs/a/b", Right::Pull));
        assert!(!rights.allow(Who::Anonymous, "jobs/a", Right::Pull));
        assert!(rights.allow(Who::Anonymous, "public/a", Right::Pull));
        assert!(rights.has_anonymous() && Rights::open().has_anonymous() && !Rights::users().has_anonymous());
        assert!(!Rights::users().allow(Who::Anonymous, "a", Right::Pull));
        assert!(Rights::users().allow(alice, "a/b", Right::Push));
    }

    #[test]
    fn lines_that_are_wrong_are_named() {
        for (text, line) in [("alice", 1), ("\nalice a/*", 2), ("alice a own", 1), ("a ********* pull", 1)] {
            assert_eq!(Rights::parse(text).expect_err(text).line, line);
        }
    }
}
