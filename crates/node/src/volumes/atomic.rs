//! Files that change all at once: each version is a folder, `..data` points to the current one, and what containers see points through it.
//! Source: `pkg/volume/util/atomic_writer.go` (the layout; containers and tools rely on it).

use super::Files;
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

const CURRENT: &str = "..data";

/// Makes a folder show these files; nothing is touched when it does already.
pub(super) fn write(folder: &Path, files: &Files, group: Option<u32>) -> Result<(), String> {
    replace(folder, files, group).map_err(|error| format!("cannot write {}: {error}", folder.display()))
}

fn replace(folder: &Path, files: &Files, group: Option<u32>) -> io::Result<()> {
    let old = fs::read_link(folder.join(CURRENT)).ok().filter(|name| name.components().count() == 1);
    if old.as_ref().is_some_and(|name| shows(&folder.join(name), files)) {
        return Ok(());
    }
    let name = format!("..{}", base::ids::suffix(10));
    let version = folder.join(&name);
    fs::create_dir(&version)?;
    finish_folder(&version, group)?;
    for (path, file) in files {
        write_file(&version, path, file, group)?;
    }
    let beside = folder.join("..data_tmp");
    let _ = fs::remove_file(&beside);
    symlink(&name, &beside)?;
    fs::rename(&beside, folder.join(CURRENT))?;
    link_visible(folder, files)?;
    match old {
        Some(old) => fs::remove_dir_all(folder.join(old)),
        None => finish_folder(folder, group),
    }
}

fn write_file(version: &Path, path: &str, file: &super::File, group: Option<u32>) -> io::Result<()> {
    let target = version.join(path);
    let mut above = version.to_owned();
    for part in Path::new(path).parent().into_iter().flat_map(Path::components) {
        above.push(part);
        if !above.exists() {
            fs::create_dir(&above)?;
            finish_folder(&above, group)?;
        }
    }
    let mut out = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&target)?;
    out.write_all(&file.content)?;
    let mode = if group.is_some() { file.mode | 0o440 } else { file.mode };
    std::os::unix::fs::fchown(&out, file.owner, group)?;
    out.set_permissions(PermissionsExt::from_mode(mode))
}

fn finish_folder(folder: &Path, group: Option<u32>) -> io::Result<()> {
    std::os::unix::fs::chown(folder, None, group)?;
    let mode = if group.is_some() { 0o2755 } else { 0o755 };
    fs::set_permissions(folder, PermissionsExt::from_mode(mode))
}

/// The first parts of all paths are links through `..data`; those of paths that are no more go.
fn link_visible(folder: &Path, files: &Files) -> io::Result<()> {
    let wanted: BTreeSet<&str> = files.keys().filter_map(|path| path.split('/').next()).collect();
    for name in &wanted {
        let (link, target) = (folder.join(name), PathBuf::from(CURRENT).join(name));
        if fs::read_link(&link).is_ok_and(|found| found == target) {
            continue;
        }
        let _ = fs::remove_file(&link);
        symlink(&target, &link)?;
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !name.starts_with("..") && !wanted.contains(name.as_ref()) && entry.file_type()?.is_symlink() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn shows(version: &Path, files: &Files) -> bool {
    let count = count_files(version, 16);
    let same = |(path, file): (&String, &super::File)| fs::read(version.join(path)).is_ok_and(|content| content == file.content);
    count == Some(files.len()) && files.iter().all(same)
}

/// Files below a folder; `None` when it cannot be read or is too deep to be one of ours.
fn count_files(folder: &Path, depth: usize) -> Option<usize> {
    let mut count = 0;
    for entry in fs::read_dir(folder).ok()? {
        let entry = entry.ok()?;
        count += if entry.file_type().ok()?.is_dir() { count_files(&entry.path(), depth.checked_sub(1)?)? } else { 1 };
    }
    Some(count)
}
