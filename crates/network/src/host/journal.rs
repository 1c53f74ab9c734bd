//! What was done to the host, written down before it is done.
//!
//! Nothing here is synced to the disk: what it tells of lives in the kernel and is gone with it. A file is replaced by
//! renaming, so a killed process leaves it whole; after another boot everything here is thrown away.

use super::failed;
use crate::config::Config;
use crate::topology::{NetworkError, Topology};
use base::files::{self, FileError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

/// A pod's link, made or about to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LinkRecord {
    /// The pod.
    pub pod: String,
    /// Its address, which also names link and namespace.
    pub address: Ipv4Addr,
    /// Whether it was finished.
    pub whole: bool,
}

impl LinkRecord {
    /// Name of the machine's end.
    pub fn link(&self, config: &Config) -> String {
        format!("{}{:010x}", config.link_prefix, u32::from(self.address))
    }

    /// The namespace as a file.
    pub fn netns(&self, config: &Config) -> PathBuf {
        config.home.join("netns").join(self.address.to_string())
    }

    fn file(&self, config: &Config) -> PathBuf {
        links_folder(config).join(self.address.to_string())
    }

    /// Writes it down.
    pub fn write(&self, config: &Config) -> Result<(), NetworkError> {
        write(&self.file(config), self)
    }

    /// Strikes it out.
    pub fn remove(&self, config: &Config) -> Result<(), NetworkError> {
        remove(&self.file(config))
    }
}

/// What was changed on the host beside links.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HostRecord {
    /// Kernel settings by path below `/proc/sys`, with the values that they had.
    pub settings: BTreeMap<String, String>,
    /// Whether the node's link may have been made.
    pub node_link: bool,
    /// Whether the rules' table may have been made.
    pub table: bool,
    /// Whether Docker's chain may hold rules of ours.
    pub docker: bool,
}

/// What the rules are made from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RulesRecord {
    /// Changes whenever the rules do; the kernel's table holds it too.
    pub nonce: String,
    /// As it was last asked for.
    pub topology: Topology,
    /// Addresses that are out of every service, and whether their pod is gone.
    pub withdrawn: BTreeMap<Ipv4Addr, bool>,
}

/// The file of a record of the host.
pub(crate) fn host_file(config: &Config) -> PathBuf {
    config.home.join("host.json")
}

/// The file of a record of the rules.
pub(crate) fn rules_file(config: &Config) -> PathBuf {
    config.home.join("rules.json")
}

/// The file of the address that was given last.
pub(crate) fn cursor_file(config: &Config) -> PathBuf {
    config.home.join("cursor.json")
}

/// The file that the name service reads.
pub(crate) fn names_file(config: &Config) -> PathBuf {
    config.home.join("names.json")
}

fn links_folder(config: &Config) -> PathBuf {
    config.home.join("links")
}

/// Makes the folders; forgets what another boot left.
pub(crate) fn prepare(config: &Config) -> Result<(), NetworkError> {
    for folder in [config.home.clone(), links_folder(config), config.home.join("netns")] {
        files::make_folder(&folder, 0o700).map_err(|error| failed("prepare the network's home", &error))?;
    }
    let boot = files::read(Path::new("/proc/sys/kernel/random/boot_id")).map_err(|error| failed("read the boot's id", &error))?;
    let boot = String::from_utf8_lossy(&boot).trim().to_owned();
    let file = config.home.join("boot.json");
    if read::<String>(&file)?.as_ref() == Some(&boot) {
        return Ok(());
    }
    for record in link_records(config)? {
        record.remove(config)?;
        remove(&record.netns(config))?;
    }
    for stale in [host_file(config), rules_file(config)] {
        remove(&stale)?;
    }
    write(&file, &boot)
}

/// All links that were written down.
pub(crate) fn link_records(config: &Config) -> Result<Vec<LinkRecord>, NetworkError> {
    let folder = links_folder(config);
    let entries = std::fs::read_dir(&folder).map_err(|error| failed(format!("list {}", folder.display()), &error))?;
    let mut records = Vec::new();
    for entry in entries.flatten() {
        match read(&entry.path())? {
            Some(record) => records.push(record),
            // Torn by a power cut, or left beside by a killed writer: either way nothing was made by it.
            None => remove(&entry.path())?,
        }
    }
    Ok(records)
}

/// A record; `None` where it is missing or torn.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, NetworkError> {
    let content = files::read_if_exists(path).map_err(|error| failed("read the network's journal", &error))?;
    Ok(content.and_then(|content| serde_json::from_slice(&content).ok()))
}

/// Replaces a record in one step.
pub(crate) fn write<T: Serialize>(path: &Path, record: &T) -> Result<(), NetworkError> {
    let doing = || "write the network's journal";
    let content = serde_json::to_vec(record).map_err(|error| failed(doing(), &error))?;
    // One writer at a time holds the home, and links have a file each.
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let beside = path.with_file_name(format!(".{name}.new"));
    let written = std::fs::write(&beside, content).and_then(|()| std::fs::rename(&beside, path));
    written.map_err(|error| failed(doing(), &FileError::new("write", path, error)))
}

/// Removes a file; gone already is success.
pub(crate) fn remove(path: &Path) -> Result<(), NetworkError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(failed("clean the network's home", &FileError::new("remove", path, error)))
        }
        _ => Ok(()),
    }
}
