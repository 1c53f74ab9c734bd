//! `wharf load URL` as it is typed: what it prints, and its exit codes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Output};
use std::time::Duration;

/// A service that answers every request with a status after a pause.
fn service(status: &'static str, pause: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = listener.local_addr().expect("address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(1..) = stream.read(&mut buffer) {
                    std::thread::sleep(pause);
                    if stream.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nhi").as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

fn load(words: &[&str]) -> Output {
    let home = std::env::temp_dir().join(format!("wharf-load-home-{}", std::process::id()));
    let mut wharf = Command::new(env!("CARGO_BIN_EXE_wharf"));
    wharf.arg("load").args(words).args(["--home".as_ref(), home.as_os_str()]).output().expect("wharf runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_good_load_is_told_in_eighty_columns_and_as_json() {
    let url = format!("http://{}/", service("200 OK", Duration::ZERO));
    let seen = load(&["-n", "100", "-c", "4", "--max-failed", "0", "--p99", "10s", &url]);
    let told = text(&seen.stdout);
    assert_eq!(seen.status.code(), Some(0), "{told}{}", text(&seen.stderr));
    assert!(told.contains("100 ok, 0 failed, 0 sent again") && told.contains("verdict    good"), "{told}");
    assert!(told.lines().all(|line| line.chars().count() <= 80), "{told}");
    let seen = load(&["-z", "1s", "--rate", "50", "-c", "4", "--json", &url]);
    let told = text(&seen.stdout);
    let report: serde_json::Value = serde_json::from_str(told.lines().last().expect("a line")).expect("JSON");
    assert_eq!((report["requests"].as_u64(), report["verdict"].as_str(), seen.status.code()), (Some(50), Some("good"), Some(0)), "{told}");
}

#[test]
fn exit_codes_tell_why_not() {
    let busy = format!("http://{}/", service("503 Busy", Duration::ZERO));
    let slow = format!("http://{}/", service("200 OK", Duration::from_millis(30)));
    let few = ["-n", "8", "-c", "2"];
    for (words, url, code, part) in [
        (&["--max-failed", "3"] as &[&str], &busy, 1, "8 of 8 requests failed, at most 3 may"),
        (&[], &busy, 1, "none of 8 requests was answered well"),
        (&["--p50", "1ms"], &slow, 1, "half took up to"),
        (&["--p99", "soon"], &slow, 2, "duration"),
        (&[], &"gopher://a/".to_owned(), 2, "is no URL"),
        (&[], &"http://no-such-host.invalid/".to_owned(), 4, "cannot find"),
    ] {
        let seen = load(&[&few as &[&str], words, &[url]].concat());
        let told = text(&seen.stderr);
        assert!(seen.status.code() == Some(code) && told.contains(part), "{words:?} {url}: {:?}: {told}", seen.status);
    }
    let fast = format!("http://{}/", service("200 OK", Duration::ZERO));
    let seen = load(&["-z", "500ms", "-c", "64", "-t", "1", "--rate", "1000000", &fast]);
    let told = text(&seen.stderr);
    assert!(seen.status.code() == Some(5) && told.contains("not measured"), "{:?}: {told}", seen.status);
}

#[test]
fn what_was_measured_until_an_interrupt_is_told() {
    let url = format!("http://{}/", service("200 OK", Duration::ZERO));
    let mut wharf = Command::new(env!("CARGO_BIN_EXE_wharf"));
    wharf.args(["load", "-z", "60s", "--rate", "200", "-c", "4", "--json", &url]).stdout(std::process::Stdio::piped());
    let mut wharf = wharf.spawn().expect("wharf runs");
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(wharf.stdout.take().expect("its output")));
    let mut next = move || -> serde_json::Value { serde_json::from_str(&lines.next().expect("a line").expect("read")).expect("JSON") };
    while next()["load"]["done"].as_u64().expect("a count") < 50 {}
    let pid = i32::try_from(wharf.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
    let report = std::iter::repeat_with(next).find(|line| line.get("ended_early").is_some()).expect("a report");
    assert_eq!(wharf.wait().expect("ended").code(), Some(130));
    assert_eq!((report["ended_early"].as_bool(), report["failed"].as_u64()), (Some(true), Some(0)), "{report}");
    assert!(report["rate"].as_f64().is_some_and(|rate| (100.0..300.0).contains(&rate)), "{report}");
}
