//! `/dev`: a small memory file system with the host's harmless nodes bound into it.

use super::{Plan, Terminal, own_folder};
use crate::protocol::host;
use crate::spec::RuntimeError;
use crate::weak::{self, Weakness};
use rustix::fs::{CWD, FileType, Mode, OFlags, major, minor};
use std::io;
use std::os::fd::OwnedFd;
use sys::Root;
use sys::mount::{self, Attributes};
use sys::path::open_beneath_strict;

/// Names and numbers (Documentation/admin-guide/devices.txt) of what every container has.
const NODES: [(&str, u32, u32); 6] = [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];
const LINKS: [(&str, &str); 6] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
    ("core", "/proc/kcore"),
];

/// The host's nodes, opened and checked.
pub struct Devices {
    nodes: Vec<(String, OwnedFd)>,
    /// The host's `/dev/null`, proven to be it.
    pub null: OwnedFd,
}

/// Opens the nodes; for the privileged all that lie in the host's `/dev` itself.
pub fn open(privileged: bool) -> Result<Devices, RuntimeError> {
    let node = |name: &str, number: Option<(u32, u32)>| open_node(name, number).map_err(host(format!("open /dev/{name}")));
    let mut nodes = NODES
        .iter()
        .map(|(name, major, minor)| Ok(((*name).to_owned(), node(name, Some((*major, *minor)))?)))
        .collect::<Result<Vec<_>, RuntimeError>>()?;
    if privileged {
        for entry in std::fs::read_dir("/dev").map_err(host("list /dev"))?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let taken = ["console", "ptmx", "core"].contains(&name.as_str()) || nodes.iter().any(|(known, _)| *known == name);
            if let (false, Ok(opened)) = (taken, open_node(&name, None)) {
                nodes.push((name, opened));
            }
        }
    }
    Ok(Devices { nodes, null: node("null", Some((1, 3)))? })
}

fn open_node(name: &str, number: Option<(u32, u32)>) -> io::Result<OwnedFd> {
    let fd = rustix::fs::openat(CWD, format!("/dev/{name}"), OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    let stat = rustix::fs::fstat(&fd)?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    let right = match number {
        Some(number) => kind == FileType::CharacterDevice && (major(stat.st_rdev), minor(stat.st_rdev)) == number,
        None => matches!(kind, FileType::CharacterDevice | FileType::BlockDevice),
    };
    if right { Ok(fd) } else { Err(io::Error::other(format!("/dev/{name} of this machine is not the device of that name"))) }
}

/// `/dev` in place, and a terminal in it if one is wanted.
pub struct Placed {
    dev: OwnedFd,
    terminal: Option<Terminal>,
}

/// Mounts `/dev`.
pub fn place(plan: &Plan<'_>, root: &Root, devices: &Devices) -> Result<Placed, RuntimeError> {
    let target = own_folder(root, "dev")?;
    let placed = fill(plan, target, devices).map_err(host("mount /dev"))?;
    Ok(placed)
}

fn fill(plan: &Plan<'_>, target: OwnedFd, devices: &Devices) -> io::Result<Placed> {
    let attributes = Attributes { no_set_id: true, no_devices: !plan.spec.privileges.privileged, ..Attributes::default() };
    let dev = mount::new("tmpfs", &[("mode", Some("755")), ("size", Some("64m")), ("source", Some("tmpfs"))], attributes)?;
    mount::attach(&dev, target)?;
    for (name, node) in &devices.nodes {
        mount::attach(mount::copy_fd(node, false)?, file(&dev, name)?)?;
    }
    for (name, target) in LINKS {
        rustix::fs::symlinkat(target, &dev, name)?;
    }
    let pts = mount::new(
        "devpts",
        &[("ptmxmode", Some("0666")), ("mode", Some("0620")), ("gid", Some("5"))],
        Attributes { no_set_id: true, no_exec: true, ..Attributes::default() },
    )?;
    mount::attach(&pts, folder(&dev, "pts")?)?;
    mount::attach(plan.shared.shm()?, folder(&dev, "shm")?)?;
    mount::attach(mount::new("mqueue", &[], super::super::pod::proc_attributes())?, folder(&dev, "mqueue")?)?;
    let terminal = if plan.spec.terminal { Some(sys::pty::open_pair(&pts)?) } else { None };
    if let Some((_, inner)) = &terminal
        && !weak::is(Weakness::ConsoleByName)
    {
        // By the handle of the very terminal that was just made; nothing of the image has been mounted yet.
        mount::attach(mount::copy_fd(inner, false)?, file(&dev, "console")?)?;
    }
    Ok(Placed { dev, terminal })
}

impl Placed {
    /// The terminal, once all volumes are in place.
    pub fn console(self, plan: &Plan<'_>, root: &Root) -> Result<Option<Terminal>, RuntimeError> {
        if plan.spec.terminal && weak::is(Weakness::ConsoleByName) {
            // What a careless runtime does: by name, where a volume may have put a link.
            let by_name = || mount::attach(mount::copy_fd(root.at("dev/pts/0")?, false)?, file(&self.dev, "console")?);
            by_name().map_err(host("bind the console"))?;
        }
        Ok(self.terminal)
    }
}

fn file(dev: &OwnedFd, name: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    drop(rustix::fs::openat(dev, name, flags, Mode::from_raw_mode(0o666))?);
    open_beneath_strict(dev, name, OFlags::PATH)
}

fn folder(dev: &OwnedFd, name: &str) -> io::Result<OwnedFd> {
    rustix::fs::mkdirat(dev, name, Mode::from_raw_mode(0o755))?;
    open_beneath_strict(dev, name, OFlags::PATH | OFlags::DIRECTORY)
}
