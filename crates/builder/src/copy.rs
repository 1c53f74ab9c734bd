//! COPY and ADD.

mod parents;

use crate::error::Trouble;
use crate::fetch::Download;
use crate::ground::Ground;
use crate::ignore::Ignore;
use crate::key::Key;
use crate::mode::ModeChange;
use crate::origin::{Item, Origin, Picked, contents, joined, shown};
use crate::unpack;
use crate::writer::{Existing, LayerWriter};
use base::files::FileError;
use oci::Digest;
use oci::tar::{Entry, EntryPath, Kind, Mtime};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;

/// What is copied, with everything expanded.
pub(crate) struct Job {
    pub sources: Vec<Source>,
    /// As written: absolute or relative, with a slash at the end where it must be a folder.
    pub destination: String,
    pub workdir: String,
    pub owner: Option<(u32, u32)>,
    pub mode: Option<ModeChange>,
    pub exclude: Vec<String>,
    /// Whether the folders above a source are made, too: `--parents`.
    pub parents: bool,
    /// Whether archives are unpacked: ADD.
    pub unpack: bool,
    /// With `--link` all that it stands on.
    pub ground: Option<Ground>,
    /// Time of what comes from a context.
    pub time: i64,
}

/// One source.
pub(crate) enum Source {
    /// A path or a pattern.
    Path(String),
    /// A here-document: its name and content.
    Text(String, String),
    /// A file that was fetched: its name, if its address has one.
    Fetched(Option<String>, Download),
}

/// A source with what it gives.
pub(crate) enum Given {
    Found(Box<Picked>),
    Text(String, String),
    Fetched(Option<String>, Download),
}

impl Job {
    /// Finds everything that is to be copied.
    pub(crate) fn gather(&self, origin: &Origin<'_>) -> Result<Vec<Given>, Trouble> {
        let exclude = Ignore::of(&self.exclude).map_err(|(pattern, why)| Trouble::new(format!("--exclude={pattern}: {why}")))?;
        let mut given = Vec::new();
        for source in &self.sources {
            match source {
                Source::Text(name, content) => given.push(Given::Text(name.clone(), content.clone())),
                Source::Fetched(name, download) => given.push(Given::Fetched(name.clone(), download.clone())),
                Source::Path(written) => {
                    let found = if self.parents { vec![parents::pick(origin, written)?] } else { origin.pick(written)? };
                    for mut picked in found {
                        let excluded = |path: &EntryPath| !exclude.is_empty() && exclude.ignores(&String::from_utf8_lossy(path.as_bytes()));
                        if !picked.item.is_folder() && EntryPath::parse(&picked.name).is_ok_and(|name| excluded(&name)) {
                            continue;
                        }
                        picked.below.retain(|path, _| !excluded(path));
                        given.push(Given::Found(Box::new(picked)));
                    }
                }
            }
        }
        if given.len() > 1 && !self.wants_folder() && !self.parents {
            let trouble =
                Trouble::new(format!("{} things are copied to `{}`, which is not said to be a folder", given.len(), self.destination));
            return Err(trouble.hint(format!("write `{}/`", self.destination)));
        }
        Ok(given)
    }

    /// What goes into the step's key beside what is copied.
    pub(crate) fn settings(&self, key: &mut Key) {
        key.part("destination", format!("{}\0{}", self.workdir, self.destination).as_bytes());
        key.part(
            "options",
            format!(
                "{:?} {:?} {:?} {} {} {} {}",
                self.owner,
                self.mode,
                self.exclude,
                self.unpack,
                self.ground.is_some(),
                self.time,
                self.parents
            )
            .as_bytes(),
        );
    }

    /// Puts the names of what is copied into a key, and by what their contents are known.
    pub(crate) fn by_name(&self, mut key: Key, whose: &str, digest: Digest) -> Key {
        self.settings(&mut key);
        key.digest(whose, digest);
        for source in &self.sources {
            match source {
                Source::Path(path) => key.part("source", path.as_bytes()),
                Source::Text(name, text) => key.part(format!("here-document {name}"), text.as_bytes()),
                Source::Fetched(_, download) => key.digest("fetched", download.digest),
            }
        }
        key
    }

    /// What is copied, for the step's key: names, modes and contents.
    pub(crate) fn contents(&self, origin: &Origin<'_>, given: &[Given], key: &mut Key) -> Result<(), Trouble> {
        for given in given {
            match given {
                Given::Text(name, content) => key.part(format!("here-document {name}"), content.as_bytes()),
                Given::Fetched(name, download) => {
                    let name = name.as_deref().unwrap_or_default();
                    key.part("name and time of the fetched file", format!("{name}\0{:?}", download.modified).as_bytes());
                    key.digest(format!("fetched {name}"), download.digest);
                }
                Given::Found(picked) => {
                    key.part(format!("name {}", String::from_utf8_lossy(&picked.name)), &picked.name);
                    contents(origin, picked, "", key)?;
                }
            }
        }
        Ok(())
    }

    /// Writes the layer.
    pub(crate) fn write(&self, origin: &Origin<'_>, given: &[Given], layer: &mut LayerWriter<'_>) -> Result<(), Trouble> {
        let absolute =
            if self.destination.starts_with('/') { self.destination.clone() } else { format!("{}/{}", self.workdir, self.destination) };
        let target = layer.resolve(absolute.as_bytes())?;
        let mut links = HashMap::new();
        for given in given {
            match given {
                Given::Text(name, content) => self.text(name, content, &target, layer)?,
                Given::Fetched(name, download) => self.fetched(name.as_deref(), download, &target, layer)?,
                Given::Found(picked) if picked.item.is_folder() => self.folder(origin, picked, &target, layer, &mut links)?,
                Given::Found(picked) => self.one(origin, picked, &target, layer, &mut links)?,
            }
        }
        Ok(())
    }

    fn wants_folder(&self) -> bool {
        self.destination.ends_with('/') || matches!(self.destination.rsplit('/').next(), Some("." | ".."))
    }

    fn folder(
        &self,
        origin: &Origin<'_>,
        picked: &Picked,
        target: &EntryPath,
        layer: &mut LayerWriter<'_>,
        links: &mut Links,
    ) -> Result<(), Trouble> {
        match layer.existing(target)? {
            Some(Existing::Folder) => layer.folders(target, self.parents_owner())?,
            Some(_) => return Err(Trouble::new(format!("`/{target}` is no folder, and the content of one is to be copied there"))),
            // Written as a folder it is one like those above it; else it is the source's likeness (as fsutil, which docker copies with).
            None if self.parents || self.wants_folder() => layer.folders(target, self.parents_owner())?,
            None => {
                layer.folders(&parent(target), self.parents_owner())?;
                self.put(origin, &picked.path, &picked.item, target, layer, links)?;
            }
        }
        for (relative, item) in &picked.below {
            self.put(origin, &joined(&picked.path, relative)?, item, &joined(target, relative)?, layer, links)?;
        }
        Ok(())
    }

    fn one(
        &self,
        origin: &Origin<'_>,
        picked: &Picked,
        target: &EntryPath,
        layer: &mut LayerWriter<'_>,
        links: &mut Links,
    ) -> Result<(), Trouble> {
        if self.unpack && matches!(picked.item.kind(), Some(Kind::File { .. })) {
            let shown = shown(&picked.path);
            if let Some(input) = unpack::archive(origin.open(&picked.path)?, &shown)? {
                layer.folders(target, self.parents_owner())?;
                return unpack::unpack(input, &shown, target, self.owner, layer);
            }
        }
        let place = self.place(&picked.name, target, layer)?;
        self.put(origin, &picked.path, &picked.item, &place, layer, links)
    }

    fn text(&self, name: &str, content: &str, target: &EntryPath, layer: &mut LayerWriter<'_>) -> Result<(), Trouble> {
        let place = self.place(name.as_bytes(), target, layer)?;
        let (uid, gid) = self.owner.unwrap_or_default();
        let (kind, mtime) = (Kind::File { size: content.len() as u64 }, Mtime { seconds: self.time, nanos: 0 });
        let entry = Entry { path: place, kind, mode: self.changed(0o644, false), uid, gid, mtime, xattrs: BTreeMap::new() };
        layer.put(&entry, Some(&mut content.as_bytes()))
    }

    /// A fetched file: readable by its owner only, unless `--chmod` says more, and as old as its server says (Dockerfile reference, ADD).
    fn fetched(&self, name: Option<&str>, download: &Download, target: &EntryPath, layer: &mut LayerWriter<'_>) -> Result<(), Trouble> {
        let open = || File::open(&download.path).map_err(|error| FileError::new("open", &download.path, error));
        let shown = name.unwrap_or("the fetched file");
        if self.unpack
            && let Some(input) = unpack::archive(open()?, shown)?
        {
            layer.folders(target, self.parents_owner())?;
            return unpack::unpack(input, shown, target, self.owner, layer);
        }
        let into_folder = self.wants_folder() || layer.existing(target)? == Some(Existing::Folder);
        let Some(name) = name.or((!into_folder).then_some("")) else {
            return Err(Trouble::new("the address names no file, and the destination is a folder").hint("write the file's name behind it"));
        };
        let place = self.place(name.as_bytes(), target, layer)?;
        let (uid, gid) = self.owner.unwrap_or_default();
        let mtime = Mtime { seconds: download.modified.unwrap_or(self.time), nanos: 0 };
        let kind = Kind::File { size: download.size };
        let entry = Entry { path: place, kind, mode: self.changed(0o600, false), uid, gid, mtime, xattrs: BTreeMap::new() };
        layer.put(&entry, Some(&mut open()?))
    }

    fn changed(&self, mode: u32, is_folder: bool) -> u32 {
        self.mode.as_ref().map_or(mode, |change| change.apply(mode, is_folder))
    }

    /// Where a single file goes; its folder is made.
    fn place(&self, name: &[u8], target: &EntryPath, layer: &mut LayerWriter<'_>) -> Result<EntryPath, Trouble> {
        let into = self.wants_folder() || layer.existing(target)? == Some(Existing::Folder);
        let place = if into { target.join(name).map_err(|fault| Trouble::new(fault.to_string()))? } else { target.clone() };
        layer.folders(&parent(&place), self.parents_owner())?;
        Ok(place)
    }

    fn put(
        &self,
        origin: &Origin<'_>,
        source: &EntryPath,
        item: &Item,
        place: &EntryPath,
        layer: &mut LayerWriter<'_>,
        links: &mut Links,
    ) -> Result<(), Trouble> {
        let Some(kind) = item.kind() else { return Ok(()) };
        let seconds = if origin.is_context() { self.time } else { item.stat.st_mtime };
        let (uid, gid) = match self.owner {
            Some(owner) => owner,
            None if origin.is_context() => (0, 0),
            None => (item.stat.st_uid, item.stat.st_gid),
        };
        let own_mode = item.stat.st_mode & 0o7777;
        let mode = if matches!(kind, Kind::Symlink { .. }) { own_mode } else { self.changed(own_mode, item.is_folder()) };
        let mut entry =
            Entry { path: place.clone(), kind, mode, uid, gid, mtime: Mtime { seconds, nanos: 0 }, xattrs: item.xattrs.clone() };
        if !origin.is_context() && item.stat.st_nlink > 1 && !item.is_folder() {
            // Names of one file stay names of one file.
            let first = links.entry((item.stat.st_dev, item.stat.st_ino)).or_insert_with(|| place.clone());
            if first != place {
                entry.kind = Kind::Hardlink { target: first.clone() };
                return layer.put(&entry, None);
            }
        }
        match entry.kind {
            Kind::File { .. } => layer.put(&entry, Some(&mut origin.open(source)?)),
            _ => layer.put(&entry, None),
        }
    }

    fn parents_owner(&self) -> (u32, u32) {
        self.owner.unwrap_or_default()
    }
}

type Links = HashMap<(u64, u64), EntryPath>;

fn parent(path: &EntryPath) -> EntryPath {
    path.split().map(|(above, _)| above).unwrap_or_default()
}
