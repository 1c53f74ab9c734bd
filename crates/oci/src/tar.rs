//! Tar archives: one strict reader for whatever comes in, one canonical writer for what we make.
//!
//! The reader takes ustar, pax and GNU long names (POSIX.1-2024, `pax`, "ustar Interchange Format" and "pax Extended Header"). It accepts
//! less than others do on purpose: where two readers could see different files, it sees an error.

mod entry;
mod error;
mod guard;
mod header;
mod pax;
mod reader;
mod writer;

pub use entry::{Entry, EntryPath, Kind, Mtime};
pub use error::{Fault, TarError};
pub use guard::Guard;
pub use reader::{Limits, Reader};
pub use writer::{END, encode_header, padding};

/// Size of a block in bytes; everything in an archive is padded to it.
pub const BLOCK: usize = 512;
