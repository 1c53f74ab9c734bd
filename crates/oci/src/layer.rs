//! What members of a layer mean (image spec, layer.md): files, and whiteouts that hide what lies below.

use crate::tar::{Entry, EntryPath, Fault, Kind};

/// Begins the name of a whiteout.
pub const WHITEOUT: &[u8] = b".wh.";
/// Hides all that lower layers have in a folder.
pub const OPAQUE: &[u8] = b".wh..wh..opq";

/// What a member of a layer does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayerItem {
    /// It is there.
    Present,
    /// What lower layers have at this path is gone.
    Hidden(EntryPath),
    /// What lower layers have in this folder is gone.
    Opaque(EntryPath),
}

/// What a member does; refuses what would mean one thing in an archive and another one in an unpacked tree.
///
/// # Errors
/// Whiteouts that are no empty files or have odd names, and members that the overlay file system would take for its own.
pub fn classify(entry: &Entry) -> Result<LayerItem, Fault> {
    if entry.xattrs.keys().any(|name| name.starts_with("trusted.overlay.") || name.starts_with("user.overlay.")) {
        return Err(Fault::Overlay("an extended attribute of this name"));
    }
    if entry.kind == (Kind::Char { major: 0, minor: 0 }) {
        return Err(Fault::Overlay("a character device 0:0"));
    }
    if let Kind::Hardlink { target } = &entry.kind
        && has_whiteout(target.as_bytes())
    {
        return Err(Fault::Whiteout("a hard link to one"));
    }
    let Some((folder, name)) = entry.path.split() else { return Ok(LayerItem::Present) };
    if has_whiteout(folder.as_bytes()) {
        return Err(Fault::Whiteout("something lies below one"));
    }
    let Some(hidden) = name.strip_prefix(WHITEOUT) else { return Ok(LayerItem::Present) };
    if !matches!(entry.kind, Kind::File { size: 0 }) {
        return Err(Fault::Whiteout("it is no empty file"));
    }
    if name == OPAQUE {
        return Ok(LayerItem::Opaque(folder));
    }
    if matches!(hidden, b"" | b"." | b"..") || hidden.starts_with(WHITEOUT) {
        return Err(Fault::Whiteout("it hides no name"));
    }
    Ok(LayerItem::Hidden(folder.join(hidden)?))
}

/// Whether any component is a whiteout's name.
pub fn has_whiteout(path: &[u8]) -> bool {
    path.split(|&b| b == b'/').any(|part| part.starts_with(WHITEOUT))
}
