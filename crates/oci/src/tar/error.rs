//! What can be wrong with an archive.

use std::io;

/// An archive that is not read further: where, which member, and why.
#[derive(Debug, thiserror::Error)]
#[error("archive, byte {offset}{}: {fault}", if path.is_empty() { String::new() } else { format!(", member `{path}`") })]
pub struct TarError {
    /// Bytes before the block in question.
    pub offset: u64,
    /// The member, where its name is known; control characters escaped.
    pub path: String,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with an archive.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The source failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It ends within a header or a file.
    #[error("ends too early")]
    Truncated,
    /// A header's sum does not fit its bytes.
    #[error("a header's checksum is wrong: no tar archive, or damaged")]
    Checksum,
    /// A number that is none, negative where it may not be, or too large.
    #[error("the number `{0}` is not valid")]
    Number(&'static str),
    /// Something stands after the end.
    #[error("data after the end of the archive")]
    TrailingData,
    /// No name.
    #[error("a name is empty")]
    EmptyName,
    /// A NUL in a name.
    #[error("a name has a NUL byte")]
    NulInName,
    /// A `..` in a name.
    #[error("a path with `..` leaves the archive")]
    ParentComponent,
    /// A name that Linux does not take.
    #[error("a name is longer than 255 bytes, or a path than 4095")]
    LongName,
    /// A root that is no folder.
    #[error("the root is no folder")]
    RootIsNoFolder,
    /// A sparse file.
    #[error("sparse files are not supported; write the archive without `--sparse`")]
    Sparse,
    /// A kind of member that is not known.
    #[error("members of type `{}` are not supported", char::from(*.0).escape_debug())]
    Type(u8),
    /// A link, folder or device with content.
    #[error("a member that is no file has content")]
    Content,
    /// A broken pax header.
    #[error("a pax header is malformed: {0}")]
    Pax(&'static str),
    /// Long names or pax headers without a member, or twice for one.
    #[error("an extension header without its member, or twice for one member")]
    Dangling,
    /// Two members of one path.
    #[error("two members have this path")]
    Duplicate,
    /// A member below something that is no folder.
    #[error("`{0}` above it is no folder")]
    ParentIsNoFolder(String),
    /// A hard link to what is not there.
    #[error("a hard link to `{0}`, which no earlier member is")]
    HardlinkTarget(String),
    /// A whiteout that could mean several things.
    #[error("a whiteout is not valid: {0}")]
    Whiteout(&'static str),
    /// Something that the overlay file system would act on.
    #[error("{0} would be acted on by the overlay file system")]
    Overlay(&'static str),
    /// More than the reader's limits.
    #[error("more than {limit} {what}")]
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// How much is allowed.
        limit: u64,
    },
}
