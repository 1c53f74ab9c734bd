//! Made-up releases and images.

use crate::runs::{HOSTILE, advisories, before, hex};
use ci::RunId;
use dashboard::{Allowed, Approval, Check, Fate, Happened, Image, ImageBrief, Layer, Release, ReleaseKey, StageResult};
use scanner::matching::Vulnerability;
use scanner::{Ecosystem, Package};
use serde_json::{Value, json};
use std::time::Duration;

pub fn releases() -> Vec<Release> {
    let release = |at: u64, fate, cause: Option<&str>, environment: &str| Release {
        key: ReleaseKey { project: "request-info".into(), environment: environment.into(), id: hex(at + 600)[..12].into() },
        created: before(at * 30_000 + 900),
        fate,
        cause: cause.map(str::to_owned),
        source: format!("commit {}", &hex(at)[..8]),
        run: Some(RunId(29 - at)),
    };
    let mut all = vec![
        release(0, Fate::Serves, None, "production"),
        release(1, Fate::Failed, Some("Deployment request-info: the new pods end again and again (exit code 1)"), "production"),
        release(2, Fate::Serves, None, "local"),
        release(3, Fate::Deployed, None, "production"),
        release(4, Fate::Deploying, None, "staging"),
    ];
    all.push(Release { source: HOSTILE.into(), cause: Some(HOSTILE.into()), ..release(5, Fate::Failed, None, HOSTILE) });
    all
}

pub fn allowed(release: Release) -> Allowed {
    let result = |name: &str, verdict: &str, summary: &str| StageResult {
        name: name.into(),
        verdict: verdict.into(),
        summary: summary.into(),
        findings: Vec::new(),
    };
    let scan = StageResult { findings: advisories(2), ..result("scan", "warned", "6 known of 212 packages, report-only") };
    let happened = |number: u64, event: &str, words: &str| Happened {
        number,
        at: release.created.plus(Duration::from_secs(number * 7)),
        event: event.into(),
        words: words.into(),
        digest: format!("sha256:{}", hex(number + 40)),
    };
    Allowed {
        check: match release.fate {
            Fate::Failed => Err(HOSTILE.into()),
            Fate::Deploying => Ok(Check::NotVerifiable { why: HOSTILE.into() }),
            _ => Ok(Check::Intact { entry: 14 }),
        },
        commit: Some(hex(9)[..40].into()),
        tree: Some(format!("sha256:{}", hex(10))),
        by: "ada@build-1".into(),
        previous: Some(hex(603)[..12].into()),
        images: vec![("web".into(), format!("registry.example.com/request-info/web@sha256:{}", hex(11)), format!("sha256:{}", hex(1)))],
        stages: vec![
            result("lint", "done", "nothing found in 1 file"),
            result("test", "unchanged", "2 passed before with the same inputs"),
            result("build", "done", "1 image, 11 of 14 steps cached"),
            scan,
            result("smoke", "done", "2 answered as they should"),
        ],
        approval: Some(Approval {
            plan: format!("sha256:{}", hex(12)),
            by: Some("ops (SHA256:Jk3…)".into()),
            signature: Some("its signature holds: SHA256:Jk3c0qf8".into()),
            holds: true,
        }),
        happened: vec![
            happened(12, "begun", ""),
            happened(13, "deployed", "1 created, 1 changed"),
            happened(14, "passed", "smoke: 2 answered as they should"),
        ],
        release,
    }
}

pub fn images() -> Vec<ImageBrief> {
    let brief = |at: u64, names: &[&str], bytes| ImageBrief {
        id: format!("sha256:{}", hex(at)),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        bytes,
        created: Some(before(at * 5_000)),
    };
    vec![
        brief(1, &["localhost/request-info/web:latest", "registry.example.com/request-info/web:94c0a7e5"], 92_400_000),
        brief(2, &["localhost/jobs/app-a:latest"], 31_000_000),
        brief(3, &[HOSTILE], 812),
    ]
}

/// What a scan tells of the images of a run.
pub fn scanned() -> Value {
    let known = |id: &str, level: &str, package: &str, fixed: Option<&str>, layer: u64| {
        json!({"id": id, "aliases": [], "ecosystem": "Debian:12", "package": package, "version": "3.0.15-1~deb12u1", "fixed": fixed, "severity": level,
            "status": if fixed.is_some() { "fixed" } else { "affected" }, "layer": layer, "file": "var/lib/dpkg/status"})
    };
    json!({"advisories": {"created": before(90_000), "fresh_until": before(0), "sequence": 12, "advisories": 261_220, "packages": 90_112}, "bases": [],
        "images": {"web": {"image": format!("sha256:{}", hex(1)), "packages": 212, "left_out": 0, "unjudged_packages": 3, "unjudged": [],
            "vulnerabilities": [known("CVE-2026-31337", "critical", "libssl3", Some("3.0.17-1~deb12u2"), 1), known("CVE-2025-4802", "medium", "libc6", None, 1),
                known("CVE-2011-3374", "low", "apt", None, 1), known(HOSTILE, "unknown", HOSTILE, Some(HOSTILE), 2)],
            "ignored": [{"id": "CVE-2011-3374", "package": "apt", "reason": "apt-key is not used"}]}}})
}

/// Of all levels, also what means harm.
fn known(layers: &[Layer]) -> Vec<Vulnerability> {
    let levels = ["critical", "high", "medium", "low", "unknown"];
    let one = |at: usize| {
        let id = if at == 3 { HOSTILE.to_owned() } else { format!("DEBIAN-CVE-2026-{}", 31_337 + at) };
        let fixed = (!at.is_multiple_of(3)).then(|| format!("3.0.{}-1~deb12u2", at + 1));
        serde_json::from_value(json!({"id": id, "aliases": [format!("CVE-2026-{}", 31_337 + at)], "severity": {"level": levels[at / 13]},
            "summary": if at == 4 { HOSTILE } else { "a handshake with a crafted certificate reads beyond its buffer" },
            "status": if fixed.is_some() { "fixed" } else { "affected" }, "fixed": fixed, "ecosystem": "Debian:12", "package": "libssl3",
            "version": "3.0.15-1~deb12u1", "file": "var/lib/dpkg/status", "layer": layers[at % 3].id}))
        .expect("a vulnerability")
    };
    (0..64).map(one).collect()
}

pub fn image(brief: ImageBrief) -> Image {
    let layer =
        |at: u64, bytes, instruction: &str| Layer { id: format!("sha256:{}", hex(at + 20)), bytes, instruction: instruction.into() };
    let layers = vec![
        layer(0, 74_800_000, "debian:bookworm-slim"),
        layer(
            1,
            9_100_000,
            "RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates curl \\\n    && rm -rf /var/lib/apt/lists/*",
        ),
        layer(2, 8_400_000, "COPY --from=build /out/request-info /usr/bin/request-info"),
        layer(3, 412, HOSTILE),
    ];
    let names = ["adduser", "apt", "base-files", "bash", "ca-certificates", "coreutils", "curl", "dash", "libc6", "libssl3", "zlib1g"];
    let package = |at: usize| Package {
        ecosystem: if at % 5 == 4 { Ecosystem::Cargo } else { Ecosystem::Debian("12".into()) },
        name: format!("{}{}", names[at % names.len()], if at < names.len() { String::new() } else { format!("-{at}") }),
        version: format!("{}.{}-1+deb12u{}", at % 7, at % 11, at % 3),
        source: None,
        architecture: Some("amd64".into()),
        licenses: Vec::new(),
        file: if at % 5 == 4 { "usr/bin/request-info".into() } else { "var/lib/dpkg/status".into() },
        line: None,
        layer: Some(layers[if at % 5 == 4 { 2 } else { usize::from(at.is_multiple_of(9)) }].id.clone()),
        development: false,
        owned: false,
    };
    Image {
        os: Some("Debian GNU/Linux 12 (bookworm)".into()),
        platform: "linux/amd64".into(),
        settings: vec![
            "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin".into(),
            "USER app".into(),
            "ENTRYPOINT [\"/usr/bin/request-info\"]".into(),
        ],
        packages: (0..430).map(package).collect(),
        known: known(&layers),
        unjudged: advisories(0).into_iter().take(1).collect(),
        scanned: Some("by the advisories of 2026-11-20 06:00:00 UTC, 2 days old".into()),
        layers,
        brief,
    }
}
