//! A home, a context and an isolation of the simplest kind, for tests.

#![allow(dead_code, clippy::print_stdout)]

use blobs::{Image, Store};
use builder::{
    Bases, BuildError, BuildEvent, Built, Exit, Fetch, Isolate, IsolateError, Network, Nowhere, Outside, Request, RunSource, RunStep,
};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

/// A folder with a store and a context, removed at the end.
pub struct Home {
    pub path: PathBuf,
    pub store: Store,
    pub events: Mutex<Vec<BuildEvent>>,
}

impl Home {
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(format!("wharf-builder-{}-{}", std::process::id(), base::ids::suffix(6)));
        fs::create_dir_all(path.join("context")).expect("context");
        let store = Store::open(&path.join("blobs")).expect("store");
        Self { path, store, events: Mutex::default() }
    }

    /// With base images of `WHARF_TEST_BASES`; `None` (and said so) where they are missing.
    pub fn with_bases(names: &[&str]) -> Option<Self> {
        let Some(bases) = std::env::var_os("WHARF_TEST_BASES") else {
            println!("skipped: WHARF_TEST_BASES");
            return None;
        };
        let home = Self::new();
        for name in names {
            blobs::import_path(&home.store, &Path::new(&bases).join(name)).expect("base");
        }
        Some(home)
    }

    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path.join("context").join(path);
        fs::create_dir_all(path.parent().expect("parent")).expect("folder");
        fs::write(path, content).expect("written");
    }

    pub fn request(&self, dockerfile: &str) -> Request {
        self.write("Dockerfile", dockerfile);
        let context = self.path.join("context");
        Request { dockerfile: context.join("Dockerfile"), context, ..Request::default() }
    }

    pub fn build_request(&self, request: &Request) -> Result<Built, BuildError> {
        self.events.lock().expect("events").clear();
        self.build_with(request, &Nowhere, &Nowhere)
    }

    /// Builds with steps that are isolated so, and nothing else of the world.
    pub fn build_isolated(&self, request: &Request, isolate: &dyn Isolate) -> Result<Built, BuildError> {
        let outside = Outside { isolate, bases: &Nowhere, fetch: &Nowhere, repositories: &Nowhere, remembered: &Nowhere };
        builder::build(request, &self.store, &outside, &|_| {})
    }

    pub fn build_with(&self, request: &Request, bases: &dyn Bases, fetch: &dyn Fetch) -> Result<Built, BuildError> {
        let outside = Outside { isolate: &Chroot, bases, fetch, repositories: &Nowhere, remembered: &Nowhere };
        builder::build(request, &self.store, &outside, &|event| self.events.lock().expect("events").push(event))
    }

    pub fn build(&self, dockerfile: &str) -> (Built, Image) {
        let built = self.build_request(&self.request(dockerfile)).unwrap_or_else(|error| panic!("{error:?}"));
        let image = self.store.images().get(&built.image).expect("image");
        (built, image)
    }

    pub fn fail(&self, dockerfile: &str) -> String {
        match self.build_request(&self.request(dockerfile)) {
            Ok(_) => panic!("built: {dockerfile}"),
            Err(BuildError::Step(step)) if !step.hint.is_empty() => format!("{step}; {}", step.hint),
            Err(error) => error.to_string(),
        }
    }

    pub fn output(&self) -> Vec<String> {
        let events = self.events.lock().expect("events");
        events.iter().filter_map(|event| if let BuildEvent::Output { line, .. } = event { Some(line.clone()) } else { None }).collect()
    }

    /// All members of the image's layers in order, as `mode uid:gid path content`; content of small text files only.
    pub fn listing(&self, image: &Image) -> Vec<String> {
        image.layers.iter().flat_map(|layer| self.layer(layer)).collect()
    }

    pub fn layer(&self, layer: &oci::DiffId) -> Vec<String> {
        let mut bytes = Vec::new();
        self.store.layers().export(layer, &mut bytes).expect("exported");
        let mut reader = oci::tar::Reader::new(bytes.as_slice(), oci::tar::Limits::default());
        let mut lines = Vec::new();
        while let Some(entry) = reader.next().expect("member") {
            let mut content = vec![0u8; 60];
            let got = reader.read(&mut content).expect("content");
            let content = String::from_utf8_lossy(&content[..got]).trim_end().to_owned();
            let what = match &entry.kind {
                oci::tar::Kind::Folder => "/".to_owned(),
                oci::tar::Kind::Symlink { target } => format!(" -> {}", String::from_utf8_lossy(target)),
                oci::tar::Kind::Hardlink { target } => format!(" = {target}"),
                _ => format!(" {content}"),
            };
            lines.push(format!("{:o} {}:{} {}{what}", entry.mode, entry.uid, entry.gid, entry.path).trim_end().to_owned());
        }
        lines
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

pub fn env(image: &Image) -> BTreeMap<String, String> {
    image
        .config
        .config
        .env
        .iter()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Namespaces, overlay and chroot by the tools of util-linux: enough to try RUN, and no isolation to rely on.
pub struct Chroot;

const SCRIPT: &str = r#"
set -e
exec 2>&1
mount -t tmpfs tmpfs /run
SCRIPTS
root=$1; lower=$2; upper=$3; work=$4; shift 4
mount -t overlay -o "lowerdir=$lower,upperdir=$upper,workdir=$work" overlay "$root"
mkdir -p "$root/proc" "$root/dev" "$root/etc"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
[ -e "$root/etc/resolv.conf" ] || : >"$root/etc/resolv.conf"
mount --bind /etc/resolv.conf "$root/etc/resolv.conf"
MOUNTS
exec "$@"
"#;

impl Isolate for Chroot {
    fn run(&self, step: &RunStep, output: &dyn Fn(&str)) -> Result<Exit, IsolateError> {
        let fail = |message: String| IsolateError { message, hint: String::new() };
        let root = step.work.with_file_name("root");
        fs::create_dir_all(&root).map_err(|error| fail(error.to_string()))?;
        let (uid, gid) = user(step);
        let lower: Vec<_> = step.layers.iter().map(|layer| layer.display().to_string()).collect();
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private"]);
        if step.network == Network::None {
            command.arg("--net");
        }
        command
            .args(["sh", "-c", &SCRIPT.replace("SCRIPTS", &scripts(step)).replace("MOUNTS", &mounts(step)), "sh"])
            .arg(&root)
            .arg(lower.join(":"))
            .arg(&step.upper)
            .arg(&step.work);
        command.args(["/usr/bin/env", "-i"]);
        command.args(step.env.iter().map(|(name, value)| format!("{name}={value}")));
        command.args(["/usr/bin/unshare", "--pid", "--fork", &format!("--root={}", root.display()), &format!("--wd={}", step.workdir)]);
        command.args([format!("--setgid={gid}"), format!("--setuid={uid}"), "--".into()]).args(&step.args);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(|error| fail(error.to_string()))?;
        let lines = BufReader::new(child.stdout.take().expect("piped"));
        lines.lines().map_while(Result::ok).for_each(|line| output(&line));
        let status = child.wait().map_err(|error| fail(error.to_string()))?;
        Ok(status.code().map_or(Exit::Signal(9), Exit::Code))
    }
}

/// Here-documents that are scripts; put where `/dev` of the host is seen inside, so copied instead of mounted.
fn scripts(step: &RunStep) -> String {
    let mut text = String::new();
    for mount in step.mounts.iter().filter(|mount| mount.target.starts_with("/dev/")) {
        let name = Path::new(&mount.target).file_name().expect("name").to_string_lossy();
        let RunSource::Path(source) = &mount.source else { panic!("{mount:?}") };
        text +=
            &format!("mount -t tmpfs tmpfs /mnt; cp {} /mnt/{name}; mkdir -p /dev/pipes; mount --bind /mnt /dev/pipes\n", source.display());
    }
    text
}

/// The mounts of a step, `$root` being where it runs.
fn mounts(step: &RunStep) -> String {
    let mut text = String::new();
    for (number, mount) in step.mounts.iter().enumerate() {
        let place = format!("\"$root{}\"", mount.target);
        let bind = |source: &str| {
            let made = format!(
                "if [ -d {source} ]; then mkdir -p {place}; else mkdir -p \"$(dirname {place})\"; [ -e {place} ] || : > {place}; fi\n"
            );
            let read_only = if mount.read_only { format!("mount -o remount,bind,ro {place}\n") } else { String::new() };
            format!("{made}mount --bind {source} {place}\n{read_only}")
        };
        text += &match &mount.source {
            RunSource::Path(_) if mount.target.starts_with("/dev/") => String::new(),
            RunSource::Path(source) => bind(&source.display().to_string()),
            RunSource::Below { base, path } => {
                let source = base.join(path);
                format!("mkdir -p {0}\n{1}", source.display(), bind(&source.display().to_string()))
            }
            RunSource::Layers { layers, place: over, path } => {
                let lower: Vec<_> = layers.iter().map(|layer| layer.display().to_string()).collect();
                let over = over.display();
                format!(
                    "mkdir -p {over}/u {over}/w {over}/m; mount -t overlay -o lowerdir={},upperdir={over}/u,workdir={over}/w overlay {over}/m\n{}",
                    lower.join(":"),
                    bind(&format!("{over}/m/{path}"))
                )
            }
            RunSource::Tmpfs { size_bytes } => {
                let size = size_bytes.map(|size| format!(",size={size}")).unwrap_or_default();
                format!("mkdir -p {place}; mount -t tmpfs -o mode=1777{size} tmpfs {place}\n")
            }
            RunSource::Agent { .. } => panic!("no agent here"),
            RunSource::Secret { content, mode, uid, gid } => {
                let file = step.work.with_file_name(format!("secret-{number}"));
                fs::write(&file, &content.0).expect("secret");
                let file = file.display();
                format!(
                    "cp {file} /run/s{number}; chmod {mode:o} /run/s{number}; chown {uid}:{gid} /run/s{number}; rm {file}\n{}",
                    bind(&format!("/run/s{number}"))
                )
            }
        };
    }
    text
}

fn user(step: &RunStep) -> (String, String) {
    let (user, group) = step.user.split_once(':').unwrap_or((&step.user, ""));
    let find = |file: &str, name: &str, field: usize| {
        let text = step.layers.iter().find_map(|layer| fs::read_to_string(layer.join(file)).ok()).unwrap_or_default();
        text.lines()
            .map(|line| line.split(':').map(str::to_owned).collect::<Vec<_>>())
            .find(|fields| fields[0] == name)
            .map(|fields| fields[field].clone())
    };
    let uid = if user.is_empty() { "0".into() } else { find("etc/passwd", user, 2).unwrap_or_else(|| user.to_owned()) };
    let own = find("etc/passwd", user, 3).unwrap_or_else(|| "0".into());
    let gid = if group.is_empty() { own } else { find("etc/group", group, 2).unwrap_or_else(|| group.to_owned()) };
    (uid, gid)
}
