//! A journal that forgets: for tests of what stands above it.

use super::{AppendError, Checkpoint, Journal, JournalError, Record, Replayed, Report};
use crate::state::Tree;
use crate::types::Revision;
use std::sync::{Arc, Mutex, PoisonError};

/// Records in memory, shared by its clones so that a store can be opened again over them.
#[derive(Clone, Default)]
pub struct MemoryJournal {
    records: Arc<Mutex<Vec<Record>>>,
}

impl Journal for MemoryJournal {
    fn replay(&mut self, tell: &mut dyn FnMut(Replayed)) -> Result<Report, JournalError> {
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        records.iter().for_each(|record| tell(Replayed::Change(record.clone())));
        Ok(Report { changes: records.len(), ..Report::default() })
    }

    fn append(&mut self, records: &[Record]) -> Result<(), AppendError> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(records);
        Ok(())
    }

    fn wants_checkpoint(&self) -> bool {
        false
    }

    fn checkpoint(&mut self, _: &Tree, _: Revision) -> Result<Option<Checkpoint>, JournalError> {
        Ok(None)
    }
}
