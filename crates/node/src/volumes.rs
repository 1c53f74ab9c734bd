//! Volumes of a pod: each kind is a file and a line in `VOLUMES`.

mod atomic;
mod claim;
mod config_map;
mod downward;
mod empty_dir;
mod host_path;
mod ownership;
mod projected;
mod secret;
#[cfg(test)]
mod tests;
mod tmpfs;
mod token;
pub(crate) mod usage;

pub use tmpfs::unmount_below;
pub use token::TokenCache;

use crate::cluster::{Cluster, TokenRequest};
use crate::config::NodeConfig;
use crate::container::security::fs_group;
use crate::pod::Pod;
use base::Timestamp;
use k8s::{Fields, Value};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// A pod's volumes by name, ready to be mounted.
pub type Prepared = BTreeMap<String, Volume>;

/// One volume on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Where.
    pub path: PathBuf,
    /// Whether no container may write to it.
    pub read_only: bool,
}

/// A kind of volume: the member of `spec.volumes[]` that makes it one, and what it takes.
struct VolumeKind {
    member: &'static str,
    plan: fn(&Context<'_>, name: &str, source: &Value) -> Result<Plan, String>,
}

/// All kinds.
const VOLUMES: &[VolumeKind] = &[
    VolumeKind { member: "emptyDir", plan: empty_dir::plan },
    VolumeKind { member: "configMap", plan: config_map::plan },
    VolumeKind { member: "secret", plan: secret::plan },
    VolumeKind { member: "projected", plan: projected::plan },
    VolumeKind { member: "downwardAPI", plan: downward::plan },
    VolumeKind { member: "hostPath", plan: host_path::plan },
    VolumeKind { member: "persistentVolumeClaim", plan: claim::plan },
    VolumeKind { member: "ephemeral", plan: claim::plan_ephemeral },
];

/// What volumes are made from.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The pod.
    pub pod: &'a Pod,
    /// Objects.
    pub cluster: &'a dyn Cluster,
    /// The node.
    pub node: &'a NodeConfig,
    /// The pod's address.
    pub ip: Option<IpAddr>,
}

/// What a volume takes.
enum Plan {
    /// A folder of the pod's own.
    Folder {
        /// Kept in memory: at most so many bytes, 0 for no limit.
        memory: Option<u64>,
    },
    /// Files that the node writes and keeps up to date.
    Files {
        /// Kept in memory only.
        memory: bool,
        /// By path below the volume.
        files: Files,
        /// Tokens to be filled in.
        tokens: Vec<TokenFile>,
    },
    /// A place on the host.
    Place {
        /// Where.
        path: PathBuf,
        /// Whether no container may write.
        read_only: bool,
        /// Whether `fsGroup` applies.
        owned: bool,
    },
}

/// Files by path below their volume.
type Files = BTreeMap<String, File>;

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct File {
    content: Vec<u8>,
    mode: u32,
    owner: Option<u32>,
}

/// A token to be written.
struct TokenFile {
    path: String,
    request: TokenRequest,
    mode: u32,
    owner: Option<u32>,
}

/// Makes a pod's volumes, or brings them up to date; doing it again changes nothing that is right. Also returns when a token wants to
/// be renewed.
///
/// # Errors
/// In the words of the kubelet's `FailedMount`.
pub async fn prepare(context: Context<'_>, cache: &mut TokenCache, now: Timestamp) -> Result<(Prepared, Option<Timestamp>), String> {
    let mut plans = Vec::new();
    for volume in context.pod.object.items("spec.volumes") {
        let name = volume.text("name").to_owned();
        let plan = plan(&context, &name, volume).map_err(|why| failed(&name, &why))?;
        plans.push((name, plan));
    }
    for (name, plan) in &mut plans {
        if let Plan::Files { files, tokens, .. } = plan {
            for token in std::mem::take(tokens) {
                let text = cache.get(context.cluster, &token.request, now).await.map_err(|why| failed(name, &why))?;
                files.insert(token.path, File { content: text.into_bytes(), mode: token.mode, owner: token.owner });
            }
        }
    }
    let folders = context.node.folders(&context.pod.uid);
    let rules = ownership::Rules::of(context.pod, fs_group(context.pod));
    let made = tokio::task::spawn_blocking(move || {
        let make = |(name, plan): (String, Plan)| {
            let made = make(&folders.volume(&name), plan, &rules).map_err(|why| failed(&name, &why))?;
            Ok((name, made))
        };
        plans.into_iter().map(make).collect::<Result<Prepared, String>>()
    });
    let made = made.await.map_err(|error| format!("volumes: {error}"))??;
    Ok((made, cache.renew_at()))
}

fn failed(name: &str, why: &str) -> String {
    format!("MountVolume.SetUp failed for volume \"{name}\" : {why}")
}

fn plan(context: &Context<'_>, name: &str, volume: &Value) -> Result<Plan, String> {
    if let Some((kind, source)) = VOLUMES.iter().find_map(|kind| Some((kind, volume.at(kind.member)?))) {
        return (kind.plan)(context, name, source);
    }
    let member = volume.as_object().and_then(|members| members.keys().find(|key| *key != "name"));
    match member {
        Some(member) => Err(format!("volumes of kind {member} are not supported by this node")),
        // A volume without a source is an emptyDir. Source: core/v1 defaults.
        None => empty_dir::plan(context, name, &Value::Null),
    }
}

fn make(folder: &Path, plan: Plan, rules: &ownership::Rules) -> Result<Volume, String> {
    match plan {
        Plan::Folder { memory } => {
            let fresh = empty_dir::make(folder, memory)?;
            if fresh {
                rules.apply(folder, false)?;
            }
            Ok(Volume { path: folder.to_owned(), read_only: false })
        }
        Plan::Files { memory, files, .. } => {
            make_folder(folder)?;
            if memory {
                tmpfs::ensure(folder, None, 0o755)?;
            }
            atomic::write(folder, &files, rules.group)?;
            Ok(Volume { path: folder.to_owned(), read_only: true })
        }
        Plan::Place { path, read_only, owned } => {
            if owned {
                rules.apply(&path, read_only)?;
            }
            Ok(Volume { path, read_only })
        }
    }
}

fn make_folder(folder: &Path) -> Result<(), String> {
    base::files::make_folder(folder, 0o755).map_err(|error| error.to_string())
}

/// Finds a path below a volume, and makes its folders where they are missing and `make` says so; without ever leaving it: a link that a
/// container planted and that points outside is an error.
///
/// # Errors
/// A sentence.
pub fn make_below(volume: &Path, path: &str, make: bool) -> Result<(), String> {
    use rustix::fs::{Mode, OFlags, ResolveFlags};
    let text = |error: rustix::io::Errno| format!("`{path}`: {error}");
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let within = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let base = rustix::fs::open(volume, flags, Mode::empty()).map_err(text)?;
    if !rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(&base).map_err(text)?.st_mode).is_dir() {
        return Err("subPath of a volume that is a file".into());
    }
    let mut here = base;
    let mut walked = PathBuf::new();
    for part in Path::new(path).components() {
        let std::path::Component::Normal(part) = part else { continue };
        walked.push(part);
        let root = rustix::fs::open(volume, flags, Mode::empty()).map_err(text)?;
        here = match rustix::fs::openat2(&root, &walked, flags, Mode::empty(), within) {
            Ok(found) => found,
            Err(rustix::io::Errno::NOENT) if make => {
                rustix::fs::mkdirat(&here, part, Mode::from_raw_mode(0o750)).map_err(text)?;
                let made = rustix::fs::openat2(&here, part, flags | OFlags::DIRECTORY, Mode::empty(), within).map_err(text)?;
                inherit(&root, &made).map_err(text)?;
                made
            }
            Err(error) => return Err(text(error)),
        };
    }
    Ok(())
}

/// A new folder below a volume has the volume's mode and owner, so that whoever may write to the volume may write to it.
fn inherit(volume: &rustix::fd::OwnedFd, made: &rustix::fd::OwnedFd) -> rustix::io::Result<()> {
    use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid};
    let like = rustix::fs::fstat(volume)?;
    let made = rustix::fs::openat(made, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let (uid, gid) = (Uid::from_raw(like.st_uid), Gid::from_raw(like.st_gid));
    rustix::fs::chownat(&made, "", Some(uid), Some(gid), AtFlags::EMPTY_PATH)?;
    rustix::fs::fchmod(&made, Mode::from_raw_mode(like.st_mode & 0o7777))
}
