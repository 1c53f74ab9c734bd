//! The simple commands of a shell script, as far as rules need them: no expansion, no execution.
//!
//! A script that a shell would not take gives no commands at all, so that rules never guess.

mod cursor;
mod grammar;
mod word;

/// Substitutions and compound commands nested deeper than this are not read.
pub(crate) const DEEPEST: usize = 48;
/// Scripts longer than this many bytes are not read.
pub(crate) const LONGEST: usize = 1 << 20;

/// One simple command: `NAME=value.. name argument..`, redirections taken away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// Assignments before the name.
    pub assignments: Vec<(String, String)>,
    /// The name without quotes; empty where there are assignments only.
    pub name: String,
    /// The arguments without quotes; what a shell would expand stands as written.
    pub arguments: Vec<String>,
}

/// What a script holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// All simple commands in the order of their names, those in substitutions and compound commands too.
    pub commands: Vec<Command>,
    /// Whether the output of a command goes into another one anywhere.
    pub pipes: bool,
}

impl Script {
    /// Reads a script; one that is no shell script gives nothing.
    pub fn parse(text: &str) -> Self {
        if text.len() > LONGEST {
            return Self::default();
        }
        grammar::parse(text).unwrap_or_default()
    }
}

impl Command {
    /// Whether it has this argument.
    pub fn has(&self, argument: &str) -> bool {
        self.arguments.iter().any(|known| known == argument)
    }

    /// The arguments that are no flags, nor values of the flags that take one.
    pub fn operands(&self, value_flags: &[&str]) -> Vec<&str> {
        let mut operands = Vec::new();
        let mut arguments = self.arguments.iter();
        while let Some(argument) = arguments.next() {
            if value_flags.contains(&argument.as_str()) {
                arguments.next();
            } else if !argument.starts_with('-') {
                operands.push(argument.as_str());
            }
        }
        operands
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let show = |command: &Command| std::iter::once(command.name.clone()).chain(command.arguments.clone()).collect::<Vec<_>>().join(" ");
        Script::parse(text).commands.iter().map(show).collect()
    }

    #[test]
    fn finds_every_command() {
        let rows: [(&str, &[&str]); 22] = [
            ("a b && c; d || e & f", &["a b", "c", "d", "e", "f"]),
            ("A=1 B=\"x y\" a 'b c' d\\ e", &["a b c d e"]),
            ("(a; b) | { c; }", &["a", "b", "c"]),
            ("if a; then b; elif c; then d; else e; fi > x", &["a", "b", "c", "d", "e"]),
            ("for i in a $(b); do c $i; done", &["b", "c $i"]),
            ("for i do a; done; for ((i=0;i<3;i++)); do b; done", &["a", "b"]),
            ("while a; do b; done < x; until c; do d; done", &["a", "b", "c", "d"]),
            ("case $x in a|b) c;; (d) e ;; *) f; esac", &["c", "e", "f"]),
            ("f() { a; }; function g { b; }; g", &["a", "b", "g"]),
            ("echo \"$(a \"$(b)\")\" `c` ${x:-$(d)}", &["a $(b)", "b", "c", "d", "echo $(a \"$(b)\") `c` ${x:-$(d)}"]),
            ("x=$(a) y=(b c)", &["a", ""]),
            ("! time a; exec b; command c; coproc d", &["a", "b", "c", "d"]),
            ("[[ a || b && c ]] && d; ((x = 1 || 2)) && e", &["d", "e"]),
            ("a 2>&1 >b <c 3<>d >|e &>f g", &["a g"]),
            ("a <(b) >(c)", &["b", "c", "a <(b) >(c)"]),
            ("cat <<EOF | a && b\nno $(c) command\nEOF\nd", &["cat", "a", "b", "d"]),
            ("cat <<'E' <<-F\n$(x)\nE\n\ty\n\tF\nz", &["cat", "z"]),
            ("cat <<< \"a b\" | c", &["cat", "c"]),
            ("a # b && c\nd \\\n e", &["a", "d e"]),
            ("echo $((1 + 2)) $((3)) $x#y a#b", &["echo $((1 + 2)) $((3)) $x#y a#b"]),
            ("echo {a,b} $'c' {} }", &["echo {a,b} c {} }"]),
            ("", &[]),
        ];
        for (text, expected) in rows {
            let mut found = shown(text);
            let mut expected: Vec<String> = expected.iter().map(|command| (*command).to_owned()).collect();
            found.sort();
            expected.sort();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn what_no_shell_takes_gives_nothing() {
        for text in ["if a", "(a", "a && && b", "; a", "echo \"a", "echo 'a", "$(a", "case x in", "a )", "{ a", "a; }", "fi", "`a", "a |"] {
            assert_eq!(shown(text), Vec::<String>::new(), "{text}");
        }
        assert_eq!(shown(&"$(".repeat(100_000)), Vec::<String>::new());
        assert_eq!(shown(&"(".repeat(100_000)), Vec::<String>::new());
    }

    #[test]
    fn pipes_are_seen_where_they_are() {
        for text in ["a | b", "a |& b", "(a | b)", "echo $(a | b)", "if a | b; then c; fi"] {
            assert!(Script::parse(text).pipes, "{text}");
        }
        for text in ["a || b", "echo 'a | b'", "case x in a|b) c;; esac", "[[ a | b ]]", "a >| b", "echo a \\| b"] {
            assert!(!Script::parse(text).pipes, "{text}");
        }
    }
}
