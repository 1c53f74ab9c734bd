//! The states of a stack (CloudFormation User Guide, "Stack status codes"), and what can be done in each.

/// A stack's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StackStatus {
    /// A change set waits that would make it; it has no resources.
    ReviewInProgress,
    /// Is made.
    CreateInProgress,
    /// Was made.
    CreateComplete,
    /// Could not be made, and was not taken back.
    CreateFailed,
    /// Could not be made and is taken back.
    RollbackInProgress,
    /// Could not be made and was taken back; it can only be removed.
    RollbackComplete,
    /// Could not be made nor taken back.
    RollbackFailed,
    /// Is changed.
    UpdateInProgress,
    /// Was changed, and what was replaced is removed.
    UpdateCompleteCleanup,
    /// Was changed.
    UpdateComplete,
    /// Could not be changed, and was not taken back.
    UpdateFailed,
    /// Could not be changed and is taken back.
    UpdateRollbackInProgress,
    /// Was taken back, and what was new is removed.
    UpdateRollbackCleanup,
    /// Could not be changed and was taken back: what stood before stands.
    UpdateRollbackComplete,
    /// Could not be changed, and taking it back failed: it stands half-way until it is told to go on.
    UpdateRollbackFailed,
    /// Is removed.
    DeleteInProgress,
    /// Was removed.
    DeleteComplete,
    /// Could not be removed whole.
    DeleteFailed,
    /// Takes resources in.
    ImportInProgress,
    /// Took them in.
    ImportComplete,
    /// Could not take them in and lets them go.
    ImportRollbackInProgress,
    /// Let them go.
    ImportRollbackComplete,
    /// Could not let them go.
    ImportRollbackFailed,
    /// One that we do not know: nothing is done but to look again.
    Other,
}

/// What a status means for who wants to do something next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Something is under way.
    Busy,
    /// It can be changed.
    Ready,
    /// It has no resources yet.
    Empty,
    /// A rollback must be told to go on.
    HalfWay,
    /// It can only be removed.
    Broken,
    /// It is not there any more.
    Gone,
}

const NAMES: &[(StackStatus, &str)] = &[
    (StackStatus::ReviewInProgress, "REVIEW_IN_PROGRESS"),
    (StackStatus::CreateInProgress, "CREATE_IN_PROGRESS"),
    (StackStatus::CreateComplete, "CREATE_COMPLETE"),
    (StackStatus::CreateFailed, "CREATE_FAILED"),
    (StackStatus::RollbackInProgress, "ROLLBACK_IN_PROGRESS"),
    (StackStatus::RollbackComplete, "ROLLBACK_COMPLETE"),
    (StackStatus::RollbackFailed, "ROLLBACK_FAILED"),
    (StackStatus::UpdateInProgress, "UPDATE_IN_PROGRESS"),
    (StackStatus::UpdateCompleteCleanup, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"),
    (StackStatus::UpdateComplete, "UPDATE_COMPLETE"),
    (StackStatus::UpdateFailed, "UPDATE_FAILED"),
    (StackStatus::UpdateRollbackInProgress, "UPDATE_ROLLBACK_IN_PROGRESS"),
    (StackStatus::UpdateRollbackCleanup, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"),
    (StackStatus::UpdateRollbackComplete, "UPDATE_ROLLBACK_COMPLETE"),
    (StackStatus::UpdateRollbackFailed, "UPDATE_ROLLBACK_FAILED"),
    (StackStatus::DeleteInProgress, "DELETE_IN_PROGRESS"),
    (StackStatus::DeleteComplete, "DELETE_COMPLETE"),
    (StackStatus::DeleteFailed, "DELETE_FAILED"),
    (StackStatus::ImportInProgress, "IMPORT_IN_PROGRESS"),
    (StackStatus::ImportComplete, "IMPORT_COMPLETE"),
    (StackStatus::ImportRollbackInProgress, "IMPORT_ROLLBACK_IN_PROGRESS"),
    (StackStatus::ImportRollbackComplete, "IMPORT_ROLLBACK_COMPLETE"),
    (StackStatus::ImportRollbackFailed, "IMPORT_ROLLBACK_FAILED"),
];

impl StackStatus {
    /// The status of a name.
    pub fn parse(name: &str) -> Self {
        NAMES.iter().find(|(_, known)| *known == name).map_or(Self::Other, |(status, _)| *status)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(known, _)| *known == self).map_or("a status that is not known", |(_, name)| name)
    }

    /// What can be done.
    pub fn settled(self) -> Settled {
        match self {
            Self::ReviewInProgress => Settled::Empty,
            Self::CreateComplete
            | Self::UpdateComplete
            | Self::UpdateFailed
            | Self::UpdateRollbackComplete
            | Self::ImportComplete
            | Self::ImportRollbackComplete => Settled::Ready,
            Self::UpdateRollbackFailed | Self::ImportRollbackFailed => Settled::HalfWay,
            Self::CreateFailed | Self::RollbackComplete | Self::RollbackFailed | Self::DeleteFailed => Settled::Broken,
            Self::DeleteComplete => Settled::Gone,
            Self::CreateInProgress
            | Self::RollbackInProgress
            | Self::UpdateInProgress
            | Self::UpdateCompleteCleanup
            | Self::UpdateRollbackInProgress
            | Self::UpdateRollbackCleanup
            | Self::DeleteInProgress
            | Self::ImportInProgress
            | Self::ImportRollbackInProgress
            | Self::Other => Settled::Busy,
        }
    }

    /// Whether an operation that ended here did what it was asked to.
    pub fn is_success(self) -> bool {
        matches!(self, Self::CreateComplete | Self::UpdateComplete | Self::ImportComplete)
    }

    /// Whether what stood before the operation stands again.
    pub fn is_rolled_back(self) -> bool {
        matches!(self, Self::RollbackComplete | Self::UpdateRollbackComplete | Self::ImportRollbackComplete)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back_and_progress_is_busy() {
        for (status, name) in NAMES {
            assert_eq!(StackStatus::parse(name), *status);
            assert_eq!(status.name(), *name);
            let under_way = name.ends_with("_IN_PROGRESS") && *name != "REVIEW_IN_PROGRESS";
            assert_eq!(status.settled() == Settled::Busy, under_way, "{name}");
        }
        assert_eq!(StackStatus::parse("FUTURE_STATE"), StackStatus::Other);
    }
}
