//! A new advisory names what runs, and a mail for each finding arrives, whatever is killed.

use super::place::{Place, place, program, soon, until};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const MAILS: &str = "WHARF_TEST_MAILS";

/// The mail server: this program again, inside the test's namespace; a line of JSON for each mail. Told so by its environment.
fn serve(file: &Path) -> std::io::Result<()> {
    let mut kept = std::fs::OpenOptions::new().create(true).append(true).open(file)?;
    for stream in TcpListener::bind("127.0.0.1:2525")?.incoming() {
        let mut stream = BufReader::new(stream?);
        stream.get_mut().write_all(b"220 here\r\n")?;
        let (mut line, mut text, mut data) = (String::new(), String::new(), false);
        while stream.read_line(&mut line).is_ok_and(|read| read > 0) {
            let answer = match (data, line.trim_end()) {
                (true, ".") => {
                    data = false;
                    writeln!(kept, "{}", json!(std::mem::take(&mut text)))?;
                    "250 taken\r\n"
                }
                (true, _) => {
                    text.push_str(&line);
                    ""
                }
                (false, "DATA") => {
                    data = true;
                    "354 go on\r\n"
                }
                (false, "QUIT") => "221 bye\r\n",
                (false, _) => "250 ok\r\n",
            };
            if stream.get_mut().write_all(answer.as_bytes()).is_err() {
                break;
            }
            line.clear();
        }
    }
    Ok(())
}

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn mail_server(place: &Place, file: &Path) -> Ended {
    let own = std::env::current_exe().expect("this program");
    let test = "watching::a_new_advisory_names_what_runs_and_each_finding_is_mailed_once";
    let mut command = place.command(own.to_str().expect("UTF-8"), &["--exact", test]);
    Ended(command.env(MAILS, file).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs"))
}

fn mails(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str::<String>(line).ok()).collect()
}

fn advisory(folder: &Path, id: &str, alias: &str, fixed: &str) {
    let events = json!([{"introduced": "0"}, {"fixed": fixed}]);
    let affected = json!([{"package": {"ecosystem": "npm", "name": "left-pad"}, "ranges": [{"type": "SEMVER", "events": events}]}]);
    let text = json!({"schema_version": "1.7.0", "id": id, "aliases": [alias], "modified": "2026-01-01T00:00:00Z", "published": "2026-01-01T00:00:00Z",
        "summary": "It pads", "affected": affected});
    std::fs::create_dir_all(folder).expect("made");
    std::fs::write(folder.join(format!("{id}.json")), text.to_string()).expect("written");
}

fn write(path: PathBuf, text: &str) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    std::fs::write(path, text).expect("written");
}

#[test]
fn a_new_advisory_names_what_runs_and_each_finding_is_mailed_once() {
    if let Some(file) = std::env::var_os(MAILS) {
        return serve(Path::new(&file)).expect("it serves");
    }
    let Some(place) = place("watching") else { return };
    let folder = place.home().parent().expect("a folder").to_path_buf();
    let (osv, file) = (folder.join("osv"), folder.join("mails"));
    write(place.project().join("www/node_modules/left-pad/package.json"), "{\"name\": \"left-pad\", \"version\": \"1.0.0\"}");
    let settings = std::fs::read_to_string(place.project().join("wharf.yaml")).expect("read");
    let notify = "notify:\n  ops: { smtp: \"smtp://127.0.0.1:2525\", from: w@example.com, to: [ops@example.com] }\n";
    write(place.project().join("wharf.yaml"), &format!("{settings}{notify}"));
    let index = |sequence: &str| place.well(&["advisories", "build", "--from", osv.to_str().expect("UTF-8"), "--sequence", sequence]);
    advisory(&osv, "GHSA-old0-old0-old0", "CVE-2026-1", "1.0.5");
    index("1");
    place.well(&["up"]);
    place.well(&["monitor"]);
    let watched = || {
        let said = place.well(&["monitor", "--status", "--json"]);
        serde_json::from_str::<Value>(&said).expect("JSON")["running"]["pid"].as_u64().expect("a process").to_string()
    };
    let alerts =
        || -> Vec<Value> { place.well(&["alerts", "--json"]).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect() };
    // What the release was let through with is no news; the server is down.
    until("it has looked once", soon(Duration::from_secs(10)), || folder.join("home/notices/watched").exists());
    assert_eq!(alerts().len(), 0);
    advisory(&osv, "GHSA-new1-new1-new1", "CVE-2026-2", "1.1.0");
    advisory(&osv, "GHSA-new2-new2-new2", "CVE-2026-3", "1.2.0");
    index("2");
    let began = Instant::now();
    until("both are told of", soon(Duration::from_secs(10)), || alerts().len() == 2);
    let took = began.elapsed();
    let first = alerts().remove(0);
    let text = first["notice"]["text"].as_str().expect("a text");
    assert!(
        text.contains("workload     Deployment tiny/web, environment local")
            && text.contains("release      ")
            && text.contains(", since 2"),
        "{text}"
    );
    assert!(first["notice"]["subject"].as_str().is_some_and(|subject| subject.contains("left-pad 1.0.0")), "{first}");
    assert!(took < soon(Duration::from_secs(5)), "{took:?}");

    // Killed, and begun again; then the server is up.
    until("it was tried", soon(Duration::from_secs(10)), || {
        alerts().iter().any(|alert| alert["tellings"][0]["failures"].as_u64() > Some(0))
    });
    place.tool("kill", &["-9", &watched()]);
    place.well(&["monitor"]);
    let _server = mail_server(&place, &file);
    until("each was mailed", soon(Duration::from_secs(90)), || {
        mails(&file).len() >= 2 && alerts().iter().all(|alert| alert["waits"] == false)
    });
    let all = mails(&file);
    assert_eq!(all.len(), 2, "{all:?}");
    for id in ["CVE-2026-2", "CVE-2026-3"] {
        assert_eq!(all.iter().filter(|mail| mail.contains(&format!("Subject: [tiny] {id} "))).count(), 1, "{id}: {all:?}");
    }
    place.well(&["monitor", "--stop"]);
    let refused = place.command(program().to_str().expect("UTF-8"), &["monitor", "--status"]).output().expect("it runs");
    assert_eq!(refused.status.code(), Some(3));
}
