//! Debian's docker-registry on a port of its own, ended with the value.

#![allow(dead_code, clippy::print_stdout)]

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub struct Registry {
    pub port: u16,
    child: Child,
}

impl Registry {
    /// `None`, having said so, where it is not installed. `auth` is the `auth:` section of its configuration, or empty.
    pub fn start(folder: &Path, auth: &str) -> Option<Self> {
        Self::on(folder, auth, free_port())
    }

    pub fn on(folder: &Path, auth: &str, port: u16) -> Option<Self> {
        let data = folder.join("registry");
        std::fs::create_dir_all(&data).expect("folder");
        let config = format!(
            "version: 0.1\nlog:\n  level: error\n  accesslog:\n    disabled: true\nstorage:\n  filesystem:\n    rootdirectory: {}\n  delete:\n    enabled: true\nhttp:\n  addr: 127.0.0.1:{port}\n  secret: x\n{auth}",
            data.display()
        );
        let path = folder.join("registry.yml");
        std::fs::write(&path, config).expect("config");
        let started = Command::new("docker-registry").arg("serve").arg(&path).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let Ok(child) = started else {
            println!("skipped: docker-registry");
            return None;
        };
        let registry = Self { port, child };
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(start.elapsed() < Duration::from_secs(30), "docker-registry does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(registry)
    }

    pub fn name(&self, rest: &str) -> oci::Reference {
        format!("127.0.0.1:{}/{rest}", self.port).parse().expect("reference")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("port").port()
}

pub fn has(tool: &str) -> bool {
    let there = Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !there {
        println!("skipped: {tool}");
    }
    there
}

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime")
}
