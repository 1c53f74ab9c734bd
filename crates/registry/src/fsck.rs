//! Reads everything and tells what is damaged.

use crate::digest::{Digest, Hasher};
use crate::index::{Index, Place};
use crate::store::{OpenError, failed, file_of, files, load, lock};
use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// What was found.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Report {
    /// Repositories.
    pub repositories: u64,
    /// Tags.
    pub tags: u64,
    /// Manifests of repositories.
    pub manifests: u64,
    /// Contents: blobs and manifests, each once.
    pub contents: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// What a push left that did not come to its end; the next start removes it.
    pub leftovers: u64,
    /// What is damaged, a sentence each.
    pub problems: Vec<String>,
}

/// Checks everything below a folder, every byte of it; nothing is changed.
///
/// # Errors
/// When a registry has it open, or it cannot be read.
pub fn fsck(root: &Path) -> Result<Report, OpenError> {
    std::fs::metadata(root.join("log")).map_err(failed("open", root))?;
    let _lock = lock(root)?;
    let loaded = load(root, 0)?;
    let index = &loaded.index;
    let mut report = Report { repositories: index.repositories.len() as u64, ..Report::default() };
    report.problems.extend(loaded.damage.iter().filter(|damage| damage.is_loss()).map(ToString::to_string));
    let known: HashSet<u64> = index.contents.values().filter_map(|content| file_of(content.kept?.1)).collect();
    report.leftovers = files(root)?.iter().filter(|(number, _)| !known.contains(number)).count() as u64;
    for (digest, content) in &index.contents {
        let Some((_, _, size)) = content.kept else { continue };
        report.contents += 1;
        report.bytes += size;
        if content.links == 0 {
            report.problems.push(format!("no repository has {digest}"));
        }
        match digest_of(root, index, digest) {
            Ok(found) if found == *digest => {}
            Ok(found) => report.problems.push(format!("the content of {digest} has the digest {found}")),
            Err(error) => report.problems.push(format!("the content of {digest} cannot be read: {error}")),
        }
    }
    names(index, &mut report);
    Ok(report)
}

fn names(index: &Index, report: &mut Report) {
    for (name, room) in &index.repositories {
        report.tags += room.tags.len() as u64;
        report.manifests += room.manifests.len() as u64;
        for digest in room.blobs.keys().chain(room.manifests.keys()).filter(|digest| index.kept(digest).is_none()) {
            report.problems.push(format!("{name}: the content of {digest} is missing"));
        }
        for (tag, named) in room.tags.iter().filter(|(_, named)| !room.manifests.contains_key(&named.digest)) {
            report.problems.push(format!("{name}:{tag} names the manifest {}, which is missing", named.digest));
        }
        for (digest, manifest) in &room.manifests {
            // Manifests that an index lists are not looked for: they may be removed by their digests.
            for missing in manifest.facts.blobs.iter().filter(|blob| !room.blobs.contains_key(*blob)) {
                report.problems.push(format!("{name}: the manifest {digest} names the blob {missing}, which is missing"));
            }
        }
    }
}

fn digest_of(root: &Path, index: &Index, digest: &Digest) -> Result<Digest, Box<dyn std::error::Error>> {
    let (at, place, size) = index.kept(digest).ok_or("it is not kept")?;
    let mut hasher = Hasher::new(digest.algorithm());
    match place {
        Place::Log(offset) => {
            let mut bytes = vec![0; usize::try_from(size)?];
            index.segments.get(&at.segment).ok_or("its segment is missing")?.file.read_exact_at(&mut bytes, u64::from(offset))?;
            hasher.update(&bytes);
        }
        Place::File(number) => {
            let path = root.join("files").join(format!("{number:016x}"));
            let mut file = File::open(&path).map_err(failed("open", &path))?;
            let (mut buffer, mut total) = (vec![0; 1 << 20], 0);
            loop {
                let read = file.read(&mut buffer)?;
                if read == 0 {
                    break;
                }
                total += read as u64;
                hasher.update(buffer.get(..read).unwrap_or_default());
            }
            if total != size {
                return Err(format!("it has {total} bytes, not {size}").into());
            }
        }
    }
    Ok(hasher.finish())
}
