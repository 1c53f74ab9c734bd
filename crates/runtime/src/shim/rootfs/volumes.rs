//! Volumes: where they come from is opened before the host is left; where they go is opened inside the root.

use super::Plan;
use crate::protocol::host;
use crate::spec::{Mount, MountSource, Propagation, Root as RootSpec, RuntimeError};
use crate::weak::{self, Weakness};
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path};
use sys::Root;
use sys::mount::{self, Attributes, Spread};

/// A volume that is attached nowhere yet.
pub struct Volume<'a> {
    mount: &'a Mount,
    /// Nothing for layers: they are mounted by name, which waits until the namespace is cut off from the host's.
    tree: Option<OwnedFd>,
}

/// Opens all sources.
pub fn open<'a>(plan: &Plan<'a>) -> Result<Vec<Volume<'a>>, RuntimeError> {
    let privileged = plan.spec.privileges.privileged;
    plan.spec.mounts.iter().map(|mount| Ok(Volume { mount, tree: tree(mount, privileged)? })).collect()
}

// Device nodes that a container made in a volume are dead everywhere.
fn attributes(mount: &Mount, privileged: bool) -> Attributes {
    Attributes { read_only: mount.read_only, no_devices: !privileged, ..Attributes::default() }
}

fn tree(mount: &Mount, privileged: bool) -> Result<Option<OwnedFd>, RuntimeError> {
    let attributes = attributes(mount, privileged);
    let tree = match &mount.source {
        MountSource::Bind(path) => mount::copy(path, true).map_err(host(format!("open the volume {}", path.display())))?,
        MountSource::BindBelow { base, path } => below(base, path)?,
        MountSource::Layers { .. } => return Ok(None),
        MountSource::Tmpfs { size_bytes, mode } => {
            let (size, mode) = (size_bytes.map(|size| size.to_string()), format!("{mode:o}"));
            let mut options = vec![("mode", Some(mode.as_str()))];
            options.extend(size.as_deref().map(|size| ("size", Some(size))));
            let made = mount::new("tmpfs", &options, attributes);
            return made.map(Some).map_err(host(format!("mount memory for {}", mount.target)));
        }
    };
    let spread = match mount.propagation {
        Propagation::None => Spread::Private,
        Propagation::HostToContainer => Spread::Slave,
        Propagation::Bidirectional => Spread::Shared,
    };
    mount::set(&tree, attributes, Some(spread), true).map_err(host(format!("set up the volume for {}", mount.target)))?;
    Ok(Some(tree))
}

fn layered(mount: &Mount, privileged: bool) -> Result<OwnedFd, RuntimeError> {
    let MountSource::Layers { layers, place, path } = &mount.source else {
        return Err(RuntimeError::Config(format!("nothing was opened for {}", mount.target)));
    };
    let root = super::overlay(&RootSpec { layers: layers.clone(), writable: place.clone(), read_only: false }, privileged)?;
    let found = root.at(path.trim_start_matches('/'));
    let found = found.map_err(|error| RuntimeError::Config(format!("the path `{path}` in the layers cannot be used: {error}")))?;
    let set_up = || {
        let tree = mount::copy_fd(&found, false)?;
        mount::set(&tree, attributes(mount, privileged), Some(Spread::Private), false)?;
        Ok(tree)
    };
    set_up().map_err(host(format!("set up the layers for {}", mount.target)))
}

// The volume's content is the containers' own: one may swap a link in while another is being started.
fn below(base: &Path, path: &str) -> Result<OwnedFd, RuntimeError> {
    let fail =
        |error: io::Error| RuntimeError::Config(format!("the path `{path}` in the volume {} cannot be used: {error}", base.display()));
    if weak::is(Weakness::PlainPaths) {
        return mount::copy(&base.join(path), true).map_err(fail);
    }
    let root = Root::open(base).map_err(fail)?;
    let how = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let relative = path.trim_start_matches('/');
    let relative = if relative.is_empty() { "." } else { relative };
    let open = || -> io::Result<OwnedFd> {
        for _ in 0..128 {
            match rustix::fs::openat2(&root, relative, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), how) {
                // A rename raced with a `..` in a link.
                Err(rustix::io::Errno::AGAIN) => {}
                other => return Ok(other?),
            }
        }
        Err(rustix::io::Errno::AGAIN.into())
    };
    let opened = match open() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => root.make_folders(relative).and_then(|_| open()),
        other => other,
    };
    let handle = opened.map_err(|error| match error.raw_os_error() {
        Some(code) if code == rustix::io::Errno::XDEV.raw_os_error() => {
            RuntimeError::Config(format!("the path `{path}` leads out of the volume {}", base.display()))
        }
        _ => fail(error),
    })?;
    mount::copy_fd(handle, true).map_err(fail)
}

/// Attaches all, in order.
pub fn place(plan: &Plan<'_>, root: &Root, volumes: Vec<Volume<'_>>) -> Result<(), RuntimeError> {
    for Volume { mount, tree } in volumes {
        let tree = tree.map_or_else(|| layered(mount, plan.spec.privileges.privileged), Ok)?;
        let target = target(root, &mount.target, &tree)?;
        mount::attach(tree, target).map_err(host(format!("mount the volume at {}", mount.target)))?;
    }
    Ok(())
}

fn target(root: &Root, path: &str, tree: &OwnedFd) -> Result<OwnedFd, RuntimeError> {
    let fail = |error: io::Error| RuntimeError::Config(format!("nothing can be mounted at `{path}`: {error}"));
    let named = Path::new(path).components().any(|part| matches!(part, Component::Normal(_)));
    if !path.starts_with('/') || !named {
        return Err(RuntimeError::Config(format!("`{path}` is no place for a mount: an absolute path below / is")));
    }
    if weak::is(Weakness::PlainPaths) {
        // What a careless runtime does: the host's rules for a path in somebody else's root.
        let plain = format!("{}{path}", sys::path::fd_path(root));
        return rustix::fs::openat(CWD, plain, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).map_err(|error| fail(error.into()));
    }
    let folder = FileType::from_raw_mode(rustix::fs::fstat(tree).map_err(|error| fail(error.into()))?.st_mode) == FileType::Directory;
    let target = if folder { root.make_folders(path) } else { root.make_file(path) }.map_err(fail)?;
    // Whoever covers parts of /proc decides what a process, or a runtime, reads and writes there.
    if sys::proc::is_procfs(&target).map_err(fail)? && !weak::is(Weakness::CoveredProc) {
        return Err(RuntimeError::Config(format!("`{path}` lies in /proc, where nothing may be mounted")));
    }
    Ok(target)
}
