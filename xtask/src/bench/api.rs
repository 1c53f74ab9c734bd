//! Writes and reads of the API, on disk.

use super::Bench;
use super::site::{self, Site};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub(super) const BENCH: Bench = Bench {
    name: "api",
    about: "creates and updates of 1 KiB ConfigMaps at 1 and 16 writers over TLS, every one fsynced before it is answered; LIST of\n\
        5,000; start (crates/apiserver/benches/requests.rs). With --peer, such as kube-apiserver with etcd: creates on both in\n\
        turns, five times (benches/beside.rs)",
    run,
};

fn run(site: &Site) -> Result<(), String> {
    site::cargo_bench("apiserver", "requests", &[])?;
    let Some(peer) = site.peer() else {
        println!("kube-apiserver + etcd: none named by --peer");
        return Ok(());
    };
    site::need(&["kubectl"])?;
    let server = Server::start(&site.folder().join("api"))?;
    let (ours, theirs) = (site.folder().join("ours"), site.folder().join("theirs"));
    access(&server.home.join("kubeconfig"), &ours)?;
    access(peer, &theirs)?;
    site::cargo_bench("apiserver", "beside", &[&ours.display().to_string(), &theirs.display().to_string()])
}

/// Our API without controllers and node; it ends with its standard input.
struct Server {
    child: Child,
    home: PathBuf,
}

impl Server {
    fn start(home: &Path) -> Result<Self, String> {
        let program = site::example("apiserver", "serve")?;
        let mut command = Command::new(program);
        command.arg(home).stdin(Stdio::piped()).stdout(Stdio::null());
        let child = command.spawn().map_err(|error| format!("cannot start the API: {error}"))?;
        let server = Self { child, home: home.to_path_buf() };
        let begun = Instant::now();
        while !server.home.join("kubeconfig").exists() {
            if begun.elapsed() > Duration::from_secs(20) {
                return Err("the API does not start".to_owned());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Writes what a kubeconfig's current context says into files, as the benchmark reads them.
fn access(kubeconfig: &Path, folder: &Path) -> Result<(), String> {
    const PARTS: [(&str, &str); 4] = [
        ("server", "{.clusters[0].cluster.server}"),
        ("ca.crt", "{.clusters[0].cluster.certificate-authority-data}"),
        ("client.crt", "{.users[0].user.client-certificate-data}"),
        ("client.key", "{.users[0].user.client-key-data}"),
    ];
    std::fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    for (name, path) in PARTS {
        let decode = if name == "server" { "cat" } else { "base64 -d" };
        let script =
            format!("kubectl --kubeconfig \"$1\" config view --raw --minify --flatten --output jsonpath=\"$2\" | {decode} > \"$3\"");
        let mut command = Command::new("sh");
        site::run(command.args(["-c", &script, "access"]).arg(kubeconfig).arg(path).arg(folder.join(name)))?;
    }
    Ok(())
}
