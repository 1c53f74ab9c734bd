//! Writes and reads of the API, on disk.

use super::Bench;
use super::site::{self, Site};
use std::path::{Path, PathBuf};
use std::process::Command;

pub(super) const BENCH: Bench = Bench {
    name: "api",
    about: "creates and updates of 1 KiB ConfigMaps at 1 and 16 writers over TLS, every one fsynced before it is answered; LIST of\n\
        5,000; start (crates/apiserver/benches/requests.rs). With --peer, such as kube-apiserver with etcd: creates on the\n\
        whole engine and on the peer in turns, five times (benches/beside.rs)",
    run,
};

fn run(site: &Site) -> Result<(), String> {
    site::cargo_bench("apiserver", "requests", &[])?;
    let Some(peer) = site.peer() else {
        println!("kube-apiserver + etcd: none named by --peer");
        return Ok(());
    };
    site::need(&["kubectl"])?;
    let engine = Engine::start(site)?;
    let (ours, theirs) = (site.folder().join("ours"), site.folder().join("theirs"));
    access(&engine.kubeconfig, &ours)?;
    access(peer, &theirs)?;
    site::cargo_bench("apiserver", "beside", &[&ours.display().to_string(), &theirs.display().to_string()])
}

/// A whole engine, as the peer is a whole cluster; all of it goes when dropped.
struct Engine {
    wharf: PathBuf,
    home: PathBuf,
    kubeconfig: PathBuf,
}

impl Engine {
    fn start(site: &Site) -> Result<Self, String> {
        let engine =
            Self { wharf: site.wharf()?.to_path_buf(), home: site.folder().join("api"), kubeconfig: site.folder().join("api-kubeconfig") };
        site::said(&mut engine.command(&["engine", "start"]))?;
        let kubeconfig = site::said(&mut engine.command(&["engine", "kubeconfig"]))?;
        std::fs::write(&engine.kubeconfig, kubeconfig).map_err(|error| format!("cannot write the kubeconfig: {error}"))?;
        Ok(engine)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.wharf);
        command.args(arguments).env("WHARF_HOME", &self.home);
        command
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Err(why) = site::said(&mut self.command(&["engine", "reset"])) {
            println!("left behind: {why}");
        }
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
