//! The load generator beside wrk, hey and ab, on a server that is nobody's.

use super::Bench;
use super::site::{self, Site};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub(super) const BENCH: Bench = Bench {
    name: "load",
    about: "requests a second of client CPU, closed loop, 32 connections, a file of 2 bytes: `wharf load` (of --wharf, else loadgen's own\n\
        example) beside wrk, and hey and ab where they are; nginx with one worker has one core, the client the other, in turns, seven\n\
        times 3 s; the server's own count beside what each tells; then set rates, and how well they were kept",
    run,
};

const ROUNDS: usize = 7;
const SECONDS: &str = "3";
const CONNECTIONS: &str = "32";

fn run(site: &Site) -> Result<(), String> {
    site::need(&["wrk", "nginx", "taskset", "bash"])?;
    let (ours, words) = match site.given() {
        Some(_) => (site.wharf()?.to_owned(), vec!["load", "--json"]),
        None => (site::example("loadgen", "load")?, vec![]),
    };
    let server = Server::start(site)?;
    let tools = tools(&ours, &words, &server.url());
    let mut seen: Vec<Vec<Cost>> = tools.iter().map(|_| Vec::new()).collect();
    for round in 0..ROUNDS {
        for offset in 0..tools.len() {
            // Who is first may find the cores warmer, or not.
            let which = (round + offset) % tools.len();
            if let (Some(tool), Some(costs)) = (tools.get(which), seen.get_mut(which)) {
                costs.push(tool.run(&server)?);
            }
        }
    }
    show(&tools, &seen);
    rates(&ours, &words, &server)
}

/// A client, and how it tells how many requests it made.
struct Tool {
    name: &'static str,
    command: Vec<String>,
    told: fn(&str) -> Option<f64>,
}

/// What one run of a client did.
struct Cost {
    /// Requests a second.
    rate: f64,
    /// Requests a second of the client's processor time.
    per_cpu: f64,
    /// What it told beside what the server counted.
    told: f64,
    served: f64,
}

fn tools(ours: &Path, words: &[&str], url: &str) -> Vec<Tool> {
    let line = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<String>>();
    let time = format!("{SECONDS}s");
    let mut tools = vec![
        Tool { name: "wharf load", command: own(ours, words, &[url]), told: |said| number(said, "\"requests\":") },
        Tool {
            name: "wrk",
            command: line(&["wrk", "-t1", "-c", CONNECTIONS, "-d", &time, url]),
            told: |said| said.lines().find_map(|line| line.trim().split_once(" requests in ")?.0.parse().ok()),
        },
    ];
    if site::has("ab") {
        let command = line(&["ab", "-k", "-q", "-c", CONNECTIONS, "-t", SECONDS, "-n", "100000000", url]);
        tools.push(Tool { name: "ab -k", command, told: |said| number(said, "Complete requests:") });
    }
    if site::has("hey") {
        let command = line(&["hey", "-c", CONNECTIONS, "-z", &time, url]);
        tools.push(Tool { name: "hey", command, told: |said| said.lines().find_map(|line| number(line.trim(), "[200]")) });
    }
    tools
}

/// Our own line: the program, its first words, what all runs have, and the rest.
fn own(ours: &Path, words: &[&str], rest: &[&str]) -> Vec<String> {
    let time = format!("{SECONDS}s");
    let all = ["-c", CONNECTIONS, "-z", &time];
    let program = ours.to_string_lossy().into_owned();
    std::iter::once(program).chain(words.iter().chain(&all).chain(rest).map(|word| (*word).to_owned())).collect()
}

impl Tool {
    fn run(&self, server: &Server) -> Result<Cost, String> {
        let before = server.served()?;
        let begun = Instant::now();
        let (said, cpu) = timed(&self.command)?;
        let wall = begun.elapsed().as_secs_f64();
        // The question itself is one.
        let served = server.served()? - before - 1.0;
        let told = (self.told)(&said).ok_or_else(|| format!("{} says something else:\n{said}", self.name))?;
        Ok(Cost { rate: served / wall, per_cpu: served / cpu, told, served })
    }
}

/// What a client on the second core said, and the processor time that it used.
fn timed(command: &[String]) -> Result<(String, f64), String> {
    let script = "TIMEFORMAT='%U %S'; time taskset -c 1 \"$@\" 2>/dev/null || [ $? = 5 ]";
    let mut bash = Command::new("bash");
    bash.args(["-c", script, "bash"]).args(command).stdin(Stdio::null());
    let output = bash.output().map_err(|error| format!("cannot run bash: {error}"))?;
    let times = String::from_utf8_lossy(&output.stderr).into_owned();
    let cpu: f64 = times.lines().last().unwrap_or_default().split(' ').filter_map(|time| time.parse::<f64>().ok()).sum();
    if !output.status.success() || cpu <= 0.0 {
        return Err(format!("{command:?}: {}\n{times}", output.status));
    }
    Ok((String::from_utf8_lossy(&output.stdout).into_owned(), cpu))
}

fn show(tools: &[Tool], seen: &[Vec<Cost>]) {
    println!("{:<11} {:>12} {:>22} {:>14} {:>22}", "", "requests/s", "requests/CPU second", "beside wrk", "told / served");
    for (tool, costs) in tools.iter().zip(seen) {
        let middle = |of: fn(&Cost) -> f64| site::median(costs.iter().map(of).collect());
        let wrk = seen.get(1).map(Vec::as_slice).unwrap_or_default();
        let ratio = site::median(costs.iter().zip(wrk).map(|(one, other)| one.per_cpu / other.per_cpu).collect());
        let counts = costs.last().map(|cost| format!("{:.0} / {:.0}", cost.told, cost.served)).unwrap_or_default();
        println!(
            "{:<11} {:>12.0} {:>22.0} {:>12.2} x {:>22}",
            tool.name,
            middle(|cost| cost.rate),
            middle(|cost| cost.per_cpu),
            ratio,
            counts
        );
    }
    println!(
        "beside wrk: requests a second of client CPU divided by wrk's of the same round, the median of {ROUNDS} rounds; served is the server's own count"
    );
}

fn rates(ours: &Path, words: &[&str], server: &Server) -> Result<(), String> {
    for rate in ["1000", "10000", "30000"] {
        let (said, cpu) = timed(&own(ours, words, &["--rate", rate, &server.url()]))?;
        let last = said.lines().last().unwrap_or_default();
        let report: serde_json::Value = serde_json::from_str(last).map_err(|error| format!("no report: {error}\n{said}"))?;
        let figure = |path: &str| report.pointer(path).and_then(serde_json::Value::as_f64).unwrap_or(f64::NAN);
        let wanted: f64 = rate.parse().unwrap_or(f64::NAN);
        println!(
            "at {rate}/s: sent {:.1}/s (error {:.3} %), lateness p99 {:.0} us, since due p50 {:.0} us, p99 {:.0} us, {:.0} % of a core, verdict {}",
            figure("/sent_rate"),
            (figure("/sent_rate") / wanted - 1.0).abs() * 100.0,
            figure("/lateness/p99_us"),
            figure("/corrected/p50_us"),
            figure("/corrected/p99_us"),
            cpu / SECONDS.parse::<f64>().unwrap_or(1.0) * 100.0,
            report["verdict"]
        );
    }
    Ok(())
}

/// The number behind a word.
fn number(text: &str, word: &str) -> Option<f64> {
    let rest = text.get(text.find(word)? + word.len()..)?.trim_start();
    let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(rest.len());
    rest.get(..end)?.parse().ok()
}

/// nginx with one worker, on the first core; ended when dropped.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    fn start(site: &Site) -> Result<Self, String> {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).map_err(|error| error.to_string())?.port();
        let folder = site.folder().join("nginx");
        let write =
            |name: &str, text: &str| std::fs::write(folder.join(name), text).map_err(|error| format!("cannot write {name}: {error}"));
        std::fs::create_dir_all(folder.join("files")).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
        write("files/two", "ok")?;
        write("nginx.conf", &settings(&folder, port))?;
        let conf: PathBuf = folder.join("nginx.conf");
        let mut command = Command::new("taskset");
        command.args(["-c", "0", "nginx", "-p"]).arg(&folder).arg("-c").arg(conf).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().map_err(|error| format!("cannot run nginx: {error}"))?;
        let server = Self { process, port };
        let begun = Instant::now();
        while server.served().is_err() {
            if begun.elapsed() > Duration::from_secs(10) {
                return Err("nginx does not answer".to_owned());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(server)
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/two", self.port)
    }

    /// Requests that it served, by its own count.
    fn served(&self) -> Result<f64, String> {
        let asked = TcpStream::connect(("127.0.0.1", self.port)).and_then(|mut stream| {
            stream.write_all(b"GET /status HTTP/1.0\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).map(|_| answer)
        });
        let answer = asked.map_err(|error| format!("cannot ask nginx: {error}"))?;
        // Behind `server accepts handled requests` stand three numbers.
        let counts = answer.lines().skip_while(|line| !line.starts_with("server accepts")).nth(1).unwrap_or_default();
        counts.split_whitespace().nth(2).and_then(|count| count.parse().ok()).ok_or_else(|| format!("nginx says:\n{answer}"))
    }
}

fn settings(folder: &Path, port: u16) -> String {
    let folder = folder.display();
    let temporary: String =
        ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].iter().map(|name| format!("{name}_temp_path {folder}/{name}; ")).collect();
    format!(
        "worker_processes 1; daemon off; master_process on; pid {folder}/pid; error_log {folder}/errors;\n\
         events {{ worker_connections 4096; }}\n\
         http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 600s; {temporary}\n\
         open_file_cache max=16; sendfile off;\n\
         server {{ listen 127.0.0.1:{port}; root {folder}/files; location = /status {{ stub_status; }} }} }}\n"
    )
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its worker ends with it only when it is asked to end.
        let _ = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        let _ = self.process.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn figures_are_read() {
        assert_eq!(number("{\"requests\":123,\"ok\":1}", "\"requests\":"), Some(123.0));
        assert_eq!(number("[200]\t7 responses", "[200]"), Some(7.0));
        assert_eq!(number("nothing", "[200]"), None);
    }
}
