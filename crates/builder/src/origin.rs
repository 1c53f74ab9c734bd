//! Where COPY and ADD take from: a context, or the layers of a stage or image.

use crate::context::{Context, hash};
use crate::error::Trouble;
use crate::key::Key;
use crate::pattern::{Pattern, Syntax};
use base::files::FileError;
use blobs::{Node, View};
use oci::tar::{EntryPath, Kind};
use oci::{Digest, Hasher};
use rustix::fs::{FileType, Stat, major, minor};
use std::collections::BTreeMap;
use std::fs::File;

/// A source.
pub(crate) enum Origin<'a> {
    /// A folder of the host: owners and times are not taken over.
    Context(&'a Context),
    /// Layers: all is taken over.
    View(&'a View),
}

/// Something to copy.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub stat: Stat,
    pub target: Option<Vec<u8>>,
    pub xattrs: BTreeMap<String, Vec<u8>>,
    /// A file's content, where it is known without reading it.
    pub content: Option<Digest>,
}

/// What one source gives.
#[derive(Debug)]
pub(crate) struct Picked {
    /// Where it is, links followed.
    pub path: EntryPath,
    /// Its last name as it was written.
    pub name: Vec<u8>,
    pub item: Item,
    /// What is in it, by path relative to it, if it is a folder.
    pub below: BTreeMap<EntryPath, Item>,
}

impl Item {
    pub(crate) fn file_type(&self) -> FileType {
        FileType::from_raw_mode(self.stat.st_mode)
    }

    pub(crate) fn is_folder(&self) -> bool {
        self.file_type() == FileType::Directory
    }

    /// What a layer writes for it; `None` for a socket, which no layer holds.
    pub(crate) fn kind(&self) -> Option<Kind> {
        let (major, minor) = (major(self.stat.st_rdev), minor(self.stat.st_rdev));
        Some(match self.file_type() {
            FileType::Directory => Kind::Folder,
            FileType::RegularFile => Kind::File { size: u64::try_from(self.stat.st_size).unwrap_or(0) },
            FileType::Symlink => Kind::Symlink { target: self.target.clone().unwrap_or_default() },
            FileType::Fifo => Kind::Fifo,
            FileType::CharacterDevice => Kind::Char { major, minor },
            FileType::BlockDevice => Kind::Block { major, minor },
            _ => return None,
        })
    }
}

impl Origin<'_> {
    pub(crate) fn is_context(&self) -> bool {
        matches!(self, Self::Context(_))
    }

    fn resolve(&self, path: &[u8]) -> Result<EntryPath, FileError> {
        match self {
            Self::Context(context) => context.resolve(path),
            Self::View(view) => view.resolve(path),
        }
    }

    pub(crate) fn item(&self, path: &EntryPath) -> Result<Option<Item>, FileError> {
        match self {
            Self::Context(context) => Ok(context.member(path)?.map(|member| Item {
                stat: member.stat,
                target: member.target,
                xattrs: BTreeMap::new(),
                content: member.content,
            })),
            Self::View(view) => view.node(path)?.map(|node| view_item(view, path, &node)).transpose(),
        }
    }

    fn names(&self, folder: &EntryPath) -> Result<Vec<Vec<u8>>, FileError> {
        match self {
            Self::Context(context) => context.names(folder),
            Self::View(view) => view.list(folder),
        }
    }

    pub(crate) fn below(&self, folder: &EntryPath) -> Result<BTreeMap<EntryPath, Item>, FileError> {
        let view = match self {
            Self::Context(context) => {
                let items = context.walk(folder)?.into_iter();
                return Ok(items
                    .map(|(path, member)| {
                        (path, Item { stat: member.stat, target: member.target, xattrs: BTreeMap::new(), content: member.content })
                    })
                    .collect());
            }
            Self::View(view) => view,
        };
        let mut found = BTreeMap::new();
        let mut stack = vec![(EntryPath::default(), folder.clone())];
        while let Some((relative, path)) = stack.pop() {
            for name in view.list(&path)? {
                let (Ok(here), Ok(below)) = (relative.join(&name), path.join(&name)) else { continue };
                let Some(node) = view.node(&below)? else { continue };
                found.insert(here.clone(), view_item(view, &below, &node)?);
                if node.is_folder() {
                    stack.push((here, below));
                }
            }
        }
        Ok(found)
    }

    /// A file's content, to be copied.
    pub(crate) fn open(&self, path: &EntryPath) -> Result<File, FileError> {
        match self {
            Self::Context(context) => context.open_file(path),
            Self::View(view) => {
                let node = view.node(path)?.ok_or_else(|| FileError::new("open", path.to_string(), std::io::ErrorKind::NotFound.into()))?;
                view.open_file(path, &node)
            }
        }
    }

    /// Why nothing is at a path, as far as it can be told.
    pub(crate) fn missing(&self, written: &str, path: &EntryPath) -> Trouble {
        match self {
            Self::Context(context) if context.ignores(path) && context.path(path).exists() => {
                Trouble::new(format!("`{written}` is left out of the context by .dockerignore"))
                    .hint("change .dockerignore, or take the line out")
            }
            Self::Context(context) => Trouble::new(format!("`{written}` is not in the context `{}`", context.root().display())),
            Self::View(_) => Trouble::new(format!("`{written}` is not in the stage or image that it is to come from")),
        }
    }

    /// What a source as written in the Dockerfile stands for: one thing, or all that its pattern matches.
    pub(crate) fn pick(&self, written: &str) -> Result<Vec<Picked>, Trouble> {
        let parts: Vec<&str> = clean(written);
        let mut paths = vec![EntryPath::default()];
        for part in &parts {
            paths = self.descend(paths, part).map_err(|why| Trouble::new(format!("`{written}`: {why}")))?;
        }
        let literal = parts.iter().all(|part| Pattern::new(part, Syntax::Plain).is_ok_and(|pattern| pattern.is_literal()));
        let mut picked = Vec::new();
        for path in paths {
            let resolved = self.resolve(path.as_bytes())?;
            let Some(item) = self.item(&resolved)? else {
                if literal {
                    return Err(self.missing(written, &resolved));
                }
                continue;
            };
            let below = if item.is_folder() { self.below(&resolved)? } else { BTreeMap::new() };
            let name = path.split().map(|(_, name)| name.to_vec()).unwrap_or_default();
            picked.push(Picked { path: resolved, name, item, below });
        }
        if picked.is_empty() {
            return Err(Trouble::new(format!("nothing matches `{written}`")));
        }
        Ok(picked)
    }

    /// The one thing at a path, which is no pattern; what is below a folder too.
    pub(crate) fn one(&self, written: &str) -> Result<Picked, Trouble> {
        let picked = self.at(written)?;
        self.with_below(&picked)
    }

    /// As [`Origin::one`], without what is below it.
    pub(crate) fn at(&self, written: &str) -> Result<Picked, Trouble> {
        let resolved = self.resolve(written.as_bytes())?;
        let item = match self.item(&resolved)? {
            Some(item) => item,
            // A stage that has no layer yet has a root all the same.
            None if resolved.is_root() && !self.is_context() => {
                return Err(Trouble::new("the stage or image that it is to come from is empty"));
            }
            None => return Err(self.missing(written, &resolved)),
        };
        let name = resolved.split().map(|(_, name)| name.to_vec()).unwrap_or_default();
        Ok(Picked { path: resolved, name, item, below: BTreeMap::new() })
    }

    /// A picked thing with what is below it.
    pub(crate) fn with_below(&self, picked: &Picked) -> Result<Picked, Trouble> {
        let below = if picked.item.is_folder() { self.below(&picked.path)? } else { BTreeMap::new() };
        Ok(Picked { path: picked.path.clone(), name: picked.name.clone(), item: picked.item.clone(), below })
    }

    fn descend(&self, paths: Vec<EntryPath>, part: &str) -> Result<Vec<EntryPath>, String> {
        let pattern = Pattern::new(part, Syntax::Plain).map_err(str::to_owned)?;
        let mut next = Vec::new();
        for path in paths {
            if pattern.is_literal() {
                next.push(path.join(pattern.literal().as_bytes()).map_err(|fault| fault.to_string())?);
                continue;
            }
            let folder = self.resolve(path.as_bytes()).map_err(|error| error.to_string())?;
            if !self.item(&folder).map_err(|error| error.to_string())?.is_some_and(|item| item.is_folder()) {
                continue;
            }
            for name in self.names(&folder).map_err(|error| error.to_string())? {
                let ignored = || matches!(self, Self::Context(context) if folder.join(&name).is_ok_and(|path| context.ignores(&path)));
                if pattern.matches(&String::from_utf8_lossy(&name)) && !ignored() {
                    next.push(path.join(&name).map_err(|fault| fault.to_string())?);
                }
            }
        }
        Ok(next)
    }
}

fn view_item(view: &View, path: &EntryPath, node: &Node) -> Result<Item, FileError> {
    let target = if node.file_type() == FileType::Symlink { Some(view.read_link(path, node)?) } else { None };
    Ok(Item { stat: node.stat, target, xattrs: view.xattrs(path, node)?, content: None })
}

/// The parts of a path, `.` and `..` worked, never above the root.
pub(crate) fn clean(path: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts
}

/// What a picked thing and all below it are, for a step's key: names, modes and contents.
pub(crate) fn contents(origin: &Origin<'_>, picked: &Picked, name: &str, key: &mut Key) -> Result<(), Trouble> {
    key.digest(format!("{name}{}", shown(&picked.path)), fingerprint(origin, &picked.path, &picked.item)?);
    for (relative, item) in &picked.below {
        let path = joined(&picked.path, relative)?;
        key.digest(format!("{name}{}", shown(&path)), fingerprint(origin, &path, item)?);
    }
    Ok(())
}

/// A path below another.
pub(crate) fn joined(base: &EntryPath, relative: &EntryPath) -> Result<EntryPath, Trouble> {
    EntryPath::parse(&[base.as_bytes(), b"/", relative.as_bytes()].concat()).map_err(|fault| Trouble::new(fault.to_string()))
}

/// A path for messages.
pub(crate) fn shown(path: &EntryPath) -> String {
    if path.is_root() { "the whole context".to_owned() } else { path.to_string() }
}

/// What would be written for one thing: all but its name. Not its times: they change nothing that matters.
pub(crate) fn fingerprint(origin: &Origin<'_>, path: &EntryPath, item: &Item) -> Result<Digest, FileError> {
    let mut hasher = Hasher::new();
    hasher.part(&item.stat.st_mode.to_le_bytes());
    if !origin.is_context() {
        for number in [item.stat.st_uid, item.stat.st_gid] {
            hasher.part(&number.to_le_bytes());
        }
        hasher.part(&item.stat.st_mtime.to_le_bytes());
    }
    hasher.part(item.target.as_deref().unwrap_or_default());
    hasher.part(&item.stat.st_rdev.to_le_bytes());
    for (name, value) in &item.xattrs {
        hasher.part(name.as_bytes());
        hasher.part(value);
    }
    if item.file_type() == FileType::RegularFile {
        let content = match item.content {
            Some(content) => content,
            None => hash(origin.open(path)?).map_err(|error| FileError::new("read", path.to_string(), error))?,
        };
        hasher.part(content.bytes());
    }
    Ok(hasher.finish())
}
