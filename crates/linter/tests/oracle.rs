//! Agreement with hadolint, counted per code over Dockerfiles that a seed makes.
//!
//! Set `WHARF_TEST_HADOLINT` to the program's path. The two differ on purpose where hadolint contradicts what builds: a registry's port is
//! no tag, stage names have no case, ADD takes git addresses and zstd, values of more flags are known to be no packages, and a variable
//! does not leak from one nameless stage into the next. That is rare enough to stay under the two percent that the design allows.

#![allow(clippy::print_stdout, reason = "a skipped test says what it lacks")]

use linter::{Options, RULES, lint};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

const FILES: u64 = 1_500;

const BASES: [&str; 14] = [
    "debian:12.5",
    "debian",
    "debian:latest",
    "python:3.12-slim",
    "alpine:3.20",
    "alpine",
    "scratch",
    "$BASE",
    "${BASE}:1",
    "node:latest",
    "ghcr.io/x/y",
    "ghcr.io/x/y:1",
    "debian@sha256:0000000000000000000000000000000000000000000000000000000000000000",
    "stage0",
];

const INSTRUCTIONS: [&str; 46] = [
    "WORKDIR /app",
    "WORKDIR app",
    "WORKDIR ./app",
    "WORKDIR \"/x y\"",
    "WORKDIR $HOME/x",
    "WORKDIR a$B",
    "USER root",
    "USER 0:0",
    "USER app",
    "USER 1000",
    "USER root:root",
    "MAINTAINER Jo <jo@example.com>",
    "LABEL a=b",
    "ENV A=b C=\"d e\"",
    "ENV PIP_NO_CACHE_DIR=1",
    "ENV PIP_NO_CACHE_DIR=off",
    "ARG V=1",
    "EXPOSE 80 443/tcp",
    "VOLUME /data",
    "COPY . /app",
    "COPY --chown=1:1 --from=stage0 /a /b",
    "COPY [\"a b\", \"/c\"]",
    "ADD app.py /app/",
    "ADD a.tar.gz /",
    "ADD https://example.com/x /x",
    "ADD a.tgz b.txt /c/",
    "ADD $SRC /x",
    "ADD dir /x",
    "ADD rootfs.tar.xz /",
    "CMD app --serve",
    "CMD [\"app\"]",
    "ENTRYPOINT /run.sh",
    "ENTRYPOINT [\"/run.sh\", \"x\"]",
    "HEALTHCHECK CMD curl -f http://localhost/ || exit 1",
    "HEALTHCHECK NONE",
    "HEALTHCHECK --interval=5s CMD [\"a\"]",
    "STOPSIGNAL SIGTERM",
    "SHELL [\"/bin/bash\", \"-o\", \"pipefail\", \"-c\"]",
    "SHELL [\"/bin/bash\", \"-c\"]",
    "SHELL [\"/bin/ash\", \"-eo\", \"pipefail\", \"-c\"]",
    "ONBUILD RUN apt-get install -y x",
    "ONBUILD COPY . /x",
    "# a comment",
    "# hadolint ignore=DL3003,DL3008",
    "# hadolint ignore=DL3059 # why",
    "",
];

const COMMANDS: [&str; 78] = [
    "apt-get update",
    "apt-get -y update",
    "apt update",
    "apt-get install -y curl",
    "apt-get install -y --no-install-recommends curl=7.* git",
    "apt-get install -y --no-install-recommends curl=7.88 git=1:2",
    "apt-get install -yqq curl=7.88",
    "apt-get -y -t bookworm install foo=1",
    "apt-get install -y ./x.deb",
    "apt-get install -y \"$PKGS\"",
    "DEBIAN_FRONTEND=noninteractive apt-get install -y tzdata",
    "apt-get install -y foo/bookworm",
    "apt-get clean",
    "rm -rf /var/lib/apt/lists/*",
    "rm -rf /tmp/*",
    "rm -f /tmp/x",
    "apt-get upgrade -y",
    "apt-get purge -y curl",
    "sudo apt-get install curl",
    "apk add curl",
    "apk add --no-cache curl=8 git~2",
    "apk --no-cache add curl",
    "apk add --virtual .deps gcc musl-dev=1",
    "apk add -t .deps gcc=1",
    "apk update",
    "apk add --repository https://x/y foo=1",
    "apk del .deps",
    "apk add --no-cache $PKGS",
    "pip install flask",
    "pip install flask==3.0",
    "pip3 install --no-cache-dir flask",
    "pip install --no-cache-dir -r requirements.txt",
    "pip install --upgrade pip",
    "pip install .",
    "pip install -e .",
    "pip install 'flask>=2,<3' gunicorn==1",
    "python -m pip install flask",
    "python3 -m pip install --no-cache-dir flask==1",
    "pip install git+https://x/y.git@v1",
    "pip install git+https://x/y.git",
    "pip install https://x/y.tar.gz",
    "pip install dist/*.whl",
    "pip install --index-url https://x flask==1",
    "pip install -c c.txt flask",
    "pip install flask[async]",
    "pip install flask[async]==1",
    "pip install $PKG",
    "pip install flask==$V",
    "pip uninstall -y x",
    "pip freeze",
    "pipenv install x",
    "PIP_NO_CACHE_DIR=1 pip install x==1",
    "cd /app",
    "cd /app && make",
    "(cd x; make)",
    "make -C x",
    "echo cd x",
    "echo 'a | b'",
    "curl -sSL https://x | sh",
    "wget -O - https://x | tar xz -C /opt",
    "cat a | b | c",
    "set -eux",
    "set -o pipefail",
    "if [ -f x ]; then cd y; fi",
    "for i in a b; do pip install $i; done",
    "while read x; do echo $x; done < list",
    "case $A in x|y) cd z ;; *) true ;; esac",
    "echo \"$(cd x && pwd)\"",
    "X=$(cat a | b)",
    "test -f x || exit 1",
    "[ -n \"$A\" ]",
    "[[ $A == b ]]",
    "f() { cd x; }",
    "useradd -u 1000 app",
    "mkdir -p /x/{a,b}",
    "echo a > /b 2>&1",
    "npm ci",
    "go build ./...",
];

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % sides
    }

    fn pick(&mut self, list: &[&'static str]) -> &'static str {
        list[self.roll(list.len())]
    }
}

fn dockerfile(seed: u64) -> String {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut source = String::from("ARG BASE=debian\n");
    for stage in 0..1 + dice.roll(3) {
        let base = if stage == 0 { "debian:12.5" } else { dice.pick(&BASES) };
        let name = if dice.roll(2) == 0 { format!(" AS stage{stage}") } else { String::new() };
        source += &format!("FROM {}{name}\n", if dice.roll(2) == 0 { base } else { dice.pick(&BASES) });
        for _ in 0..2 + dice.roll(6) {
            source += &if dice.roll(2) == 0 { dice.pick(&INSTRUCTIONS).to_owned() } else { run(&mut dice) };
            source += "\n";
        }
    }
    source
}

fn run(dice: &mut Dice) -> String {
    let mounts =
        ["", "", "", "", "--mount=type=cache,target=/home/.cache/pip ", "--mount=type=cache,target=/var/lib/apt/lists,sharing=locked "];
    let mut run = format!("RUN {}{}", dice.pick(&mounts), dice.pick(&COMMANDS));
    for _ in 0..dice.roll(4) {
        run += dice.pick(&[" && ", " && ", " && \\\n    ", "; ", " || ", " && \\\n    # why\n    "]);
        run += dice.pick(&COMMANDS);
    }
    run
}

type Found = BTreeSet<(String, u64, String)>;

fn theirs(hadolint: &str, folder: &Path, names: &[String]) -> (Found, BTreeSet<String>) {
    let run = Command::new(hadolint).args(["--no-fail", "-f", "json"]).args(names).current_dir(folder).output().expect("runs");
    let list: Vec<serde_json::Value> = serde_json::from_slice(&run.stdout).expect("JSON");
    let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
    let all: Found = list.iter().map(|f| (text(&f["file"]), f["line"].as_u64().expect("a line"), text(&f["code"]))).collect();
    let unread = all.iter().filter(|(_, _, code)| code == "DL1000").map(|(file, _, _)| file.clone()).collect();
    (all.into_iter().filter(|(_, _, code)| RULES.iter().any(|rule| rule.code == code)).collect(), unread)
}

#[test]
fn agrees_with_hadolint() {
    let Ok(hadolint) = std::env::var("WHARF_TEST_HADOLINT") else {
        println!("skipped: hadolint (set WHARF_TEST_HADOLINT to its path)");
        return;
    };
    let folder = std::env::temp_dir().join(format!("wharf-oracle-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("folder");
    let sources: BTreeMap<String, String> = (1..=FILES).map(|seed| (format!("f{seed}"), dockerfile(seed))).collect();
    sources.iter().for_each(|(name, source)| std::fs::write(folder.join(name), source).expect("written"));
    let names: Vec<String> = sources.keys().cloned().collect();
    let (theirs, unread) = theirs(&hadolint, &folder, &names);
    std::fs::remove_dir_all(&folder).expect("removed");
    let ours: Found = sources
        .iter()
        .flat_map(|(name, source)| lint(name, source, &Options::default()))
        .map(|f| (f.place.file.expect("a file"), u64::from(f.place.line.expect("a line")), f.rule))
        .collect();
    let mut counts: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    for found @ (file, line, code) in ours.union(&theirs).filter(|(file, _, _)| !unread.contains(file)) {
        let entry = counts.entry(code).or_default();
        let agreed = ours.contains(found) && theirs.contains(found);
        *entry = (entry.0 + u32::from(agreed), entry.1 + 1);
        if !agreed && entry.1 - entry.0 < 4 {
            let who = if ours.contains(found) { "only we" } else { "only hadolint" };
            println!("{code}: {who}: {}", sources[file].lines().nth(usize::try_from(*line).expect("fits") - 1).unwrap_or_default());
        }
    }
    println!("{} files, {} of them not read by hadolint", sources.len(), unread.len());
    for (code, (agreed, all)) in &counts {
        println!("{code}: {agreed} of {all}");
    }
    assert_eq!(counts.keys().filter(|code| code.starts_with("DL3") || code.starts_with("DL4")).count(), RULES.len());
    assert!(counts.values().all(|(agreed, all)| agreed * 100 >= all * 98), "{counts:?}");
}
