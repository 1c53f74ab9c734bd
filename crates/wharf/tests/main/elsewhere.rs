//! The engine as a cluster of others: by a context of a kubeconfig and a registry, the way that leads to every Kubernetes. All in a network
//! namespace, for which this program starts itself once more.

#![allow(clippy::print_stdout, reason = "what the inner run says")]

use super::place::{self, Place, program, shown};
use super::{held, killed};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

const INSIDE: &str = "WHARF_TEST_INSIDE";
const TEST: &str = "elsewhere::deploys_to_the_engine_by_its_context_outlive_kills";

#[test]
fn deploys_to_the_engine_by_its_context_outlive_kills() {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    if place::base(&["unshare", "ip", "nft", "kubectl", "curl"]).is_none() {
        return;
    }
    let inner =
        format!("ip link set lo up && exec {} {TEST} --exact --nocapture", std::env::current_exe().expect("this program").display());
    let mut command = Command::new("unshare");
    command.args(["-n", "-m", "--propagation", "slave", "sh", "-c", &inner]).env(INSIDE, "1").stdin(Stdio::null());
    print!("{}", shown(&["inside"], &command.output().expect("it runs")));
}

/// The engine and a registry; both end with the value.
struct Others {
    folder: PathBuf,
    registry: Child,
}

impl Others {
    fn start() -> Self {
        let folder = std::env::temp_dir().join(format!("wharf-elsewhere-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("made");
        let mut serve = Command::new(program());
        serve.args(["registry", "serve", "--home"]).arg(folder.join("registry")).stdin(Stdio::null()).stdout(Stdio::null());
        let others = Self { registry: serve.stderr(Stdio::null()).spawn().expect("it runs"), folder };
        shown(&["engine", "start"], &others.engine(&["start"]));
        others
    }

    fn engine(&self, args: &[&str]) -> Output {
        let mut command = Command::new(program());
        command.arg("engine").args(args).arg("--home").arg(self.folder.join("engine")).env("HOME", &self.folder).output().expect("it runs")
    }

    /// The engine's kubeconfig, with the context that the project's environment names.
    fn kubeconfig(&self) -> PathBuf {
        let text = shown(&["engine", "kubeconfig"], &self.engine(&["kubeconfig"]));
        let path = self.folder.join("kubeconfig");
        std::fs::write(&path, text).expect("written");
        let mut rename = Command::new("kubectl");
        rename.args(["config", "rename-context", "wharf", "kubernetes-test"]).env("KUBECONFIG", &path).env("HOME", &self.folder);
        shown(&["rename-context"], &rename.output().expect("it runs"));
        let mut choose = Command::new("kubectl");
        choose.args(["config", "use-context", "kubernetes-test"]).env("KUBECONFIG", &path).env("HOME", &self.folder);
        shown(&["use-context"], &choose.output().expect("it runs"));
        path
    }
}

impl Drop for Others {
    fn drop(&mut self) {
        let reset = self.engine(&["reset"]);
        let _ = self.registry.kill();
        let _ = self.registry.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
        if !std::thread::panicking() {
            shown(&["engine", "reset"], &reset);
        }
    }
}

fn inside() {
    let others = Others::start();
    let Some(place) = Place::of_cluster("elsewhere", others.kubeconfig()) else { return };
    killed::at_writes(&place, killed::points(Some(2)));
    held::two_at_once(&place);
    drop(place);
}
