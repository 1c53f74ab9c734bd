//! What is told while it goes on.

/// What a blob is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It was there already.
    Present,
    /// It comes in.
    Downloading,
    /// It came in, was checked and unpacked.
    Downloaded,
    /// It goes out.
    Uploading,
    /// It went out.
    Uploaded,
    /// The registry took it over from another repository.
    Mounted,
    /// It broke off and goes on.
    Retrying,
}

/// One thing that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Which layer, by its DiffID; `config` and `manifest`.
    pub what: String,
    /// What it is at.
    pub step: Step,
    /// Bytes moved so far.
    pub done: u64,
    /// Bytes in all, where they are known.
    pub total: Option<u64>,
}

/// Who is told. It is called by the task that pulls or pushes, some times per megabyte.
pub(crate) type Teller<'a> = &'a (dyn Fn(Progress) + Sync);

pub(crate) fn tell(to: Teller<'_>, what: impl Into<String>, step: Step, done: u64, total: Option<u64>) {
    to(Progress { what: what.into(), step, done, total });
}
