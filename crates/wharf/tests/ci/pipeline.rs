//! A server as a process of its own, which can be killed and started again at the same address, and its runners.

use super::place::{program, soon};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How a program is started where the test is.
pub type Start<'a> = dyn Fn(&[&str]) -> Command + 'a;

pub struct Pipeline {
    pub url: String,
    pub token: String,
    home: PathBuf,
    server: Option<Child>,
    silence: &'static str,
}

/// The program with a home, in no namespace of its own.
pub fn here(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.args(arguments).env("WHARF_HOME", home).stdin(Stdio::null());
    command
}

impl Pipeline {
    pub fn begin(home: PathBuf, start: &Start<'_>, runners: usize, silence: &'static str) -> Self {
        let mut pipeline = Self { url: String::new(), token: String::new(), home, server: None, silence };
        pipeline.start(start, "127.0.0.1:0", runners);
        pipeline.token = std::fs::read_to_string(pipeline.home.join("ci/admin.token")).expect("a token").trim().to_owned();
        pipeline
    }

    fn start(&mut self, start: &Start<'_>, listen: &str, runners: usize) {
        let runners = runners.to_string();
        let arguments = ["ci", "serve", "--json", "--quiet", "--listen", listen, "--runners", &runners, "--silence", self.silence];
        let mut server = start(&arguments).stdout(Stdio::piped()).spawn().expect("it runs");
        let mut line = String::new();
        BufReader::new(server.stdout.take().expect("its output")).read_line(&mut line).expect("it is ready");
        let ready: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.url = ready["ready"]["url"].as_str().expect("a URL").to_owned();
        self.server = Some(server);
    }

    /// Kills the server as the kernel would, and starts it again at the same address.
    pub fn kill_and_start(&mut self, start: &Start<'_>) {
        self.kill();
        let listen = self.url.trim_start_matches("http://").to_owned();
        self.start(start, &listen, 0);
    }

    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }

    /// Stops the server as a person would; it ends well.
    pub fn end(mut self) {
        let mut server = self.server.take().expect("a server");
        let pid = i32::try_from(server.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a pid");
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("told");
        let begun = Instant::now();
        while server.try_wait().expect("waited").is_none() {
            assert!(begun.elapsed() < soon(Duration::from_secs(50)), "the server does not end");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// A runner as a process of its own.
    pub fn runner(&self, name: &str) -> Runner {
        let file = self.home.join("ci/runner.token");
        let work = self.home.join("work").join(name);
        let (file, work) = (file.to_str().expect("UTF-8"), work.to_str().expect("UTF-8"));
        let arguments = ["ci", "runner", "--quiet", "--server", &self.url, "--token-file", file, "--name", name, "--work", work];
        Runner(here(&self.home, &arguments).spawn().expect("it runs"))
    }

    /// Where a repository is pushed to.
    pub fn remote(&self, name: &str) -> String {
        format!("{}/git/{name}.git", self.url.replace("://", &format!("://me:{}@", self.token)))
    }

    pub fn get(&self, path: &str) -> Option<Value> {
        let mut stream = TcpStream::connect(self.url.trim_start_matches("http://")).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\nconnection: close\r\n\r\n", self.token);
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
    }

    /// All runs, oldest first.
    pub fn runs(&self) -> Vec<Value> {
        let answer = self.get("/api/runs?limit=500").unwrap_or_default();
        let mut runs = answer["runs"].as_array().cloned().unwrap_or_default();
        runs.reverse();
        runs
    }
}

/// A runner, killed at its end as the kernel would.
pub struct Runner(Child);

impl Drop for Runner {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        self.kill();
    }
}

/// git, which has to go well.
pub fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = of_git(folder, arguments).output().expect("git runs");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

pub fn of_git(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.args(arguments).current_dir(folder).env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    for name in ["GIT_AUTHOR", "GIT_COMMITTER"] {
        command.env(format!("{name}_NAME"), "Somebody").env(format!("{name}_EMAIL"), "somebody@example.com");
    }
    command
}

/// Commits everything; the commit's id.
pub fn commit(folder: &Path, message: &str) -> String {
    git(folder, &["add", "-A"]);
    git(folder, &["commit", "--quiet", "--allow-empty", "-m", message]);
    git(folder, &["rev-parse", "HEAD"])
}
