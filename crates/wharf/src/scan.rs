//! What is in a target: an image of the store, an archive, a folder, a lock file or a program, or a list that somebody else made.
//!
//! What is in an image follows from its id, so that it is kept below the home and found again without looking.

use crate::commands::image;
use crate::context::Context;
use base::files::{FileError, make_folder, read_up_to, write_atomically};
use base::{Problem, ProblemKind};
use blobs::{Image, Store};
use scanner::{Inventory, SavedError, Target, TargetKind, Tree};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Changes whenever catalogues find more or other things than before; what was kept by another is not used.
const FORMAT: u32 = 2;
/// Lists from others larger than this are not read.
const LARGEST_LIST: usize = 256 << 20;

#[derive(Serialize, Deserialize)]
struct Kept {
    format: u32,
    inventory: Inventory,
}

/// What is in a target, as the user named it: an image's name or id, or a path.
///
/// # Errors
/// When it is neither, or cannot be read.
pub fn inventory_of(context: &Context, target: &str) -> Result<Inventory, Problem> {
    let path = Path::new(target);
    if !is_path(target) && context.home.join("blobs").exists() {
        let store = image::open(context)?;
        match store.images().resolve(target) {
            Ok(found) => return inventory_of_image(&store, &found, target),
            Err(blobs::BlobError::NoImage(_) | blobs::BlobError::Name(_)) => {}
            Err(error) => return Err(image::problem(error)),
        }
    }
    let path = path.canonicalize().map_err(|error| nothing(target, &error))?;
    if path.is_dir() { folder(context, &path, target) } else { file(context, &path, target) }
}

/// What is in an image of a store; found again in the home that the store is in.
///
/// # Errors
/// When a layer cannot be read.
pub fn inventory_of_image(store: &Store, image: &Image, name: &str) -> Result<Inventory, Problem> {
    let id = image.id.to_string();
    if let Some(mut inventory) = kept(store, &id) {
        name.clone_into(&mut inventory.target.name);
        return Ok(inventory);
    }
    let inventory = scanned(store, image, name)?;
    // What failed now may be read the next time.
    if !inventory.is_lasting() {
        return Ok(inventory);
    }
    let kept = serde_json::to_vec(&Kept { format: FORMAT, inventory: inventory.clone() });
    let bytes = kept.map_err(|error| Problem::new(ProblemKind::Defect, format!("an inventory has no JSON form: {error}")))?;
    let path = place(store, &id);
    let folder = path.parent().unwrap_or(store.root());
    make_folder(folder, 0o700).and_then(|()| write_atomically(&path, &bytes, 0o600)).map_err(home_failed)?;
    Ok(inventory)
}

/// What was found in an image before, by its id; none when it was never looked at, or by other catalogues.
pub fn kept(store: &Store, image_id: &str) -> Option<Inventory> {
    let bytes = read_up_to(&place(store, image_id), LARGEST_LIST).ok()?;
    // A file that cannot be read is like none: it is written again.
    let kept: Kept = serde_json::from_slice(&bytes).ok()?;
    (kept.format == FORMAT && kept.inventory.target.id.as_deref() == Some(image_id)).then_some(kept.inventory)
}

fn scanned(store: &Store, image: &Image, name: &str) -> Result<Inventory, Problem> {
    let tree = Tree::of_image(store, image).map_err(image::problem)?;
    let layers = image.layers.iter().map(ToString::to_string).collect();
    let target = Target { kind: TargetKind::Image, name: name.to_owned(), id: Some(image.id.to_string()), layers };
    Ok(scanner::inventory(&tree, target))
}

fn place(store: &Store, image_id: &str) -> PathBuf {
    let home = store.root().parent().unwrap_or(store.root());
    home.join("sboms").join(format!("{}.json", image_id.trim_start_matches("sha256:")))
}

fn home_failed(error: FileError) -> Problem {
    Problem::new(ProblemKind::Host, error.to_string()).hint("make room or rights there, or pass another home with `--home DIR`")
}

/// Whether a name can only be a path.
fn is_path(target: &str) -> bool {
    target.starts_with(['/', '.', '~']) || target.ends_with('/')
}

fn nothing(target: &str, error: &std::io::Error) -> Problem {
    let message = match error.kind() {
        std::io::ErrorKind::NotFound => format!("`{target}` is neither an image of the store nor a path"),
        _ => format!("cannot read `{target}`: {error}"),
    };
    Problem::new(ProblemKind::Usage, message)
        .hint("`wharf image ls` lists the images; `wharf pull REFERENCE` and `wharf image load FILE` bring others")
}

fn folder(context: &Context, path: &Path, name: &str) -> Result<Inventory, Problem> {
    if path.join("oci-layout").is_file() {
        return archive(context, path, name);
    }
    let tree = Tree::of_folder(path).map_err(|error| Problem::new(ProblemKind::Usage, error.to_string()))?;
    Ok(scanner::inventory(&tree, target(TargetKind::Folder, name)))
}

fn target(kind: TargetKind, name: &str) -> Target {
    Target { kind, name: name.to_owned(), id: None, layers: Vec::new() }
}

fn file(context: &Context, path: &Path, name: &str) -> Result<Inventory, Problem> {
    let mut head = [0; 512];
    let failed = |error| Problem::new(ProblemKind::Usage, format!("cannot read `{name}`: {error}"));
    let length = File::open(path).and_then(|mut file| file.read(&mut head)).map_err(failed)?;
    let head = head.get(..length).unwrap_or_default();
    let known = path.file_name().and_then(|name| name.to_str()).is_some_and(scanner::catalogues::is_known);
    if known || head.starts_with(b"\x7fELF") {
        let tree = Tree::of_file(path).map_err(|error| Problem::new(ProblemKind::Usage, error.to_string()))?;
        return Ok(scanner::inventory(&tree, target(TargetKind::Folder, name)));
    }
    let is_archive = head.starts_with(b"\x1f\x8b") || head.get(257..262) == Some(b"ustar");
    if is_archive {
        return archive(context, path, name);
    }
    let bytes = read_up_to(path, LARGEST_LIST).map_err(|error| Problem::new(ProblemKind::Usage, error.to_string()))?;
    scanner::sbom::read(&bytes, name).map_err(|why| {
        Problem::new(ProblemKind::Usage, format!("cannot read `{name}`: {why}"))
            .hint("an image archive, a CycloneDX or SPDX document in JSON, a lock file, a program or a folder is expected")
    })
}

/// The image of an archive, read where it lies when it can be, else unpacked.
fn archive(context: &Context, path: &Path, name: &str) -> Result<Inventory, Problem> {
    match if path.is_dir() { Err(SavedError::Other) } else { Tree::of_saved(path) } {
        Ok(saved) => {
            let target = Target { kind: TargetKind::Image, name: name.to_owned(), id: Some(saved.id.to_string()), layers: saved.layers };
            Ok(scanner::inventory(&saved.tree, target))
        }
        Err(SavedError::Other) => unpacked(context, path, name),
        Err(error) => Err(Problem::new(ProblemKind::Work, format!("cannot read `{name}`: {error}"))),
    }
}

/// The image of an archive or layout, unpacked into a store that lives as long as this takes.
fn unpacked(context: &Context, path: &Path, name: &str) -> Result<Inventory, Problem> {
    let temp = image::open(context)?.temp().map_err(image::problem)?;
    let store = Store::open(temp.path()).map_err(image::problem)?;
    let images = blobs::import_path(&store, path).map_err(|error| image::problem(error).hint(format!("while reading `{name}`")))?;
    let ids: BTreeSet<_> = images.iter().map(|image| image.id).collect();
    match Vec::from_iter(ids).as_slice() {
        [id] => scanned(&store, &store.images().get(id).map_err(image::problem)?, name),
        [] => Err(Problem::new(ProblemKind::Usage, format!("`{name}` has no image for this machine"))),
        several => {
            let names: Vec<String> = images.iter().flat_map(|image| &image.references).map(oci::Reference::familiar).collect();
            Err(Problem::new(ProblemKind::Usage, format!("`{name}` has {} images: {}", several.len(), names.join(", ")))
                .hint("take them in with `wharf image load` and name one of them"))
        }
    }
}
