//! Variables: of the image, of `ARG`, and those that are there by themselves.

use std::collections::BTreeMap;

/// Variables in the order in which they were first set; the last value counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    variables: Vec<(String, String)>,
}

impl Scope {
    /// Of `NAME=value` lines.
    pub(crate) fn of(env: &[String]) -> Self {
        let mut scope = Self::default();
        for line in env {
            let (name, value) = line.split_once('=').unwrap_or((line, ""));
            scope.set(name, value);
        }
        scope
    }

    pub(crate) fn get(&self, name: &str) -> Option<String> {
        self.variables.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone())
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        match self.variables.iter_mut().find(|(own, _)| own == name) {
            Some((_, old)) => value.clone_into(old),
            None => self.variables.push((name.to_owned(), value.to_owned())),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(String, String)> {
        self.variables.iter()
    }
}

/// Arguments that need no `ARG` to be seen by commands, and stay out of keys and history (Dockerfile reference, "Predefined ARGs").
pub(crate) const PROXIES: [&str; 10] =
    ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "FTP_PROXY", "ftp_proxy", "NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"];

/// The search path where an image says none, as BuildKit sets it.
pub(crate) const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// This machine's processor in Go's names.
pub(crate) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// `TARGETPLATFORM` and its like, for this machine.
pub(crate) fn platform_args() -> BTreeMap<String, String> {
    let arch = architecture();
    let mut args = BTreeMap::new();
    for side in ["TARGET", "BUILD"] {
        args.insert(format!("{side}PLATFORM"), format!("linux/{arch}"));
        args.insert(format!("{side}OS"), "linux".to_owned());
        args.insert(format!("{side}ARCH"), arch.to_owned());
        args.insert(format!("{side}VARIANT"), String::new());
    }
    args
}
