//! What is not kept any longer goes.

use super::{Change, Runs, RunsError, kept};
use crate::run::RunId;
use base::Timestamp;
use base::files::FileError;
use std::time::Duration;
use store::Txn;

/// How long deliveries of web hooks are remembered.
const DELIVERIES: Duration = Duration::from_secs(7 * 86_400);

impl Runs {
    /// Removes runs, artefacts and deliveries whose time is over; the answer is how many runs went.
    ///
    /// # Errors
    /// When nothing can be written.
    pub async fn expire(&self) -> Result<usize, RunsError> {
        let (now, options) = (self.now(), self.inner.options);
        let ended: Vec<_> = kept::all(&self.inner.store).into_iter().filter(|kept| kept.run.state.has_ended()).collect();
        let too_many = ended.len().saturating_sub(options.runs);
        let mut gone: Vec<RunId> = Vec::new();
        for (number, mut kept) in ended.into_iter().enumerate() {
            let age = kept.run.ended.map_or(Duration::ZERO, |ended| now.since(ended));
            if number < too_many || age >= kept.work.keep_seconds.map_or(options.keep, Duration::from_secs) {
                gone.push(kept.run.id);
            } else if age >= options.keep_artefacts && !kept.run.artefacts.is_empty() {
                kept.run.artefacts = Vec::new();
                self.save(&kept).await?;
                remove(&kept::folder(&self.inner.folder, kept.run.id).join("artefacts"))?;
            }
        }
        if !gone.is_empty() {
            let txn = gone.iter().fold(Txn::default(), |txn, id| txn.delete(kept::key(*id)));
            self.inner.store.commit(txn).await?;
        }
        for id in &gone {
            self.book().all.remove(id);
            remove(&kept::folder(&self.inner.folder, *id))?;
            self.tell(Change::Run(*id));
        }
        self.forget_deliveries(now).await?;
        Ok(gone.len())
    }

    async fn forget_deliveries(&self, now: Timestamp) -> Result<(), RunsError> {
        let Ok(page) = self.inner.store.list("deliveries/", 0, "", None) else { return Ok(()) };
        let at = |value: &[u8]| std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).map(Timestamp::from_micros);
        let old = page.entries.iter().filter(|entry| at(&entry.value).is_none_or(|at| now.since(at) >= DELIVERIES));
        let txn = old.fold(Txn::default(), |txn, entry| txn.delete(entry.key.clone()));
        if !txn.ops.is_empty() {
            self.inner.store.commit(txn).await?;
        }
        Ok(())
    }

    /// Removes the files of runs that are no longer there: a server may have died in between.
    pub(super) fn sweep(&self) -> Result<(), FileError> {
        let folder = self.inner.folder.join("runs");
        let entries = std::fs::read_dir(&folder).map_err(|error| FileError::new("read", &folder, error))?;
        for entry in entries.flatten() {
            let id = entry.file_name().to_str().and_then(|name| name.parse().ok()).map(RunId);
            if id.is_some_and(|id| !self.book().all.contains(&id)) {
                remove(&entry.path())?;
            }
        }
        Ok(())
    }
}

fn remove(folder: &std::path::Path) -> Result<(), FileError> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(FileError::new("remove", folder, error)),
        _ => Ok(()),
    }
}
