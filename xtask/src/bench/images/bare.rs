//! What the commands of a Dockerfile take without any builder: in the base's files, with mounts and a root of their own.

use super::super::site;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// A base's files, and the commands to run in them.
pub(super) struct Bare {
    folder: PathBuf,
    run: String,
    places: usize,
}

const SCRIPT: &str = r#"
set -e
mkdir -p "$1/upper" "$1/work" "$1/tree"
mount -t overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" overlay "$1/tree"
mount -t proc proc "$1/tree/proc"
mount --rbind /dev "$1/tree/dev"
: >>"$1/tree/etc/resolv.conf"
mount --bind /etc/resolv.conf "$1/tree/etc/resolv.conf"
mkdir -p "$1/tree/app"
cp "$3/requirements.txt" "$1/tree/app"
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 chroot "$1/tree" sh -c "cd /app && $4"
"#;

impl Bare {
    /// Takes the base's files out with `wharf build`, and the commands of the only RUN from the Dockerfile.
    pub(super) fn new(folder: PathBuf, context: &Path, export: &mut Command) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("cannot prepare the bare commands: {error}");
        let own = folder.join("context");
        std::fs::create_dir_all(&own).map_err(failed)?;
        std::fs::write(own.join("Dockerfile"), "FROM python:3.11-slim\n").map_err(failed)?;
        site::said(export.arg("--output").arg(folder.join("base")).arg(&own))?;
        let text = std::fs::read_to_string(context.join("Dockerfile")).map_err(failed)?;
        let run = text.lines().find_map(|line| line.strip_prefix("RUN ")).ok_or("the Dockerfile has no RUN")?.to_owned();
        Ok(Self { folder, run, places: 0 })
    }

    /// Milliseconds of the commands, once, in a place that stays until the end.
    pub(super) fn once(&mut self, context: &Path) -> Result<f64, String> {
        self.places += 1;
        let place = self.folder.join(format!("place-{}", self.places));
        let begun = Instant::now();
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", SCRIPT, "sh"]);
        site::said(command.arg(&place).arg(self.folder.join("base")).arg(context).arg(&self.run))?;
        Ok(begun.elapsed().as_secs_f64() * 1000.0)
    }
}
