//! The scan as a gate of a pushed commit: what is only reported goes on, what fails stops there, with the words of `wharf up` alone.

use super::killed::Folder;
use super::pipeline::{Pipeline, commit, git, here};
use super::place::until;
use serde_json::{Value, json};
use std::time::Duration;

const STATUS: &str = "Package: openssl\nStatus: install ok installed\nVersion: 3.0.11-1~deb12u1\nArchitecture: amd64\n\n";
const ADVISORY: &str = r#"{"id":"CVE-2024-0001","aliases":["DSA-1-1"],"summary":"about openssl",
    "severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
    "affected":[{"package":{"ecosystem":"Debian:12","name":"openssl"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"3.0.11-1~deb12u2"}]}]}]}"#;

#[test]
fn a_scan_that_reports_goes_on_and_one_that_fails_stops_there() {
    let Some(folder) = Folder::new("gates", "true") else { return };
    let (home, project) = (folder.home(), folder.project());
    let write = |path: &str, text: &str| {
        let path = project.join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    };
    write("../advisories/CVE-2024-0001.json", ADVISORY);
    write("root/etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n");
    write("root/var/lib/dpkg/status", STATUS);
    write("Dockerfile", "FROM scratch\nCOPY root /\nUSER 1000\nCMD [\"/app/none\"]\n");
    let settings = |mode: &str| {
        let run = "{ stages: [prepare, build, scan, test] }";
        write(
            "wharf.yaml",
            &format!(
                "project: gated\nimages: {{ app: {{ context: . }} }}\ntests: {{ one: 'true' }}\ngates: {{ scan: {{ mode: {mode} }} }}\nci: {{ runs: [ {run} ] }}\n"
            ),
        );
    };
    let advisories = folder.project().join("../advisories");
    let built = here(&home, &["advisories", "build", "--from", advisories.to_str().expect("UTF-8")]).output().expect("it runs");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let start = |arguments: &[&str]| here(&home, arguments);
    let pipeline = Pipeline::begin(folder.home(), &start, 1, "30s");
    let run = |number: u64, message: &str| {
        commit(&project, message);
        git(&project, &["push", "--quiet", &pipeline.remote("gated"), "main"]);
        let get = || pipeline.get(&format!("/api/runs/{number}")).unwrap_or_default();
        until("the run ends", Duration::from_secs(60), || ["passed", "failed"].iter().any(|state| get()["state"] == json!(state)));
        get()
    };
    let scan =
        |run: &Value| run["stages"].as_array().into_iter().flatten().find(|stage| stage["name"] == json!("scan")).cloned().expect("a scan");
    let finding =
        |scan: &Value| scan["findings"].as_array().into_iter().flatten().any(|finding| finding.to_string().contains("CVE-2024-0001"));

    settings("report-only");
    let reported = run(1, "reports");
    assert_eq!((&reported["state"], &scan(&reported)["state"]), (&json!("passed"), &json!("done")), "{reported:#}");
    assert!(finding(&scan(&reported)), "{reported:#}");

    settings("fail");
    let failed = run(2, "fails");
    let stopped = scan(&failed);
    assert_eq!(
        (&failed["state"], &stopped["state"], &failed["cause"]["exit_code"]),
        (&json!("failed"), &json!("failed"), &json!(1)),
        "{failed:#}"
    );
    assert!(finding(&stopped), "{failed:#}");
    // At the desk it says the same.
    let alone = here(&home, &["--json", "up", "--only", "prepare,build,scan,test"]).current_dir(&project).output().expect("it runs");
    assert_eq!(alone.status.code(), Some(1), "{}", String::from_utf8_lossy(&alone.stderr));
    let said = String::from_utf8_lossy(&alone.stdout);
    let error = said
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find_map(|line| line.get("error").cloned())
        .expect("an error");
    for (member, of_run) in [("message", "message"), ("kind", "kind"), ("hints", "hints")] {
        assert_eq!(error[member], failed["cause"][of_run], "{failed:#}\n{said}");
    }
    assert_eq!(error["findings"], stopped["findings"], "{said}");
    pipeline.end();
}
