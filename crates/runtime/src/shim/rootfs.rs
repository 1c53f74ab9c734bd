//! A container's root, built in its own mount namespace: nothing of it is seen outside, nothing is left when it ends.
//!
//! Everything is opened before it is used, and used by its handle. Paths that the image or a volume can influence are
//! resolved by `openat2` inside the root, never by the host's rules.

mod devices;
mod masks;
mod volumes;

use super::pod::Shared;
use crate::cgroup::Group;
use crate::protocol::host;
use crate::spec::{ContainerSpec, Root as RootSpec, RuntimeError};
use rustix::fs::{Mode, OFlags};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use sys::Root;
use sys::mount::{self, Attributes};
use sys::path::{fd_path, open_beneath_strict};

/// What a root is built from.
pub struct Plan<'a> {
    /// The container.
    pub spec: &'a ContainerSpec,
    /// Its cgroup, of which it is a member already.
    pub group: &'a Group,
    /// What it shares with the pod's others.
    pub shared: &'a Shared,
}

/// The terminal of a container that has one: the watcher's side, and its own.
pub type Terminal = (OwnedFd, OwnedFd);

/// Builds the root and makes it `/` of this process.
///
/// # Errors
/// [`RuntimeError::Config`] for what the specification or the image is to blame for, else [`RuntimeError::Host`].
pub fn enter(plan: &Plan<'_>) -> Result<Option<Terminal>, RuntimeError> {
    let volumes = volumes::open(plan)?;
    let devices = devices::open(plan.spec.privileges.privileged)?;
    let groups = groups(plan).map_err(host("open the cgroup"))?;
    // Copies of the host's shared mounts were taken above, before this namespace is cut off from the host's.
    mount::stop_spreading(true).map_err(host("cut off the mount namespace"))?;
    let privileged = plan.spec.privileges.privileged;
    let root = overlay(&plan.spec.root, privileged)?;
    let proc = proc(plan, &root)?;
    let terminal = devices::place(plan, &root, &devices)?;
    let target = own_folder(&root, "sys")?;
    system(plan, &root, target, groups).map_err(host("mount /sys"))?;
    volumes::place(plan, &root, volumes)?;
    let terminal = terminal.console(plan, &root)?;
    if !privileged && !plan.spec.privileges.unmasked_proc {
        masks::place(&proc, &root, &devices.null).map_err(host("mask /proc"))?;
    }
    if plan.spec.root.read_only {
        mount::set(&root, Attributes { read_only: true, ..Attributes::default() }, None, false).map_err(host("make the root read-only"))?;
    }
    mount::become_root(root.as_fd()).map_err(host("enter the root"))?;
    Ok(terminal)
}

/// Layers below, the written folder on top, mounted over the written folder itself: the namespace is the container's own.
fn overlay(spec: &RootSpec, privileged: bool) -> Result<Root, RuntimeError> {
    let open = |path: &Path| Root::open(path).map_err(host(format!("open {}", path.display())));
    let mut layers = spec.layers.iter().map(|layer| open(layer)).collect::<Result<Vec<_>, _>>()?;
    if layers.is_empty() {
        layers.push(folder(&spec.writable.join("empty")).map_err(host("make an empty layer"))?);
    }
    let written = |name: &str| folder(&spec.writable.join(name)).map_err(host(format!("make {}/{name}", spec.writable.display())));
    // What an earlier mount left there marks the folder as used.
    let _ = std::fs::remove_dir_all(spec.writable.join("work"));
    let (upper, work) = (written("upper")?, written("work")?);
    // By handles: names could hold `:` and `,`, be too long together, and are nobody's business inside.
    let lower = layers.iter().map(fd_path).collect::<Vec<_>>().join(":");
    // `volatile`: what is written here does not outlive a crash of the machine anyway, so it is not synced either.
    let options = format!(
        "lowerdir={lower},upperdir={},workdir={},index=off,redirect_dir=nofollow,metacopy=off,volatile",
        fd_path(&upper),
        fd_path(&work)
    );
    if options.len() > 4_000 {
        return Err(RuntimeError::Config(format!("an image of {} layers is more than can be mounted", layers.len())));
    }
    let place = open(&spec.writable)?;
    let attributes = Attributes { no_devices: !privileged, ..Attributes::default() };
    mount::classic("overlay", &fd_path(&place), attributes, &options).map_err(host("mount the root"))?;
    open(&spec.writable)
}

fn folder(path: &Path) -> io::Result<Root> {
    match std::fs::create_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Root::open(path),
    }
}

/// One of the folders that must be real ones: a link there would move the whole mount elsewhere in the image.
fn own_folder(root: &Root, name: &str) -> Result<OwnedFd, RuntimeError> {
    let open = || open_beneath_strict(root, name, OFlags::PATH | OFlags::DIRECTORY);
    let made = open().or_else(|error| {
        if error.kind() != io::ErrorKind::NotFound {
            return Err(error);
        }
        rustix::fs::mkdirat(root, name, Mode::from_raw_mode(0o755))?;
        open()
    });
    made.map_err(|error| RuntimeError::Config(format!("the image's /{name} is not a plain folder: {error}")))
}

fn proc(plan: &Plan<'_>, root: &Root) -> Result<OwnedFd, RuntimeError> {
    let target = own_folder(root, "proc")?;
    let shared = plan.shared.proc().map_err(host("copy the pod's /proc"))?;
    let proc = match shared {
        Some(proc) => proc,
        None => mount::new("proc", &[], super::pod::proc_attributes()).map_err(host("mount /proc"))?,
    };
    mount::attach(&proc, target).map_err(host("mount /proc"))?;
    Ok(proc)
}

// Opened while the host's folders can still be reached by name.
fn groups(plan: &Plan<'_>) -> io::Result<Vec<(String, OwnedFd)>> {
    let read_only = Attributes { read_only: !plan.spec.privileges.privileged, ..super::pod::proc_attributes() };
    if plan.group.unified().is_some() {
        // Shows this cgroup as the root: the process has a cgroup namespace of its own.
        return Ok(vec![(String::new(), mount::new("cgroup2", &[], read_only)?)]);
    }
    let open = |(name, path): (&str, &Path)| {
        let copy = mount::copy(path, false)?;
        mount::set(&copy, read_only, None, false)?;
        Ok((name.to_owned(), copy))
    };
    plan.group.hierarchies().map(open).collect()
}

fn system(plan: &Plan<'_>, root: &Root, target: OwnedFd, groups: Vec<(String, OwnedFd)>) -> io::Result<()> {
    let attributes = Attributes { read_only: !plan.spec.privileges.privileged, ..super::pod::proc_attributes() };
    mount::attach(mount::new("sysfs", &[], attributes)?, target)?;
    let Ok(target) = root.at("sys/fs/cgroup") else { return Ok(()) };
    if let [(name, group)] = groups.as_slice()
        && name.is_empty()
    {
        return mount::attach(group, target);
    }
    let folder = mount::new("tmpfs", &[("mode", Some("755")), ("size", Some("64k"))], super::pod::proc_attributes())?;
    for (name, _) in &groups {
        rustix::fs::mkdirat(&folder, name.as_str(), Mode::from_raw_mode(0o755))?;
    }
    mount::attach(&folder, target)?;
    for (name, group) in &groups {
        mount::attach(group, open_beneath_strict(&folder, name, OFlags::PATH | OFlags::DIRECTORY)?)?;
    }
    mount::set(&folder, Attributes { read_only: true, ..Attributes::default() }, None, false)
}
