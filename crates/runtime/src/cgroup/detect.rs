//! Which hierarchies are mounted where.

use std::path::{Path, PathBuf};

/// The two kinds of hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One folder tree for all controllers.
    V2(PathBuf),
    /// A tree for each controller, or set of them.
    V1(Vec<(PathBuf, Vec<String>)>),
}

/// The controllers that are used.
const WANTED: [&str; 4] = ["memory", "cpu", "cpuacct", "pids"];

/// Reads the table of mounts (`/proc/self/mounts`). v2 only when it controls memory: a hybrid host mounts it empty.
pub fn layout(mounts: &str, controllers: impl Fn(&Path) -> String) -> Option<Layout> {
    let mut v1: Vec<(PathBuf, Vec<String>)> = Vec::new();
    for line in mounts.lines() {
        let mut fields = line.split(' ');
        let (Some(path), Some(kind), Some(options)) = (fields.nth(1), fields.next(), fields.next()) else { continue };
        let path = PathBuf::from(path.replace("\\040", " "));
        if kind == "cgroup2" && controllers(&path).split_ascii_whitespace().any(|name| name == "memory") {
            return Some(Layout::V2(path));
        }
        let known = |name: &str| WANTED.contains(&name) && !v1.iter().any(|(_, seen)| seen.iter().any(|seen| seen == name));
        let here: Vec<String> = options.split(',').filter(|name| kind == "cgroup" && known(name)).map(str::to_owned).collect();
        if !here.is_empty() {
            v1.push((path, here));
        }
    }
    v1.iter().any(|(_, names)| names.iter().any(|name| name == "memory")).then_some(Layout::V1(v1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0\n\
        cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\ncgroup /host/memory cgroup rw,memory 0 0\n\
        cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";

    #[test]
    fn tells_hybrid_from_unified() {
        let expected = vec![
            (PathBuf::from("/sys/fs/cgroup/cpu,cpuacct"), vec!["cpu".to_owned(), "cpuacct".to_owned()]),
            (PathBuf::from("/sys/fs/cgroup/memory"), vec!["memory".to_owned()]),
        ];
        assert_eq!(layout(HYBRID, |_| String::new()), Some(Layout::V1(expected)));
        let unified = layout(HYBRID, |_| "cpuset cpu io memory pids\n".to_owned());
        assert_eq!(unified, Some(Layout::V2(PathBuf::from("/sys/fs/cgroup/unified"))));
        assert_eq!(layout("proc /proc proc rw 0 0\n", |_| String::new()), None);
    }
}
