//! Limits and accounts of pods and containers: cgroup v2, and v1 by a thin adapter.

mod detect;
mod limits;

use crate::spec::{Resources, Usage};
use detect::Layout;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;
use sys::kernel::Kernel;

/// Where this machine keeps its cgroups.
#[derive(Clone, Debug)]
pub struct Cgroups {
    layout: Layout,
    root: String,
}

/// One group: a folder (v2), or one in each hierarchy (v1).
#[derive(Clone, Debug)]
pub struct Group {
    folders: Vec<Folder>,
    v2: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Folder {
    mount: PathBuf,
    path: PathBuf,
    /// v1: what the hierarchy counts; v2: empty.
    controllers: Vec<String>,
}

impl Cgroups {
    /// Looks at `/proc/self/mounts`; every group of ours will lie below the folder `root` (v1: of every hierarchy).
    ///
    /// # Errors
    /// When there is no usable hierarchy.
    pub fn detect(root: &str) -> io::Result<Self> {
        let mounts = std::fs::read_to_string("/proc/self/mounts")?;
        let layout = detect::layout(&mounts, |mount| std::fs::read_to_string(mount.join("cgroup.controllers")).unwrap_or_default());
        let layout = layout.ok_or_else(|| io::Error::other("no cgroup hierarchy with a memory controller is mounted"))?;
        Ok(Self { layout, root: root.to_owned() })
    }

    /// Whether this is the unified hierarchy.
    pub fn is_v2(&self) -> bool {
        matches!(self.layout, Layout::V2(_))
    }

    /// The group at a path below the root.
    pub fn group(&self, below: &str) -> Group {
        let path = |mount: &Path| mount.join(&self.root).join(below);
        match &self.layout {
            Layout::V2(mount) => {
                Group { folders: vec![Folder { mount: mount.clone(), path: path(mount), controllers: Vec::new() }], v2: true }
            }
            Layout::V1(hierarchies) => {
                let folder = |(mount, controllers): &(PathBuf, Vec<String>)| Folder {
                    mount: mount.clone(),
                    path: path(mount),
                    controllers: controllers.clone(),
                };
                Group { folders: hierarchies.iter().map(folder).collect(), v2: false }
            }
        }
    }
}

impl Group {
    /// Makes the group, with those above it, and sets its limits. What was made is taken away again on failure.
    ///
    /// # Errors
    /// What the system says, with the file it said it of.
    pub fn create(&self, kernel: &dyn Kernel, limits: &Resources, whole_kill: bool) -> io::Result<()> {
        let mut made = Vec::new();
        let done = self
            .folders
            .iter()
            .try_for_each(|folder| make(kernel, folder, self.v2, &mut made))
            .and_then(|()| self.set(kernel, limits, whole_kill));
        if done.is_err() {
            for folder in made.iter().rev() {
                let _ = kernel.remove_folder(folder);
            }
        }
        done
    }

    /// Changes the limits of a group that is there.
    ///
    /// # Errors
    /// What the system says: `EBUSY` for less memory than is in use.
    pub fn set(&self, kernel: &dyn Kernel, wanted: &Resources, whole_kill: bool) -> io::Result<()> {
        for folder in &self.folders {
            let writes = if self.v2 { limits::v2(wanted, whole_kill) } else { limits::v1(wanted, &folder.controllers) };
            let written = apply(kernel, folder, writes.iter());
            // v1 has memory and swap together never below memory alone: more is set from the other end.
            match written {
                Err(error) if !self.v2 && error.kind() == ErrorKind::InvalidInput => apply(kernel, folder, writes.iter().rev())?,
                other => other?,
            }
        }
        Ok(())
    }

    /// The folder that a process can be started in (v2 only).
    pub fn unified(&self) -> Option<&Path> {
        self.folders.first().filter(|_| self.v2).map(|folder| folder.path.as_path())
    }

    /// The name below `/sys/fs/cgroup` and the folder of each hierarchy (v1 only): what a container is shown.
    pub fn hierarchies(&self) -> impl Iterator<Item = (&str, &Path)> {
        let name = |folder: &'_ Folder| folder.mount.file_name().is_some();
        self.folders
            .iter()
            .filter(move |folder| !self.v2 && name(folder))
            .map(|folder| (folder.mount.file_name().and_then(|name| name.to_str()).unwrap_or_default(), folder.path.as_path()))
    }

    /// Moves the calling process, which has one thread, into the group.
    ///
    /// # Errors
    /// What the system says.
    pub fn join(&self) -> io::Result<()> {
        // One thread that moves itself needs no lock against forks; taking it waits for all processors (some 10 ms).
        let file = if self.v2 { "cgroup.procs" } else { "tasks" };
        self.folders.iter().try_for_each(|folder| {
            let path = folder.path.join(file);
            sys::kernel::Host.write(&path, "0").map_err(|error| named(&path, &error))
        })
    }

    /// The processes of the group, and of those below it.
    pub fn processes(&self) -> Vec<u32> {
        let mut found = Vec::new();
        if let Some(folder) = self.tracking() {
            for_each_below(&folder.path, 0, &mut |path| {
                let text = std::fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default();
                found.extend(text.lines().filter_map(|line| line.parse::<u32>().ok()));
            });
        }
        found
    }

    /// Sends a signal to every process of the group and of those below it.
    pub fn signal(&self, signal: i32) {
        if signal == 9 && self.kill_at_once() {
            return;
        }
        for pid in self.processes() {
            let _ = sys::task::signal(pid, signal);
        }
    }

    /// Kills until nobody is left, or for as long as `patience`; tells whether nobody is left.
    pub fn kill_all(&self, patience: Duration) -> bool {
        let step = Duration::from_millis(1);
        for _ in 0..=patience.as_millis() {
            if self.processes().is_empty() {
                return true;
            }
            self.signal(9);
            std::thread::sleep(step);
        }
        self.processes().is_empty()
    }

    /// How many processes of the group the kernel has killed for lack of memory.
    pub fn oom_kills(&self) -> u64 {
        let file = if self.v2 { "memory.events" } else { "memory.oom_control" };
        let folder = self.folders.iter().find(|folder| self.v2 || folder.controllers.iter().any(|name| name == "memory"));
        folder.and_then(|folder| field(&folder.path.join(file), "oom_kill")).unwrap_or(0)
    }

    /// CPU and memory used so far.
    ///
    /// # Errors
    /// `NotFound` when the group is gone.
    pub fn usage(&self) -> io::Result<Usage> {
        let mut usage = Usage::default();
        for folder in &self.folders {
            let counts = |name: &str| self.v2 || folder.controllers.iter().any(|controller| controller == name);
            if self.v2 {
                let micros = field(&folder.path.join("cpu.stat"), "usage_usec").ok_or(ErrorKind::NotFound)?;
                usage.cpu_nanos = micros.saturating_mul(1000);
            } else if counts("cpuacct") {
                usage.cpu_nanos = number(&folder.path.join("cpuacct.usage"))?;
            }
            if counts("memory") {
                let file = if self.v2 { "memory.current" } else { "memory.usage_in_bytes" };
                let inactive = if self.v2 { "inactive_file" } else { "total_inactive_file" };
                let used = number(&folder.path.join(file)).or_else(|error| if self.v2 { Ok(0) } else { Err(error) })?;
                usage.memory_bytes = used.saturating_sub(field(&folder.path.join("memory.stat"), inactive).unwrap_or(0));
            }
        }
        Ok(usage)
    }

    /// Removes the group with all below it, then the folders above that are empty, up to and with our root.
    ///
    /// # Errors
    /// `EBUSY` when processes are left. Gone already is success.
    pub fn remove(&self) -> io::Result<()> {
        let mut first_error = None;
        for folder in &self.folders {
            match remove_tree(&folder.path) {
                Ok(()) => {
                    let ours = folder.path.ancestors().skip(1).take_while(|above| *above != folder.mount);
                    for above in ours {
                        if std::fs::remove_dir(above).is_err() {
                            break;
                        }
                    }
                }
                Err(error) => first_error = first_error.or(Some(named(&folder.path, &error))),
            }
        }
        first_error.map_or(Ok(()), Err)
    }

    fn tracking(&self) -> Option<&Folder> {
        self.folders.iter().find(|folder| folder.controllers.iter().any(|name| name == "pids")).or(self.folders.first())
    }

    fn kill_at_once(&self) -> bool {
        self.unified().is_some_and(|folder| sys::kernel::Host.write(&folder.join("cgroup.kill"), "1").is_ok())
    }
}

fn apply<'a>(kernel: &dyn Kernel, folder: &Folder, writes: impl Iterator<Item = &'a limits::Write>) -> io::Result<()> {
    for write in writes {
        let path = folder.path.join(write.file);
        match kernel.write(&path, &write.value) {
            Err(error) if write.may_be_missing && matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) => {}
            other => other.map_err(|error| named(&path, &error))?,
        }
    }
    Ok(())
}

// Another pod's removal may take an empty folder above from under us: then again from the top.
fn make(kernel: &dyn Kernel, folder: &Folder, v2: bool, made: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut tries = 0;
    loop {
        match make_down(kernel, folder, v2, made) {
            Err(error) if error.kind() == ErrorKind::NotFound && tries < 20 => tries += 1,
            other => return other,
        }
    }
}

fn make_down(kernel: &dyn Kernel, folder: &Folder, v2: bool, made: &mut Vec<PathBuf>) -> io::Result<()> {
    // Nearly always only the last folder is missing.
    if !v2 {
        match kernel.make_folder(&folder.path) {
            Ok(()) => {
                made.push(folder.path.clone());
                return Ok(());
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(named(&folder.path, &error)),
        }
    }
    let below = folder.path.strip_prefix(&folder.mount).unwrap_or(&folder.path);
    let mut path = folder.mount.clone();
    for name in below.iter() {
        if v2 {
            enable(kernel, &path)?;
        }
        path.push(name);
        match kernel.make_folder(&path) {
            Ok(()) => made.push(path.clone()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(error),
            Err(error) => return Err(named(&path, &error)),
        }
    }
    Ok(())
}

// v2: what the groups below may limit. Reading first: writing takes a lock that waits for all processors.
fn enable(kernel: &dyn Kernel, path: &Path) -> io::Result<()> {
    let file = path.join("cgroup.subtree_control");
    let on = kernel.read(&file).unwrap_or_default();
    let missing: Vec<String> = ["cpu", "memory", "pids"]
        .iter()
        .filter(|name| !on.split_ascii_whitespace().any(|word| word == **name))
        .map(|name| format!("+{name}"))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    kernel.write(&file, &missing.join(" ")).map_err(|error| if error.kind() == ErrorKind::NotFound { error } else { named(&file, &error) })
}

fn remove_tree(path: &Path) -> io::Result<()> {
    let mut folders = Vec::new();
    for_each_below(path, 0, &mut |folder| folders.push(folder.to_owned()));
    for folder in folders.iter().rev() {
        match std::fs::remove_dir(folder) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

// Parents before children. A container may nest groups; deeper than 32 is nobody's.
fn for_each_below(path: &Path, depth: u32, visit: &mut dyn FnMut(&Path)) {
    let Ok(entries) = std::fs::read_dir(path) else { return };
    visit(path);
    for entry in entries.flatten().filter(|entry| depth < 32 && entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        for_each_below(&entry.path(), depth + 1, visit);
    }
}

fn number(path: &Path) -> io::Result<u64> {
    std::fs::read_to_string(path)?.trim().parse().map_err(|_| ErrorKind::InvalidData.into())
}

fn field(path: &Path, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sys::kernel::Fake;

    fn group() -> Group {
        let mounts = "cgroup /c/cpu cgroup rw,cpu 0 0\ncgroup /c/memory cgroup rw,memory 0 0\ncgroup /c/pids cgroup rw,pids 0 0\n";
        let layout = detect::layout(mounts, |_| String::new()).expect("v1");
        Cgroups { layout, root: "wharf".to_owned() }.group("pods/one")
    }

    #[test]
    fn a_failure_anywhere_leaves_nothing_behind() {
        let limits = Resources { memory_bytes: Some(1 << 20), cpu_milli: Some(200), pids: Some(10), ..Resources::default() };
        let whole = Fake::default();
        group().create(&whole, &limits, false).expect("made");
        let calls = whole.calls();
        assert!(calls.contains(&"write /c/memory/wharf/pods/one/memory.limit_in_bytes 1048576".to_owned()), "{calls:#?}");
        for fail_at in 0..calls.len() {
            let fake = Fake::failing_at(Some(fail_at));
            group().create(&fake, &limits, false).expect_err("call fails");
            assert_eq!(fake.folders(), Vec::<PathBuf>::new(), "after call {fail_at}: {:#?}", fake.calls());
        }
    }
}
