//! `examples/jobs`, up in an engine of its own; all of it goes when dropped.

use super::site::{self, Site};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;

/// The project that runs.
pub(super) struct Project {
    wharf: PathBuf,
    home: PathBuf,
    kubeconfig: PathBuf,
}

impl Project {
    /// Brings it up; nothing is left to settle when this returns.
    pub(super) fn up(site: &Site) -> Result<Self, String> {
        site::need(&["kubectl"])?;
        let home = site.folder().join("home");
        let project = Self { wharf: site.wharf()?.to_path_buf(), kubeconfig: site.folder().join("kubeconfig"), home };
        site::said(project.command(&["up", "examples/jobs", "--skip", "test"]).current_dir(crate::root()))?;
        let kubeconfig = site::said(&mut project.command(&["engine", "kubeconfig"]))?;
        std::fs::write(&project.kubeconfig, kubeconfig).map_err(|error| format!("cannot write the kubeconfig: {error}"))?;
        Ok(project)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.wharf);
        command.args(arguments).env("WHARF_HOME", &self.home);
        command
    }

    pub(super) fn kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        site::said(Command::new("kubectl").arg("--kubeconfig").arg(&self.kubeconfig).args(arguments))
    }

    /// Objects as kubectl lists them, in all namespaces.
    pub(super) fn list(&self, kind: &str) -> Result<Vec<Value>, String> {
        let text = self.kubectl(&["get", kind, "--all-namespaces", "--output", "json"])?;
        let mut list: Value = serde_json::from_str(&text).map_err(|error| format!("kubectl printed no JSON: {error}"))?;
        Ok(list["items"].as_array_mut().map(std::mem::take).unwrap_or_default())
    }

    /// Our processes with their parts: the engine, the name service, and a shim for each pod; a shim that is not found is an error.
    pub(super) fn processes(&self) -> Result<Vec<(u32, String)>, String> {
        let pods = self.list("pods")?;
        let text = |pod: &Value, name: &str| pod["metadata"][name].as_str().unwrap_or_default().to_owned();
        let pods: Vec<String> = pods.iter().map(|pod| format!("{}/{}", text(pod, "namespace"), text(pod, "name"))).collect();
        let ids = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let ids = ids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let found: Vec<(u32, String)> = ids.filter_map(|id| Some((id, self.part(id, &pods)?))).collect();
        let shims = found.iter().filter(|(_, part)| part == "__shim").count();
        if shims == pods.len() { Ok(found) } else { Err(format!("{shims} shims of {} pods were found", pods.len())) }
    }

    /// Which part a process is, if it is ours. A shim has given up the root that its program lies in, so its arguments tell.
    fn part(&self, id: u32, pods: &[String]) -> Option<String> {
        let line = std::fs::read(format!("/proc/{id}/cmdline")).ok()?;
        let words: Vec<_> = line.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
        let is_program = std::fs::read_link(format!("/proc/{id}/exe")).is_ok_and(|program| program == self.wharf);
        let part = words.get(1)?;
        let is_shim = part == "__shim" && words.get(2).is_some_and(|pod| pods.iter().any(|own| own == pod));
        (is_program || is_shim).then(|| part.clone().into_owned())
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        for arguments in [&["engine", "reset"][..], &["image", "prune", "--all"]] {
            if let Err(why) = site::said(&mut self.command(arguments)) {
                println!("left behind: {why}");
            }
        }
    }
}
