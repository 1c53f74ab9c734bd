//! Honest fields: what acts, what is only stored, what is refused. The docs and the tests read the same table.

/// What becomes of a field that does not act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Accepted, with a warning.
    Stored,
    /// 422.
    Refused,
}

/// Fields of one fate.
#[derive(Debug)]
pub struct Support {
    /// Path such as `spec.hostUsers` or `spec.volumes[].csi`.
    pub path: &'static str,
    /// What becomes of it.
    pub fate: Fate,
    /// What is said of it.
    pub note: &'static str,
}
