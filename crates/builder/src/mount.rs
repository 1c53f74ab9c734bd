//! `RUN --mount`: what is mounted, found before the step's key is known; and made ready when the step runs.

mod ready;

pub(crate) use ready::Ready;

use crate::caches::Identity;
use crate::context::Context;
use crate::error::Trouble;
use crate::key::Key;
use crate::mode::parse_mode;
use crate::origin::{Origin, Picked, contents};
use crate::stage::{Outcome, Stage, Where, chain, trees};
use blobs::{Record, View};
use dockerfile::{Mount, MountKind, Run, Sharing};
use oci::{Digest, Hasher};
use std::sync::Arc;

/// A mount with its words expanded and its source found.
pub(crate) struct Planned<'a> {
    target: String,
    read_only: bool,
    what: What<'a>,
}

enum What<'a> {
    Folder(Box<Found<'a>>),
    Cache { identity: Identity, begins: Option<Box<Found<'a>>>, below: String, sharing: Sharing },
    Tmpfs { size_bytes: Option<u64> },
    Secret { id: String, env: Option<String>, is_file: bool, required: bool, mode: u32, uid: u32, gid: u32 },
    Agent { id: String, is_first: bool, required: bool, mode: u32, uid: u32, gid: u32 },
}

/// Something of a context or of layers.
enum Found<'a> {
    Context { context: Whose<'a>, picked: Picked },
    Layers { source: Box<Outcome>, view: View, picked: Picked },
}

enum Whose<'a> {
    Own(&'a Context),
    Named(Arc<Context>),
}

impl Whose<'_> {
    fn context(&self) -> &Context {
        match self {
            Self::Own(context) => context,
            Self::Named(context) => context,
        }
    }
}

impl Found<'_> {
    fn origin(&self) -> Origin<'_> {
        match self {
            Self::Context { context, .. } => Origin::Context(context.context()),
            Self::Layers { view, .. } => Origin::View(view),
        }
    }

    fn picked(&self) -> &Picked {
        match self {
            Self::Context { picked, .. } | Self::Layers { picked, .. } => picked,
        }
    }
}

impl<'a> Stage<'a> {
    /// Finds what a step's mounts are, and puts all of it that its outcome depends on into the key.
    pub(crate) fn plan_mounts(&self, run: &Run, key: &mut Key) -> Result<Vec<Planned<'a>>, Trouble> {
        let mut planned: Vec<Planned<'a>> = Vec::new();
        for (number, mount) in (1..).zip(&run.mounts) {
            let expanded = self.expand_mount(mount)?;
            let name = format!("mount {number}");
            let agents = planned.iter().filter(|other| matches!(other.what, What::Agent { .. })).count();
            let next = self.plan_mount(&expanded, &name, agents, key)?;
            if next.has_place() && planned.iter().any(|other| other.has_place() && other.target == next.target) {
                return Err(Trouble::new(format!("two mounts are to be at `{}`", next.target)));
            }
            planned.push(next);
        }
        // Mounts above come first, wherever they were written.
        planned.sort_by(|one, other| one.target.split('/').cmp(other.target.split('/')));
        Ok(planned)
    }

    fn expand_mount(&self, mount: &Mount) -> Result<Mount, Trouble> {
        let expand = |text: &Option<String>| text.as_deref().map(|text| self.expand(text)).transpose();
        Ok(Mount {
            target: expand(&mount.target)?,
            source: expand(&mount.source)?,
            id: expand(&mount.id)?,
            env: expand(&mount.env)?,
            size: expand(&mount.size)?,
            mode: expand(&mount.mode)?,
            uid: expand(&mount.uid)?,
            gid: expand(&mount.gid)?,
            ..mount.clone()
        })
    }

    fn plan_mount(&self, mount: &Mount, name: &str, agents: usize, key: &mut Key) -> Result<Planned<'a>, Trouble> {
        let (target, what) = match mount.kind {
            MountKind::Bind => (self.place(mount)?, What::Folder(Box::new(self.plan_bind(mount, name, key)?))),
            MountKind::Cache => (self.place(mount)?, self.plan_cache(mount)?),
            MountKind::Tmpfs => (self.place(mount)?, What::Tmpfs { size_bytes: mount.size.as_deref().map(bytes).transpose()? }),
            MountKind::Secret => self.plan_secret(mount)?,
            MountKind::Ssh => self.plan_agent(mount, agents)?,
        };
        // The names of things; what a cache or a secret holds is no part of the key.
        let described = [&mount.source, &mount.id, &mount.from, &mount.env, &mount.size, &mount.mode, &mount.uid, &mount.gid];
        key.part(name, format!("{:?} {target} {} {described:?} {:?}", mount.kind, mount.read_only, mount.sharing).as_bytes());
        Ok(Planned { target, read_only: mount.read_only, what })
    }

    /// The mount's target as an absolute path.
    fn place(&self, mount: &Mount) -> Result<String, Trouble> {
        let target = crate::stage::join(&self.config.config.working_dir, mount.target.as_deref().unwrap_or_default());
        if target == "/" {
            return Err(Trouble::new("nothing can be mounted at `/`").hint("write `target=FOLDER` into the mount"));
        }
        Ok(target)
    }

    fn plan_bind(&self, mount: &Mount, name: &str, key: &mut Key) -> Result<Found<'a>, Trouble> {
        let found = self.find_source(mount.from.as_deref(), mount.source.as_deref().unwrap_or("/"))?;
        match &found {
            Found::Context { picked, .. } => contents(&found.origin(), picked, &format!("{name}, "), key)?,
            Found::Layers { source, picked, .. } => {
                let digest = self.content_of(&chain(&source.layers), &found, picked)?;
                key.digest(format!("{name}, content of `{}`", mount.from.as_deref().unwrap_or_default()), digest);
            }
        }
        Ok(found)
    }

    fn find_source(&self, from: Option<&str>, path: &str) -> Result<Found<'a>, Trouble> {
        Ok(match self.locate(from)? {
            Where::Context => {
                let context = &self.shared.context;
                Found::Context { picked: Origin::Context(context).one(path)?, context: Whose::Own(context) }
            }
            Where::Named(context) => Found::Context { picked: Origin::Context(&context).one(path)?, context: Whose::Named(context) },
            Where::Layers(source) => {
                let view = View::open(&trees(&source.layers))?;
                Found::Layers { picked: Origin::View(&view).at(path)?, source, view }
            }
        })
    }

    /// The digest of all that a path in layers shows; remembered, for layers do not change. The root is its layers.
    fn content_of(&self, layers: &Digest, found: &Found<'_>, picked: &Picked) -> Result<Digest, Trouble> {
        if picked.path.is_root() {
            return Ok(*layers);
        }
        let mut slot = Hasher::new();
        [b"content".as_slice(), layers.bytes(), picked.path.as_bytes()].iter().for_each(|part| slot.part(part));
        let slot = slot.finish();
        let known = self.shared.store.cache().get(&slot).and_then(|record| Digest::from_hex(record.note.as_str()?).ok());
        if let Some(known) = known {
            return Ok(known);
        }
        let mut key = Key::default();
        let origin = found.origin();
        contents(&origin, &origin.with_below(picked)?, "", &mut key)?;
        let digest = key.finish();
        // Only time is lost when this fails.
        let _ = self.shared.store.cache().put(&slot, &Record { layer: None, note: digest.hex().into() });
        Ok(digest)
    }

    fn plan_cache(&self, mount: &Mount) -> Result<What<'a>, Trouble> {
        let target = self.place(mount)?;
        let source = mount.source.as_deref().unwrap_or_default();
        let begins = match &mount.from {
            Some(from) => Some(Box::new(self.find_source(Some(from), if source.is_empty() { "/" } else { source })?)),
            None => None,
        };
        if begins.as_ref().is_some_and(|begins| !begins.picked().item.is_folder()) {
            return Err(Trouble::new(format!("the cache mount's source `{source}` is no folder")));
        }
        let from = match begins.as_deref() {
            Some(Found::Layers { source, picked, .. }) => Some((chain(&source.layers), text(picked))),
            Some(Found::Context { context, picked }) => {
                let mut key = Key::default();
                contents(&Origin::Context(context.context()), picked, "", &mut key)?;
                Some((key.finish(), text(picked)))
            }
            None => None,
        };
        let identity = Identity {
            namespace: self.shared.request.args.get("BUILDKIT_CACHE_MOUNT_NS").cloned().unwrap_or_default(),
            id: mount.id.clone().filter(|id| !id.is_empty()).unwrap_or(target),
            from,
            folder: owner(mount, 0o755)?,
        };
        // A source of a cache without `from` is a folder in it; what others do to it meanwhile is their right.
        let below = if begins.is_some() { String::new() } else { source.trim_start_matches('/').to_owned() };
        Ok(What::Cache { identity, begins, below, sharing: mount.sharing.unwrap_or(Sharing::Shared) })
    }

    fn plan_secret(&self, mount: &Mount) -> Result<(String, What<'a>), Trouble> {
        let named = mount.source.clone().or_else(|| mount.id.clone()).filter(|id| !id.is_empty());
        let last = |path: &str| path.rsplit('/').find(|part| !part.is_empty()).unwrap_or_default().to_owned();
        let id = named.or_else(|| mount.target.as_deref().map(last)).unwrap_or_default();
        let is_file = mount.target.is_some() || mount.env.is_none();
        let target = match &mount.target {
            Some(target) => crate::stage::join(&self.config.config.working_dir, target),
            None => format!("/run/secrets/{}", last(&id)),
        };
        let (mode, uid, gid) = owner(mount, 0o400)?;
        Ok((target, What::Secret { id, env: mount.env.clone(), is_file, required: mount.required, mode, uid, gid }))
    }

    /// An agent's socket; programs find the first one by `SSH_AUTH_SOCK`, as with BuildKit.
    fn plan_agent(&self, mount: &Mount, before: usize) -> Result<(String, What<'a>), Trouble> {
        let named = mount.source.clone().or_else(|| mount.id.clone()).filter(|id| !id.is_empty());
        let target = match &mount.target {
            Some(target) => crate::stage::join(&self.config.config.working_dir, target),
            None => format!("/run/buildkit/ssh_agent.{before}"),
        };
        let (mode, uid, gid) = owner(mount, 0o600)?;
        let id = named.unwrap_or_else(|| "default".to_owned());
        Ok((target, What::Agent { id, is_first: before == 0, required: mount.required, mode, uid, gid }))
    }
}

impl Planned<'_> {
    /// Whether it is mounted: a secret may be a variable only.
    fn has_place(&self) -> bool {
        !matches!(self.what, What::Secret { is_file: false, .. })
    }

    /// Whether what the step writes there is seen by later steps, and what it finds there was made by earlier ones.
    pub(crate) fn remembers(&self) -> bool {
        matches!(self.what, What::Cache { .. }) && !self.read_only
    }
}

/// A picked thing's path.
fn text(picked: &Picked) -> String {
    String::from_utf8_lossy(picked.path.as_bytes()).into_owned()
}

fn owner(mount: &Mount, mode: u32) -> Result<(u32, u32, u32), Trouble> {
    let number = |name: &str, text: &Option<String>| match text {
        Some(text) => text.parse::<u32>().map_err(|_| Trouble::new(format!("the mount's `{name}` is no number: `{text}`"))),
        None => Ok(0),
    };
    let mode = match &mount.mode {
        Some(text) => parse_mode(text).ok_or_else(|| Trouble::new(format!("the mount's `mode` is no octal number: `{text}`")))?,
        None => mode,
    };
    Ok((mode, number("uid", &mount.uid)?, number("gid", &mount.gid)?))
}

/// A size as docker writes it: bytes, or with a unit in powers of 1024.
fn bytes(text: &str) -> Result<u64, Trouble> {
    let wrong = || Trouble::new(format!("the mount's `size` is no size: `{text}`")).hint("write it like 64m or 1g");
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let scale: u64 = match lower.get(digits.len()..).unwrap_or_default() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        "t" | "tb" | "tib" => 1 << 40,
        _ => return Err(wrong()),
    };
    digits.trim().parse::<u64>().ok().and_then(|number| number.checked_mul(scale)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_read_as_docker_reads_them() {
        let rows = [("64m", 64 << 20), ("1G", 1 << 30), ("10kib", 10 << 10), ("7", 7), ("7b", 7), ("2 t", 2 << 40)];
        for (text, expected) in rows {
            assert_eq!(bytes(text).ok(), Some(expected), "{text}");
        }
        for wrong in ["", "m", "1.5g", "-1", "1x", "99999999999t"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_size_panics(text in "[0-9]{0,25} ?[a-zA-Zµ]{0,4}|.*") {
            let _ = bytes(&text);
        }
    }
}
