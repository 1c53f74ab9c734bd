//! Somebody between the program and a cluster, who kills the program at one of its writes.

use super::place::Place;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

/// When it kills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The cluster never hears of the write.
    Before,
    /// The cluster has done it, and the program never hears so.
    After,
}

struct Shared {
    upstream: String,
    writes: AtomicU32,
    victim: AtomicI32,
    at: u32,
    when: When,
    met: Mutex<Option<String>>,
}

/// The proxy, and kubectl's behind it, which knows the cluster's certificates; both end with the value.
pub struct Between {
    kubectl: Child,
    port: u16,
    kubeconfig: PathBuf,
    shared: Arc<Shared>,
}

impl Between {
    /// Kills at the write of this number, counted from 1.
    pub fn new(place: &Place, at: u32, when: When) -> Self {
        let mut kubectl = place.command("kubectl", &["proxy", "--port", "0"]).stdout(Stdio::piped()).spawn().expect("kubectl");
        let mut line = String::new();
        BufReader::new(kubectl.stdout.as_mut().expect("its output")).read_line(&mut line).expect("a line");
        let upstream = line.trim().rsplit(' ').next().expect("an address").to_owned();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (writes, victim) = (AtomicU32::new(0), AtomicI32::new(0));
        let shared = Arc::new(Shared { upstream, writes, victim, at, when, met: Mutex::default() });
        let own = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let own = Arc::clone(&own);
                // What is cut is what was meant to be cut.
                std::thread::spawn(move || drop(serve(&own, stream)));
            }
        });
        let kubeconfig = place.home().with_file_name("between.yaml");
        let text = format!(
            "apiVersion: v1\nkind: Config\nclusters: [{{ name: c, cluster: {{ server: \"http://127.0.0.1:{port}\" }} }}]\nusers: [{{ name: u, user: {{}} }}]\ncontexts: [{{ name: kubernetes-test, context: {{ cluster: c, user: u }} }}]\n"
        );
        std::fs::write(&kubeconfig, text).expect("written");
        Self { kubectl, port, kubeconfig, shared }
    }

    /// How many writes came.
    pub fn writes(&self) -> u32 {
        self.shared.writes.load(Ordering::SeqCst)
    }

    /// Runs the program through it to its end; the write that it was killed at, or none when it had fewer and went well.
    pub fn run(&self, place: &Place, args: &[&str]) -> Option<String> {
        let child = place.begin_with(args, &self.kubeconfig);
        self.shared.victim.store(i32::try_from(child.id()).expect("a pid"), Ordering::SeqCst);
        let output = child.wait_with_output().expect("ended");
        let met = self.shared.met.lock().expect("lock").clone();
        if met.is_none() {
            super::place::shown(args, &output);
        } else {
            assert_eq!(output.status.code(), None, "killed, and not ended by itself: {output:?}");
        }
        met
    }
}

impl Drop for Between {
    fn drop(&mut self) {
        let _ = self.kubectl.kill();
        let _ = self.kubectl.wait();
        // The listener's thread ends with the process; a last connection tells nobody anything.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

/// One request in, one out, one answer back: whatever comes next is a new connection.
fn serve(shared: &Shared, client: TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let (mut head, mut length, mut first) = (String::new(), 0, String::new());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if first.is_empty() {
            first.clone_from(&line);
        }
        if line == "\r\n" {
            break;
        }
        if !lower.starts_with("connection:") && !lower.starts_with("host:") {
            head.push_str(&line);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let is_write = !first.starts_with("GET ");
    let here = is_write && shared.writes.fetch_add(1, Ordering::SeqCst) + 1 == shared.at;
    if here && shared.when == When::Before {
        return kill(shared, &first);
    }
    let mut upstream = TcpStream::connect(&shared.upstream)?;
    write!(upstream, "{head}Host: localhost\r\nConnection: close\r\n\r\n")?;
    upstream.write_all(&body)?;
    if here {
        upstream.read_to_end(&mut Vec::new())?;
        return kill(shared, &first);
    }
    let mut client = client;
    io::copy(&mut upstream, &mut client)?;
    client.shutdown(std::net::Shutdown::Both)
}

fn kill(shared: &Shared, request: &str) -> io::Result<()> {
    let pid = Pid::from_raw(shared.victim.load(Ordering::SeqCst)).expect("it runs");
    *shared.met.lock().expect("lock") = Some(request.trim_end().to_owned());
    kill_process(pid, Signal::KILL)?;
    Ok(())
}
