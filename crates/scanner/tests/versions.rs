//! The order of versions against the programs that define it: `dpkg`, PyPI's `packaging`, npm's `semver`, Go's `x/mod/semver`, `apk`.
//!
//! Pairs come from a seed (`WHARF_TEST_SEED`), `WHARF_TEST_PAIRS` of them (200 unless told; `xtask long versions` takes 20,000). An oracle that
//! is not here is skipped by name; `WHARF_TEST_APK` names an `apk`.
#![allow(clippy::print_stdout, reason = "a test tells what it skipped and how much it compared")]

use scanner::Ecosystem;
use scanner::versions::compare;
use std::cmp::Ordering;
use std::io::Write;
use std::process::{Command, Stdio};

/// A small generator of pseudo-random numbers (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap_or(0) % limit
    }

    fn one_of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }

    fn number(&mut self) -> String {
        match self.below(8) {
            0 => "0".to_owned(),
            1 => (self.below(2) + 9).to_string(),
            2 => (self.below(99_999) + 20_200_000).to_string(),
            _ => self.below(4).to_string(),
        }
    }

    fn numbers(&mut self, least: usize, most: usize) -> String {
        let count = least + self.below(most - least + 1);
        (0..count).map(|_| self.number()).collect::<Vec<_>>().join(".")
    }

    fn maybe(&mut self, text: impl FnOnce(&mut Self) -> String) -> String {
        if self.below(2) == 0 { String::new() } else { text(self) }
    }
}

fn debian(random: &mut Random) -> String {
    let piece = |random: &mut Random| {
        let mut text = String::new();
        for _ in 0..random.below(4) {
            text += random.one_of(&["~", "+", ".", "a", "rc", "deb12u", "B", "~~", "git", "", "0", "00", "10"]);
            text += &random.maybe(Random::number);
        }
        text
    };
    let epoch = if random.below(6) == 0 { format!("{}:", random.below(3)) } else { String::new() };
    let (upstream, first) = (piece(random), random.numbers(1, 3));
    let revision = random.maybe(|random| format!("-{}{}", random.number(), piece(random)));
    format!("{epoch}{first}{upstream}{revision}")
}

fn alpine(random: &mut Random) -> String {
    let zero = |random: &mut Random| random.maybe(|random| format!(".{}{}", random.one_of(&["0", "00", ""]), random.number()));
    let letter = random.maybe(|random| random.one_of(&["a", "b", "z"]).to_owned());
    let mut text = format!("{}{}{}{letter}", random.numbers(1, 3), zero(random), zero(random));
    for _ in 0..random.below(3) {
        text += &format!("_{}", random.one_of(&["alpha", "beta", "pre", "rc", "cvs", "svn", "git", "hg", "p"]));
        text += &random.maybe(Random::number);
    }
    if random.below(5) == 0 {
        text += &format!("~{}", random.one_of(&["0", "abc", "ab", "1234", "f"]));
    }
    text + &random.maybe(|random| format!("-r{}", random.number()))
}

fn pypi(random: &mut Random) -> String {
    let epoch = if random.below(6) == 0 { format!("{}!", random.below(3)) } else { String::new() };
    let sign = ["", ".", "-", "_"];
    let mut text = format!("{}{epoch}{}", random.one_of(&["", "", "v"]), random.numbers(1, 4));
    for words in [&["a", "b", "rc", "alpha", "c", "pre", "preview", "RC"][..], &["post", "rev", "r"], &["dev"]] {
        if random.below(3) == 0 {
            text += random.one_of(&sign);
            text += random.one_of(words);
            text += &random.maybe(Random::number);
        }
    }
    if random.below(4) == 0 {
        text += "+";
        text += &format!(
            "{}{}{}",
            random.one_of(&["a", "ubuntu", "1", "10"]),
            random.one_of(&[".", "-", "_"]),
            random.one_of(&["b", "2", "02"])
        );
    }
    text
}

fn semver(random: &mut Random) -> String {
    let mut text = random.numbers(3, 3);
    if random.below(2) == 0 {
        let parts: Vec<String> = (0..=random.below(3))
            .map(|_| {
                if random.below(2) == 0 {
                    random.number()
                } else {
                    random.one_of(&["alpha", "beta", "rc1", "-", "x-y", "0a", "A"]).to_owned()
                }
            })
            .collect();
        text += &format!("-{}", parts.join("."));
    }
    if random.below(4) == 0 {
        text += random.one_of(&["+build", "+1", "+incompatible", "+0.a"]);
    }
    text
}

fn go(random: &mut Random) -> String {
    match random.below(5) {
        0 => format!("v{}", random.numbers(1, 2)),
        1 => format!(
            "v{}-{}",
            random.numbers(3, 3),
            random.one_of(&["0.20200101000000-abcdefabcdef", "20210101000000-0123456789ab", "0.20200101000000-abcdefabcdee"])
        ),
        _ => format!("v{}", semver(random)),
    }
}

/// Half of the pairs are all new, the others differ by a character or not at all.
fn pairs(make: fn(&mut Random) -> String) -> Vec<(String, String)> {
    let told = |name: &str, default: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let mut random = Random(told("WHARF_TEST_SEED", 20_261_122).max(1));
    let pair = |random: &mut Random| {
        let left = make(random);
        let mut right = make(random);
        if random.below(2) == 0 {
            let at = random.below(left.len());
            let end = (at + random.below(2)).min(left.len());
            let changed = format!("{}{}{}", &left[..at], random.one_of(&["", "0", "1", ".", ".0", "9"]), &left[end..]);
            right = if changed.is_empty() { right } else { changed };
        }
        (left, right)
    };
    (0..told("WHARF_TEST_PAIRS", 200)).map(|_| pair(&mut random)).collect()
}

/// Hands every pair to one program, a line each with a tab between; it answers `<`, `=`, `>`, or `?` where it does not read one of them.
fn ask(program: &mut Command, pairs: &[(String, String)]) -> Option<Vec<char>> {
    let mut child = program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
    let lines: String = pairs.iter().map(|(left, right)| format!("{left}\t{right}\n")).collect();
    let mut to = child.stdin.take()?;
    let writer = std::thread::spawn(move || to.write_all(lines.as_bytes()));
    let output = child.wait_with_output().ok()?;
    let _ = writer.join();
    let answers: Vec<char> = String::from_utf8_lossy(&output.stdout).lines().filter_map(|line| line.chars().next()).collect();
    (output.status.success() && answers.len() == pairs.len()).then_some(answers)
}

fn agrees(ecosystem: &Ecosystem, oracle: &str, program: &mut Command, make: fn(&mut Random) -> String) {
    let pairs = pairs(make);
    let Some(answers) = ask(program, &pairs) else {
        println!("skipped: {oracle} is not here");
        return;
    };
    let (mut unread, mut differences) = (0, Vec::new());
    for ((left, right), answer) in pairs.iter().zip(answers) {
        let ours = match compare(ecosystem, left, right) {
            Ok(Ordering::Less) => '<',
            Ok(Ordering::Equal) => '=',
            Ok(Ordering::Greater) => '>',
            Err(_) => '?',
        };
        unread += usize::from(answer == '?');
        if ours != answer {
            differences.push(format!("{left} {right}: {oracle} says {answer}, we say {ours}"));
        }
    }
    println!("{oracle}: {} pairs, {} that it does not read, {} differences", pairs.len(), unread, differences.len());
    assert!(unread * 2 < pairs.len().max(1), "too many pairs say nothing");
    assert!(differences.is_empty(), "{}", differences[..differences.len().min(40)].join("\n"));
}

fn shell(script: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", script]);
    shell
}

#[test]
fn as_dpkg() {
    const SCRIPT: &str = r#"command -v dpkg >/dev/null || exit 1
is() { dpkg --compare-versions "$a" "$1" "$b" 2>/dev/null; }
while IFS="	" read -r a b; do
  is lt
  case $? in
    0) echo '<';;
    1) if is eq; then echo '='; else echo '>'; fi;;
    *) echo '?';;
  esac
done"#;
    agrees(&Ecosystem::Debian(String::new()), "dpkg", &mut shell(SCRIPT), debian);
}

#[test]
fn as_apk() {
    const SCRIPT: &str = r#"[ -x "$WHARF_TEST_APK" ] || exit 1
while IFS="	" read -r a b; do "$WHARF_TEST_APK" version -t "$a" "$b" || echo '?'; done"#;
    agrees(&Ecosystem::Alpine(String::new()), "apk", &mut shell(SCRIPT), alpine);
}

#[test]
fn as_packaging() {
    const SCRIPT: &str = "
import sys
from packaging.version import Version, InvalidVersion
for line in sys.stdin:
    a, b = line.rstrip('\\n').split('\\t')
    try: a, b = Version(a), Version(b); print('<' if a < b else '=' if a == b else '>')
    except InvalidVersion: print('?')
";
    agrees(&Ecosystem::PyPi, "packaging", Command::new("python3").args(["-c", SCRIPT]), pypi);
}

#[test]
fn as_npm() {
    const SCRIPT: &str = "
const path = require('path');
const semver = require(path.join(path.dirname(process.execPath), '../lib/node_modules/npm/node_modules/semver'));
for (const line of require('fs').readFileSync(0, 'utf8').split('\\n').filter(Boolean)) {
  const [a, b] = line.split('\\t');
  console.log(semver.valid(a) && semver.valid(b) ? '<=>'[semver.compare(a, b) + 1] : '?');
}";
    agrees(&Ecosystem::Npm, "npm's semver", Command::new("node").args(["-e", SCRIPT]), semver);
}

#[test]
fn as_go() {
    const MODULE: &str = "module versions\n\ngo 1.24\n\nrequire golang.org/x/mod v0.36.0\n";
    const PROGRAM: &str = r#"package main

import ("bufio"; "fmt"; "os"; "strings"; "golang.org/x/mod/semver")

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		a, b, _ := strings.Cut(lines.Text(), "	")
		a, b = "v"+strings.TrimPrefix(a, "v"), "v"+strings.TrimPrefix(b, "v")
		if !semver.IsValid(a) || !semver.IsValid(b) { fmt.Println("?"); continue }
		fmt.Println(string("<=>"[semver.Compare(a, b)+1]))
	}
}
"#;
    let folder = std::env::temp_dir().join(format!("wharf-versions-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    for (name, text) in [("go.mod", MODULE), ("main.go", PROGRAM)] {
        std::fs::write(folder.join(name), text).expect("written");
    }
    let mut program = Command::new("go");
    program.args(["run", "-mod=mod", "."]).current_dir(&folder);
    agrees(&Ecosystem::Go, "golang.org/x/mod/semver", &mut program, go);
    let _ = std::fs::remove_dir_all(&folder);
}
