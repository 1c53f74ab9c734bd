//! `--chmod`: octal modes, and symbolic ones as `chmod` reads them (POSIX chmod; BuildKit takes both).

/// What is done to a mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ModeChange {
    /// It becomes this.
    Exact(u32),
    /// These actions, in order.
    Actions(Vec<Action>),
}

/// One action of a symbolic mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Action {
    /// Whose bits: user 0o700, group 0o070, others 0o007.
    who: u32,
    operator: char,
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    /// `rwxXst`: permissions of one digit, whether `X`, `s` and `t` stand there.
    Bits { bits: u32, search: bool, set_id: bool, sticky: bool },
    /// The bits that user, group or others have: how far they are shifted.
    Copy(u32),
}

impl ModeChange {
    /// Reads `0755`, `u=rwX,go=rX`, `+x`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.bytes().all(|b| b.is_ascii_digit()) {
            return parse_mode(text).map(Self::Exact);
        }
        let mut actions = Vec::new();
        for clause in text.split(',') {
            read_clause(clause, &mut actions)?;
        }
        Some(Self::Actions(actions))
    }

    /// The mode that comes of one.
    pub(crate) fn apply(&self, mode: u32, is_folder: bool) -> u32 {
        let actions = match self {
            Self::Exact(mode) => return *mode,
            Self::Actions(actions) => actions,
        };
        actions.iter().fold(mode, |now, action| action.apply(now, mode, is_folder))
    }
}

impl Action {
    fn apply(&self, mode: u32, original: u32, is_folder: bool) -> u32 {
        let spread = |digit: u32| (digit << 6 | digit << 3 | digit) & self.who;
        let (bits, special) = match &self.what {
            What::Copy(shift) => (spread(mode >> shift & 7), 0),
            What::Bits { bits, search, set_id, sticky } => {
                let search = *search && (is_folder || original & 0o111 != 0);
                let set = |on: bool, bit: u32| if on { bit } else { 0 };
                let special = set(*set_id && self.who & 0o700 != 0, 0o4000)
                    | set(*set_id && self.who & 0o070 != 0, 0o2000)
                    | set(*sticky && self.who & 0o007 != 0, 0o1000);
                (spread(bits | set(search, 1)), special)
            }
        };
        match self.operator {
            '+' => mode | bits | special,
            '-' => mode & !(bits | special),
            _ => {
                // What is not named goes; set-id bits of folders stay, as with GNU's chmod, unless they are named.
                let mut gone = self.who;
                if !is_folder {
                    gone |= if self.who & 0o700 != 0 { 0o4000 } else { 0 } | if self.who & 0o070 != 0 { 0o2000 } else { 0 };
                }
                if self.who & 0o007 != 0 {
                    gone |= 0o1000;
                }
                mode & !gone | bits | special
            }
        }
    }
}

fn read_clause(clause: &str, actions: &mut Vec<Action>) -> Option<()> {
    let operators = ['+', '-', '='];
    let start = clause.find(operators)?;
    let (who, mut rest) = clause.split_at(start);
    let who = who.chars().try_fold(0, |bits, c| Some(bits | whose(c)?))?;
    let who = if who == 0 { 0o777 } else { who };
    while let Some(operator) = rest.chars().next() {
        let after = rest.get(1..)?;
        let end = after.find(operators).unwrap_or(after.len());
        let (letters, more) = after.split_at(end);
        actions.push(Action { who, operator, what: read_what(letters)? });
        rest = more;
    }
    Some(())
}

fn whose(c: char) -> Option<u32> {
    Some(match c {
        'u' => 0o700,
        'g' => 0o070,
        'o' => 0o007,
        'a' => 0o777,
        _ => return None,
    })
}

fn read_what(letters: &str) -> Option<What> {
    match letters {
        "u" => return Some(What::Copy(6)),
        "g" => return Some(What::Copy(3)),
        "o" => return Some(What::Copy(0)),
        _ => {}
    }
    let (mut bits, mut search, mut set_id, mut sticky) = (0, false, false, false);
    for c in letters.chars() {
        match c {
            'r' => bits |= 4,
            'w' => bits |= 2,
            'x' => bits |= 1,
            'X' => search = true,
            's' => set_id = true,
            't' => sticky = true,
            _ => return None,
        }
    }
    Some(What::Bits { bits, search, set_id, sticky })
}

/// An octal mode.
pub(crate) fn parse_mode(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777 && !text.starts_with('+'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn modes_come_out_as_chmods() {
        let folder = std::env::temp_dir().join(format!("wharf-mode-{}-{}", std::process::id(), base::ids::suffix(6)));
        std::fs::create_dir_all(folder.join("d")).expect("folder");
        std::fs::write(folder.join("f"), "").expect("file");
        let texts = [
            "u=rwX,go=rX",
            "+x",
            "a+x",
            "go-w",
            "u+s",
            "g+s",
            "ug=rw,o=",
            "=",
            "a=rx",
            "u=g",
            "g=u,o=u-w",
            "+t",
            "o+t",
            "u+x,g-r",
            "ugo+rwxst",
            "a-st",
            "u-s",
            "0755",
            "7",
            "4711",
            "g=u",
            "o=g",
            "=rwX",
            "a=rwxs",
        ];
        for text in texts {
            for (name, is_folder) in [("f", false), ("d", true)] {
                for mode in [0o644, 0o755, 0o600, 0o4711, 0o2750, 0o1777, 0o000] {
                    let path = folder.join(name);
                    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("mode");
                    // By the shell, for the umask of 0: that is what BuildKit's modes stand under.
                    let script = format!("umask 0; chmod -- {text} {}", path.display());
                    assert!(std::process::Command::new("sh").args(["-c", &script]).status().expect("chmod").success());
                    let expected = std::fs::metadata(&path).expect("stat").permissions().mode() & 0o7777;
                    let change = ModeChange::parse(text).expect(text);
                    if matches!(change, ModeChange::Exact(_)) && is_folder {
                        continue;
                    }
                    assert_eq!(change.apply(mode, is_folder), expected, "{text} on {mode:o} of {name}");
                }
            }
        }
        std::fs::remove_dir_all(folder).expect("removed");
    }

    #[test]
    fn a_search_bit_is_decided_by_the_mode_as_it_was() {
        // POSIX: "the current (unmodified) file mode bits"; GNU's chmod looks at what the actions before have made of it.
        let change = ModeChange::parse("-x+X").expect("mode");
        assert_eq!((change.apply(0o755, false), change.apply(0o644, false), change.apply(0o600, true)), (0o755, 0o644, 0o711));
    }

    #[test]
    fn what_is_no_mode_is_refused() {
        for wrong in ["", "x", "8", "0o755", "77777", "u", "u=q", "z+x", "u+x,", ",u+x", "+755", "u=ug", "-1"] {
            assert_eq!(ModeChange::parse(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn whatever_is_read_gives_a_mode(text in "[ugoa+=rwxXst,0-9-]{0,12}|.*", mode in 0u32..0o10000, is_folder: bool) {
            if let Some(change) = ModeChange::parse(&text) {
                prop_assert!(change.apply(mode, is_folder) <= 0o7777);
            }
        }
    }
}
