//! Whether a build gives the same image each time: it is done twice, and what differs is named.

use crate::build::build;
use crate::error::BuildError;
use crate::event::BuildEvent;
use crate::outside::Outside;
use crate::request::{Built, Request};
use base::files::FileError;
use blobs::{BlobError, Image, Store};
use oci::tar::{Entry, EntryPath, Limits, Reader};
use oci::{DiffId, Digest, Hasher};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write};

/// Something that two builds of the same made differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The instruction whose layer it is in, as the history has it; or what else differs.
    pub instruction: String,
    /// The file, below `/`; empty where it is none.
    pub path: String,
    /// In what it differs.
    pub what: String,
}

/// More files of one layer are not named.
const MAX_FILES: usize = 5;

/// Builds, builds again with every step done anew, and says what differs between the two images; nothing where they are one.
///
/// # Errors
/// As [`build()`].
pub fn verify(
    request: &Request,
    store: &Store,
    outside: &Outside<'_>,
    report: &(dyn Fn(BuildEvent) + Sync),
) -> Result<(Built, Vec<Difference>), BuildError> {
    let first = build(request, store, outside, report)?;
    // What was asked for is the first one: it keeps the names.
    let anew = Request { no_cache: true, tags: Vec::new(), ..request.clone() };
    let second = build(&anew, store, outside, report)?;
    if first.image == second.image {
        return Ok((first, Vec::new()));
    }
    let (one, other) = (store.images().get(&first.image)?, store.images().get(&second.image)?);
    Ok((first, differences(store, &one, &other)?))
}

fn differences(store: &Store, one: &Image, other: &Image) -> Result<Vec<Difference>, BuildError> {
    let said = |instruction: &str, what: String| Difference { instruction: instruction.to_owned(), path: String::new(), what };
    let made: Vec<&str> =
        one.config.history.iter().filter(|step| !step.empty_layer).map(|step| step.created_by.as_deref().unwrap_or_default()).collect();
    let mut found = Vec::new();
    for (at, (ours, theirs)) in one.layers.iter().zip(&other.layers).enumerate() {
        if ours == theirs {
            continue;
        }
        let instruction = made.get(at).copied().unwrap_or_default();
        let files = compare(&members(store, ours)?, &members(store, theirs)?);
        let more = files.len().saturating_sub(MAX_FILES);
        found.extend(files.into_iter().take(MAX_FILES).map(|(path, what)| Difference { path, ..said(instruction, what) }));
        if more > 0 {
            found.push(said(instruction, format!("{more} more files differ")));
        }
    }
    if one.layers.len() != other.layers.len() {
        found.push(said("the image", format!("it has {} layers, and then {}", one.layers.len(), other.layers.len())));
    }
    if found.is_empty() {
        found.push(said("the image's configuration", "it differs".to_owned()));
    }
    Ok(found)
}

/// What a layer has at a path: all of its header, and its content.
type Members = BTreeMap<EntryPath, (Entry, Digest)>;

fn members(store: &Store, layer: &DiffId) -> Result<Members, BuildError> {
    let temp = store.temp()?;
    let path = temp.path().join("layer.tar");
    let fail = |error: std::io::Error| FileError::new("write", &path, error);
    let mut out = BufWriter::new(File::create(&path).map_err(fail)?);
    store.layers().export(layer, &mut out)?;
    out.flush().map_err(fail)?;
    let wrong = |error: oci::tar::TarError| BlobError::Unsupported(error.to_string());
    let mut reader = Reader::new(BufReader::new(File::open(&path).map_err(fail)?), Limits::default());
    let (mut members, mut buffer) = (Members::new(), vec![0u8; 64 * 1024]);
    while let Some(entry) = reader.next().map_err(wrong)? {
        let mut hasher = Hasher::new();
        while let got @ 1.. = reader.read(&mut buffer).map_err(wrong)? {
            hasher.update(buffer.get(..got).unwrap_or_default());
        }
        members.insert(entry.path.clone(), (entry, hasher.finish()));
    }
    Ok(members)
}

/// The paths that differ, and in what.
fn compare(ours: &Members, theirs: &Members) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (path, (entry, content)) in ours {
        let what = match theirs.get(path) {
            None => "only the first build made it".to_owned(),
            Some((other, _)) if std::mem::discriminant(&entry.kind) != std::mem::discriminant(&other.kind) => "its kind".to_owned(),
            Some((_, other)) if content != other => "its content".to_owned(),
            Some((other, _)) if entry.mode != other.mode => format!("its mode: {:o}, then {:o}", entry.mode, other.mode),
            Some((other, _)) if (entry.uid, entry.gid) != (other.uid, other.gid) => "its owner".to_owned(),
            Some((other, _)) if entry.mtime != other.mtime => format!("its time: {}, then {}", entry.mtime.seconds, other.mtime.seconds),
            Some((other, _)) if entry.kind != other.kind || entry.xattrs != other.xattrs => "where it leads, or its attributes".to_owned(),
            Some(_) => continue,
        };
        found.push((path.to_string(), what));
    }
    let new = theirs.keys().filter(|path| !ours.contains_key(path));
    found.extend(new.map(|path| (path.to_string(), "only the second build made it".to_owned())));
    found
}
