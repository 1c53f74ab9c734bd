//! Who is told, and how: notices, kept on disk until they were taken.

mod notice;

pub use notice::{Notice, NoticeKind};
